//! `name`: a person's name picked from lists by key. Some 120 given and 120 family names; many people share one.
//!
//! Names that differ in case or spacing only get the same mask. What a name says about sex or origin is not kept.

pub(super) mod list;

use self::list::{FAMILY, GIVEN};
use super::{At, Mask, other_than, redacted};
use crate::key::Draws;

#[derive(Debug)]
pub(crate) struct Name {
    pub(crate) part: Part,
}

/// The part of a name that a column holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part {
    Full,
    First,
    Last,
}

choice!(Part, "full" => Full, "first" => First, "last" => Last);

impl Mask for Name {
    fn room(&self) -> Option<u64> {
        let (given, family) = (u64::try_from(GIVEN.len()).ok()?, u64::try_from(FAMILY.len()).ok()?);
        Some(match self.part {
            Part::Full => given * family,
            Part::First => given,
            Part::Last => family,
        })
    }

    /// A blank text becomes the label. A full name of one word becomes a given name.
    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        let words = text.split_whitespace().count();
        if words == 0 {
            return redacted(at, out);
        }
        let text = normalised(text);
        let mut draws = at.key.draws(text.as_bytes());
        other_than(&text, out, |out| {
            self.part.candidate(&mut draws, words, at, out);
            Some(())
        })
    }
}

impl Part {
    /// Writes a name, without the family name or cut where the column is too short.
    fn candidate(self, draws: &mut Draws, words: usize, at: &At<'_>, out: &mut Vec<u8>) {
        let (given, family) = (given(draws), family(draws));
        let name = if self == Self::Last { family } else { given };
        out.extend(at.limit.cut(name).as_bytes());
        if self == Self::Full && words > 1 && given.len() + 1 + family.len() <= at.limit.ascii() {
            out.push(b' ');
            out.extend(family.as_bytes());
        }
    }
}

/// A given name from the list, in ASCII.
pub(super) fn given(draws: &mut Draws) -> &'static str {
    draws.pick(GIVEN)
}

/// A family name from the list, in ASCII.
pub(super) fn family(draws: &mut Draws) -> &'static str {
    draws.pick(FAMILY)
}

/// The words in lower case with single blanks between them.
pub(super) fn normalised(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        if word.is_ascii() {
            out.extend(word.bytes().map(|byte| char::from(byte.to_ascii_lowercase())));
        } else {
            out.extend(word.chars().flat_map(char::to_lowercase));
        }
    }
    out
}
