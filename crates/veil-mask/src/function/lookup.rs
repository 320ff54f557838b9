//! `lookup`: what a list says stands for a text; what it does not have becomes the label, or NULL.

use std::collections::HashMap;

use super::{At, Mask, fitted, lower, redacted};

#[derive(Debug)]
pub(crate) struct Lookup {
    /// By the text in small letters without blanks around it.
    pub(crate) values: HashMap<String, String>,
    pub(crate) otherwise: Otherwise,
}

/// What becomes of other texts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Otherwise {
    Redact,
    Null,
}

choice!(Otherwise, "redact" => Redact, "null" => Null);

impl Lookup {
    pub(crate) fn new(pairs: &[(String, String)], otherwise: Otherwise) -> Self {
        let values = pairs.iter().map(|(from, to)| (folded(from), to.clone())).collect();
        Self { values, otherwise }
    }
}

fn folded(text: &str) -> String {
    lower(text.trim()).collect()
}

impl Mask for Lookup {
    fn makes_only(&self, words: &[String]) -> bool {
        self.otherwise == Otherwise::Null && self.values.values().all(|value| words.contains(value))
    }

    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        match (self.values.get(&folded(text)), self.otherwise) {
            (Some(to), _) => {
                let start = out.len();
                out.extend(to.as_bytes());
                fitted(at, start, out)
            }
            (None, Otherwise::Redact) => redacted(at, out),
            (None, Otherwise::Null) => None,
        }
    }
}
