//! A TCP connection, with or without TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

/// A connection to either side.
pub enum Stream {
    /// In clear.
    Plain(TcpStream),
    /// Inside TLS.
    Tls(Box<TlsStream<TcpStream>>),
    /// Gone, as when TLS could not be agreed on.
    Closed,
}

impl Stream {
    /// Whether TLS protects it.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// The names in the certificate that the other side has shown: of its subject, and those that it stands for as well.
    #[must_use]
    pub fn certificate_names(&self) -> Vec<String> {
        let Self::Tls(tls) = self else { return Vec::new() };
        let certificates = tls.get_ref().1.peer_certificates();
        certificates.and_then(|all| all.first()).map_or_else(Vec::new, |leaf| crate::tls::names(leaf))
    }
}

macro_rules! on_inner {
    ($self:ident, $method:ident $(, $argument:expr)*) => {
        match $self.get_mut() {
            Stream::Plain(inner) => Pin::new(inner).$method($($argument),*),
            Stream::Tls(inner) => Pin::new(inner.as_mut()).$method($($argument),*),
            Stream::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        on_inner!(self, poll_read, cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        on_inner!(self, poll_write, cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_inner!(self, poll_flush, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_inner!(self, poll_shutdown, cx)
    }
}
