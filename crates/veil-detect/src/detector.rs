//! From what is known of a column to what is found in it.
//!
//! Every class has a score in log-odds: what the name says, and what the values say. `None of them` has one as well. The scores compete, so a
//! confidence is the probability of a class among all of them.

use std::collections::HashSet;
use std::sync::Arc;

use veil_model::find::{Find, Span};

use crate::class::Class;
use crate::column::{Column, Key, Kind};
use crate::document;
use crate::evidence::{self, Weights, ratio};
use crate::find::{Care, Entity, Finder};
use crate::finding::{Evidence, Finding};
use crate::lexicon::{Lexicon, Said};
use crate::phone;
use crate::words::Words;

/// Distinct values that are looked at.
const VALUES_MAX: usize = 500;

/// Bytes of a value that are looked at.
const VALUE_MAX: usize = 4096;

/// What is less likely is not told.
const CONFIDENCE_MIN: f64 = 0.5;
const PERSONAL_MIN: f64 = 0.7;

/// By which log-odds are divided, since what is added up is not independent; fitted on columns that were labelled by hand.
const TEMPERATURE: f64 = 1.1;

/// Tells what columns hold.
#[derive(Debug)]
pub struct Detector {
    lexicon: Lexicon,
    words: Words,
    finder: Finder,
    /// Finds names of people in texts, besides lists.
    people: Option<Arc<dyn Find>>,
}

impl Default for Detector {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector {
    /// Reads the lists; takes some milliseconds.
    #[must_use]
    pub fn new() -> Self {
        phone::keep_plans();
        let entities = [
            Entity::Email,
            Entity::CreditCard,
            Entity::Iban,
            Entity::Phone,
            Entity::Ssn,
            Entity::Ip,
            Entity::Jwt,
            Entity::Secret,
            Entity::Wallet,
            Entity::Name,
        ];
        Self {
            lexicon: Lexicon::new(),
            words: Words::new(),
            finder: Finder::new(&entities, Care::Likely),
            people: None,
        }
    }

    /// With what finds names of people in free text, besides lists.
    #[must_use]
    pub fn with_people(self, people: Arc<dyn Find>) -> Self {
        Self { people: Some(people), ..self }
    }

    /// What a column holds: one finding at most, or one for each path of its documents.
    #[must_use]
    pub fn column(&self, column: &Column<'_>) -> Vec<Finding> {
        let documents = match column.kind {
            Kind::Json => true,
            Kind::Text => document::is_mostly(column.samples),
            _ => false,
        };
        if documents && !column.samples.is_empty() {
            let found = self.documents(column);
            if !found.is_empty() {
                return found;
            }
        }
        let elements;
        let mut column = *column;
        if column.kind == Kind::TextArray {
            elements = column.samples.iter().flat_map(|array| document::elements(array)).collect::<Vec<_>>();
            let texts: Vec<&str> = elements.iter().map(String::as_str).collect();
            return self.flat(&Column { samples: &texts, kind: Kind::Text, ..column }).into_iter().collect();
        }
        // Documents that were cut are texts in which something may be found.
        if column.kind == Kind::Json {
            column.kind = Kind::Text;
            let said = self.lexicon.said(&column);
            if !column.samples.is_empty() {
                return self.text(&column, column.samples, &said).into_iter().collect();
            }
        }
        self.flat(&column).into_iter().collect()
    }

    /// Whether one value is of a class that shows by itself, `national_id:nl_bsn` for a number; false for others.
    #[must_use]
    pub fn is_valid(&self, class: &str, value: &str) -> bool {
        evidence::is_valid(class, value)
    }

    /// Each path of the documents is a column.
    fn documents(&self, column: &Column<'_>) -> Vec<Finding> {
        let paths = document::paths(column.samples);
        let names: Vec<&str> = paths.iter().map(|path| path.name.as_str()).collect();
        let found = paths.iter().filter_map(|path| {
            let texts: Vec<&str> = path.values.iter().map(String::as_str).collect();
            let (table, name) = if path.name.is_empty() {
                (column.table, column.name)
            } else {
                (path.parent.as_str(), path.name.as_str())
            };
            let inner = Column {
                table,
                name,
                kind: Kind::Text,
                key: Key::None,
                neighbours: &names,
                samples: &texts,
                comment: None,
                year: column.year,
            };
            Some(Finding { path: Some(path.path.clone()), ..self.flat(&inner)? })
        });
        found.collect()
    }

    fn flat(&self, column: &Column<'_>) -> Option<Finding> {
        let mut seen = HashSet::new();
        let values: Vec<&str> = column
            .samples
            .iter()
            .map(|text| shortened(text.trim()))
            .filter(|text| !is_blank(text) && !is_hidden(text) && seen.insert(*text))
            .collect();
        if values.is_empty() && column.samples.iter().any(|text| is_hidden(text)) {
            return None;
        }
        // From all over, since those that came together are alike.
        let step = values.len().div_ceil(VALUES_MAX).max(1);
        let values: Vec<&str> = values.into_iter().step_by(step).collect();
        let said = self.lexicon.said(column);
        let weights = evidence::weigh(&values, column, &self.words);
        let scores = scores(&said, &weights, values.is_empty());
        let (class, score) =
            scores.iter().copied().filter(|(class, _)| class.is_some()).max_by(|a, b| a.1.total_cmp(&b.1))?;
        let class = class?;
        let sum: f64 = scores.iter().map(|(_, other)| ((other - score) / TEMPERATURE).exp()).sum();
        let confidence = (1.0 / sum).min(0.995);
        let none = scores.iter().filter(|(class, _)| class.is_none());
        let none: f64 = none.map(|(_, none)| ((none - score) / TEMPERATURE).exp() / sum).sum();
        let personal = (1.0 - none).clamp(confidence, 0.995);
        // Which of several it is may not be certain where it is one of them.
        if confidence < CONFIDENCE_MIN && personal < PERSONAL_MIN {
            return self.text(column, &values, &said);
        }
        if class == Class::FreeText {
            return self.text(column, &values, &said);
        }
        let name = said
            .classes
            .iter()
            .find(|(said, ..)| *said == class)
            .map(|(.., words)| Evidence::Name(words.clone()));
        let counted = if values.is_empty() { Some(Evidence::NoValues) } else { weights.matching(class) };
        Some(Finding {
            class,
            scheme: weights.scheme.filter(|_| class == Class::NationalId),
            path: None,
            confidence,
            personal,
            share: if values.is_empty() { 0.0 } else { weights.share(class) },
            values: values.len(),
            contains: vec![],
            evidence: name.into_iter().chain(counted).collect(),
        })
    }

    /// In how many values something is found, and how often each class.
    fn inside(&self, values: &[&str]) -> (usize, Vec<usize>) {
        let mut spans: Vec<Span> = Vec::new();
        let (mut hits, mut counts) = (0, vec![0_usize; Class::ALL.len()]);
        for value in values {
            spans.clear();
            self.finder.find(value, &mut spans);
            // Digits alone pass a check by chance; in a text there is a reason for them.
            let entity = |span: &Span| self.finder.entities().get(span.by).copied();
            spans.retain(|span| {
                span.to - span.from < value.len()
                    || !matches!(entity(span), Some(Entity::CreditCard | Entity::Ssn | Entity::Name))
            });
            spans.retain(|span| {
                entity(span) != Some(Entity::CreditCard)
                    || value.bytes().any(|byte| byte.is_ascii_alphabetic())
            });
            let mut classes: HashSet<Class> = spans
                .iter()
                .filter_map(|span| self.finder.entities().get(span.by))
                .map(|entity| class_of(*entity))
                .collect();
            if let Some(people) = &self.people {
                spans.clear();
                people.find(value, &mut spans);
                classes.extend((!spans.is_empty()).then_some(Class::FullName));
            }
            hits += usize::from(!classes.is_empty());
            for class in classes {
                if let Some(count) = counts.get_mut(class as usize) {
                    *count += 1;
                }
            }
        }
        (hits, counts)
    }

    /// A text with personal data in some of its values.
    fn text(&self, column: &Column<'_>, values: &[&str], said: &Said) -> Option<Finding> {
        if !matches!(column.kind, Kind::Text) || values.is_empty() {
            return None;
        }
        let (hits, counts) = self.inside(values);
        let share = ratio(hits, values.len());
        let prose = values
            .iter()
            .filter(|text| {
                text.split(' ').filter(|word| word.starts_with(|c: char| c.is_lowercase())).count() >= 4
            })
            .count()
            * 2
            > values.len();
        // Names in prose may be those of products; other values show what they are.
        let certain = counts.iter().enumerate().any(|(at, count)| {
            *count > 1
                && Class::ALL.get(at).is_some_and(|class| !class.is_name() && *class != Class::IpAddress)
        });
        let named = counts.get(Class::FullName as usize).copied().unwrap_or(0);
        let names = prose && named >= 3 && ratio(named, values.len()) > 0.04 && !said.of_thing;
        if hits < 2 || share < 0.01 || !(certain || names) {
            return None;
        }
        let contains = Class::ALL
            .iter()
            .copied()
            .filter(|class| counts.get(*class as usize).is_some_and(|count| *count > 1))
            .collect();
        let confidence = if certain { 0.9 + 0.08 * share.min(1.0) } else { 0.7 };
        let name = said
            .classes
            .iter()
            .find(|(class, ..)| *class == Class::FreeText)
            .map(|(.., words)| Evidence::Name(words.clone()));
        Some(Finding {
            class: Class::FreeText,
            scheme: None,
            path: None,
            confidence,
            personal: confidence,
            share,
            values: values.len(),
            contains,
            evidence: name
                .into_iter()
                .chain([Evidence::Values { matching: hits, of: values.len() }])
                .collect(),
        })
    }
}

/// The score of each class, and of none.
fn scores(said: &Said, weights: &Weights, is_empty: bool) -> Vec<(Option<Class>, f64)> {
    // Words that a clear name says are something else.
    let clear = said
        .classes
        .iter()
        .any(|(class, strength, _)| *strength > 5.0 && !said.is_about && weights.score(*class) > -4.0);
    let of_class = |class: Class| {
        let means = |said: Class| {
            said == class || (class == Class::PasswordHash && said == Class::Password && weights.is_digest)
        };
        let named = said
            .classes
            .iter()
            .filter(|(said, ..)| means(*said))
            .map(|(_, strength, _)| *strength)
            .fold(0.0, f64::max);
        let person = match class {
            Class::FullName if named > 0.0 && named < 4.0 && said.of_person && !said.of_thing => 3.0,
            Class::GivenName | Class::FamilyName if named > 0.0 && named < 4.0 && said.of_person => 1.5,
            _ if class.is_name() && said.of_thing && !said.of_person => -5.0,
            _ => 0.0,
        };
        let about = if said.is_about && named > 0.0 { -5.0 } else { 0.0 };
        let elsewhere = match class {
            _ if named > 0.0 || !said.is_other || !said.classes.is_empty() => 0.0,
            // Numbers of other kinds pass their checks, and other days are as old.
            Class::NationalId | Class::DateOfBirth | Class::Ssn | Class::Phone => -4.0,
            _ => -1.5,
        };
        let empty = if is_empty && named > 0.0 { -1.0 } else { 0.0 };
        // What values do not speak for is not found without a name.
        let score = weights.score(class);
        let silent = if named == 0.0 && score <= 0.3 { -3.0 } else { 0.0 };
        let soft = class.is_name()
            || matches!(class, Class::City | Class::Username | Class::Address | Class::Password);
        let outspoken = if clear && named == 0.0 && soft { -4.0 } else { 0.0 };
        named + person + about + elsewhere + empty + silent + outspoken + score
    };
    let other = if said.is_about || (said.is_other && said.classes.is_empty()) { 0.7 } else { 0.0 };
    let thing = if said.of_thing && said.classes.is_empty() { 0.5 } else { 0.0 };
    let none = weights.none + other + thing;
    let classes = Class::ALL
        .iter()
        .filter(|class| **class != Class::FreeText)
        .map(|class| (Some(*class), of_class(*class)));
    classes.chain([(None, none)]).collect()
}

fn class_of(entity: Entity) -> Class {
    match entity {
        Entity::Email => Class::Email,
        Entity::CreditCard => Class::CreditCard,
        Entity::Iban => Class::Iban,
        Entity::Phone => Class::Phone,
        Entity::Ssn => Class::Ssn,
        Entity::Ip => Class::IpAddress,
        Entity::Jwt => Class::Jwt,
        Entity::Secret => Class::ApiKey,
        Entity::Wallet => Class::CryptoWallet,
        Entity::Name => Class::FullName,
    }
}

/// Whether a value has been masked already.
fn is_hidden(text: &str) -> bool {
    ["***", "XXXX", "xxxx", "•••", "[REDACTED"].iter().any(|mark| text.contains(mark))
}

/// What people write where there is nothing.
fn is_blank(text: &str) -> bool {
    matches!(
        text.to_ascii_lowercase().as_str(),
        "" | "n/a"
            | "na"
            | "null"
            | "none"
            | "nil"
            | "-"
            | "--"
            | "?"
            | "unknown"
            | "tbd"
            | "n.a."
            | "nan"
            | "."
            | "x"
            | "#n/a"
            | "k.a."
    )
}

fn shortened(text: &str) -> &str {
    let end = (0..=VALUE_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_names_are_enough_where_the_column_says_so() {
        let column = Column {
            table: "people",
            name: "full_name",
            kind: Kind::Text,
            comment: None,
            key: Key::None,
            neighbours: &["id", "email"],
            samples: &["Jane Doe", "Max Weber", "Ana Silva", "Li Chen"],
            year: 2026,
        };
        let found = Detector::new().column(&column);
        assert_eq!(found.first().map(|finding| finding.class), Some(Class::FullName));
    }
}
