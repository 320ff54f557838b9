//! Cells of columns on which there is no rule: what shows by itself that it is personal is replaced in them, and the rest stays byte for byte.
//!
//! This is a net, not a mask: it has no key, and whoever computes with a value gets it past the net. Most cells hold nothing; they are read once,
//! and nothing is allocated for them.

use std::cell::Cell;
use std::sync::Arc;

use veil_model::find::{Find, Span};
use veil_model::mysqltype::kind as code;
use veil_model::{Charset, Format, MySqlType, PgType};

use crate::array;
use crate::charset;
use crate::function::LABEL;
use crate::kind::Kind;

/// What is done with the cells of one column.
#[derive(Clone, Debug)]
pub struct Scan {
    finder: Arc<dyn Find>,
    form: Form,
    /// The element's OID, if the column holds arrays.
    element: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    /// What may be texts: where they are in UTF-8.
    Bytes,
    Json,
    /// Behind a byte of its version, in binary.
    Jsonb,
    /// In a character set other than UTF-8.
    Encoded(Charset),
    /// Of a type that is not known.
    Opaque,
    /// In a character set that is not known.
    Strange,
}

thread_local! {
    static FOUND: Cell<usize> = const { Cell::new(0) };
}

/// How many values this thread has replaced since it was asked last.
#[must_use]
pub fn unclassified_met() -> usize {
    FOUND.take()
}

impl Scan {
    fn new(finder: &Arc<dyn Find>, form: Form, element: Option<u32>) -> Self {
        Self { finder: Arc::clone(finder), form, element }
    }

    /// For texts.
    #[must_use]
    pub fn of_texts(finder: &Arc<dyn Find>) -> Self {
        Self::new(finder, Form::Text, None)
    }

    /// For cells whose type is not known.
    #[must_use]
    pub fn of_unknown(finder: &Arc<dyn Find>) -> Self {
        Self::new(finder, Form::Opaque, None)
    }

    /// For cells of a type of PostgreSQL; `None` if they hold no texts.
    #[must_use]
    pub fn column(finder: &Arc<dyn Find>, ty: PgType) -> Option<Self> {
        let element = ty.element();
        let form = match Kind::of(element.unwrap_or(ty)) {
            Some(Kind::Text(_) | Kind::Padded(_)) => Form::Text,
            Some(Kind::Json) => Form::Json,
            Some(Kind::Jsonb) => Form::Jsonb,
            Some(_) => return None,
            None => return Some(Self::of_unknown(finder)),
        };
        Some(Self::new(finder, form, element.map(|element| element.oid)))
    }

    /// For cells of a type of MySQL; `None` if they hold no texts.
    #[must_use]
    pub fn mysql_column(finder: &Arc<dyn Find>, ty: &MySqlType<'_>) -> Option<Self> {
        let form = match ty.code {
            code::JSON => Form::Json,
            code::VARCHAR
            | code::VAR_STRING
            | code::STRING
            | code::TINY_BLOB..=code::BLOB
            | code::ENUM
            | code::SET => match ty.charset {
                Some(Charset::Ascii | Charset::Utf8mb3 | Charset::Utf8mb4) => Form::Text,
                Some(Charset::Binary) => Form::Bytes,
                Some(charset) => Form::Encoded(charset),
                None => Form::Strange,
            },
            _ => return None,
        };
        Some(Self::new(finder, form, None))
    }

    /// The cell itself, or what is made of it in `scratch`; `None` makes it NULL.
    pub fn cell<'a>(&self, format: Format, cell: &'a [u8], scratch: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        scratch.clear();
        let changed = match self.element {
            None => self.value(format, cell, scratch)?,
            Some(_) if format == Format::Text && !self.may_hold(cell) => false,
            Some(element) => {
                let changed = Cell::new(false);
                let one = |value: &[u8], out: &mut Vec<u8>| {
                    match self.value(format, value, out)? {
                        true => changed.set(true),
                        false => out.extend(value),
                    }
                    Some(())
                };
                array::mask(format, element, cell, scratch, one)?;
                changed.get()
            }
        };
        Some(if changed { scratch } else { cell })
    }

    /// Appends what is made of a value, and says whether anything is; `None` makes it NULL.
    fn value(&self, format: Format, value: &[u8], out: &mut Vec<u8>) -> Option<bool> {
        Some(match (self.form, format) {
            (Form::Text, _) | (Form::Opaque, Format::Text) => self.text(value, out),
            // What has no bytes of control is a text; of others nobody knows what else another length changes.
            (Form::Opaque, Format::Binary) if !value.iter().any(|byte| *byte < b'\t') => {
                self.text(value, out)
            }
            (Form::Opaque, Format::Binary) => match parts(value) {
                Some(parts) if parts.iter().any(|part| self.text(part, out)) => return None,
                None if self.text(value, out) => return None,
                _ => false,
            },
            (Form::Encoded(charset), _) => self.encoded(charset, value, out)?,
            // A character may take four bytes of which one says something.
            (Form::Strange, _) => {
                let dense: Vec<u8> = value.iter().copied().filter(|byte| *byte != 0).collect();
                if self.text(value, out) || self.text(&dense, out) {
                    return None;
                }
                false
            }
            (Form::Bytes, _) => std::str::from_utf8(value).is_ok_and(|text| self.replace(text, out)),
            (Form::Json, _) | (Form::Jsonb, Format::Text) => self.document(value, out),
            (Form::Jsonb, Format::Binary) => {
                let (version, document) = value.split_first()?;
                out.push(*version);
                let changed = self.document(document, out);
                if !changed {
                    out.pop();
                }
                changed
            }
        })
    }

    /// Whether what is quoted inside of a text may hold anything.
    fn may_hold(&self, text: &[u8]) -> bool {
        let mut spans = Vec::new();
        let escapes = text.contains(&b'\\');
        match std::str::from_utf8(text) {
            Ok(text) if !escapes => self.finder.find(text, &mut spans),
            _ => return true,
        }
        !spans.is_empty()
    }

    /// Appends what is made of a text in a character set, if anything is; `None` if it cannot be written in it.
    fn encoded(&self, charset: Charset, value: &[u8], out: &mut Vec<u8>) -> Option<bool> {
        let wide = matches!(charset, Charset::Ucs2 | Charset::Utf16 | Charset::Utf16le | Charset::Utf32);
        if value.is_ascii() && !wide {
            return Some(self.text(value, out));
        }
        let Some(text) = charset::decode(charset, value) else { return Some(self.text(value, out)) };
        let mut replaced = Vec::new();
        if !self.text(text.as_bytes(), &mut replaced) {
            return Some(false);
        }
        charset::encode(charset, std::str::from_utf8(&replaced).ok()?, out)?;
        Some(true)
    }

    fn text(&self, text: &[u8], out: &mut Vec<u8>) -> bool {
        if let Ok(text) = std::str::from_utf8(text) {
            // Many a text is a document.
            let begins = text.starts_with(['{', '[']) && self.may_hold(text.as_bytes());
            if begins && serde_json::from_str::<serde_json::Value>(text).is_ok() {
                return self.document(text.as_bytes(), out);
            }
            return self.replace(text, out);
        }
        // In other character sets, ASCII is what it is; bytes beyond it are taken for marks.
        let mark = |byte: u8| {
            if byte.is_ascii() {
                char::from(byte)
            } else {
                char::from_u32(MARKS + u32::from(byte)).unwrap_or('?')
            }
        };
        let marked: String = text.iter().map(|byte| mark(*byte)).collect();
        let mut replaced = Vec::new();
        let changed = self.replace(&marked, &mut replaced);
        if changed {
            let replaced = String::from_utf8_lossy(&replaced);
            let byte = |c: char| {
                u8::try_from(u32::from(c)).or_else(|_| u8::try_from(u32::from(c).saturating_sub(MARKS)))
            };
            out.extend(replaced.chars().map(|c| byte(c).unwrap_or(b'?')));
        }
        changed
    }

    /// Appends a text without what is found in it, if anything is.
    fn replace(&self, text: &str, out: &mut Vec<u8>) -> bool {
        let mut spans = Vec::new();
        self.finder.find(text, &mut spans);
        FOUND.set(FOUND.get() + spans.len());
        let mut shown = 0;
        for Span { from, to, .. } in &spans {
            out.extend(text.get(shown..*from).unwrap_or_default().as_bytes());
            // No longer than what it stands for, since columns have limits.
            let room = text.get(*from..*to).map_or(0, |found| found.chars().count());
            match room >= LABEL.len() {
                true => out.extend(LABEL.as_bytes()),
                false => out.extend(std::iter::repeat_n(b'*', room)),
            }
            shown = *to;
        }
        if !spans.is_empty() {
            out.extend(text.get(shown..).unwrap_or_default().as_bytes());
        }
        !spans.is_empty()
    }

    /// Appends a document in which texts, names and numbers are replaced, if any is.
    fn document(&self, document: &[u8], out: &mut Vec<u8>) -> bool {
        if !self.may_hold(document) {
            return false;
        }
        let Ok(mut rest) = std::str::from_utf8(document) else { return self.text(document, out) };
        let start = out.len();
        let mut changed = false;
        while let Some((before, string)) = rest.find('"').and_then(|at| rest.split_at_checked(at)) {
            changed |= self.numbers(before, out);
            let (token, after) = string.split_at_checked(end_of_string(string)).unwrap_or((string, ""));
            changed |= self.string(token, out);
            rest = after;
        }
        changed |= self.numbers(rest, out);
        if !changed {
            out.truncate(start);
        }
        changed
    }

    /// Appends a text of a document.
    fn string(&self, token: &str, out: &mut Vec<u8>) -> bool {
        let mut replaced = Vec::new();
        let Ok(text) = serde_json::from_str::<String>(token) else {
            // It has escapes that are none of Unicode.
            let changed = self.replace(token, &mut replaced);
            out.extend(if changed { &replaced } else { token.as_bytes() });
            return changed;
        };
        let changed = self.replace(&text, &mut replaced);
        match changed {
            true => quote(&String::from_utf8_lossy(&replaced), out),
            false => out.extend(token.as_bytes()),
        }
        changed
    }

    /// Appends what stands between the texts of a document. In place of a number stands a text.
    fn numbers(&self, between: &str, out: &mut Vec<u8>) -> bool {
        let mut changed = false;
        for part in between.split_inclusive([',', ':', '[', ']', '{', '}', ' ', '\t', '\n', '\r']) {
            let mut replaced = Vec::new();
            let number = part.trim_end_matches(|c: char| !c.is_ascii_digit());
            if self.replace(number, &mut replaced) {
                quote(&String::from_utf8_lossy(&replaced), out);
                out.extend(part.get(number.len()..).unwrap_or_default().as_bytes());
                changed = true;
            } else {
                out.extend(part.as_bytes());
            }
        }
        changed
    }
}

/// The fields of a composite value or the elements of an array in binary form (`record_send`, `array_send`); `None` if it is neither.
fn parts(value: &[u8]) -> Option<Vec<&[u8]>> {
    let (count, fields) = word(value)?;
    let dimensions = usize::try_from(count).ok().filter(|count| *count <= 6);
    let array = || with_lengths(value.get(12 + 8 * dimensions?..)?, 0);
    with_lengths(fields, 4).or_else(array)
}

/// Values with their lengths before them, and so many other bytes before these.
fn with_lengths(mut rest: &[u8], other: usize) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (length, after) = word(rest.get(other..)?)?;
        rest = after;
        if length != u32::MAX {
            let (part, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            found.push(part);
            rest = after;
        }
    }
    Some(found)
}

fn word(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*word), rest))
}

/// Where bytes beyond ASCII are put, among characters that are no letters.
const MARKS: u32 = 0xe000;

fn quote(text: &str, out: &mut Vec<u8>) {
    out.extend(serde_json::Value::from(text).to_string().as_bytes());
}

/// Behind the quotes that end the string at the beginning of a text.
fn end_of_string(text: &str) -> usize {
    let mut bytes = text.bytes().enumerate().skip(1);
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return at + 1,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use veil_model::pgtype::oid;

    /// Finds words that begin with an `@`, and the number 42.
    #[derive(Debug)]
    struct Marked;

    impl Find for Marked {
        fn find(&self, text: &str, spans: &mut Vec<Span>) {
            for word in text.split(|c: char| !(c.is_alphanumeric() || c == '@')) {
                if word.starts_with('@') || word == "42" {
                    let from = word.as_ptr().addr() - text.as_ptr().addr();
                    spans.push(Span { from, to: from + word.len(), by: 0 });
                }
            }
        }
    }

    fn scanned(ty: u32, format: Format, cell: &[u8]) -> Option<Vec<u8>> {
        let finder: Arc<dyn Find> = Arc::new(Marked);
        let scan = Scan::column(&finder, PgType { oid: ty, modifier: -1 }).unwrap();
        scan.cell(format, cell, &mut Vec::new()).map(<[u8]>::to_vec)
    }

    fn text(ty: u32, cell: &str) -> String {
        String::from_utf8(scanned(ty, Format::Text, cell.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn what_is_found_is_replaced_and_the_rest_stays() {
        assert_eq!(text(oid::TEXT, "a @secretword b @x"), "a [REDACTED] b **");
        assert_eq!(text(oid::TEXT, "nothing"), "nothing");
        assert_eq!(text(oid::BPCHAR, "@secretword   "), "[REDACTED]   ");
        assert_eq!(text(705, "'@secretword'"), "'[REDACTED]'");
        // Texts that are not in UTF-8 keep their bytes.
        assert_eq!(scanned(oid::TEXT, Format::Text, b"\xe4@secretword\xff").unwrap(), b"\xe4[REDACTED]\xff");
    }

    #[test]
    fn documents_stay_documents() {
        assert_eq!(
            text(oid::JSON, r#"{"a": "x \u0040secretword", "@secretword" : [42, 420], "b\\": null }"#),
            r#"{"a": "x [REDACTED]", "[REDACTED]" : ["**", 420], "b\\": null }"#
        );
        assert_eq!(text(oid::JSON, r#"{"a": "\ud800 @secretword"}"#), r#"{"a": "\ud800 [REDACTED]"}"#);
        assert_eq!(text(oid::JSON, "42"), r#""**""#);
        assert_eq!(text(oid::TEXT, r#"{"a": 42}"#), r#"{"a": "**"}"#);
        assert_eq!(text(oid::TEXT, "{a: 42}"), "{a: **}");
        assert_eq!(scanned(oid::JSONB, Format::Binary, b"\x01[42]").unwrap(), b"\x01[\"**\"]");
        assert_eq!(scanned(oid::JSONB, Format::Binary, b"\x01[\"\\\\\"]").unwrap(), b"\x01[\"\\\\\"]");
    }

    #[test]
    fn arrays_are_looked_at_element_by_element() {
        const TEXTS: u32 = 1009;
        assert_eq!(text(TEXTS, r#"{a,"b @secretword",NULL}"#), r#"{a,"b [REDACTED]",NULL}"#);
        assert_eq!(text(TEXTS, r#"{"a\"b"}"#), r#"{"a\"b"}"#);
        let array = |element: &[u8]| {
            let mut cell = Vec::new();
            for part in [1, 0, oid::TEXT, 1, 1, u32::try_from(element.len()).unwrap()] {
                cell.extend(part.to_be_bytes());
            }
            [cell.as_slice(), element].concat()
        };
        assert_eq!(scanned(TEXTS, Format::Binary, &array(b"@secretword")).unwrap(), array(b"[REDACTED]"));
        assert_eq!(scanned(TEXTS, Format::Binary, &array(b"word")).unwrap(), array(b"word"));
    }

    #[test]
    fn character_sets_hide_nothing() {
        let scanned = |charset, cell: &[u8]| {
            let ty = MySqlType {
                code: code::VAR_STRING,
                charset,
                length: 400,
                flags: 0,
                decimals: 0,
                declared: "",
            };
            let finder: Arc<dyn Find> = Arc::new(Marked);
            let scan = Scan::mysql_column(&finder, &ty).unwrap();
            scan.cell(Format::Text, cell, &mut Vec::new()).map(<[u8]>::to_vec)
        };
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
        assert_eq!(scanned(Some(Charset::Utf16), &wide("ä @secretword")).unwrap(), wide("ä [REDACTED]"));
        assert_eq!(scanned(Some(Charset::Utf16), &wide("ä")).unwrap(), wide("ä"));
        assert_eq!(scanned(Some(Charset::Sjis), b"\x83A @secretword").unwrap(), b"\x83A [REDACTED]");
        assert_eq!(scanned(None, &wide("@secretword")), None);
        assert_eq!(scanned(None, b"\x83 @secretword"), None);
        assert_eq!(scanned(None, &wide("word")).unwrap(), wide("word"));
    }

    #[test]
    fn binary_forms_that_are_not_known_are_null_where_something_is_found() {
        assert_eq!(scanned(99_999, Format::Binary, b"\0\0\0\x03@secretword"), None);
        // As long as its length is a letter.
        let text = format!("@secretword {}", "x".repeat(53));
        let record = [&[0, 0, 0, 1, 0, 0, 0, 25, 0, 0, 0, 65], text.as_bytes()].concat();
        assert_eq!(scanned(99_999, Format::Binary, &record), None);
        let array =
            [&[0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 65], text.as_bytes()]
                .concat();
        assert_eq!(scanned(99_999, Format::Binary, &array), None);
        assert_eq!(scanned(99_999, Format::Binary, b"of @secretword").unwrap(), b"of [REDACTED]");
        assert_eq!(scanned(99_999, Format::Binary, b"\0\0\0\x03word").unwrap(), b"\0\0\0\x03word");
        assert!(
            Scan::column(&(Arc::new(Marked) as Arc<dyn Find>), PgType { oid: oid::INT8, modifier: -1 })
                .is_none()
        );
    }
}
