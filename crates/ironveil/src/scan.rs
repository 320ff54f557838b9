//! `ironveil scan`: finds personal data in a database, says which of it no rule protects, and writes rules for it.

pub(crate) mod jobs;
mod report;

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;
use veil_mask::RootKey;
use veil_model::ColumnName;
use veil_model::find::Find;
use veil_policy::Policy;
use veil_policy::config::{Config, Protocol, Upstream};
use veil_scan::{Options, Progress, Report, Session, scan};
use veil_store::document::{Document, text_of_rules, with_rules};
use veil_store::{Change, Rules};

use self::report::{Protection, columns, document, list, text};
use crate::cli::{Format, Run, Scan};
use crate::commands::config_of;
use crate::server::{SignIn, sign_in_mysql, sign_in_postgres};
use crate::source::Source;
use crate::{keys, wire_up};

/// What the exit status says of personal data that no rule protects.
const UNPROTECTED: u8 = 2;

/// How often progress is shown.
const TICK: Duration = Duration::from_millis(200);

/// Scans, prints what was found, and writes rules if that is wanted.
pub(crate) async fn run(args: &Scan) -> Result<ExitCode> {
    if !(0.5..=1.0).contains(&args.min_confidence) {
        bail!("--min-confidence is from 0.5 to 1");
    }
    let run = of_files(args);
    let source = match &args.upstream {
        Some(_) => None,
        None => Some(Source::open(run.clone()).await?),
    };
    let config = source.as_ref().map_or_else(|| config_of(&run), Source::config)?;
    let entry = config.database(&args.database).with_context(|| {
        format!("no entry of \"databases\" in the configuration has the name {}", args.database)
    })?;
    let upstream = &entry.upstream;
    let database = upstream.database.clone().unwrap_or_else(|| args.database.clone());
    let report = read(args, upstream, &database).await?;
    let mut document = document(&report);
    let protection = Protection::new(policy(&config)?, &database, upstream.protocol);
    let open = protection.note(&mut document).len();
    let known = match &source {
        Some(source) => {
            source.document()?.get("rules").and_then(Value::as_array).cloned().unwrap_or_default()
        }
        None => Rules::new(),
    };
    let mut rules = known.clone();
    protection.add_rules(&document, None, &mut rules)?;
    rules.retain(|rule| !known.contains(rule));
    if args.apply {
        let source = source.as_ref().context("--apply needs a configuration file")?;
        let written = apply(source, &document, &protection)?;
        writeln!(io::stderr(), "{written} rule(s) written for {open} column(s)")?;
    }
    if let Some(map) = document.as_object_mut() {
        map.insert("unprotected".to_owned(), open.into());
    }
    print(args.format, &document, &rules)?;
    if report.is_partial {
        bail!("connections were lost before all tables were read; scan again, with fewer --sessions");
    }
    Ok(if open == 0 || args.apply { ExitCode::SUCCESS } else { UNPROTECTED.into() })
}

/// The rules of a configuration; one without needs no key.
fn policy(config: &Config) -> Result<Arc<Policy>> {
    let root = match &config.root_key {
        _ if config.rules.is_empty() => RootKey::from_bytes(keys::random()?),
        Some(key) => keys::read_root(key)?,
        None => keys::read_root(&keys::default_root()?)?,
    };
    Ok(Arc::new(wire_up::policy(config, &root, None)))
}

fn of_files(args: &Scan) -> Run {
    let mut run = Run::of(std::path::Path::new("proxy.yaml"));
    (run.config, run.upstream) = (args.config.clone(), args.upstream.clone());
    run
}

/// Signs in, and scans with a bar that shows how far it is.
async fn read(args: &Scan, upstream: &Upstream, database: &str) -> Result<Report> {
    let sign_in = SignIn::of_environment(&args.user);
    let sessions = sessions(upstream, database, &sign_in, args.sessions.into()).await?;
    let seconds = now();
    let options = Options {
        confidence_min: args.min_confidence,
        year: year(seconds),
        seed: args.seed.unwrap_or(seconds),
        rest: args.rest,
        schemas: args.schemas.clone(),
        people: people()?,
    };
    let progress = Arc::new(Progress::default());
    let bar = io::stderr().is_terminal().then(|| tokio::spawn(show(Arc::clone(&progress))));
    let report = scan(sessions, options, progress).await;
    if let Some(bar) = bar {
        bar.abort();
        eprint!("\r\x1b[K");
    }
    Ok(report?)
}

/// Signs in so many times.
async fn sessions(upstream: &Upstream, database: &str, sign_in: &SignIn, count: u32) -> Result<Vec<Session>> {
    let mut sessions = Vec::new();
    for _ in 0..count {
        sessions.push(match upstream.protocol {
            Protocol::Postgres => Session::Postgres(sign_in_postgres(upstream, database, sign_in).await?),
            Protocol::MySql => Session::MySql(sign_in_mysql(upstream, database, sign_in).await?),
        });
    }
    Ok(sessions)
}

/// The file of a model that finds names of people in free text.
const NER_MODEL: &str = "IRONVEIL_NER_MODEL";

/// What finds names of people in free text besides lists, if there is a model.
fn people() -> Result<Option<Arc<dyn Find>>> {
    let Some(path) = std::env::var_os(NER_MODEL) else { return Ok(None) };
    #[cfg(feature = "ner")]
    {
        let read = || veil_ner::People::new(std::fs::read(&path)?);
        let people =
            read().with_context(|| format!("{NER_MODEL}: {} is no model", Path::new(&path).display()))?;
        Ok(Some(Arc::new(people)))
    }
    #[cfg(not(feature = "ner"))]
    bail!(
        "{NER_MODEL} names {}, and this ironveil was built without the feature \"ner\"",
        Path::new(&path).display()
    )
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn year(seconds: u64) -> i32 {
    1970 + i32::try_from(seconds / 31_556_952).unwrap_or(0)
}

/// Seconds that a scan takes yet, if it goes on like this.
fn seconds_left(progress: &Progress, began: Instant) -> Option<u64> {
    let count = |of: &std::sync::atomic::AtomicU64| of.load(Ordering::Relaxed);
    let (tables, done) = (count(&progress.tables), count(&progress.done));
    began.elapsed().as_secs().checked_mul(tables.saturating_sub(done))?.checked_div(done)
}

/// Shows how far a scan is, on one line.
async fn show(progress: Arc<Progress>) {
    let start = Instant::now();
    loop {
        tokio::time::sleep(TICK).await;
        let count = |of: &std::sync::atomic::AtomicU64| of.load(Ordering::Relaxed);
        let (tables, done, rows) = (count(&progress.tables), count(&progress.done), count(&progress.rows));
        let left = seconds_left(&progress, start).map_or_else(String::new, |left| format!(", {left} s left"));
        let filled = usize::try_from(done * 20 / tables.max(1)).unwrap_or(0).min(20);
        let (bar, rest) = ("#".repeat(filled), ".".repeat(20 - filled));
        eprint!("\r\x1b[K[{bar}{rest}] {done} of {tables} tables, {rows} rows{left}");
    }
}

/// Adds the rules that are missing. One that cannot be is a fault.
fn apply(source: &Source, document: &Value, protection: &Protection) -> Result<usize> {
    let path = source.run.config_path().context("--apply needs a configuration file")?;
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let head = match &source.store {
        Some(store) => store.head()?,
        None => None,
    };
    let mut rules = match &head {
        Some(head) => head.rules.clone(),
        None => Document::parse(&text).map_err(|what| anyhow!("{}: {what}", path.display()))?.rules(),
    };
    let added = protection.add_rules(document, None, &mut rules)?;
    if let Err(faults) = source.with_rules(&rules) {
        bail!("the rules that were found do not fit the configuration:\n{}", faults.join("\n"));
    }
    match &source.store {
        _ if added == 0 => {}
        Some(store) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            let change = Change {
                time: i64::try_from(now).unwrap_or(i64::MAX),
                author: std::env::var("USER").unwrap_or_else(|_| "scan".to_owned()),
                comment: format!("a scan has found {added} column(s)"),
                rules,
            };
            store.commit(head.map_or(0, |head| head.number), &change)?;
        }
        None => {
            let text = with_rules(&text, &rules).map_err(|what| anyhow!("{}: {what}", path.display()))?;
            veil_store::replace(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(added)
}

fn print(format: Format, document: &Value, rules: &Rules) -> Result<()> {
    let mut out = io::stdout().lock();
    match format {
        Format::Yaml => write!(out, "{}", text_of_rules(rules))?,
        Format::Json => serde_json::to_writer_pretty(&mut out, document)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out))?,
        Format::Table => table(&mut out, document)?,
    }
    Ok(())
}

fn table(out: &mut impl Write, document: &Value) -> Result<()> {
    let mut lines =
        vec![["COLUMN", "TYPE", "CLASS", "CONFIDENCE", "PROTECTED", "EVIDENCE"].map(str::to_owned)];
    let joined = |value: &Value, key: &str, by: &str| {
        list(value, key).filter_map(Value::as_str).collect::<Vec<_>>().join(by)
    };
    for found in columns(document) {
        let ColumnName { schema, table, column } = &found.name;
        for finding in list(found.column, "findings") {
            let (path, scheme) = (text(finding, "path"), text(finding, "scheme"));
            let inside = match joined(finding, "contains", ", ") {
                none if none.is_empty() => none,
                some => format!("; it holds {some}"),
            };
            let pattern = list(found.column, "patterns").next().and_then(Value::as_str);
            let pattern = pattern.map_or_else(String::new, |pattern| format!("; {pattern}"));
            let confidence = finding.get("confidence").and_then(Value::as_f64).unwrap_or_default();
            lines.push([
                format!("{schema}.{table}.{column} {path}").trim_end().to_owned(),
                text(found.column, "type"),
                if scheme.is_empty() { text(finding, "class") } else { scheme },
                format!("{:.0} %", confidence * 100.0),
                if found.is_protected() { "yes" } else { "no" }.to_owned(),
                format!("{}{inside}{pattern}", joined(finding, "evidence", "; ")),
            ]);
        }
    }
    let width =
        |at: usize| lines.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..5).filter_map(width).collect();
    for line in &lines {
        let cells = line.iter().zip(widths.iter().copied().chain([0]));
        let padded: Vec<String> = cells.map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(out, "{}", padded.join("  ").trim_end())?;
    }
    for table in list(document, "tables") {
        if let Some(why) = table.get("unread").and_then(Value::as_str) {
            let (schema, table) = (text(table, "schema"), text(table, "table"));
            writeln!(out, "{schema}.{table}: not read ({why}); told by its names")?;
        }
    }
    let rows: u64 =
        list(document, "tables").filter_map(|table| table.get("rows_read").and_then(Value::as_u64)).sum();
    let open = columns(document).filter(|found| !found.is_protected()).count();
    let (tables, all) = (list(document, "tables").count(), columns(document).count());
    let said = format!("{all} columns with personal data, {open} of them unprotected");
    writeln!(out, "\n{tables} tables, {rows} rows read: {said}")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "tests")]

    use veil_detect::{Class, Finding, Kind};
    use veil_mask::Masker;
    use veil_model::PgType;
    use veil_model::pgtype::oid;
    use veil_policy::Action;
    use veil_scan::{ColumnFinding, TableName, rule};

    use super::*;

    /// Whatever is found, the rule for it is one, and it masks the column's type.
    #[test]
    fn every_rule_that_is_written_masks_its_column() {
        let types = [
            (Kind::Text, oid::TEXT),
            (Kind::Integer, oid::INT8),
            (Kind::Decimal, oid::NUMERIC),
            (Kind::Date, oid::DATE),
            (Kind::Timestamp, oid::TIMESTAMP),
            (Kind::Bool, oid::BOOL),
            (Kind::Uuid, oid::UUID),
            (Kind::Inet, oid::INET),
            (Kind::Json, oid::JSONB),
        ];
        for (&class, (kind, oid)) in
            Class::ALL.iter().flat_map(|class| types.iter().map(move |kind| (class, *kind)))
        {
            for (scheme, path) in
                [(None, None), (Some("nl_bsn"), None), (Some("fi_hetu"), None), (None, Some("$.a.b"))]
            {
                let finding = Finding {
                    class,
                    scheme,
                    path: path.map(str::to_owned),
                    confidence: 0.9,
                    personal: 0.9,
                    share: 1.0,
                    values: 1,
                    contains: vec![],
                    evidence: vec![],
                };
                if path.is_some() && kind != Kind::Json && kind != Kind::Text {
                    continue;
                }
                let column = ColumnFinding {
                    column: "c".to_owned(),
                    type_name: String::new(),
                    kind,
                    findings: vec![finding],
                    patterns: vec![],
                    refers: vec![],
                };
                let table = TableName { schema: "s".to_owned(), table: "t".to_owned() };
                let rules = text_of_rules(&[rule(&table, &column)]);
                let text = format!("databases: [{{ name: a, upstream: 'postgres://localhost' }}]\n{rules}");
                let config = Config::parse(&text).unwrap_or_else(|faults| panic!("{faults:?}: {text}"));
                let Some(Action::Mask(strategy)) = config.rules.first().map(|rule| &rule.action) else {
                    panic!("{text}")
                };
                let masker = Masker::new(&RootKey::from_bytes([7; 32]), strategy);
                assert!(
                    masker.column(PgType { oid, modifier: -1 }).supported(),
                    "{class:?} {kind:?}: {rules}"
                );
            }
        }
    }
}
