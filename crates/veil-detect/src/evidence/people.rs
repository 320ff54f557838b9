//! Names of people, what they sign in with, and the closed lists of what people are said to be.

use std::collections::HashSet;

use super::{NEVER, Weights, form, odds, ratio};
use crate::class::Class;
use crate::person::{self, Name};
use crate::words::{Set, Words};
use crate::{forms, list};

pub(super) fn people(values: &[&str], samples: usize, words: &Words, weights: &mut Weights) {
    let of = values.len();
    let (mut single, mut several, mut listed, mut lean, mut full, mut two_given, mut two_family) =
        (0_usize, 0_usize, 0, 0_i32, 0, 0_usize, 0_usize);
    let (mut things, mut capital, mut companies) = (0, 0, 0);
    for value in values {
        let folded = list::folded(value);
        let first = folded.split(' ').next().unwrap_or_default();
        things += usize::from(
            words.is_thing(&folded) || words.has(Set::Color, first) || folded.ends_with(['県', '府', '省']),
        );
        companies += usize::from(folded.split([' ', ',']).any(|word| words.has(Set::Company, word)));
        capital += usize::from(
            value.chars().next().is_some_and(|c| c.is_uppercase() || c.is_alphabetic() && !c.is_lowercase()),
        );
        match person::name(value, words) {
            Name::No => {}
            Name::One(given, family) => {
                single += 1;
                listed += usize::from(given > 6 || family > 6);
                lean += (given - family).clamp(-6, 6);
            }
            Name::Several { known, first, last } => {
                several += 1;
                full += usize::from(known >= 50);
                two_given += usize::from(known == 100 && first > 2 && last > 2);
                two_family += usize::from(known == 100 && first < -2 && last < -2);
            }
        }
    }
    let is_thing = ratio(things, of) > 0.4;
    let case = if ratio(capital, of) < 0.5 { -3.0 } else { 0.0 };
    // Few values that come again and again are those of a list.
    let few = if of < 8 {
        -2.0
    } else if of < 30 && of * 6 < samples {
        -6.0
    } else {
        0.0
    };
    let company = companies > 1 && ratio(companies, of) > 0.06;
    let thing = if is_thing || company { -6.0 } else { 0.0 };
    let words_of_names = single + two_given + two_family;
    let one = if ratio(words_of_names, of) < 0.6 {
        NEVER + 6.0 * ratio(words_of_names, of)
    } else {
        odds(listed + two_given + two_family, words_of_names, 0.72, 0.2).clamp(-2.5, 6.0)
    };
    let counted = u32::try_from(words_of_names.max(1)).map_or(1.0, f64::from);
    let lean = (f64::from(lean) + 4.0 * (ratio(two_given, 1) - ratio(two_family, 1))) / counted;
    let direction = (lean * 1.2).clamp(-3.5, 3.5);
    weights.set(Class::GivenName, one + direction.min(2.0) + case + few + thing - 1.0, listed);
    weights.set(Class::FamilyName, one - direction.max(-2.0) + case + few + thing - 1.0, listed);
    // `Anna Maria` may be a given name, but not most of a column of whole ones.
    let parts = two_given.max(two_family);
    let names = if parts * 10 > several * 7 { several - parts } else { several };
    let whole = if ratio(names, of) < 0.5 {
        NEVER + 8.0 * ratio(names, of)
    } else {
        odds(full, names, 0.85, 0.3).clamp(-2.5, 8.0) - 0.5
    };
    weights.set(Class::FullName, whole + case + few + thing, full);
    if is_thing {
        weights.none += 3.0;
    }
    let user = |text: &&&str| {
        let plain = text.trim_start_matches('@').chars().all(|c| c.is_alphanumeric() || "._-\\".contains(c));
        (3..=40).contains(&text.len())
            && plain
            && text.chars().any(char::is_alphabetic)
            && !forms::is_domain(text)
    };
    let users = values.iter().filter(user).count();
    let named = values
        .iter()
        .filter(user)
        .filter(|text| text.bytes().any(|byte| !byte.is_ascii_alphabetic()) && has_name(text))
        .count();
    let score = match ratio(users, of) {
        ..0.6 => NEVER,
        _ if values.iter().filter(|text| text.starts_with('@') || text.contains('\\')).count() * 4
            > of * 3 =>
        {
            4.0
        }
        _ if ratio(named, of) > 0.4 => 4.0 * ratio(named, of),
        _ => 0.0,
    };
    weights.set(Class::Username, score, users);
}

/// Whether a word of a text, between marks and digits, is a name: `maria.rossi`, `jsmith42`.
fn has_name(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let known = |word: &str| {
        word.len() >= 4 && list::name(word).is_some_and(|(given, family)| given.max(family) >= 9)
    };
    lower
        .split(|c: char| !c.is_ascii_alphabetic())
        .any(|word| known(word) || word.get(1..).is_some_and(known))
}

/// Words of closed lists.
pub(super) fn closed(values: &[&str], words: &Words, weights: &mut Weights) {
    let of = values.len();
    let folded: Vec<String> = values.iter().map(|value| list::folded(value)).collect();
    let among = |set: Set| folded.iter().filter(|word| words.has(set, word)).count();
    let gender = among(Set::Gender);
    let spelt = folded.iter().filter(|word| words.has(Set::Gender, word) && word.len() > 3).count();
    let letters = ["m", "f", "w", "h", "k", "e"]
        .iter()
        .filter(|letter| folded.iter().any(|word| word == *letter))
        .count();
    let score = match ratio(gender, of) {
        share if share > 0.85 && spelt >= 2 => 7.0,
        share if share > 0.85 && letters >= 2 && of <= 6 => 4.0,
        share if share > 0.85 => 0.5,
        share if share >= 0.5 && spelt >= 2 => 2.0,
        _ if of <= 6 && values.iter().all(|value| value.len() <= 2) => -0.5,
        share => NEVER + 6.0 * share,
    };
    weights.set(Class::Gender, score, gender);
    for (set, class) in [(Set::Ethnicity, Class::Ethnicity), (Set::Religion, Class::Religion)] {
        let count = among(set);
        let score = match ratio(count, of) {
            share if share > 0.6 && count >= 3 => 4.0 + 4.0 * (share - 0.6),
            share if share > 0.4 && count >= 2 => 1.0,
            share => -5.0 + 8.0 * share,
        };
        weights.set(class, score - if of > 60 { 3.0 } else { 0.0 }, count);
    }
    let blood = among(Set::Blood);
    let signed = folded.iter().filter(|word| words.has(Set::Blood, word) && word.len() > 1).count();
    let icd = values.iter().filter(|text| is_icd(text.split(' ').next().unwrap_or_default())).count();
    let chapters = values.iter().filter_map(|text| text.bytes().next()).collect::<HashSet<u8>>().len();
    let ill = folded
        .iter()
        .filter(|text| {
            text.split([' ', ',', '-', '/', '(', ')']).any(|word| words.has(Set::Health, word))
                || words.has(Set::Health, text)
        })
        .count();
    let score = match (ratio(blood, of), ratio(icd, of), ratio(ill, of)) {
        (share, ..) if share > 0.85 && signed >= 2 => 7.0,
        (_, share, _) if share > 0.85 => form(icd, of, if chapters > 3 { 3.5 } else { 1.0 }),
        (.., share) if share > 0.5 => 4.0,
        (.., share) if share > 0.25 => 2.0,
        (.., share) => -1.0 + 2.0 * share,
    };
    weights.set(Class::Health, score, blood.max(icd).max(ill));
}

/// A code of the International Classification of Diseases, version 10.
fn is_icd(text: &str) -> bool {
    let (head, tail) = text.split_once('.').unwrap_or((text, ""));
    let tail = tail.len() <= 4 && tail.bytes().all(|byte| byte.is_ascii_alphanumeric());
    head.len() == 3
        && tail
        && (crate::cell::is_like(head, "A99") || crate::cell::is_like(head, "A9A"))
        && text.bytes().all(|byte| !byte.is_ascii_lowercase())
}
