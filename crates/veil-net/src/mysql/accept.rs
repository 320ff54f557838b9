//! A client's first packets: TLS, and its response to the greeting.

use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsStream};
use veil_wire::Malformed;
use veil_wire::mysql::limits;
use veil_wire::mysql::startup::{self, First, Greeting, Response};

use super::Link;
use crate::error::NetError;
use crate::stream::Stream;
use crate::tls::ServerTls;

/// Greets a client and reads its response. The link stays the caller's, who tells the client about errors.
///
/// # Errors
/// The client breaks the protocol, goes away, or TLS fails.
pub async fn greet(
    link: &mut Link,
    greeting: &Greeting,
    tls: Option<&ServerTls>,
) -> Result<Response, NetError> {
    link.write(|out| greeting.put(out)).await?;
    match startup::decode(&link.read(limits::AUTH_MAX).await?)? {
        First::Response(response) => Ok(response),
        First::Tls => {
            let tls = tls.ok_or(Malformed("the client asks for TLS, which was not offered"))?;
            let Stream::Plain(tcp) = link.take_stream() else { return Err(NetError::Closed) };
            link.set_stream(start_tls(tcp, tls).await?);
            match startup::decode(&link.read(limits::AUTH_MAX).await?)? {
                First::Response(response) => Ok(response),
                First::Tls => Err(Malformed("TLS inside TLS").into()),
            }
        }
    }
}

async fn start_tls(tcp: TcpStream, tls: &ServerTls) -> Result<Stream, NetError> {
    // The name that PostgreSQL's clients agree on is not MySQL's.
    let mut config = tls.config.as_ref().clone();
    config.alpn_protocols.clear();
    let session = TlsAcceptor::from(std::sync::Arc::new(config)).accept(tcp).await?;
    Ok(Stream::Tls(Box::new(TlsStream::Server(session))))
}
