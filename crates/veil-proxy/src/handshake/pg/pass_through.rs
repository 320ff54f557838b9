//! Authentication that the client and the upstream do between themselves.

use std::net::SocketAddr;

use tracing::debug;
use veil_net::scram::{SCRAM, SCRAM_PLUS};
use veil_net::{Link, NetError};
use veil_wire::pg::auth::{self, Request};
use veil_wire::pg::{frame, limits};

use super::Failure;
use crate::problem::Problem;

const HINT_USERS: &str = "List the user with its SCRAM verifier under \"users\", or configure \"auth_query\": then the proxy signs clients in itself.";

/// Relays authentication until the upstream is content, AuthenticationOk included.
pub(super) async fn run(
    client: &mut Link,
    upstream: &mut Link,
    peer: SocketAddr,
    upstream_private: bool,
) -> Result<(), Failure> {
    let mut plus_withheld = false;
    loop {
        let message = upstream.read(limits::REPLY_MAX).await?;
        let mut out = Vec::new();
        match message.tag {
            b'R' => {}
            b'v' => continue,
            b'N' | b'E' => {
                frame::write(&mut out, message.tag, |out| out.extend(&message.body));
                client.write(&out).await?;
                if message.tag == b'E' {
                    debug!(%peer, "the upstream refused the login");
                    return Err(Failure::Told);
                }
                continue;
            }
            _ => return Err(Problem::protocol("unexpected message during login").into()),
        }
        let request = Request::decode(&message.body)?;
        let request = match request {
            Request::Sasl(mut mechanisms) => {
                // Channel binding is between two ends of one channel; here are two channels.
                plus_withheld = mechanisms.contains(&SCRAM_PLUS);
                mechanisms.retain(|name| *name == SCRAM);
                if mechanisms.is_empty() {
                    return Err(NetError::Method("a SASL mechanism other than SCRAM-SHA-256").into());
                }
                Request::Sasl(mechanisms)
            }
            Request::Cleartext if !(upstream_private && is_private(client, peer)) => return Err(cleartext()),
            Request::Other(_) => return Err(NetError::Method("Kerberos, GSSAPI or another").into()),
            other => other,
        };
        request.write(&mut out);
        client.write(&out).await?;
        match request {
            Request::Ok => return Ok(()),
            Request::SaslFinal(_) => continue,
            _ => {}
        }
        let answer = answer(client, plus_withheld && matches!(request, Request::Sasl(_))).await?;
        out.clear();
        frame::write(&mut out, b'p', |out| out.extend(&answer));
        upstream.write(&out).await?;
    }
}

/// Whether a password may be sent in clear: inside TLS, or not leaving the machine.
fn is_private(client: &Link, peer: SocketAddr) -> bool {
    client.is_tls() || peer.ip().is_loopback()
}

fn cleartext() -> Failure {
    let message = "the upstream asks for the password in clear, and not both connections have TLS";
    Problem::new("28000", message, "Connect with TLS, or have the server ask for scram-sha-256.").into()
}

/// The client's answer. A client that could bind the channel says so when it sees no offer to; an upstream
/// that made the offer takes that for an attack.
async fn answer(client: &mut Link, plus_withheld: bool) -> Result<Vec<u8>, Failure> {
    let message = client.read(limits::AUTH_MAX).await?;
    if message.tag != b'p' {
        return Err(Problem::protocol("expected an answer to authentication").into());
    }
    if plus_withheld {
        let (_, first) = auth::decode_sasl_initial(&message.body)?;
        if first.first() == Some(&b'y') {
            let message = "SCRAM cannot be passed through while both the client and the upstream use TLS";
            return Err(Problem::new("28000", message, HINT_USERS).into());
        }
    }
    Ok(message.body)
}
