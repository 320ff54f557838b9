//! Objects that clients define through the proxy.

use tokio_postgres::Client;

use crate::harness::{CANARY, Pair};
use crate::masking::simple;

fn one(cell: &str) -> Vec<Vec<Option<String>>> {
    vec![vec![Some(cell.to_owned())]]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_near_nothing_masked_is_defined_and_known_at_once() {
    let pair = Pair::start();
    let client = pair.client().await;
    let other = pair.client().await;
    for sql in [
        "create table d (id serial primary key, label text default upper('x') check (label <> ''), item int references items (id))",
        "create index on d (lower(label)) where id > 0",
        "create view d_view as select d.label, i.n from d join items i on i.id = d.item",
        "create materialized view d_kept as select count(*) as n from d",
        "refresh materialized view d_kept",
        "create temp table d_temp as select id, label from items",
        "create type d_mood as enum ('glad', 'sad')",
        "create domain d_small as int check (value < 10)",
        "create sequence d_seq",
        "create schema d_schema",
        "create table d_parts (a d_mood, b d_small) partition by list (a)",
        "create table d_part partition of d_parts for values in ('glad')",
        "alter table d add column more int default 5, drop column item cascade",
        "alter table d rename column label to name",
        "alter table d rename to d2",
        "comment on table d2 is 'x'",
        "drop table if exists d_nothing, d_parts",
    ] {
        simple(&client, sql).await;
    }
    simple(&client, "insert into d2 (name) values ('y')").await;
    for client in [&client, &other] {
        assert_eq!(simple(client, "select name || more from d2").await, one("y5"));
    }
    assert_eq!(simple(&client, "select max(label) from d_temp").await, one("item5"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_knows_what_it_has_defined_and_forgets_it_with_a_rollback() {
    let pair = Pair::start();
    let client = pair.client().await;
    let other = pair.client().await;
    simple(&client, "set statement_timeout = '7s'").await;
    simple(&client, "begin").await;
    simple(&client, "create table t (id int, ssn text, name text)").await;
    simple(&client, "insert into t values (1, '123-45-6789', 'n')").await;
    let seen = simple(&client, "select upper(name), ssn, upper(ssn) from t").await;
    assert_eq!((seen[0][0].as_deref(), seen[0][2].as_deref()), (Some("N"), None));
    assert_ne!(seen[0][1].as_deref(), Some("123-45-6789"), "a rule names it");
    simple(&client, "alter table items rename column label to title").await;
    assert_eq!(simple(&client, "select upper(title) from items where id = 1").await, one("ITEM1"));
    assert_eq!(simple(&client, "show statement_timeout").await, one("7s"));
    simple(&client, "rollback").await;
    assert_eq!(simple(&client, "show statement_timeout").await, one("7s"));
    assert!(client.simple_query("select * from t").await.is_err());
    for client in [&client, &other] {
        assert_eq!(simple(client, "select upper(label) from items where id = 1").await, one("ITEM1"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_carry_masked_values_elsewhere_is_refused() {
    let pair = Pair::start();
    pair.server
        .psql(
            "shop",
            "create function label(items) returns text language sql as 'select email from users limit 1'",
        )
        .unwrap();
    let client = pair.client().await;
    for sql in [
        "create table t as select email as x from users",
        "create table t as select id from users where email like 'a%'",
        "create table t as select * from nowhere",
        "create temp table users (id int)",
        "create table t (like users including all)",
        "create table t () inherits (users)",
        "create table t (e text references users (email))",
        "create table t (x int default peek())",
        "create index on users (email)",
        "create index on items (label(items))",
        "create view t as select * from user_view",
        "create or replace view user_view as select 1",
        "create materialized view t as select email from users",
        "select email into t from users",
        "with u as (select email from users) select * into t from u",
        "alter table users rename column email to label",
        "alter table users rename to people",
        "alter table users add column x int",
        "alter table items inherit users",
        // A function would stand in its place.
        "alter table items drop column label",
        "alter table items rename column label to title",
        "drop table users",
        "create function f() returns int language sql as 'select 1'",
        "create trigger t before insert on items execute function f()",
        "create rule r as on insert to items do also select * from users",
        "create cast (items as text) with inout",
        "create extension dblink",
    ] {
        let error = client.simple_query(sql).await.expect_err(sql);
        let error = error.as_db_error().unwrap_or_else(|| panic!("{sql}: {error}"));
        assert!(error.message().starts_with("IronVeil refused: "), "{sql}: {error:?}");
    }
    assert_eq!(simple(&client, "select count(*) from pg_class where relname = 't'").await, one("0"));
}

/// Statements that were prepared, and transactions that were opened, before a masked column came.
#[tokio::test(flavor = "multi_thread")]
async fn what_others_define_is_noticed_by_those_who_send_no_new_texts() {
    let pair = Pair::start();
    let client = pair.client().await;
    let prepared = client.prepare("select upper(i::text) from items i where id = 1").await.unwrap();
    client.query_one(&prepared, &[]).await.unwrap();
    let inside = pair.client().await;
    simple(&inside, "begin; select 1").await;

    let other = pair.client().await;
    simple(&other, "alter table items add column ssn text").await;
    pair.server.psql("shop", &format!("update items set ssn = '{CANARY}'")).unwrap();

    let row = client.query_one(&prepared, &[]).await.unwrap();
    assert_eq!(row.get::<_, Option<&str>>(0), None);
    let seen = simple(&inside, "select upper(i::text) from items i where id = 1").await;
    assert_eq!(seen, [[None]]);
}

/// A statement waits for a lock while another changes the tables that it names: it runs by other columns than it was judged by.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_may_run_by_other_columns_than_it_was_judged_by() {
    for sql in [
        "select (select email from a limit 1) from users",
        "select (select max(d.e) from (select email e from a limit 1) d) from users",
        "select * from (select a.*, u.id as i, u.email as e, b.* from a cross join users u cross join b limit 9) d",
        "select upper(c4), c3, c5 from (select a.*, u.id, u.email, b.* from a cross join users u cross join b limit 9) \
         d(c1, c2, c3, c4, c5, c6)",
        "with d(c1, c2, c3, c4, c5, c6) as (select a.*, u.id, u.email, b.* from a cross join users u cross join b limit 9) \
         select c4 || '', c3 || '', c5 || '' from d",
        "select null, null, null, 4, null, null union all \
         select a.*, u.id, u.email, b.* from a cross join users u cross join b",
        "select a.*, upper(u.email) as u, u.id + 0 as z, b.* from a cross join users u cross join b",
        "select upper(u), upper(email) from a, (select email as v from users) u",
    ] {
        let pair = Pair::start();
        let owner = pair.direct().await;
        let script = "create table a (id int, email text, x text); create table b (k text);
            insert into a values (1, 'plain', 'plain'); insert into b values ('plain')";
        owner.batch_execute(script).await.unwrap();
        let (one, other) = (pair.client().await, pair.client().await);
        simple(&other, "select * from a, b").await;
        owner.batch_execute("begin; lock table a, b in access exclusive mode").await.unwrap();
        let change = [
            "begin",
            "alter table a rename to a2",
            "alter table b rename to a",
            "alter table a2 rename to b",
            "commit",
        ];
        let changed = tokio::spawn(async move {
            for sql in change {
                one.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
        });
        waits(&owner, 1).await;
        let asked = tokio::spawn(async move { other.simple_query(sql).await });
        waits(&owner, 2).await;
        owner.batch_execute("commit").await.unwrap();
        changed.await.unwrap();
        let shown = format!("{:?}", asked.await.unwrap()).to_lowercase();
        assert!(!shown.contains(CANARY), "{sql}: {shown}");
    }
}

/// Until so many sessions wait for a lock.
async fn waits(owner: &Client, sessions: i64) {
    for _ in 0..500 {
        let row =
            owner.query_one("select count(*) from pg_stat_activity where wait_event_type = 'Lock'", &[]);
        if row.await.unwrap().get::<_, i64>(0) == sessions {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("nobody waits");
}
