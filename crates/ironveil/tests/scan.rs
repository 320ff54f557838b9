//! `ironveil scan`, as a person types it, on real servers of both kinds.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::process::{Command, Output};
use std::time::Instant;

use serde_json::Value;
use veil_testkit::{MySql, MySqlOptions, Postgres, PostgresOptions};

const PEOPLE: &str = "create table people (id int primary key, email varchar(80), full_name varchar(80), born date, note text, status varchar(10));
    insert into people values (1, 'jane.doe@corp.example', 'Jane Doe', '1971-03-09', 'call jane.doe@corp.example', 'active'),
    (2, 'max.weber@corp.example', 'Max Weber', '1984-11-30', 'paid by 4111 1111 1111 1111', 'left'),
    (3, 'ana.silva@corp.example', 'Ana Silva', '1990-01-02', 'nothing to say', 'active'),
    (4, 'li.chen@corp.example', 'Li Chen', '1965-07-21', 'wrote to li.chen@corp.example', 'active');
    create table visits (id int primary key, person int references people (id), c7 varchar(40), page varchar(40));
    insert into visits values (1, 1, '203.0.113.7', '/home'), (2, 2, '198.51.100.23', '/cart'), (3, 3, '192.0.2.44', '/home'), (4, 4, '203.0.113.99', '/help');";

struct Scanned {
    directory: tempfile::TempDir,
    database: &'static str,
    user: &'static str,
    password: &'static str,
}

impl Scanned {
    /// A configuration that protects one column.
    fn new(url: &str, database: &'static str, user: &'static str, password: &'static str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = directory.path().join("key");
        let made = Command::new(env!("CARGO_BIN_EXE_ironveil"))
            .args(["keys", "generate", "--out"])
            .arg(&key)
            .output();
        assert!(made.unwrap().status.success());
        let config = format!(
            "# Kept.\nkeys: {{ root: {{ file: '{}' }} }}\ndatabases:\n  - {{ name: {database}, upstream: '{url}' }}\nrules:\n  - {{ table: people, column: email, strategy: email }}\n",
            key.display()
        );
        fs::write(directory.path().join("proxy.yaml"), config).unwrap();
        Self { directory, database, user, password }
    }

    fn config(&self) -> String {
        fs::read_to_string(self.directory.path().join("proxy.yaml")).unwrap()
    }

    fn scan(&self, arguments: &[&str]) -> Output {
        let config = self.directory.path().join("proxy.yaml");
        Command::new(env!("CARGO_BIN_EXE_ironveil"))
            .args(["scan", "--database", self.database, "--user", self.user, "--config"])
            .arg(config)
            .args(arguments)
            .env("IRONVEIL_PASSWORD", self.password)
            .output()
            .unwrap()
    }

    fn report(&self, arguments: &[&str]) -> Value {
        let output = self.scan(&[&["--format", "json"], arguments].concat());
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)))
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// Column, class, and whether a rule protects it.
fn found(report: &Value) -> Vec<(String, String, bool)> {
    let tables = report["tables"].as_array().unwrap();
    let columns = tables.iter().flat_map(|table| {
        table["columns"].as_array().unwrap().iter().map(move |column| {
            let name = format!("{}.{}", table["table"].as_str().unwrap(), column["column"].as_str().unwrap());
            let class = column["findings"][0]["class"].as_str().unwrap().to_owned();
            (name, class, column["protected"].as_bool().unwrap())
        })
    });
    columns.collect()
}

/// What is found, what is protected by what is applied, and what nobody is told.
fn finds_and_protects(scanned: &Scanned) {
    let expected = [
        ("people.email", "email", true),
        ("people.full_name", "full_name", false),
        ("people.born", "date_of_birth", false),
        ("people.note", "free_text", false),
        ("visits.c7", "ip_address", false),
    ];
    let expected =
        expected.map(|(column, class, protected)| (column.to_owned(), class.to_owned(), protected));
    assert_eq!(found(&scanned.report(&[])), expected);

    let table = scanned.scan(&[]);
    assert_eq!(table.status.code(), Some(2), "{}", said(&table));
    let printed = said(&table);
    assert!(printed.contains("people.full_name") && printed.contains("4 of them unprotected"), "{printed}");
    for value in ["jane.doe", "Jane", "1971", "203.0.113", scanned.password] {
        assert!(!printed.contains(value), "{value}: {printed}");
    }
    let rules = said(&scanned.scan(&["--format", "yaml"]));
    assert!(
        rules.starts_with("rules:") && rules.matches("rules:").count() == 1 && rules.contains("strategy: ip"),
        "{rules}"
    );

    let applied = scanned.scan(&["--apply"]);
    assert_eq!(applied.status.code(), Some(0), "{}", said(&applied));
    assert!(
        scanned.config().starts_with("# Kept.") && scanned.config().contains("text_entities"),
        "{}",
        scanned.config()
    );
    let after = scanned.scan(&[]);
    assert_eq!(after.status.code(), Some(0), "{}", said(&after));
    assert!(found(&scanned.report(&[])).iter().all(|(.., protected)| *protected));
}

/// As many tables as there are in a large product, of which a tenth hold people.
fn many_tables() -> String {
    let table = |at: usize| {
        let values = |row: usize| {
            if at.is_multiple_of(10) {
                format!("({row}, 'user{row}@mail{at}.example', '+49 30 {}', {row}.5)", 1_000_000 + row * 37)
            } else {
                format!("({row}, 'item {row}', 'SKU-{at}-{row}', {row}.5)")
            }
        };
        let rows: Vec<String> = (1..=60).map(values).collect();
        format!(
            "create table t{at:03} (id int primary key, a varchar(60), b varchar(60), c numeric(10,2)); insert into t{at:03} values {};",
            rows.join(", ")
        )
    };
    (0..500).map(table).collect()
}

/// Prints how long it takes; the benchmark's figure, not a limit.
fn scans_many_tables(scanned: &Scanned) {
    let start = Instant::now();
    let found = found(&scanned.report(&[]));
    eprintln!("500 tables scanned in {:.1?}", start.elapsed());
    let of = |class: &str| found.iter().filter(|(_, known, _)| known == class).count();
    assert_eq!((found.len(), of("email"), of("phone")), (100, 50, 50), "{found:?}");
}

/// What does not stand at the beginning of a large table is found, and few of its rows are read.
fn samples_all_over(scanned: &Scanned) {
    for seed in ["1", "2", "3"] {
        let report = scanned.report(&["--seed", seed]);
        let found = found(&report);
        let (column, class, _) = found.first().unwrap_or_else(|| panic!("{report}"));
        assert!(column == "big.c" && (class == "email" || class == "free_text"), "{report}");
        let read = report["tables"][0]["rows_read"].as_u64().unwrap();
        assert!((200..=2000).contains(&read), "{read}");
    }
}

fn postgres(script: &str) -> (Postgres, String) {
    let server = Postgres::start(PostgresOptions::default()).unwrap();
    server.psql("postgres", script).unwrap();
    let url = format!("postgres://127.0.0.1:{}/postgres?sslmode=disable", server.port());
    (server, url)
}

fn mariadb(script: &str) -> (MySql, String) {
    let server = MySql::start(MySqlOptions::default()).unwrap();
    server.sql("", &format!("create database shop; use shop; {script}")).unwrap();
    let url = format!("mysql://127.0.0.1:{}/shop?sslmode=disable", server.port());
    (server, url)
}

#[test]
fn postgres_is_scanned_and_protected() {
    let (server, url) = postgres(&format!(
        "{PEOPLE} create view faces as select full_name from people where false;
        create table parts (day date, mobile text) partition by range (day);
        create table parts_1 partition of parts for values from ('2020-01-01') to ('2030-01-01');"
    ));
    let scanned = Scanned::new(&url, "shop", Postgres::superuser(), Postgres::password());
    let report = scanned.report(&[]);
    let names: Vec<&str> =
        report["tables"].as_array().unwrap().iter().filter_map(|table| table["table"].as_str()).collect();
    assert_eq!(names, ["faces", "parts", "people", "visits"], "a partition is scanned with its table");
    assert_eq!(report["tables"][0]["kind"], "view");
    server.psql("postgres", "drop view faces; drop table parts").unwrap();
    finds_and_protects(&scanned);
}

#[test]
fn mariadb_is_scanned_and_protected() {
    let (_server, url) = mariadb(PEOPLE);
    finds_and_protects(&Scanned::new(&url, "shop", MySql::superuser(), MySql::password()));
}

#[test]
fn a_postgres_of_many_tables_is_scanned() {
    let (_server, url) = postgres(&many_tables());
    scans_many_tables(&Scanned::new(&url, "shop", Postgres::superuser(), Postgres::password()));
}

#[test]
fn a_mariadb_of_many_tables_is_scanned() {
    let (_server, url) = mariadb(&many_tables());
    scans_many_tables(&Scanned::new(&url, "shop", MySql::superuser(), MySql::password()));
}

#[test]
fn a_large_table_of_postgres_is_sampled() {
    let (_server, url) = postgres(
        "create table big (id int primary key, c text);
        insert into big select n, case when n > 20000 then 'user' || n || '@mail.example' else 'item ' || n end from generate_series(1, 100000) n;
        analyze big;",
    );
    samples_all_over(&Scanned::new(&url, "shop", Postgres::superuser(), Postgres::password()));
}

#[test]
fn a_large_table_of_mariadb_is_sampled() {
    let (_server, url) = mariadb(
        "create table big (id int primary key, c varchar(80));
        insert into big select seq, if(seq > 20000, concat('user', seq, '@mail.example'), concat('item ', seq)) from seq_1_to_100000;
        analyze table big;",
    );
    samples_all_over(&Scanned::new(&url, "shop", MySql::superuser(), MySql::password()));
}

/// Prints what pgbench does alone, and while scans follow each other; `IRONVEIL_SCAN_LOAD` is for how many seconds.
#[test]
fn others_go_on_while_a_database_is_scanned() {
    let seconds = std::env::var("IRONVEIL_SCAN_LOAD").unwrap_or_else(|_| "2".to_owned());
    let (server, url) = postgres(&many_tables());
    let scanned = Scanned::new(&url, "shop", Postgres::superuser(), Postgres::password());
    let pgbench = |arguments: &[&str]| {
        let port = server.port().to_string();
        let mut command = Command::new(server.bin("pgbench"));
        command.args(["-h", "127.0.0.1", "-p", &port, "-U", Postgres::superuser()]).args(arguments);
        command.arg("postgres").env("PGPASSWORD", Postgres::password()).output().unwrap()
    };
    assert!(pgbench(&["-i", "-q", "-s", "5"]).status.success());
    let tps = |output: &Output| {
        let text = said(output);
        let line =
            text.lines().find(|line| line.starts_with("tps")).unwrap_or_else(|| panic!("{text}")).to_owned();
        line.split(' ').nth(2).unwrap().parse::<f64>().unwrap()
    };
    let run = || tps(&pgbench(&["-n", "-c", "2", "-j", "1", "-T", &seconds]));
    run();
    let (alone, done) = (run(), std::sync::atomic::AtomicBool::new(false));
    let (beside, scans) = std::thread::scope(|scope| {
        let scans = scope.spawn(|| {
            let mut scans = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                assert_eq!(scanned.scan(&[]).status.code(), Some(2));
                scans += 1;
            }
            scans
        });
        let beside = run();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        (beside, scans.join().unwrap())
    });
    eprintln!(
        "pgbench {alone:.0} tps alone, {beside:.0} while {scans} scans followed each other: {:.0} % less",
        100.0 * (1.0 - beside / alone)
    );
    assert!(scans > 0);
}

#[test]
fn what_cannot_be_is_said() {
    let (_server, url) = postgres("select 1");
    let scanned = Scanned::new(&url, "shop", "nobody", "wrong");
    let output = scanned.scan(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("cannot sign in"), "{}", said(&output));
    let output = scanned.scan(&["--min-confidence", "7"]);
    assert!(said(&output).contains("from 0.5 to 1"), "{}", said(&output));
}
