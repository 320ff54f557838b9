//! Packets. A message longer than 16 MiB - 1 is sent in parts: full ones, and a last one that may be empty.

use std::borrow::Cow;

use crate::cursor::{Malformed, Result};

/// Bytes of a header: three of length, one of sequence.
pub const HEADER: usize = 4;
/// The longest part; one of this length is followed by another.
pub const PART_MAX: usize = 0xff_ffff;

/// The header of one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the body.
    pub body: usize,
    /// Sequence number within a command.
    pub sequence: u8,
}

impl Header {
    /// Reads a header; `None` means not yet.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (&[a, b, c, sequence], _) = bytes.split_first_chunk::<HEADER>()?;
        let body = usize::try_from(u32::from_le_bytes([a, b, c, 0])).ok()?;
        Some(Self { body, sequence })
    }

    /// Bytes of header and body.
    #[must_use]
    pub const fn total(self) -> usize {
        HEADER + self.body
    }

    /// Whether another part follows.
    #[must_use]
    pub const fn continues(self) -> bool {
        self.body == PART_MAX
    }

    /// Appends this header.
    pub fn write(self, out: &mut Vec<u8>) {
        let length = u32::try_from(self.body).unwrap_or(u32::MAX).to_le_bytes();
        out.extend(length.iter().take(3));
        out.push(self.sequence);
    }
}

/// A message that has come whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its bytes, copied only where they came in parts.
    pub payload: Cow<'a, [u8]>,
    /// Bytes that it took, headers included.
    pub total: usize,
    /// Sequence number of its last part.
    pub sequence: u8,
}

/// Reads one message of at most `max` bytes; `None` means not yet.
///
/// # Errors
/// It is longer.
pub fn decode(bytes: &[u8], max: usize) -> Result<Option<Message<'_>>> {
    let Some(first) = Header::decode(bytes) else { return Ok(None) };
    if !first.continues() {
        if first.body > max {
            return Err(Malformed("message is longer than it may be"));
        }
        let payload = bytes.get(HEADER..first.total()).map(Cow::Borrowed);
        let (total, sequence) = (first.total(), first.sequence);
        return Ok(payload.map(|payload| Message { payload, total, sequence }));
    }
    let Some((total, sequence)) = extent(bytes, max)? else { return Ok(None) };
    let mut payload = Vec::with_capacity(total);
    let mut rest = bytes.get(..total).unwrap_or_default();
    while let Some(header) = Header::decode(rest) {
        payload.extend_from_slice(rest.get(HEADER..header.total()).unwrap_or_default());
        rest = rest.get(header.total()..).unwrap_or_default();
    }
    Ok(Some(Message { payload: Cow::Owned(payload), total, sequence }))
}

/// Bytes of all parts and the last one's sequence number, if all have come.
fn extent(bytes: &[u8], max: usize) -> Result<Option<(usize, u8)>> {
    let (mut at, mut payload) = (0, 0);
    loop {
        let Some(header) = bytes.get(at..).and_then(Header::decode) else { return Ok(None) };
        at += header.total();
        payload += header.body;
        if payload > max {
            return Err(Malformed("message is longer than it may be"));
        }
        if !header.continues() {
            return Ok((at <= bytes.len()).then_some((at, header.sequence)));
        }
    }
}

/// Appends a message whose first part has the number `sequence`, and moves that on; `body` writes the payload.
pub fn write(out: &mut Vec<u8>, sequence: &mut u8, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0; HEADER]);
    body(out);
    seal(out, start, sequence);
}

/// Makes a message of what stands in `out` from `start` on, behind room for one header.
pub fn seal(out: &mut Vec<u8>, start: usize, sequence: &mut u8) {
    let payload = out.len().saturating_sub(start + HEADER);
    if payload >= PART_MAX {
        let rest = out.split_off(start + HEADER + PART_MAX);
        patch(out, start, PART_MAX, sequence);
        // An empty part ends a message whose length is a multiple of the longest part's.
        let mut parts = rest.chunks(PART_MAX);
        loop {
            let part = parts.next().unwrap_or_default();
            Header { body: part.len(), sequence: *sequence }.write(out);
            *sequence = sequence.wrapping_add(1);
            out.extend_from_slice(part);
            if part.len() < PART_MAX {
                return;
            }
        }
    }
    patch(out, start, payload, sequence);
}

fn patch(out: &mut [u8], at: usize, body: usize, sequence: &mut u8) {
    let [a, b, c, _] = u32::try_from(body).unwrap_or(u32::MAX).to_le_bytes();
    if let Some(header) = out.get_mut(at..at + HEADER) {
        header.copy_from_slice(&[a, b, c, *sequence]);
    }
    *sequence = sequence.wrapping_add(1);
}

/// Appends a length-encoded integer.
pub fn put_lenenc(out: &mut Vec<u8>, number: u64) {
    let bytes = number.to_le_bytes();
    let width = match number {
        0..=0xfa => {
            out.extend(bytes.iter().take(1));
            return;
        }
        0xfb..=0xffff => 2,
        0x1_0000..=0xff_ffff => 3,
        _ => 8,
    };
    out.push(match width {
        2 => 0xfc,
        3 => 0xfd,
        _ => 0xfe,
    });
    out.extend(bytes.iter().take(width));
}

/// Appends bytes behind their length-encoded count.
pub fn put_lenenc_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_lenenc(out, u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    out.extend_from_slice(bytes);
}
