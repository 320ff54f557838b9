//! The server's side: checks a client's proof against a verifier, and learns the client's key from it.

use base64::Engine;

use super::{BASE64, Key, ScramError, Verifier, attribute, equal, hmac_sha256, sha256, xor};
use crate::scram::ClientSecret;

/// The client has named itself; the server's challenge is on its way.
pub struct ServerFirst {
    verifier: Verifier,
    gs2_header: String,
    binding: Option<Vec<u8>>,
    nonce: String,
    client_first_bare: String,
    server_first: String,
}

/// The client has proven that it knows the password.
pub struct Proven {
    /// The server's last message.
    pub message: String,
    /// Signs in elsewhere as the same user, where the verifier is the same.
    pub secret: ClientSecret,
}

impl ServerFirst {
    /// Takes the client's first message. `plus` says which mechanism it chose; `binding` is the hash of the
    /// certificate that the proxy showed, if there is one and the mechanism was offered.
    ///
    /// # Errors
    /// Malformed, or channel binding was negotiated wrongly.
    pub fn new(
        verifier: Verifier,
        message: &[u8],
        plus: bool,
        binding: Option<&[u8]>,
        nonce: &str,
    ) -> Result<Self, ScramError> {
        let message = std::str::from_utf8(message).map_err(|_| ScramError::Malformed)?;
        let mut parts = message.splitn(3, ',');
        let (flag, identity) = (parts.next().unwrap_or_default(), parts.next().ok_or(ScramError::Malformed)?);
        let bare = parts.next().ok_or(ScramError::Malformed)?;
        let bound = match flag {
            "p=tls-server-end-point" if plus => Some(binding.ok_or(ScramError::Malformed)?.to_vec()),
            "y" if binding.is_some() => return Err(ScramError::Downgrade),
            "n" | "y" if !plus => None,
            _ => return Err(ScramError::Malformed),
        };
        let mut attributes = bare.split(',');
        attribute(attributes.next(), "n")?;
        let client_nonce = attribute(attributes.next(), "r")?;
        if client_nonce.is_empty() {
            return Err(ScramError::Malformed);
        }
        let nonce = format!("{client_nonce}{nonce}");
        let server_first = format!("r={nonce},s={},i={}", BASE64.encode(&verifier.salt), verifier.iterations);
        Ok(Self {
            gs2_header: format!("{flag},{identity},"),
            client_first_bare: bare.to_owned(),
            binding: bound,
            verifier,
            nonce,
            server_first,
        })
    }

    /// The challenge.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.server_first
    }

    /// Takes the client's last message.
    ///
    /// # Errors
    /// Malformed, bound to another channel, or not who it says.
    pub fn verify(self, message: &[u8]) -> Result<Proven, ScramError> {
        let message = std::str::from_utf8(message).map_err(|_| ScramError::Malformed)?;
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(ScramError::Malformed)?;
        let mut attributes = without_proof.split(',');
        let channel = BASE64.decode(attribute(attributes.next(), "c")?).map_err(|_| ScramError::Malformed)?;
        let mut expected = self.gs2_header.into_bytes();
        expected.extend(self.binding.unwrap_or_default());
        if !equal(&channel, &expected) {
            return Err(ScramError::Binding);
        }
        if attribute(attributes.next(), "r")? != self.nonce {
            return Err(ScramError::Malformed);
        }
        let proof: Key =
            BASE64.decode(proof).ok().and_then(|p| p.try_into().ok()).ok_or(ScramError::Malformed)?;
        let signed = format!("{},{},{without_proof}", self.client_first_bare, self.server_first);
        let client_key = xor(&proof, &hmac_sha256(&self.verifier.stored_key, signed.as_bytes()));
        if !equal(&sha256(&client_key), &self.verifier.stored_key) {
            return Err(ScramError::Proof);
        }
        let signature = hmac_sha256(&self.verifier.server_key, signed.as_bytes());
        Ok(Proven {
            message: format!("v={}", BASE64.encode(signature)),
            secret: ClientSecret::from_proof(client_key, &self.verifier),
        })
    }
}
