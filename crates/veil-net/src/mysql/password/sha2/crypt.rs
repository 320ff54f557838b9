//! sha256-crypt as in "Unix crypt using SHA-256 and SHA-512" (Drepper, version 0.6), but with salts of any length:
//! MySQL's have 20 bytes, crypt(3) cuts them to 16. The steps of that paper are named where they are taken.

use std::iter::repeat_n;

use aws_lc_rs::digest::{Context, SHA256};
use veil_model::Sensitive;

use super::Hash;
use crate::mysql::password::{finish, hash};

pub(super) const ENCODED_LENGTH: usize = 43;

pub(super) type Encoded = [u8; ENCODED_LENGTH];

/// The digest of `password`, encoded. Work grows with `rounds` and with the square of the password's length.
pub(super) fn sha256(password: &[u8], salt: &[u8], rounds: u32) -> Sensitive<Encoded> {
    let start = start(password, salt);
    let [extra, ..] = *start.expose();
    let repeated: Vec<&[u8]> = repeat_n(password, password.len()).collect();
    let p = stretch(&hash(&SHA256, &repeated), password.len()); // steps 13 to 16
    let repeated: Vec<&[u8]> = repeat_n(salt, 16 + usize::from(extra)).collect();
    let s = stretch(&hash(&SHA256, &repeated), salt.len()); // steps 17 to 20
    encode(&(0..rounds).fold(start, |digest, number| round(number, &digest, p.expose(), s.expose())))
}

/// Steps 1 to 12.
fn start(password: &[u8], salt: &[u8]) -> Sensitive<Hash> {
    let b: Sensitive<Hash> = hash(&SHA256, &[password, salt, password]);
    let mut a = Context::new(&SHA256);
    a.update(password);
    a.update(salt);
    a.update(stretch(&b, password.len()).expose());
    let mut length = password.len();
    while length > 0 {
        a.update(if length & 1 == 1 { b.expose() } else { password });
        length >>= 1;
    }
    finish(a)
}

/// Step 21.
fn round(number: u32, digest: &Sensitive<Hash>, p: &[u8], s: &[u8]) -> Sensitive<Hash> {
    let digest = digest.expose().as_slice();
    let (first, last) = if number.is_multiple_of(2) { (digest, p) } else { (p, digest) };
    let s = if number.is_multiple_of(3) { &[] } else { s };
    let middle = if number.is_multiple_of(7) { &[] } else { p };
    hash(&SHA256, &[first, s, middle, last])
}

/// The hash, over and over, to a length.
fn stretch(hash: &Sensitive<Hash>, length: usize) -> Sensitive<Vec<u8>> {
    Sensitive::new(hash.expose().iter().copied().cycle().take(length).collect())
}

/// Step 22: bytes i, 10 + i and 20 + i make 24 bits each, in an order that turns with i; the last two bytes 16.
fn encode(digest: &Sensitive<Hash>) -> Sensitive<Encoded> {
    let &[.., last, first] = digest.expose();
    let (a, rest) = digest.expose().split_at(10);
    let (b, c) = rest.split_at(10);
    let groups = a.iter().zip(b).zip(c).enumerate().map(|(i, ((&a, &b), &c))| {
        let mut bytes = [a, b, c];
        bytes.rotate_right(i % 3);
        bytes
    });
    let symbols = groups.chain([[0, first, last]]).flat_map(|[high, middle, low]| {
        let bits = u32::from_be_bytes([0, high, middle, low]);
        [bits, bits >> 6, bits >> 12, bits >> 18].map(symbol)
    });
    let mut out = [0; ENCODED_LENGTH];
    out.iter_mut().zip(symbols).for_each(|(out, symbol)| *out = symbol);
    Sensitive::new(out)
}

/// The symbol of the lowest six bits.
const fn symbol(bits: u32) -> u8 {
    match (bits & 0x3f) as u8 {
        value @ 0..12 => b'.' + value,
        value @ 12..38 => b'A' + (value - 12),
        value => b'a' + (value - 38),
    }
}

/// Whether this is one of the 64 symbols, which in this order are `./0-9A-Za-z`.
pub(super) const fn is_symbol(byte: u8) -> bool {
    matches!(byte, b'.'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
}
