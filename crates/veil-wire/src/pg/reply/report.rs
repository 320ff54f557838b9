//! ErrorResponse and NoticeResponse: lists of tagged strings.

use crate::cursor::{Cursor, Result};
use crate::pg::frame;

/// The fields of an error or notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorFields<'a>(Vec<(u8, &'a [u8])>);

impl<'a> ErrorFields<'a> {
    pub(super) fn decode(body: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new(body);
        let mut fields = Vec::new();
        loop {
            match cursor.u8()? {
                0 => return cursor.end().map(|()| Self(fields)),
                code => fields.push((code, cursor.cstr()?)),
            }
        }
    }

    /// The value of field `code`, as `b'C'` for the SQLSTATE.
    #[must_use]
    pub fn field(&self, code: u8) -> Option<&'a [u8]> {
        self.0.iter().find(|(c, _)| *c == code).map(|(_, value)| *value)
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &'a [u8])> + '_ {
        self.0.iter().copied()
    }
}

/// An error or notice that the proxy writes itself.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// `ERROR`, `FATAL` or `WARNING`.
    pub severity: &'a str,
    /// SQLSTATE.
    pub code: &'a str,
    /// What is wrong.
    pub message: &'a str,
    /// What to do about it; empty for none.
    pub hint: &'a str,
}

impl Report<'_> {
    /// Appends an ErrorResponse.
    pub fn write_error(&self, out: &mut Vec<u8>) {
        self.write(out, b'E');
    }

    /// Appends a NoticeResponse.
    pub fn write_notice(&self, out: &mut Vec<u8>) {
        self.write(out, b'N');
    }

    fn write(&self, out: &mut Vec<u8>, tag: u8) {
        let fields = [
            (b'S', self.severity),
            (b'V', self.severity),
            (b'C', self.code),
            (b'M', self.message),
            (b'H', self.hint),
        ];
        frame::write(out, tag, |out| {
            for (code, text) in fields.into_iter().filter(|(_, text)| !text.is_empty()) {
                out.push(code);
                frame::put_cstr(out, text.replace('\0', " "));
            }
            out.push(0);
        });
    }
}
