//! Closed lists of words: what people are said to be, what streets are called, and what is taken for a name and is none.

use std::collections::HashMap;

const LISTS: &str = include_str!("../data/words.txt");

/// A list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    Gender,
    Ethnicity,
    Religion,
    Blood,
    Health,
    Color,
    Calendar,
    Region,
    Product,
    Company,
    Title,
    Particle,
    Street,
}

/// All lists, by their words.
#[derive(Debug)]
pub(crate) struct Words(HashMap<&'static str, u16>);

impl Set {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("gender", Self::Gender),
        ("ethnicity", Self::Ethnicity),
        ("religion", Self::Religion),
        ("blood", Self::Blood),
        ("health", Self::Health),
        ("color", Self::Color),
        ("calendar", Self::Calendar),
        ("region", Self::Region),
        ("product", Self::Product),
        ("company", Self::Company),
        ("title", Self::Title),
        ("particle", Self::Particle),
        ("street", Self::Street),
    ];

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl Words {
    pub(crate) fn new() -> Self {
        let mut sets = HashMap::new();
        for (name, words) in LISTS.lines().filter_map(|line| line.split_once(": ")) {
            let Some((_, set)) = Set::NAMES.iter().find(|(known, _)| *known == name) else { continue };
            for word in words.split(", ") {
                *sets.entry(word.trim()).or_insert(0) |= set.bit();
            }
        }
        Self(sets)
    }

    /// Whether a folded word, or several with blanks, are in a list.
    pub(crate) fn has(&self, set: Set, folded: &str) -> bool {
        self.0.get(folded).is_some_and(|sets| sets & set.bit() > 0)
    }

    /// Whether it is none of a person's, though names are like it.
    pub(crate) fn is_thing(&self, folded: &str) -> bool {
        [Set::Color, Set::Calendar, Set::Region, Set::Product].iter().any(|set| self.has(*set, folded))
    }
}
