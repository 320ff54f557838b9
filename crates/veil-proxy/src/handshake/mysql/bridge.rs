//! Authentication that the client and the upstream do between themselves, both against the upstream's challenge.
//!
//! Where a password itself has to travel, each side of the proxy has its own way: in clear inside TLS, by the server's
//! RSA key outside. The proxy opens what comes by its own key and seals it for the upstream's.

use veil_model::Sensitive;
use veil_net::NetError;
use veil_net::connect::Target;
use veil_net::mysql::Link;
use veil_net::mysql::password::{Nonce, rsa};
use veil_wire::mysql::auth::{self, Request, plugin, sha2};
use veil_wire::mysql::limits::AUTH_MAX;

use super::{Failure, is_relayed};
use crate::handshake::is_loopback;
use crate::problem::Problem;
use crate::proxy::Proxy;

/// How often a client may ask for the key.
const KEY_TRIES: usize = 2;

/// Relays authentication until the upstream is content; returns its OK packet.
pub(super) async fn run(
    proxy: &Proxy,
    client: &mut Link,
    upstream: &mut Link,
    target: &Target,
) -> Result<Vec<u8>, Failure> {
    let mut current: (Vec<u8>, Option<Nonce>) = (Vec::new(), None);
    loop {
        let message = upstream.read(AUTH_MAX).await?;
        match Request::decode(&message)? {
            Request::Ok => return Ok(message),
            Request::Err(_) => {
                client.write(|out| out.extend(&message)).await?;
                return Err(Failure::Told);
            }
            Request::NextFactor => return Err(several_factors()),
            Request::Switch { plugin: name, data } => {
                check_plugin(name, client, upstream, target)?;
                current = (name.to_vec(), Nonce::parse(data).ok());
                client.write(|out| auth::put_switch(out, name, data)).await?;
                let answer = client.read(AUTH_MAX).await?;
                if name == plugin::SHA256 && !answer.is_empty() && answer != [0] {
                    let nonce = current.1.ok_or_else(no_nonce)?;
                    let password =
                        take_password(proxy, client, nonce, answer, sha2::KEY_REQUEST_SHA256).await?;
                    give_password(upstream, nonce, &password, sha2::KEY_REQUEST_SHA256).await?;
                } else {
                    upstream.write(|out| out.extend(&answer)).await?;
                }
            }
            Request::More([sha2::FULL]) if current.0 == plugin::CACHING_SHA2 => {
                client.write(|out| out.extend(&message)).await?;
                full(proxy, client, upstream, current.1.ok_or_else(no_nonce)?).await?;
            }
            Request::More(data) => {
                client.write(|out| auth::put_more(out, data)).await?;
                if current.0 != plugin::CACHING_SHA2 || data != [sha2::FAST_OK] {
                    let answer = client.read(AUTH_MAX).await?;
                    upstream.write(|out| out.extend(&answer)).await?;
                }
            }
            Request::Other(_) => {
                client.write(|out| out.extend(&message)).await?;
                let answer = client.read(AUTH_MAX).await?;
                upstream.write(|out| out.extend(&answer)).await?;
            }
        }
    }
}

pub(super) fn several_factors() -> Failure {
    let message = "the account needs several factors, which IronVeil does not relay";
    Problem::new("28000", message, "Use an account with one factor.").into()
}

fn no_nonce() -> Problem {
    Problem::protocol("the server's challenge is not 20 bytes")
}

/// Refuses plugins that would send a password in clear where it can be read, and those that are not known.
fn check_plugin(name: &[u8], client: &Link, upstream: &Link, target: &Target) -> Result<(), Failure> {
    let private = client.is_tls() && (upstream.is_tls() || is_loopback(&target.host));
    match name {
        plugin::CACHING_SHA2 | plugin::SHA256 => Ok(()),
        name if is_relayed(name) => Ok(()),
        plugin::CLEAR | b"dialog" if private => Ok(()),
        plugin::CLEAR | b"dialog" => {
            let message = "the upstream asks for the password in clear, and not both connections have TLS";
            Err(Problem::new("28000", message, "Connect with TLS.").into())
        }
        other => {
            let message =
                format!("the authentication plugin {} cannot be relayed", String::from_utf8_lossy(other));
            Err(Problem::new(
                "28000",
                message,
                "Use caching_sha2_password, mysql_native_password or ed25519.",
            )
            .into())
        }
    }
}

/// The full exchange of `caching_sha2_password`, which the client has just been asked for.
async fn full(proxy: &Proxy, client: &mut Link, upstream: &mut Link, nonce: Nonce) -> Result<(), Failure> {
    let answer = client.read(AUTH_MAX).await?;
    let password = take_password(proxy, client, nonce, answer, sha2::KEY_REQUEST).await?;
    Ok(give_password(upstream, nonce, &password, sha2::KEY_REQUEST).await?)
}

/// The password that a client sends: `answer`, or what comes when it has been given the proxy's key.
pub(super) async fn take_password(
    proxy: &Proxy,
    client: &mut Link,
    nonce: Nonce,
    mut answer: Vec<u8>,
    key_request: u8,
) -> Result<Sensitive<Vec<u8>>, Failure> {
    if client.is_tls() {
        if answer.pop() != Some(0) {
            return Err(Problem::protocol("a password without an end").into());
        }
        return Ok(Sensitive::new(answer));
    }
    let key = proxy.rsa_key().await.ok_or_else(|| Problem::new("58000", "no RSA key could be made", ""))?;
    for _ in 0..KEY_TRIES {
        if answer != [key_request] {
            break;
        }
        client.write(|out| auth::put_more(out, key.public_pem().as_bytes())).await?;
        answer = client.read(AUTH_MAX).await?;
    }
    let denied = || {
        Problem::new(
            "28P01",
            "the password could not be read",
            "Let the client ask for the server's public key, or use TLS.",
        )
    };
    Ok(key.decrypt(&answer, &nonce).ok_or_else(denied)?)
}

/// Sends a password to the upstream, which waits for it.
pub(super) async fn give_password(
    upstream: &mut Link,
    nonce: Nonce,
    password: &Sensitive<Vec<u8>>,
    key_request: u8,
) -> Result<(), NetError> {
    if upstream.is_tls() {
        let packet = Sensitive::new([password.expose().as_slice(), &[0]].concat());
        return upstream.write(|out| out.extend(packet.expose())).await;
    }
    upstream.write(|out| out.push(key_request)).await?;
    let message = upstream.read(AUTH_MAX).await?;
    let Request::More(pem) = Request::decode(&message)? else {
        return Err(NetError::Method("a password without TLS, and gives no RSA key"));
    };
    let sealed = rsa::encrypt(pem, password.expose(), &nonce)
        .map_err(|_| NetError::Method("a password by an RSA key that cannot be used"))?;
    upstream.write(|out| out.extend(&sealed)).await
}
