//! Rows of COPY TO STDOUT. The server sends one row in each message, and the head and the end of binary data with the
//! first and the last row or in messages of their own.

use std::borrow::Cow;

use veil_model::CopyLayout;

use crate::cursor::{Cursor, Malformed, Result};

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// A row's number of cells that ends binary data.
const END: i16 = -1;

/// Reads CopyOutResponse: whether the data are binary, and how many columns they have.
///
/// # Errors
/// Not the layout of one.
pub fn decode_response(body: &[u8]) -> Result<(bool, usize)> {
    let mut cursor = Cursor::new(body);
    let binary = match cursor.u8()? {
        0 => false,
        1 => true,
        _ => return Err(Malformed("unknown format of COPY data")),
    };
    let count = cursor.count16()?;
    for _ in 0..count {
        if cursor.count16()? != usize::from(binary) {
            return Err(Malformed("COPY data in mixed formats"));
        }
    }
    cursor.end()?;
    Ok((binary, count))
}

/// One row of text or CSV, without the end of its line.
///
/// # Errors
/// The message does not end a line.
pub fn line(data: &[u8]) -> Result<&[u8]> {
    data.strip_suffix(b"\n").ok_or(Malformed("COPY data that end inside a line"))
}

/// Takes the head from the first message of binary data; returns its length.
///
/// # Errors
/// It has none.
pub fn binary_head(data: &[u8]) -> Result<usize> {
    let mut cursor = Cursor::new(data);
    if cursor.take(SIGNATURE.len())? != SIGNATURE {
        return Err(Malformed("binary COPY data without a signature"));
    }
    // Flags, of which none is known.
    if cursor.i32()? != 0 {
        return Err(Malformed("binary COPY data with unknown flags"));
    }
    let more = usize::try_from(cursor.i32()?).map_err(|_| Malformed("negative length"))?;
    cursor.take(more)?;
    Ok(data.len() - cursor.rest().len())
}

/// Whether binary data end here.
#[must_use]
pub fn binary_end(data: &[u8]) -> bool {
    data == END.to_be_bytes()
}

/// The cells of a line. A cell's raw bytes are what stands between the delimiters.
#[derive(Debug)]
pub struct Cells<'a> {
    layout: &'a CopyLayout,
    rest: Option<&'a [u8]>,
}

impl<'a> Cells<'a> {
    /// Of a line of text or CSV.
    #[must_use]
    pub const fn new(layout: &'a CopyLayout, line: &'a [u8]) -> Self {
        Self { layout, rest: Some(line) }
    }

    /// The raw bytes of the next cell, or `None` behind the last.
    ///
    /// # Errors
    /// A quote that does not end, or something behind it.
    pub fn step(&mut self) -> Result<Option<&'a [u8]>> {
        let Some(rest) = self.rest else { return Ok(None) };
        let (delimiter, end) = match *self.layout {
            CopyLayout::Text { delimiter, .. } => (delimiter, end_of_text(rest, delimiter)),
            CopyLayout::Csv { delimiter, quote, escape, .. } if rest.first() == Some(&quote) => {
                (delimiter, end_of_quoted(rest, quote, escape)?)
            }
            CopyLayout::Csv { delimiter, .. } => {
                (delimiter, rest.iter().position(|byte| *byte == delimiter).unwrap_or(rest.len()))
            }
            CopyLayout::Binary => return Err(Malformed("binary data have no lines")),
        };
        self.rest = match rest.get(end) {
            None => None,
            Some(byte) if *byte == delimiter => rest.get(end + 1..),
            Some(_) => return Err(Malformed("something behind a quoted cell")),
        };
        Ok(rest.get(..end))
    }
}

fn end_of_text(rest: &[u8], delimiter: u8) -> usize {
    let mut escaped = false;
    let ends = |byte: &u8| {
        let ends = !escaped && *byte == delimiter;
        escaped = !escaped && *byte == b'\\';
        ends
    };
    rest.iter().position(ends).unwrap_or(rest.len())
}

/// The place behind the quote that ends a cell.
fn end_of_quoted(rest: &[u8], quote: u8, escape: u8) -> Result<usize> {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        let next = rest.get(at + 1);
        if *byte == escape && next.is_some_and(|next| *next == quote || *next == escape) {
            at += 2;
        } else if *byte == quote {
            return Ok(at + 1);
        } else {
            at += 1;
        }
    }
    Err(Malformed("a quoted cell that does not end"))
}

/// The value of a cell; NULL is `None`.
///
/// # Errors
/// An escape that the server does not write.
pub fn decode<'a>(layout: &CopyLayout, raw: &'a [u8]) -> Result<Option<Cow<'a, [u8]>>> {
    match layout {
        CopyLayout::Text { null, .. } | CopyLayout::Csv { null, .. } if raw == null.as_ref() => Ok(None),
        CopyLayout::Text { .. } => unescape(raw).map(Some),
        CopyLayout::Csv { quote, escape, .. } => Ok(Some(unquote(raw, *quote, *escape))),
        CopyLayout::Binary => Err(Malformed("binary data have no lines")),
    }
}

fn unescape(raw: &[u8]) -> Result<Cow<'_, [u8]>> {
    if !raw.contains(&b'\\') {
        return Ok(Cow::Borrowed(raw));
    }
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter();
    while let Some(byte) = bytes.next() {
        out.push(match (byte, byte == &b'\\') {
            (_, true) => match bytes.next() {
                Some(b'b') => 8,
                Some(b'f') => 12,
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'v') => 11,
                // A digit or x would begin a number, which the server does not write.
                Some(other) if !other.is_ascii_alphanumeric() => *other,
                _ => return Err(Malformed("an unknown escape in COPY data")),
            },
            (other, false) => *other,
        });
    }
    Ok(Cow::Owned(out))
}

fn unquote(raw: &[u8], quote: u8, escape: u8) -> Cow<'_, [u8]> {
    let inner = raw.strip_prefix(&[quote]).and_then(|raw| raw.strip_suffix(&[quote]));
    let Some(inner) = inner else { return Cow::Borrowed(raw) };
    let mut out = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().peekable();
    while let Some(byte) = bytes.next() {
        let escapes = *byte == escape && bytes.peek().is_some_and(|next| **next == quote || **next == escape);
        out.push(*if escapes { bytes.next().unwrap_or(byte) } else { byte });
    }
    Cow::Owned(out)
}

/// Appends a cell as the server writes it; NULL is `None`. A quoted cell stays quoted.
pub fn encode(layout: &CopyLayout, raw: &[u8], value: Option<&[u8]>, out: &mut Vec<u8>) {
    match (layout, value) {
        (CopyLayout::Text { null, .. } | CopyLayout::Csv { null, .. }, None) => out.extend_from_slice(null),
        (CopyLayout::Text { delimiter, .. }, Some(value)) => {
            for byte in value {
                match byte {
                    8 => out.extend(b"\\b"),
                    12 => out.extend(b"\\f"),
                    b'\n' => out.extend(b"\\n"),
                    b'\r' => out.extend(b"\\r"),
                    b'\t' => out.extend(b"\\t"),
                    11 => out.extend(b"\\v"),
                    byte if *byte == b'\\' || byte == delimiter => out.extend([b'\\', *byte]),
                    byte => out.push(*byte),
                }
            }
        }
        (CopyLayout::Csv { delimiter, quote, escape, null, .. }, Some(value)) => {
            let special = |byte: &u8| byte == delimiter || byte == quote || b"\r\n".contains(byte);
            let quoted = raw.first() == Some(quote)
                || value == null.as_ref()
                || value == b"\\."
                || value.iter().any(special);
            if !quoted {
                out.extend_from_slice(value);
                return;
            }
            out.push(*quote);
            for byte in value {
                if byte == quote || byte == escape {
                    out.push(*escape);
                }
                out.push(*byte);
            }
            out.push(*quote);
        }
        (CopyLayout::Binary, _) => {}
    }
}
