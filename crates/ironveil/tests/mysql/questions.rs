//! Questions about masked columns that are counted: each costs once, and what would answer many at once is refused.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};
use veil_wire::mysql::capability as cap;

use crate::harness::{Pair, Proxy, binary, config, connect, flavours, number, of, sample_server, text};
use crate::raw::{Raw, execute_payload};

async fn refusal(client: &mut Conn, sql: &str) -> String {
    let error = text(client, sql).await.expect_err(sql);
    assert_eq!(number(&error), 1227, "{sql}");
    error.to_string()
}

async fn runs(client: &mut Conn, sql: &str) {
    text(client, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_cost_and_the_budget_ends() {
    for flavour in flavours() {
        let pair = Pair::with(of(flavour), "protection: { predicate_budget: 5 }");
        let mut client = pair.client().await;
        for _ in 0..3 {
            for sql in [
                // A tenth each: they confirm a guess, no more.
                "select id from users where email = 'zqcanary1@mail.test'",
                "select id from users where email in ('a', 'b', 'c') and id < 9",
                // One each.
                "select id from users where note = 'note1' or email like 'zq%'",
                "select id, email from users order by 2 desc",
                // Nothing.
                "select email, count(*) from users group by email",
                "select distinct full_name, ssn from users where email is not null",
                "select upper(email), concat(full_name, ' ', email), count(email) from users group by email, full_name",
                "select if(id > 1, email, null), if(id > 1, email, '') from users",
                "select coalesce(email, ''), case when id = 1 then email end from users union all select email, null from users",
                "select lag(email) over (order by id) from users",
                "select u.id, o.id from users u join orders o on o.user_id = u.id where u.id > 1 order by o.id",
                "update users set email = 'zqcanary1@mail.test' where id = 1",
            ] {
                runs(&mut client, sql).await;
            }
        }
        let guesses = "select 'g0' union all select email from users where id = 1";
        runs(&mut client, guesses).await;
        // The values of parameters count.
        let by = client.prep("select id from users where ? > 0 and email < ?").await.unwrap();
        for value in ["a", "a"] {
            client.exec::<Row, _, _>(&by, (1, value)).await.unwrap();
        }
        let error = client.exec::<Row, _, _>(&by, (1, "b")).await.unwrap_err();
        assert!(error.to_string().contains("used up"), "{flavour:?}: {error}");
        assert!(
            refusal(&mut client, "select id from users where email > 'm'").await.contains("minutes are left")
        );
        // What has been paid for, and what costs nothing, still runs.
        client.exec::<Row, _, _>(&by, (1, "a")).await.unwrap();
        for sql in [
            "select id from users where note = 'note1' or email like 'zq%'",
            "select id, email from users where id = 1",
            "select id from items where label like 'i%' order by label",
        ] {
            runs(&mut client, sql).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_written_is_another_question_each_time() {
    let pair = Pair::with(of(None), "protection: { predicate_budget: 4 }");
    let mut client = pair.client().await;
    runs(&mut client, "set @x = 'zq%'").await;
    runs(&mut client, "prepare p from 'select id from users where email like ?'").await;
    runs(&mut client, "execute p using @x").await;
    runs(&mut client, "execute p using @x").await;
    // Data that come before the execution are not seen with it.
    let mut raw = Raw::connect(pair.proxy.port(), cap::QUERY_ATTRIBUTES);
    let number = raw.prepare("select id from users where email like ?").unwrap().statement;
    let mut execute = execute_payload(number, false);
    execute.extend([0, 1, 253, 0]);
    let mut ask = |guess: &str| {
        raw.send(&[&[24][..], &number.to_le_bytes(), &[0, 0], guess.as_bytes()].concat());
        raw.send(&execute);
        raw.answer().error
    };
    assert_eq!(ask("zq%"), None);
    assert_eq!(ask("zz%"), None);
    let (code, message) = ask("zq%").unwrap();
    assert!(code == 1227 && message.contains("used up"), "{code}: {message}");
    assert!(refusal(&mut client, "execute p using @x").await.contains("used up"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_not_compared_with_rows() {
    for flavour in flavours() {
        let pair = Pair::with(of(flavour), "protection: { predicate_budget: 100000 }");
        let mut client = pair.client().await;
        for sql in [
            "select u.id, g.p from users u join (select 'a%' p union all select 'z%') g on u.email like g.p",
            "select u.id, i.id from users u join items i on u.email > i.label",
            "select id from users where email in (select label from items)",
            "select id from users u where exists (select 1 from items where email like concat(label, '%'))",
            "select id from users where (select count(*) from items where label < email) > 1",
            "select id, m from (select u.id, u.email like i.label as m from users u, items i) d where m",
            "select id from (select u.id, rank() over (order by u.email < i.label) as r from users u, items i) d order by 1",
            "select email from users union select label from items",
            "(select email from users union all select label from items) order by 1",
            "select * from users u natural join (select 'x' as email) g",
            "select * from users join (select label as email from items) g using (email)",
            "with g as (select label from items) select count(*) from users, g where email = label",
            "delete items from items join users where items.label < users.email",
            "select u.id, min(i.id) from users u join items i on u.logins <= (select count(*) from items j where j.id <= i.id) group by u.id",
            "select u.id from users u join items i on u.logins = exists (select 1 from items where id = 1)",
            "select x, p, group_concat(id) from (select u.id, u.email < g.p as x, g.p from users u, (select 'm' p union all select 'z') g) d group by x, p",
        ] {
            let asked = refusal(&mut client, sql).await;
            assert!(
                asked.contains("compared with columns that are not masked"),
                "{flavour:?}: {sql}: {asked}"
            );
        }
        for sql in [
            "select a.id from users a join users b on a.email = b.email",
            "select id from users where email in (select email from users where id = 1)",
            "select id, email from users union select id, email from users order by 1",
            "select id from users where concat(full_name, note) like '%x%'",
        ] {
            runs(&mut client, sql).await;
        }
        // The masks of guesses.
        for sql in [
            "select email from users where id = 1 union all select label from items",
            "select coalesce(null, e) from (select email e from users union all select label from items) d",
            "select case when u.id = 1 then i.label else u.email end from users u join items i",
            "select case when id < 0 then ssn else concat('guess', id) end from users",
            "select coalesce(ssn, concat('guess', left(note, 0))) from users where id = 3",
            "select ssn from users where 0 union all select concat('guess', row_number() over ()) from items",
        ] {
            let seen = text(&mut client, sql).await.unwrap();
            assert!(seen.iter().all(|row| row[0] == Value::NULL), "{flavour:?}: {sql}: {seen:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_over_groups_that_are_large_enough_are_shown() {
    for flavour in flavours() {
        let server = sample_server(of(flavour));
        server.sql("shop", "create view twice as select u.* from users u join items").unwrap();
        let rules = config(server.port(), "")
            .replace("salary, strategy: hash }", "salary, strategy: hash, min_group: 2 }");
        let proxy = Proxy::start(&rules);
        let (mut client, mut direct) = (connect(proxy.port()).await, connect(server.port()).await);
        for sql in [
            "select avg(salary) from users having count(salary) >= 2",
            "select id > 0, round(avg(u.salary), 2) + 1, count(*) from users u group by 1 having 1 < count(u.salary) and max(id) > 0 order by 1",
            "select sum(salary) / count(salary) as mean from users having (count(salary) > 1 and true)",
            "select s from (select sum(salary) as s from users having count(salary) >= 2) d",
        ] {
            let clear = text(&mut direct, sql).await.unwrap();
            assert!(
                !clear.is_empty() && text(&mut client, sql).await.unwrap() == clear,
                "{flavour:?}: {sql}"
            );
            assert_eq!(
                binary(&mut client, sql).await.unwrap(),
                binary(&mut direct, sql).await.unwrap(),
                "{sql}"
            );
        }
        for sql in [
            "select avg(salary) from users",
            "select avg(salary) from users having count(*) >= 2",
            "select sum(salary) from users where id in (2, 3) having count(*) >= 2",
            "select avg(salary) from users having count(*) >= 1",
            "select avg(salary) from users having count(salary) >= 2 or true",
            "select avg(salary) from users having count(id) >= 2",
            "select avg(salary) from users having not count(salary) < 2",
            "select sum(distinct salary) from users having count(salary) >= 2",
            "select max(salary) + 0 from users having count(salary) >= 2",
            "select avg(salary + 0) from users having count(salary) >= 2",
            "select avg(salary) from twice where id = 1 having count(salary) >= 2",
            "select avg(salary) from users join items where users.id = 1 having count(salary) >= 2",
            "select avg(salary) from (select u.salary from users u join items where u.id = 1) d having count(salary) >= 2",
            "select (select avg(u.salary) from items having count(salary) >= 2) from users u where id = 1",
            "select (select avg(u.salary) from users having count(salary) >= 2) from users u where id = 1",
            "with users as (select u.salary from shop.users u join items where u.id = 1) select sum(salary) from users having count(salary) >= 2",
        ] {
            let seen = text(&mut client, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            assert!(seen.iter().all(|row| row[0] == Value::NULL), "{flavour:?}: {sql}: {seen:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_permissive_mode_runs_unknown_functions_and_shows_nothing_of_them() {
    let pair = Pair::with(of(None), "protection: { mode: permissive }");
    pair.server.sql("shop", "create function echo(x text) returns text deterministic return x").unwrap();
    let mut client = pair.client().await;
    for sql in [
        "select echo(email) from users where id = 1",
        "select concat(echo('x'), email) from users where id = 1",
    ] {
        assert_eq!(text(&mut client, sql).await.unwrap(), [[Value::NULL]], "{sql}");
    }
    refusal(&mut client, "select load_file(email) from users").await;
    refusal(&mut client, "insert into items (id, label) select 9, echo(email) from users").await;
}

/// Where there is no budget, everything that costs is refused.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_answers_a_question_costs() {
    for flavour in flavours() {
        let pair = Pair::with(of(flavour), "protection: { predicate_budget: 0 }");
        let mut client = pair.client().await;
        runs(&mut client, "set @x = 'f'").await;
        runs(&mut client, "prepare p from 'select id from users where email < ?'").await;
        for sql in [
            "select id from users where email = 'x'",
            "select group_concat(id) from (select id, email < 'f' as x from users) d group by x",
            "select id from (select id, email < 'f' as x from users) d where x",
            "select id, email < 'f' as x from users having x",
            "select id from (select id, nullif(email, 'x') as x from users) d where x is null",
            "select 1 from (select nullif(email < 'f', 1) from users) d where `nullif(email < 'f', 1)` is null",
            "select max(email) from users where id in (1, 2)",
            "update users set email = 'guess' where id = 1",
            "insert into users (id, email) values (1, 'guess') on duplicate key update email = 'guess'",
            "replace into users (id, email) values (1, 'guess')",
            "select coalesce(email, 'guess') from users",
            "select coalesce(email, _utf8mb4'guess') from users",
            "select coalesce(birth, date '1980-01-02') from users",
            "select email from users union all select 'guess'",
            "execute p using @x",
            "delete from users where email < 'a'",
        ] {
            assert!(refusal(&mut client, sql).await.contains("used up"), "{flavour:?}: {sql}");
            if !sql.starts_with("execute") {
                let error = binary(&mut client, sql).await.expect_err(sql);
                assert!(error.to_string().contains("used up"), "{flavour:?}: {sql}: {error}");
            }
        }
        for sql in [
            "select email, count(*) from users group by email order by 2",
            "select id, upper(email), concat(full_name, ' ', email), count(email) over () from users where id < 9",
            "update users set note = 'y' where id = 99",
            "insert into users (id, email) values (99, lower('X'))",
            "select u.id, o.total from users u join orders o on o.user_id = u.id order by o.total limit 5",
            "select coalesce(email, ''), case when id = 1 then email end, if(id > 1, email, null) from users where email is not null",
        ] {
            runs(&mut client, sql).await;
        }
    }
}
