//! Questions about masked columns that are counted: each costs once, and what would answer many at once is refused.

use tokio_postgres::Client;

use veil_testkit::Postgres;

use crate::harness::{Proxy, RULES, config, connect, sample_server};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_question_costs_once_and_the_budget_ends() {
    let (_server, proxy, client) = proxy("predicate_budget: 4").await;
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
        ] {
            client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        }
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
    client.simple_query("select id from users where email like 'zq%'").await.unwrap();
    client.query(&by, &[&"a", &1_i32]).await.unwrap();
    client.simple_query("select id, email from users where id = 1").await.unwrap();
    client.simple_query("select id from items where label like 'i%' order by label").await.unwrap();
    let log = proxy.log();
    assert!(log.contains("questions about masked columns") && log.contains("used up"), "{log}");
    assert!(!log.contains("zq%") && !log.contains("like"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_written_is_another_question_each_time() {
    let (_server, _proxy, client) = proxy("predicate_budget: 3").await;
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
    ] {
        let asked = refusal(&client, sql).await;
        assert!(asked.contains("compared with columns that are not masked"), "{sql}: {asked}");
    }
    for sql in [
        "select a.id from users a join users b on a.email = b.email",
        "select id from users where email in (select email from users where id = 1)",
        "select id, email from users union select id, email from users order by 1",
        "select id from users where full_name || note like '%x%'",
    ] {
        client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_strict_mode_answers_none_and_allow_all() {
    let (server, _proxy, client) = proxy("mode: strict").await;
    assert!(refusal(&client, "select id from users where email = 'x'").await.contains("may not depend"));
    drop(client.copy_out("copy users to stdout").await.unwrap());
    let text = format!("{}protection: {{ mode: strict, predicates: allow }}\n", config(server.port(), RULES));
    let open = Proxy::start(&text);
    let client = connect(open.port(), "shop").await;
    for at in 0..101 {
        client.simple_query(&format!("select id from users where email like '{at}%'")).await.unwrap();
    }
}
