//! `category`: one of the given words, by key: equal values get equal words, and many share one.

use super::{At, Mask, fitted};

#[derive(Debug)]
pub(crate) struct Category {
    pub(crate) values: Vec<String>,
}

impl Mask for Category {
    fn room(&self) -> Option<u64> {
        u64::try_from(self.values.len()).ok()
    }

    fn makes_only(&self, words: &[String]) -> bool {
        self.values.iter().all(|value| words.contains(value))
    }

    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        let count = u64::try_from(self.values.len()).ok()?;
        let drawn = at.key.prf().lower(text.trim()).draws().below(count);
        let start = out.len();
        out.extend(self.values.get(usize::try_from(drawn).ok()?)?.as_bytes());
        fitted(at, start, out)
    }
}
