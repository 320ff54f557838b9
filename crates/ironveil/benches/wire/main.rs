//! What the proxy costs beside what stands in its place: nothing, a forwarder (HAProxy), a pooler (PgBouncer).
//!
//! Everything runs on this machine and shares its cores, so no figure says how fast anything is: what counts are ratios within a round, in which all contenders take
//! turns, and the processor time of each. `BENCH_ROUNDS` (5) and `BENCH_SECONDS` (3, of each turn) say how long; a word on the command line chooses the
//! measurements whose names have it.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "a benchmark"
)]

mod contender;
mod load;
mod table;

use contender::{Contender, Kind};
use load::{Bulk, Mode, Script};
use table::Table;
use veil_testkit::{Postgres, PostgresOptions};

/// Rows of the large tables.
const ROWS: u32 = 1_000_000;
const CLIENTS: u32 = 16;

/// Tables of six columns, one to be masked and one not.
const SCHEMA: &str = "
    create table people (id int primary key, email text, full_name text, phone text, city text, note text);
    insert into people select i, 'user' || i || '@mail' || i % 100 || '.test', 'Jane ' || i || ' Doe', '+49 30 ' || 1000000 + i, 'city ' || i % 1000,
        'note of ' || i from generate_series(1, ROWS) i;
    create table plain as select * from people; alter table plain add primary key (id); analyze; checkpoint;";

/// A class of strategies, and its rules for three of the six columns.
const CLASSES: [(&str, &str); 4] = [
    (
        "fakes",
        "{ table: people, column: email, strategy: email }, { table: people, column: full_name, strategy: name }, { table: people, column: phone, strategy: phone }",
    ),
    (
        "hashes",
        "{ table: people, column: email, strategy: hash }, { table: people, column: full_name, strategy: hash }, { table: people, column: phone, strategy: hash }",
    ),
    (
        "FPE",
        "{ table: people, column: email, strategy: fpe }, { table: people, column: full_name, strategy: fpe }, { table: people, column: phone, strategy: fpe }",
    ),
    (
        "constants",
        "{ table: people, column: email, strategy: redact }, { table: people, column: full_name, strategy: redact }, { table: people, column: phone, strategy: 'null' }",
    ),
];

fn main() {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let rounds = setting("BENCH_ROUNDS", 5);
    let seconds = setting("BENCH_SECONDS", 3);
    let wants = |name: &str| name.contains(&wanted);
    let settings =
        [("max_connections", "300"), ("shared_buffers", "512MB"), ("max_wal_size", "4GB"), ("jit", "off")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let server = Postgres::start(PostgresOptions { settings, ..PostgresOptions::default() }).unwrap();
    server.psql("postgres", "create database bench").unwrap();
    server.psql("bench", &SCHEMA.replace("ROWS", &ROWS.to_string())).unwrap();
    let all = |rules: &'static str| {
        [
            Contender::start(Kind::Direct, server.port()),
            Contender::start(Kind::HaProxy, server.port()),
            Contender::start(Kind::PgBouncer, server.port()),
            Contender::start(Kind::IronVeil("masking off", ""), server.port()),
            Contender::start(Kind::IronVeil("masking on", rules), server.port()),
        ]
    };
    let (fakes, contenders) = (CLASSES[0].1, all(CLASSES[0].1));
    let point = |table: &str| format!("\\set id random(1, {ROWS})\nselect * from {table} where id = :id;\n");
    for (what, table) in [("nothing sensitive", "plain"), ("3 of 6 columns masked", "people")] {
        for mode in [Mode::Simple, Mode::Extended, Mode::Prepared] {
            let name = format!("point queries, {what}, {CLIENTS} clients, {mode:?}");
            if wants(&name) {
                let script = Script { text: point(table), mode, clients: CLIENTS, anew: false };
                let mut result = Table::new(&name, &["statements/s", "processor ms per 1000", "mean ms"]);
                for _ in 0..rounds {
                    for contender in &contenders {
                        let run = script.run(contender, &server, seconds);
                        let cost = run.processor.map(|spent| spent * 1e6 / run.statements);
                        result.add(&contender.name, [Some(run.rate), cost, Some(run.mean_ms)]);
                    }
                }
                result.print("direct");
            }
        }
        let name = format!("latency, {what}, 1 client");
        if wants(&name) {
            let script = Script { text: point(table), mode: Mode::Prepared, clients: 1, anew: false };
            let mut result = Table::new(&name, &["median us", "99 % us"]);
            for _ in 0..rounds {
                for contender in &contenders {
                    let run = script.run(contender, &server, seconds);
                    result.add(&contender.name, [Some(run.median_us), Some(run.late_us)]);
                }
            }
            result.print("direct");
        }
    }
    let name = "new connections, 4 clients";
    if wants(name) {
        let script = Script { text: point("plain"), mode: Mode::Simple, clients: 4, anew: true };
        let mut result = Table::new(name, &["connections/s", "processor ms per 1000"]);
        for _ in 0..rounds {
            for contender in &contenders {
                let run = script.run(contender, &server, seconds);
                let cost = run.processor.map(|spent| spent * 1e6 / run.statements);
                result.add(&contender.name, [Some(run.rate), cost]);
            }
        }
        result.print("direct");
    }
    let name = "1,000,000 rows, nothing sensitive";
    if wants(name) {
        let bulk = Bulk("select * from plain");
        let mut result = Table::new(name, &["rows/s", "processor us a row"]);
        for _ in 0..rounds {
            for contender in &contenders {
                let run = bulk.run(contender);
                result.add(
                    &contender.name,
                    [Some(run.rate), run.processor.map(|spent| spent * 1e6 / run.rows)],
                );
            }
        }
        result.print("HAProxy");
    }
    drop(contenders);
    let name = "1,000,000 rows, 3 of 6 columns masked";
    if wants(name) {
        let mut result = Table::new(name, &["rows/s", "processor us a row"]);
        let direct = Contender::start(Kind::Direct, server.port());
        let off = Contender::start(Kind::IronVeil("masking off", fakes), server.port());
        let classes =
            CLASSES.map(|(name, rules)| Contender::start(Kind::IronVeil(name, rules), server.port()));
        let in_sql = "select id, substr(md5('k' || email), 1, 12) || '@example.com', md5('k' || full_name), md5('k' || phone), city, note from people";
        for _ in 0..rounds {
            let plain = Bulk("select * from plain").run(&off);
            result.add(&off.name, [Some(plain.rate), plain.processor.map(|spent| spent * 1e6 / plain.rows)]);
            for class in &classes {
                let run = Bulk("select * from people").run(class);
                result.add(&class.name, [Some(run.rate), run.processor.map(|spent| spent * 1e6 / run.rows)]);
            }
            result.add("in SQL, by md5", [Some(Bulk(in_sql).run(&direct).rate), None]);
        }
        result.print("IronVeil, masking off");
    }
    let name = "idle sessions";
    if wants(name) {
        let mut result = Table::new(name, &["KiB a session"]);
        for kind in [
            Kind::HaProxy,
            Kind::PgBouncer,
            Kind::IronVeil("masking off", ""),
            Kind::IronVeil("masking on", fakes),
        ] {
            let contender = Contender::start(kind, server.port());
            result.add(&contender.name, [Some(load::memory(&contender, 100))]);
        }
        result.print("HAProxy");
    }
}

fn setting(name: &str, otherwise: u32) -> u32 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}
