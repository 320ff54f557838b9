//! Numbers that stand for masks.

use veil_model::pgtype::oid;

/// The type that holds all values of a column, where a parameter is stated as a narrower one.
pub(super) const fn wider(stated: u32, column: u32) -> Option<u32> {
    match (stated, column) {
        (oid::INT2, oid::INT4) => Some(oid::INT4),
        (oid::INT2 | oid::INT4, oid::INT8 | oid::NUMERIC) => Some(oid::INT8),
        _ => None,
    }
}

/// A whole number in the form of a wider type.
pub(super) fn widen(value: &[u8], wide: u32) -> Option<Vec<u8>> {
    let number = match *value {
        [a, b] => i16::from_be_bytes([a, b]).into(),
        [a, b, c, d] => i32::from_be_bytes([a, b, c, d]).into(),
        _ => return None,
    };
    match wide {
        oid::INT4 => Some(i32::try_from(number).ok()?.to_be_bytes().to_vec()),
        _ => Some(i64::to_be_bytes(number).to_vec()),
    }
}

/// A number that no column of numbers with masks holds.
pub(super) const NO_NUMBER: &str = "9999999999999999999999999999999999999999";

/// Whether a text is a number as a literal may be.
pub(super) fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}
