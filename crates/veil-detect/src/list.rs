//! Sorted lists in the binary, searched where they lie: names of people with how frequent they are, and cities.
//!
//! Where they come from is told in `data/README.md`.

use std::cmp::Ordering;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

const NAMES: List = List(include_str!("../data/names.txt"));
const CITIES: List = List(include_str!("../data/cities.txt"));

/// Lines, each a key and what is said of it behind a tab, in the order of their bytes.
struct List(&'static str);

impl List {
    fn find(&self, key: &str) -> Option<&'static str> {
        let (mut from, mut to) = (0, self.0.len());
        while from < to {
            let middle = from + (to - from) / 2;
            // The middle may stand in a character; no line break does.
            let bytes = self.0.as_bytes();
            let start = bytes
                .get(from..middle)?
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(from, |at| from + at + 1);
            let end =
                bytes.get(middle..to)?.iter().position(|byte| *byte == b'\n').map_or(to, |at| middle + at);
            let line = self.0.get(start..end)?;
            let (known, rest) = line.split_once('\t').unwrap_or((line, ""));
            match known.cmp(key) {
                Ordering::Equal => return Some(rest),
                Ordering::Less => from = (end + 1).min(to),
                Ordering::Greater => to = start,
            }
        }
        None
    }
}

/// How frequent a word is among given names and among family names: 0 where it is none, and one more for each doubling.
pub(crate) fn name(folded: &str) -> Option<(i32, i32)> {
    let (given, family) = NAMES.find(folded)?.split_once('\t')?;
    Some((given.parse().ok()?, family.parse().ok()?))
}

pub(crate) fn is_city(folded: &str) -> bool {
    CITIES.find(folded).is_some()
}

/// A text in lower case, without accents.
pub(crate) fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut out = String::with_capacity(text.len());
    for c in
        text.chars().flat_map(char::to_lowercase).nfd().filter(|c| !is_combining_mark(*c) || *c > '\u{36f}')
    {
        match c {
            'ß' => out.push_str("ss"),
            'ø' => out.push('o'),
            'ł' => out.push('l'),
            'đ' | 'ð' => out.push('d'),
            'æ' => out.push_str("ae"),
            'œ' => out.push_str("oe"),
            'ı' => out.push('i'),
            'þ' => out.push_str("th"),
            c => out.push(c),
        }
    }
    out.nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_cities_are_found() {
        assert_eq!(name(&folded("MÜLLER")).map(|(given, _)| given), Some(0));
        assert!(name("maria").is_some_and(|(given, family)| given > family));
        assert!(name("иванов").is_some() && name("山田").is_some() && name("xqzt").is_none());
        assert!(is_city(&folded("Malmö")) && is_city("new york city") && !is_city("quantity"));
        let lines: Vec<_> = NAMES.0.lines().collect();
        for line in [lines[0], lines[lines.len() - 1], lines[lines.len() / 3]] {
            assert!(name(line.split('\t').next().unwrap()).is_some(), "{line}");
        }
    }
}
