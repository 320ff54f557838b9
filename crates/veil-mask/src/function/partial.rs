//! `partial`: keeps the ends of a text and covers the rest.
//!
//! Not keyed: equal texts give equal masks, and unequal ones may. Characters are what readers take for one (grapheme clusters).

use unicode_segmentation::UnicodeSegmentation;

use super::{At, Mask};

/// How many characters to keep, and what covers the others.
#[derive(Debug)]
pub(crate) struct Partial {
    pub(crate) first: usize,
    pub(crate) last: usize,
    pub(crate) fill: char,
    pub(crate) keep_punctuation: bool,
}

impl Mask for Partial {
    /// Keeps the length, so the mask fits wherever the text did. An empty text has nothing to cover.
    fn text(&self, _at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        let clusters = clusters(text);
        let length = clusters.len();
        if length == 0 {
            return None;
        }
        // Marks that are kept tell little, and do not count for what is shown.
        let counts = |range: std::ops::Range<usize>| {
            let clusters = clusters.get(range).unwrap_or_default();
            clusters.iter().filter(|cluster| !self.is_punctuation(cluster)).count()
        };
        let (all, ends) = (counts(0..length), self.first + self.last);
        let shows_too_much = ends >= length
            || (all - counts(self.first..length - self.last)) * 2 >= all
            || (length - all) * 2 >= length;
        let covered = if shows_too_much { 0..length } else { self.first..length - self.last };
        let clusters = || clusters.iter().copied().enumerate();
        let is_shown = |at: usize, cluster: &str| {
            !covered.contains(&at) || (!shows_too_much && self.is_punctuation(cluster))
        };
        // A text that is covered already would come out unchanged.
        let mut fill = [0; 4];
        let fill = self.fill.encode_utf8(&mut fill);
        let is_covered = clusters().all(|(at, cluster)| is_shown(at, cluster) || cluster == fill);
        let fill = match (is_covered, self.fill) {
            (false, _) => &*fill,
            (true, '*') => "#",
            (true, _) => "*",
        };
        for (at, cluster) in clusters() {
            out.extend(if is_shown(at, cluster) { cluster } else { fill }.as_bytes());
        }
        Some(())
    }
}

/// What readers take for characters; in ASCII each byte is one, but for the end of a line.
fn clusters(text: &str) -> Vec<&str> {
    if text.is_ascii() && !text.contains('\r') {
        return (0..text.len()).filter_map(|at| text.get(at..=at)).collect();
    }
    text.graphemes(true).collect()
}

impl Partial {
    /// Marks in ASCII, which no name is spelt with.
    fn is_punctuation(&self, cluster: &str) -> bool {
        self.keep_punctuation
            && matches!(cluster.as_bytes(), [byte] if byte.is_ascii_punctuation() || *byte == b' ')
    }
}
