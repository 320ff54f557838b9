//! `partial`: keeps the ends of a text and covers the rest.
//!
//! Not keyed: equal texts give equal masks, and unequal ones may. Characters are code points.

/// How many characters to keep, and what covers the others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cover {
    pub(crate) first: usize,
    pub(crate) last: usize,
    pub(crate) fill: char,
}

impl Cover {
    /// Keeps the length, so the mask fits wherever the text did. An empty text has nothing to cover.
    pub(crate) fn text(&self, text: &str, out: &mut Vec<u8>) -> Option<()> {
        let length = text.chars().count();
        if length == 0 {
            return None;
        }
        let shows_too_much = (self.first + self.last) * 2 >= length;
        let covered = if shows_too_much { 0..length } else { self.first..length - self.last };
        let mut chars = text.chars().skip(covered.start).take(covered.len());
        // A text that is covered already would come out unchanged.
        let fill = if chars.all(|c| c == self.fill) { self.other_fill() } else { self.fill };
        let mut buffer = [0; 4];
        for (at, c) in text.chars().enumerate() {
            let shown = if covered.contains(&at) { fill } else { c };
            out.extend(shown.encode_utf8(&mut buffer).as_bytes());
        }
        Some(())
    }

    const fn other_fill(&self) -> char {
        if self.fill == '*' { '#' } else { '*' }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_stay_and_the_rest_is_covered() {
        for (first, last, text, masked) in [
            (0, 4, "4111111111111111", Some("************1111")),
            (2, 2, "żółwińskie", Some("żó******ie")),
            (0, 4, "12345678", Some("********")),
            (0, 4, "123456789", Some("*****6789")),
            (0, 4, "abc", Some("***")),
            (0, 0, "abc", Some("***")),
            (0, 4, "*****1234", Some("#####1234")),
            (0, 0, "***", Some("###")),
            (0, 4, "", None),
        ] {
            let mut out = Vec::new();
            let done = Cover { first, last, fill: '*' }.text(text, &mut out);
            assert_eq!(done.map(|()| String::from_utf8(out).unwrap()).as_deref(), masked, "{text}");
        }
    }
}
