//! Message headers, and writing messages. A typed message is one tag byte and a length that counts itself.

use crate::cursor::{Malformed, Result};
use crate::pg::limits;

/// Bytes of a header: tag and length.
pub const HEADER: usize = 5;

/// The header of a typed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Message type.
    pub tag: u8,
    /// Bytes of the body.
    pub body: usize,
}

impl Header {
    /// Reads a header; `None` means not yet.
    ///
    /// # Errors
    /// The length is below 4 or above what PostgreSQL can send.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>> {
        let Some((&[tag, a, b, c, d], _)) = bytes.split_first_chunk::<HEADER>() else { return Ok(None) };
        let body = body_length([a, b, c, d])?;
        if body > limits::MESSAGE_MAX {
            return Err(Malformed("message length is beyond the protocol's limit"));
        }
        Ok(Some(Self { tag, body }))
    }

    /// Bytes of header and body.
    #[must_use]
    pub const fn total(self) -> usize {
        HEADER + self.body
    }
}

/// The body's length from a length field that counts itself.
///
/// # Errors
/// Below 4.
pub fn body_length(field: [u8; 4]) -> Result<usize> {
    usize::try_from(i32::from_be_bytes(field))
        .ok()
        .and_then(|n| n.checked_sub(4))
        .ok_or(Malformed("message length is below 4"))
}

/// Appends a typed message; `body` writes the body, the length is filled in afterwards.
pub fn write(out: &mut Vec<u8>, tag: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    write_untyped(out, body);
}

/// Appends a message without a tag (start-up packets).
pub fn write_untyped(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend([0; 4]);
    body(out);
    patch_length(out, at);
}

/// Fills in the length field at `at` with the count of all bytes from there on.
pub fn patch_length(out: &mut [u8], at: usize) {
    let length = u32::try_from(out.len().saturating_sub(at)).unwrap_or(u32::MAX);
    if let Some(field) = out.get_mut(at..at + 4) {
        field.copy_from_slice(&length.to_be_bytes());
    }
}

/// Appends a NUL-terminated string.
pub fn put_cstr(out: &mut Vec<u8>, text: impl AsRef<[u8]>) {
    out.extend_from_slice(text.as_ref());
    out.push(0);
}
