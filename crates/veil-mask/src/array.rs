//! Arrays, element by element: the text form `[0:1]={a,"b \" c",NULL}` (`array_out`) and the binary form
//! (`array_send`, src/backend/utils/adt/arrayfuncs.c).
//!
//! Bounds, dimensions and NULL elements stay as they are. Nesting is bounded by the server's own limit; lengths
//! stated in the input reserve nothing.

use veil_model::Format;

/// `MAXDIM` of PostgreSQL.
const DIMENSIONS_MAX: usize = 6;

/// Masks one element, appending to the buffer; `None` makes it NULL.
pub(crate) trait Element: Fn(&[u8], &mut Vec<u8>) -> Option<()> {}

impl<F: Fn(&[u8], &mut Vec<u8>) -> Option<()>> Element for F {}

/// Rewrites an array of elements with the OID `element`; `None` if it is malformed.
pub(crate) fn mask(
    format: Format,
    element: u32,
    cell: &[u8],
    out: &mut Vec<u8>,
    mask: impl Element,
) -> Option<()> {
    match format {
        Format::Text => Text { rest: cell, raw: Vec::new(), masked: Vec::new(), mask }.array(out),
        Format::Binary => binary(element, cell, out, mask),
    }
}

/// A text array being read, with one element's buffers.
struct Text<'a, F> {
    rest: &'a [u8],
    raw: Vec<u8>,
    masked: Vec<u8>,
    mask: F,
}

impl<F: Element> Text<'_, F> {
    fn array(mut self, out: &mut Vec<u8>) -> Option<()> {
        self.bounds(out)?;
        if self.rest == b"{}" {
            out.extend(self.rest);
            return Some(());
        }
        self.braces(1, &mut None, out)?;
        self.rest.is_empty().then_some(())
    }

    /// `[0:1][-3:4]=` before the braces.
    fn bounds(&mut self, out: &mut Vec<u8>) -> Option<()> {
        if self.rest.first() != Some(&b'[') {
            return Some(());
        }
        let end = self.rest.iter().position(|&byte| byte == b'=')?;
        let (bounds, rest) = self.rest.split_at_checked(end + 1)?;
        let list = std::str::from_utf8(bounds).ok()?.strip_prefix('[')?.strip_suffix("]=")?;
        for pair in list.split("][") {
            let (lower, upper) = pair.split_once(':')?;
            lower.parse::<i32>().ok()?;
            upper.parse::<i32>().ok()?;
        }
        out.extend(bounds);
        self.rest = rest;
        Some(())
    }

    /// One pair of braces; elements stand at one depth only, which the first of them sets.
    fn braces(&mut self, depth: usize, leaf: &mut Option<usize>, out: &mut Vec<u8>) -> Option<()> {
        if depth > DIMENSIONS_MAX || self.next()? != b'{' {
            return None;
        }
        out.push(b'{');
        loop {
            if self.rest.first() == Some(&b'{') {
                self.braces(depth + 1, leaf, out)?;
            } else if *leaf.get_or_insert(depth) == depth {
                self.element(out)?;
            } else {
                return None;
            }
            let separator = self.next()?;
            out.push(separator);
            match separator {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    fn element(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let quoted = self.unquote()?;
        self.masked.clear();
        let null = !quoted && self.raw.eq_ignore_ascii_case(b"NULL");
        if null || (self.mask)(&self.raw, &mut self.masked).is_none() {
            out.extend(b"NULL");
        } else {
            quote(&self.masked, out);
        }
        Some(())
    }

    /// Reads one element into `raw`, and says whether it was quoted.
    fn unquote(&mut self) -> Option<bool> {
        self.raw.clear();
        let quoted = self.rest.first() == Some(&b'"');
        if quoted {
            self.next();
        }
        loop {
            match (quoted, *self.rest.first()?) {
                (true, b'"') => {
                    self.next();
                    return Some(true);
                }
                (false, b',' | b'}') => return (!self.raw.is_empty()).then_some(false),
                (false, b'"' | b'{') => return None,
                (_, b'\\') => {
                    self.next();
                }
                _ => {}
            }
            let byte = self.next()?;
            self.raw.push(byte);
        }
    }

    fn next(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }
}

/// Appends an element, in quotes when the server would write them.
fn quote(element: &[u8], out: &mut Vec<u8>) {
    let special = |byte: &u8| matches!(byte, b'{' | b'}' | b',' | b'"' | b'\\' | 9..=13 | b' ');
    if !element.is_empty() && !element.eq_ignore_ascii_case(b"NULL") && !element.iter().any(special) {
        return out.extend(element);
    }
    out.push(b'"');
    for &byte in element {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Header: dimensions, whether there are NULLs, the element's OID, then length and lower bound of each dimension.
fn binary(element: u32, cell: &[u8], out: &mut Vec<u8>, mask: impl Element) -> Option<()> {
    let start = out.len();
    let mut rest = cell;
    let dimensions = usize::try_from(int(&mut rest)?).ok().filter(|&count| count <= DIMENSIONS_MAX)?;
    let (_nulls, oid) = (int(&mut rest)?, int(&mut rest)?);
    if oid.to_be_bytes() != element.to_be_bytes() {
        return None;
    }
    let mut count: usize = if dimensions == 0 { 0 } else { 1 };
    for _ in 0..dimensions {
        count = usize::try_from(int(&mut rest)?).ok().and_then(|length| count.checked_mul(length))?;
        int(&mut rest)?;
    }
    let (header, _) = cell.split_at_checked(cell.len() - rest.len())?;
    out.extend(header);
    let mut nulls = false;
    // Every turn takes four bytes of the input at least, so the count alone costs nothing.
    for _ in 0..count {
        nulls |= !binary_element(&mut rest, out, &mask)?;
    }
    out.get_mut(start + 4..start + 8)?.copy_from_slice(&i32::from(nulls).to_be_bytes());
    rest.is_empty().then_some(())
}

/// Masks one element with its length, and says whether it has a value.
fn binary_element(rest: &mut &[u8], out: &mut Vec<u8>, mask: &impl Element) -> Option<bool> {
    let length = int(rest)?;
    let mark = out.len();
    out.extend((-1i32).to_be_bytes());
    if length == -1 {
        return Some(false);
    }
    let (raw, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = after;
    let body = out.len();
    if mask(raw, out).is_none() {
        out.truncate(body);
        return Some(false);
    }
    let written = i32::try_from(out.len() - body).ok()?;
    out.get_mut(mark..body)?.copy_from_slice(&written.to_be_bytes());
    Some(true)
}

fn int(rest: &mut &[u8]) -> Option<i32> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(i32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Doubles an element; "no" becomes NULL.
    fn double(raw: &[u8], out: &mut Vec<u8>) -> Option<()> {
        out.extend(raw);
        out.extend(raw);
        (raw != b"no").then_some(())
    }

    fn text(cell: &str) -> Option<String> {
        let mut out = Vec::new();
        mask(Format::Text, 25, cell.as_bytes(), &mut out, double)?;
        String::from_utf8(out).ok()
    }

    fn words(words: &[i32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn text_elements_are_masked_in_place() {
        for (cell, masked) in [
            ("{}", "{}"),
            ("{a,b}", "{aa,bb}"),
            ("{NULL,null,\"NULL\"}", "{NULL,NULL,NULLNULL}"),
            ("{\"\",no}", "{\"\",NULL}"),
            (r#"{"b \" c","x\\",a\,b}"#, r#"{"b \" cb \" c","x\\x\\","a,ba,b"}"#),
            ("[0:1]={a,b}", "[0:1]={aa,bb}"),
            ("[0:0][-3:-2]={{a,b}}", "[0:0][-3:-2]={{aa,bb}}"),
            ("{{{a},{b}},{{c},{NULL}}}", "{{{aa},{bb}},{{cc},{NULL}}}"),
            ("{żółw}", "{żółwżółw}"),
        ] {
            assert_eq!(text(cell).as_deref(), Some(masked), "{cell}");
        }
    }

    #[test]
    fn malformed_text_is_refused() {
        for cell in [
            "",
            "a",
            "{",
            "{a",
            "{a}b",
            "{a,}",
            "{,a}",
            "{a{b}}",
            "{a\"b\"}",
            "{\"a\"b}",
            "{\"a}",
            "{a\\",
            "{{}}",
            "{a,{b}}",
            "{{a},b}",
            "{{{{{{{a}}}}}}}",
            "[0:1]{a}",
            "[0]={a}",
            "[a:b]={a}",
            "[0:1",
            "{}}",
        ] {
            assert_eq!(text(cell), None, "{cell}");
        }
    }

    #[test]
    fn binary_elements_are_masked_with_their_lengths() {
        let mut cell = words(&[1, 1, 25, 3, 1, 1]);
        cell.extend(b"a");
        cell.extend(words(&[-1, 2]));
        cell.extend(b"no");
        let mut expected = words(&[1, 1, 25, 3, 1, 2]);
        expected.extend(b"aa");
        expected.extend(words(&[-1, -1]));
        let mut out = b"before".to_vec();
        mask(Format::Binary, 25, &cell, &mut out, double).unwrap();
        assert_eq!(out, [b"before".to_vec(), expected].concat());
    }

    #[test]
    fn malformed_binary_is_refused() {
        let refused =
            |cell: &[i32]| mask(Format::Binary, 25, &words(cell), &mut Vec::new(), double).is_none();
        assert!(!refused(&[0, 0, 25]));
        assert!(!refused(&[1, 0, 25, 1, 1, 0]));
        for cell in [
            &[0, 0][..],
            &[0, 0, 23],
            &[0, 0, 25, 0],
            &[-1, 0, 25],
            &[7, 0, 25],
            &[1, 0, 25, 1, 1],
            &[1, 0, 25, -1, 1],
            &[1, 0, 25, 1, 1, 4],
            &[1, 0, 25, 1, 1, -2],
            &[1, 0, 25, i32::MAX, 1],
            &[3, 0, 25, i32::MAX, 1, i32::MAX, 1, i32::MAX, 1],
        ] {
            assert!(refused(cell), "{cell:?}");
        }
    }
}
