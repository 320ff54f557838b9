//! What looks for values inside of texts, as those see it that do something to what is found.

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The byte at which it begins.
    pub from: usize,
    /// The byte behind it.
    pub to: usize,
    /// Which of the kinds that are looked for it is.
    pub by: usize,
}

/// Looks for values of some kinds.
pub trait Find: std::fmt::Debug + Send + Sync {
    /// Appends where they stand, in their order, none over another.
    fn find(&self, text: &str, spans: &mut Vec<Span>);
}
