//! Masks work as values: what clients give to columns whose masks can be undone is taken for masks.

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};
use tokio_postgres::{Client, Error, SimpleQueryMessage};
use veil_testkit::PostgresOptions;

use crate::harness::{Pair, psql};
use crate::raw::{self, Group};

const RULES: &str = "
  - { table: users, column: email, strategy: { email: { mode: fpe } } }
  - { table: users, column: full_name, strategy: token }
  - { table: users, column: id, strategy: int_perm }
  - { table: users, column: logins, strategy: int_perm }
  - { table: users, column: token, strategy: uuid_perm }
  - { table: users, column: note, strategy: hash }
protection: { mode: strict }";

/// What the first columns of all rows show.
async fn ask(client: &Client, sql: &str) -> Result<Vec<String>, Error> {
    let answer = client.simple_query(sql).await?;
    let rows = answer.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("NULL").to_owned()),
        _ => None,
    });
    Ok(rows.collect())
}

async fn one(client: &Client, sql: &str) -> String {
    let found = ask(client, sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    assert_eq!(found.len(), 1, "{sql}");
    found[0].clone()
}

/// A value in its binary form, whatever its type is.
#[derive(Debug)]
struct Raw(Vec<u8>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl ToSql for Raw {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

impl Raw {
    /// As a text, if it is a uuid.
    fn uuid(&self) -> String {
        let digits: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
    }
}

fn code(error: &Error) -> &str {
    error.code().map_or("", |code| code.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_found_by_the_value_that_was_shown() {
    let pair = Pair::with(PostgresOptions::default(), RULES);
    let (client, direct) = (pair.client().await, pair.direct().await);
    let email = one(&client, "select email from users where age = 31").await;
    let name = one(&client, "select full_name from users where age = 31").await;
    let id: i32 = one(&client, "select id from users where age = 31").await.parse().unwrap();
    let logins: i64 = one(&client, "select logins from users where age = 31").await.parse().unwrap();
    let uuid = one(&client, "select token from users where age = 31").await;
    assert!(email.ends_with("@example.com") && name.starts_with("iv1:") && id != 1);
    let other = one(&client, "select email from users where age = 32").await;
    for condition in [
        format!("email = '{email}'"),
        format!("'{email}' = email"),
        format!("email = E'{email}'"),
        format!("email=$${email}$$"),
        format!("email = '{email}'::varchar"),
        format!("email in ('x', '{email}', 'y')"),
        format!("email = any(array['x', '{email}'])"),
        format!("email = any('{{x,\"{email}\"}}')"),
        format!("email = any('{{x,\"{email}\"}}'::text[])"),
        format!("email is not distinct from '{email}'"),
        format!("email = '{email}' and full_name = '{name}' and id = {id} and logins={logins}"),
        format!("id = {id}::int and token = '{uuid}'"),
        format!("id in (-5, {id})"),
        format!("id = {id}::bigint and id = {id}.0 and id = ' {id} '"),
        format!("token = '{}'", uuid.replace('-', "")),
        format!("token = '{{{}}}'", uuid.to_uppercase()),
        format!("id = any(array[{id}, 0])"),
        format!("token in ('{uuid}'::uuid)"),
        format!("not (email <> '{email}')"),
        format!("email <> '{other}' and email not in ('nobody', 'no one') and id = {id}"),
        format!("exists (select from users i where i.email = '{email}' and i.age = users.age)"),
    ] {
        let sql = format!("select age from users where {condition}");
        assert_eq!(one(&client, &sql).await, "31", "{sql}");
        let sql = format!(
            "with q as (select email as e, users.* from users) select age from q users where {condition}"
        );
        if !condition.contains("users") {
            assert_eq!(one(&client, &sql).await, "31", "{sql}");
        }
    }
    // Several statements of one text, each with its own masks.
    let text = format!(
        "select 1; select age from users where id = {id}; select 2; select age from users where email = '{email}'"
    );
    assert_eq!(ask(&client, &text).await.unwrap(), ["1", "31", "2", "31"]);
    // What is no mask is no value that is there, and neither is a real one.
    for (condition, count) in [
        ("email = 'zqcanary1@mail.test'", "0"),
        ("email in ('zqcanary1@mail.test', 'zqcanary2@mail.test')", "0"),
        ("not (email = 'zqcanary1@mail.test')", "5"),
        ("email <> 'zqcanary1@mail.test'", "5"),
        ("email <> all('{zqcanary1@mail.test}')", "5"),
        ("full_name = 'zqcanary Person1'", "0"),
        ("full_name is distinct from 'zqcanary Person1'", "5"),
        ("full_name = 'it''s \\'", "0"),
        ("id = -1", "0"),
        ("id = 99999999999", "0"),
        ("not (id = 0) and not (id in (-5)) and id <> 0 and id not in (-1, 0)", "5"),
        ("not (id = 99999999999)", "5"),
    ] {
        let sql = format!("select count(*) from users where {condition}");
        assert_eq!(one(&client, &sql).await, count, "{sql}");
    }
    let found = direct.query_one("select email from users where id = 1", &[]).await.unwrap();
    let real: String = found.get(0);
    let asked = format!("select age from users where email = '{real}' or full_name = '{real}'");
    assert_eq!(ask(&client, &asked).await.unwrap(), [""; 0]);
    // The index is used. Sessions report their counters when they end.
    client
        .batch_execute(&format!("set enable_seqscan = off; select age from users where email = '{email}'"))
        .await
        .unwrap();
    drop(client);
    let scans = "select idx_scan > 0 from pg_stat_user_indexes where indexrelname = 'users_email_key'";
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while one(&direct, scans).await != "t" {
        assert!(std::time::Instant::now() < deadline, "no index was used");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_masks_in_every_format() {
    let pair = Pair::with(PostgresOptions::default(), RULES);
    let client = pair.client().await;
    let row = client
        .query_one("select email, full_name, id, logins, token, age from users where age = 31", &[])
        .await
        .unwrap();
    let (email, name): (String, String) = (row.get(0), row.get(1));
    let (id, logins): (i32, i64) = (row.get(2), row.get(3));
    let list = vec!["x".to_owned(), email.clone()];
    let ids = vec![id, 7];
    // These travel in binary.
    let cases: Vec<(&str, Vec<&(dyn ToSql + Sync)>)> = vec![
        ("email = $1", vec![&email]),
        ("email = $1::text", vec![&email]),
        ("email = $1 and full_name = $2 and id = $3 and logins = $4", vec![&email, &name, &id, &logins]),
        ("email = any($1)", vec![&list]),
        ("email = any($1::text[])", vec![&list]),
        ("id = any($1)", vec![&ids]),
        ("$1::text is null or email = $1", vec![&email]),
        ("email in ($1, $2) and age = $3", vec![&"y", &email, &31]),
        ("email = $1 and exists (select from users u where u.email = $1 and u.age = 31)", vec![&email]),
        ("email <> $1 and email = $2", vec![&"zqcanary1@mail.test", &email]),
    ];
    for (condition, values) in cases {
        let sql = format!("select age from users where {condition}");
        let found = client.query(&sql, &values).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        assert_eq!(found.iter().map(|row| row.get::<_, i32>(0)).collect::<Vec<_>>(), [31], "{sql}");
    }
    for real in ["zqcanary1@mail.test", "no mail"] {
        let found = client.query("select age from users where email = $1", &[&real]).await.unwrap();
        assert!(found.is_empty());
    }
    // A text that is cast, as some drivers send it.
    for (sql, value) in [
        ("select age from users where id = $1::int4", id.to_string()),
        ("select age from users where token = $1::uuid", row.get::<_, Raw>(4).uuid()),
        ("select age from users where id = any($1::int4[])", format!("{{{id},7}}")),
    ] {
        let typed = client.prepare_typed(sql, &[Type::TEXT]).await.unwrap();
        let found = client.query(&typed, &[&value]).await.unwrap();
        assert_eq!(found.len(), 1, "{sql}");
    }
    // What stands elsewhere too is not translated, which strict protection does not allow then.
    for sql in [
        "select $1::text from users where email = $1",
        "select age from users where email = $1 or items_note($1)",
        "select age from users where email = $1 limit length($1)",
        "select age from users where email = $1 -- $1",
        "select age from users, items where email = $1 and label = $1",
        "select age from users where email = $1 and note = $1",
        "select age from users where email = $1::varchar(5)",
        "update items set (label, n) = row(label, case when $1::text is null then n else n end) \
            where exists (select from users where email = $1) returning $1::text",
        "select age from users where email = $1 and $1::bytea is not null",
        "select age from users where email = $1 and $1::int2 is not null",
    ] {
        let error = client.query(sql, &[&email]).await.unwrap_err();
        assert!(matches!(code(&error), "42501" | "42883"), "{sql}: {error:?}");
    }
    // Names that functions and types give could be those of masked columns.
    for inside in [
        "json_each_text('{\"a\":\"x\"}') where value = 'y'",
        "(select 'x'::name) t where name = 'y'",
        "(select lower('X')) t where lower = 'y'",
        "unnest(array['x']) email where email = 'y'",
        "unnest(array['x']) u(email) where email = 'y'",
        "(values ('x')) v(email) where email = 'y'",
        "(select 'x' as email) t where email = 'y'",
        "(select note as email from users) t where email = 'y'",
        "xmltable('/a' passing '<a>x</a>' columns email text path '.') where email = 'y'",
        "users as u(email) where email = 'y'",
        "items where email = 'y'",
        "(select * from items) z where z.email = 'y'",
        "(select email from users union select 'x') t where email = 'y'",
    ] {
        let sql = format!(
            "select (select count(*) from {inside}) from (select *, email as name, email as value, email as lower from users) a"
        );
        let error = ask(&client, &sql).await.map(|rows| panic!("{sql}: {rows:?}")).unwrap_err();
        assert_eq!(code(&error), "42501", "{sql}: {error:?}");
    }
    // SQL-level parameters are not looked at.
    let prepared =
        client.batch_execute("prepare p as select age from users where email = $1").await.unwrap_err();
    assert_eq!(code(&prepared), "42501");
    let literal = format!("prepare p as select age from users where email = '{email}' and age = $1");
    client.batch_execute(&literal).await.unwrap();
    assert_eq!(one(&client, "execute p(31)").await, "31");
    // libpq sends texts.
    let asked = format!("select age from users where email = '{email}' and id = '{id}'");
    let dsn = format!("host=127.0.0.1 port={} user=postgres dbname=shop", pair.proxy.port());
    assert_eq!(psql(&pair.server, &dsn, &asked).1.trim(), "31");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_back_is_what_was_there() {
    let pair = Pair::with(PostgresOptions::default(), RULES);
    let (client, direct) = (pair.client().await, pair.direct().await);
    let before = ask(&direct, "select u::text from users u order by id").await.unwrap();
    // An object mapper reads a row and writes all of it.
    for age in 31..=35 {
        let read = "select email, full_name, id, logins from users where age = $1";
        let row = client.query_one(read, &[&age]).await.unwrap();
        let (email, name): (String, String) = (row.get(0), row.get(1));
        let (id, logins): (i32, i64) = (row.get(2), row.get(3));
        let write = "update users set email = $1, full_name = $2, logins = $3 where id = $4";
        assert_eq!(client.execute(write, &[&email, &name, &logins, &id]).await.unwrap(), 1);
        let write = format!(
            "insert into users (id, email, full_name) values ({id}, '{email}', '{name}') on conflict (id) do update set email = excluded.email"
        );
        // Conflicts tell what is there.
        assert_eq!(code(&ask(&client, &write).await.unwrap_err()), "42501");
    }
    assert_eq!(ask(&direct, "select u::text from users u order by id").await.unwrap(), before);
    // A new one is taken for a mask: what is stored is the value that it stands for, and shown is what was written.
    let new = "insert into users (id, email, full_name, age) values (77, 'mKq07~=ab@example.com', null, 36) returning email";
    match ask(&client, new).await {
        Ok(shown) => assert_eq!(shown, ["mKq07~=ab@example.com"]),
        Err(error) => assert_eq!(code(&error), "22023"),
    }
    let email = one(&client, "select email from users where age = 31").await;
    client.batch_execute(&format!("delete from users where age = 36; insert into users (id, email, age) select 78, '{email}', 36 where false")).await.unwrap();
    for (write, expected) in [
        ("update users set email = 'zqcanary9@mail.test' where age = 31", "22023"),
        ("update users set full_name = 'New Name' where age = 31", "22023"),
        ("insert into users (id, full_name) values (79, 'New Name')", "22023"),
        ("insert into users values (79, 'zqcanary9@mail.test')", "22023"),
        ("update users set full_name = upper('new') where age = 31", "42501"),
        ("update users set (full_name, age) = ('New', 3) where age = 31", "42501"),
        ("update users set full_name = note where age = 31", "42501"),
        ("insert into users (id, full_name) select n, label from items", "42501"),
        ("insert into users (id, full_name) values (80, 'x') union values (81, 'y')", "42501"),
        ("insert into users (id, full_name) table items", "42501"),
        ("explain analyze update users set full_name = 'New Name'", "42501"),
        ("prepare w as update users set full_name = $1", "42501"),
    ] {
        let error = ask(&client, write).await.expect_err(write);
        assert_eq!(code(&error), expected, "{write}: {error:?}");
    }
    let error =
        client.execute("update users set full_name = $1 where age = 31", &[&"New"]).await.unwrap_err();
    assert_eq!(code(&error), "22023");
    client.batch_execute("update users set full_name = null, email = default where age = 35; update users set full_name = full_name").await.unwrap();
    let count = "select count(*) from users where full_name is null and email is null";
    assert_eq!(one(&direct, count).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_can_be_taken_as_they_are() {
    let rules = RULES.replace("strategy: token", "strategy: token, writes: plain") + "\n";
    let pair = Pair::with(PostgresOptions::default(), &rules);
    let (client, direct) = (pair.client().await, pair.direct().await);
    client.batch_execute("update users set full_name = 'zqcanary New' where age = 31").await.unwrap();
    client.execute("update users set full_name = $1 where age = 32", &[&"zqcanary Other"]).await.unwrap();
    let found = ask(&direct, "select full_name from users where age < 33 order by age").await.unwrap();
    assert_eq!(found, ["zqcanary New", "zqcanary Other"]);
    let shown = one(&client, "select full_name from users where age = 31").await;
    let by_mask = format!("select age from users where full_name = '{shown}'");
    assert_eq!(one(&client, &by_mask).await, "31");
}

/// Texts with values in them are the server's alone.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_tells_the_values_that_masks_stand_for() {
    let options = PostgresOptions {
        settings: [("log_statement", "all"), ("log_min_duration_statement", "0")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        ..PostgresOptions::default()
    };
    let pair = Pair::with(options, RULES);
    let client = pair.client().await;
    let email = one(&client, "select email from users where age = 31").await;
    let name = one(&client, "select full_name from users where age = 31").await;
    let set = "set client_min_messages = debug5; set debug_print_parse = on; set debug_print_plan = on; set log_min_messages = debug5";
    client.batch_execute(set).await.unwrap();
    // The proxy's own scanner looks at all that comes.
    let texts = [
        format!("select age from users where email = '{email}'"),
        format!("select nothing from users where email = '{email}'"),
        format!("select age from users where email = '{email}' and full_name = '{name}' and age = 'x'"),
        format!("select current_query() from users where email = '{email}'"),
        format!("select 1 from users where email = '{email}'; select current_query()"),
        format!("explain select 1 from users where email = '{email}'"),
        format!("explain (verbose, analyze) select 1 from users where email = '{email}'"),
        format!(
            "begin; declare c cursor for select age from users where email = '{email}'; select statement from pg_cursors; rollback"
        ),
        format!("prepare s as select age from users where email = '{email}'"),
        "select statement from pg_prepared_statements".to_owned(),
        "execute s".to_owned(),
        format!("copy (select age from users where email = '{email}') to stdout"),
        format!("select query from pg_stat_activity where query like '%{email}%'"),
        format!("insert into users (id, email) values (1, '{email}') on conflict do nothing"),
        format!(
            "insert into users (id, email, note) values (1, '{email}', 'x') on conflict (id) do update set note = excluded.email"
        ),
        format!(
            "insert into items (id, label) select 9, '{email}' from users where email = '{email}' returning label"
        ),
        format!("update users set email = '{email}', note = email where age = 31"),
        format!("update users set email = '{email}' where age = 31 returning email, old.email, new.email"),
        format!("select '{email}' = email, case email when '{email}' then 1 end from users"),
        format!(
            "select * from (select email as e from users union all select label from items) t where e = '{email}'"
        ),
        format!(
            "select * from (select email as e from users union all select 'zqcanary1@mail.test') t where e = '{email}'"
        ),
    ];
    // Nothing of the client's own takes the place of what a statement means.
    for text in [
        format!("create table pg_temp.users (a int, b varchar(200)); insert into users values (1, '{email}'); select * from pg_temp.users"),
        "begin; create table pg_temp.users (a int, b varchar(200)); rollback".to_owned(),
        format!("create table mine (a text, b int); insert into mine values ('zqcanary1@mail.test', 1); \
            alter table mine rename a to email; select b, (select age from users limit 1) from mine where email = '{email}'"),
        "create domain pg_temp.uuid as pg_catalog.uuid check (value < '00000000-0000-4000-8000-000000000003')".to_owned(),
        "create domain n as text check (value < 'zqcanary2')".to_owned(),
        "create type pg_temp.inet as enum ('zqcanary1@mail.test')".to_owned(),
        "create table par (a text)".to_owned(),
        "create table pg_temp.users () inherits (par)".to_owned(),
        "create table mine2 (id int); alter table mine2 rename to users".to_owned(),
        "alter table par add column email text default 'zqcanary1@mail.test'".to_owned(),
    ] {
        let answer = ask(&client, &text).await;
        let plain = text.starts_with("create table par") || text.starts_with("alter table par");
        assert!(answer.is_err() || plain, "{text}: {answer:?}");
    }
    let guess = "values ('zqcanary1@mail.test'), ((select email from users where age = 31))";
    assert!(ask(&client, guess).await.is_err());
    assert!(ask(&client, &format!("select age from users where email = n'{email}'")).await.is_err());
    for text in &texts {
        let _ = ask(&client, text).await;
        if let Ok(prepared) = client.prepare(text).await {
            let _ = client.query(&prepared, &[]).await;
        }
    }
    for sql in [
        "select age from users where email = $1",
        "select age + 'x' from users where email = $1",
        "update users set email = $1 where age = 31 returning email",
        "select age from users where email = any(array[$1])",
    ] {
        let _ = client.query(sql, &[&email]).await;
    }
}

/// What cannot be undone is not written over the values that it is shown for.
#[tokio::test(flavor = "multi_thread")]
async fn masks_are_not_written_over_values() {
    let more = "\n  - { table: users, column: age, strategy: number, mode: round, step: 10 }\n  - { table: users, column: note, strategy: 'null' }\n  \
        - { table: users, column: seen, strategy: date_truncate }\n  - { table: users, column: score, strategy: hash, writes: plain }";
    let pair = Pair::with(PostgresOptions::default(), &(crate::harness::RULES.trim_end().to_owned() + more));
    let (client, direct) = (pair.client().await, pair.direct().await);
    let before = ask(&direct, "select u::text from users u order by id").await.unwrap();
    let sql = "select email, full_name, ssn, birth::text, seen::text, age, profile, tags::text, photo::text, birth, seen, photo, tags from users where id = 1";
    let row = client.query_one(sql, &[]).await;
    assert!(row.is_ok(), "{row:?}");
    let text = async |column: &str| one(&client, &format!("select {column} from users where id = 1")).await;
    for column in
        ["email", "full_name", "ssn", "phone", "card", "birth", "seen", "age", "photo", "profile", "tags"]
    {
        let shown = text(column).await;
        // By another session as well, in whatever form.
        let other = pair.client().await;
        for write in [
            format!("update users set {column} = '{shown}' where id = 1"),
            format!(
                "insert into users (id, {column}) values (1, '{shown}') on conflict (id) do update set {column} = excluded.{column}"
            ),
            format!("prepare w as update users set {column} = '{shown}' where id = $1"),
            format!(
                "with w as (update users set {column} = '{shown}' where id = 1 returning id) select * from w"
            ),
        ] {
            let error = ask(&other, &write).await.expect_err(&write);
            assert!(
                format!("{error:?}").contains("which shows that for what is there"),
                "{write}: {error:?}"
            );
        }
    }
    let row =
        client.query_one("select email, birth, seen, age, photo from users where id = 2", &[]).await.unwrap();
    for (at, column) in ["email", "birth", "seen", "age", "photo"].into_iter().enumerate() {
        let shown: Raw = row.get(at);
        let write = format!("update users set {column} = $1 where id = 2");
        let error = client.execute(&write, &[&shown]).await.expect_err(column);
        assert_eq!(code(&error), "42501", "{column}: {error:?}");
    }
    let error =
        client.execute("update users set note = $1 where id = 2", &[&None::<String>]).await.unwrap_err();
    assert_eq!(code(&error), "42501");
    let error = ask(&client, "update users set note = null where id = 2").await.unwrap_err();
    assert_eq!(code(&error), "42501");
    assert_eq!(ask(&direct, "select u::text from users u order by id").await.unwrap(), before);
    // What is new is written.
    let new = "update users set email = 'zqcanary7@mail.test', birth = '1999-01-01', age = 77, note = 'x', score = null where id = 2";
    client.batch_execute(new).await.unwrap();
    client
        .execute(
            "update users set full_name = $1, tags = $2, active = null where id = 2",
            &[&"zqcanary New", &vec!["a"]],
        )
        .await
        .unwrap();
    client.batch_execute("insert into users (id, note) values (80, null)").await.unwrap();
    let stored = ask(
        &direct,
        "select email || birth || age || note || full_name || tags::text from users where id = 2",
    )
    .await
    .unwrap();
    assert_eq!(stored, ["zqcanary7@mail.test1999-01-0177xzqcanary New{a}"]);
}

/// Values of the client's own are neither compared with real ones, nor masked like them, nor written beside them.
#[tokio::test(flavor = "multi_thread")]
async fn guesses_do_not_pass_for_masks() {
    let pair = Pair::with(PostgresOptions::default(), RULES);
    let client = pair.client().await;
    let id = one(&client, "select id from users where age = 31").await;
    let name = one(&client, "select full_name from users where age = 31").await;
    let real = "zqcanary Person1";
    // SQL's EXECUTE runs what the protocol has prepared.
    let read = client.prepare("select age from users where full_name = $1").await.unwrap();
    assert_eq!(client.query(&read, &[&name]).await.unwrap().len(), 1);
    let write = client.prepare("update users set full_name = $1 where age = 31").await.unwrap();
    for number in 0..9 {
        for value in [real, &name] {
            let answer = ask(&client, &format!("execute s{number}('{value}')")).await;
            assert!(answer.as_ref().map_or(true, Vec::is_empty), "{answer:?}");
        }
    }
    client.query(&write, &[&name]).await.unwrap();
    // What an EXECUTE names may be another statement by the time it runs, and the same that has just been sent.
    let mut session = raw::Raw::connect(pair.proxy.port());
    let query = |sql: &str| {
        let length = u32::try_from(sql.len() + 5).unwrap().to_be_bytes();
        [&b"Q"[..], &length, sql.as_bytes(), &[0]].concat()
    };
    let mut sent = Group(Vec::new());
    sent.parse("q1", "select age from users where full_name = $1");
    let execute = query(&format!("execute q1('{real}')"));
    session.send(&[sent.0, execute].concat());
    assert!(raw::rows(&session.until_ready()).is_empty());
    let mut stale = Group(Vec::new());
    stale.parse("p", "select $1::text").parse("q2", &format!("execute p('{real}')")).close_statement("p");
    stale.parse("p", "select age from users where full_name = $1").bind("", "q2").execute("", 0).sync();
    session.send(&stale.0);
    assert!(raw::rows(&session.until_ready()).is_empty());
    assert_eq!(one(&client, "select full_name from users where age = 31").await, name);
    // A type that cuts a text would show what it begins with.
    for (kind, value) in [(Type::CHAR, &name), (Type::NAME, &name), (Type::BPCHAR, &name)] {
        for text in
            ["update users set full_name = $1 where age = 31", "select 1 from users where full_name = $1"]
        {
            let answer = match client.prepare_typed(text, std::slice::from_ref(&kind)).await {
                Ok(prepared) => client.query(&prepared, &[&Raw(value.clone().into_bytes())]).await,
                Err(error) => Err(error),
            };
            assert!(answer.is_err(), "{kind} {text}");
        }
    }
    assert_eq!(one(&client, "select full_name from users where age = 31").await, name);
    for text in [
        format!("select t.age - 30 from (select count(u.id) as id, u.age from users u, users v where v.age <= u.age group by u.age) t where t.id = {id}"),
        format!("select t.age from (select '{real}' || count(u.id) as full_name, u.age from users u group by u.age) t where t.full_name = '{name}'"),
        format!("select count(*) from (select max('{real}') over w as full_name, age from users window w as ()) t where t.full_name = '{name}'"),
        format!("select count(*) from (select row_number() over w as id, age from users window w as ()) t where t.id = {id}"),
        format!("select age from (select case when id is null then 'q' else '{real}' end as full_name, age from users) t where t.full_name = '{name}'"),
        "select x.age from (select 'note' || count(u.id) as note, u.age from users u group by u.age) t join users x on x.note = t.note".to_owned(),
        format!("with w (full_name) as (values ('{real}')) update users set full_name = w.full_name from w where users.age = 31"),
        "insert into users (id, age, full_name) with w as (select 5000 + g as id, 900 + g as age, 'x' || g as full_name from generate_series(1, 20) g) select id, age, full_name from w".to_owned(),
        "create temp table sq (i int generated always as identity (sequence name users))".to_owned(),
        format!("update users set full_name = t.full_name from json_to_record('{{\"full_name\": \"{real}\"}}') as t (full_name text) where users.age = 31"),
        format!("insert into users (id, full_name) select id, full_name from json_to_recordset('[{{\"id\": 7001, \"full_name\": \"{real}\"}}]') as t (id int, full_name text) returning full_name"),
    ] {
        let answer = ask(&client, &text).await;
        assert!(answer.is_err(), "{text}: {answer:?}");
    }
    for text in [
        format!("with t (full_name) as (values ('{real}')) select t.full_name from t, users limit 1"),
        format!("with t as (select '{real}' || g as full_name from generate_series(1, 20) g) select t.full_name from t where exists (select 1 from users)"),
        "select t.id from (select 0 + 1 as id) t, users limit 1".to_owned(),
        "select full_name from (select label || '' as full_name from items) t where exists (select 1 from users)".to_owned(),
        "select (select t.full_name from (select label as full_name from items) t limit 1) from users".to_owned(),
        format!("select t.full_name from json_to_recordset('[{{\"full_name\": \"{real}\"}}]') as t (full_name text), (select age from users limit 1) u"),
        format!("select full_name from xmltable('/r/a' passing '<r><a>{real}</a></r>' columns full_name text path '.') where exists (select from users)"),
    ] {
        let answer = ask(&client, &text).await;
        let open = |cell: &String| cell != "NULL";
        assert!(!answer.as_ref().is_ok_and(|rows| rows.iter().any(open)), "{text}: {answer:?}");
    }
    let own = Pair::with(
        PostgresOptions::default(),
        "
  - { column: value, strategy: hash }
protection: { mode: strict }",
    );
    let client = own.client().await;
    for text in [
        "create table m as select * from json_each_text('{\"a\": \"guess\"}')",
        "create table m as select (json_each_text('{\"a\": \"guess\"}')).*",
        "create table m as select t.* from json_each_text('{\"a\": \"guess\"}') t",
        "select * into m from json_each_text('{\"a\": \"guess\"}')",
        "create table m as select value from json_each_text('{\"a\": \"guess\"}')",
        "select value into m from json_each_text('{\"a\": \"guess\"}')",
        "create view m as select value from json_each_text('{\"a\": \"guess\"}')",
    ] {
        assert!(ask(&client, text).await.is_err(), "{text}");
    }
}

/// Drivers state the least type that holds a number; the value that a mask stands for may not fit it.
#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_found_in_whatever_type_they_are_stated() {
    let rules = "
  - { table: sums, column: a, strategy: { fpe: { allow_small_domain: true } } }
  - { table: sums, column: b, strategy: fpe }
  - { table: sums, column: c, strategy: fpe }
protection: { mode: strict }";
    let pair = Pair::with(PostgresOptions::default(), rules);
    let sums = "create table sums (k int4, a int4, b int8, c numeric); \
        insert into sums select i, 10000 + i * 450, 1000000000 + i * 45000000::int8, 1000000000 + i * 45000000::int8 from generate_series(1, 199) i";
    pair.server.psql("shop", sums).unwrap();
    let client = pair.client().await;
    let shown = client.query("select k, a, b from sums", &[]).await.unwrap();
    let mut tried = [0; 2];
    let of = async |column: &str, kind: Type| {
        let text = format!("select k from sums where {column} = $1");
        client.prepare_typed(&text, &[kind]).await.unwrap()
    };
    let (a, b, c) = (of("a", Type::INT2).await, of("b", Type::INT4).await, of("c", Type::INT4).await);
    assert_eq!((&a.params()[0], &b.params()[0]), (&Type::INT2, &Type::INT4));
    for row in shown {
        let (key, small, big): (i32, i32, i64) = (row.get(0), row.get(1), row.get(2));
        if let Ok(mask) = i16::try_from(small) {
            let found = client.query_one(&a, &[&mask]).await.unwrap();
            assert_eq!(found.get::<_, i32>(0), key, "{mask}");
            tried[0] += i32::from(key * 450 + 10_000 > i16::MAX.into());
        }
        if let Ok(mask) = i32::try_from(big) {
            let found = client.query_one(&b, &[&mask]).await.unwrap();
            assert_eq!(found.get::<_, i32>(0), key, "{mask}");
            let found = client.query_one(&c, &[&mask]).await.unwrap();
            assert_eq!(found.get::<_, i32>(0), key, "{mask}");
            tried[1] += i32::from(i64::from(key) * 45_000_000 + 1_000_000_000 > i32::MAX.into());
        }
    }
    assert!(tried.iter().all(|tried| *tried > 0), "{tried:?}");
}
