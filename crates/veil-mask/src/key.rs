//! Keys and the pseudo-random function of every keyed mask.
//!
//! HKDF-SHA256 (RFC 5869) gives each function a key of its own, so that the masks of one function say nothing about
//! those of another; BLAKE3 in keyed mode maps a normalised value to as many pseudo-random bytes as a mask needs. What can be
//! undone is AES under keys of its own.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::permutation::Permutation;

const KEY_BYTES: usize = 32;

/// The secret from which the key of every masking function is derived; wiped when dropped.
#[derive(Clone)]
pub struct RootKey(Zeroizing<[u8; KEY_BYTES]>);

/// Why a root key was refused. Never repeats the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The key does not have 64 digits.
    #[error("a root key has 64 hexadecimal digits, this one has {found} characters")]
    Length {
        /// Characters found, surrounding whitespace left aside.
        found: usize,
    },
    /// A character is not a hexadecimal digit.
    #[error("a root key has hexadecimal digits only")]
    NotHex,
}

impl RootKey {
    /// Reads 64 hexadecimal digits; surrounding whitespace is ignored.
    ///
    /// # Errors
    /// The text has another length or other characters.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let found = text.chars().count();
        if found != 2 * KEY_BYTES {
            return Err(KeyError::Length { found });
        }
        let mut key = Self(Zeroizing::new([0; KEY_BYTES]));
        if text.len() != 2 * KEY_BYTES {
            return Err(KeyError::NotHex);
        }
        for (byte, pair) in key.0.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = hex_pair(pair).ok_or(KeyError::NotHex)?;
        }
        Ok(key)
    }

    /// Takes the key's 32 bytes.
    #[must_use]
    pub fn from_bytes(mut bytes: [u8; KEY_BYTES]) -> Self {
        let key = Self(Zeroizing::new(bytes));
        bytes.zeroize();
        key
    }
}

impl RootKey {
    /// A secret of this root key for something else than masks.
    #[must_use]
    pub fn secret(&self, purpose: &str) -> Zeroizing<[u8; KEY_BYTES]> {
        expand(self, &[b"ironveil|secret|", purpose.as_bytes()])
    }
}

/// The byte that two hexadecimal digits write.
pub(crate) fn hex_pair(pair: &[u8]) -> Option<u8> {
    let &[high, low] = pair else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

/// Bytes by which tokens name the key that made them.
pub(crate) type KeyId = [u8; 2];

/// The keys of one masking function; wiped when dropped.
pub(crate) struct FunctionKey {
    prf: Zeroizing<[u8; KEY_BYTES]>,
    permutation: Permutation,
    token: Zeroizing<[u8; 2 * KEY_BYTES]>,
    id: KeyId,
}

impl FunctionKey {
    /// Derives the keys of `function`, which are others in each scope. The version in the label changes when the function's masks do.
    pub(crate) fn derive(root: &RootKey, function: &str, scope: &str) -> Self {
        let base = [b"ironveil|", function.as_bytes(), b"|v1"];
        // What a key is for stands before its scope, which may be any text.
        let label = |purpose: &'static [u8]| [&base[..], &[purpose, scope.as_bytes()]].concat();
        let plain = if scope.is_empty() { base.to_vec() } else { label(b"|prf|") };
        Self {
            prf: expand(root, &plain),
            permutation: Permutation::new(&expand(root, &label(b"|aes|"))),
            token: expand(root, &label(b"|siv|")),
            id: *expand(root, &[b"ironveil|key id"]),
        }
    }

    /// Starts the function over a value.
    pub(crate) fn prf(&self) -> Prf {
        Prf(blake3::Hasher::new_keyed(&self.prf))
    }

    /// The pseudo-random bytes of one value.
    pub(crate) fn draws(&self, value: &[u8]) -> Draws {
        self.prf().bytes(value).draws()
    }

    pub(crate) const fn permutation(&self) -> &Permutation {
        &self.permutation
    }

    pub(crate) fn token(&self) -> &[u8; 2 * KEY_BYTES] {
        &self.token
    }

    pub(crate) const fn id(&self) -> KeyId {
        self.id
    }
}

#[allow(clippy::expect_used, reason = "HKDF-SHA256 refuses only outputs above 8160 bytes")]
fn expand<const N: usize>(root: &RootKey, label: &[&[u8]]) -> Zeroizing<[u8; N]>
where
    [u8; N]: Zeroize,
{
    let mut key = Zeroizing::new([0; N]);
    let root = Hkdf::<Sha256>::new(None, root.0.as_slice());
    root.expand_multi_info(label, key.as_mut_slice()).expect("a valid length");
    key
}

/// The pseudo-random function while its input is being fed.
pub(crate) struct Prf(blake3::Hasher);

impl Prf {
    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update(bytes);
        self
    }

    /// Feeds characters as UTF-8 through a buffer on the stack, so that normalising a value allocates nothing.
    pub(crate) fn chars(mut self, chars: impl Iterator<Item = char>) -> Self {
        let mut buffer = [0; 64];
        let mut used = 0;
        for c in chars {
            if used + c.len_utf8() > buffer.len() {
                self.0.update(buffer.get(..used).unwrap_or_default());
                used = 0;
            }
            if let Some(free) = buffer.get_mut(used..) {
                used += c.encode_utf8(free).len();
            }
        }
        self.0.update(buffer.get(..used).unwrap_or_default());
        self
    }

    /// Feeds a text in lower case.
    pub(crate) fn lower(mut self, text: &str) -> Self {
        if !text.is_ascii() {
            return self.chars(text.chars().flat_map(char::to_lowercase));
        }
        let mut buffer = [0; 64];
        for part in text.as_bytes().chunks(buffer.len()) {
            let lower = buffer.get_mut(..part.len()).unwrap_or_default();
            lower.copy_from_slice(part);
            lower.make_ascii_lowercase();
            self.0.update(lower);
        }
        self
    }

    pub(crate) fn draws(self) -> Draws {
        Draws { reader: self.0.finalize_xof(), block: [0; 64], used: 64 }
    }
}

/// An endless pseudo-random sequence, the same for the same key and value. A mask that a candidate does not suit
/// goes on drawing, which makes the next candidate as deterministic as the first.
pub(crate) struct Draws {
    reader: blake3::OutputReader,
    block: [u8; 64],
    used: usize,
}

impl Draws {
    /// Those of no value, under no key.
    pub(crate) fn none() -> Self {
        Prf(blake3::Hasher::new()).draws()
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    /// Fills a buffer with the bytes that come next.
    pub(crate) fn fill(mut self, buffer: &mut [u8]) {
        self.reader.fill(buffer);
    }

    /// A number below `bound` (0 for a bound of 0); the bias is below `bound` / 2^64.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(u64::from_le_bytes(self.bytes())) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or_default()
    }

    /// One of `list`, `T::default()` if it is empty.
    pub(crate) fn pick<T: Copy + Default>(&mut self, list: &[T]) -> T {
        let index = self.below(u64::try_from(list.len()).unwrap_or_default());
        usize::try_from(index).ok().and_then(|index| list.get(index)).copied().unwrap_or_default()
    }

    fn byte(&mut self) -> u8 {
        if self.used >= self.block.len() {
            self.reader.fill(&mut self.block);
            self.used = 0;
        }
        let byte = self.block.get(self.used).copied().unwrap_or_default();
        self.used += 1;
        byte
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_key_is_64_hexadecimal_digits() {
        let hex = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
        let key = RootKey::from_hex(&format!(" {hex}\n")).unwrap();
        assert_eq!(*key.0, std::array::from_fn(|i| u8::try_from(i).unwrap()));
        assert_eq!(RootKey::from_hex("00").err(), Some(KeyError::Length { found: 2 }));
        assert_eq!(RootKey::from_hex(&"g".repeat(64)).err(), Some(KeyError::NotHex));
        assert_eq!(RootKey::from_hex(&"é".repeat(64)).err(), Some(KeyError::NotHex));
    }

    /// HMAC-SHA256 under a salt of zeros, then over the label and a counter, computed by Python's `hmac`.
    #[test]
    fn function_keys_are_hkdf_of_the_label() {
        let key = FunctionKey::derive(&RootKey::from_bytes([7; 32]), "hash", "");
        assert_eq!(key.prf[..8], [0xa8, 0x12, 0xc9, 0xbf, 0x20, 0xd3, 0x86, 0x4d]);
    }

    #[test]
    fn functions_have_keys_of_their_own() {
        let root = RootKey::from_bytes([7; 32]);
        let draw =
            |function, value: &[u8]| FunctionKey::derive(&root, function, "").draws(value).bytes::<16>();
        assert_eq!(draw("hash", b"a"), draw("hash", b"a"));
        assert_ne!(draw("hash", b"a"), draw("hash", b"b"));
        assert_ne!(draw("hash", b"a"), draw("email", b"a"));
    }

    #[test]
    fn characters_feed_the_same_as_their_bytes() {
        let key = FunctionKey::derive(&RootKey::from_bytes([7; 32]), "hash", "");
        let text = "żółć ".repeat(40);
        assert_eq!(
            key.prf().chars(text.chars()).draws().bytes::<8>(),
            key.draws(text.as_bytes()).bytes::<8>()
        );
        for text in [text.to_uppercase(), "ABC xyz 42 ".repeat(20)] {
            let lower = key.draws(text.to_lowercase().as_bytes()).bytes::<8>();
            assert_eq!(key.prf().lower(&text).draws().bytes::<8>(), lower);
        }
    }

    #[test]
    fn draws_stay_below_their_bound() {
        let mut draws = FunctionKey::derive(&RootKey::from_bytes([7; 32]), "hash", "").draws(b"");
        for bound in [1, 2, 10, 1 << 40, u64::MAX] {
            assert!((0..200).all(|_| draws.below(bound) < bound));
        }
        assert_eq!(draws.below(0), 0);
        assert_eq!(draws.pick::<u8>(&[]), 0);
    }
}
