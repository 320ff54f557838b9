//! `truncate`: the beginning of a text. One of which that would be half or more becomes the label.

use unicode_segmentation::UnicodeSegmentation;

use super::{At, Mask, redacted};

#[derive(Debug)]
pub(crate) struct Truncate {
    pub(crate) length: usize,
}

impl Mask for Truncate {
    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        if text.graphemes(true).count() <= self.length * 2 {
            return redacted(at, out);
        }
        out.extend(text.graphemes(true).take(self.length).flat_map(str::bytes));
        Some(())
    }
}
