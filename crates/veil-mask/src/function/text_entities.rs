//! `text_entities`: masks each value of some kinds inside a free text by a function of its own, so that it has the mask that a column of
//! it would have. What is not found is shown. Where values stand is found by what the strategy was given to find them.

use std::sync::Arc;

use veil_model::find::Find;

use super::{At, LABEL, Mask, fitted, redacted};
use crate::kind::{Kind, Limit};
use crate::strategy::Strategy;

#[derive(Debug)]
pub(crate) struct TextEntities {
    /// Finds values of kinds in the order of the functions.
    pub(crate) finder: Arc<dyn Find>,
    pub(crate) functions: Vec<Strategy>,
}

/// Bytes of a text.
const TEXT_MAX: usize = 1 << 20;

impl Mask for TextEntities {
    fn inner(&self) -> &[Strategy] {
        &self.functions
    }

    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        at.masks()?;
        if text.len() > TEXT_MAX {
            return redacted(at, out);
        }
        let mut spans = Vec::new();
        self.finder.find(text, &mut spans);
        let (start, mut shown) = (out.len(), 0);
        for span in spans {
            out.extend(text.get(shown..span.from)?.as_bytes());
            let (masked, found) = (out.len(), text.get(span.from..span.to)?);
            if at.inner.get(span.by)?.value(Kind::Text(Limit::NONE), found, out).is_none() {
                out.truncate(masked);
                out.extend(LABEL.as_bytes());
            }
            shown = span.to;
        }
        out.extend(text.get(shown..)?.as_bytes());
        fitted(at, start, out)
    }
}
