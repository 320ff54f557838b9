//! The arithmetic of logins by password: `native` (mysql_native_password), `sha2` (caching_sha2_password) and
//! `rsa` (how both SHA-2 methods, sha256_password too, send a password outside TLS).
//!
//! Pure, but for `rsa`, which draws randomness: no packets, no sockets. It does not decide what may be sent to whom.
//! An empty password is an empty response and has no verifier; whether such accounts get in is for the caller to say.
//!
//! Source: "Authentication Methods" in the developer documentation of MySQL's server.

pub mod native;
pub mod rsa;
pub mod sha2;

use aws_lc_rs::digest::{Algorithm, Context};
use subtle::ConstantTimeEq;
use thiserror::Error;
use veil_model::Sensitive;

/// Longest password, in bytes, of the SHA-2 methods; the work of checking one grows with the square of its length.
pub const PASSWORD_MAX: usize = 256;

/// Why something that belongs to a login cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PasswordError {
    /// Not 20 bytes.
    #[error("malformed authentication data")]
    Nonce,
    /// Not what MySQL stores about a password.
    #[error("malformed password verifier")]
    Verifier,
    /// Not an RSA key in PEM, or one under 2048 bits.
    #[error("unusable RSA public key")]
    PublicKey,
    /// The password does not fit in the server's key.
    #[error("password too long")]
    TooLong,
    /// The library could not make a key or could not encrypt.
    #[error("RSA failed")]
    Rsa,
}

/// What a server challenges a client with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce([u8; Self::LENGTH]);

impl Nonce {
    /// Bytes of a nonce.
    pub const LENGTH: usize = 20;

    /// Makes a nonce of random bytes. Clients may read it as a C string, so no byte is NUL; as in MySQL's own, all
    /// are ASCII and none is `$`.
    #[must_use]
    pub fn from_random(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes.map(|byte| match byte & 0x7f {
            byte @ (0 | b'$') => byte + 1,
            byte => byte,
        }))
    }

    /// Reads what a server sent, with the NUL that ends it or without.
    ///
    /// # Errors
    /// Of another length.
    pub fn parse(bytes: &[u8]) -> Result<Self, PasswordError> {
        let (&nonce, rest) = bytes.split_first_chunk().ok_or(PasswordError::Nonce)?;
        if matches!(rest, [] | [0]) { Ok(Self(nonce)) } else { Err(PasswordError::Nonce) }
    }

    /// The bytes, without a NUL.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

/// The hash of all parts together; `N` is the length of `algorithm`'s output.
fn hash<const N: usize>(algorithm: &'static Algorithm, parts: &[&[u8]]) -> Sensitive<[u8; N]> {
    let mut context = Context::new(algorithm);
    parts.iter().for_each(|part| context.update(part));
    finish(context)
}

fn finish<const N: usize>(context: Context) -> Sensitive<[u8; N]> {
    let mut out = [0; N];
    out.copy_from_slice(context.finish().as_ref());
    Sensitive::new(out)
}

fn xor<const N: usize>(a: &[u8; N], b: &[u8; N]) -> [u8; N] {
    let mut out = *a;
    out.iter_mut().zip(b).for_each(|(x, y)| *x ^= y);
    out
}

fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// Reads hexadecimal digits of either case.
fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_chunks() else { return None };
    pairs.iter().map(|&[high, low]| Some(nibble(high)? << 4 | nibble(low)?)).collect()
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| value.try_into().ok())
}

#[cfg(test)]
mod tests;
