//! Other people's clients.

use std::process::Command;

use veil_testkit::PostgresOptions;

use crate::harness::{CANARY, Pair, RULES, psql, python, workspace};

#[test]
fn psql_describes_tables_and_shows_masks() {
    let pair = Pair::start();
    let connection = format!("host=127.0.0.1 port={} user=postgres dbname=shop", pair.proxy.port());
    for command in [
        "\\d",
        "\\d users",
        "\\d+ items",
        "\\dt",
        "\\dv",
        "\\l",
        "\\du",
        "\\dn",
        "\\df",
        "\\di",
        "\\dx",
        "\\sv item_view",
    ] {
        let direct = connection.replace(&pair.proxy.port().to_string(), &pair.server.port().to_string());
        // An older psql does not know every newer catalog; then both fail alike.
        assert_eq!(
            psql(&pair.server, &connection, command),
            psql(&pair.server, &direct, command),
            "{command}"
        );
    }
    let (ok, seen) = psql(&pair.server, &connection, "select * from users");
    assert!(ok && !seen.contains(CANARY) && seen.contains("note5"), "{seen}");
}

#[test]
fn psycopg_in_text_and_binary_pipelines_and_cursors() {
    let pair = Pair::start();
    let output = Command::new(python())
        .arg(workspace().join("crates/ironveil/tests/clients/psycopg_suite.py"))
        .args([pair.proxy.port().to_string(), pair.server.port().to_string()])
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&text));
}

/// The pgbench scripts, in a database that has rules.
#[test]
fn pgbench_in_every_protocol() {
    let pair = Pair::with(PostgresOptions::default(), RULES);
    let direct = pair.server.port().to_string();
    let bench = |port: &str, more: &[&str]| {
        let output = Command::new(pair.server.bin("pgbench"))
            .args(["-h", "127.0.0.1", "-p", port, "-U", "postgres"])
            .args(more)
            .arg("shop")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{more:?}: {text}");
        text
    };
    bench(&direct, &["-i", "-q"]);
    for protocol in ["simple", "extended", "prepared"] {
        for script in ["tpcb-like", "simple-update", "select-only"] {
            let text = bench(
                &pair.proxy.port().to_string(),
                &["-n", "-M", protocol, "-b", script, "-c", "4", "-j", "2", "-t", "50"],
            );
            assert!(text.contains("number of failed transactions: 0"), "{text}");
            assert!(text.contains("200/200"), "{text}");
        }
    }
}

/// A masked copy of a database, as it is made for staging.
#[test]
fn pg_dump_makes_a_masked_copy() {
    let pair = Pair::start();
    pair.server.psql("postgres", "create database staging").unwrap();
    for format in ["--inserts", "--column-inserts", "--format=plain"] {
        let output = Command::new(pair.server.bin("pg_dump"))
            .args(["-h", "127.0.0.1", "-p", &pair.proxy.port().to_string(), "-U", "postgres", format, "shop"])
            .env("PGPASSWORD", veil_testkit::Postgres::password())
            .output()
            .unwrap();
        let dump = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        if errors.contains("server version mismatch") {
            eprintln!("not tested: there is no pg_dump for this server");
            return;
        }
        assert!(output.status.success(), "{format}: {errors}");
        assert!(!dump.contains(CANARY) && dump.contains("note5"), "{format}: {dump}");
        pair.server.psql("staging", "drop schema public cascade; create schema public").unwrap();
        pair.server.psql("staging", &dump).unwrap();
        let shown = psql(
            &pair.server,
            &format!("host=127.0.0.1 port={} user=postgres dbname=shop", pair.proxy.port()),
            "select * from users order by id",
        );
        let copied = psql(
            &pair.server,
            &format!("host=127.0.0.1 port={} user=postgres dbname=staging", pair.server.port()),
            "select * from users order by id",
        );
        assert_eq!(shown, copied, "{format}");
    }
}
