//! `category`: one of the given words, by key: equal values get equal words, and many share one.

use super::{At, Mask, fitted, lower};

#[derive(Debug)]
pub(crate) struct Category {
    pub(crate) values: Vec<String>,
}

impl Mask for Category {
    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        let words: Vec<&str> = self.values.iter().map(String::as_str).collect();
        let start = out.len();
        out.extend(at.key.prf().chars(lower(text.trim())).draws().pick(&words).as_bytes());
        fitted(at, start, out)
    }
}
