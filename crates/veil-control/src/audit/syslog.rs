//! Events as syslog messages (RFC 5424), besides the file. What the receiver does not take is counted: the file has it.

use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use serde_json::Value;

/// Where messages go.
#[derive(Clone, Debug)]
pub enum Receiver {
    /// One datagram a message.
    Udp(String),
    /// Messages with their lengths (RFC 6587).
    Tcp(String),
    /// A datagram socket of the system.
    Unix(PathBuf),
}

/// Facility 13 (audit), severity 6 (informational).
const PRIORITY: u8 = 13 * 8 + 6;
const WAITING_MAX: usize = 4096;
/// The receiver has so long to take a message.
const SEND_MAX: Duration = Duration::from_secs(5);

/// Sends messages.
pub(super) struct Syslog {
    out: SyncSender<String>,
    unsent: Arc<AtomicU64>,
}

impl Syslog {
    /// Begins to send.
    #[must_use]
    pub(super) fn start(to: Receiver) -> Self {
        let (out, messages) = sync_channel::<String>(WAITING_MAX);
        let unsent = Arc::<AtomicU64>::default();
        let failed = Arc::clone(&unsent);
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
            }
        });
        Self { out, unsent }
    }

    pub(super) fn send(&self, event: &Value) {
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or("-");
        let message = format!(
            "<{PRIORITY}>1 {} {} ironveil {} {} - {event}",
            text("time"),
            host(),
            std::process::id(),
            text("event")
        );
        if self.out.try_send(message).is_err() {
            self.unsent.fetch_add(1, Ordering::Relaxed);
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
