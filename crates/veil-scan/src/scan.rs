//! A scan: the tables of a database, some at a time.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use veil_detect::{Class, Column, Detector, Evidence, Finding, Kind};
use veil_model::ColumnName;
use veil_model::find::Find;

use crate::hidden;
use crate::sample;
use crate::session::{Error, Session};
use crate::tables::{self, ColumnId, Table, TableKind, TableName};

/// Whether a scan still waits is looked at so often.
const PAUSE: Duration = Duration::from_millis(100);

/// References are followed so far.
const REFERENCES_MAX: usize = 8;

/// Patterns that are shown of a column.
const PATTERNS: usize = 2;

/// What is wanted of a scan.
#[derive(Clone, Debug)]
pub struct Options {
    /// What is personal data of any class with a smaller probability is left out.
    pub confidence_min: f64,
    /// The year of today, by which ages are told.
    pub year: i32,
    /// What chooses the rows of large tables; another one chooses others.
    pub seed: u64,
    /// How many times as long as it has worked on a table a session rests, so that others have the server.
    pub rest: u32,
    /// Schemas that are scanned; all if there are none.
    pub schemas: Vec<String>,
    /// Finds names of people in free text, besides lists.
    pub people: Option<Arc<dyn Find>>,
}

/// How far a scan is, for whoever looks.
#[derive(Debug, Default)]
pub struct Progress {
    /// Tables there are.
    pub tables: AtomicU64,
    /// Tables that are done.
    pub done: AtomicU64,
    /// Rows that were read.
    pub rows: AtomicU64,
    /// Set by whoever wants it to end; the tables that are being read are the last.
    pub cancelled: AtomicBool,
    /// Set by whoever wants it to wait before the next tables.
    pub paused: AtomicBool,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Tables, in the order of their names.
    pub tables: Vec<TableReport>,
    /// Whether it was ended before its time.
    pub is_partial: bool,
}

/// What was found in a table.
#[derive(Clone, Debug)]
pub struct TableReport {
    /// Its name.
    pub name: TableName,
    /// What it is.
    pub kind: TableKind,
    /// Rows, as the server estimates them.
    pub rows_estimated: Option<u64>,
    /// Rows that were read.
    pub rows_read: u64,
    /// Columns that hold personal data.
    pub columns: Vec<ColumnFinding>,
    /// Why no rows of it were read, if they were not: its columns are told by their names.
    pub unread: Option<String>,
    id: String,
}

/// What was found in a column.
#[derive(Clone, Debug)]
pub struct ColumnFinding {
    /// Its name.
    pub column: String,
    /// Its type.
    pub type_name: String,
    /// What its type holds.
    pub kind: Kind,
    /// One; or one for each path of its documents.
    pub findings: Vec<Finding>,
    /// What some of its values look like.
    pub patterns: Vec<String>,
    /// The column that it refers to, what that refers to, and so on.
    pub refers: Vec<ColumnName>,
}

/// Looks at all tables of the database in which the sessions are, which work side by side.
///
/// # Errors
/// The catalog cannot be read, or every connection is lost.
pub async fn scan(
    sessions: Vec<Session>,
    options: Options,
    progress: Arc<Progress>,
) -> Result<Report, Error> {
    let mut sessions = sessions;
    for session in &mut sessions {
        session.prepare().await?;
    }
    let Some(first) = sessions.first_mut() else { return Err(Error::Lost) };
    let mut tables = tables::tables(first).await?;
    tables.retain(|table| options.schemas.is_empty() || options.schemas.contains(&table.name.schema));
    progress.tables.store(u64::try_from(tables.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
    let references: HashMap<ColumnId, ColumnId> = tables
        .iter()
        .flat_map(|table| table.columns.iter().map(move |column| (table, column)))
        .filter_map(|(table, column)| Some(((table.id.clone(), column.name.clone()), column.refers.clone()?)))
        .collect();
    let names: HashMap<String, TableName> =
        tables.iter().map(|table| (table.id.clone(), table.name.clone())).collect();
    let types: HashMap<ColumnId, (String, Kind)> = tables
        .iter()
        .flat_map(|table| {
            table.columns.iter().map(move |column| {
                ((table.id.clone(), column.name.clone()), (column.type_name.clone(), column.kind))
            })
        })
        .collect();
    let queue = Arc::new(Mutex::new(tables.into_iter().collect::<VecDeque<_>>()));
    let detector = match options.people.clone() {
        Some(people) => Detector::new().with_people(people),
        None => Detector::new(),
    };
    let detector = Arc::new(detector);
    let workers: Vec<_> = sessions
        .into_iter()
        .map(|session| {
            tokio::spawn(work(
                session,
                Arc::clone(&queue),
                Arc::clone(&detector),
                options.clone(),
                Arc::clone(&progress),
            ))
        })
        .collect();
    let mut report = Report::default();
    for worker in workers {
        match worker.await {
            Ok(tables) => report.tables.extend(tables),
            Err(_) => report.is_partial = true,
        }
    }
    report.tables.sort_by(|a, b| a.name.cmp(&b.name));
    let left = queue.lock().unwrap_or_else(PoisonError::into_inner).len();
    let cancelled = progress.cancelled.load(Ordering::Relaxed);
    if report.tables.is_empty() && left > 0 && !cancelled {
        return Err(Error::Lost);
    }
    report.is_partial |= left > 0;
    while inherit(&mut report, &references, &types) {}
    for table in &mut report.tables {
        for column in &mut table.columns {
            let of_it = (table.id.clone(), column.column.clone());
            let next = |(id, column): &ColumnId| references.get(&(id.clone(), column.clone())).cloned();
            let chain = std::iter::successors(next(&of_it), next).take(REFERENCES_MAX);
            column.refers = chain.filter_map(|(id, column)| named(&names, &id, column)).collect();
        }
    }
    Ok(report)
}

fn named(names: &HashMap<String, TableName>, id: &str, column: String) -> Option<ColumnName> {
    let TableName { schema, table } = names.get(id)?.clone();
    Some(ColumnName { schema, table, column })
}

async fn work(
    mut session: Session,
    queue: Arc<Mutex<VecDeque<Table>>>,
    detector: Arc<Detector>,
    options: Options,
    progress: Arc<Progress>,
) -> Vec<TableReport> {
    let (mut done, mut ended) = (Vec::new(), false);
    while !progress.cancelled.load(Ordering::Relaxed) {
        if progress.paused.load(Ordering::Relaxed) {
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(mut table) = next else { break };
        let start = Instant::now();
        let (rows, cells, unread) = match sample::sample(&mut session, &table, options.seed).await {
            Ok((rows, cells)) => {
                let hidden = table.columns.iter().any(|column| !column.may_read);
                (rows, cells, hidden.then(|| "some columns may not be read".to_owned()))
            }
            // Another session tries it once more, when all others are done.
            Err(Error::Lost) if !table.lost => {
                table.lost = true;
                queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(table);
                break;
            }
            Err(failed) => {
                ended = matches!(failed, Error::Lost);
                (0, Vec::new(), Some(failed.to_string()))
            }
        };
        let (detector, with) = (Arc::clone(&detector), options.clone());
        // Telling what values are takes the processor, and others wait for it.
        let told =
            tokio::task::spawn_blocking(move || told(&detector, table, (rows, cells, unread), &with)).await;
        progress.rows.fetch_add(rows, Ordering::Relaxed);
        progress.done.fetch_add(1, Ordering::Relaxed);
        match told {
            Ok(told) => done.push(told),
            // Its table is missing, and others are not.
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
        if ended || queue.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            break;
        }
        let until = Instant::now() + start.elapsed() * options.rest;
        while Instant::now() < until && !progress.cancelled.load(Ordering::Relaxed) {
            tokio::time::sleep(PAUSE.min(until.saturating_duration_since(Instant::now()))).await;
        }
    }
    done
}

fn told(
    detector: &Detector,
    table: Table,
    (rows, cells, unread): (u64, Vec<Vec<String>>, Option<String>),
    options: &Options,
) -> TableReport {
    let neighbours: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let columns = table.columns.iter().enumerate().filter_map(|(at, column)| {
        let samples: Vec<&str> =
            cells.get(at).map(|cells| cells.iter().map(String::as_str).collect()).unwrap_or_default();
        let kind = kind_of(column, &samples);
        let findings = detector.column(&Column {
            table: &table.name.table,
            name: &column.name,
            kind,
            comment: column.comment.as_deref(),
            key: column.key,
            neighbours: &neighbours,
            samples: &samples,
            year: options.year,
        });
        let findings: Vec<Finding> =
            findings.into_iter().filter(|finding| finding.personal >= options.confidence_min).collect();
        let shown = findings.iter().all(|finding| finding.path.is_none() && !is_secret(finding.class));
        let patterns = samples
            .iter()
            .filter(|text| !text.is_empty() && shown)
            .take(PATTERNS)
            .map(|text| hidden::pattern(text))
            .collect();
        (!findings.is_empty()).then(|| ColumnFinding {
            column: column.name.clone(),
            type_name: column.type_name.clone(),
            kind,
            findings,
            patterns,
            refers: vec![],
        })
    });
    TableReport {
        columns: columns.collect(),
        name: table.name.clone(),
        kind: table.kind,
        rows_estimated: table.rows,
        rows_read: rows,
        unread,
        id: table.id.clone(),
    }
}

/// What a column holds: one of numbers without a scale may be one of whole numbers.
fn kind_of(column: &tables::Column, samples: &[&str]) -> Kind {
    let whole = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match column.type_name.as_str() {
        "numeric" if !samples.is_empty() && samples.iter().all(whole) => Kind::Integer,
        _ => column.kind,
    }
}

/// Of which not even the form is shown.
const fn is_secret(class: Class) -> bool {
    matches!(
        class,
        Class::FreeText
            | Class::Password
            | Class::PasswordHash
            | Class::ApiKey
            | Class::PrivateKey
            | Class::Jwt
    )
}

/// What refers to a column of a class is of this class. Says whether there was any.
fn inherit(
    report: &mut Report,
    references: &HashMap<ColumnId, ColumnId>,
    types: &HashMap<ColumnId, (String, Kind)>,
) -> bool {
    let mut any = false;
    let found: HashMap<ColumnId, Finding> = report
        .tables
        .iter()
        .flat_map(|table| table.columns.iter().map(move |column| (table, column)))
        .filter_map(|(table, column)| {
            Some(((table.id.clone(), column.column.clone()), column.findings.first()?.clone()))
        })
        .collect();
    for table in &mut report.tables {
        for ((id, column), referred) in references.iter().filter(|((id, _), _)| *id == table.id) {
            let (Some(finding), None) =
                (found.get(referred), table.columns.iter().find(|known| known.column == *column))
            else {
                continue;
            };
            let Some((type_name, kind)) = types.get(&(id.clone(), column.clone())) else { continue };
            any = true;
            let finding = Finding { evidence: vec![Evidence::Reference], ..finding.clone() };
            table.columns.push(ColumnFinding {
                column: column.clone(),
                type_name: type_name.clone(),
                kind: *kind,
                findings: vec![finding],
                patterns: vec![],
                refers: vec![],
            });
        }
    }
    any
}
