//! Questions about masked columns that are counted: each costs once, and what would answer many at once is refused.

use tokio_postgres::{Client, SimpleQueryMessage};

use veil_testkit::Postgres;

use crate::harness::{Proxy, RULES, config, connect, sample_server};
use crate::raw::{Raw, rows, tags};

async fn proxy(protection: &str) -> (Postgres, Proxy, Client) {
    let server = sample_server(veil_testkit::PostgresOptions::default());
    let proxy = Proxy::start(&format!("{}protection: {{ {protection} }}\n", config(server.port(), RULES)));
    let client = connect(proxy.port(), "shop").await;
    (server, proxy, client)
}

async fn refusal(client: &Client, sql: &str) -> String {
    let error = client.simple_query(sql).await.expect_err(sql);
    let error = error.as_db_error().unwrap();
    assert_eq!(error.code().code(), "42501", "{sql}");
    error.message().to_owned()
}

/// A statement runs, and its first column is NULL.
async fn shows_nothing(client: &Client, sql: &str) {
    for row in client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}")) {
        if let SimpleQueryMessage::Row(row) = row {
            assert_eq!(row.get(0), None, "{sql}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_cost_and_the_budget_ends() {
    let (_server, proxy, client) = proxy("predicate_budget: 5").await;
    for _ in 0..3 {
        for sql in [
            // A tenth each: they confirm a guess, no more.
            "select id from users where email = 'zqcanary1@mail.test'",
            "select id from users where email in ('a', 'b', 'c') and id < 9",
            // One each.
            "select id from users where note = 'note1' or email like 'zq%'",
            "select id, email from users order by email desc",
            // Nothing.
            "select email, count(*) from users group by email",
            "select distinct full_name, ssn from users where email is not null",
            "select upper(email), full_name || ' ' || email, count(email), lag(email) over (order by id) from users group by email, full_name, id",
            "select u.id, o.id from users u join orders o on o.user_id = u.id where u.id > 1 order by o.id",
            "update users set email = 'zqcanary1@mail.test' where id = 1",
            "select coalesce(email, ''), case when id = 1 then email end from users union all select email, null from users",
        ] {
            client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        }
    }
    for sql in ["select 'g0' union all select email from users", "select coalesce(email, 'g1') from users"] {
        client.simple_query(sql).await.unwrap();
    }
    // The values of parameters count, and so do those of settings.
    let by = client.prepare("select id from users where $2 > 0 and email < $1").await.unwrap();
    for value in ["a", "a"] {
        client.query(&by, &[&value, &1_i32]).await.unwrap();
    }
    let error = client.query(&by, &[&"b", &1_i32]).await.unwrap_err();
    assert!(error.as_db_error().unwrap().message().contains("used up"), "{error:?}");
    let asked = refusal(&client, "select id from users where email > 'm'").await;
    assert!(asked.contains("minutes are left"), "{asked}");
    // What has been paid for, and what costs nothing, still runs; so does everything for other users.
    client.simple_query("select id from users where note = 'note1' or email like 'zq%'").await.unwrap();
    client.query(&by, &[&"a", &1_i32]).await.unwrap();
    client.simple_query("select id, email from users where id = 1").await.unwrap();
    client.simple_query("select id from items where label like 'i%' order by label").await.unwrap();
    let log = proxy.log();
    assert!(log.contains("questions about masked columns") && log.contains("used up"), "{log}");
    assert!(!log.contains("zq%") && !log.contains("like"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_written_is_another_question_each_time() {
    let (_server, _proxy, client) = proxy("predicate_budget: 5").await;
    client.simple_query("prepare p as select id from users where email like $1").await.unwrap();
    for text in ["a", "b"] {
        client.simple_query(&format!("execute p('{text}')")).await.unwrap();
        client.simple_query(&format!("execute p('{text}')")).await.unwrap();
    }
    let sql = "select id from users where email like current_setting('my.pattern')";
    client.simple_query(&format!("set my.pattern = 'zq%'; {sql}")).await.unwrap();
    assert!(refusal(&client, sql).await.contains("used up"));
    assert!(
        refusal(&client, "declare c cursor for select id from users order by email")
            .await
            .contains("used up")
    );
    assert!(refusal(&client, "explain select id from users where email < 'b'").await.contains("used up"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_not_compared_with_rows() {
    let (_server, _proxy, client) = proxy("predicate_budget: 100000").await;
    for sql in [
        "select u.id, g.p from users u join (values ('a%'), ('z%')) g(p) on u.email like g.p",
        "select u.id, i.id from users u join items i on u.email > i.label",
        "select id from users where email in (select label from items)",
        "select id from users u where exists (select from items where email like label || '%')",
        "select id from users where (select count(*) from items where label < email) > 1",
        "select id, m from (select u.id, u.email like i.label as m from users u, items i) d where m",
        "select id from (select u.id, rank() over (order by u.email < i.label) from users u, items i) d order by 1",
        "select email from users intersect select label from items",
        "(select email from users union all select label from items) order by 1",
        "select * from users u natural join (select 'x' as email) g",
        "select * from users join (select label as email from items) g using (email)",
        "with g as (select label from items) select count(*) from users, g where email = label",
        "delete from items using users where items.label < users.email",
        "select n from users, generate_series(1, 100) n where ascii(email) > n",
        "select u.id, min(i.id) from users u join items i on ascii(email) <= (select count(*) from items j where j.id <= i.id) group by u.id",
        "select id from users order by email < unnest('{b,c,d}'::text[])",
        "select x, p, array_agg(id) from (select u.id, u.email < g.p as x, g.p from users u, (values ('m'), ('z')) g(p)) d group by x, p",
    ] {
        let asked = refusal(&client, sql).await;
        assert!(asked.contains("compared with columns that are not masked"), "{sql}: {asked}");
    }
    for sql in [
        "select a.id from users a join users b on a.email = b.email",
        "select id from users where email in (select email from users where id = 1)",
        "select id, email from users union select id, email from users order by 1",
        "select id from users where full_name || note like '%x%'",
        "select u.id from users u join orders o on o.user_id = u.id where u.full_name || u.note like '%x%'",
        "update users set email = 'a' where email = 'b'",
    ] {
        client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
    // The masks of guesses.
    for sql in [
        "select email from users where id = 1 union all select label from items",
        "select x from (select email as x from users union all select label from items) d",
        "with recursive r(x) as (select email from users union all select label from items) select x from r",
        "select coalesce(null, i.label, u.email) from users u cross join items i",
        "select case when u.id = 1 then i.label else u.email end from users u join items i on true",
        "select coalesce(e, g) from (select email as e, 'guess' as g from users) d",
        "select case when id < 0 then email else 'zqcanary' || id || '@mail.test' end from users",
        "select case when id < 0 then email else 'zqcanary1@mail.test' || left(note, 0) end from users",
        "select coalesce(current_setting('my.g', true), email) from users where id = 1",
        "select email from users where false union all select 'zqcanary' || generate_series(1, 5)",
    ] {
        shows_nothing(&client, sql).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_strict_mode_answers_none_and_allow_all() {
    let (server, _proxy, client) = proxy("mode: strict").await;
    for sql in [
        "select id from users where email = 'x'",
        "select coalesce(email, 'guess') from users",
        "select email from users union all values ('guess')",
        "select case when id = 3 then (select 'guess') else email end from users",
        "select email from users union all select (values ('guess'))",
        "select case when id = 3 then 'gu' || 'ess' else email end from users",
    ] {
        assert!(refusal(&client, sql).await.contains("may not depend"));
    }
    for sql in
        ["select coalesce(email, ''), case when id = 1 then email end from users", "select email from users"]
    {
        client.simple_query(sql).await.unwrap();
    }
    // Who writes to such a column sees the masks of his guesses.
    for sql in ["create table plain (id int, s text)", "alter table plain rename to own"] {
        client.simple_query(sql).await.unwrap();
    }
    for sql in [
        "create temp table t (id int, ssn text)",
        "create temp table t as select label as ssn from items",
        "create table t (ssn) as select label from items",
        "create table t as select * from items as i (id, ssn)",
        "select label ssn into t from items",
        "create view t as select ssn from (select label from items) d (ssn)",
        "alter table own add column ssn text",
        "alter table own rename column s to ssn",
    ] {
        assert!(refusal(&client, sql).await.contains("masks of what is written"), "{sql}");
    }
    drop(client.copy_out("copy users to stdout").await.unwrap());
    let text = format!("{}protection: {{ mode: strict, predicates: allow }}\n", config(server.port(), RULES));
    let open = Proxy::start(&text);
    let client = connect(open.port(), "shop").await;
    for at in 0..101 {
        client.simple_query(&format!("select id from users where email like '{at}%'")).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_over_groups_that_are_large_enough_are_shown() {
    let rules = "\n  - { table: users, column: salary, strategy: 'null', min_group: 2 }\n";
    let pair = crate::harness::Pair::with(veil_testkit::PostgresOptions::default(), rules);
    pair.server.psql("shop", "create view twice as select u.* from users u, generate_series(1, 2)").unwrap();
    let (client, direct) = (pair.client().await, pair.direct().await);
    for sql in [
        "select avg(salary) from users having count(salary) >= 2",
        "select age > 0, round(avg(u.salary), 2) + 1, count(*) from users u group by 1 having 1 < count(u.salary) and max(id) > 0 order by 1",
        "select sum(salary) / count(salary) as mean from users having (count(salary) > 2 and true)",
    ] {
        let (seen, clear) = (client.query(sql, &[]).await.unwrap(), direct.query(sql, &[]).await.unwrap());
        assert!(!clear.is_empty() && format!("{seen:?}") == format!("{clear:?}"), "{sql}");
        let (seen, clear) =
            (client.simple_query(sql).await.unwrap(), direct.simple_query(sql).await.unwrap());
        assert_eq!(format!("{seen:?}"), format!("{clear:?}"), "{sql}");
    }
    for sql in [
        "select (select sum(salary) from users where id = 5) from users having count(salary) >= 2",
        "select (select avg(u.salary) from items having count(salary) >= 2) from users u where id = 1",
        "select id from users where id = 1 group by id having sum(salary)::numeric(5, 2) > count(*) and count(salary) >= 2",
    ] {
        assert!(refusal(&client, sql).await.contains("compared with"));
    }
    for sql in [
        "select avg(salary) from users",
        "select avg(salary) from users having count(*) >= 2",
        "select avg(salary) from users having count(distinct salary) >= 2",
        "select avg(salary) from users having count(*) >= 1",
        "select avg(salary) from users having count(salary) >= 2 or true",
        "select avg(salary) from users having count(id) >= 2",
        "select avg(salary) from users having not count(salary) < 2",
        "select avg(salary) from users where id = 1 having count(*) >= 0 + 2 or 1 = 1",
        "select sum(distinct salary) from users having count(salary) >= 2",
        "select sum(salary) filter (where id = 1) from users having count(salary) >= 2",
        "select max(salary) + 0 from users having count(salary) >= 2",
        "select avg(salary + 0) from users having count(salary) >= 2",
        "select avg(salary) from twice where id = 1 having count(salary) >= 2",
        "select avg(salary) from users, generate_series(1, 2) where id = 1 having count(salary) >= 2",
        "select avg(salary) from (select u.* from users u, items where u.id = 1) d having count(salary) >= 2",
        "select avg(salary) over () from users where id = 1 group by salary having count(*) >= 1",
    ] {
        shows_nothing(&client, sql).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_permissive_mode_runs_unknown_functions_and_shows_nothing_of_them() {
    let (server, proxy, client) = proxy("mode: permissive").await;
    let made = "create function peek(x text) returns text language sql as 'select x'";
    server.psql("shop", made).unwrap();
    for sql in [
        "select peek(email), id from users where id = 1",
        "select peek('x') || email from users where id = 1",
    ] {
        let rows = client.query(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        assert_eq!(rows[0].get::<_, Option<&str>>(0), None, "{sql}");
    }
    assert!(refusal(&client, "select pg_read_file('x'), email from users").await.contains("pg_read_file"));
    assert!(
        refusal(&client, "insert into items (label) select peek(email) from users").await.contains("write")
    );
    assert!(proxy.log().contains("permissive"));
}

/// Where there is no budget, everything that costs is refused.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_answers_a_question_costs() {
    let (_server, proxy, client) = proxy("predicate_budget: 0").await;
    client.simple_query("prepare p(text) as select id from users where email < $1").await.unwrap();
    for sql in [
        "select id from users where email = 'x'",
        "select array_agg(id) from (select id, email < 'f' as x from users) d group by x",
        "select distinct on (x) id from (select id, email < 'f' as x from users) d",
        "select row_number() over (partition by x), id from (select id, email < 'f' as x from users) d",
        "select id from (select id, email < 'f' as x from users) d where x",
        "select id from (select id, nullif(email, 'x') as x from users) d where x is null",
        "select id from users where email = any('{a,b}')",
        "select id from users where email = any(array['a', 'b'])",
        "select ntile(case when email < 'f' then 1 else 0 end) over () from users",
        "select sum(case when email < 'f' then 1e308::float8 else 0 end) from users",
        "select 1 / (case when email < 'f' then 0 else 1 end) from users",
        "select max(email) from users where id in (1, 2)",
        "select id from users where birth::timestamptz < '1980-01-02 12:00:00+00'",
        "select coalesce(email, 'guess') from users",
        "select email from users union all select 'guess'",
        "declare c scroll cursor with hold for select id from users where email < 'f'",
        "explain select id from users where email < 'f'",
        "execute p('f')",
        "prepare q as select id from users where email < 'f'; execute q",
        "copy (select id from users order by email) to stdout",
        "delete from users where email < 'a'",
        "insert into items (id) select id from users where email < 'a'",
    ] {
        assert!(refusal(&client, sql).await.contains("used up"), "{sql}");
    }
    for sql in ["select id from users where email = 'x'", "execute p('f')"] {
        let error = client.query(sql, &[]).await.unwrap_err();
        assert!(error.as_db_error().unwrap().message().contains("used up"), "{sql}: {error:?}");
    }
    // Two messages before an answer: the name is not confirmed yet.
    let mut raw = Raw::connect(proxy.port());
    let replies = raw.group(|group| {
        group.parse("r", "prepare s as select id from users where email < 'f'").bind("", "r").execute("", 0);
        group.parse("t", "execute s").bind("", "t").execute("", 0)
    });
    assert!(replies.iter().any(|reply| reply.tag == 'E'), "{}", tags(&replies));
    assert!(rows(&replies).is_empty());
    for sql in [
        "select email, count(*) from users group by email order by 2",
        "select id, upper(email), full_name || ' ' || email, count(email) over (), sum(age) over () from users where id < 9",
        "update users set email = 'x', note = 'y' where id = 99",
        "insert into users (id, email) values (99, lower('X'))",
        "select u.id, o.total from users u join orders o on o.user_id = u.id order by o.total limit 5",
        "select coalesce(email, ''), case when id = 1 then email end from users where email is not null",
    ] {
        client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
}
