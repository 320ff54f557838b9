//! `text_entities`: finds values of some kinds inside a free text and masks each by a function of its own, so that a value has the mask that a column of
//! it would have. What is not found is shown.
//!
//! Kinds are those that show by themselves what they are: by their form, and by their check digits where they have some. Each search takes time in
//! proportion to the text.

use std::net::IpAddr;

use regex::Regex;

use super::{At, LABEL, Mask, fitted, iban, luhn, redacted};
use crate::kind::{Kind, Limit};
use crate::strategy::Strategy;

#[derive(Debug)]
pub(crate) struct TextEntities {
    /// One for each function.
    searches: Vec<(Entity, Regex)>,
    functions: Vec<Strategy>,
}

/// A kind of value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Entity {
    Email,
    CreditCard,
    Iban,
    Phone,
    Ssn,
    Ip,
}

choice!(Entity, "email" => Email, "credit_card" => CreditCard, "iban" => Iban, "phone" => Phone, "ssn" => Ssn, "ip" => Ip);

/// What may be looked for.
pub(crate) const ENTITIES: &str = "email, credit_card, iban, phone, ssn or ip";

/// Bytes of a text.
const TEXT_MAX: usize = 1 << 20;

impl Entity {
    const fn pattern(self) -> &'static str {
        match self {
            Self::Email => r"[\p{L}\p{N}.!#$%&'*+/=?^_`{|}~-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+",
            Self::CreditCard => r"\b[0-9](?:[ -]?[0-9]){12,18}\b",
            Self::Iban => r"\b[A-Za-z]{2}[0-9]{2}(?: ?[A-Za-z0-9]){11,30}\b",
            Self::Phone => r"\+[0-9](?:[ ().\-/]{0,3}[0-9]){6,14}",
            Self::Ssn => r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b",
            Self::Ip => {
                r"\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b|[0-9A-Fa-f:]{1,40}:[0-9A-Fa-f:.]{0,40}[0-9A-Fa-f]"
            }
        }
    }

    /// How much of what the pattern finds is such a value: as much as there can be.
    fn length(self, found: &str, after: &str) -> Option<usize> {
        let is_valid: fn(&str) -> bool = match self {
            Self::Email | Self::Phone | Self::Ssn => return Some(found.len()),
            Self::Ip => |text| text.parse::<IpAddr>().is_ok(),
            Self::CreditCard => |text| {
                let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).collect();
                (13..=19).contains(&digits.len()) && luhn(&digits)
            },
            Self::Iban => iban::is_valid,
        };
        // What stands behind may be taken for a part of it, but not in the middle of a word.
        let ends = |end: &usize| {
            let next = found.as_bytes().get(*end).or(after.as_bytes().first());
            let last = end.checked_sub(1).and_then(|at| found.as_bytes().get(at));
            let word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
            word(last) && !word(next)
        };
        (1..=found.len()).rev().filter(ends).find(|end| found.get(..*end).is_some_and(is_valid))
    }
}

impl TextEntities {
    /// # Errors
    /// A kind is not known.
    pub(crate) fn new(entities: &[(String, Strategy)]) -> Result<Self, ()> {
        let search = |(name, _): &(String, Strategy)| {
            let entity: Entity = name.parse()?;
            Ok((entity, Regex::new(entity.pattern()).map_err(|_| ())?))
        };
        let functions = entities.iter().map(|(_, function)| function.clone()).collect();
        Ok(Self { searches: entities.iter().map(search).collect::<Result<_, ()>>()?, functions })
    }

    /// Where values begin and end, and which of the functions masks them.
    fn spans(&self, text: &str) -> Vec<(usize, usize, usize)> {
        let of = |(by, (entity, pattern)): (usize, &(Entity, Regex))| {
            let (mut spans, mut at) = (Vec::new(), 0);
            while let Some(found) = pattern.find_at(text, at) {
                let after = text.get(found.end()..).unwrap_or_default();
                // One that is none may have another in it.
                at = match entity.length(found.as_str(), after) {
                    Some(length) => {
                        spans.push((found.start(), found.start() + length, by));
                        found.start() + length
                    }
                    None => found.start() + text.get(found.start()..).map_or(1, first_length),
                };
            }
            spans
        };
        let mut spans: Vec<_> = self.searches.iter().enumerate().flat_map(of).collect();
        spans.sort_by_key(|(from, to, by)| (*from, std::cmp::Reverse(*to), *by));
        let mut end = 0;
        spans.retain(|(from, to, _)| {
            let apart = *from >= end;
            end = if apart { *to } else { end };
            apart
        });
        spans
    }
}

impl Mask for TextEntities {
    fn inner(&self) -> &[Strategy] {
        &self.functions
    }

    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        at.masks()?;
        if text.len() > TEXT_MAX {
            return redacted(at, out);
        }
        let (start, mut shown) = (out.len(), 0);
        for (from, to, by) in self.spans(text) {
            out.extend(text.get(shown..from)?.as_bytes());
            let masked = out.len();
            if at.inner.get(by)?.value(Kind::Text(Limit::NONE), text.get(from..to)?, out).is_none() {
                out.truncate(masked);
                out.extend(LABEL.as_bytes());
            }
            shown = to;
        }
        out.extend(text.get(shown..)?.as_bytes());
        fitted(at, start, out)
    }
}

/// Bytes of the first character.
fn first_length(text: &str) -> usize {
    text.chars().next().map_or(1, char::len_utf8)
}
