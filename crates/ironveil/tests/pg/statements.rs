//! Tables of statements: what is said of each is what it gives.

use tokio_postgres::{Client, SimpleQueryMessage};

use crate::harness::{Pair, RULES};
use crate::proxy::{Said, compare_table, said, statements};
use veil_testkit::{Postgres, PostgresOptions};

type Rows = Vec<Vec<Option<String>>>;

/// Runs a statement and takes it back.
async fn run(client: &Client, sql: &str) -> Result<Rows, tokio_postgres::Error> {
    client.batch_execute("begin").await.unwrap();
    let answer = client.simple_query(sql).await;
    client.batch_execute("rollback").await.unwrap();
    let rows = answer?.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect())
        }
        _ => None,
    });
    Ok(rows.collect())
}

/// Whether a statement can be run by a client that knows no COPY, and gives the same twice.
fn is_plain(sql: &str) -> bool {
    !["copy", "begin", "select now", "explain"].iter().any(|head| sql.starts_with(head))
}

/// Which columns the server traces to a table.
async fn traced(client: &Client, sql: &str) -> Vec<bool> {
    let prepared = client.prepare(sql).await;
    prepared.map_or(Vec::new(), |known| {
        known.columns().iter().map(|column| column.table_oid().is_some()).collect()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_statements_is_what_they_give() {
    // They ask more than a user may in an hour.
    let rules = format!("{RULES}\nprotection: {{ predicate_budget: 100000 }}");
    let pair = Pair::with(PostgresOptions { version: Some(15), ..PostgresOptions::default() }, &rules);
    let statements = statements("postgres.txt");
    let texts: Vec<&str> = statements.iter().map(String::as_str).collect();
    let found = pair.proxy.explain(Postgres::superuser(), Postgres::password(), &texts);
    compare_table("postgres.txt", &found);
    let (client, direct) = (pair.client().await, pair.direct().await);
    let mut wrong = Vec::new();
    for (sql, columns) in said(&found) {
        if !is_plain(&sql) {
            continue;
        }
        let (clear, shown) = match (run(&direct, &sql).await, run(&client, &sql).await) {
            (Ok(clear), Ok(shown)) if clear.len() == shown.len() => (clear, shown),
            (clear, shown) => {
                wrong.push(format!("{sql}: {:?}, {:?}", clear.err(), shown.err()));
                continue;
            }
        };
        let traced = traced(&direct, &sql).await;
        for (at, (shown, clear)) in shown.iter().flatten().zip(clear.iter().flatten()).enumerate() {
            let Some(columns) = &columns else { continue };
            let at = at % columns.len();
            let right = match columns[at] {
                Said::Shown => shown == clear,
                Said::Masked => shown != clear || clear.is_none(),
                // The server may know more than the text says.
                Said::Null => shown.is_none() || traced[at],
            };
            if !right {
                wrong.push(format!("column {at} of {sql}: {shown:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn harmless_statements_are_untouched() {
    let pair = Pair::with(PostgresOptions { version: Some(15), ..PostgresOptions::default() }, RULES);
    let (client, direct) = (pair.client().await, pair.direct().await);
    let mut wrong = Vec::new();
    for sql in statements("postgres-harmless.txt").iter().filter(|sql| is_plain(sql)) {
        match (run(&direct, sql).await, run(&client, sql).await) {
            (Ok(clear), Ok(shown)) if clear == shown => {}
            (clear, shown) => wrong.push(format!("{sql}: {:?}, {:?}", clear.err(), shown.err())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn check_says_what_the_rules_mean_for_a_database() {
    let rules = format!(
        "{RULES}  - {{ table: nowhere, column: x, strategy: email }}
  - {{ table: calls, column: kind, strategy: hash }}
  - {{ table: calls, column: number, strategy: phone }}
  - {{ table: calls, column: note, strategy: hash }}\n"
    );
    let pair = Pair::with(PostgresOptions::default(), &rules);
    pair.server
        .psql(
            "shop",
            "create function copy() returns trigger language plpgsql as 'begin return new; end';
             create trigger copy before insert on users for each row execute function copy();
             create function peek() returns text security definer language sql as 'select email from users limit 1';
             create table calls (kind text, number text, note text);
             insert into calls select i % 3, '+1415' || 1000000 + i, 'note' || i from generate_series(1, 30000) i; analyze calls;
             create role plain login; grant select on all tables in schema public to plain",
        )
        .unwrap();
    let said = pair.proxy.check(Postgres::superuser(), Postgres::password());
    for line in [
        "masked by users.email: public.kept.label, public.user_report.mail, public.user_view.label, public.users.email",
        "rules that mask nothing here: nowhere.x",
        "public.stats_view.v, public.user_report.up",
        "the copy needs a rule: public.users",
        "refused, unless trusted: public.peek",
        "rights that this user should not have: superuser",
        "may tell them; a lossy function hides them: public.calls.kind (hash, 3 values)",
        "mix them up: public.calls.number (phone, ",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!pair.proxy.check("plain", "").contains("rights that"));
}

/// What applications write over tables with masked columns, in the mode of the box.
#[tokio::test(flavor = "multi_thread")]
async fn ordinary_statements_run() {
    let pair = Pair::start();
    let (client, direct) = (pair.client().await, pair.direct().await);
    let (mut valid, mut refused) = (0, Vec::new());
    for sql in statements("ordinary.txt") {
        if run(&direct, &sql).await.is_ok() {
            valid += 1;
            refused.extend(run(&client, &sql).await.err().map(|error| format!("{sql}: {error:?}")));
        }
    }
    eprintln!("{} of {valid} ordinary statements do not run", refused.len());
    assert!(valid > 70 && refused.len() * 20 <= valid, "{}", refused.join("\n"));
}
