//! How long a value is in the binary form, by its type.

use veil_model::mysqltype::kind;

use crate::cursor::{Cursor, Malformed, Result};

/// How a binary value is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// So many bytes.
    Fixed(usize),
    /// Bytes behind a length-encoded count.
    Counted,
    /// Bytes behind one byte of count: dates and times.
    Short,
}

/// How a value of a type is delimited in the binary form.
///
/// # Errors
/// No such type.
pub fn width(code: u8) -> Result<Width> {
    Ok(match code {
        kind::NULL => Width::Fixed(0),
        kind::TINY => Width::Fixed(1),
        kind::SHORT | kind::YEAR => Width::Fixed(2),
        kind::LONG | kind::INT24 | kind::FLOAT => Width::Fixed(4),
        kind::LONGLONG | kind::DOUBLE => Width::Fixed(8),
        kind::TIMESTAMP | kind::DATE | kind::TIME | kind::DATETIME | kind::NEWDATE => Width::Short,
        kind::DECIMAL | kind::VARCHAR | kind::BIT | kind::VECTOR | kind::JSON..=kind::GEOMETRY => {
            Width::Counted
        }
        _ => return Err(Malformed("unknown type of a value")),
    })
}

impl Width {
    /// Takes a value, without its count.
    ///
    /// # Errors
    /// It is not there whole.
    pub fn take<'a>(self, cursor: &mut Cursor<'a>) -> Result<&'a [u8]> {
        match self {
            Self::Fixed(length) => cursor.take(length),
            Self::Counted => cursor.lenenc_bytes(),
            Self::Short => {
                let length = cursor.u8()?;
                cursor.take(usize::from(length))
            }
        }
    }
}
