//! MariaDB's own tests: what its parser takes of their statements, and what is understood of that.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use veil_sql::mysql::analyse::analyse;
use veil_sql::mysql::{Kind, Mode};
use veil_testkit::{Flavour, MySql, MySqlOptions};
use veil_wire::mysql::capability as cap;

use crate::mysql_raw::Raw;
use crate::{corpus, share};

const DATA: [&str; 8] = ["select", "with", "insert", "update", "delete", "replace", "values", "explain"];

/// Errors by which a server says that a text is not one of its language, or cannot be prepared.
const NO_SYNTAX: [u16; 6] = [1064, 1065, 1149, 1295, 1461, 1300];

/// The statements of all files, each once: lines up to a semicolon, without what the test program itself reads.
fn statements(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let mut statement = String::new();
        for line in text.lines() {
            let line = line.trim();
            if statement.is_empty() && (line.is_empty() || line.starts_with("--") || line.starts_with('#')) {
                continue;
            }
            if line.to_ascii_lowercase().starts_with("delimiter") {
                break;
            }
            statement.push_str(line);
            if let Some(whole) = statement.strip_suffix(';') {
                let head = whole.trim_start_matches('(').to_ascii_lowercase();
                let data = DATA.iter().any(|word| {
                    head.starts_with(word) && !head[word.len()..].starts_with(char::is_alphanumeric)
                });
                if data && !whole.contains('$') && whole.len() < 4_000 {
                    found.insert(whole.to_owned());
                }
                statement.clear();
            } else {
                statement.push('\n');
            }
        }
    }
    found
}

#[test]
fn the_tests_of_mariadb_are_understood() {
    let Some(folder) = corpus("mariadb") else { return };
    let server =
        MySql::start(MySqlOptions { flavour: Some(Flavour::MariaDb10), ..MySqlOptions::default() }).unwrap();
    server.sql("", "create database shop").unwrap();
    let mut raw = Raw::connect(server.port(), cap::MULTI_STATEMENTS | cap::COMPRESS | cap::QUERY_ATTRIBUTES);
    let mode = Mode::new("", server.version());
    let (mut valid, mut understood, mut refused) = (0, 0, 0);
    let mut not = Vec::new();
    for text in statements(&folder) {
        let prepared = raw.prepare(&text);
        match &prepared {
            Err((number, _)) if NO_SYNTAX.contains(number) => continue,
            Ok(prepared) => {
                let mut close = vec![25];
                close.extend(prepared.statement.to_le_bytes());
                raw.send(&close);
            }
            Err(_) => {}
        }
        valid += 1;
        let analysis = analyse(&text, mode);
        match analysis.as_ref().map(|all| all.statements.as_slice()) {
            Ok([one]) if matches!(one.kind, Kind::Refused(_)) => refused += 1,
            Ok([one]) if one.facts.opaque.is_none() => understood += 1,
            _ => not.push(text),
        }
    }
    eprintln!(
        "MariaDB's tests: {valid} different statements of rows that its parser takes; {:.2} % analysed, {:.2} % refused by their kind",
        share(understood, valid),
        share(refused, valid)
    );
    if let Some(path) = std::env::var_os("IRONVEIL_CORPUS_NOT") {
        fs::write(path, not.join(";\n")).unwrap();
    }
    assert!(valid > 20_000, "the corpus is not whole: {valid}");
    assert!(share(understood + refused, valid) >= 90.0);
}
