//! Looks for secrets in all that a proxy sends to its clients.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use memchr::memmem;

/// Every secret of the sample data holds this marker, which no mask ever produces.
pub const CANARY: &str = "zqcanary";

/// Bytes before a piece that are looked at with it: a marker may be cut.
const OVERLAP: usize = 96;

/// Relays connections to a port and keeps what of the answers holds a secret.
pub struct Scanner {
    port: u16,
    found: Arc<Mutex<Option<String>>>,
}

impl Scanner {
    pub fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let found = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&found);
        // They end with the process of the test.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let (Ok(from), Ok(into)) = (client.try_clone(), server.try_clone()) else { continue };
                thread::spawn(move || relay(from, into, None));
                let keep = Arc::clone(&keep);
                thread::spawn(move || relay(server, client, Some(&keep)));
            }
        });
        Self { port, found }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where a secret came, if one did.
    pub fn found(&self) -> Option<String> {
        self.found.lock().unwrap().clone()
    }
}

fn relay(mut from: TcpStream, mut into: TcpStream, found: Option<&Mutex<Option<String>>>) {
    let mut buffer = vec![0; 64 << 10];
    let mut kept = Vec::new();
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if let Some(found) = found {
            kept.extend_from_slice(&buffer[..count]);
            if holds_canary(&kept) {
                *found.lock().unwrap() = Some(String::from_utf8_lossy(&kept).into_owned());
            }
            kept.drain(..kept.len().saturating_sub(OVERLAP));
        }
        if into.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = into.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}

/// Whether the bytes hold the marker of a secret in any of the ways in which it may be written.
pub fn holds_canary(bytes: &[u8]) -> bool {
    let marker = CANARY.as_bytes();
    let hex: String = marker.iter().map(|byte| format!("{byte:02x}")).collect();
    let half = &hex[4..hex.len() - 4];
    let reversed: Vec<u8> = marker.iter().rev().copied().collect();
    // Between two letters in UTF-16 stands a zero, whichever byte comes first.
    let wide: Vec<u8> = marker.iter().flat_map(|byte| [0, *byte]).skip(1).collect();
    // The middle of base64 at each of the three places where a marker may begin.
    let coded = ["enFjYW5hcn", "pxY2FuYXJ5", "6cWNhbmFye"].map(str::as_bytes);
    let lower = bytes.to_ascii_lowercase();
    let has = |hay: &[u8], needle: &[u8]| memmem::find(hay, needle).is_some();
    // Half of it, and the numbers that all sample people have, with and without their signs.
    let parts = ["zqcan", "qcanary", "123-45-000", "123450001"];
    has(&lower, marker)
        || parts.iter().any(|part| has(&lower, part.as_bytes()))
        || has(&lower, half.as_bytes())
        || has(&lower, &reversed)
        || has(&lower, &wide)
        || coded.iter().any(|code| has(bytes, &code[..code.len() - 1]))
}

#[test]
fn canaries_are_found_however_they_are_written() {
    for written in [
        "zqcanary",
        "ZQCanary",
        "x7a7163616e617279",
        "yranacqz",
        "enFjYW5hcnkx",
        "YXpxY2FuYXJ5MQ==",
        "YWF6cWNhbmFyeTE=",
        "+zqcan",
        "123450001",
    ] {
        assert!(holds_canary(written.as_bytes()), "{written}");
    }
    assert!(holds_canary(b"\0z\0q\0c\0a\0n\0a\0r\0y"));
    assert!(holds_canary(b"z\0q\0c\0a\0n\0a\0r\0y\0"));
    assert!(!holds_canary(b"zqca nary 123-45-0100"));
}
