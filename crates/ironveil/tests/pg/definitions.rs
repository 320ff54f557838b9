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
        refused(&client, sql).await;
    }
    assert_eq!(simple(&client, "select count(*) from pg_class where relname = 't'").await, one("0"));
}

/// Where a client's own tables have labels, nothing gets into them from others; and what was read inside a transaction is
/// no more believed when that is taken back.
#[tokio::test(flavor = "multi_thread")]
async fn tables_of_the_clients_own_do_not_take_masked_values() {
    for script in [
        &[
            "create table y (id int, x text)",
            "begin",
            "savepoint s",
            "alter table y rename column x to ssn",
            "select count(*) from y",
            "rollback to s",
            "insert into y select id, ssn from users",
            "commit",
            "rollback",
            "select x from y",
        ][..],
        &[
            "create schema r; create table r.tgt (id int, ssn text); create table public.src (id int, x text)",
            "alter table src rename to tgt; insert into tgt select id, ssn from users",
            "select x from public.tgt; select x from public.src",
        ],
        &[
            "create table p2 (id int primary key, k text)",
            "create table sink (id int, v text)",
            "prepare w as insert into sink select * from p2",
            "prepare g as select set_config('a.v', t::text, false) from p2 t",
            "alter table p2 rename column k to ssn",
            "insert into p2 values (1, '123-45-zqcanary')",
            "insert into p2 select id, ssn from users",
            "execute w",
            "execute g",
            "select * from sink; select current_setting('a.v', true)",
        ],
        &[
            "create table p (id int primary key, k text unique)",
            "create table c (x text references p (k) on update cascade)",
            "insert into p values (1, 'seed'); insert into c values ('seed')",
            "alter table p rename column k to ssn",
            "update p set ssn = u.ssn from users u where u.id = 1 and p.id = 1",
            "select x from c",
        ],
    ] {
        let pair = Pair::start();
        pair.server.psql("shop", "update users set ssn = 'zqcanary' || id").unwrap();
        let client = pair.client().await;
        let mut seen = String::new();
        for sql in script {
            match client.simple_query(sql).await {
                Ok(answer) => seen += &format!("{answer:?}\n"),
                Err(error) => seen += &format!("{error:?}\n"),
            }
        }
        assert!(!seen.contains(CANARY), "{script:?}: {seen}");
    }
}

/// What was prepared while it was harmless, and is no more: it does not run.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_would_be_refused_now_does_not_run() {
    let pair = Pair::start();
    pair.server.psql("shop", "create table sink (id int, v text); create table p2 (id int, k text)").unwrap();
    let client = pair.client().await;
    let write = client.prepare("insert into sink select id, p::text from p2 p").await.unwrap();
    simple(&client, "prepare w as insert into sink select id, p::text from p2 p").await;
    client.execute(&write, &[]).await.unwrap();
    pair.server
        .psql(
            "shop",
            &format!("alter table p2 add column ssn text; insert into p2 values (1, 'k', '{CANARY}')"),
        )
        .unwrap();
    // Another session brings it about that the catalog is read again.
    simple(&pair.client().await, "create table other (x int)").await;
    let refused = client.execute(&write, &[]).await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "42501", "{refused}");
    let refused = client.simple_query("execute w").await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "42501", "{refused}");
    assert_eq!(simple(&client, "select count(*) from sink").await, one("0"));
}

/// A view that is locked for long keeps nobody from what does not read it.
#[tokio::test(flavor = "multi_thread")]
async fn locked_views_are_not_waited_for() {
    let pair = Pair::start();
    let client = pair.client().await;
    assert!(simple(&client, "select label from user_view where id = 1").await[0][0].is_some());
    let owner = pair.direct().await;
    owner
        .batch_execute("begin; lock table user_view in access exclusive mode; refresh materialized view kept")
        .await
        .unwrap();
    for client in [pair.client().await, client] {
        simple(&client, "create table if not exists made (x int)").await;
        let seen = simple(&client, "select count(*), max(label) from items join made on true").await;
        assert_eq!(seen, [[Some("0".to_owned()), None]]);
    }
    owner.batch_execute("commit").await.unwrap();
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

/// A type's name is called like a function, and the server prefers it to functions that take anything.
#[tokio::test(flavor = "multi_thread")]
async fn types_are_no_way_round_functions() {
    let pair = Pair::start();
    let client = pair.client().await;
    for sql in [
        "create domain d as users",
        "create domain d as public.users",
        "create domain count as text",
        "create domain public.\"max\" as varchar(2)",
        "create type lower as enum ('a')",
        "create type c as (u users)",
    ] {
        refused(&client, sql).await;
    }
    let owner = pair.direct().await;
    let made = "create domain d as users; create schema s; create domain s.count as text; create domain s.max as varchar(2)";
    owner.batch_execute(made).await.unwrap();
    simple(&client, "create table made_known (id int)").await;
    simple(&client, "set search_path = s, public").await;
    for sql in [
        "select u.d from users u(a), (select 1 as d) y",
        "select c.d from users c where exists (select from (select 1 as d) c)",
        "select d(u) from users u",
        "select count(email) from users",
        "select max(note) from users",
        "copy (select count(email) from users) to stdout",
    ] {
        let seen = client.simple_query(sql).await;
        assert!(!format!("{seen:?}").to_lowercase().contains(CANARY), "{sql}: {seen:?}");
        assert!(seen.is_err(), "{sql}: {seen:?}");
    }
    assert_eq!(simple(&client, "select pg_catalog.count(email) > 0 from users").await, one("t"));
    // A type that no row is cast to is none of the functions that a field may be.
    owner.batch_execute("create type label as enum ('a')").await.unwrap();
    simple(&client, "create table also_known (id int)").await;
    simple(&client, "select d.label from (select * from items) d").await;
    for sql in [
        "select 1 from users where email in (select email from users)",
        "select 1 from users natural join users u",
    ] {
        refused(&client, &format!("explain analyze {sql}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_masked_tables_is_not_changed_with_its_parent() {
    let pair = Pair::start();
    let owner = pair.direct().await;
    let made = "create table people (id int, note text); create table workers (ssn text) inherits (people); \
                insert into workers values (1, 'n', '123-45-6789')";
    owner.batch_execute(made).await.unwrap();
    let client = pair.client().await;
    for sql in [
        "alter table people add column ssn text",
        "alter table people add column ssn text; select ssn || '' from people",
        "alter table people rename column note to other",
        "alter table people rename to others",
        "drop table people cascade",
    ] {
        refused(&client, sql).await;
    }
    assert_eq!(simple(&client, "select upper(note) from people").await, one("N"));
}

/// Settings of a transaction and locks come before all that is read in it, even of a catalog that has changed.
#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_is_not_read_before_what_has_to_come_first() {
    let pair = Pair::start();
    let (client, other) = (pair.client().await, pair.client().await);
    simple(&client, "begin").await;
    simple(&other, "create table first (id int)").await;
    simple(&client, "set transaction isolation level serializable").await;
    client.execute("set transaction deferrable", &[]).await.unwrap();
    simple(&client, "lock table items").await;
    assert_eq!(simple(&client, "show transaction_isolation").await, one("serializable"));
    simple(&client, "commit").await;
}

async fn refused(client: &Client, sql: &str) {
    let error = client.simple_query(sql).await.expect_err(sql);
    let error = error.as_db_error().unwrap_or_else(|| panic!("{sql}: {error}"));
    assert!(error.message().starts_with("IronVeil refused: "), "{sql}: {error:?}");
}
