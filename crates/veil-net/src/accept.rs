//! A client's first packets: TLS, GSSAPI, cancel, start-up.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsStream};
use veil_wire::Malformed;
use veil_wire::pg::reply::Report;
use veil_wire::pg::startup::{self, Startup, Version};
use veil_wire::pg::{frame, limits};

use crate::error::NetError;
use crate::stream::Stream;
use crate::tls::{ALPN, ServerTls};

/// First byte of a TLS handshake, by which a client asks for TLS directly.
const TLS_HANDSHAKE: u8 = 0x16;

/// What a client wants.
pub enum Opened {
    /// A session.
    Session {
        /// The connection.
        stream: Stream,
        /// Version asked for.
        version: Version,
        /// Parameters in order.
        parameters: Vec<(String, String)>,
    },
    /// To end a running statement.
    Cancel {
        /// Process id.
        process: i32,
        /// Secret.
        key: Vec<u8>,
    },
    /// Nothing: it left, as port checks do.
    Nothing,
}

/// Reads until it is clear what the client wants.
///
/// # Errors
/// The client breaks the protocol, or TLS fails.
pub async fn open(tcp: TcpStream, tls: Option<&ServerTls>) -> Result<Opened, NetError> {
    let mut first = [0];
    if tcp.peek(&mut first).await? == 0 {
        return Ok(Opened::Nothing);
    }
    let mut stream = match (first, tls) {
        ([TLS_HANDSHAKE], Some(tls)) => direct_tls(tcp, tls).await?,
        ([TLS_HANDSHAKE], None) => {
            return Err(Malformed("direct TLS, but the proxy has no certificate").into());
        }
        _ => Stream::Plain(tcp),
    };
    match negotiate(&mut stream, tls).await {
        Ok(Wanted::Session(version, parameters)) => Ok(Opened::Session { stream, version, parameters }),
        Ok(Wanted::Cancel(process, key)) => Ok(Opened::Cancel { process, key }),
        Err(error) => {
            if let NetError::Malformed(what) = &error {
                let mut out = Vec::new();
                let message = format!("protocol violation: {what}");
                Report { severity: "FATAL", code: "08P01", message: &message, hint: "" }
                    .write_error(&mut out);
                let _ = stream.write_all(&out).await;
                let _ = stream.shutdown().await;
            }
            Err(error)
        }
    }
}

enum Wanted {
    Session(Version, Vec<(String, String)>),
    Cancel(i32, Vec<u8>),
}

async fn negotiate(stream: &mut Stream, tls: Option<&ServerTls>) -> Result<Wanted, NetError> {
    let (mut asked_tls, mut asked_gss) = (false, false);
    loop {
        let packet = read_packet(stream).await?;
        let Some((startup, _)) = startup::decode(&packet)? else { return Err(NetError::Closed) };
        match startup {
            Startup::Ssl if !asked_tls && !stream.is_tls() => {
                asked_tls = true;
                answer_tls(stream, tls).await?;
            }
            Startup::Gss if !asked_gss && !stream.is_tls() => {
                asked_gss = true;
                stream.write_all(b"N").await?;
            }
            Startup::Ssl | Startup::Gss => return Err(Malformed("encryption is negotiated already").into()),
            Startup::Cancel { process, key } => return Ok(Wanted::Cancel(process, key.to_vec())),
            Startup::Session { version, parameters } => {
                let parameters = parameters.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
                return Ok(Wanted::Session(version, parameters));
            }
        }
    }
}

/// Takes exactly one packet from the socket: what follows may belong to TLS.
async fn read_packet(stream: &mut Stream) -> Result<Vec<u8>, NetError> {
    let mut packet = vec![0; 4];
    stream.read_exact(&mut packet).await?;
    let field = packet.first_chunk().copied().unwrap_or_default();
    let body = frame::body_length(field)?;
    if body > limits::STARTUP_MAX {
        return Err(Malformed("start-up packet has an impossible length").into());
    }
    packet.resize(4 + body, 0);
    if let Some(rest) = packet.get_mut(4..) {
        stream.read_exact(rest).await?;
    }
    Ok(packet)
}

async fn answer_tls(stream: &mut Stream, tls: Option<&ServerTls>) -> Result<(), NetError> {
    let Some(tls) = tls else { return Ok(stream.write_all(b"N").await?) };
    stream.write_all(b"S").await?;
    let Stream::Plain(tcp) = std::mem::replace(stream, Stream::Closed) else { return Err(NetError::Closed) };
    let session = TlsAcceptor::from(tls.config.clone()).accept(tcp).await?;
    *stream = Stream::Tls(Box::new(TlsStream::Server(session)));
    Ok(())
}

async fn direct_tls(tcp: TcpStream, tls: &ServerTls) -> Result<Stream, NetError> {
    let session = TlsAcceptor::from(tls.config.clone()).accept(tcp).await?;
    if session.get_ref().1.alpn_protocol() != Some(ALPN) {
        return Err(Malformed("direct TLS without the ALPN protocol \"postgresql\"").into());
    }
    Ok(Stream::Tls(Box::new(TlsStream::Server(session))))
}
