//! Names of people: how many values look like one, and of which part.

use crate::list;
use crate::words::{Set, Words};

/// What a value is, taken as a name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Name {
    /// Not a name by its form.
    No,
    /// One word, perhaps with a hyphen: how frequent it is as a given name and as a family name.
    One(i32, i32),
    /// Several words: how many of them, out of a hundred, are in the lists, and by how much the first is rather given, and the last rather family.
    Several { known: u8, first: i32, last: i32 },
}

/// Words of a name.
const WORDS_MAX: usize = 6;

pub(crate) fn name(text: &str, words: &Words) -> Name {
    if text.len() > 80 || text.bytes().any(|byte| b"@_/\\=:;<>|{}[]#$%*?!\"".contains(&byte)) {
        return Name::No;
    }
    let folded = list::folded(text);
    let mut parts = Vec::with_capacity(4);
    let mut introduced = false;
    for part in folded.split([' ', ',', '\u{3000}', '\u{b7}', '・', '\t']).filter(|part| !part.is_empty()) {
        // Names that are made up for tests are numbered: `Michael733`.
        let bare = part.trim_end_matches('.').trim_matches(['(', ')', '\'']);
        let bare = if bare.len() > 5 { bare.trim_end_matches(|c: char| c.is_ascii_digit()) } else { bare };
        if words.has(Set::Company, part) {
            return Name::No;
        }
        let initial = bare.chars().count() == 1 && bare.is_ascii();
        introduced |= initial || words.has(Set::Title, part);
        if initial
            || words.has(Set::Title, part)
            || words.has(Set::Title, bare)
            || words.has(Set::Particle, bare)
            || bare.is_empty()
        {
            continue;
        }
        if !bare.chars().all(|c| c.is_alphabetic() || "'’-.".contains(c) || is_mark(c)) {
            return Name::No;
        }
        parts.push(bare);
    }
    match parts.as_slice() {
        [] => Name::No,
        [one] if is_han(one) => han(one),
        // `J. Smith`, `Frau Weber`
        [one] if introduced => {
            let (given, family) = level(one);
            Name::Several {
                known: if given > 0 || family > 0 { 100 } else { 0 },
                first: 0,
                last: given - family,
            }
        }
        [one] => {
            let (given, family) = level(one);
            Name::One(given, family)
        }
        several if several.len() <= WORDS_MAX => {
            let levels: Vec<(i32, i32)> = several.iter().map(|part| level(part)).collect();
            let known = levels.iter().filter(|(given, family)| *given > 0 || *family > 0).count();
            let lean = |at: usize| levels.get(at).map_or(0, |(given, family)| given - family);
            let known = u8::try_from(known * 100 / several.len()).unwrap_or(0);
            Name::Several { known, first: lean(0), last: lean(several.len() - 1) }
        }
        _ => Name::No,
    }
}

/// How frequent a word is, or the parts of one with hyphens.
fn level(word: &str) -> (i32, i32) {
    if let Some(known) = list::name(word) {
        return known;
    }
    let plain = word.replace(['\'', '’'], "");
    if let Some(known) = list::name(&plain) {
        return known;
    }
    let mut parts = word.split('-').map(|part| list::name(part).unwrap_or_default());
    let first = parts.next().unwrap_or_default();
    parts.fold(first, |(given, family), (g, f)| (given.min(g), family.min(f)))
}

fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

/// Chinese characters, kana or Hangul.
fn is_han(text: &str) -> bool {
    text.chars().all(|c| {
        ('\u{3040}'..='\u{30ff}').contains(&c)
            || ('\u{3400}'..='\u{9fff}').contains(&c)
            || ('\u{ac00}'..='\u{d7a3}').contains(&c)
    })
}

/// A family name and a given one without a blank between them, or one of both.
fn han(text: &str) -> Name {
    let length = text.chars().count();
    if let Some((given, family)) = list::name(text) {
        return Name::One(given, family);
    }
    if !(2..=6).contains(&length) {
        return Name::No;
    }
    let ends = text.char_indices().skip(1).take(3).map(|(at, _)| at);
    let split = ends.filter_map(|at| {
        let family = list::name(text.get(..at)?).map_or(0, |(_, family)| family);
        let given = list::name(text.get(at..)?).map_or(0, |(given, _)| given);
        (family > 0).then_some((family, given))
    });
    match split.max_by_key(|(_, given)| *given) {
        Some((family, given)) => {
            Name::Several { known: if given > 0 { 100 } else { 60 }, first: -family, last: given.max(1) }
        }
        None => Name::One(0, 0),
    }
}
