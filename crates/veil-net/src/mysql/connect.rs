//! A connection to an upstream server, up to the point where it may be signed in on.

use tokio::time::timeout;
use veil_wire::mysql::capability as cap;
use veil_wire::mysql::limits;
use veil_wire::mysql::reply::{self, Error};
use veil_wire::mysql::startup::{Greeting, Response};

use super::Link;
use crate::connect::{Encryption, Target};
use crate::error::NetError;
use crate::stream::Stream;

/// Connects and reads the server's greeting.
///
/// # Errors
/// Not reachable in time, or not a server that can be spoken to.
pub async fn connect(target: &Target) -> Result<(Link, Greeting), NetError> {
    let mut link = Link::new(Stream::Plain(target.dial().await?), Vec::new());
    let packet = read_in_time(target, &mut link).await?;
    if packet.first() == Some(&reply::ERR) {
        // Too many connections, a host that is not allowed.
        let error = Error::decode(&packet)?;
        return Err(NetError::Refused(String::from_utf8_lossy(error.state).into_owned()));
    }
    Ok((link, Greeting::decode(&packet)?))
}

/// Whether a server is there, and what it says of itself. A handshake that is broken off would count against this host (`max_connect_errors`); a login that is refused does not.
///
/// # Errors
/// It is not, or takes nobody.
pub async fn check(target: &Target) -> Result<Greeting, NetError> {
    let (mut link, greeting) = connect(target).await?;
    let response = Response {
        capabilities: cap::DEMANDED & greeting.capabilities,
        packet_max: 1 << 24,
        // utf8mb4_general_ci.
        collation: 45,
        user: b"ironveil_check".to_vec(),
        proof: Vec::new(),
        database: Vec::new(),
        plugin: b"mysql_native_password".to_vec(),
        attributes: Vec::new(),
    };
    link.write(|out| response.put(out)).await?;
    read_in_time(target, &mut link).await?;
    Ok(greeting)
}

/// A server that takes connections and says nothing is not there.
async fn read_in_time(target: &Target, link: &mut Link) -> Result<Vec<u8>, NetError> {
    timeout(target.timeout, link.read(limits::AUTH_MAX))
        .await
        .unwrap_or_else(|_| Err(target.unreachable(std::io::ErrorKind::TimedOut.into())))
}

/// Sets TLS up, if it is wanted, before `response` is sent. Returns whether there is TLS now.
///
/// # Errors
/// TLS is not as it has to be.
pub async fn secure(
    link: &mut Link,
    target: &Target,
    greeting: &Greeting,
    response: &Response,
) -> Result<bool, NetError> {
    let offered = greeting.capabilities & cap::SSL != 0;
    let config = match &target.encryption {
        Encryption::Off => return Ok(false),
        Encryption::Prefer(_) if !offered => return Ok(false),
        Encryption::Demand(_) if !offered => {
            return Err(NetError::NoTls { host: target.host.clone(), port: target.port });
        }
        Encryption::Prefer(config) | Encryption::Demand(config) => config,
    };
    let request = Response { capabilities: response.capabilities | cap::SSL, ..response.clone() };
    link.write(|out| request.put_tls_request(out)).await?;
    let Stream::Plain(tcp) = link.take_stream() else { return Err(NetError::Closed) };
    let secured = timeout(target.timeout, target.secure(tcp, config)).await;
    let stream =
        secured.unwrap_or_else(|_| Err(target.unreachable(std::io::ErrorKind::TimedOut.into())))?.stream;
    link.set_stream(stream);
    Ok(true)
}
