//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677; channel binding `tls-server-end-point` of
//! RFC 5929), both sides, as pure state machines. Randomness comes from the caller.

mod client;
mod server;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

pub use client::{ClientFinal, ClientFirst, ClientSecret};
pub use server::{Proven, ServerFirst};

/// Name of the mechanism without channel binding.
pub const SCRAM: &str = "SCRAM-SHA-256";
/// Name of the mechanism with channel binding.
pub const SCRAM_PLUS: &str = "SCRAM-SHA-256-PLUS";

/// Iterations that PostgreSQL uses for new verifiers.
pub const ITERATIONS: u32 = 4096;
/// More than this is an attack on our processor.
const ITERATIONS_MAX: u32 = 1_000_000;

type Key = [u8; 32];

/// Why an exchange failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ScramError {
    /// Not SCRAM as it is written.
    #[error("malformed SCRAM message")]
    Malformed,
    /// The client could bind the channel, believes that the server cannot, and is wrong: somebody sits between.
    #[error("SCRAM channel binding negotiation error")]
    Downgrade,
    /// Channel binding data differ: somebody sits between.
    #[error("SCRAM channel binding check failed")]
    Binding,
    /// The proof is wrong.
    #[error("password authentication failed")]
    Proof,
    /// The other side does not know the password either.
    #[error("the server could not prove that it knows the password")]
    ServerProof,
    /// The upstream stores another verifier for this user than the proxy has.
    #[error("the upstream has another SCRAM verifier for this user than the proxy")]
    OtherVerifier,
}

/// What a server stores about a password.
#[derive(Clone, Zeroize, ZeroizeOnDrop, PartialEq, Eq)]
pub struct Verifier {
    salt: Vec<u8>,
    iterations: u32,
    stored_key: Key,
    server_key: Key,
}

impl Verifier {
    /// Reads PostgreSQL's form: `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`.
    ///
    /// # Errors
    /// Not of that form.
    pub fn parse(text: &str) -> Result<Self, ScramError> {
        let parse = || {
            let (parameters, keys) = text.trim().strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
            let (iterations, salt) = parameters.split_once(':')?;
            let (stored, server) = keys.split_once(':')?;
            Some(Self {
                salt: BASE64.decode(salt).ok()?,
                iterations: iterations.parse().ok().filter(|n| (1..=ITERATIONS_MAX).contains(n))?,
                stored_key: BASE64.decode(stored).ok()?.try_into().ok()?,
                server_key: BASE64.decode(server).ok()?.try_into().ok()?,
            })
        };
        parse().ok_or(ScramError::Malformed)
    }

    /// Makes the verifier of a password.
    #[must_use]
    pub fn from_password(password: &str, salt: &[u8], iterations: u32) -> Self {
        let keys = Keys::derive(password, salt, iterations);
        Self { salt: salt.to_vec(), iterations, stored_key: sha256(&keys.client), server_key: keys.server }
    }

    /// For a user who does not exist: stable, so that nobody learns who does, and never satisfied.
    #[must_use]
    pub fn mock(user: &str, secret: &[u8]) -> Self {
        let salt = hmac_sha256(secret, user.as_bytes());
        let unknown = hmac_sha256(secret, &salt);
        let salt = salt.iter().take(16).copied().collect();
        Self { salt, iterations: ITERATIONS, stored_key: unknown, server_key: unknown }
    }
}

/// The keys that a password gives with one salt.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
struct Keys {
    client: Key,
    server: Key,
}

impl Keys {
    fn derive(password: &str, salt: &[u8], iterations: u32) -> Self {
        let prepared = stringprep::saslprep(password).unwrap_or(password.into());
        let mut salted = [0; 32];
        let iterations = std::num::NonZeroU32::new(iterations).unwrap_or(std::num::NonZeroU32::MIN);
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, prepared.as_bytes(), &mut salted);
        let keys =
            Self { client: hmac_sha256(&salted, b"Client Key"), server: hmac_sha256(&salted, b"Server Key") };
        salted.zeroize();
        keys
    }
}

fn hmac_sha256(key: &[u8], data: &[u8]) -> Key {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data);
    let mut out = [0; 32];
    out.copy_from_slice(tag.as_ref());
    out
}

fn sha256(data: &[u8]) -> Key {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
    out
}

fn xor(a: &Key, b: &Key) -> Key {
    let mut out = *a;
    out.iter_mut().zip(b).for_each(|(x, y)| *x ^= y);
    out
}

fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// The value of attribute `name` in a list as `r=...,s=...`.
fn attribute<'a>(part: Option<&'a str>, name: &str) -> Result<&'a str, ScramError> {
    part.and_then(|part| part.strip_prefix(name)?.strip_prefix('=')).ok_or(ScramError::Malformed)
}

#[cfg(test)]
mod tests;
