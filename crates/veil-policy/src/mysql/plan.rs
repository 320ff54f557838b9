//! What is done with each cell of a result.

use std::borrow::Cow;

use veil_mask::{Cell, MySqlColumn, charset};
use veil_model::{Charset, Format, MySqlType};
use veil_sql::mysql::{Kind, Show, Statement, TableKind};
use veil_wire::mysql::reply::Column;
use veil_wire::mysql::row::{self, BinaryCells, BinaryRow, TextCells};
use veil_wire::mysql::value::{self, Width};
use veil_wire::{Malformed, cursor};

use super::labels::Labels;
use super::trace::{Origin, origins};
use crate::judge::{Run, Untraced};
use crate::labels::Fate;

/// Stands in place of texts that may quote values.
const WITHHELD: &str = "IronVeil withheld the message: it may quote masked data";

enum Op {
    Pass,
    Null,
    Text(&'static str),
    Mask(MySqlColumn),
}

/// How the rows of one result are written. There is no default: a plan is made from the column definitions that the
/// server sent for these very rows.
pub struct Plan {
    ops: Vec<(Op, Width)>,
    passes: bool,
}

/// What a plan is made by, besides the definitions.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The labels of the moment.
    pub labels: &'a Labels,
    /// The session's database when the statement was judged.
    pub database: Option<&'a str>,
    /// The character set of names in definitions; `None` if it is not known.
    pub names: Option<Charset>,
}

impl Plan {
    /// From the column definitions of a result of `statement`, which was let through as `run` says.
    ///
    /// # Errors
    /// A column has a type that the protocol does not have.
    pub fn new(
        columns: &[Column<'_>],
        statement: &Statement,
        run: Run,
        context: Context<'_>,
    ) -> cursor::Result<Self> {
        let origins = origins(&statement.outputs, columns.len(), context.labels, context.database);
        let mut ops = Vec::with_capacity(columns.len());
        for (column, origin) in columns.iter().zip(origins) {
            let op = match statement.kind {
                Kind::Show(Show::Warnings) => show_warnings(column, run),
                Kind::Show(Show::Processes) => show_processes(column),
                _ => op(column, origin, run, context),
            };
            ops.push((op, value::width(column.kind)?));
        }
        let passes = ops.iter().all(|(op, _)| matches!(op, Op::Pass));
        Ok(Self { ops, passes })
    }

    /// Whether rows are forwarded as they are.
    #[must_use]
    pub const fn passes(&self) -> bool {
        self.passes
    }

    /// How many columns are masked or closed.
    #[must_use]
    pub fn masked(&self) -> usize {
        self.ops.iter().filter(|(op, _)| !matches!(op, Op::Pass)).count()
    }

    /// Appends the payload of the row in `payload`, masked.
    ///
    /// # Errors
    /// The row is not as described; nothing of it is kept in `out`.
    pub fn write_row(&self, format: Format, payload: &[u8], out: &mut Vec<u8>) -> cursor::Result<()> {
        let start = out.len();
        let written = match format {
            Format::Text => self.write_text(payload, out),
            Format::Binary => self.write_binary(payload, out),
        };
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    fn write_text(&self, payload: &[u8], out: &mut Vec<u8>) -> cursor::Result<()> {
        let mut cells = TextCells::new(payload);
        let mut scratch = Vec::new();
        for (op, _) in &self.ops {
            let cell = cells.step()?;
            row::put_text(out, op.apply(Format::Text, cell, &mut scratch));
        }
        cells.end()
    }

    fn write_binary(&self, payload: &[u8], out: &mut Vec<u8>) -> cursor::Result<()> {
        let mut cells = BinaryCells::decode(payload, self.ops.len())?;
        let mut row = BinaryRow::begin(out, self.ops.len());
        let mut scratch = Vec::new();
        for (op, width) in &self.ops {
            let cell = cells.step(*width)?;
            let masked = op.apply(Format::Binary, cell, &mut scratch);
            if let (Some(masked), Width::Fixed(length)) = (masked, width)
                && masked.len() != *length
            {
                return Err(Malformed("a mask has another length than its type"));
            }
            row.put(out, *width, masked);
        }
        cells.end()
    }
}

impl Op {
    fn apply<'a>(
        &self,
        format: Format,
        cell: Option<&'a [u8]>,
        scratch: &'a mut Vec<u8>,
    ) -> Option<&'a [u8]> {
        match (self, cell?) {
            (Self::Pass, cell) => Some(cell),
            (Self::Null, _) => None,
            (Self::Text(text), _) => Some(text.as_bytes()),
            (Self::Mask(mask), cell) => {
                scratch.clear();
                match mask.mask(format, cell, scratch) {
                    Cell::Written => Some(scratch.as_slice()),
                    Cell::Null => None,
                }
            }
        }
    }
}

fn show_warnings(column: &Column<'_>, run: Run) -> Op {
    if run.scrub && column.name.eq_ignore_ascii_case(b"Message") { Op::Text(WITHHELD) } else { Op::Pass }
}

fn show_processes(column: &Column<'_>) -> Op {
    if column.name.eq_ignore_ascii_case(b"Info") { Op::Null } else { Op::Pass }
}

/// The names by which a definition says where its column comes from.
struct Names<'a> {
    database: Cow<'a, str>,
    table: Cow<'a, str>,
    column: Cow<'a, str>,
}

impl<'a> Names<'a> {
    /// `None` if they cannot be read.
    fn read(column: &Column<'a>, charset: Option<Charset>) -> Option<Self> {
        let text = |bytes: &'a [u8]| match charset {
            Some(charset) => charset::decode(charset, bytes),
            // All that are not known write ASCII as it is.
            None => std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii()).map(Cow::Borrowed),
        };
        Some(Self {
            database: text(column.database)?,
            table: text(column.org_table)?,
            column: text(column.org_name)?,
        })
    }
}

fn op(column: &Column<'_>, origin: Origin<'_>, run: Run, context: Context<'_>) -> Op {
    let labels = context.labels;
    let Some(names) = Names::read(column, context.names) else { return Op::Null };
    let is = |table: &&veil_sql::mysql::Table| {
        labels.catalog().same_name(&table.database, &names.database)
            && labels.catalog().same_name(&table.name, &names.table)
            && table.kind == TableKind::Base
    };
    let traced = match &origin {
        Origin::Column(table, name) if is(table) && name.to_lowercase() == names.column.to_lowercase() => {
            Some(*table)
        }
        Origin::OneOf(tables) => tables.iter().copied().find(is),
        Origin::Column(..) | Origin::Unknown => None,
    };
    let (fate, declared) = match (traced, run.untraced) {
        (Some(table), _) => {
            let declared = table.column(&names.column).map_or("", |column| column.data_type.as_str());
            (labels.fate(table, &names.column), declared)
        }
        (None, Untraced::Show) if names.table.is_empty() => (Fate::Pass, ""),
        (None, Untraced::Show) => (labels.objection(&names.database, &names.table, &names.column), ""),
        (None, Untraced::Close) => (Fate::Close, ""),
    };
    match fate {
        Fate::Pass => Op::Pass,
        Fate::Close => Op::Null,
        Fate::Mask(label) => {
            let ty = MySqlType {
                code: column.kind,
                charset: Charset::of(column.collation),
                length: column.length,
                flags: column.flags,
                decimals: column.decimals,
                declared,
            };
            Op::Mask(label.masker.mysql_column(&ty))
        }
    }
}
