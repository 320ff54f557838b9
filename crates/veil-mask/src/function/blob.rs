//! `blob`: bytes without what they held: none, zeros, or keyed ones.

use super::{At, Mask};

#[derive(Debug)]
pub(crate) struct Blob {
    pub(crate) mode: Mode,
}

/// What stands in the place of bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mode {
    Empty,
    Zeros,
    Keyed,
}

choice!(Mode, "empty" => Empty, "zeros" => Zeros, "keyed" => Keyed);

impl Mask for Blob {
    fn bytes(&self, at: &At<'_>, bytes: &[u8]) -> Option<Vec<u8>> {
        Some(match self.mode {
            Mode::Empty => Vec::new(),
            Mode::Zeros => vec![0; bytes.len()],
            Mode::Keyed => {
                let mut drawn = vec![0; bytes.len()];
                at.key.draws(bytes).fill(&mut drawn);
                drawn
            }
        })
    }
}
