//! The values that Bind gives to parameters.

use crate::cursor::{Cursor, Malformed, Result};
use crate::pg::frame;

/// Body of Bind, as far as values are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind<'a> {
    /// Names, formats and the number of values.
    head: &'a [u8],
    formats: &'a [u8],
    values: Vec<Option<&'a [u8]>>,
    /// Formats of the result.
    tail: &'a [u8],
}

impl<'a> Bind<'a> {
    /// # Errors
    /// Not the layout of Bind.
    pub fn decode(body: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new(body);
        cursor.cstr()?;
        cursor.cstr()?;
        let formats = cursor.count16()?;
        let formats = cursor.take(formats * 2)?;
        let count = cursor.count16()?;
        let head = body.get(..body.len() - cursor.rest().len()).unwrap_or_default();
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(match cursor.i32()? {
                -1 => None,
                length => {
                    let length =
                        usize::try_from(length).map_err(|_| Malformed("negative length of a value"))?;
                    Some(cursor.take(length)?)
                }
            });
        }
        Ok(Self { head, formats, values, tail: cursor.rest() })
    }

    /// The values, `None` for NULL.
    #[must_use]
    pub fn values(&self) -> &[Option<&'a [u8]>] {
        &self.values
    }

    /// Whether a value is in its type's binary form.
    #[must_use]
    pub fn is_binary(&self, at: usize) -> bool {
        // One format stands for all.
        let at = if self.formats.len() == 2 { 0 } else { at };
        self.formats.get(at * 2..at * 2 + 2).is_some_and(|format| format != [0, 0])
    }

    /// Appends this message with other values; `None` is NULL.
    pub fn write(&self, values: &[Option<Vec<u8>>], out: &mut Vec<u8>) {
        frame::write(out, b'B', |out| {
            out.extend_from_slice(self.head);
            for value in values {
                match value {
                    None => out.extend((-1_i32).to_be_bytes()),
                    Some(value) => {
                        out.extend(u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
                        out.extend_from_slice(value);
                    }
                }
            }
            out.extend_from_slice(self.tail);
        });
    }
}
