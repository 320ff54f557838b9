//! What the catalogue says of a masking function, and a function with its parameters checked.
//!
//! One table (`function/catalogue.rs`) says what may be written; parsing checks against it and documentation prints it, so they agree.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use veil_model::find::Find;

use crate::function::{CATALOGUE, Mask};

/// A masking function as the catalogue describes it.
#[derive(Debug)]
pub struct Function {
    /// Name, as strategies are written.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// The types that it has masks for.
    pub takes: &'static [Takes],
    /// What holds for its masks; none if they are those of another function.
    pub tags: &'static [Guarantee],
    /// What a mask says about the value, besides what others are equal to it.
    pub leaks: &'static str,
    /// Its parameters.
    pub params: &'static [Parameter],
    pub(crate) build: fn(&Arguments<'_>) -> Result<Arc<dyn Mask>, StrategyError>,
}

/// Types of columns, as the catalogue tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Texts.
    Text,
    /// `json` and `jsonb`.
    Json,
    /// Integers and `numeric`.
    Number,
    /// `real` and `double precision`.
    Float,
    /// Dates and timestamps.
    Date,
    /// `uuid`.
    Uuid,
    /// `inet` and `cidr`.
    Inet,
    /// `macaddr` and `macaddr8`.
    Mac,
    /// `point`.
    Point,
    /// `bytea`, and binary strings of MySQL.
    Bytes,
    /// `boolean`.
    Bool,
    /// Composite types.
    Row,
}

/// What holds for the masks of a function, perhaps with some parameters only.
#[derive(Clone, Copy, Debug)]
pub struct Guarantee {
    /// What holds.
    pub tag: Tag,
    /// The parameter that it depends on, and the values of it with which it holds.
    pub with: Option<(&'static str, &'static [&'static str])>,
}

/// What may hold for masks of values that have the form which a function is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// Equal values have equal masks.
    Deterministic,
    /// No two values have one mask.
    Unique,
    /// Two values rarely have one mask, where the column is wide.
    Probable,
    /// Many values share a mask.
    Lossy,
    /// A mask looks like the value: its length, alphabet and separators.
    Format,
    /// A mask passes the checks that values of its kind pass.
    Valid,
    /// Masks come from ranges that are reserved, or say of themselves what they are: no mask is anybody's.
    Safe,
    /// Whoever has the key can find the value.
    Reversible,
    /// Order, or distances, are kept.
    Order,
}

impl Takes {
    /// Every type.
    pub const ALL: &'static [Self] = &[
        Self::Text,
        Self::Json,
        Self::Number,
        Self::Float,
        Self::Date,
        Self::Uuid,
        Self::Inet,
        Self::Mac,
        Self::Point,
        Self::Bytes,
        Self::Bool,
    ];

    /// How documentation calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Number => "number",
            Self::Float => "float",
            Self::Date => "date",
            Self::Uuid => "uuid",
            Self::Inet => "inet",
            Self::Mac => "macaddr",
            Self::Point => "point",
            Self::Bytes => "bytes",
            Self::Bool => "boolean",
            Self::Row => "composite",
        }
    }
}

impl Tag {
    /// How documentation calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deterministic => "deterministic",
            Self::Unique => "unique",
            Self::Probable => "probable",
            Self::Lossy => "lossy",
            Self::Format => "format",
            Self::Valid => "valid",
            Self::Safe => "safe",
            Self::Reversible => "reversible",
            Self::Order => "order",
        }
    }
}

/// A parameter of a masking function.
#[derive(Debug)]
pub struct Parameter {
    /// Name.
    pub name: &'static str,
    /// What values it takes.
    pub kind: ParameterKind,
    /// The value when it is left out; `None` if it must be given.
    pub default: Option<&'static str>,
    /// What it is for.
    pub what: &'static str,
}

/// The values that a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// Text of at most 256 characters without control characters.
    Text,
    /// One printable ASCII character, which fits every text type.
    Character,
    /// A whole number, both ends included.
    Int {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// True or false.
    Bool,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// Text, a whole number or a truth value, in the form that the column's type reads.
    Any,
    /// A list of texts.
    Texts,
    /// Texts with a text for each.
    Pairs,
    /// Paths with a function for each; they may stand beside the other parameters.
    Functions,
}

/// A parameter's value as it was written.
#[derive(Clone, Debug, PartialEq)]
pub enum Param {
    /// Text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A truth value.
    Bool(bool),
    /// Texts.
    Texts(Vec<String>),
    /// Texts with a text for each.
    Pairs(Vec<(String, String)>),
    /// Paths with a function for each.
    Functions(Vec<(String, Strategy)>),
}

/// What is wrong with a strategy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrategyError {
    /// No function has this name.
    #[error("unknown function `{name}`; known: {known}")]
    UnknownFunction {
        /// The name given.
        name: String,
        /// The names there are, separated by commas.
        known: String,
    },
    /// The function does not take this parameter.
    #[error("`{function}` has no parameter `{parameter}`; known: {known}")]
    UnknownParameter {
        /// The function.
        function: &'static str,
        /// The parameter given.
        parameter: String,
        /// The parameters there are, separated by commas.
        known: String,
    },
    /// A parameter without a default is not given.
    #[error("`{function}` needs the parameter `{parameter}`")]
    MissingParameter {
        /// The function.
        function: &'static str,
        /// The parameter left out.
        parameter: &'static str,
    },
    /// A parameter's value has the wrong type or is out of range.
    #[error("parameter `{parameter}` of `{function}` must be {expected}")]
    BadParameter {
        /// The function.
        function: &'static str,
        /// The parameter.
        parameter: &'static str,
        /// What it takes.
        expected: String,
    },
}

/// Gives what finds values of kinds with these names; `None` if one is not known.
pub type Finders = fn(&[&str]) -> Option<Arc<dyn Find>>;

/// A masking function with checked parameters.
#[derive(Clone)]
pub struct Strategy {
    function: &'static Function,
    params: BTreeMap<String, Param>,
    mask: Arc<dyn Mask>,
}

impl std::fmt::Debug for Strategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct(self.function.name).field("params", &self.params).finish()
    }
}

impl PartialEq for Strategy {
    fn eq(&self, other: &Self) -> bool {
        self.function.name == other.function.name && self.params == other.params
    }
}

impl Strategy {
    /// Checks a function's name and parameters, of one that looks for nothing inside of values.
    ///
    /// # Errors
    /// Every fault found: an unknown function or parameter, a missing one, a value of the wrong type or range.
    pub fn parse(name: &str, params: &BTreeMap<String, Param>) -> Result<Self, Vec<StrategyError>> {
        Self::parse_with(name, params, |_| None)
    }

    /// The same of any function, with what finds values inside of others.
    ///
    /// # Errors
    /// Every fault found.
    pub fn parse_with(
        name: &str,
        params: &BTreeMap<String, Param>,
        finders: Finders,
    ) -> Result<Self, Vec<StrategyError>> {
        let Some(function) = CATALOGUE.iter().find(|function| function.name == name) else {
            let known = join(CATALOGUE.iter().map(|function| function.name));
            return Err(vec![StrategyError::UnknownFunction { name: name.to_owned(), known }]);
        };
        let faults: Vec<_> = function.faults(params).collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        let mask = (function.build)(&Arguments { function, params, finders }).map_err(|fault| vec![fault])?;
        Ok(Self { function, params: params.clone(), mask })
    }

    /// The function's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.function.name
    }

    /// Whether it masks what stands at a path of a document (RFC 9535); all of it without.
    #[must_use]
    pub fn covers(&self, path: Option<&str>) -> bool {
        self.mask.covers(path)
    }

    /// What the catalogue says of the function.
    #[must_use]
    pub const fn function(&self) -> &'static Function {
        self.function
    }

    /// Whether this holds for its masks, with its parameters.
    #[must_use]
    pub fn is(&self, tag: Tag) -> bool {
        if let ([], [like]) = (self.function.tags, self.mask.inner()) {
            return tag != Tag::Reversible && like.is(tag);
        }
        self.function.tags.iter().any(|guarantee| guarantee.tag == tag && self.holds(guarantee.with))
    }

    fn holds(&self, with: Option<(&str, &[&str])>) -> bool {
        let Some((name, words)) = with else { return true };
        let default = self.function.params.iter().find(|parameter| parameter.name == name);
        let value = match self.params.get(name) {
            Some(Param::Text(text)) => text.clone(),
            Some(Param::Bool(truth)) => truth.to_string(),
            _ => default.and_then(|parameter| parameter.default).unwrap_or_default().to_owned(),
        };
        words.contains(&value.as_str())
    }

    /// The parameters that were given.
    #[must_use]
    pub const fn params(&self) -> &BTreeMap<String, Param> {
        &self.params
    }

    /// Every function there is.
    #[must_use]
    pub const fn catalogue() -> &'static [Function] {
        CATALOGUE
    }

    pub(crate) fn mask(&self) -> &dyn Mask {
        self.mask.as_ref()
    }
}

impl Function {
    fn faults(&self, params: &BTreeMap<String, Param>) -> impl Iterator<Item = StrategyError> {
        let unknown = params
            .keys()
            .filter(|name| self.params.iter().all(|parameter| parameter.name != name.as_str()))
            .map(|name| StrategyError::UnknownParameter {
                function: self.name,
                parameter: name.clone(),
                known: join(self.params.iter().map(|parameter| parameter.name)),
            });
        let bad = self.params.iter().filter_map(|parameter| match params.get(parameter.name) {
            None if parameter.default.is_some() => None,
            None => Some(StrategyError::MissingParameter { function: self.name, parameter: parameter.name }),
            Some(value) if parameter.kind.takes(value) => None,
            Some(_) => Some(self.bad(parameter)),
        });
        unknown.chain(bad)
    }

    fn bad(&self, parameter: &Parameter) -> StrategyError {
        StrategyError::BadParameter {
            function: self.name,
            parameter: parameter.name,
            expected: parameter.kind.to_string(),
        }
    }
}

/// Texts that a parameter may list.
const LIST_MAX: usize = 10_000;

impl ParameterKind {
    fn takes(self, value: &Param) -> bool {
        match (self, value) {
            (Self::Text | Self::Any, Param::Text(text)) => {
                text.chars().count() <= 256 && !text.chars().any(char::is_control)
            }
            (Self::Character, Param::Text(text)) => {
                matches!(text.as_bytes(), &[byte] if byte.is_ascii_graphic() || byte == b' ')
            }
            (Self::Int { min, max }, Param::Int(value)) => (min..=max).contains(value),
            (Self::Choice(words), Param::Text(text)) => words.contains(&text.as_str()),
            (Self::Bool | Self::Any, Param::Bool(_)) | (Self::Any, Param::Int(_)) => true,
            (Self::Functions, Param::Functions(functions)) => !functions.is_empty(),
            (Self::Texts, Param::Texts(texts)) => !texts.is_empty() && texts.len() <= LIST_MAX,
            (Self::Pairs, Param::Pairs(pairs)) => pairs.len() <= LIST_MAX,
            _ => false,
        }
    }
}

impl std::fmt::Display for ParameterKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text => f.write_str("text of at most 256 characters"),
            Self::Character => f.write_str("one printable ASCII character"),
            Self::Int { min, max } => write!(f, "a whole number from {min} to {max}"),
            Self::Bool => f.write_str("true or false"),
            Self::Choice(words) => write!(f, "one of {}", join(words.iter().copied())),
            Self::Any => f.write_str("text of at most 256 characters, a whole number, or true or false"),
            Self::Texts => f.write_str("a list of 1 to 10,000 texts"),
            Self::Pairs => f.write_str("at most 10,000 texts with a text for each"),
            Self::Functions => f.write_str("paths with a masking function for each"),
        }
    }
}

/// The checked parameters of one function, defaults filled in.
#[derive(Debug)]
pub(crate) struct Arguments<'a> {
    function: &'static Function,
    params: &'a BTreeMap<String, Param>,
    pub(crate) finders: Finders,
}

impl Arguments<'_> {
    /// What is wrong with a parameter, where its kind alone does not say it.
    pub(crate) fn wrong(&self, parameter: &'static str, expected: impl ToString) -> StrategyError {
        StrategyError::BadParameter {
            function: self.function.name,
            parameter,
            expected: expected.to_string(),
        }
    }

    /// A list of texts; none if it is left out.
    pub(crate) fn texts(&self, parameter: &str) -> &[String] {
        match self.params.get(parameter) {
            Some(Param::Texts(texts)) => texts,
            _ => &[],
        }
    }

    /// Texts with a text for each.
    pub(crate) fn pairs(&self, parameter: &str) -> &[(String, String)] {
        match self.params.get(parameter) {
            Some(Param::Pairs(pairs)) => pairs,
            _ => &[],
        }
    }

    /// Paths with a function for each.
    pub(crate) fn functions(&self, parameter: &str) -> &[(String, Strategy)] {
        match self.params.get(parameter) {
            Some(Param::Functions(functions)) => functions,
            _ => &[],
        }
    }

    /// The value of `parameter`, read from its text form.
    pub(crate) fn value<T: FromStr>(&self, parameter: &'static str) -> Result<T, StrategyError> {
        let function = self.function.name;
        let missing = || StrategyError::MissingParameter { function, parameter };
        let known = self.function.params.iter().find(|known| known.name == parameter).ok_or_else(missing)?;
        let value = match self.params.get(parameter) {
            Some(Param::Text(text)) => text.parse(),
            Some(Param::Int(number)) => number.to_string().parse(),
            Some(Param::Bool(truth)) => truth.to_string().parse(),
            Some(_) => return Err(self.function.bad(known)),
            None => known.default.ok_or_else(missing)?.parse(),
        };
        value.map_err(|_| self.function.bad(known))
    }
}

fn join<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str, params: &[(&str, Param)]) -> Result<Strategy, Vec<String>> {
        let params = params.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Strategy::parse_with(name, &params, veil_detect::finder)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    fn text(text: &str) -> Param {
        Param::Text(text.to_owned())
    }

    /// A value that a parameter takes.
    fn value(parameter: &Parameter) -> Param {
        match parameter.kind {
            ParameterKind::Int { max, .. } => Param::Int(max),
            ParameterKind::Choice(words) => text(words[0]),
            ParameterKind::Texts => Param::Texts(vec!["x".to_owned()]),
            ParameterKind::Pairs => Param::Pairs(vec![]),
            ParameterKind::Functions => {
                let of = if parameter.name == "entities" { "email" } else { "$.a" };
                Param::Functions(vec![(of.to_owned(), Strategy::parse("null", &BTreeMap::new()).unwrap())])
            }
            _ if parameter.name == "template" => text("{{digits 3}}"),
            _ => text("x"),
        }
    }

    #[test]
    fn every_function_builds_from_its_defaults() {
        for function in Strategy::catalogue() {
            let required = function.params.iter().filter(|parameter| parameter.default.is_none());
            let params = required.map(|parameter| (parameter.name, value(parameter))).collect::<Vec<_>>();
            let strategy = parse(function.name, &params).unwrap();
            assert_eq!(strategy.name(), function.name);
            assert_eq!(strategy, strategy.clone());
            assert!(function.summary.ends_with('.'));
        }
    }

    #[test]
    fn every_default_is_a_value_that_its_kind_takes() {
        for parameter in Strategy::catalogue().iter().flat_map(|function| function.params) {
            let Some(default) = parameter.default else { continue };
            let value = match parameter.kind {
                ParameterKind::Int { .. } => Param::Int(default.parse().unwrap()),
                ParameterKind::Bool => Param::Bool(default.parse().unwrap()),
                _ => text(default),
            };
            assert!(parameter.kind.takes(&value), "{}", parameter.name);
        }
    }

    /// A function, its parameters, and the faults.
    type Case<'a> = (&'a str, &'a [(&'a str, Param)], &'a [&'a str]);

    #[test]
    fn every_fault_is_reported() {
        let cases: &[Case<'_>] = &[
            (
                "emial",
                &[],
                &[
                    "unknown function `emial`; known: null, default, redact, secret, constant, partial, truncate, regex, hash, fpe, \
                     token, int_perm, uuid_perm, email, name, username, company, phone, address, postcode, geo, credit_card, iban, ssn, \
                     national_id, passport, date_shift, date_truncate, number, boolean, canary, category, lookup, template, text_entities, ip, mac, composite, url, json, blob",
                ],
            ),
            ("constant", &[], &["`constant` needs the parameter `value`"]),
            ("ssn", &[("a", Param::Int(1))], &["`ssn` has no parameter `a`; known: "]),
            (
                "partial",
                &[("firs", Param::Int(1)), ("last", text("4")), ("fill", text("ab"))],
                &[
                    "`partial` has no parameter `firs`; known: first, last, fill, keep_punctuation",
                    "parameter `last` of `partial` must be a whole number from 0 to 64",
                    "parameter `fill` of `partial` must be one printable ASCII character",
                ],
            ),
            (
                "hash",
                &[("length", Param::Int(7))],
                &["parameter `length` of `hash` must be a whole number from 8 to 64"],
            ),
            (
                "name",
                &[("part", text("middle"))],
                &["parameter `part` of `name` must be one of full, first, last"],
            ),
            (
                "redact",
                &[("label", text("a\0b"))],
                &["parameter `label` of `redact` must be text of at most 256 characters"],
            ),
            (
                "email",
                &[("keep_domain", text("true"))],
                &["parameter `keep_domain` of `email` must be true or false"],
            ),
        ];
        for (name, params, faults) in cases {
            assert_eq!(parse(name, params).unwrap_err(), *faults);
        }
    }
}
