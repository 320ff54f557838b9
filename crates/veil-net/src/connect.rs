//! A connection to an upstream server, up to the point where it may be signed in on.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, TlsStream};
use veil_wire::Malformed;
use veil_wire::pg::startup;

use crate::error::NetError;
use crate::stream::Stream;
use crate::tls::end_point_hash;
use crate::tune;

/// Whether TLS is wanted.
#[derive(Clone)]
pub enum Encryption {
    /// Never.
    Off,
    /// If the server has it.
    Prefer(Arc<ClientConfig>),
    /// Always.
    Demand(Arc<ClientConfig>),
}

/// An upstream server's address and how it is spoken to.
#[derive(Clone)]
pub struct Target {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// TLS.
    pub encryption: Encryption,
    /// How long it may take to reach it.
    pub timeout: Duration,
}

/// A connection to an upstream.
pub struct Connected {
    /// The connection.
    pub stream: Stream,
    /// Hash of the server's certificate, where TLS has one that defines it.
    pub end_point: Option<Vec<u8>>,
}

impl Target {
    /// Connects and sets up TLS.
    ///
    /// # Errors
    /// Not reachable in time, or TLS not as it has to be.
    pub async fn connect(&self) -> Result<Connected, NetError> {
        timeout(self.timeout, self.connect_now())
            .await
            .unwrap_or_else(|_| Err(self.unreachable(std::io::ErrorKind::TimedOut.into())))
    }

    /// Connects, says something, and waits until the server has begun to answer: one that takes connections may be none.
    ///
    /// # Errors
    /// Not reachable in time, or TLS not as it has to be.
    pub async fn open(&self, first: &[u8]) -> Result<Connected, NetError> {
        let opened = async {
            let mut connected = self.connect_now().await?;
            connected.stream.write_all(first).await?;
            connected.stream.flush().await?;
            if let Stream::Plain(tcp) = &connected.stream
                && tcp.peek(&mut [0]).await? == 0
            {
                return Err(NetError::Closed);
            }
            Ok(connected)
        };
        timeout(self.timeout, opened)
            .await
            .unwrap_or_else(|_| Err(self.unreachable(std::io::ErrorKind::TimedOut.into())))
    }

    /// Whether a PostgreSQL server is there.
    ///
    /// # Errors
    /// It is not.
    pub async fn check(&self) -> Result<(), NetError> {
        let Encryption::Off = self.encryption else { return self.connect().await.map(drop) };
        let mut request = Vec::new();
        startup::write_request(&mut request, startup::SSL_REQUEST);
        self.open(&request).await.map(drop)
    }

    /// Connects by TCP.
    pub(crate) async fn dial(&self) -> Result<TcpStream, NetError> {
        let address = (self.host.as_str(), self.port);
        let tcp = timeout(self.timeout, TcpStream::connect(address))
            .await
            .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
            .map_err(|error| self.unreachable(error))?;
        tune(&tcp)?;
        Ok(tcp)
    }

    async fn connect_now(&self) -> Result<Connected, NetError> {
        let tcp = self.dial().await?;
        match &self.encryption {
            Encryption::Off => Ok(Connected { stream: Stream::Plain(tcp), end_point: None }),
            Encryption::Prefer(config) => self.start_tls(tcp, config, false).await,
            Encryption::Demand(config) => self.start_tls(tcp, config, true).await,
        }
    }

    async fn start_tls(
        &self,
        mut tcp: TcpStream,
        config: &Arc<ClientConfig>,
        demanded: bool,
    ) -> Result<Connected, NetError> {
        let mut request = Vec::new();
        startup::write_request(&mut request, startup::SSL_REQUEST);
        tcp.write_all(&request).await?;
        match tcp.read_u8().await? {
            b'S' => {}
            b'N' if demanded => return Err(NetError::NoTls { host: self.host.clone(), port: self.port }),
            b'N' => return Ok(Connected { stream: Stream::Plain(tcp), end_point: None }),
            _ => return Err(Malformed("neither yes nor no to TLS").into()),
        }
        self.secure(tcp, config).await
    }

    /// Sets TLS up on a connection whose server awaits it.
    pub(crate) async fn secure(
        &self,
        tcp: TcpStream,
        config: &Arc<ClientConfig>,
    ) -> Result<Connected, NetError> {
        let name = ServerName::try_from(self.host.clone()).map_err(|error| NetError::TlsConfig {
            path: self.host.clone(),
            what: format!("not a host name: {error}"),
        })?;
        let session = TlsConnector::from(Arc::clone(config))
            .connect(name, tcp)
            .await
            .map_err(|error| self.unreachable(error))?;
        let end_point = session
            .get_ref()
            .1
            .peer_certificates()
            .and_then(|c| c.first())
            .and_then(|leaf| end_point_hash(leaf));
        Ok(Connected { stream: Stream::Tls(Box::new(TlsStream::Client(session))), end_point })
    }

    /// The error of one that cannot be reached.
    #[must_use]
    pub fn unreachable(&self, source: std::io::Error) -> NetError {
        NetError::Unreachable { host: self.host.clone(), port: self.port, source }
    }
}
