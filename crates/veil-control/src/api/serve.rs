//! The listener of the API: few connections, none for ever, with TLS if there is a certificate.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Connections at one time; others wait.
const CONNECTIONS_MAX: usize = 128;
/// Connections from one address; more are closed at once, so that others are served.
const ADDRESS_MAX: usize = 64;
/// The first answer has to be begun in so long, whatever comes,
const REQUEST_MAX: Duration = Duration::from_secs(30);
/// a connection on which nothing is answered ends after so long,
const IDLE_MAX: Duration = Duration::from_secs(60);
/// and every one after so long: who listens to events begins again.
const AGE_MAX: Duration = Duration::from_secs(600);
/// TLS has to be set up in so long.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// A listener that takes so many connections.
pub(super) struct Few {
    ready: mpsc::Receiver<(Placed, SocketAddr)>,
    address: SocketAddr,
}

impl Few {
    /// Begins to accept.
    pub(super) fn start(
        listener: TcpListener,
        tls: Option<watch::Receiver<TlsAcceptor>>,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, ready) = mpsc::channel(1);
        tokio::spawn(async move {
            let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
            let addresses = Arc::<Addresses>::default();
            loop {
                let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
                let (tcp, peer) = tokio::select! {
                    accepted = listener.accept() => match accepted {
                        Ok(accepted) => accepted,
                        Err(_) => {
                            tokio::time::sleep(Duration::from_millis(100)).await;
                            continue;
                        }
                    },
                    () = sender.closed() => return,
                };
                let Some(share) = Share::take(&addresses, peer.ip()) else { continue };
                let place = (place, share);
                // The certificate may have become another.
                let tls = tls.as_ref().map(|tls| tls.borrow().clone());
                let sender = sender.clone();
                tokio::spawn(async move {
                    let Some(stream) = secure(tcp, tls).await else { return };
                    let _ = sender.send((Placed::new(stream, place), peer)).await;
                });
            }
        });
        Ok(Self { ready, address })
    }
}

async fn secure(tcp: TcpStream, tls: Option<TlsAcceptor>) -> Option<Stream> {
    let _ = tcp.set_nodelay(true);
    match tls {
        None => Some(Stream::Plain(tcp)),
        Some(tls) => {
            let secured = timeout(HANDSHAKE_MAX, tls.accept(tcp)).await.ok()?.ok()?;
            Some(Stream::Tls(Box::new(secured)))
        }
    }
}

impl axum::serve::Listener for Few {
    type Io = Placed;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Placed, SocketAddr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            // The runtime ends.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// How many connections each address has.
type Addresses = Mutex<HashMap<IpAddr, usize>>;

/// One of an address's connections.
struct Share(Arc<Addresses>, IpAddr);

impl Share {
    fn take(all: &Arc<Addresses>, address: IpAddr) -> Option<Self> {
        let mut counts = all.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= ADDRESS_MAX {
            return None;
        }
        *count += 1;
        Some(Self(Arc::clone(all), address))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.1);
            }
        }
    }
}

/// Where a request comes from.
#[derive(Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

impl Connected<IncomingStream<'_, Few>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Few>) -> Self {
        Self(*stream.remote_addr())
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection with its place.
pub(super) struct Placed {
    stream: Stream,
    until: Pin<Box<Sleep>>,
    begun: Instant,
    _place: (OwnedSemaphorePermit, Share),
}

impl Placed {
    fn new(stream: Stream, place: (OwnedSemaphorePermit, Share)) -> Self {
        let begun = Instant::now();
        Self { stream, until: Box::pin(sleep_until(begun + REQUEST_MAX)), begun, _place: place }
    }

    /// Something is answered.
    fn stir(&mut self) {
        let until = (Instant::now() + IDLE_MAX).min(self.begun + AGE_MAX);
        self.until.as_mut().reset(until);
    }
}

impl AsyncRead for Placed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.until.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Placed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        };
        if written.is_ready() {
            self.stir();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
