//! `postcode`: digits and letters replaced by keyed ones, but for so many at the beginning, which say the region.

use super::{At, CANDIDATES_MAX, Mask, redacted, shape};

#[derive(Debug)]
pub(crate) struct Postcode {
    pub(crate) keep_first: usize,
}

impl Mask for Postcode {
    /// A text without letters or digits behind what is kept, or with anything but these, blanks and dashes, becomes the label.
    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        let symbols = text.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_uppercase());
        let symbols: Vec<u8> = symbols.collect();
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-'));
        if !plain || symbols.len() <= self.keep_first {
            return redacted(at, out);
        }
        let mut draws = at.key.draws(&symbols);
        let start = out.len();
        for _ in 0..CANDIDATES_MAX {
            let mut left = self.keep_first;
            for byte in text.bytes() {
                out.push(match shape::class(byte) {
                    Some((base, count)) if left == 0 => {
                        base + u8::try_from(draws.below(count.into())).ok()?
                    }
                    class => {
                        left -= usize::from(class.is_some());
                        byte
                    }
                });
            }
            if out.get(start..)? != text.as_bytes() {
                return Some(());
            }
            out.truncate(start);
        }
        None
    }
}
