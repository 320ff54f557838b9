//! `ironveil scan`: finds personal data in a database, says which of it no rule protects, and writes rules for it.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};
use veil_detect::Finding;
use veil_model::ColumnName;
use veil_policy::config::{Config, Protocol, Upstream};
use veil_policy::who::Principal;
use veil_scan::{ColumnFinding, Options, Progress, Report, Session, TableName, TableReport, rule, scan};
use veil_store::document::{Document, text_of_rules, with_rules};
use veil_store::{Change, Rules};

use crate::cli::{Format, Run, Scan};
use crate::commands::config_of;
use crate::server::{SignIn, sign_in_mysql, sign_in_postgres};
use crate::source::Source;
use crate::{keys, wire_up};

/// What the exit status says of personal data that no rule protects.
const UNPROTECTED: u8 = 2;

/// How often progress is shown.
const TICK: Duration = Duration::from_millis(200);

/// Which columns rules protect.
type Protected<'a> = dyn Fn(&TableName, &str) -> bool + 'a;

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
    let report = report(args, upstream, &database).await?;
    let protected = protection(&config, args, &database)?;
    let open = unprotected(&report, &*protected);
    if args.apply {
        let source = source.as_ref().context("--apply needs a configuration file")?;
        let written = apply(source, &open)?;
        writeln!(io::stderr(), "{written} rule(s) written for {} column(s)", open.len())?;
    }
    print(args.format, &report, &*protected, &open)?;
    if report.is_partial {
        bail!("connections were lost before all tables were read; scan again, with fewer --sessions");
    }
    Ok(if open.is_empty() || args.apply { ExitCode::SUCCESS } else { UNPROTECTED.into() })
}

fn of_files(args: &Scan) -> Run {
    let mut run = Run::of(std::path::Path::new("proxy.yaml"));
    (run.config, run.upstream) = (args.config.clone(), args.upstream.clone());
    run
}

/// Signs in, and scans with a bar that shows how far it is.
async fn report(args: &Scan, upstream: &Upstream, database: &str) -> Result<Report> {
    let sign_in = SignIn::of_environment(&args.user);
    let mut sessions = Vec::new();
    for _ in 0..args.sessions {
        sessions.push(match upstream.protocol {
            Protocol::Postgres => Session::Postgres(sign_in_postgres(upstream, database, &sign_in).await?),
            Protocol::MySql => Session::MySql(sign_in_mysql(upstream, database, &sign_in).await?),
        });
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let options = Options {
        confidence_min: args.min_confidence,
        year: 1970 + i32::try_from(now / 31_556_952).unwrap_or(0),
        seed: args.seed.unwrap_or(now),
        rest: args.rest,
        schemas: args.schemas.clone(),
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

/// Shows how far a scan is, on one line.
async fn show(progress: Arc<Progress>) {
    let start = Instant::now();
    loop {
        tokio::time::sleep(TICK).await;
        let count = |of: &std::sync::atomic::AtomicU64| of.load(Ordering::Relaxed);
        let (tables, done, rows) = (count(&progress.tables), count(&progress.done), count(&progress.rows));
        let left = match done {
            0 => String::new(),
            _ => format!(", {} s left", start.elapsed().as_secs() * tables.saturating_sub(done) / done),
        };
        let filled = usize::try_from(done * 20 / tables.max(1)).unwrap_or(0).min(20);
        let (bar, rest) = ("#".repeat(filled), ".".repeat(20 - filled));
        eprint!("\r\x1b[K[{bar}{rest}] {done} of {tables} tables, {rows} rows{left}");
    }
}

/// Which columns are masked for whoever has no rights of his own.
fn protection(config: &Config, args: &Scan, database: &str) -> Result<Box<Protected<'static>>> {
    if config.rules.is_empty() {
        return Ok(Box::new(|_, _| false));
    }
    let key = config.root_key.clone().map_or_else(keys::default_root, Ok)?;
    let policy = wire_up::policy(config, &keys::read_root(&key)?, None);
    let rights = policy.settled(&policy.rights(&Principal::user(""), SystemTime::now()), None);
    let mysql =
        config.database(&args.database).is_some_and(|entry| entry.upstream.protocol == Protocol::MySql);
    let database = database.to_owned();
    Ok(Box::new(move |table, column| {
        let name = ColumnName {
            schema: table.schema.clone(),
            table: table.table.clone(),
            column: column.to_owned(),
        };
        let masking = if mysql {
            policy.mask_mysql(&rights, &name, true)
        } else {
            policy.mask(&database, &rights, &name)
        };
        masking.is_some()
    }))
}

fn unprotected<'a>(
    report: &'a Report,
    protected: &Protected<'_>,
) -> Vec<(&'a TableReport, &'a ColumnFinding)> {
    let columns =
        report.tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)));
    columns.filter(|(table, column)| !protected(&table.name, &column.column)).collect()
}

fn rules_for(open: &[(&TableReport, &ColumnFinding)]) -> Rules {
    open.iter().map(|(table, column)| rule(&table.name, column)).collect()
}

/// Adds rules behind those that are there, which go first. A rule that cannot be is one that covers all of the value.
fn apply(source: &Source, open: &[(&TableReport, &ColumnFinding)]) -> Result<usize> {
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
    let before = rules.len();
    rules.extend(rules_for(open));
    if let Err(faults) = source.with_rules(&rules) {
        bail!("the rules that were found do not fit the configuration:\n{}", faults.join("\n"));
    }
    let added = rules.len() - before;
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

fn print(
    format: Format,
    report: &Report,
    protected: &Protected<'_>,
    open: &[(&TableReport, &ColumnFinding)],
) -> Result<()> {
    let mut out = io::stdout().lock();
    match format {
        Format::Yaml => write!(out, "{}", text_of_rules(&rules_for(open)))?,
        Format::Json => serde_json::to_writer_pretty(&mut out, &document(report, protected, open.len()))
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out))?,
        Format::Table => table(&mut out, report, protected, open.len())?,
    }
    Ok(())
}

fn document(report: &Report, protected: &Protected<'_>, open: usize) -> Value {
    let finding = |finding: &Finding| {
        json!({
            "class": finding.class.id(), "scheme": finding.scheme, "path": finding.path, "confidence": (finding.confidence * 1000.0).round() / 1000.0,
            "share": (finding.share * 1000.0).round() / 1000.0, "contains": finding.contains.iter().map(|class| class.id()).collect::<Vec<_>>(),
            "evidence": finding.evidence.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    };
    let tables = report.tables.iter().map(|table| {
        let columns = table.columns.iter().map(|column| {
            json!({
                "column": column.column, "type": column.type_name, "protected": protected(&table.name, &column.column),
                "findings": column.findings.iter().map(finding).collect::<Vec<_>>(), "patterns": column.patterns, "rule": rule(&table.name, column),
            })
        });
        json!({
            "schema": table.name.schema, "table": table.name.table, "kind": table.kind.name(), "rows_estimated": table.rows_estimated,
            "rows_read": table.rows_read, "unread": table.unread, "columns": columns.collect::<Vec<_>>(),
        })
    });
    json!({ "unprotected": open, "tables": tables.collect::<Vec<_>>() })
}

fn table(out: &mut impl Write, report: &Report, protected: &Protected<'_>, open: usize) -> Result<()> {
    let mut lines =
        vec![["COLUMN", "TYPE", "CLASS", "CONFIDENCE", "PROTECTED", "EVIDENCE"].map(str::to_owned)];
    for (table, column) in
        report.tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)))
    {
        for finding in &column.findings {
            let path = finding.path.as_deref().map_or_else(String::new, |path| format!(" {path}"));
            let contains = finding.contains.iter().map(|class| class.id()).collect::<Vec<_>>().join(", ");
            let inside = if contains.is_empty() { contains } else { format!("; it holds {contains}") };
            let evidence = finding.evidence.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            let patterns = column.patterns.first().map_or_else(String::new, |pattern| format!("; {pattern}"));
            lines.push([
                format!("{}.{}.{}{path}", table.name.schema, table.name.table, column.column),
                column.type_name.clone(),
                finding.scheme.unwrap_or(finding.class.id()).to_owned(),
                format!("{:.0} %", finding.confidence * 100.0),
                if protected(&table.name, &column.column) { "yes" } else { "no" }.to_owned(),
                format!("{evidence}{inside}{patterns}"),
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
    for table in report.tables.iter().filter(|table| table.unread.is_some()) {
        let why = table.unread.as_deref().unwrap_or_default();
        writeln!(out, "{}.{}: not read ({why}); told by its names", table.name.schema, table.name.table)?;
    }
    let rows: u64 = report.tables.iter().map(|table| table.rows_read).sum();
    writeln!(
        out,
        "\n{} tables, {rows} rows read: {} columns with personal data, {open} of them unprotected",
        report.tables.len(),
        { report.tables.iter().map(|table| table.columns.len()).sum::<usize>() }
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "tests")]

    use veil_detect::{Class, Kind};
    use veil_mask::{Masker, RootKey};
    use veil_model::PgType;
    use veil_model::pgtype::oid;
    use veil_policy::Action;

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
