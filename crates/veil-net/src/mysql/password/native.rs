//! mysql_native_password. The server stores SHA1(SHA1(password)), unsalted; a client's response gives it
//! SHA1(password), which signs in wherever the password is the same.

use aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY as SHA1;
use veil_model::Sensitive;

use super::{Nonce, PasswordError, equal, hash, unhex, xor};

/// Name of the method.
pub const NAME: &str = "mysql_native_password";

type Hash = [u8; 20];
/// Of a stored hash.
const DIGITS: usize = 2 * size_of::<Hash>();

/// What a client answers who knows the password.
#[must_use]
pub fn response(password: &[u8], nonce: &Nonce) -> Vec<u8> {
    if password.is_empty() { Vec::new() } else { Stage1::from_password(password).response(nonce) }
}

/// What a server stores about a password: SHA1(SHA1(password)).
#[derive(Clone)]
pub struct Verifier(Sensitive<Hash>);

impl Verifier {
    /// Reads MySQL's form: `*` and 40 hexadecimal digits.
    ///
    /// # Errors
    /// Not of that form.
    pub fn parse(text: &[u8]) -> Result<Self, PasswordError> {
        let digits = text.trim_ascii().strip_prefix(b"*").filter(|digits| digits.len() == DIGITS);
        let stored = digits.and_then(unhex).and_then(|stored| stored.try_into().ok());
        stored.map(|stored| Self(Sensitive::new(stored))).ok_or(PasswordError::Verifier)
    }

    /// Makes the verifier of a password.
    #[must_use]
    pub fn from_password(password: &[u8]) -> Self {
        Stage1::from_password(password).verifier()
    }

    /// Checks a client's response; if it is right, what it gave away.
    #[must_use]
    pub fn verify(&self, nonce: &Nonce, response: &[u8]) -> Option<Stage1> {
        let stage1 = Stage1(Sensitive::new(xor(response.try_into().ok()?, self.mask(nonce).expose())));
        equal(stage1.verifier().0.expose(), self.0.expose()).then_some(stage1)
    }

    /// What hides the password's hash in a response.
    fn mask(&self, nonce: &Nonce) -> Sensitive<Hash> {
        hash(&SHA1, &[nonce.as_bytes(), self.0.expose()])
    }
}

/// SHA1(password): all that a client needs to know.
#[derive(Clone)]
pub struct Stage1(Sensitive<Hash>);

impl Stage1 {
    /// Of a password that is known.
    #[must_use]
    pub fn from_password(password: &[u8]) -> Self {
        Self(hash(&SHA1, &[password]))
    }

    /// What a client answers.
    #[must_use]
    pub fn response(&self, nonce: &Nonce) -> Vec<u8> {
        xor(self.0.expose(), self.verifier().mask(nonce).expose()).to_vec()
    }

    fn verifier(&self) -> Verifier {
        Verifier(hash(&SHA1, &[self.0.expose()]))
    }
}
