//! What is refused, what passes, and what errors say.

use tokio_postgres::Client;
use tokio_postgres::error::DbError;

use veil_testkit::PostgresOptions;

use crate::harness::{CANARY, Pair, Proxy, RULES, config, connect, sample_server};
use crate::masking::simple;

async fn error(client: &Client, sql: &str) -> DbError {
    let error = client.simple_query(sql).await.expect_err(sql);
    error.as_db_error().unwrap_or_else(|| panic!("{sql}: {error}")).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_in_both_protocols_and_the_session_goes_on() {
    let pair = Pair::start();
    pair.server
        .psql("shop", "create function peek() returns text language sql as 'select email from users limit 1'")
        .unwrap();
    let client = pair.client().await;
    for sql in [
        "copy users to stdout (encoding 'latin1')",
        "copy (select * from users join items using (id)) to stdout",
        "copy (select peek()) to stdout",
        "copy users from stdin",
        "copy items to '/tmp/ironveil-test-out'",
        "copy items from program 'true'",
        "do $$ begin end $$",
        "call p()",
        "explain select peek() from users",
        "explain analyze update users set note = email",
        "create table t as select email from users",
        "create table t (like users)",
        "create temp table t as table users",
        "create view v as select email from users",
        "alter table users rename email to label",
        "select email into t from users",
        "insert into items select id + 100, email, 1 from users",
        "insert into items values (100, (select email from users limit 1), 1)",
        "update items set label = u.email from users u where u.id = items.id",
        "update users set note = email",
        "update users set note = users::text",
        "with x as (update users set note = email returning note) select * from x",
        "merge into items using users u on items.id = u.id when matched then update set label = u.email",
        "select peek()",
        "select query_to_xml('select email from users', true, true, '')",
        "select pg_read_file('postgresql.conf')",
        "select lo_get(1)",
        "select * from ts_stat('select to_tsvector(email) from users')",
        "select pg_notify('x', email) from users",
        "select setval('s', length(email)) from users",
        "select set_config('a.b', email, false) from users",
        "select set_config('client_encoding', 'latin1', false)",
        "set client_encoding = 'latin1'",
        "set standard_conforming_strings = off",
        "prepare p as insert into items select 1, email, 1 from users",
        "select 1; select peek()",
    ] {
        let refused = error(&client, sql).await;
        assert!(refused.message().starts_with("IronVeil refused: "), "{sql}: {refused:?}");
        assert!(refused.hint().is_some(), "{sql}");
        let prepared = client.prepare(sql).await;
        if !sql.contains("; ") {
            assert!(prepared.unwrap_err().to_string().contains("db error"), "{sql}");
        }
    }
    assert_eq!(simple(&client, "select 7").await, [[Some("7".to_owned())]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn harmless_statements_pass() {
    let pair = Pair::start();
    let client = pair.client().await;
    for sql in [
        "begin; savepoint a; rollback to a; commit",
        "set search_path = public; show search_path; reset search_path",
        "set statement_timeout = '10s'; set local timezone = 'UTC'; select set_config('a.b', 'c', false)",
        "select current_setting('a.b'), pg_backend_pid(), current_schemas(true)",
        "insert into items values (200, lower('X'), 1 + 1), (201, default, null)",
        "insert into items select id + 300, label, n from items",
        "update items set n = n + 1, label = upper(label) where id > 2",
        "update users set note = 'x', age = age + 1 where email = 'a@b.test'",
        "insert into users (id, email, note) values (900, 'new@x.test', 'y') on conflict (id) do update set email = excluded.email, note = users.note",
        "delete from users where id = 900 or ssn = '1'",
        "delete from items where id >= 200",
        "explain select * from items",
        "explain (verbose, costs off) select email from users where email = 'x'",
        "explain analyze select * from users where email = 'x'",
        "insert into items select id + 400, note, age from users",
        "update items set label = u.note from users u where u.id = items.id",
        "update users u set email = v.email from users v where v.id = u.id",
        "prepare q (int) as select label from items where id = $1; execute q(1); deallocate q",
        "begin; declare c cursor for select label from items; fetch 2 from c; move c; close c; commit",
        "vacuum items",
        "analyze users",
        "listen x; notify x, 'y'; unlisten *",
        "lock table items",
        "discard all",
        "select i.id from items i where exists (select 1 from users u where u.id = i.id) order by 1",
        "select c.relname, pg_get_userbyid(c.relowner), case c.relkind when 'r' then 'table' end from pg_catalog.pg_class c \
         left join pg_catalog.pg_namespace n on n.oid = c.relnamespace where pg_catalog.pg_table_is_visible(c.oid)",
        "",
        "-- nothing",
    ] {
        let sql = if sql.starts_with("lock") { format!("begin; {sql}; commit") } else { sql.to_owned() };
        simple(&client, &sql).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_syntax_error_is_the_parsers_own() {
    let pair = Pair::start();
    let client = pair.client().await;
    let found = error(&client, "selec 1").await;
    assert_eq!((found.code().code(), found.message()), ("42601", "syntax error at or near \"selec\""));
    let found = error(&client, "select nothing from items").await;
    assert_eq!((found.code().code(), found.message()), ("42703", "column \"nothing\" does not exist"));
    let found = error(&client, "select 1 from nowhere").await;
    assert_eq!(found.code().code(), "42P01");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_quote_no_value() {
    let pair = Pair::start();
    pair.server
        .psql(
            "shop",
            "create function shout() returns trigger language plpgsql as
                 $$ begin raise notice 'changed %', old.email; raise exception 'no, %', old.email using detail = old.email; end $$;
             create trigger shouts before delete on users for each row execute function shout();
             alter table users add constraint long_notes check (length(note) < 100);
             create table later (email text unique deferrable initially deferred);
             insert into later select email from users",
        )
        .unwrap();
    let client = pair.client().await;
    for (sql, code) in [
        ("insert into users (id, email) values (50, 'zqcanary1@mail.test')", "23505"),
        ("update users set note = repeat('x', 200) where id = 1", "23514"),
        ("select email::int from users", "22P02"),
        ("select email::regclass from users", "3F000"),
        ("select 1 / (length(email) - length(email)) from users", "22012"),
        ("delete from users where id = 1", "P0001"),
    ] {
        let found = error(&client, sql).await;
        assert_eq!(found.code().code(), code, "{sql}: {found:?}");
        assert!(!format!("{found:?}").contains(CANARY), "{sql}: {found:?}");
        assert!(found.message().contains("withheld"), "{sql}: {found:?}");
        assert_eq!((found.detail(), found.hint()), (None, None), "{sql}");
    }
    let unique = error(&client, "insert into users (id, email) values (50, 'zqcanary1@mail.test')").await;
    assert_eq!((unique.table(), unique.constraint()), (Some("users"), Some("users_email_key")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_comes_at_commit_quotes_no_value() {
    let pair = Pair::with(
        veil_testkit::PostgresOptions::default(),
        "\n  - { table: later, column: email, strategy: email }",
    );
    pair.server
        .psql("shop", "create table later (id int, email text unique deferrable initially deferred); insert into later select id, email from users")
        .unwrap();
    let client = pair.client().await;
    client.simple_query("begin").await.unwrap();
    client.simple_query("insert into later values (9, 'zqcanary1@mail.test')").await.unwrap();
    let found = error(&client, "commit").await;
    assert_eq!(found.code().code(), "23505");
    assert!(!format!("{found:?}").contains(CANARY), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_fails_the_transaction_as_an_error_would() {
    let pair = Pair::start();
    let client = pair.client().await;
    client.simple_query("begin; insert into items values (500, 'x', 1)").await.unwrap();
    error(&client, "do $$ begin end $$").await;
    assert_eq!(error(&client, "select 1").await.code().code(), "25P02");
    client.simple_query("commit").await.unwrap();
    assert!(simple(&client, "select id from items where id = 500").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_and_prepared_statements_keep_their_masks() {
    let pair = Pair::start();
    let client = pair.client().await;
    client.simple_query("begin").await.unwrap();
    client
        .simple_query(
            "declare c cursor with hold for select email, note, upper(email) from users order by id",
        )
        .await
        .unwrap();
    let fetched = simple(&client, "fetch 1 from c").await;
    assert!(!format!("{fetched:?}").contains(CANARY), "{fetched:?}");
    assert_eq!((fetched[0][1].as_deref(), fetched[0][2].as_deref()), (Some("note1"), None));
    client.simple_query("commit").await.unwrap();
    let held = simple(&client, "fetch all from c").await;
    assert_eq!(held.len(), 4);
    assert!(!format!("{held:?}").contains(CANARY), "{held:?}");

    client
        .simple_query("prepare p as select email, upper(email), id from users where id = $1")
        .await
        .unwrap();
    let executed = simple(&client, "execute p(1)").await;
    assert!(!format!("{executed:?}").contains(CANARY), "{executed:?}");
    assert_eq!((executed[0][1].as_deref(), executed[0][2].as_deref()), (None, Some("1")));
    client.simple_query("prepare q as select count(*) from items").await.unwrap();
    assert_eq!(simple(&client, "execute q").await, [[Some("5".to_owned())]]);
    let shown = simple(
        &client,
        "begin; declare d cursor for select n + 1 from items order by 1; fetch 1 from d; commit",
    )
    .await;
    assert_eq!(shown, [[Some("11".to_owned())]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_follow_partitions_children_and_new_tables() {
    let pair = Pair::with(
        veil_testkit::PostgresOptions::default(),
        "\n  - { table: people_eu, column: email, strategy: email }\n  - { column: ssn, strategy: ssn }",
    );
    pair.server
        .psql(
            "shop",
            "create table people (region text, email text) partition by list (region);
             create table people_eu partition of people for values in ('eu');
             create table people_us partition of people for values in ('us');
             insert into people values ('eu', 'zqcanary@x.test'), ('us', 'zqcanary@y.test')",
        )
        .unwrap();
    let client = pair.client().await;
    for table in ["people", "people_eu", "people_us"] {
        let seen = simple(&client, &format!("select email, region from {table}")).await;
        assert!(!format!("{seen:?}").contains(CANARY) && seen[0][1].is_some(), "{table}: {seen:?}");
    }
    pair.server.psql("shop", "create table fresh (id int, ssn text, plain text); insert into fresh values (1, '123-45-6789', 'yes')").unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let seen = simple(&client, "select ssn, plain from fresh").await;
    assert_ne!(seen[0][0].as_deref(), Some("123-45-6789"));
    assert_eq!(seen[0][1].as_deref(), Some("yes"), "the catalog is read again when a name is not known");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exempt_user_sees_everything_and_others_do_not() {
    let rules = "\n  - { who: { user: dba }, unmask: true, reason: on call }\n  - { table: users, column: email, strategy: email }";
    let pair = Pair::with(veil_testkit::PostgresOptions::default(), rules);
    pair.server.psql("shop", "create role dba superuser login").unwrap();
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(pair.proxy.port()).user("dba").dbname("shop");
    let (dba, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let seen = simple(&dba, "select upper(email), email from users limit 1").await;
    assert_eq!(seen[0][1].as_deref(), Some("zqcanary1@mail.test"));

    // What the exempt user defines is known to the next statement of the others.
    let client = pair.client().await;
    simple(&client, "select 1").await;
    dba.simple_query("create view fresh as select email as label from users").await.unwrap();
    let seen = simple(&client, "select label from fresh limit 1").await;
    assert!(seen[0][0].as_deref().is_some_and(|label| !label.contains(CANARY)), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_about_masked_columns_are_not_answered_where_the_policy_says_so() {
    let server = sample_server(PostgresOptions::default());
    let denied = format!("{}protection: {{ predicates: deny }}\n", config(server.port(), RULES));
    let proxy = Proxy::start(&denied);
    let client = connect(proxy.port(), "shop").await;
    assert_eq!(
        client.query("select email, note from users where id < $1 order by note", &[&3]).await.unwrap().len(),
        2
    );
    for sql in ["select id from users where email like 'zq%'", "select id from users order by email limit 1"]
    {
        for error in [client.batch_execute(sql).await.unwrap_err(), client.prepare(sql).await.unwrap_err()] {
            assert_eq!(error.code().unwrap().code(), "42501", "{sql}: {error}");
        }
    }
    client.batch_execute("select id from items where label like 'item%'").await.unwrap();
}
