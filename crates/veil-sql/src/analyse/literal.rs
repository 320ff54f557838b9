//! Where literals end in a text.

use std::collections::BTreeMap;

/// A literal in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// Where it ends.
    pub(super) end: usize,
    /// It stands in quotes.
    pub(super) quoted: bool,
}

/// The literal that begins at a byte of a text that the grammar has read, if it is a string, an escape string, a dollar-quoted string or a
/// decimal number.
pub(super) fn extent(text: &str, start: usize) -> Option<Extent> {
    let bytes = text.as_bytes();
    // A letter before a quote says how the text is to be read.
    let before = start.checked_sub(1).and_then(|at| bytes.get(at));
    if before.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..)) {
        return None;
    }
    match *bytes.get(start)? {
        b'\'' => string(bytes, start + 1, false),
        b'E' | b'e' if bytes.get(start + 1) == Some(&b'\'') => string(bytes, start + 2, true),
        b'$' => dollars(text, start),
        b'-' => {
            let blanks = bytes.get(start + 1..)?.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            number(bytes, start + 1 + blanks)
        }
        _ => number(bytes, start),
    }
}

fn string(bytes: &[u8], mut at: usize, escapes: bool) -> Option<Extent> {
    loop {
        match (*bytes.get(at)?, bytes.get(at + 1)) {
            (b'\'', Some(b'\'')) => at += 2,
            (b'\\', Some(_)) if escapes => at += 2,
            (b'\'', _) => break,
            _ => at += 1,
        }
    }
    let end = at + 1;
    // On another line it may go on.
    let mut rest = bytes.get(end..)?.trim_ascii_start();
    while rest.starts_with(b"--") {
        let line = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
        rest = rest.get(line..)?.trim_ascii_start();
    }
    (!matches!(rest.first(), Some(b'\'' | 0x0b))).then_some(Extent { end, quoted: true })
}

/// `$tag$text$tag$`.
fn dollars(text: &str, start: usize) -> Option<Extent> {
    let rest = text.get(start..)?;
    let tag = rest.get(..=rest.get(1..)?.find('$')? + 1)?;
    let length = rest.get(tag.len()..)?.find(tag)?;
    Some(Extent { end: start + 2 * tag.len() + length, quoted: true })
}

/// Digits, perhaps with a point.
fn number(bytes: &[u8], start: usize) -> Option<Extent> {
    let rest = bytes.get(start..)?;
    let digits = |from: usize| rest.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(0);
    let point = usize::from(rest.get(whole) == Some(&b'.'));
    let length = whole + point + if point > 0 { digits(whole + 1) } else { 0 };
    let ends =
        !rest.get(length).is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
    (length > point && ends).then_some(Extent { end: start + length, quoted: false })
}

/// Where parameters stand in a text, or something that looks like them, with their numbers.
pub(super) fn parameters(text: &str) -> BTreeMap<usize, u32> {
    let mut found = BTreeMap::new();
    for (at, _) in text.match_indices('$') {
        let digits = text.get(at + 1..).unwrap_or_default();
        let end = digits.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
        if let Some(number) = digits.get(..end).and_then(|digits| digits.parse().ok()) {
            found.insert(at, number);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{extent, parameters};

    #[test]
    fn parameters_are_found_wherever_they_seem_to_stand() {
        let found = parameters("select $1, '$2' from t where a = $1 or b = $03 /* $3 */ or c = $x$");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [(7, 1), (12, 2), (33, 1), (43, 3), (50, 3)]);
    }

    #[test]
    fn literals_end_where_they_end() {
        for (text, literal) in [
            ("'a' or", Some("'a'")),
            ("'a''b'", Some("'a''b'")),
            (r"'a\'", Some(r"'a\'")),
            (r"E'a\'b' x", Some(r"E'a\'b'")),
            (r"e'\\'", Some(r"e'\\'")),
            ("$$a'b$$;", Some("$$a'b$$")),
            ("$x$a$$b$x$ and", Some("$x$a$$b$x$")),
            ("12)", Some("12")),
            ("- 5 and", Some("- 5")),
            ("-5.25", Some("-5.25")),
            (".5", Some(".5")),
            ("5.", Some("5.")),
            ("'a' -- more\n", Some("'a'")),
            // What may go on, and other kinds.
            ("'a'\n'b'", None),
            ("'a' -- more\n 'b'", None),
            ("U&'a'", None),
            ("x'00'", None),
            ("1e5", None),
            ("1_000", None),
            ("0x1f", None),
            ("-/**/5", None),
            ("true", None),
            ("'a", None),
            ("$a", None),
        ] {
            let found = extent(text, 0).map(|extent| &text[..extent.end]);
            assert_eq!(found, literal, "{text}");
        }
        assert_eq!(extent("n'a'", 1), None);
        assert_eq!(extent("'a'\n, 'b'", 0).map(|extent| extent.end), Some(3));
    }
}
