//! The catalogue of masking functions, and a function with its parameters checked.
//!
//! One table says what may be written; parsing checks against it and documentation prints it, so they agree.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::function::Call;

/// A masking function as the catalogue describes it.
#[derive(Debug)]
pub struct Function {
    /// Name, as strategies are written.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// What it takes.
    pub params: &'static [Parameter],
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
}

/// A parameter's value as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Param {
    /// Text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A truth value.
    Bool(bool),
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

/// A masking function with checked parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Strategy {
    function: &'static str,
    pub(crate) call: Call,
}

impl Strategy {
    /// Checks a function's name and parameters.
    ///
    /// # Errors
    /// Every fault found: an unknown function or parameter, a missing one, a value of the wrong type or range.
    pub fn parse(name: &str, params: &BTreeMap<String, Param>) -> Result<Self, Vec<StrategyError>> {
        let Some(function) = CATALOGUE.iter().find(|function| function.name == name) else {
            let known = join(CATALOGUE.iter().map(|function| function.name));
            return Err(vec![StrategyError::UnknownFunction { name: name.to_owned(), known }]);
        };
        let faults: Vec<_> = function.faults(params).collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        let call = Call::build(&Arguments { function, params }).map_err(|fault| vec![fault])?;
        Ok(Self { function: function.name, call })
    }

    /// The function's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.function
    }

    /// Every function there is.
    #[must_use]
    pub const fn catalogue() -> &'static [Function] {
        CATALOGUE
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
        }
    }
}

/// The checked parameters of one function, defaults filled in.
pub(crate) struct Arguments<'a> {
    function: &'static Function,
    params: &'a BTreeMap<String, Param>,
}

impl Arguments<'_> {
    pub(crate) const fn function(&self) -> &'static str {
        self.function.name
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
            None => known.default.ok_or_else(missing)?.parse(),
        };
        value.map_err(|_| self.function.bad(known))
    }
}

fn join<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

const CATALOGUE: &[Function] = &[
    Function { name: "null", summary: "Replaces every value of any type by NULL.", params: &[] },
    Function {
        name: "redact",
        summary: "Replaces texts by a label, and values of other types by the type's zero.",
        params: &[Parameter {
            name: "label",
            kind: ParameterKind::Text,
            default: Some("[REDACTED]"),
            what: "text shown instead, cut to the column's length",
        }],
    },
    Function {
        name: "constant",
        summary: "Replaces every value by one value, which the column's type must be able to hold.",
        params: &[Parameter {
            name: "value",
            kind: ParameterKind::Any,
            default: None,
            what: "value shown instead, in the form that the column's type reads",
        }],
    },
    Function {
        name: "partial",
        summary: "Keeps the first and last characters of a text and covers the others, keeping its length; \
                  covers everything if it would show half of the text or more.",
        params: &[
            Parameter {
                name: "first",
                kind: ParameterKind::Int { min: 0, max: 64 },
                default: Some("0"),
                what: "characters kept at the beginning",
            },
            Parameter {
                name: "last",
                kind: ParameterKind::Int { min: 0, max: 64 },
                default: Some("4"),
                what: "characters kept at the end",
            },
            Parameter {
                name: "fill",
                kind: ParameterKind::Character,
                default: Some("*"),
                what: "character that covers the others",
            },
        ],
    },
    Function {
        name: "hash",
        summary: "Replaces a value by a keyed digest of the same type, the same for equal values.",
        params: &[Parameter {
            name: "length",
            kind: ParameterKind::Int { min: 8, max: 64 },
            default: Some("32"),
            what: "hexadecimal digits of a text digest, cut to the column's length",
        }],
    },
    Function {
        name: "email",
        summary: "Replaces an email address by an invented one in a domain reserved for examples.",
        params: &[Parameter {
            name: "keep_domain",
            kind: ParameterKind::Bool,
            default: Some("false"),
            what: "whether the address keeps its own domain",
        }],
    },
    Function {
        name: "phone",
        summary: "Replaces a phone number by one from a range reserved for fiction; many numbers share a mask.",
        params: &[],
    },
    Function {
        name: "name",
        summary: "Replaces a person's name by another one; many names share a mask.",
        params: &[Parameter {
            name: "part",
            kind: ParameterKind::Choice(&["full", "first", "last"]),
            default: Some("full"),
            what: "which part of a name the column holds",
        }],
    },
    Function {
        name: "ssn",
        summary: "Replaces a US social security number by one from the areas that are never issued.",
        params: &[],
    },
    Function {
        name: "credit_card",
        summary: "Replaces a card number by one with a valid check digit and a prefix that no scheme is known to use.",
        params: &[Parameter {
            name: "keep_last4",
            kind: ParameterKind::Bool,
            default: Some("false"),
            what: "whether the number keeps its last four digits",
        }],
    },
    Function {
        name: "date_shift",
        summary: "Moves a date by a number of days that depends on the date, keeping the time of day.",
        params: &[Parameter {
            name: "days",
            kind: ParameterKind::Int { min: 1, max: 3650 },
            default: Some("365"),
            what: "days that a date moves at most, forwards or backwards",
        }],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str, params: &[(&str, Param)]) -> Result<Strategy, Vec<String>> {
        let params = params.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Strategy::parse(name, &params).map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    fn text(text: &str) -> Param {
        Param::Text(text.to_owned())
    }

    #[test]
    fn every_function_builds_from_its_defaults() {
        for function in Strategy::catalogue() {
            let required = function.params.iter().filter(|parameter| parameter.default.is_none());
            let params = required.map(|parameter| (parameter.name, text("x"))).collect::<Vec<_>>();
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
                    "unknown function `emial`; known: null, redact, constant, partial, hash, email, phone, name, \
                   ssn, credit_card, date_shift",
                ],
            ),
            ("constant", &[], &["`constant` needs the parameter `value`"]),
            ("phone", &[("a", Param::Int(1))], &["`phone` has no parameter `a`; known: "]),
            (
                "partial",
                &[("firs", Param::Int(1)), ("last", text("4")), ("fill", text("ab"))],
                &[
                    "`partial` has no parameter `firs`; known: first, last, fill",
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
