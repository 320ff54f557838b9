//! `name`: a person's name picked from lists by key. Some 120 given and 120 family names; many people share one.
//!
//! Names that differ in case or spacing only get the same mask. What a name says about sex or origin is not kept.

mod list;

use std::str::FromStr;

use self::list::{FAMILY, GIVEN};
use super::{CANDIDATES_MAX, redacted};
use crate::key::{Draws, FunctionKey};
use crate::kind::Limit;

/// The part of a name that a column holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part {
    Full,
    First,
    Last,
}

impl FromStr for Part {
    type Err = ();

    fn from_str(part: &str) -> Result<Self, ()> {
        match part {
            "full" => Ok(Self::Full),
            "first" => Ok(Self::First),
            "last" => Ok(Self::Last),
            _ => Err(()),
        }
    }
}

impl Part {
    /// Masks a name; a blank text becomes the label. A full name of one word becomes a given name.
    pub(crate) fn text(self, key: &FunctionKey, text: &str, limit: Limit, out: &mut Vec<u8>) -> Option<()> {
        let words = text.split_whitespace().count();
        if words == 0 {
            redacted(limit, out);
            return Some(());
        }
        let mut draws = key.prf().chars(normalised(text)).draws();
        let start = out.len();
        for _ in 0..CANDIDATES_MAX {
            self.candidate(&mut draws, words, limit, out);
            let candidate = std::str::from_utf8(out.get(start..)?).ok()?;
            if !normalised(candidate).eq(normalised(text)) {
                return Some(());
            }
            out.truncate(start);
        }
        None
    }

    /// Writes a name, without the family name or cut where the column is too short.
    fn candidate(self, draws: &mut Draws, words: usize, limit: Limit, out: &mut Vec<u8>) {
        let (given, family) = (given_name(draws), draws.pick(FAMILY));
        let name = if self == Self::Last { family } else { given };
        out.extend(limit.cut(name).as_bytes());
        if self == Self::Full && words > 1 && given.len() + 1 + family.len() <= limit.ascii() {
            out.push(b' ');
            out.extend(family.as_bytes());
        }
    }
}

/// A given name from the list, in ASCII.
pub(crate) fn given_name(draws: &mut Draws) -> &'static str {
    draws.pick(GIVEN)
}

/// The words in lower case with single blanks between them.
fn normalised(text: &str) -> impl Iterator<Item = char> {
    let words = text.split_whitespace().enumerate();
    words.flat_map(|(at, word)| {
        (at > 0).then_some(' ').into_iter().chain(word.chars().flat_map(char::to_lowercase))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::RootKey;
    use std::collections::BTreeSet;

    fn mask(part: Part, text: &str, chars: usize) -> String {
        let key = FunctionKey::derive(&RootKey::from_bytes([7; 32]), "name");
        let mut out = Vec::new();
        part.text(&key, text, Limit { chars, bytes: usize::MAX }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lists_are_distinct_ascii_words() {
        for list in [GIVEN, FAMILY] {
            assert!((115..=130).contains(&list.len()), "{}", list.len());
            assert_eq!(list.iter().collect::<BTreeSet<_>>().len(), list.len());
            assert!(list.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_alphabetic())));
        }
    }

    #[test]
    fn parts_come_from_their_lists() {
        let full = mask(Part::Full, "Żaneta Łukaszewicz-Kos", 99);
        let (given, family) = full.split_once(' ').unwrap();
        assert!(GIVEN.contains(&given) && FAMILY.contains(&family));
        assert!(GIVEN.contains(&mask(Part::Full, "Żaneta", 99).as_str()));
        assert!(GIVEN.contains(&mask(Part::First, "Żaneta Maria", 99).as_str()));
        assert!(FAMILY.contains(&mask(Part::Last, "Kos", 99).as_str()));
        assert_eq!(mask(Part::Full, "  żaneta\tŁUKASZEWICZ-kos ", 99), full);
        assert_eq!(mask(Part::Last, " ", 99), "[REDACTED]");
    }

    #[test]
    fn names_fit_and_are_never_the_input() {
        for chars in 1..30 {
            for name in ["Jane Doe", "A", "Maria Silva", "j"] {
                let masked = mask(Part::Full, name, chars);
                assert!(masked.len() <= chars && !masked.eq_ignore_ascii_case(name), "{masked}");
            }
        }
        for name in GIVEN {
            assert_ne!(mask(Part::First, name, 99), *name);
        }
    }
}
