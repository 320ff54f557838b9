//! What a server stores about a password, in the two formats that `caching_sha2_password_storage_format` has.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA512};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use veil_model::Sensitive;

use super::crypt;
use crate::mysql::password::{PASSWORD_MAX, PasswordError, equal, unhex};

/// MySQL writes rounds in thousands.
const ROUNDS_UNIT: u32 = 1000;
/// MySQL makes 5 thousand to 4095 thousand; more than a million is an attack on our processor.
const THOUSANDS: RangeInclusive<u32> = 1..=1000;
/// Bytes of the longest form: a PBKDF2 digest in Base64, all in hexadecimal.
const TEXT_MAX: usize = 2 + 2 * (7 + 20 + 88);

/// What a server stores about a password.
#[derive(Clone)]
pub struct Verifier {
    salt: [u8; 20],
    rounds: NonZeroU32,
    digest: Digest,
}

#[derive(Clone)]
enum Digest {
    /// `CRYPT5`, the only one before MySQL 9.7.
    Crypt(Sensitive<crypt::Encoded>),
    /// `PBKDF2_SHA512`.
    Pbkdf2(Sensitive<[u8; 64]>),
}

impl Verifier {
    /// Reads `mysql.user.authentication_string`: `$A$` or `$B$`, thousands of rounds in three hexadecimal digits, `$`,
    /// 20 bytes of salt, and the digest in text; or all this in hexadecimal behind `0x`, as SHOW CREATE USER prints it
    /// with `print_identified_with_as_hex`.
    ///
    /// # Errors
    /// Not of that form, or with rounds that are out of bounds.
    pub fn parse(text: &[u8]) -> Result<Self, PasswordError> {
        let text = text.trim_ascii();
        let stored = match text.strip_prefix(b"0x") {
            _ if text.len() > TEXT_MAX => None,
            Some(digits) => unhex(digits).and_then(|stored| Self::read(&stored)),
            None => Self::read(text),
        };
        stored.ok_or(PasswordError::Verifier)
    }

    fn read(stored: &[u8]) -> Option<Self> {
        let (format, rest) = stored.split_first_chunk()?;
        let (thousands, rest) = rest.split_first_chunk()?;
        let (&salt, digest) = rest.strip_prefix(b"$")?.split_first_chunk()?;
        let digest = match format {
            b"$A$" if digest.iter().all(|&byte| crypt::is_symbol(byte)) => {
                Digest::Crypt(Sensitive::new(digest.try_into().ok()?))
            }
            b"$B$" => Digest::Pbkdf2(Sensitive::new(BASE64.decode(digest).ok()?.try_into().ok()?)),
            _ => return None,
        };
        Some(Self { salt, rounds: rounds(*thousands)?, digest })
    }

    /// Whether this is the password. It takes milliseconds, up to a second with the most rounds.
    #[must_use]
    pub fn matches(&self, password: &[u8]) -> bool {
        // NUL ends a password on the wire, and HMAC does not see it at the end of a key.
        if password.is_empty() || password.len() > PASSWORD_MAX || password.contains(&0) {
            return false;
        }
        match &self.digest {
            Digest::Crypt(digest) => {
                equal(crypt::sha256(password, &self.salt, self.rounds.get()).expose(), digest.expose())
            }
            Digest::Pbkdf2(digest) => {
                pbkdf2::verify(PBKDF2_HMAC_SHA512, self.rounds, &self.salt, password, digest.expose()).is_ok()
            }
        }
    }
}

fn rounds(digits: [u8; 3]) -> Option<NonZeroU32> {
    let thousands = digits
        .iter()
        .try_fold(0, |value, &digit| char::from(digit).to_digit(16).map(|digit| value << 4 | digit))?;
    NonZeroU32::new(thousands * ROUNDS_UNIT).filter(|_| THOUSANDS.contains(&thousands))
}

#[cfg(test)]
mod tests;
