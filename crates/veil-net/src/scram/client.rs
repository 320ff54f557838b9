//! The client's side: signs in with a password, or with the key that another client's proof gave away.

use base64::Engine;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{
    BASE64, ITERATIONS_MAX, Key, Keys, ScramError, Verifier, attribute, equal, hmac_sha256, sha256, xor,
};

/// What signs a client in.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ClientSecret(Secret);

#[derive(Clone, Zeroize, ZeroizeOnDrop)]
enum Secret {
    Password(String),
    /// Keys for one salt and iteration count only.
    Keys {
        keys: Keys,
        salt: Vec<u8>,
        iterations: u32,
    },
}

impl ClientSecret {
    /// A password.
    #[must_use]
    pub const fn password(password: String) -> Self {
        Self(Secret::Password(password))
    }

    /// The password, if it is one.
    #[must_use]
    pub fn as_password(&self) -> Option<&str> {
        match &self.0 {
            Secret::Password(password) => Some(password),
            Secret::Keys { .. } => None,
        }
    }

    pub(super) fn from_proof(client: Key, verifier: &Verifier) -> Self {
        let keys = Keys { client, server: verifier.server_key };
        Self(Secret::Keys { keys, salt: verifier.salt.clone(), iterations: verifier.iterations })
    }

    fn keys(&self, salt: &[u8], iterations: u32) -> Result<Keys, ScramError> {
        match &self.0 {
            Secret::Password(password) => Ok(Keys::derive(password, salt, iterations)),
            Secret::Keys { keys, salt: own, iterations: count } if own == salt && *count == iterations => {
                Ok(keys.clone())
            }
            Secret::Keys { .. } => Err(ScramError::OtherVerifier),
        }
    }
}

/// The first message is on its way.
pub struct ClientFirst {
    secret: ClientSecret,
    gs2_header: &'static str,
    binding: Vec<u8>,
    nonce: String,
}

impl ClientFirst {
    /// `binding` is the hash of the server's certificate where the mechanism is PLUS; `tls` says whether the
    /// channel could have been bound at all.
    #[must_use]
    pub fn new(secret: ClientSecret, binding: Option<&[u8]>, tls: bool, nonce: String) -> Self {
        let gs2_header = match (binding, tls) {
            (Some(_), _) => "p=tls-server-end-point,,",
            (None, true) => "y,,",
            (None, false) => "n,,",
        };
        Self { secret, gs2_header, binding: binding.unwrap_or_default().to_vec(), nonce }
    }

    /// The message. PostgreSQL takes the user's name from the start-up packet, not from here.
    #[must_use]
    pub fn message(&self) -> String {
        format!("{}n=,r={}", self.gs2_header, self.nonce)
    }

    /// Takes the server's challenge.
    ///
    /// # Errors
    /// Malformed, or the secret does not serve for this salt.
    pub fn challenge(self, message: &[u8]) -> Result<ClientFinal, ScramError> {
        let server_first = std::str::from_utf8(message).map_err(|_| ScramError::Malformed)?;
        let mut attributes = server_first.split(',');
        let nonce = attribute(attributes.next(), "r")?;
        let salt = BASE64.decode(attribute(attributes.next(), "s")?).map_err(|_| ScramError::Malformed)?;
        let iterations = attribute(attributes.next(), "i")?.parse().map_err(|_| ScramError::Malformed)?;
        if !nonce.starts_with(&self.nonce) || !(1..=ITERATIONS_MAX).contains(&iterations) {
            return Err(ScramError::Malformed);
        }
        let keys = self.secret.keys(&salt, iterations)?;
        let mut channel = self.gs2_header.as_bytes().to_vec();
        channel.extend(&self.binding);
        let without_proof = format!("c={},r={nonce}", BASE64.encode(channel));
        let signed = format!("n=,r={},{server_first},{without_proof}", self.nonce);
        let signature = hmac_sha256(&sha256(&keys.client), signed.as_bytes());
        let proof = BASE64.encode(xor(&keys.client, &signature));
        Ok(ClientFinal {
            message: format!("{without_proof},p={proof}"),
            server_signature: hmac_sha256(&keys.server, signed.as_bytes()),
        })
    }
}

/// The proof is on its way.
pub struct ClientFinal {
    message: String,
    server_signature: Key,
}

impl ClientFinal {
    /// The message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Takes the server's last message.
    ///
    /// # Errors
    /// The server does not know the password.
    pub fn verify(self, message: &[u8]) -> Result<(), ScramError> {
        let text = std::str::from_utf8(message).map_err(|_| ScramError::Malformed)?;
        let signature = BASE64.decode(attribute(Some(text), "v")?).map_err(|_| ScramError::Malformed)?;
        if equal(&signature, &self.server_signature) { Ok(()) } else { Err(ScramError::ServerProof) }
    }
}
