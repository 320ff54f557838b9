//! Columns on which there is no rule, where they are looked into.

use veil_testkit::PostgresOptions;

use crate::harness::{Pair, Proxy, config, sample_server};
use crate::raw::{Raw, Reply, rows};

const LOG: &str = r#"
create type two as (a int, b text);
create table log (id bigint primary key, line text, short varchar(12), doc jsonb, raw json, tags text[], pair two, code text);
insert into log values (4111111111111111, 'from zqcanary@mail.test by 4111 1111 1111 1111', 'zqcanary@b.c',
    '{"to": ["x\n+14157770001", 7], "n": 4111111111111111}', '{"to": "zqcanary\u0040mail.test"}',
    array['a "b"', 'zqcanary@mail.test'], (1, 'zqcanary@mail.test')::two, 'ok 12');
create view lines as select line as l, upper(line) as u from log;
"#;

/// What the harness scans is each byte that a client gets.
fn pair(rules: &str) -> Pair {
    let server = sample_server(PostgresOptions::default());
    server.psql("shop", LOG).unwrap();
    let rules = format!("{rules}\nprotection: {{ unclassified: scan }}");
    Pair { proxy: Proxy::start(&config(server.port(), &rules)), server }
}

const USERS: &str = "\n  - { table: users, column: '*', strategy: 'null' }";

const SHOWN: &str = "from [REDACTED] by [REDACTED]";

fn cells(replies: &[Reply]) -> Vec<String> {
    rows(replies).into_iter().flatten().map(|cell| cell.unwrap_or_else(|| "NULL".to_owned())).collect()
}

#[tokio::test]
async fn values_that_show_what_they_are_are_replaced_in_binary_rows() {
    let pair = pair(USERS);
    let client = pair.client().await;
    let row = client.query_one("select id, line, short, tags, code from log", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 4_111_111_111_111_111);
    assert_eq!((row.get::<_, &str>(1), row.get::<_, &str>(2)), (SHOWN, "[REDACTED]"));
    assert_eq!(row.get::<_, Vec<String>>(3), ["a \"b\"", "[REDACTED]"]);
    assert_eq!(row.get::<_, &str>(4), "ok 12");
    // Nobody could read a composite value with another length in it.
    let mut raw = Raw::connect(pair.proxy.port());
    let seen = raw.query("begin; declare c binary cursor for select pair, doc from log; fetch c; commit");
    assert_eq!(
        rows(&seen)[0],
        [None, Some("\u{1}{\"n\": \"[REDACTED]\", \"to\": [\"x\\n[REDACTED]\", 7]}".to_owned())]
    );
}

#[test]
fn values_that_show_what_they_are_are_replaced_wherever_they_come_from() {
    let pair = pair(USERS);
    let mut raw = Raw::connect(pair.proxy.port());
    for sql in [
        "select line from log",
        "select l from lines",
        "select 'so: ' || line from log",
        "select string_agg(line, ',') from log",
        "select x.line from (select line from log union all select 'none') x where x.line <> 'none'",
        "begin; declare c cursor for select line from log; fetch c; commit",
        "prepare p as select line from log; execute p; deallocate p",
        "select l.line from log l join users u on u.id < 2",
        "with x as (insert into log (id, line) select 7, line from log returning line) select * from x",
        "explain select * from log where line = 'from zqcanary@mail.test by 4111 1111 1111 1111'",
    ] {
        let seen = cells(&raw.query(sql));
        assert!(seen.iter().any(|cell| cell.contains(SHOWN)), "{sql}: {seen:?}");
    }
    assert_eq!(
        cells(&raw.query("select doc::text, doc, raw, tags, pair, code from log where id > 7")),
        [
            r#"{"n": "[REDACTED]", "to": ["x\n[REDACTED]", 7]}"#,
            r#"{"n": "[REDACTED]", "to": ["x\n[REDACTED]", 7]}"#,
            r#"{"to": "[REDACTED]"}"#,
            r#"{"a \"b\"",[REDACTED]}"#,
            "(1,[REDACTED])",
            "ok 12",
        ]
    );
    // Prepared once, run as often as one likes.
    raw.group(|g| g.parse("s", "select line from log where id > 7"));
    for _ in 0..2 {
        assert_eq!(cells(&raw.group(|g| g.bind("", "s").execute("", 0))), [SHOWN]);
    }
    // A fraction is no card; nor does another character set hide one.
    assert_eq!(
        cells(&raw.query("select to_jsonb(0.4111111111111111), line from log where id > 7")),
        ["0.4111111111111111", SHOWN]
    );
    raw.query("set client_encoding = 'LATIN1'");
    assert_eq!(cells(&raw.query("select chr(228) || line from log where id > 7")).len(), 1);
    raw.query("set client_encoding = 'UTF8'");
    // Who is it that could say whose they are? Not the proxy.
    assert_eq!(cells(&raw.query("select 'a@zqcanary.test'")), ["[REDACTED]"]);
    assert_eq!(
        cells(&raw.query("select current_user || '@10.0.0.5', 12345678901234567890")),
        ["postgres@10.0.0.5", "12345678901234567890"]
    );
}

#[test]
fn copied_rows_errors_and_notices_are_looked_into() {
    let pair = pair(USERS);
    let mut raw = Raw::connect(pair.proxy.port());
    let copied = |raw: &mut Raw, sql: &str| -> String {
        let data = raw.query(sql).into_iter().filter(|reply| reply.tag == 'd').map(|reply| reply.body);
        String::from_utf8_lossy(&data.flatten().collect::<Vec<u8>>()).into_owned()
    };
    assert_eq!(
        copied(&mut raw, "copy log to stdout"),
        "4111111111111111\tfrom [REDACTED] by [REDACTED]\t[REDACTED]\t\
         {\"n\": \"[REDACTED]\", \"to\": [\"x\\\\n[REDACTED]\", 7]}\t{\"to\": \"[REDACTED]\"}\t\
         {\"a \\\\\"b\\\\\"\",[REDACTED]}\t(1,[REDACTED])\tok 12\n"
    );
    let csv = copied(&mut raw, "copy (select line, tags, code from log) to stdout csv header");
    assert_eq!(
        csv,
        "line,tags,code\nfrom [REDACTED] by [REDACTED],\"{\"\"a \\\"\"b\\\"\"\"\",[REDACTED]}\",ok 12\n"
    );
    let binary = copied(&mut raw, "copy log (line, code) to stdout binary");
    assert!(binary.contains(SHOWN) && binary.contains("ok 12"), "{binary:?}");
    let seen = raw.query("copy log to stdout (encoding 'latin1')");
    assert!(seen[0].field(b'M').contains("COPY in a form that is not known"), "{seen:?}");

    let error = raw.query("select line::int from log");
    let error = error.iter().find(|reply| reply.tag == 'E').unwrap();
    assert_eq!(error.field(b'M'), format!("invalid input syntax for type integer: \"{SHOWN}\""));
}

/// Where no rule masks anything, nothing is refused.
#[test]
fn without_rules_nothing_is_refused() {
    let pair = pair(" []");
    let mut raw = Raw::connect(pair.proxy.port());
    raw.query("create function own(t text) returns text language sql as 'select t'");
    for (sql, shown) in [
        ("select own(line) from log", SHOWN),
        ("do $$ begin perform own('x'); end $$; select line from log", SHOWN),
        ("create extension if not exists plpgsql; select own(line) from log", SHOWN),
        ("create table more as select own(line) as l from log; select l from more", SHOWN),
        ("prepare p as select own(line) from log; execute p", SHOWN),
    ] {
        let seen = raw.query(sql);
        assert_eq!(cells(&seen), [shown], "{sql}: {seen:?}");
    }
    // But what could not be looked into.
    let seen = raw.query("copy log to stdout (encoding 'latin1')");
    assert!(seen[0].field(b'M').contains("COPY in a form that is not known"), "{seen:?}");
    assert_eq!(cells(&raw.query("select line from log")), [SHOWN]);
}

#[test]
fn what_a_rule_shows_is_not_looked_into() {
    let shown = "\n  - { table: log, column: line, unmask: true, reason: test }";
    let mut pair = pair(&format!("{shown}{USERS}"));
    pair.proxy.scanner = None;
    let mut raw = Raw::connect(pair.proxy.port());
    let line = "from zqcanary@mail.test by 4111 1111 1111 1111";
    assert_eq!(cells(&raw.query("select line, short, line || '' from log")), [line, "[REDACTED]", SHOWN]);

    let exempt = "\n  - { who: { user: postgres }, unmask: true, reason: test }";
    let mut pair = self::pair(&format!("{exempt}{USERS}"));
    pair.proxy.scanner = None;
    let mut raw = Raw::connect(pair.proxy.port());
    assert_eq!(cells(&raw.query("select line, short from log")), [line, "zqcanary@b.c"]);
    // Nor are the server's own tables.
    let seen = cells(&raw.query("select 'a@b.test'::name = 'a@b.test'"));
    assert_eq!(seen, ["t"]);
}
