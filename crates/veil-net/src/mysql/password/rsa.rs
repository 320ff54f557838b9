//! A password under a server's RSA key: XORed with the nonce, then OAEP with SHA-1. It is how the full exchange of the
//! SHA-2 methods goes outside TLS, as far as client and server agree to that: a key that comes in clear may be anyone's.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1 as OAEP, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    PrivateDecryptingKey, PublicEncryptingKey,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use veil_model::Sensitive;
use zeroize::Zeroizing;

use super::{Nonce, PASSWORD_MAX, PasswordError};

/// Longest public key that is read, in bytes of PEM; one of 4096 bits has 800.
const PEM_MAX: usize = 8 << 10;
const PEM_LINE: usize = 64;

/// A server's key pair, of 2048 bits.
pub struct ServerKey {
    private: OaepPrivateDecryptingKey,
    public_pem: String,
}

impl ServerKey {
    /// Makes a key pair. It takes a tenth of a second or more, so leave it until a client asks.
    ///
    /// # Errors
    /// The library cannot.
    pub fn generate() -> Result<Self, PasswordError> {
        PrivateDecryptingKey::generate(KeySize::Rsa2048).and_then(Self::new).map_err(|_| PasswordError::Rsa)
    }

    fn new(private: PrivateDecryptingKey) -> Result<Self, Unspecified> {
        let public = private.public_key().as_der()?;
        Ok(Self { private: OaepPrivateDecryptingKey::new(private)?, public_pem: pem(public.as_ref()) })
    }

    /// The public key as MySQL's servers send it: a SubjectPublicKeyInfo in PEM.
    #[must_use]
    pub fn public_pem(&self) -> &str {
        &self.public_pem
    }

    /// The password that a client encrypted; nothing if it is not one.
    #[must_use]
    pub fn decrypt(&self, ciphertext: &[u8], nonce: &Nonce) -> Option<Sensitive<Vec<u8>>> {
        let mut buffer = Zeroizing::new(vec![0; self.private.min_output_size()]);
        let message = self.private.decrypt(&OAEP, ciphertext, &mut buffer, None).ok()?;
        apply(nonce, message);
        let (&mut end, password) = message.split_last_mut()?;
        (end == 0).then(|| Sensitive::new(password.to_vec()))
    }
}

/// What a client sends whom the server showed the key `pem`.
///
/// # Errors
/// Not a key of 2048 bits or more, or one that is too short for the password.
pub fn encrypt(pem: &[u8], password: &[u8], nonce: &Nonce) -> Result<Vec<u8>, PasswordError> {
    let key = public_key(pem).ok_or(PasswordError::PublicKey)?;
    if password.len() >= key.max_plaintext_size(&OAEP) || password.len() > PASSWORD_MAX {
        return Err(PasswordError::TooLong);
    }
    let mut message = Zeroizing::new([password, &[0]].concat());
    apply(nonce, &mut message);
    let mut ciphertext = vec![0; key.ciphertext_size()];
    key.encrypt(&OAEP, &message, &mut ciphertext, None).map_err(|_| PasswordError::Rsa)?;
    Ok(ciphertext)
}

fn public_key(pem: &[u8]) -> Option<OaepPublicEncryptingKey> {
    if pem.len() > PEM_MAX {
        return None;
    }
    let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).ok()?;
    OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(&der).ok()?).ok()
}

fn pem(der: &[u8]) -> String {
    let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
    for (i, symbol) in BASE64.encode(der).chars().enumerate() {
        if i > 0 && i % PEM_LINE == 0 {
            pem.push('\n');
        }
        pem.push(symbol);
    }
    pem.push_str("\n-----END PUBLIC KEY-----\n");
    pem
}

/// XORs a message with the nonce, over and over.
fn apply(nonce: &Nonce, message: &mut [u8]) {
    message.iter_mut().zip(nonce.as_bytes().iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
}

#[cfg(test)]
mod tests;
