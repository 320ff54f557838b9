//! The names in column definitions.

use std::borrow::Cow;

use veil_mask::charset;
use veil_model::Charset;
use veil_sql::mysql::Table;
use veil_wire::mysql::reply::Column;

use super::{Context, Labels};

/// The name of a column in lower case; `None` if it cannot be read.
pub(super) fn label(column: &Column<'_>, context: Context<'_>) -> Option<String> {
    Names::decode(column.name, context.names).map(|name| name.to_lowercase())
}

/// The names by which a definition says where its column comes from.
pub(super) struct Names<'a> {
    pub(super) database: Cow<'a, str>,
    pub(super) table: Cow<'a, str>,
    pub(super) column: Cow<'a, str>,
}

impl<'a> Names<'a> {
    /// `None` if they cannot be read.
    pub(super) fn read(column: &Column<'a>, charset: Option<Charset>) -> Option<Self> {
        let text = |bytes: &'a [u8]| Self::decode(bytes, charset);
        Some(Self {
            database: text(column.database)?,
            table: text(column.org_table)?,
            column: text(column.org_name)?,
        })
    }

    fn decode(bytes: &'a [u8], charset: Option<Charset>) -> Option<Cow<'a, str>> {
        match charset {
            Some(charset) => charset::decode(charset, bytes),
            // All that are not known write ASCII as it is.
            None => std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii()).map(Cow::Borrowed),
        }
    }

    /// Whether it says that the column is one of this table.
    pub(super) fn is_of(&self, table: &Table, labels: &Labels) -> bool {
        labels.catalog().same_name(&table.database, &self.database)
            && labels.catalog().same_name(&table.name, &self.table)
            && table.kind.keeps_rows()
    }
}
