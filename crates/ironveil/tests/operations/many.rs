//! Many sessions at one time: what they cost, and that nothing of them is left.
//!
//! `IRONVEIL_SESSIONS` says how many (1,000). Servers are imitated, in a process of their own: a process has only so many files.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use veil_net::tls;
use veil_testkit::Authority;
use veil_wire::pg::auth::Request;
use veil_wire::pg::startup::{self, Version};
use veil_wire::pg::{frame, reply};

use crate::harness::{Proxy, RULES};

/// Memory of the proxy for one session, in KiB.
const PLAIN_MAX: u64 = 10;
const TLS_MAX: u64 = 30;
/// Clients that sign in at one time.
const AT_ONCE: usize = 64;

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// The imitated servers; they end with it.
struct Fakes {
    child: Child,
    plain: u16,
    tls: u16,
}

impl Fakes {
    fn start(authority: &Authority) -> Self {
        let issued = authority.issue("localhost", &["localhost", "127.0.0.1"]).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "many::imitated_servers", "--ignored", "--nocapture"])
            .env("FAKE_CERT", &issued.cert)
            .env("FAKE_KEY", &issued.key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ports = lines.find_map(|line| line.unwrap().strip_prefix("ports ").map(str::to_owned)).unwrap();
        let (plain, tls) = ports.split_once(' ').unwrap();
        let (plain, tls) = (plain.parse().unwrap(), tls.parse().unwrap());
        Self { child, plain, tls }
    }
}

impl Drop for Fakes {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not a test: what `Fakes` starts.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the other process of those below"]
async fn imitated_servers() {
    let Some((cert, key)) = std::env::var_os("FAKE_CERT").zip(std::env::var_os("FAKE_KEY")) else { return };
    let config = tls::ServerTls::load(cert.as_ref(), key.as_ref(), None, false).unwrap();
    let acceptor = TlsAcceptor::from(Arc::clone(&config.config));
    let (plain, secure) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    #[allow(clippy::print_stdout, reason = "what the other process waits for")]
    {
        println!("ports {} {}", plain.local_addr().unwrap().port(), secure.local_addr().unwrap().port());
    }
    tokio::spawn(async move {
        while let Ok((stream, _)) = plain.accept().await {
            tokio::spawn(imitate(stream));
        }
    });
    while let Ok((mut stream, _)) = secure.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let mut request = [0; 8];
            stream.read_exact(&mut request).await?;
            stream.write_all(b"S").await?;
            imitate(acceptor.accept(stream).await?).await
        });
    }
}

/// A server that lets everybody in, and then says nothing.
async fn imitate(mut stream: impl Wire) -> std::io::Result<()> {
    let length = stream.read_u32().await?;
    let mut message = vec![0; usize::try_from(length).unwrap() - 4];
    stream.read_exact(&mut message).await?;
    if message.len() == 4 {
        // It asks for TLS.
        stream.write_all(b"N").await?;
        return Ok(());
    }
    let mut out = Vec::new();
    Request::Ok.write(&mut out);
    for (name, value) in [
        ("server_version", "17.0"),
        ("client_encoding", "UTF8"),
        ("server_encoding", "UTF8"),
        ("standard_conforming_strings", "on"),
    ] {
        frame::write(&mut out, b'S', |out| {
            frame::put_cstr(out, name);
            frame::put_cstr(out, value);
        });
    }
    reply::write_key(&mut out, 7, &[1, 2, 3, 4]);
    frame::write(&mut out, b'Z', |out| out.push(b'I'));
    stream.write_all(&out).await?;
    let mut rest = [0; 64];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

/// Signs in, and waits for the first ReadyForQuery.
async fn sign_in(mut stream: impl Wire + 'static) -> std::io::Result<Box<dyn Wire>> {
    let mut out = Vec::new();
    startup::write_session(&mut out, Version::V3_0, [("user", "postgres"), ("database", "shop")].into_iter());
    stream.write_all(&out).await?;
    loop {
        let tag = stream.read_u8().await?;
        let mut body = vec![0; usize::try_from(stream.read_u32().await?).unwrap() - 4];
        stream.read_exact(&mut body).await?;
        match tag {
            b'Z' => return Ok(Box::new(stream)),
            b'E' => return Err(std::io::Error::other(String::from_utf8_lossy(&body).into_owned())),
            _ => {}
        }
    }
}

async fn client(port: u16, connector: Option<TlsConnector>) -> std::io::Result<Box<dyn Wire>> {
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).await?;
    let Some(connector) = connector else { return sign_in(tcp).await };
    let mut request = Vec::new();
    startup::write_request(&mut request, startup::SSL_REQUEST);
    tcp.write_all(&request).await?;
    assert_eq!(tcp.read_u8().await?, b'S');
    sign_in(connector.connect(ServerName::try_from("localhost").unwrap(), tcp).await?).await
}

fn sessions() -> usize {
    let wanted = std::env::var("IRONVEIL_SESSIONS").map_or(1000, |text| text.parse().unwrap());
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let hard: usize = files.split_whitespace().nth(1).unwrap().parse().unwrap_or(usize::MAX);
    let possible = (hard - 200) / 2;
    if possible < wanted {
        eprintln!("{possible} sessions instead of {wanted}: a process may open {hard} files here");
    }
    wanted.min(possible)
}

impl Proxy {
    /// Memory that it holds, in KiB.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().split(' ').next().unwrap().parse().unwrap()
    }

    fn count(&self) -> usize {
        let health = self.http("GET", "/health").1;
        let after = health.split_once("\"sessions\":").unwrap().1;
        after.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
    }
}

async fn open(proxy: &Proxy, count: usize, connector: Option<&TlsConnector>) -> Vec<Box<dyn Wire>> {
    let gate = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..count {
        let (gate, port, connector) = (Arc::clone(&gate), proxy.pg, connector.cloned());
        opening.spawn(async move {
            let _permit = gate.acquire().await.unwrap();
            client(port, connector).await.unwrap()
        });
    }
    opening.join_all().await
}

async fn costs(secure: bool, max: u64) {
    let (authority, count) = (Authority::new().unwrap(), sessions());
    let fakes = Fakes::start(&authority);
    let issued = authority.issue("localhost", &["localhost", "127.0.0.1"]).unwrap();
    let upstream = match secure {
        true => format!(
            "localhost:{}?sslmode=verify-full&sslrootcert={}",
            fakes.tls,
            authority.ca_pem().display()
        ),
        false => format!("127.0.0.1:{}", fakes.plain),
    };
    let upstream = upstream.replacen('?', "/?", 1);
    let config = format!("databases:\n  - {{ name: shop, upstream: 'postgres://{upstream}' }}\n{RULES}");
    let with_tls = format!("TLS {} {}\n", issued.cert.display(), issued.key.display());
    let mut proxy = Proxy::start(&if secure { format!("# {with_tls}{config}") } else { config });
    let connector = secure.then(|| {
        TlsConnector::from(tls::client_config(tls::Verify::Host, Some(authority.ca_pem()), None).unwrap())
    });
    // What is made once is not counted.
    drop(open(&proxy, AT_ONCE * 2, connector.as_ref()).await);
    proxy.wait_for("all have left", |proxy| proxy.count() == 0);
    let before = proxy.memory();
    let clients = open(&proxy, count, connector.as_ref()).await;
    proxy.wait_for("all are there", |proxy| proxy.count() == count);
    let held = proxy.memory();
    let each = (held - before) as f64 / count as f64;
    eprintln!(
        "{count} idle sessions, TLS {secure}: {before} KiB before, {held} KiB with them, {each:.1} KiB each"
    );
    drop(clients);
    proxy.wait_for("all have left", |proxy| proxy.count() == 0);
    let mut left = held;
    proxy.wait_for("memory is given back", |proxy| {
        left = proxy.memory();
        left <= before + (held - before) / 4
    });
    eprintln!("{left} KiB after they have left");
    assert!(each <= max as f64, "{each} KiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_sessions_cost_little_memory_and_give_it_back() {
    costs(false, PLAIN_MAX).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_do_those_with_tls_on_both_sides() {
    costs(true, TLS_MAX).await;
}

/// Clients that come and go, some of them in the middle of signing in.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_come_and_go_fast_leave_nothing() {
    let (authority, seconds) = (Authority::new().unwrap(), if sessions() > 5000 { 10 } else { 1 });
    let fakes = Fakes::start(&authority);
    let config = format!(
        "databases:\n  - {{ name: shop, upstream: 'postgres://127.0.0.1:{}' }}\nlimits: {{ max_connections: 500, queue_timeout: 1s }}\n{RULES}",
        fakes.plain
    );
    let mut proxy = Proxy::start(&config);
    let port = proxy.pg;
    let mut attempts = tokio::task::JoinSet::new();
    let began = Instant::now();
    // Twenty each hundredth of a second.
    for tick in 0..seconds * 100 {
        for at in 0..20u32 {
            attempts.spawn(async move {
                match at % 4 {
                    0 => drop(TcpStream::connect(("127.0.0.1", port)).await),
                    1 => {
                        let mut tcp = TcpStream::connect(("127.0.0.1", port)).await?;
                        tcp.write_all(&[0, 0, 0, 30, 0, 3]).await?;
                    }
                    _ => drop(client(port, None).await),
                }
                Ok::<(), std::io::Error>(())
            });
        }
        tokio::time::sleep_until((began + Duration::from_millis(10) * (tick + 1)).into()).await;
    }
    let count = attempts.len();
    while attempts.join_next().await.is_some() {}
    eprintln!("{count} attempts in {:.1} s", began.elapsed().as_secs_f64());
    proxy.wait_for("all have left", |proxy| proxy.count() == 0);
    // All places are free.
    let all = open(&proxy, 500, None).await;
    assert_eq!(all.len(), 500);
    proxy.wait_for("all are there", |proxy| proxy.count() == 500);
}
