//! What is said of a column.

use crate::class::Class;

/// Personal data in a column, or in a part of its documents.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What it is.
    pub class: Class,
    /// Which number, if it is a [`Class::NationalId`] that shows by its check digits: `nl_bsn`.
    pub scheme: Option<&'static str>,
    /// Where it stands in a document: `$.customer.email`.
    pub path: Option<String>,
    /// How likely it is that it is of this class, from 0 to 1.
    pub confidence: f64,
    /// How likely it is that it is of any.
    pub personal: f64,
    /// The share of values that are such, or have such inside.
    pub share: f64,
    /// Distinct values that were looked at.
    pub values: usize,
    /// The classes that texts have inside, for [`Class::FreeText`].
    pub contains: Vec<Class>,
    /// Why it is thought so.
    pub evidence: Vec<Evidence>,
}

/// A reason for a finding.
#[derive(Clone, Debug, PartialEq)]
pub enum Evidence {
    /// What the column is called.
    Name(String),
    /// How many of the distinct values have the form, and pass the check if there is one.
    Values {
        /// As many.
        matching: usize,
        /// Of these.
        of: usize,
    },
    /// The name says so, and no values were there to look at.
    NoValues,
    /// The column refers to one of this class.
    Reference,
}

impl std::fmt::Display for Evidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(words) => write!(f, "name says \"{words}\""),
            Self::Values { matching, of } => write!(f, "{matching} of {of} values match"),
            Self::NoValues => f.write_str("no values to look at"),
            Self::Reference => f.write_str("refers to such a column"),
        }
    }
}
