//! What is done with each cell of a result.

use std::sync::Arc;

use veil_mask::{Cell, ColumnMask, Other, Scan};
use veil_model::pgtype::oid;
use veil_model::{Attribute, Format, PgType};
use veil_sql::catalog::FIRST_USER_OID;
use veil_sql::{Alias, AliasSource, Kind, RelationKind, Statement};
use veil_wire::pg::reply::Field;
use veil_wire::pg::{frame, row};
use veil_wire::{Malformed, cursor};

use crate::beside::{Beside, Fit, Place};
use crate::judge::{self, Untraced};
use crate::labels::{Fate, Label, Labels};
use crate::lineage::{Columns, Flow};
use crate::masked::{MaskedColumn, Why};
use crate::who::Rights;

enum Op {
    Pass,
    Null,
    /// On which there is no rule.
    Scan(Scan, Format),
    Mask(ColumnMask, Format, Why),
    /// By other cells of the row.
    Beside(Box<Beside<ColumnMask>>, Format, Why),
}

/// How the rows of one result are written. There is no default: a plan is made from a row description, or it
/// says that nothing sensitive was named.
pub struct Plan {
    /// `None` lets every row pass.
    ops: Option<Vec<Op>>,
    columns: Arc<[MaskedColumn]>,
    /// The rights that it was made by.
    rights: Option<Rights>,
}

impl Plan {
    /// For rows of a statement that names nothing sensitive.
    #[must_use]
    pub fn pass() -> Self {
        Self { ops: None, columns: Arc::default(), rights: None }
    }

    /// From the description that the server sent for these very rows, which are those of `statement`.
    #[must_use]
    pub fn new(
        fields: &[Field<'_>],
        untraced: Untraced,
        statement: Option<&Statement>,
        labels: &Labels,
    ) -> Self {
        let computed = fields.iter().any(|field| field.relation == 0 || field.attnum == 0);
        let columns = match (untraced, statement) {
            (Untraced::Follow, Some(statement)) if computed => Columns::new(statement, labels),
            _ => None,
        };
        let row = Row { fields, statement, labels };
        let ops = fields.iter().enumerate().map(|(at, field)| match (untraced, &columns) {
            _ if field.relation != 0 && field.attnum != 0 => {
                let attribute = Attribute { relation: field.relation, attnum: field.attnum };
                match labels.fate(attribute) {
                    Fate::Mask(label) => row.masked(&label, field),
                    fate => by_fate(fate, field),
                }
            }
            (Untraced::Show, _) => Op::Pass,
            (Untraced::Close, _) | (Untraced::Follow, None) => Op::Null,
            (Untraced::Follow, Some(columns)) => {
                match columns.flow(at, fields.len(), std::str::from_utf8(field.name).ok()) {
                    Flow::Clean => Op::Pass,
                    Flow::Verbatim(label) => by_fate(Fate::Mask(label), field),
                    Flow::Closed => Op::Null,
                }
            }
        });
        let looked_into = |(op, field)| match op {
            Op::Pass => row.scanned(field).map_or(Op::Pass, |scan| Op::Scan(scan, format_of(field))),
            op => op,
        };
        let ops: Vec<Op> = ops.zip(fields).map(looked_into).collect();
        let named = ops.iter().zip(fields).filter_map(|(op, field)| {
            let why = match op {
                Op::Pass | Op::Scan(..) => return None,
                Op::Null => Why::CLOSED,
                Op::Mask(_, _, why) | Op::Beside(_, _, why) => why.clone(),
            };
            Some(why.of_column(&String::from_utf8_lossy(field.name)))
        });
        let columns: Arc<[MaskedColumn]> = named.collect();
        let passes = ops.iter().all(|op| matches!(op, Op::Pass));
        let ops = (!passes).then_some(ops);
        Self { ops, columns, rights: Some(labels.rights().clone()) }
    }

    /// Whether it was made by the rights that are in force.
    #[must_use]
    pub fn holds(&self, labels: &Labels) -> bool {
        self.rights.as_ref().is_none_or(|rights| rights == labels.rights())
    }

    /// Whether rows are forwarded as they are.
    #[must_use]
    pub const fn passes(&self) -> bool {
        self.ops.is_none()
    }

    /// The columns that are masked or closed.
    #[must_use]
    pub const fn masked(&self) -> &Arc<[MaskedColumn]> {
        &self.columns
    }

    /// Appends the DataRow message for the row in `body`, masked.
    ///
    /// # Errors
    /// The row is not as described; nothing of it is kept in `out`.
    pub fn write_row(&self, body: &[u8], out: &mut Vec<u8>) -> cursor::Result<()> {
        let start = out.len();
        let written = self.write_cells(body, out);
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    fn write_cells(&self, body: &[u8], out: &mut Vec<u8>) -> cursor::Result<()> {
        let ops = self.ops.as_deref().unwrap_or_default();
        let mut cells = row::Cells::decode(body)?;
        if cells.len() != ops.len() {
            return Err(Malformed("row has another number of columns than its description"));
        }
        let mut scratch = Vec::new();
        out.push(b'D');
        let length_at = out.len();
        out.extend([0; 4]);
        out.extend(body.get(..2).unwrap_or_default());
        for op in ops {
            let cell = cells.step()?.ok_or(Malformed("row is too short"))?;
            match (op, cell) {
                (Op::Null, _) | (_, None) => row::write_cell(out, None),
                (Op::Pass, cell) => row::write_cell(out, cell),
                (Op::Scan(scan, format), Some(cell)) => {
                    row::write_cell(out, scan.cell(*format, cell, &mut scratch));
                }
                (Op::Mask(mask, format, _), Some(cell)) => write_masked(mask, None, *format, cell, out),
                (Op::Beside(beside, format, _), Some(cell)) => {
                    match beside.fit(|at| row::Cells::decode(body).ok()?.nth(at)) {
                        Fit::Show => row::write_cell(out, Some(cell)),
                        Fit::Mask(mask, subject) => {
                            write_masked(mask, subject.as_deref(), *format, cell, out);
                        }
                    }
                }
            }
        }
        cells.step()?;
        frame::patch_length(out, length_at);
        Ok(())
    }
}

pub(crate) fn write_masked(
    mask: &ColumnMask,
    subject: Option<&str>,
    format: Format,
    cell: &[u8],
    out: &mut Vec<u8>,
) {
    let at = out.len();
    out.extend([0; 4]);
    let length = match mask.mask_of(subject, format, cell, out) {
        Cell::Written => i32::try_from(out.len() - at - 4).ok(),
        Cell::Null => None,
    };
    if length.is_none() {
        out.truncate(at + 4);
    }
    if let Some(field) = out.get_mut(at..at + 4) {
        field.copy_from_slice(&length.unwrap_or(-1).to_be_bytes());
    }
}

/// A result whose rows are described.
struct Row<'a> {
    fields: &'a [Field<'a>],
    statement: Option<&'a Statement>,
    labels: &'a Labels,
}

impl Row<'_> {
    /// What looks into a column that is shown.
    fn scanned(&self, field: &Field<'_>) -> Option<Scan> {
        let stored = field.relation != 0 && field.attnum != 0;
        let attribute = stored.then_some(Attribute { relation: field.relation, attnum: field.attnum });
        self.labels.scan_of(attribute, Some(PgType { oid: field.type_oid, modifier: field.modifier }))
    }

    /// A column of a table, whose mask may depend on others.
    fn masked(&self, label: &Label, field: &Field<'_>) -> Op {
        let ty = type_of(label, field);
        let place = |column: &str| self.place(field.relation, column);
        match Beside::new(&label.masker, label.cases.as_deref(), |masker| masker.column(ty), place) {
            Some(beside) => Op::Beside(Box::new(beside), format_of(field), Why::of(label)),
            None => Op::Mask(label.masker.column(ty), format_of(field), Why::of(label)),
        }
    }

    /// Where the same row of a table shows another column.
    fn place(&self, relation: u32, column: &str) -> Option<Place> {
        let table = self.labels.catalog().relation(relation).filter(|r| r.kind == RelationKind::Table)?;
        let column = table.columns.iter().find(|known| known.name == column)?;
        let is_it = |field: &&Field<'_>| field.relation == relation && field.attnum == column.attnum;
        let (at, field) = self.fields.iter().enumerate().find(|(_, field)| is_it(field))?;
        let other = Other::of(PgType { oid: field.type_oid, modifier: field.modifier })?;
        self.is_read_once(relation).then_some(Place { at, other, format: format_of(field) })
    }

    /// Whether all cells of a row that are of a table are of one row of it.
    fn is_read_once(&self, relation: u32) -> bool {
        let Some(statement) = self.statement.filter(|statement| statement.kind == Kind::Data) else {
            return false;
        };
        let of_it = |alias: &&Alias| match &alias.source {
            AliasSource::Relation(name) => judge::named(name, self.labels).any(|oid| oid == relation),
            AliasSource::Derived(_) | AliasSource::Function(_) => false,
        };
        let facts = &statement.facts;
        // A join with a name of its own hides the names in it, and may hide a second reading.
        let plain = |alias: &Alias| matches!(alias.source, AliasSource::Relation(_));
        statement.lineage.as_ref().is_some_and(|lineage| lineage.selects == 1 && lineage.arms.len() == 1)
            && facts.writes.is_empty()
            && facts.aliases.iter().all(plain)
            && !facts.unnamed
            && !facts.renames
            && facts.aliases.iter().filter(of_it).count() == 1
    }
}

const fn format_of(field: &Field<'_>) -> Format {
    if field.binary { Format::Binary } else { Format::Text }
}

fn type_of(label: &Label, field: &Field<'_>) -> PgType {
    let told = PgType { oid: field.type_oid, modifier: field.modifier };
    // An extension's type that is sent as text.
    let text = label.kind.filter(|kind| kind.oid == oid::TEXT && told.oid >= FIRST_USER_OID);
    text.unwrap_or(told)
}

fn by_fate(fate: Fate, field: &Field<'_>) -> Op {
    match fate {
        Fate::Pass => Op::Pass,
        Fate::Close => Op::Null,
        Fate::Mask(label) => {
            Op::Mask(label.masker.column(type_of(&label, field)), format_of(field), Why::of(&label))
        }
    }
}
