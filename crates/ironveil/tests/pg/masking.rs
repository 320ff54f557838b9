//! Values of masked columns never arrive, whatever they are called; all others arrive as they are.

use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::types::{FromSql, Type};

use crate::harness::{CANARY, Pair};

/// All cells of a simple query, NULL as `None`.
pub async fn simple(client: &tokio_postgres::Client, sql: &str) -> Vec<Vec<Option<String>>> {
    let messages = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    messages
        .into_iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect())
            }
            _ => None,
        })
        .collect()
}

/// Any value as its raw bytes.
struct Raw(Vec<u8>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// One statement in a line: columns in order are `clear`, `mask` or `null`.
const STATEMENTS: &[(&str, &str)] = &[
    ("select id, email, note from users", "clear mask clear"),
    ("select email as note, note as email from users", "mask clear"),
    (
        "select u.email, u.* from users u",
        "mask clear mask mask mask mask mask mask clear clear clear clear clear clear clear clear mask mask mask clear clear",
    ),
    ("select x from (select email as x from users) as items", "mask"),
    ("with items as (select email as label from users) select label from items", "mask"),
    ("with a as materialized (select email e, note n from users) select n, e from a", "clear mask"),
    ("select o.id, u.email from orders o join users u on u.id = o.user_id", "clear mask"),
    (
        "select l.email, i.label from items i, lateral (select email from users where id = i.id) l",
        "mask clear",
    ),
    ("select distinct email from users", "mask"),
    ("select email, note from users group by email, note", "mask clear"),
    ("select (users).email from users", "mask"),
    ("select email(users) from users", "refused"),
    ("select email::text, email::varchar from users", "mask null"),
    ("select email || '', upper(email), note || '' from users", "null null clear"),
    ("select coalesce(email, 'x'), (select email from users limit 1) from users", "mask mask"),
    ("select users from users", "null"),
    ("select row(users.*), row_to_json(users) from users", "null null"),
    ("select email from users union all select label from items", "mask"),
    ("select email from users union all select ssn from users", "null"),
    (
        "select id + 1, length(note), now() > '2000-01-01', 'x', note is null, email is null from users",
        "clear clear clear clear clear clear",
    ),
    ("select x from (select email as x from users) d", "mask"),
    ("select upper(x), upper(y) from (select email as x, note as y from users) d", "null clear"),
    ("with a as (select max(email) as m, count(*) as c from users) select m, c + 1 from a", "mask clear"),
    ("with a(p, q) as (select note, email from users) select p || '', q || '' from a", "clear null"),
    (
        "with recursive r as (select id, note, 1 as n from users union all select id, note, n + 1 from r where n < 2) select n + 1, note || '' from r",
        "clear clear",
    ),
    ("select exists (select 1 from users where id = 1), (select count(*) from users)", "clear clear"),
    (
        "select u.id, (select sum(total) from orders o where o.user_id = u.id), o.total * 2 from users u join orders o on o.user_id = u.id",
        "clear clear clear",
    ),
    (
        "select row_number() over (order by id), rank() over (order by email), lag(note) over (order by id) from users",
        "clear null clear",
    ),
    (
        "select case when id = 1 then email end, coalesce(note, 'none'), nullif(email, 'x') from users",
        "mask clear null",
    ),
    (
        "select id, d.* from users, lateral (select upper(note) as up, upper(email) as mail) d",
        "clear clear null",
    ),
    ("select g, u.id, g * 2 from users u, generate_series(1, 2) g", "clear clear clear"),
    ("select count(*), max(email), array_agg(email) from users", "clear mask null"),
    ("select case when email like 'z%' then 1 else 0 end from users", "null"),
    ("select label, note, id + 1, label || '' from user_view", "mask clear clear null"),
    ("select * from user_report", "mask clear clear null clear"),
    ("select mail, n * 2, notes from (select * from user_report) r", "mask clear clear"),
    ("select * from kept", "mask clear"),
    ("select id, label from item_view", "clear clear"),
    ("select v from stats_view", "null"),
    ("select id, label, n, n + 1, upper(label) from items", "clear clear clear clear clear"),
    ("select count(*), max(label), sum(n) from items", "clear clear clear"),
    ("select i.label || o.total from items i join orders o using (id)", "clear"),
    ("select 1, 'x', now(), version(), current_user, $$zq$$", "clear clear clear clear clear clear"),
    ("select relname from pg_class order by 1 limit 3", "clear"),
    ("select most_common_vals from pg_stats where tablename = 'orders'", "null"),
    ("select query from pg_stat_activity", "null"),
    ("select column_name from information_schema.columns limit 3", "clear"),
    ("values (1, 'x')", "clear clear"),
    ("table items", "clear clear clear"),
    ("update users set note = note where id = 1 returning email, note", "mask clear"),
    (
        "insert into items values (77, 'new', 1) on conflict (id) do update set n = excluded.n returning label",
        "clear",
    ),
    (
        "with d as (delete from orders where id = 99 returning user_id) select * from d union all select 1",
        "clear",
    ),
];

fn check(sql: &str, fates: &str, masked: &[Vec<Option<Vec<u8>>>], direct: &[Vec<Option<Vec<u8>>>]) {
    let fates: Vec<&str> = fates.split_whitespace().collect();
    assert_eq!(masked.len(), direct.len(), "{sql}");
    assert!(!masked.is_empty(), "{sql} has no rows");
    for (seen, real) in masked.iter().zip(direct) {
        assert_eq!(seen.len(), fates.len(), "{sql}");
        for ((seen, real), fate) in seen.iter().zip(real).zip(&fates) {
            match *fate {
                "clear" => assert_eq!(seen, real, "{sql}"),
                "null" => assert_eq!(*seen, None, "{sql}"),
                _ if real.is_none() => assert_eq!(*seen, None, "{sql}"),
                _ => assert!(seen != real, "{sql}: {:?}", real.as_deref().map(String::from_utf8_lossy)),
            }
        }
        let all: Vec<u8> = seen.iter().flatten().flatten().copied().collect();
        assert!(!String::from_utf8_lossy(&all).contains(CANARY), "{sql}");
    }
}

fn bytes(rows: Vec<Vec<Option<String>>>) -> Vec<Vec<Option<Vec<u8>>>> {
    rows.into_iter().map(|row| row.into_iter().map(|cell| cell.map(String::into_bytes)).collect()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn simple_queries_in_text() {
    let pair = Pair::start();
    let (client, direct) = (pair.client().await, pair.direct().await);
    for (sql, fates) in STATEMENTS {
        if *fates == "refused" {
            let error = client.simple_query(sql).await.unwrap_err();
            assert_eq!(error.code().unwrap().code(), "42501", "{sql}");
            continue;
        }
        // The clock goes on between two statements; within one transaction it does not.
        let sql_direct = sql.replace("now()", "timestamptz 'epoch'");
        let sql_masked = sql_direct.as_str();
        let (seen, real) = (simple(&client, sql_masked).await, simple(&direct, &sql_direct).await);
        check(sql, fates, &bytes(seen), &bytes(real));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prepared_statements_in_binary() {
    let pair = Pair::start();
    let (client, direct) = (pair.client().await, pair.direct().await);
    for (sql, fates) in STATEMENTS {
        let sql = sql.replace("now()", "timestamptz 'epoch'");
        let real: Vec<Vec<Option<Vec<u8>>>> = raw_rows(&direct, &sql).await.unwrap();
        match raw_rows(&client, &sql).await {
            Ok(seen) => {
                check(&sql, fates, &seen, &real);
                // Again: drivers do not describe a statement that they know.
                check(&sql, fates, &raw_rows(&client, &sql).await.unwrap(), &real);
            }
            Err(error) => {
                assert_eq!((*fates, error.code().unwrap().code()), ("refused", "42501"), "{sql}");
            }
        }
    }
}

async fn raw_rows(
    client: &tokio_postgres::Client,
    sql: &str,
) -> Result<Vec<Vec<Option<Vec<u8>>>>, tokio_postgres::Error> {
    let rows = client.query(sql, &[]).await?;
    let cell = |row: &tokio_postgres::Row, i| row.get::<_, Option<Raw>>(i).map(|raw| raw.0);
    Ok(rows.iter().map(|row| (0..row.len()).map(|i| cell(row, i)).collect()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_has_one_mask_everywhere() {
    let pair = Pair::start();
    let (first, second) = (pair.client().await, pair.client().await);
    let text = simple(&first, "select email, ssn, birth::date from users order by id").await;
    let binary = second.query("select email from users order by id", &[]).await.unwrap();
    let masks: Vec<Option<String>> = text.iter().map(|row| row[0].clone()).collect();
    assert_eq!(masks, binary.iter().map(|row| row.get::<_, Option<String>>(0)).collect::<Vec<_>>());
    let mut distinct = masks.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 5);
    assert!(masks.iter().flatten().all(|mask| mask.contains("@example.")), "{masks:?}");
}

/// Masks are values of the column's type: a client that decodes binary cells reads them.
#[tokio::test(flavor = "multi_thread")]
async fn masks_fit_every_type_in_both_formats() {
    let columns = [
        "id", "email", "ssn", "phone", "birth", "seen", "age", "active", "token", "salary", "score", "ip",
        "photo", "profile", "tags", "logins", "level",
    ];
    for strategy in ["hash", "redact", "null", "date_shift", "partial", "constant, value: '5'"] {
        let rules: String = columns
            .iter()
            .map(|column| format!("\n  - {{ table: users, column: {column}, strategy: {strategy} }}"))
            .collect();
        let pair = Pair::with(veil_testkit::PostgresOptions::default(), &rules);
        let (client, direct) = (pair.client().await, pair.direct().await);
        for column in columns {
            let sql = format!("select {column} from users order by users.ctid");
            let text = simple(&client, &sql).await;
            let real = simple(&direct, &sql).await;
            assert_eq!(text.len(), 5, "{sql}");
            let binary = client.query(&sql, &[]).await.unwrap();
            for ((text, real), binary) in text.iter().zip(&real).zip(&binary) {
                let seen = text[0].as_deref();
                let raw = binary.get::<_, Option<Raw>>(0).map(|raw| raw.0);
                assert_eq!(seen.is_none(), raw.is_none(), "{strategy} {column}");
                let Some(seen) = seen else { continue };
                assert!(strategy != "null");
                // The server itself reads the mask back as a value of the type, and as the same one.
                let kind = binary.columns()[0].type_().name().replace("_text", "text[]");
                let check = format!("select $1::text::{kind} is not null");
                let valid = direct.query_one(&check, &[&seen]).await;
                assert!(valid.is_ok(), "{strategy} {column}: {seen} is no {kind}");
                if strategy == "hash" {
                    assert_ne!(Some(seen), real[0].as_deref(), "{column}");
                }
            }
        }
    }
}

/// The type of an extension that is sent as text, and a domain over it, have the masks of texts.
#[tokio::test(flavor = "multi_thread")]
async fn texts_without_case_are_masked_as_texts() {
    let rules = "\n  - { table: mails, column: '*', strategy: email }\n";
    let pair = Pair::with(veil_testkit::PostgresOptions::default(), rules);
    let made = "create extension citext; create domain mail as citext; create table mails (a text, b citext, c mail);
        insert into mails values ('zqcanary1@mail.test', 'ZQcanary1@mail.test', 'zqcanary1@mail.test')";
    pair.server.psql("shop", made).unwrap();
    let client = pair.client().await;
    let row = client.query_one("select a, b, c from mails", &[]).await.unwrap();
    let [a, b, c] = [0, 1, 2].map(|at| row.get::<_, String>(at));
    assert!(a == b && b == c && a.contains("@example."), "{a} {b} {c}");
    let text = client.simple_query("select b, c from mails").await.unwrap();
    let row = text.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    assert_eq!(row.map(|row| (row.get(0), row.get(1))), Some((Some(a.as_str()), Some(a.as_str()))));
}
