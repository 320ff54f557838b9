//! The masking functions: which types each suits, and the way from a cell to its mask.
//!
//! A function sees a text, an exact number or a date, never a wire format; what is read here from text and from
//! binary is the same value, so the masks are the same.

mod credit_card;
mod date_shift;
mod email;
mod hash;
mod name;
mod partial;
mod phone;
mod ssn;

use veil_model::Format;

use crate::key::FunctionKey;
use crate::kind::{Kind, Limit};
use crate::number::Number;
use crate::strategy::{Arguments, StrategyError};

use name::given_name;

#[cfg(test)]
pub(crate) use credit_card::luhn;

/// Candidates drawn before a value that every one of them equals becomes NULL.
const CANDIDATES_MAX: usize = 64;

/// Shown by `email`, `phone` and the like for a text that is not what they mask.
const LABEL: &str = "[REDACTED]";

/// A masking function with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Call {
    Null,
    Redact(String),
    Constant(String),
    Partial(partial::Cover),
    Hash { length: usize },
    Email { keep_domain: bool },
    Phone,
    Name(name::Part),
    Ssn,
    CreditCard { keep_last4: bool },
    DateShift { days: u32 },
}

impl Call {
    pub(crate) fn build(arguments: &Arguments<'_>) -> Result<Self, StrategyError> {
        Ok(match arguments.function() {
            "redact" => Self::Redact(arguments.value("label")?),
            "constant" => Self::Constant(arguments.value("value")?),
            "partial" => Self::Partial(partial::Cover {
                first: arguments.value("first")?,
                last: arguments.value("last")?,
                fill: arguments.value("fill")?,
            }),
            "hash" => Self::Hash { length: arguments.value("length")? },
            "email" => Self::Email { keep_domain: arguments.value("keep_domain")? },
            "phone" => Self::Phone,
            "name" => Self::Name(arguments.value("part")?),
            "ssn" => Self::Ssn,
            "credit_card" => Self::CreditCard { keep_last4: arguments.value("keep_last4")? },
            "date_shift" => Self::DateShift { days: arguments.value("days")? },
            _ => Self::Null,
        })
    }

    /// Whether a keyed or partial mask has a value for cells of `kind`.
    pub(crate) fn suits(&self, kind: Kind) -> bool {
        let holds = |number: u64| kind.number_max().is_some_and(|max| max >= number);
        match self {
            Self::Null | Self::Redact(_) | Self::Constant(_) => false,
            Self::Partial(_) | Self::Email { .. } | Self::Name(_) => kind.is_text() || kind.is_json(),
            Self::Hash { .. } => {
                let other = matches!(kind, Kind::Float4 | Kind::Float8 | Kind::Uuid | Kind::Bytea);
                kind.is_text() || kind.is_json() || other || holds(9)
            }
            Self::Phone => kind.is_text() || kind.is_json() || holds(phone::NUMBER_MAX),
            Self::Ssn => kind.is_text() || kind.is_json() || holds(ssn::NUMBER_MAX),
            Self::CreditCard { .. } => kind.is_text() || kind.is_json() || holds(credit_card::NUMBER_MIN),
            Self::DateShift { .. } => {
                kind.is_text() || matches!(kind, Kind::Date | Kind::Timestamp | Kind::TimestampTz)
            }
        }
    }

    /// Masks one cell of a kind that suits; `None` makes it NULL.
    pub(crate) fn mask(
        &self,
        key: &FunctionKey,
        kind: Kind,
        format: Format,
        cell: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<()> {
        match kind {
            Kind::Text(limit) => self.text(key, std::str::from_utf8(cell).ok()?, limit, out),
            Kind::Padded(limit) => {
                self.text(key, std::str::from_utf8(cell).ok()?.trim_end_matches(' '), limit, out)
            }
            Kind::Char => self.single(key, format, cell, out),
            Kind::Json => self.json(key, cell, out),
            Kind::Jsonb if format == Format::Text => self.json(key, cell, out),
            Kind::Jsonb => {
                out.push(1);
                self.json(key, cell.strip_prefix(&[1])?, out)
            }
            Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Ranged(_) | Kind::Numeric(_) => {
                let masked = self.number(key, kind, &Number::read(kind, format, cell)?)?;
                Number::write(kind, format, masked, out)
            }
            Kind::Float4 | Kind::Float8 => hash::float(key, kind, format, cell, out),
            Kind::Uuid => hash::uuid(key, format, cell, out),
            Kind::Bytea => hash::bytea(key, format, cell, out),
            Kind::Date | Kind::Timestamp | Kind::TimestampTz => {
                let Self::DateShift { days } = *self else { return None };
                date_shift::moment(key, days, kind, format, cell, out)
            }
            Kind::Bool | Kind::Inet => None,
        }
    }

    fn text(&self, key: &FunctionKey, text: &str, limit: Limit, out: &mut Vec<u8>) -> Option<()> {
        match self {
            Self::Null | Self::Redact(_) | Self::Constant(_) => None,
            Self::Partial(cover) => cover.text(text, out),
            Self::Hash { length } => hash::text(key, *length, text, limit, out),
            Self::Email { keep_domain } => email::text(key, *keep_domain, text, limit, out),
            Self::Phone => phone::text(key, text, limit, out),
            Self::Name(part) => part.text(key, text, limit, out),
            Self::Ssn => ssn::text(key, text, limit, out),
            Self::CreditCard { keep_last4 } => credit_card::text(key, *keep_last4, text, limit, out),
            Self::DateShift { days } => date_shift::text(key, *days, text, out),
        }
    }

    fn number(&self, key: &FunctionKey, kind: Kind, number: &Number) -> Option<u64> {
        match self {
            Self::Hash { .. } => hash::number(key, kind, number),
            Self::Phone => phone::number(key, number),
            Self::Ssn => ssn::number(key, number),
            Self::CreditCard { keep_last4 } => {
                credit_card::number(key, *keep_last4, number, kind.number_max()?)
            }
            _ => None,
        }
    }

    /// `"char"`: one byte, which text writes as `\ooo` from 128 on and leaves out when it is 0. Such a byte stands
    /// for the Latin-1 character, as it belongs to no text in UTF-8.
    fn single(&self, key: &FunctionKey, format: Format, cell: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let octal = |byte: u8| char::from(byte).to_digit(8);
        let byte = match (format, cell) {
            (Format::Text, []) => 0,
            (Format::Text, &[b'\\', a, b, c]) => {
                u8::try_from(octal(a)? * 64 + octal(b)? * 8 + octal(c)?).ok()?
            }
            (_, &[byte]) => byte,
            _ => return None,
        };
        let mut buffer = [0; 4];
        let text: &str = if byte == 0 { "" } else { char::from(byte).encode_utf8(&mut buffer) };
        let start = out.len();
        self.text(key, text, Limit::CHAR, out)?;
        if format == Format::Binary && out.len() == start {
            out.push(0);
        }
        Some(())
    }

    /// Masks a document that is a string as its text. `hash` takes any document, the others make it NULL.
    fn json(&self, key: &FunctionKey, document: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let mut masked = Vec::new();
        match (self, serde_json::from_slice(document).ok()?) {
            (_, serde_json::Value::String(text)) => self.text(key, &text, Limit::NONE, &mut masked)?,
            // Printing sorts the keys and drops the blanks, so that equal documents hash alike.
            (Self::Hash { length }, document) => {
                hash::text(key, *length, &document.to_string(), Limit::NONE, &mut masked)?;
            }
            _ => return None,
        }
        serde_json::to_writer(out, std::str::from_utf8(&masked).ok()?).ok()
    }
}

/// Appends the label for a text that is not what a function masks.
fn redacted(limit: Limit, out: &mut Vec<u8>) {
    out.extend(limit.cut(LABEL).as_bytes());
}
