//! PostgreSQL's regression tests: psql runs them and the server logs each statement; what the server took is analysed,
//! then run again to compare what is said of its columns with the server's own descriptions.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use veil_sql::analyse::analyse;
use veil_sql::lineage::{Expr, Lineage, Output};
use veil_sql::{Kind, Statement};
use veil_testkit::{Postgres, PostgresOptions};
use veil_wire::pg::command;
use veil_wire::pg::reply::{self, Field};
use veil_wire::pg::startup::Version;

use crate::pg_raw::Raw;
use crate::{corpus, share};

/// Statements that read or write rows begin so.
const DATA: [&str; 8] = ["select", "with", "insert", "update", "delete", "merge", "values", "table"];

/// A statement as a client sent it.
struct Sent {
    file: String,
    text: String,
    valid: bool,
}

/// The files in the order of the schedule.
fn schedule(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("parallel_schedule")).unwrap();
    let tests = text.lines().filter_map(|line| line.strip_prefix("test: "));
    tests.flat_map(str::split_whitespace).map(str::to_owned).collect()
}

/// Runs all files by psql; what the server has logged of them.
fn sent(folder: &Path) -> Vec<Sent> {
    let logs = tempfile::tempdir().unwrap();
    fs::set_permissions(logs.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let directory = logs.path().display().to_string();
    let settings = [
        ("logging_collector", "on"),
        ("log_destination", "csvlog"),
        ("log_statement", "all"),
        ("log_rotation_size", "0"),
        ("log_filename", "all"),
        ("log_directory", &directory),
        ("statement_timeout", "20000"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let server =
        Postgres::start(PostgresOptions { version: Some(15), settings, ..PostgresOptions::default() })
            .unwrap();
    server.psql("postgres", "create database regression").unwrap();
    for test in schedule(folder) {
        Command::new(server.bin("psql"))
            .args(["-X", "-q", "-h", "127.0.0.1", "-U", Postgres::superuser(), "-d", "regression"])
            .args(["-p", &server.port().to_string(), "-f"])
            .arg(folder.join("sql").join(format!("{test}.sql")))
            .env("PG_ABS_SRCDIR", folder)
            .env("PG_LIBDIR", "/nowhere")
            .env("PG_DLSUFFIX", ".so")
            .env("PGAPPNAME", &test)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
    }
    drop(server);
    let log = fs::read(logs.path().join("all.csv")).unwrap();
    statements(&String::from_utf8_lossy(&log))
}

/// Statements from a log of comma-separated values. An error of the same process belongs to its last statement.
fn statements(log: &str) -> Vec<Sent> {
    let mut found: Vec<Sent> = Vec::new();
    let mut last = std::collections::HashMap::new();
    for row in rows(log) {
        let [process, severity, message, application] =
            [3, 11, 13, 22].map(|at| row.get(at).cloned().unwrap_or_default());
        if let Some(text) = message.strip_prefix("statement: ") {
            last.insert(process, found.len());
            found.push(Sent { file: application, text: text.to_owned(), valid: true });
        } else if severity == "ERROR"
            && let Some(at) = last.get(&process)
        {
            found[*at].valid = false;
        }
    }
    found
}

fn rows(log: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = log.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    rows
}

fn is_data(text: &str) -> bool {
    let head = text.trim_start_matches(|c: char| c.is_whitespace() || c == '(').to_ascii_lowercase();
    DATA.iter().any(|word| head.starts_with(word))
}

/// Whether a value is made of no column.
fn is_free(expr: &Expr) -> bool {
    match expr {
        Expr::Column { .. } | Expr::Whole(_) | Expr::Unknown | Expr::Windows => false,
        Expr::Chosen { among, by } => among.iter().chain(by).all(is_free),
        Expr::Nullness(_) | Expr::Literal => true,
        Expr::Aggregate(of) => is_free(of),
        Expr::From(parts) => parts.iter().all(is_free),
    }
}

/// What is said of a result against the server's description of it.
fn contradiction(lineage: &Lineage, fields: &[Field<'_>]) -> Option<String> {
    for arm in &lineage.arms {
        if !arm.iter().all(|output| matches!(output, Output::Value(_))) {
            continue;
        }
        if arm.len() != fields.len() {
            return Some(format!("{} columns, not {}", fields.len(), arm.len()));
        }
        for (output, field) in arm.iter().zip(fields) {
            if let Output::Value(value) = output
                && field.relation != 0
                && is_free(value)
            {
                return Some(format!("{} is a column of a table", String::from_utf8_lossy(field.name)));
            }
        }
    }
    None
}

fn understood(text: &str) -> Option<Vec<std::sync::Arc<Statement>>> {
    let statements = analyse(text).ok()?;
    let read = statements.iter().all(|statement| {
        statement.facts.opaque.is_none()
            && !matches!(statement.kind, Kind::Refused(_))
            && (statement.kind != Kind::Data || statement.lineage.is_some())
    });
    read.then(|| statements.to_vec())
}

#[test]
fn the_regression_tests_of_postgres_are_understood() {
    let Some(folder) = corpus("postgres") else { return };
    let sent = sent(&folder);
    let data: Vec<&Sent> = sent.iter().filter(|sent| sent.valid && is_data(&sent.text)).collect();
    let not: Vec<&&Sent> = data.iter().filter(|sent| understood(&sent.text).is_none()).collect();
    eprintln!(
        "PostgreSQL's regression tests: {} statements, {} of them valid and of rows; {:.2} % analysed",
        sent.len(),
        data.len(),
        share(data.len() - not.len(), data.len())
    );
    for sent in not.iter().take(40) {
        eprintln!(
            "  not analysed, {}: {}",
            sent.file,
            sent.text.replace('\n', " ").chars().take(160).collect::<String>()
        );
    }
    let (compared, contradictions) = again(&sent);
    eprintln!(
        "  {compared} results compared with the server's descriptions, {} contradictions",
        contradictions.len()
    );
    assert!(contradictions.is_empty(), "{}", contradictions.join("\n"));
    assert!(sent.len() > 40_000 && data.len() > 20_000 && compared > 10_000, "the corpus is not whole");
    assert!(share(data.len() - not.len(), data.len()) >= 99.5);
}

/// Runs what was sent on a new server; how many results were compared, and what contradicts.
fn again(sent: &[Sent]) -> (usize, Vec<String>) {
    let server =
        Postgres::start(PostgresOptions { version: Some(15), ..PostgresOptions::default() }).unwrap();
    server.psql("postgres", "create database regression").unwrap();
    let (mut compared, mut found) = (0, Vec::new());
    for group in sent.chunk_by(|a, b| a.file == b.file) {
        if group[0].file.is_empty() || group[0].file == "psql" {
            continue;
        }
        let more =
            [("database", "regression"), ("statement_timeout", "5000"), ("application_name", &group[0].file)];
        let connect = || Raw::connect_with(server.port(), Version::V3_0, &more);
        let mut raw = connect();
        for Sent { file, text, .. } in group {
            let mut out = Vec::new();
            command::write_query(&mut out, text.as_bytes());
            raw.send(&out);
            let mut described = Vec::new();
            loop {
                let Some(reply) = raw.next() else {
                    // Some tests end their own sessions.
                    raw = connect();
                    break;
                };
                match reply.tag {
                    'T' => described.push(reply.body),
                    'G' => raw.send(b"f\0\0\0\x06no\0"),
                    'Z' => break,
                    _ => {}
                }
            }
            raw.seen.clear();
            let (Some(statements), [described]) = (understood(text), described.as_slice()) else { continue };
            let [statement] = statements.as_slice() else { continue };
            let Some(lineage) = statement.lineage.as_ref().filter(|_| statement.kind == Kind::Data) else {
                continue;
            };
            compared += 1;
            let fields = reply::decode_row_description(described).unwrap();
            if let Some(what) = contradiction(lineage, &fields) {
                found.push(format!("{file}: {what}: {text}"));
            }
        }
    }
    (compared, found)
}
