//! A peer that speaks as much of MySQL's server as a login takes, by `caching_sha2_password`, so that its exchanges are
//! tested where no such server can be had.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use veil_net::mysql::password::rsa::ServerKey;
use veil_net::mysql::password::{Nonce, sha2};
use veil_wire::mysql::auth::{self, plugin};
use veil_wire::mysql::capability as cap;
use veil_wire::mysql::frame::{self, HEADER, Header};
use veil_wire::mysql::reply;
use veil_wire::mysql::startup::{self, First, Greeting};

use crate::harness::{config, number, options};
use crate::proxy::Proxy;
use crate::raw::Raw;

const PASSWORD: &str = "throwaway-app";

struct Fake {
    port: u16,
    knows: Arc<AtomicBool>,
    full: Arc<AtomicUsize>,
}

struct Peer {
    stream: TcpStream,
    sequence: u8,
}

impl Peer {
    fn read(&mut self) -> Option<Vec<u8>> {
        let mut header = [0; HEADER];
        self.stream.read_exact(&mut header).ok()?;
        let header = Header::decode(&header)?;
        self.sequence = header.sequence.wrapping_add(1);
        let mut payload = vec![0; header.body];
        self.stream.read_exact(&mut payload).ok()?;
        Some(payload)
    }

    fn write(&mut self, body: impl FnOnce(&mut Vec<u8>)) -> Option<()> {
        let mut out = Vec::new();
        frame::write(&mut out, &mut self.sequence, body);
        self.stream.write_all(&out).ok()
    }

    fn error(&mut self, number: u16) -> Option<()> {
        self.write(|out| reply::Error { number, state: b"28000", message: b"no" }.put(out))
    }
}

impl Fake {
    /// Knows one password; forgets that it does when told so. With `factors` it wants a second one.
    fn start(factors: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (knows, full) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let key = Arc::new(ServerKey::generate().unwrap());
        let state = (Arc::clone(&knows), Arc::clone(&full));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (key, state) = (Arc::clone(&key), state.clone());
                std::thread::spawn(move || {
                    serve(Peer { stream, sequence: 0 }, &key, &state.0, &state.1, factors)
                });
            }
        });
        Self { port, knows, full }
    }
}

fn serve(
    mut peer: Peer,
    key: &ServerKey,
    knows: &AtomicBool,
    full: &AtomicUsize,
    factors: bool,
) -> Option<()> {
    let nonce = Nonce::from_random([9; 20]);
    let greeting = Greeting {
        version: b"8.4.0-fake".to_vec(),
        connection: 7,
        nonce: *nonce.as_bytes(),
        capabilities: cap::RELAYED & !(cap::MARIADB_BULK | cap::MARIADB_EXTENDED_METADATA) | cap::COMPRESS,
        collation: 45,
        status: 2,
        plugin: plugin::CACHING_SHA2.to_vec(),
    };
    peer.write(|out| greeting.put(out))?;
    let Ok(First::Response(response)) = startup::decode(&peer.read()?) else { return None };
    assert_ne!(response.plugin, plugin::CACHING_SHA2, "the proxy has to ask for a challenge");
    let data = [nonce.as_bytes().as_slice(), &[0]].concat();
    peer.write(|out| auth::put_switch(out, plugin::CACHING_SHA2, &data))?;
    let answer = peer.read()?;
    let right = sha2::Quick::from_password(PASSWORD.as_bytes()).verify(&nonce, &answer).is_some();
    if knows.load(Ordering::Relaxed) && right {
        peer.write(|out| auth::put_more(out, &[3]))?;
    } else {
        full.fetch_add(1, Ordering::Relaxed);
        peer.write(|out| auth::put_more(out, &[4]))?;
        let mut answer = peer.read()?;
        if answer == [2] {
            peer.write(|out| auth::put_more(out, key.public_pem().as_bytes()))?;
            answer = peer.read()?;
        }
        if key.decrypt(&answer, &nonce).is_none_or(|password| password.expose() != PASSWORD.as_bytes()) {
            return peer.error(1045);
        }
        knows.store(true, Ordering::Relaxed);
    }
    if factors {
        return peer.write(|out| out.extend(b"\x02authentication_webauthn\0"));
    }
    peer.write(|out| reply::put_ok(out, 2))?;
    while let Some(command) = peer.read() {
        match command.first() {
            Some(14) => peer.write(|out| reply::put_ok(out, 2))?,
            _ => peer.error(1047)?,
        }
    }
    None
}

#[test]
fn caching_sha2_fast_and_full() {
    let fake = Fake::start(false);
    assert_eq!(PASSWORD, veil_testkit::MySql::user_password());
    let proxy = Proxy::start(&config(fake.port, ""));
    for (forget, full) in [(false, 1), (false, 1), (true, 2), (false, 2)] {
        if forget {
            fake.knows.store(false, Ordering::Relaxed);
        }
        let mut raw = Raw::connect(proxy.port(), 0);
        assert_eq!(raw.greeting.version, b"8.4.0-fake");
        raw.send(&[14]);
        assert!(raw.answer().error.is_none());
        assert_eq!(fake.full.load(Ordering::Relaxed), full);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_and_second_factors_are_refused() {
    let fake = Fake::start(false);
    let proxy = Proxy::start(&config(fake.port, ""));
    let wrong = mysql_async::Conn::new(options(proxy.port()).pass(Some("wrong"))).await.unwrap_err();
    assert_eq!(number(&wrong), 1045);
    let fake = Fake::start(true);
    let proxy = Proxy::start(&config(fake.port, ""));
    let several = mysql_async::Conn::new(options(proxy.port())).await.unwrap_err();
    assert!(several.to_string().contains("several factors"), "{several}");
}

/// A listed user, whose stored verifier is all that the proxy has: a full exchange, then by what that has shown; and
/// upstream by what the client's proof reveals, or by the password where that is asked for.
#[test]
fn a_verifier_signs_in_on_both_sides() {
    let Some(verifier) = verifier() else {
        eprintln!("not tested: no MySQL server to make a verifier");
        return;
    };
    let fake = Fake::start(false);
    let users = format!("users:\n  - {{ name: app, verifier: '0x{verifier}' }}\n");
    let proxy = Proxy::start(&config(fake.port, &users));
    for full in [1, 1, 1] {
        Raw::connect(proxy.port(), 0);
        assert_eq!(fake.full.load(Ordering::Relaxed), full);
    }
    fake.knows.store(false, Ordering::Relaxed);
    Raw::connect(proxy.port(), 0);
    assert_eq!(fake.full.load(Ordering::Relaxed), 2);
}

/// What a real server stores for the password, in hexadecimal.
fn verifier() -> Option<String> {
    use veil_testkit::{Flavour, MySql, MySqlOptions};
    MySql::available(Flavour::MySql9).ok()?;
    let server =
        MySql::start(MySqlOptions { flavour: Some(Flavour::MySql9), ..MySqlOptions::default() }).unwrap();
    Some(server.sql("", "select hex(authentication_string) from mysql.user where user = 'app'").unwrap())
}
