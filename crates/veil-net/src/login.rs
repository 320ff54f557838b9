//! Signing in: at an upstream as a client, and of a client as a server.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use md5::{Digest, Md5};
use veil_wire::Malformed;
use veil_wire::pg::auth::{self, Request};
use veil_wire::pg::{limits, reply};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::error::NetError;
use crate::link::Link;
use crate::scram::{ClientFirst, ClientSecret, SCRAM, SCRAM_PLUS, ScramError, ServerFirst, Verifier};

/// Answers a server's authentication requests until it is content. The start-up packet has been sent.
///
/// # Errors
/// The server refuses, asks for something else, or cannot prove that it knows the password.
pub async fn sign_in(
    upstream: &mut Link,
    user: &str,
    secret: &ClientSecret,
    end_point: Option<&[u8]>,
) -> Result<(), NetError> {
    loop {
        let message = upstream.read(limits::REPLY_MAX).await?;
        match message.tag {
            b'R' => {}
            b'E' => return Err(refused(&message.body)),
            b'N' | b'v' => continue,
            _ => return Err(Malformed("unexpected message during login").into()),
        }
        let mut answer = Vec::new();
        match Request::decode(&message.body)? {
            Request::Ok => return Ok(()),
            Request::Sasl(mechanisms) => {
                scram_client(upstream, secret, &mechanisms, end_point).await?;
                continue;
            }
            Request::Md5(salt) => {
                let password = secret.as_password().ok_or(NetError::Method("md5, without a password"))?;
                auth::write_password(&mut answer, md5_response(user, password, salt).as_bytes());
            }
            Request::Cleartext if upstream.is_tls() => {
                let password = secret.as_password().ok_or(NetError::Method("password, without one"))?;
                auth::write_password(&mut answer, password.as_bytes());
            }
            Request::Cleartext => return Err(NetError::Method("password in clear, without TLS")),
            Request::SaslContinue(_) | Request::SaslFinal(_) => {
                return Err(Malformed("SASL message out of order").into());
            }
            Request::Other(_) => return Err(NetError::Method("Kerberos, GSSAPI or another")),
        }
        upstream.write(&answer).await?;
    }
}

async fn scram_client(
    upstream: &mut Link,
    secret: &ClientSecret,
    mechanisms: &[&str],
    end_point: Option<&[u8]>,
) -> Result<(), NetError> {
    let binding = end_point.filter(|_| mechanisms.contains(&SCRAM_PLUS));
    let mechanism = match binding {
        Some(_) => SCRAM_PLUS,
        None if mechanisms.contains(&SCRAM) => SCRAM,
        None => return Err(NetError::Method("a SASL mechanism other than SCRAM-SHA-256")),
    };
    let can_bind = upstream.is_tls() && end_point.is_some();
    let first = ClientFirst::new(secret.clone(), binding, can_bind, nonce()?);
    let mut out = Vec::new();
    auth::write_sasl_initial(&mut out, mechanism, first.message().as_bytes());
    upstream.write(&out).await?;
    let body = read_request(upstream).await?;
    let Request::SaslContinue(challenge) = Request::decode(&body)? else {
        return Err(Malformed("expected a SASL challenge").into());
    };
    let last = first.challenge(challenge)?;
    out.clear();
    auth::write_sasl(&mut out, last.message().as_bytes());
    upstream.write(&out).await?;
    let body = read_request(upstream).await?;
    match Request::decode(&body)? {
        Request::SaslFinal(proof) => Ok(last.verify(proof)?),
        _ => Err(Malformed("expected the end of SASL").into()),
    }
}

async fn read_request(upstream: &mut Link) -> Result<Vec<u8>, NetError> {
    let message = upstream.read(limits::REPLY_MAX).await?;
    match message.tag {
        b'R' => Ok(message.body),
        b'E' => Err(refused(&message.body)),
        _ => Err(Malformed("unexpected message during login").into()),
    }
}

fn refused(body: &[u8]) -> NetError {
    let code = reply::decode_error(body).ok().and_then(|fields| fields.field(b'C').map(<[u8]>::to_vec));
    NetError::Refused(String::from_utf8_lossy(&code.unwrap_or_default()).into_owned())
}

/// Ends a client's authentication here: it has to prove that it knows the password behind `verifier`. Sends
/// everything up to, not including, AuthenticationOk.
///
/// # Errors
/// It does not.
pub async fn authenticate(
    client: &mut Link,
    verifier: Verifier,
    end_point: Option<&[u8]>,
) -> Result<ClientSecret, NetError> {
    let end_point = end_point.filter(|_| client.is_tls());
    let mut offered = vec![SCRAM];
    if end_point.is_some() {
        offered.insert(0, SCRAM_PLUS);
    }
    let mut out = Vec::new();
    Request::Sasl(offered).write(&mut out);
    client.write(&out).await?;
    let body = read_answer(client).await?;
    let (mechanism, first) = auth::decode_sasl_initial(&body)?;
    let plus = match mechanism {
        m if m == SCRAM_PLUS.as_bytes() && end_point.is_some() => true,
        m if m == SCRAM.as_bytes() => false,
        _ => return Err(ScramError::Malformed.into()),
    };
    let server = ServerFirst::new(verifier, first, plus, end_point, &nonce()?)?;
    out.clear();
    Request::SaslContinue(server.message().as_bytes()).write(&mut out);
    client.write(&out).await?;
    let proven = server.verify(&read_answer(client).await?)?;
    out.clear();
    Request::SaslFinal(proven.message.as_bytes()).write(&mut out);
    client.write(&out).await?;
    Ok(proven.secret)
}

async fn read_answer(client: &mut Link) -> Result<Vec<u8>, NetError> {
    let message = client.read(limits::AUTH_MAX).await?;
    match message.tag {
        b'p' => Ok(message.body),
        _ => Err(Malformed("expected an answer to authentication").into()),
    }
}

/// 18 random bytes as text, as PostgreSQL has them.
fn nonce() -> Result<String, NetError> {
    let mut bytes = [0; 18];
    SystemRandom::new().fill(&mut bytes).map_err(|_| std::io::Error::other("no randomness"))?;
    Ok(BASE64.encode(bytes))
}

/// `md5` + hex(md5(hex(md5(password + user)) + salt)).
fn md5_response(user: &str, password: &str, salt: [u8; 4]) -> String {
    let inner = hex(&Md5::new().chain_update(password).chain_update(user).finalize());
    format!("md5{}", hex(&Md5::new().chain_update(inner).chain_update(salt).finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
