//! The wire type of a MySQL cell, as a column definition states it.

use crate::charset::Charset;

/// Codes of types in column definitions and parameters.
pub mod kind {
    #![allow(missing_docs, reason = "the names are the protocol's own")]
    pub const DECIMAL: u8 = 0;
    pub const TINY: u8 = 1;
    pub const SHORT: u8 = 2;
    pub const LONG: u8 = 3;
    pub const FLOAT: u8 = 4;
    pub const DOUBLE: u8 = 5;
    pub const NULL: u8 = 6;
    pub const TIMESTAMP: u8 = 7;
    pub const LONGLONG: u8 = 8;
    pub const INT24: u8 = 9;
    pub const DATE: u8 = 10;
    pub const TIME: u8 = 11;
    pub const DATETIME: u8 = 12;
    pub const YEAR: u8 = 13;
    pub const NEWDATE: u8 = 14;
    pub const VARCHAR: u8 = 15;
    pub const BIT: u8 = 16;
    pub const VECTOR: u8 = 242;
    pub const JSON: u8 = 245;
    pub const NEWDECIMAL: u8 = 246;
    pub const ENUM: u8 = 247;
    pub const SET: u8 = 248;
    pub const TINY_BLOB: u8 = 249;
    pub const MEDIUM_BLOB: u8 = 250;
    pub const LONG_BLOB: u8 = 251;
    pub const BLOB: u8 = 252;
    pub const VAR_STRING: u8 = 253;
    pub const STRING: u8 = 254;
    pub const GEOMETRY: u8 = 255;
}

/// Flags of column definitions.
pub mod flag {
    /// The number has no sign.
    pub const UNSIGNED: u16 = 32;
    /// The text is one of a list.
    pub const ENUM: u16 = 256;
    /// The text is a set of members of a list.
    pub const SET: u16 = 2048;
}

/// A column's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MySqlType<'a> {
    /// Code of the type.
    pub code: u8,
    /// Character set of texts; `None` if it is not known.
    pub charset: Option<Charset>,
    /// The longest value, in bytes.
    pub length: u32,
    /// Flags.
    pub flags: u16,
    /// Digits after the point.
    pub decimals: u8,
    /// The type's name in the catalog, for types that travel as texts; empty if it is not known.
    pub declared: &'a str,
}

impl MySqlType<'_> {
    /// The longest text that the column holds, in characters.
    #[must_use]
    pub fn chars_max(&self) -> usize {
        let bytes_max = self.charset.map_or(1, Charset::bytes_max);
        usize::try_from(self.length / bytes_max).unwrap_or(usize::MAX)
    }

    /// Whether numbers have no sign.
    #[must_use]
    pub const fn is_unsigned(&self) -> bool {
        self.flags & flag::UNSIGNED != 0
    }
}
