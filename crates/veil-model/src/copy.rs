//! How COPY writes rows.

/// The format of COPY data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyLayout {
    /// Lines of cells with a delimiter between them, characters escaped by a backslash.
    Text {
        /// Between cells.
        delimiter: u8,
        /// What stands for NULL.
        null: Box<[u8]>,
        /// The first line holds names.
        header: bool,
    },
    /// Lines of cells that may be quoted.
    Csv {
        /// Between cells.
        delimiter: u8,
        /// Around cells.
        quote: u8,
        /// Before a quote inside of quotes.
        escape: u8,
        /// What stands for NULL if it is not quoted.
        null: Box<[u8]>,
        /// The first line holds names.
        header: bool,
    },
    /// The server's own.
    Binary,
}

impl CopyLayout {
    /// Whether cells are in their types' binary form.
    #[must_use]
    pub const fn is_binary(&self) -> bool {
        matches!(self, Self::Binary)
    }

    /// Whether names come before the rows.
    #[must_use]
    pub const fn has_header(&self) -> bool {
        matches!(self, Self::Text { header: true, .. } | Self::Csv { header: true, .. })
    }
}
