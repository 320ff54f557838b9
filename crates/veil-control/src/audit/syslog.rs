//! Events as syslog messages (RFC 5424), besides the file. What the receiver does not take is counted: the file has it.

use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use serde_json::Value;
pub use veil_policy::config::operations::Syslog as Receiver;

/// Facility 13 (audit), severity 6 (informational).
const PRIORITY: u8 = 13 * 8 + 6;
const WAITING_MAX: usize = 4096;
/// The receiver has so long to take a message.
const SEND_MAX: Duration = Duration::from_secs(5);
/// At the end it has so long for what waits.
const SETTLE_MAX: Duration = Duration::from_secs(2);

/// Sends messages.
pub(super) struct Syslog {
    out: SyncSender<String>,
    unsent: Arc<AtomicU64>,
    waiting: Arc<AtomicU64>,
}

impl Syslog {
    /// Begins to send.
    #[must_use]
    pub(super) fn start(to: Receiver) -> Self {
        let (out, messages) = sync_channel::<String>(WAITING_MAX);
        let unsent = Arc::<AtomicU64>::default();
        let waiting = Arc::<AtomicU64>::default();
        let (failed, left) = (Arc::clone(&unsent), Arc::clone(&waiting));
        std::thread::spawn(move || {
            let mut socket = None;
            for message in messages {
                // Once more, by a new connection.
                let sent = send(&to, &mut socket, &message).or_else(|_| {
                    socket = None;
                    send(&to, &mut socket, &message)
                });
                if let Err(error) = sent {
                    if failed.fetch_add(1, Ordering::Relaxed) == 0 {
                        tracing::warn!(%error, "the syslog receiver cannot be reached");
                    }
                    socket = None;
                }
                left.fetch_sub(1, Ordering::Relaxed);
            }
        });
        Self { out, unsent, waiting }
    }

    pub(super) fn send(&self, event: &Value, line: &str) {
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or("-");
        let message = format!(
            "<{PRIORITY}>1 {} {} ironveil {} {} - {line}",
            text("time"),
            host(),
            std::process::id(),
            text("event")
        );
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if self.out.try_send(message).is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.unsent.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits a while until what waits has been sent.
    pub(super) fn settle(&self) {
        let since = Instant::now();
        while self.waiting.load(Ordering::Relaxed) > 0 && since.elapsed() < SETTLE_MAX {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(super) fn unsent(&self) -> u64 {
        self.unsent.load(Ordering::Relaxed)
    }
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "-".to_owned(),
        name => name.to_owned(),
    }
}

enum Socket {
    Udp(UdpSocket),
    Tcp(TcpStream),
    Unix(UnixDatagram),
}

fn send(to: &Receiver, socket: &mut Option<Socket>, message: &str) -> io::Result<()> {
    if socket.is_none() {
        *socket = Some(connect(to)?);
    }
    match socket {
        Some(Socket::Udp(socket)) => socket.send(message.as_bytes()).map(drop),
        Some(Socket::Unix(socket)) => socket.send(message.as_bytes()).map(drop),
        Some(Socket::Tcp(socket)) => socket.write_all(format!("{} {message}", message.len()).as_bytes()),
        None => Ok(()),
    }
}

fn connect(to: &Receiver) -> io::Result<Socket> {
    Ok(match to {
        Receiver::Unix(path) => {
            let socket = UnixDatagram::unbound()?;
            socket.connect(path)?;
            socket.set_write_timeout(Some(SEND_MAX))?;
            Socket::Unix(socket)
        }
        Receiver::Udp(at) => {
            let address = at.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
            let socket = UdpSocket::bind(if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
            socket.connect(address)?;
            Socket::Udp(socket)
        }
        Receiver::Tcp(at) => {
            let address = at.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
            let socket = TcpStream::connect_timeout(&address, SEND_MAX)?;
            socket.set_write_timeout(Some(SEND_MAX))?;
            Socket::Tcp(socket)
        }
    })
}
