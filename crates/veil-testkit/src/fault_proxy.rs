//! A TCP relay between a client and a server that a test can make misbehave.
//!
//! It runs on a thread and a tokio runtime of its own, so blocking and async tests can use it alike; the
//! standard library cannot reset a connection, which tokio can.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

/// The pause between two pieces, for the receiver to see them apart.
const PIECE_PAUSE: Duration = Duration::from_micros(100);
const READ_MAX: usize = 16 * 1024;

/// A relay from a free loopback port to a server; dropping it ends its connections.
///
/// It starts as a faithful relay. Faults apply to all its connections, open and to come.
pub struct FaultProxy {
    port: u16,
    relay: Arc<Relay>,
    /// `None` only while dropping.
    runtime: Option<Runtime>,
}

struct Relay {
    target_port: AtomicU16,
    faults: watch::Sender<Faults>,
    captured: Mutex<Vec<u8>>,
}

#[derive(Clone, Copy, Default)]
struct Faults {
    /// How often connections were cut: one that was accepted at a smaller count has to go.
    cuts: u64,
    /// The length of the capture at which connections are cut.
    cut_at: Option<usize>,
    paused: bool,
    piece_max: Option<usize>,
}

impl FaultProxy {
    /// Listens on a free loopback port and forwards to `target_port` on 127.0.0.1.
    ///
    /// # Errors
    /// When the system has no port or thread left.
    pub fn start(target_port: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        listener.set_nonblocking(true)?;
        let target_port = AtomicU16::new(target_port);
        let relay = Relay { target_port, faults: watch::Sender::default(), captured: Mutex::default() };
        let relay = Arc::new(relay);
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_io().build()?;
        let accepting = Arc::clone(&relay);
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listening socket");
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&accepting).connection(client));
            }
        });
        Ok(Self { port, relay, runtime: Some(runtime) })
    }

    /// The port clients connect to, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Forwards new connections to another server.
    pub fn redirect(&self, target_port: u16) {
        self.relay.target_port.store(target_port, Ordering::Relaxed);
    }

    /// Resets all connections, on both sides; new ones are accepted.
    pub fn cut(&self) {
        self.relay.cut();
    }

    /// Cuts, once, when so many more bytes from the server were forwarded, over all connections.
    pub fn cut_after(&self, bytes: usize) {
        let captured = self.relay.captured.lock().expect("a capture");
        let cut_at = Some(captured.len() + bytes);
        self.relay.faults.send_modify(|faults| faults.cut_at = cut_at);
    }

    /// Reads nothing more from either side, so that senders fill their buffers and wait; or resumes.
    pub fn stop_reading(&self, stop: bool) {
        self.relay.faults.send_modify(|faults| faults.paused = stop);
    }

    /// Forwards in pieces of at most `bytes`, both ways, that arrive apart.
    pub fn split(&self, bytes: usize) {
        self.relay.faults.send_modify(|faults| faults.piece_max = Some(bytes.max(1)));
    }

    /// All bytes that were forwarded from the server to clients so far, of all connections.
    pub fn capture(&self) -> Vec<u8> {
        self.relay.captured.lock().expect("a capture").clone()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        // An async test may not wait for a runtime, which an ordinary drop does.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    ToServer,
    ToClient,
}

impl Relay {
    fn cut(&self) {
        self.faults.send_modify(|faults| {
            faults.cuts += 1;
            faults.cut_at = None;
        });
    }

    async fn connection(self: Arc<Self>, mut client: TcpStream) {
        let mut faults = self.faults.subscribe();
        let accepted_at = faults.borrow().cuts;
        let Ok(mut server) =
            TcpStream::connect(("127.0.0.1", self.target_port.load(Ordering::Relaxed))).await
        else {
            return;
        };
        if client.set_nodelay(true).and(server.set_nodelay(true)).is_err() {
            return;
        }
        let cut = {
            let (from_client, to_client) = client.split();
            let (from_server, to_server) = server.split();
            let relayed = async {
                tokio::try_join!(
                    self.forward(Direction::ToServer, from_client, to_server),
                    self.forward(Direction::ToClient, from_server, to_client),
                )
            };
            tokio::select! {
                biased;
                _ = faults.wait_for(|faults| faults.cuts > accepted_at) => true,
                _ = relayed => false,
            }
        };
        if cut {
            // With this, closing resets.
            let _ = client.set_zero_linger();
            let _ = server.set_zero_linger();
        }
    }

    /// Forwards one direction to its end; an error means that the whole connection is over.
    async fn forward(
        &self,
        direction: Direction,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
    ) -> std::io::Result<()> {
        let mut faults = self.faults.subscribe();
        let mut buffer = vec![0; READ_MAX];
        loop {
            let _ = faults.wait_for(|faults| !faults.paused).await;
            // A pause must also hold back what arrives while this waits for it.
            let read = tokio::select! {
                biased;
                _ = faults.wait_for(|faults| faults.paused) => continue,
                read = from.read(&mut buffer) => read?,
            };
            if read == 0 {
                return to.shutdown().await;
            }
            let kept = if direction == Direction::ToClient { self.record(&buffer[..read]) } else { read };
            let piece_max = faults.borrow().piece_max;
            for piece in buffer[..kept].chunks(piece_max.unwrap_or(READ_MAX)) {
                to.write_all(piece).await?;
                if piece_max.is_some() {
                    // Blocks this relay's own thread: tokio's timer knows no less than a millisecond.
                    thread::sleep(PIECE_PAUSE);
                }
            }
            if direction == Direction::ToClient && self.is_cut_due() {
                self.cut();
                std::future::pending::<()>().await;
            }
        }
    }

    /// Adds bytes from the server to the capture, up to where a cut is due, and returns how many.
    fn record(&self, bytes: &[u8]) -> usize {
        let mut captured = self.captured.lock().expect("a capture");
        let cut_at = self.faults.borrow().cut_at;
        let kept = cut_at.map_or(bytes.len(), |at| bytes.len().min(at.saturating_sub(captured.len())));
        captured.extend_from_slice(&bytes[..kept]);
        kept
    }

    fn is_cut_due(&self) -> bool {
        let captured = self.captured.lock().expect("a capture").len();
        self.faults.borrow().cut_at.is_some_and(|at| captured >= at)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read as _, Write as _};
    use std::net::TcpStream;

    use super::*;

    /// A client and a server with the relay between them.
    fn pair() -> (FaultProxy, TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = FaultProxy::start(listener.local_addr().unwrap().port()).unwrap();
        let client = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
        let (server, _) = listener.accept().unwrap();
        for stream in [&client, &server] {
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        }
        (proxy, client, server)
    }

    fn read(stream: &mut TcpStream, bytes: usize) -> Vec<u8> {
        let mut read = vec![0; bytes];
        stream.read_exact(&mut read).unwrap();
        read
    }

    #[test]
    fn a_cut_resets_both_sides() {
        let (proxy, mut client, mut server) = pair();
        client.write_all(b"question").unwrap();
        assert_eq!(read(&mut server, 8), b"question");
        server.write_all(b"answer").unwrap();
        assert_eq!(read(&mut client, 6), b"answer");
        proxy.cut();
        assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(server.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(proxy.capture(), b"answer");
    }

    #[test]
    fn cut_after_lets_so_many_bytes_through() {
        let (proxy, mut client, mut server) = pair();
        server.write_all(b"ab").unwrap();
        assert_eq!(read(&mut client, 2), b"ab");
        proxy.cut_after(3);
        server.write_all(b"cdefg").unwrap();
        assert_eq!(read(&mut client, 3), b"cde");
        assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(proxy.capture(), b"abcde");
    }

    #[test]
    fn an_end_is_forwarded_and_the_other_direction_goes_on() {
        let (_proxy, mut client, mut server) = pair();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(server.read(&mut [0]).unwrap(), 0);
        server.write_all(b"late").unwrap();
        assert_eq!(read(&mut client, 4), b"late");
    }

    #[test]
    fn pieces_arrive_apart_and_whole() {
        let (proxy, mut client, mut server) = pair();
        proxy.split(1);
        let sent: Vec<u8> = (0..=255).collect();
        server.write_all(&sent).unwrap();
        let mut received = Vec::new();
        let mut reads = 0;
        while received.len() < sent.len() {
            let mut buffer = [0; 256];
            let read = client.read(&mut buffer).unwrap();
            received.extend_from_slice(&buffer[..read]);
            reads += 1;
        }
        assert_eq!(received, sent);
        assert!(reads > 16, "{reads}");
    }

    #[test]
    fn a_sender_waits_while_nobody_reads() {
        let (proxy, mut client, mut server) = pair();
        proxy.stop_reading(true);
        server.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        let chunk = vec![7; 1 << 20];
        let mut sent = 0;
        let full = loop {
            match server.write(&chunk) {
                Ok(written) => sent += written,
                Err(error) => break error.kind(),
            }
        };
        assert_eq!((full, proxy.capture().len()), (ErrorKind::WouldBlock, 0));
        proxy.stop_reading(false);
        assert_eq!(read(&mut client, sent), vec![7; sent]);
    }
}
