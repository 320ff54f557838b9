//! How the rows of a COPY to the client are written.
//!
//! The server does not describe them: what they hold is known from the statement and the catalog alone.

use std::sync::Arc;

use veil_mask::{Cell, ColumnMask, Scan};
use veil_model::{Attribute, CopyLayout, Format, PgType};
use veil_sql::catalog::Column;
use veil_sql::statement::CopyOut;
use veil_sql::{Kind, RelationKind, Statement};
use veil_wire::pg::copy;
use veil_wire::pg::{frame, row};
use veil_wire::{Malformed, cursor};

use crate::judge::Untraced;
use crate::labels::{Fate, Labels};
use crate::lineage::Columns;
use crate::masked::{MaskedColumn, Why};

enum Op {
    Pass,
    Null,
    Mask(ColumnMask),
    /// On which there is no rule; it may hold numbers.
    Scan(Scan, bool),
}

/// A column that is copied.
pub(crate) struct Copied {
    fate: Fate,
    /// The column of a table that it is.
    stored: Option<(Attribute, PgType)>,
}

/// How the rows of one COPY are written.
pub struct CopyPlan {
    layout: CopyLayout,
    ops: Vec<Op>,
    masked: Arc<[MaskedColumn]>,
    /// What comes before the rows has not come yet.
    at_head: bool,
}

impl CopyPlan {
    /// `None` if nothing is known of the columns, or the server sends others.
    #[must_use]
    pub fn new(
        statement: &Statement,
        labels: &Labels,
        untraced: Untraced,
        binary: bool,
        columns: usize,
    ) -> Option<Self> {
        let (layout, copied) = match (untraced, copied(statement, labels)) {
            (Untraced::Follow | Untraced::Show, Some(known)) => known,
            (Untraced::Show, None) => {
                let shown = || Copied { fate: Fate::Pass, stored: None };
                (layout(statement)?, std::iter::repeat_with(shown).take(columns).collect())
            }
            (Untraced::Follow, None) | (Untraced::Close, _) => return None,
        };
        if layout.is_binary() != binary || copied.len() != columns {
            return None;
        }
        let named = copied.iter().zip(1..).filter_map(|(copied, at): (_, usize)| {
            let why = match &copied.fate {
                Fate::Pass => return None,
                Fate::Close => Why::CLOSED,
                Fate::Mask(label) => Why::of(label),
            };
            Some(why.of_column(&at.to_string()))
        });
        let masked = named.collect();
        let op = |Copied { fate, stored }| match fate {
            Fate::Pass => {
                let scan = labels.scan_of(stored.map(|(column, _)| column), stored.map(|(_, kind)| kind));
                scan.map_or(Op::Pass, |scan| Op::Scan(scan, stored.is_none()))
            }
            Fate::Close => Op::Null,
            Fate::Mask(label) => label.kind.map_or(Op::Null, |kind| Op::Mask(label.masker.column(kind))),
        };
        let at_head = layout.has_header() || binary;
        Some(Self { layout: layout.clone(), ops: copied.into_iter().map(op).collect(), masked, at_head })
    }

    /// The columns that are masked or closed; their names are their places, from 1.
    #[must_use]
    pub const fn masked(&self) -> &Arc<[MaskedColumn]> {
        &self.masked
    }

    /// Appends the CopyData message for the one whose body is `data`.
    ///
    /// # Errors
    /// It does not hold one row; nothing of it is kept in `out`.
    pub fn write(&mut self, data: &[u8], out: &mut Vec<u8>) -> cursor::Result<()> {
        let start = out.len();
        out.extend([b'd', 0, 0, 0, 0]);
        let written =
            if self.layout.is_binary() { self.binary(data, out) } else { self.line(copy::line(data)?, out) };
        if written.is_err() {
            out.truncate(start);
            return written;
        }
        frame::patch_length(out, start + 1);
        Ok(())
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) -> cursor::Result<()> {
        if std::mem::take(&mut self.at_head) || self.ops.is_empty() {
            out.extend_from_slice(line);
            out.push(b'\n');
            return Ok(());
        }
        let (CopyLayout::Text { delimiter, .. } | CopyLayout::Csv { delimiter, .. }) = self.layout else {
            return Err(Malformed("binary data have no lines"));
        };
        let mut cells = copy::Cells::new(&self.layout, line);
        let mut masked = Vec::new();
        for (at, op) in self.ops.iter().enumerate() {
            let raw = cells.step()?.ok_or(Malformed("row is too short"))?;
            if at > 0 {
                out.push(delimiter);
            }
            match op {
                Op::Pass => out.extend_from_slice(raw),
                Op::Null => copy::encode(&self.layout, raw, None, out),
                Op::Mask(mask) => {
                    masked.clear();
                    let shown = match copy::decode(&self.layout, raw)? {
                        Some(value) => mask.mask(Format::Text, &value, &mut masked) == Cell::Written,
                        None => false,
                    };
                    copy::encode(&self.layout, raw, shown.then_some(masked.as_slice()), out);
                }
                Op::Scan(scan, number) => match copy::decode(&self.layout, raw)? {
                    // Of a query nobody says whether digits are a number.
                    Some(value) if *number && is_number(&value) => out.extend_from_slice(raw),
                    Some(value) => match scan.cell(Format::Text, &value, &mut masked) {
                        Some(shown) if shown == &*value => out.extend_from_slice(raw),
                        shown => copy::encode(&self.layout, raw, shown, out),
                    },
                    None => out.extend_from_slice(raw),
                },
            }
        }
        if cells.step()?.is_some() {
            return Err(Malformed("row has more columns than the statement"));
        }
        out.push(b'\n');
        Ok(())
    }

    fn binary(&mut self, data: &[u8], out: &mut Vec<u8>) -> cursor::Result<()> {
        let head = if std::mem::take(&mut self.at_head) { copy::binary_head(data)? } else { 0 };
        let (head, data) = data.split_at_checked(head).ok_or(Malformed("message is too short"))?;
        out.extend_from_slice(head);
        if data.is_empty() || copy::binary_end(data) {
            out.extend_from_slice(data);
            return Ok(());
        }
        let mut scratch = Vec::new();
        let mut cells = row::Cells::decode(data)?;
        if cells.len() != self.ops.len() {
            return Err(Malformed("row has another number of columns than the statement"));
        }
        out.extend(data.get(..2).unwrap_or_default());
        for op in &self.ops {
            match (op, cells.step()?.ok_or(Malformed("row is too short"))?) {
                (Op::Null, _) | (_, None) => row::write_cell(out, None),
                (Op::Pass, cell) => row::write_cell(out, cell),
                (Op::Scan(scan, _), Some(cell)) => {
                    row::write_cell(out, scan.cell(Format::Binary, cell, &mut scratch));
                }
                (Op::Mask(mask), Some(cell)) => {
                    crate::plan::write_masked(mask, None, Format::Binary, cell, out)
                }
            }
        }
        cells.step()?;
        Ok(())
    }
}

/// What happens to each column that a COPY sends, and how it writes them; `None` if that is not known.
pub(crate) fn copied<'a>(statement: &'a Statement, labels: &Labels) -> Option<(&'a CopyLayout, Vec<Copied>)> {
    let Kind::CopyOut(CopyOut { table, .. }) = &statement.kind else { return None };
    let copied = match table {
        Some((name, columns)) => {
            let mut relations = labels.catalog().named(name.schema.as_deref(), &name.name);
            let (Some((oid, relation)), None) = (relations.next(), relations.next()) else { return None };
            if relation.kind != RelationKind::Table {
                return None;
            }
            let all = relation.columns_in_order();
            let stored = || all.iter().copied().filter(|column| !column.generated);
            let of_name = |name: &String| all.iter().copied().find(|column| column.name == *name);
            let copied: Option<Vec<_>> = if columns.is_empty() {
                Some(stored().collect())
            } else {
                columns.iter().map(of_name).collect()
            };
            let stored = |column: &Column| {
                let attribute = Attribute { relation: oid, attnum: column.attnum };
                Copied { fate: labels.fate(attribute), stored: Some((attribute, column.kind)) }
            };
            copied?.into_iter().map(stored).collect()
        }
        None => {
            let flows = Columns::new(statement, labels)?.all()?.into_iter();
            flows.map(|flow| Copied { fate: flow.fate(), stored: None }).collect()
        }
    };
    Some((layout(statement)?, copied))
}

fn is_number(cell: &[u8]) -> bool {
    cell.iter().all(|byte| byte.is_ascii_digit() || b"+-.e".contains(byte))
}

fn layout(statement: &Statement) -> Option<&CopyLayout> {
    match &statement.kind {
        Kind::CopyOut(CopyOut { layout, .. }) => layout.as_ref(),
        _ => None,
    }
}
