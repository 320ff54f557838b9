//! What is done with each cell of a result.

mod names;

use std::collections::HashMap;
use std::sync::Arc;

use veil_mask::{Cell, Masker, MySqlColumn, Other, Scan};
use veil_model::{Charset, Format, MySqlType};
use veil_sql::mysql::catalog::is_system;
use veil_sql::mysql::{Kind, Show, Statement, Table};
use veil_wire::mysql::reply::Column;
use veil_wire::mysql::row::{self, BinaryCells, BinaryRow, TextCells};
use veil_wire::mysql::value::{self, Width};
use veil_wire::{Malformed, cursor};

use self::names::{Names, label};
use super::labels::Labels;
use super::lineage::{Flow, Output, Outputs, outputs};
use crate::beside::{Beside, Fit, Place};
use crate::judge::{Run, Untraced};
use crate::labels::{Fate, Label};
use crate::masked::{MaskedColumn, Why};
use crate::who::Rights;

/// Stands in place of texts that may quote values.
const WITHHELD: &str = "IronVeil withheld the message: it may quote masked data";

/// Columns of plans that name and count.
const PLAN_COLUMNS: [&str; 13] = [
    "id",
    "select_type",
    "table",
    "partitions",
    "type",
    "possible_keys",
    "key",
    "ref",
    "rows",
    "r_rows",
    "filtered",
    "r_filtered",
    "extra",
];

/// Columns of the list of sessions, without their statements.
const PROCESS_COLUMNS: [&str; 8] = ["id", "user", "host", "db", "command", "time", "state", "progress"];

enum Op {
    Pass,
    Null,
    /// On which there is no rule.
    Scan(Scan),
    Text(&'static str),
    /// A table's definition, but for how far its column has been counted up.
    Uncounted,
    Mask(MySqlColumn, Why),
    /// By other cells of the row.
    Beside(Box<Beside<MySqlColumn>>, Why),
}

/// How the rows of one result are written. There is no default: a plan is made from the column definitions that the
/// server sent for these very rows.
pub struct Plan {
    ops: Vec<(Op, Width)>,
    /// Columns of NULLs, of which the definition may say something as well.
    hidden: Vec<bool>,
    masked: Arc<[MaskedColumn]>,
    /// The rights that it was made by.
    rights: Rights,
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
    /// The format of the rows.
    pub format: Format,
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
        let traced = match (run.untraced, &statement.result) {
            (Untraced::Follow, Some(query)) => outputs(query, context.labels, context.database),
            _ => None,
        };
        let sure = match &traced {
            Some(Outputs::Each { columns: outputs, .. }) => are_placed(columns, outputs, context),
            Some(Outputs::Merged(_)) | None => true,
        };
        let mut ops = Vec::with_capacity(columns.len());
        let mut hidden = Vec::with_capacity(columns.len());
        for (at, column) in columns.iter().enumerate() {
            let op = match (&statement.kind, run.untraced, &traced) {
                _ if context.labels.masks_nothing() => Op::Pass,
                (Kind::Show(Show::Warnings), ..) => show_warnings(column, run, context),
                (Kind::Show(Show::Counters), ..) => match label(column, context).as_deref() {
                    Some("variable_name") => Op::Pass,
                    _ => Op::Null,
                },
                (Kind::Show(Show::Processes), ..) => show_processes(column, context),
                (Kind::Session, ..) => maintained(column, context),
                (Kind::Explain, ..) if !run.clean => explained(column, context),
                (_, Untraced::Show, _) => shown(column, context),
                (_, Untraced::Close, _) | (_, Untraced::Follow, None) => Op::Null,
                (_, Untraced::Follow, Some(Outputs::Merged(tables))) => merged(column, tables, context),
                (_, Untraced::Follow, Some(Outputs::Each { columns: outputs, direct }))
                    if outputs.len() == columns.len() =>
                {
                    let output = outputs.get(at).filter(|output| sure || (*direct && output.base.is_some()));
                    match output.map_or(Op::Null, |output| followed(column, output, context)) {
                        Op::Mask(mask, why) => {
                            let row = Row { columns, outputs, statement, format: context.format };
                            match output.and_then(|output| row.beside(column, output)) {
                                Some(beside) => Op::Beside(beside, why),
                                None => Op::Mask(mask, why),
                            }
                        }
                        op => op,
                    }
                }
                (_, Untraced::Follow, Some(Outputs::Each { .. })) => Op::Null,
            };
            let op = match op {
                Op::Pass => scanned(column, &statement.kind, context).map_or(Op::Pass, Op::Scan),
                op => op,
            };
            // What a column of a table is declared as is no secret.
            let stored = match &traced {
                Some(Outputs::Each { columns, .. }) => {
                    columns.get(at).is_some_and(|output| output.base.is_some())
                }
                Some(Outputs::Merged(_)) => true,
                None => !matches!(statement.kind, Kind::Data | Kind::Call | Kind::Execute { .. }),
            };
            hidden.push(matches!(op, Op::Null) && !stored);
            ops.push((op, value::width(column.kind)?));
        }
        let named = ops.iter().zip(columns).filter_map(|((op, _), column)| {
            let why = match op {
                Op::Pass | Op::Scan(_) => return None,
                Op::Null | Op::Text(_) | Op::Uncounted => Why::CLOSED,
                Op::Mask(_, why) | Op::Beside(_, why) => why.clone(),
            };
            // What is no column of a table may be called by a literal.
            let stored = Names::read(column, context.names).is_some_and(|names| !names.database.is_empty());
            let name = label(column, context).filter(|_| stored);
            Some(why.of_column(name.as_deref().unwrap_or("?")))
        });
        let masked: Arc<[MaskedColumn]> = named.collect();
        Ok(Self { ops, hidden, masked, rights: context.labels.rights().clone() })
    }

    /// The same, which shows all as it is.
    #[must_use]
    pub fn shown(mut self) -> Self {
        self.ops.iter_mut().for_each(|(op, _)| *op = Op::Pass);
        self.hidden.iter_mut().for_each(|hidden| *hidden = false);
        self.masked = Arc::default();
        self
    }

    /// Whether it was made by the rights that are in force.
    #[must_use]
    pub fn holds(&self, labels: &Labels) -> bool {
        self.rights == *labels.rights()
    }

    /// Whether rows are forwarded as they are.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.ops.iter().all(|(op, _)| matches!(op, Op::Pass))
    }

    /// Whether the definition of a column says no more than that it holds NULL.
    #[must_use]
    pub fn hides(&self, at: usize) -> bool {
        self.hidden.get(at).copied().unwrap_or(true)
    }

    /// The columns that are masked or closed.
    #[must_use]
    pub const fn masked(&self) -> &Arc<[MaskedColumn]> {
        &self.masked
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
        let other = |at: usize| {
            let mut cells = TextCells::new(payload);
            (0..at).try_for_each(|_| cells.step().ok().map(drop))?;
            cells.step().ok()?.map(<[u8]>::to_vec)
        };
        for (op, _) in &self.ops {
            let cell = cells.step()?;
            row::put_text(out, op.apply(Format::Text, cell, &other, &mut scratch));
        }
        cells.end()
    }

    fn write_binary(&self, payload: &[u8], out: &mut Vec<u8>) -> cursor::Result<()> {
        let mut cells = BinaryCells::decode(payload, self.ops.len())?;
        let mut row = BinaryRow::begin(out, self.ops.len());
        let mut scratch = Vec::new();
        let other = |at: usize| {
            let mut cells = BinaryCells::decode(payload, self.ops.len()).ok()?;
            let mut widths = self.ops.iter().map(|(_, width)| *width);
            widths.by_ref().take(at).try_for_each(|width| cells.step(width).ok().map(drop))?;
            cells.step(widths.next()?).ok()?.map(<[u8]>::to_vec)
        };
        for (op, width) in &self.ops {
            let cell = cells.step(*width)?;
            let masked = op.apply(Format::Binary, cell, &other, &mut scratch);
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
        other: &impl Fn(usize) -> Option<Vec<u8>>,
        scratch: &'a mut Vec<u8>,
    ) -> Option<&'a [u8]> {
        let (mask, subject) = match self {
            Self::Beside(beside, _) => match beside.fit(other) {
                Fit::Show => return cell,
                Fit::Mask(mask, subject) => (Some(mask), subject),
            },
            Self::Mask(mask, _) => (Some(mask), None),
            _ => (None, None),
        };
        match (self, cell?) {
            (Self::Pass, cell) => Some(cell),
            (Self::Scan(scan), cell) => scan.cell(format, cell, scratch),
            (Self::Null, _) => None,
            (Self::Text(text), _) => Some(text.as_bytes()),
            (Self::Uncounted, cell) => {
                scratch.clear();
                uncounted(cell, scratch);
                Some(scratch.as_slice())
            }
            (Self::Mask(..) | Self::Beside(..), cell) => {
                scratch.clear();
                match mask?.mask_of(subject.as_deref(), format, cell, scratch) {
                    Cell::Written => Some(scratch.as_slice()),
                    Cell::Null => None,
                }
            }
        }
    }
}

fn show_warnings(column: &Column<'_>, run: Run, context: Context<'_>) -> Op {
    match label(column, context).as_deref() {
        _ if !run.scrub => Op::Pass,
        Some("level" | "code") => Op::Pass,
        Some("message") => Op::Text(WITHHELD),
        Some(count) if count.starts_with("@@") => Op::Pass,
        _ => Op::Null,
    }
}

fn show_processes(column: &Column<'_>, context: Context<'_>) -> Op {
    let known = label(column, context).is_some_and(|name| PROCESS_COLUMNS.contains(&name.as_str()));
    if known { Op::Pass } else { Op::Null }
}

/// A column of what CHECK TABLE and its like say: their messages may quote rows.
fn maintained(column: &Column<'_>, context: Context<'_>) -> Op {
    match label(column, context).as_deref() {
        Some("msg_text") => Op::Text(WITHHELD),
        Some(_) => Op::Pass,
        None => Op::Null,
    }
}

/// A column of a plan over labelled tables: trees and documents quote conditions, in which the server puts what it has read.
fn explained(column: &Column<'_>, context: Context<'_>) -> Op {
    let known = label(column, context).is_some_and(|name| PLAN_COLUMNS.contains(&name.as_str()));
    if known { Op::Pass } else { Op::Null }
}

/// What stands before how far a column has been counted up.
const COUNT: &[u8] = b" AUTO_INCREMENT=";

/// A text without ` AUTO_INCREMENT=` and digits, wherever it stands.
fn uncounted(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = text.windows(COUNT.len()).position(|part| part == COUNT) {
        let (before, counted) = text.split_at(at);
        out.extend(before);
        let rest = counted.get(COUNT.len()..).unwrap_or_default();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        text = rest.get(digits..).unwrap_or_default();
    }
    out.extend(text);
}

/// What shows how far a column has been counted up, of a server that counts up what is masked.
fn counts(column: &Column<'_>, context: Context<'_>) -> Option<Op> {
    let names = Names::read(column, context.names);
    let of_server = names.as_ref().is_none_or(|names| names.table.is_empty() || is_system(&names.database));
    let named = names.is_some_and(|names| names.column.eq_ignore_ascii_case("auto_increment"));
    match label(column, context).as_deref() {
        _ if !of_server || !context.labels.counts() => None,
        Some("create table") => Some(Op::Uncounted),
        Some("auto_increment") => Some(Op::Null),
        _ => named.then_some(Op::Null),
    }
}

/// A column of a statement that names nothing labelled.
fn shown(column: &Column<'_>, context: Context<'_>) -> Op {
    if let Some(op) = counts(column, context) {
        return op;
    }
    match Names::read(column, context.names) {
        None => Op::Null,
        Some(names) if names.table.is_empty() => Op::Pass,
        Some(names) => {
            by_fate(context.labels.objection(&names.database, &names.table, &names.column), column)
        }
    }
}

/// Whether columns stand where they were when the catalog was read, though tables without labels may have other columns
/// since: what is labelled has a name, and the only column of that name stands in its place.
fn are_placed(columns: &[Column<'_>], outputs: &[Output<'_>], context: Context<'_>) -> bool {
    let mut labelled = outputs.iter().enumerate().filter(|(_, output)| !output.flow.is_clean()).peekable();
    if labelled.peek().is_none() || !outputs.iter().any(|output| output.moves) {
        return true;
    }
    let mut places: HashMap<Option<String>, Vec<usize>> = HashMap::new();
    for (at, column) in columns.iter().enumerate() {
        places.entry(label(column, context)).or_default().push(at);
    }
    let alone =
        |at: usize, name: &str| places.get(&Some(name.to_lowercase())).is_some_and(|found| found == &[at]);
    !places.contains_key(&None)
        && labelled.all(|(at, output)| output.name.as_ref().is_some_and(|name| alone(at, name)))
}

/// A column that the statement's text follows to where it comes from.
fn followed(column: &Column<'_>, output: &Output<'_>, context: Context<'_>) -> Op {
    if let Some((table, name)) = &output.base {
        let agrees = Names::read(column, context.names).is_some_and(|names| {
            names.is_of(table, context.labels) && names.column.to_lowercase() == name.to_lowercase()
        });
        if !agrees {
            return Op::Null;
        }
    }
    match &output.flow {
        Flow::Clean if output.base.is_some() => Op::Pass,
        Flow::Clean => shown(column, context),
        Flow::Verbatim { label, declared } => mask(label, column, declared),
        Flow::Closed => Op::Null,
    }
}

/// A column of one of these tables, by its definition.
fn merged(column: &Column<'_>, tables: &[&Table], context: Context<'_>) -> Op {
    let Some(names) = Names::read(column, context.names) else { return Op::Null };
    let Some(table) = tables.iter().find(|table| names.is_of(table, context.labels)) else { return Op::Null };
    match context.labels.flow(table, &names.column) {
        Flow::Clean => Op::Pass,
        Flow::Verbatim { label, declared } => mask(&label, column, &declared),
        Flow::Closed => Op::Null,
    }
}

fn by_fate(fate: Fate, column: &Column<'_>) -> Op {
    match fate {
        Fate::Pass => Op::Pass,
        Fate::Close => Op::Null,
        Fate::Mask(label) => mask(&label, column, ""),
    }
}

fn mask(label: &Label, column: &Column<'_>, declared: &str) -> Op {
    Op::Mask(label.masker.mysql_column(&type_of(column, declared)), Why::of(label))
}

/// What looks into a column that is shown. What servers say of themselves is not looked into, nor is a column that a rule shows; the
/// definition is believed in that, since nothing here is labelled: who makes one up gets a value past the net.
fn scanned(column: &Column<'_>, kind: &Kind, context: Context<'_>) -> Option<Scan> {
    let server = matches!(kind, Kind::Session | Kind::Show(_)) && !matches!(kind, Kind::Show(Show::Warnings));
    let vouched = Names::read(column, context.names).is_some_and(|names| {
        is_system(&names.database) || context.labels.vouches(&names.database, &names.table, &names.column)
    });
    if server || vouched {
        return None;
    }
    context.labels.scan_of(&type_of(column, ""))
}

fn type_of<'a>(column: &Column<'_>, declared: &'a str) -> MySqlType<'a> {
    MySqlType {
        code: column.kind,
        charset: Charset::of(column.collation),
        length: column.length,
        flags: column.flags,
        decimals: column.decimals,
        declared,
    }
}

/// A result whose rows are described.
struct Row<'a> {
    columns: &'a [Column<'a>],
    outputs: &'a [Output<'a>],
    statement: &'a Statement,
    format: Format,
}

impl Row<'_> {
    /// A column of a table, whose mask depends on others.
    fn beside(&self, column: &Column<'_>, output: &Output<'_>) -> Option<Box<Beside<MySqlColumn>>> {
        let (table, _) = output.base.as_ref()?;
        let Flow::Verbatim { label, declared } = &output.flow else { return None };
        let ty = type_of(column, declared);
        let place = |name: &str| self.place(table, name);
        let function = |masker: &Masker| masker.mysql_column(&ty);
        Beside::new(&label.masker, label.cases.as_deref(), function, place).map(Box::new)
    }

    /// Where the same row of a table shows another column: the statement reads no other.
    fn place(&self, table: &Table, name: &str) -> Option<Place> {
        let is_it = |output: &Output<'_>| {
            output.base.as_ref().is_some_and(|(of, column)| {
                of.database == table.database && of.name == table.name && column.eq_ignore_ascii_case(name)
            })
        };
        let at = self.outputs.iter().position(is_it).filter(|_| self.statement.facts.sources == 1)?;
        let other = Other::of_mysql(&type_of(self.columns.get(at)?, ""))?;
        Some(Place { at, other, format: self.format })
    }
}
