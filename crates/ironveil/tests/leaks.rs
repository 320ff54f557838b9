//! Random statements on databases that differ in nothing but their secrets: what comes through the proxy must not differ.
//!
//! `IRONVEIL_LEAK_STATEMENTS` and `IRONVEIL_LEAK_SEED` say how many and which.

#![allow(
    unreachable_pub,
    missing_docs,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "support/canary.rs"]
mod canary;
#[path = "leaks/compare.rs"]
mod compare;
#[path = "leaks/grammar.rs"]
mod grammar;
#[path = "leaks/mysql.rs"]
mod mysql;
#[path = "mysql/raw.rs"]
mod mysql_raw;
#[path = "leaks/pg.rs"]
mod pg;
#[path = "pg/raw.rs"]
mod pg_raw;
#[path = "support/proxy.rs"]
mod proxy;

use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::Command;
use std::time::Duration;

use canary::holds_canary;
use compare::{Class, Outcome, Tally, classify};
use grammar::{Dialect, Grammar, Query, Random, Taint};
use veil_testkit::{Flavour, MySql, Postgres};

/// Statements in a run, unless the environment says otherwise.
const STATEMENTS: usize = 1_500;
/// One in so many is run on the servers themselves as well.
const DIRECT: usize = 4;
/// How often a difference has to come again to count.
const REPEATS: usize = 5;
/// Leaks that are printed before a run gives up.
const LEAKS_MAX: usize = 20;

/// The same client on three databases through the proxy, and on two directly.
struct Worlds<S> {
    proxied: [S; 3],
    direct: [S; 2],
    /// Where the server is.
    port: u16,
    /// Server and proxy, which end with this.
    _parts: Box<dyn std::any::Any>,
}

impl<S> Worlds<S> {
    fn new(port: u16, parts: impl std::any::Any, open: impl Fn(bool, &str) -> S) -> Self {
        let proxied = ["leaka", "leakb", "leakc"].map(|name| open(true, name));
        let direct = ["leaka", "leakb"].map(|name| open(false, name));
        Self { proxied, direct, port, _parts: Box::new(parts) }
    }
}

struct Statement<W> {
    sql: String,
    way: W,
    clean: bool,
    rows: bool,
}

/// What differs between the kinds of servers.
trait Client: Sized {
    type Way: Copy + std::fmt::Debug;
    const REFUSAL: &'static str;
    fn statement(random: &mut Random, dialect: Dialect, asks: bool) -> Statement<Self::Way>;
    fn run(&mut self, sql: &str, way: Self::Way) -> Outcome;
    fn take_bytes(&mut self) -> Vec<u8>;
    /// Whether it shows plans, not rows.
    fn explains(way: Self::Way) -> bool;
}

impl Client for pg::Session {
    type Way = pg::Way;
    const REFUSAL: &'static str = pg::REFUSAL;

    fn statement(random: &mut Random, dialect: Dialect, asks: bool) -> Statement<pg::Way> {
        let (query, way) = made(random, (dialect, asks), pg::Way::Write, pg::Way::any);
        finish(random, dialect, query, way, way.gives_rows())
    }

    fn run(&mut self, sql: &str, way: pg::Way) -> Outcome {
        Self::run(self, sql, way)
    }

    fn explains(way: pg::Way) -> bool {
        matches!(way, pg::Way::Explain)
    }

    fn take_bytes(&mut self) -> Vec<u8> {
        Self::take_bytes(self)
    }
}

impl Client for mysql::Session {
    type Way = mysql::Way;
    const REFUSAL: &'static str = mysql::REFUSAL;

    fn statement(random: &mut Random, dialect: Dialect, asks: bool) -> Statement<mysql::Way> {
        let (query, way) = made(random, (dialect, asks), mysql::Way::Write, mysql::Way::any);
        finish(random, dialect, query, way, way.gives_rows())
    }

    fn run(&mut self, sql: &str, way: mysql::Way) -> Outcome {
        Self::run(self, sql, way)
    }

    fn explains(way: mysql::Way) -> bool {
        matches!(way, mysql::Way::Explain)
    }

    fn take_bytes(&mut self) -> Vec<u8> {
        Self::take_bytes(self)
    }
}

fn made<W>(
    random: &mut Random,
    (dialect, asks): (Dialect, bool),
    write: W,
    any: impl Fn(&mut Random) -> W,
) -> (Query, W) {
    if random.one_in(10) {
        return (Grammar::new(random, dialect, asks).write(), write);
    }
    let query = Grammar::new(random, dialect, asks).query();
    (query, any(random))
}

fn finish<W>(random: &mut Random, dialect: Dialect, query: Query, way: W, rows: bool) -> Statement<W> {
    let clean = query.columns.iter().all(|column| column.taint == Taint::Clean);
    Statement { sql: grammar::dress(random, dialect, &query.sql), way, clean, rows }
}

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |text| text.parse().expect(variable))
}

/// Runs random statements and panics at a difference of data.
fn fuzz<S: Client>(what: &str, dialect: Dialect, asks: bool, start: impl Fn() -> Worlds<S>) {
    let mut worlds = start();
    let seed = number("IRONVEIL_LEAK_SEED", 1);
    let mut tally = Tally::default();
    let mut leaks = Vec::new();
    for at in 0..number("IRONVEIL_LEAK_STATEMENTS", STATEMENTS) {
        let mut random = Random(u64::try_from((seed << 32) + at).unwrap());
        let statement = S::statement(&mut random, dialect, asks);
        let step = AssertUnwindSafe(|| step(&statement, &mut worlds, at % DIRECT == 0, &mut tally));
        let class = match catch_unwind(step) {
            Ok(class) => class,
            Err(_) if is_gone(worlds.port) => {
                worlds = start();
                tally.add(Class::Crash);
                Class::Crash
            }
            Err(panic) => resume_unwind(panic),
        };
        if class == Class::Leak {
            leaks.push(format!("{:?} {}", statement.way, statement.sql));
        }
        if std::env::var("IRONVEIL_LEAK_PRINT")
            .is_ok_and(|wanted| wanted == "All" || wanted == format!("{class:?}"))
        {
            eprintln!("{class:?} {:?} {}", statement.way, statement.sql);
        }
        if leaks.len() >= LEAKS_MAX {
            break;
        }
    }
    eprintln!("{what}, seed {seed}: {tally}");
    assert!(leaks.is_empty(), "{} statements show what they must not:\n{}", leaks.len(), leaks.join("\n\n"));
    if asks {
        // Where no question is answered, neither the order of rows nor an error tells anything.
        assert_eq!((tally.count(Class::Order), tally.count(Class::ErrorBit)), (0, 0), "answers to questions");
    }
    // A run in which hardly anything is asked, or answered, proves nothing.
    assert!(
        tally.valid * 2 >= tally.direct && tally.telling * 10 >= tally.valid,
        "too few statements tell secrets"
    );
    assert!(tally.count(Class::Equal) * 10 >= tally.statements, "too few statements run");
    assert!(tally.count(Class::Unstable) * 10 <= tally.statements, "too many answers differ by themselves");
}

/// Runs given statements in several ways and panics at a difference of data.
fn replay<S: Client>(what: &str, texts: &[String], ways: &[S::Way], mut worlds: Worlds<S>) -> Tally {
    let (mut tally, mut leaks) = (Tally::default(), Vec::new());
    for sql in texts {
        for way in ways {
            let statement = Statement { sql: sql.clone(), way: *way, clean: false, rows: false };
            if step(&statement, &mut worlds, true, &mut tally) == Class::Leak {
                leaks.push(format!("{way:?} {sql}"));
            }
        }
    }
    eprintln!("{what}: {tally}");
    assert!(leaks.is_empty(), "{} statements show what they must not:\n{}", leaks.len(), leaks.join("\n\n"));
    tally
}

/// Statements that showed secrets once.
fn found(text: &str) -> Vec<String> {
    text.lines().filter(|line| !line.starts_with("--")).map(str::to_owned).collect()
}

/// Whether a server is dying: it may take connections for a while yet.
fn is_gone(port: u16) -> bool {
    (0..25).any(|_| {
        std::thread::sleep(Duration::from_millis(200));
        TcpStream::connect(("127.0.0.1", port)).is_err()
    })
}

/// Runs one statement everywhere.
fn step<S: Client>(
    statement: &Statement<S::Way>,
    worlds: &mut Worlds<S>,
    directly: bool,
    tally: &mut Tally,
) -> Class {
    let note = OnPanic(&statement.sql);
    let (one, mut class) = compare(statement, worlds);
    // A difference that does not come again, or comes without a difference of data, is the server's own.
    for _ in 0..REPEATS {
        if matches!(class, Class::Leak | Class::ErrorBit) {
            class = compare(statement, worlds).1;
        }
    }
    tally.statements += 1;
    tally.touching +=
        usize::from(["users", "orders"].iter().any(|name| statement.sql.to_lowercase().contains(name)));
    tally.add(class);
    if directly {
        let [clear, changed] = worlds.direct.each_mut().map(|session| {
            let outcome = session.run(&statement.sql, statement.way);
            session.take_bytes();
            outcome
        });
        tally.direct += 1;
        if clear.error.is_none() {
            tally.valid += 1;
            tally.telling += usize::from(clear != changed);
            if statement.clean && statement.rows {
                tally.harmless += 1;
                tally.untouched += usize::from(clear.rows == one.rows);
                if clear.rows != one.rows
                    && std::env::var("IRONVEIL_LEAK_PRINT").is_ok_and(|wanted| wanted == "Closed")
                {
                    eprintln!("Closed {:?} {}", statement.way, statement.sql);
                }
            } else {
                tally.sensitive += 1;
                tally.ran += usize::from(one.error.as_deref() != Some(S::REFUSAL));
            }
        }
    }
    drop(note);
    class
}

/// Runs one statement in three databases.
fn compare<S: Client>(statement: &Statement<S::Way>, worlds: &mut Worlds<S>) -> (Outcome, Class) {
    let mut canary = false;
    let [one, other, control] = worlds.proxied.each_mut().map(|session| {
        let outcome = session.run(&statement.sql, statement.way);
        canary |= holds_canary(&session.take_bytes());
        outcome
    });
    let class = match classify(&one, &other, &control, S::REFUSAL) {
        _ if canary => Class::Leak,
        // How wide rows are decides on plans.
        Class::Leak if S::explains(statement.way) => Class::Unstable,
        class => class,
    };
    (one, class)
}

/// Prints a statement if running it panics.
struct OnPanic<'a>(&'a str);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("while running: {}", self.0);
        }
    }
}

fn postgres(asks: bool) {
    let what = if asks { "PostgreSQL, predicates: deny" } else { "PostgreSQL" };
    fuzz(what, Dialect::Pg, asks, || postgres_worlds(pg::start(), asks));
}

fn postgres_worlds(server: Postgres, asks: bool) -> Worlds<pg::Session> {
    let proxy = pg::proxy(&server, asks);
    let (through, to) = (proxy.port(), server.port());
    Worlds::new(to, (proxy, server), |proxied, name| {
        pg::Session::open(if proxied { through } else { to }, name)
    })
}

#[test]
fn postgres_tells_nothing_that_it_told_once() {
    use pg::Way;
    let texts = found(include_str!("leaks/found/postgres.sql"));
    let ways = [Way::Simple, Way::Binary, Way::Portal, Way::Prepared, Way::Pipeline];
    let tally = replay("PostgreSQL, found", &texts, &ways, postgres_worlds(pg::start(), false));
    assert!(tally.telling * 2 > tally.valid, "they tell nothing without a proxy");
}

/// Statements of sqlsmith, where no question is answered: then nothing may differ.
#[test]
fn sqlsmith_is_told_no_secrets() {
    let server = pg::start();
    let statements = number("IRONVEIL_LEAK_STATEMENTS", STATEMENTS).min(20_000);
    let target = format!("host=127.0.0.1 port={} dbname=leaka user={}", server.port(), Postgres::superuser());
    let seed = number("IRONVEIL_LEAK_SEED", 1);
    let made = Command::new("sqlsmith")
        .args([&format!("--target={target}"), "--exclude-catalog", "--dry-run"])
        .args([format!("--seed={seed}"), format!("--max-queries={statements}")])
        .output();
    let Ok(made) = made else {
        eprintln!("not tested with sqlsmith, which is not installed");
        return;
    };
    let text = String::from_utf8(made.stdout).unwrap();
    let texts: Vec<String> = text.split(";\n").map(|sql| sql.trim().to_owned()).collect();
    assert!(texts.len() >= statements, "sqlsmith made {} statements", texts.len());
    let ways = [pg::Way::Simple, pg::Way::Binary];
    let tally =
        replay("PostgreSQL, sqlsmith, predicates: deny", &texts, &ways, postgres_worlds(server, true));
    assert_eq!((tally.count(Class::Order), tally.count(Class::ErrorBit)), (0, 0), "answers to questions");
    assert!(tally.count(Class::Equal) > 0, "none runs");
}

#[test]
fn postgres_tells_no_secrets() {
    postgres(false);
}

#[test]
fn postgres_answers_no_questions() {
    postgres(true);
}

fn mysql(flavour: Option<Flavour>, asks: bool) {
    let flavour = flavour.unwrap_or_else(|| Flavour::of_environment().unwrap());
    let what = format!("{flavour}{}", if asks { ", predicates: deny" } else { "" });
    let dialect = Dialect::MySql { mariadb: flavour.is_mariadb() };
    fuzz(&what, dialect, asks, || mysql_worlds(flavour, asks));
}

fn mysql_worlds(flavour: Flavour, asks: bool) -> Worlds<mysql::Session> {
    let server = mysql::start(flavour);
    let proxy = mysql::proxy(&server, asks);
    let (through, to) = (proxy.port(), server.port());
    Worlds::new(to, (proxy, server), |proxied, name| {
        mysql::Session::open(if proxied { through } else { to }, through, name)
    })
}

fn mysql_found(flavour: Flavour) {
    let texts = found(include_str!("leaks/found/mysql.sql"));
    let what = format!("{flavour}, found");
    let tally = replay(&what, &texts, &mysql::FOUND, mysql_worlds(flavour, false));
    assert!(tally.telling * 2 > tally.valid, "they tell nothing without a proxy");
}

#[test]
fn mariadb_tells_nothing_that_it_told_once() {
    mysql_found(Flavour::of_environment().unwrap());
}

#[test]
fn mysql_itself_tells_nothing_that_it_told_once() {
    match MySql::available(Flavour::MySql9) {
        Ok(()) => mysql_found(Flavour::MySql9),
        Err(reason) => eprintln!("not tested with MySQL: {reason}"),
    }
}

#[test]
fn mariadb_tells_no_secrets() {
    mysql(None, false);
}

#[test]
fn mariadb_answers_no_questions() {
    mysql(None, true);
}

#[test]
fn mysql_itself_tells_no_secrets() {
    match MySql::available(Flavour::MySql9) {
        Ok(()) => mysql(Some(Flavour::MySql9), false),
        Err(reason) => eprintln!("not tested with MySQL: {reason}"),
    }
}
