//! `regex`: replaces all that a pattern finds in a text. A text in which it finds nothing, or that stays as it is, becomes the label.
//!
//! Each search takes time in proportion to the text, whatever the pattern is; texts and results that are too long become the label. What the pattern does
//! not find is shown, and places without characters are not found.

use regex::Regex;

use super::{At, Mask, fitted, redacted};

#[derive(Debug)]
pub(crate) struct Replace {
    pub(crate) pattern: Regex,
    pub(crate) replace: String,
}

/// Bytes of a text, and of what becomes of it.
const TEXT_MAX: usize = 16 << 10;

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
        if text.len() > TEXT_MAX {
            return redacted(at, out);
        }
        let mut replaced = String::new();
        let mut shown = 0;
        for found in self.pattern.captures_iter(text) {
            let whole = found.get_match();
            if whole.is_empty() {
                continue;
            }
            replaced.push_str(text.get(shown..whole.start())?);
            found.expand(&self.replace, &mut replaced);
            shown = whole.end();
            if replaced.len() > TEXT_MAX {
                return redacted(at, out);
            }
        }
        replaced.push_str(text.get(shown..)?);
        if replaced == text {
            return redacted(at, out);
        }
        let start = out.len();
        out.extend(replaced.as_bytes());
        fitted(at, start, out)
    }
}
