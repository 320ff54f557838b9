//! Tables of statements: what is said of each is what it gives.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Value};
use veil_testkit::{Flavour, MySql};

use crate::harness::{Pair, Proxy, config, flavours, of, text};
use crate::proxy::{Said, compare_table, said, statements};

/// Runs a statement and takes it back.
async fn run(client: &mut Conn, sql: &str) -> Result<Vec<Vec<Value>>, mysql_async::Error> {
    client.query_drop("begin").await.unwrap();
    let answer = text(client, sql).await;
    client.query_drop("rollback").await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_statements_is_what_they_give() {
    // They ask more than a user may in an hour.
    let pair = Pair::with(of(Some(Flavour::MariaDb10)), "protection: { predicate_budget: 100000 }");
    let statements = statements("mysql.txt");
    let texts: Vec<&str> = statements.iter().map(String::as_str).collect();
    let found = pair.proxy.explain(MySql::user(), MySql::user_password(), &texts);
    compare_table("mysql.txt", &found);
    let (mut client, mut direct) = (pair.client().await, pair.direct().await);
    let mut wrong = Vec::new();
    for (sql, columns) in said(&found) {
        let Some(columns) = columns else { continue };
        let (clear, shown) = match (run(&mut direct, &sql).await, run(&mut client, &sql).await) {
            (Ok(clear), Ok(shown)) if clear.len() == shown.len() => (clear, shown),
            (clear, shown) => {
                wrong.push(format!("{sql}: {:?}, {:?}", clear.err(), shown.err()));
                continue;
            }
        };
        for (at, (shown, clear)) in shown.iter().flatten().zip(clear.iter().flatten()).enumerate() {
            let at = at % columns.len();
            let right = match columns[at] {
                Said::Shown => shown == clear,
                Said::Masked => shown != clear || *clear == Value::NULL,
                Said::Null => *shown == Value::NULL,
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
    let mut pair = Pair::with(of(Some(Flavour::MariaDb10)), "");
    // A column's type lists it.
    pair.proxy.scanner = None;
    let (mut client, mut direct) = (pair.client().await, pair.direct().await);
    let mut wrong = Vec::new();
    for sql in statements("mysql-harmless.txt") {
        match (run(&mut direct, &sql).await, run(&mut client, &sql).await) {
            (Ok(clear), Ok(shown)) if clear == shown => {}
            (clear, shown) => wrong.push(format!("{sql}: {:?}, {:?}", clear.err(), shown.err())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn check_says_what_the_rules_mean_for_a_database() {
    for flavour in flavours() {
        let rules = "\n  - { table: few, column: kind, strategy: hash }\n  - { table: few, column: day, strategy: hash }";
        let mut pair = Pair::with(of(flavour), "");
        pair.proxy = Proxy::start(&(config(pair.server.port(), "").trim_end().to_owned() + rules + "\n"));
        let few = "create table few (id int primary key, kind varchar(10), day time, key (kind)); insert into few with recursive n as (select 1 as i union all select i + 1 from n where i < 400) select i, if(i % 2, 'a', 'b'), null from n; analyze table few";
        pair.server.sql("shop", few).unwrap();
        let said = pair.proxy.check(MySql::user(), MySql::user_password());
        for line in [
            "may tell them; a lossy function hides them: shop.few.kind (hash, ",
            "choose another: shop.few.day (hash)",
            "masked by users.email: shop.tt.note, shop.user_view.label, shop.users.email",
            "a rule can name them: shop.users.twice",
            "the copy needs a rule: shop.users",
            "refused, unless trusted: shop.add_one, shop.peek, shop.show_emails, shop.show_items",
        ] {
            assert!(said.contains(line), "{line}: {said}");
        }
    }
}

/// What applications write over tables with masked columns, in the mode of the box.
#[tokio::test(flavor = "multi_thread")]
async fn ordinary_statements_run() {
    for flavour in flavours() {
        let pair = Pair::with(of(flavour), "");
        let (mut client, mut direct) = (pair.client().await, pair.direct().await);
        let (mut valid, mut refused) = (0, Vec::new());
        for sql in statements("ordinary.txt") {
            if run(&mut direct, &sql).await.is_ok() {
                valid += 1;
                refused.extend(run(&mut client, &sql).await.err().map(|error| format!("{sql}: {error}")));
            }
        }
        eprintln!("{flavour:?}: {} of {valid} ordinary statements do not run", refused.len());
        assert!(valid > 70 && refused.len() * 20 <= valid, "{}", refused.join("\n"));
    }
}
