//! `regex`: replaces all that a pattern finds in a text. A text in which it finds nothing, or that stays as it is, becomes the label.
//!
//! The engine takes time in proportion to the text, whatever the pattern is. What the pattern does not find is shown.

use regex::Regex;

use super::{At, Mask, fitted, redacted};

#[derive(Debug)]
pub(crate) struct Replace {
    pub(crate) pattern: Regex,
    pub(crate) replace: String,
}

/// A compiled pattern takes no more bytes than this.
const PATTERN_BYTES_MAX: usize = 1 << 20;

impl Replace {
    /// Compiles the pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn new(pattern: &str, replace: String) -> Result<Self, regex::Error> {
        let pattern = regex::RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).build()?;
        Ok(Self { pattern, replace })
    }
}

impl Mask for Replace {
    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        let replaced = self.pattern.replace_all(text, self.replace.as_str());
        if replaced == text {
            return redacted(at, out);
        }
        let start = out.len();
        out.extend(replaced.as_bytes());
        fitted(at, start, out)
    }
}
