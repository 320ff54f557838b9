//! caching_sha2_password. The server stores a salted and slow hash, `Verifier`, against which it can check only the
//! password itself; once it has seen that, it remembers a fast one, `Quick`, which checks responses to a nonce.
//!
//! A response to a nonce gives the server SHA256(password), which signs in where the server remembers the password
//! too, and nowhere else.

mod crypt;
mod verifier;

use aws_lc_rs::digest::SHA256;
use veil_model::Sensitive;

use super::{Nonce, equal, hash, xor};

pub use verifier::Verifier;

/// Name of the method.
pub const NAME: &str = "caching_sha2_password";

type Hash = [u8; 32];

/// What a client answers who knows the password.
#[must_use]
pub fn response(password: &[u8], nonce: &Nonce) -> Vec<u8> {
    if password.is_empty() { Vec::new() } else { Stage1::from_password(password).response(nonce) }
}

/// What a server remembers about a password that it has seen: SHA256(SHA256(password)).
#[derive(Clone)]
pub struct Quick(Sensitive<Hash>);

impl Quick {
    /// Of a password that has been checked.
    #[must_use]
    pub fn from_password(password: &[u8]) -> Self {
        Stage1::from_password(password).quick()
    }

    /// Checks a client's response; if it is right, what it gave away.
    #[must_use]
    pub fn verify(&self, nonce: &Nonce, response: &[u8]) -> Option<Stage1> {
        let stage1 = Stage1(Sensitive::new(xor(response.try_into().ok()?, self.mask(nonce).expose())));
        equal(stage1.quick().0.expose(), self.0.expose()).then_some(stage1)
    }

    /// What hides the password's hash in a response.
    fn mask(&self, nonce: &Nonce) -> Sensitive<Hash> {
        hash(&SHA256, &[self.0.expose(), nonce.as_bytes()])
    }
}

/// SHA256(password): all that a client needs to know where the server remembers the password.
#[derive(Clone)]
pub struct Stage1(Sensitive<Hash>);

impl Stage1 {
    /// Of a password that is known.
    #[must_use]
    pub fn from_password(password: &[u8]) -> Self {
        Self(hash(&SHA256, &[password]))
    }

    /// What a client answers.
    #[must_use]
    pub fn response(&self, nonce: &Nonce) -> Vec<u8> {
        xor(self.0.expose(), self.quick().mask(nonce).expose()).to_vec()
    }

    fn quick(&self) -> Quick {
        Quick(hash(&SHA256, &[self.0.expose()]))
    }
}
