//! `template`: a text with invented parts, such as `{{first_name|lower}}.{{base32 6}}@example.com`. All parts depend on the value.

use super::{At, Mask, base32, fitted, name, other_than, redacted};
use crate::key::Draws;

#[derive(Debug)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug)]
enum Part {
    Literal(String),
    Made { what: What, lower: bool },
}

#[derive(Clone, Copy, Debug)]
enum What {
    FirstName,
    LastName,
    Digits(usize),
    Base32(usize),
}

/// Characters of one part.
const LENGTH_MAX: usize = 64;

impl std::str::FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once("{{") {
            let (part, after) = after.split_once("}}").ok_or("a template whose parts end with }}")?;
            parts.push(Part::Literal(literal.to_owned()));
            parts.push(Part::read(part)?);
            rest = after;
        }
        parts.push(Part::Literal(rest.to_owned()));
        match parts.len() {
            1 => Err("a template with a part in it, as {{base32 8}}".to_owned()),
            _ => Ok(Self(parts)),
        }
    }
}

impl Part {
    fn read(text: &str) -> Result<Self, String> {
        let (what, modifier) =
            text.split_once('|').map_or((text, ""), |(what, modifier)| (what, modifier.trim()));
        let lower = match modifier {
            "" => false,
            "lower" => true,
            other => return Err(format!("a template whose parts are changed by lower only, not by {other}")),
        };
        let mut words = what.split_whitespace();
        let (name, length) = (words.next().unwrap_or_default(), words.next());
        if words.next().is_some() || (length.is_some() && name.ends_with("_name")) {
            return Err(format!(
                "a template whose parts are {{{{first_name}}}}, {{{{digits 6}}}} and the like, not {{{{{text}}}}}"
            ));
        }
        let length = match length.map(str::parse) {
            None => 8,
            Some(Ok(length)) if (1..=LENGTH_MAX).contains(&length) => length,
            Some(_) => return Err(format!("a template whose parts have 1 to {LENGTH_MAX} characters")),
        };
        let what = match name {
            "first_name" => What::FirstName,
            "last_name" => What::LastName,
            "digits" => What::Digits(length),
            "base32" => What::Base32(length),
            other => {
                return Err(format!("a template with first_name, last_name, digits or base32, not {other}"));
            }
        };
        Ok(Self::Made { what, lower })
    }

    fn write(&self, draws: &mut Draws, out: &mut Vec<u8>) {
        let (what, lower) = match self {
            Self::Literal(text) => return out.extend(text.as_bytes()),
            Self::Made { what, lower } => (*what, *lower),
        };
        let start = out.len();
        match what {
            What::FirstName => out.extend(name::given(draws).as_bytes()),
            What::LastName => out.extend(name::family(draws).as_bytes()),
            What::Digits(length) => out.extend((0..length).map(|_| draws.pick(b"0123456789".as_slice()))),
            What::Base32(length) => base32(draws, length, out),
        }
        if lower {
            out.iter_mut().skip(start).for_each(u8::make_ascii_lowercase);
        }
    }
}

impl Mask for Template {
    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        if text.trim().is_empty() {
            return redacted(at, out);
        }
        let mut draws = at.key.prf().lower(text.trim()).draws();
        let start = out.len();
        other_than(text, out, |out| {
            self.0.iter().for_each(|part| part.write(&mut draws, out));
            Some(())
        })?;
        fitted(at, start, out)
    }
}
