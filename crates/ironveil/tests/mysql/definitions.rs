//! Objects that clients define through the proxy.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Value};

use crate::harness::{CANARY, Pair, connect, flavours, of, options, text};
use crate::masking::holds_canary;

async fn run(client: &mut Conn, statements: &[&str]) {
    for sql in statements {
        client.query_drop(*sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

async fn root(pair: &Pair) -> Conn {
    let options = options(pair.server.port()).user(Some("root")).pass(Some("throwaway-superuser"));
    Conn::new(options).await.unwrap()
}

async fn row(client: &mut Conn, sql: &str) -> Vec<Value> {
    text(client, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}")).remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_near_nothing_masked_is_defined_and_known_at_once() {
    for flavour in flavours() {
        let pair = Pair::with(of(flavour), "");
        let mut client = pair.client().await;
        run(
            &mut client,
            &[
                "create table d (id int auto_increment primary key, label varchar(20) default 'x', n int check (n > 0), \
                 more int as (n + 1) virtual, item int, key k (label), foreign key (item) references items (id)) \
                 engine = innodb default charset = utf8mb4 comment = 'x'",
                "create index i on d (n)",
                "drop index i on d",
                "alter table d add column (extra int default 5, other int), modify label varchar(30), drop key k",
                "rename table d to d2",
                "insert into d2 (label, n) values ('y', 1)",
                "create table d3 like d2",
                "create table d4 (a int) select id as a, n as b from items",
                "create table d5 (d date) partition by range (year(d)) (partition p values less than (2000), \
                 partition q values less than maxvalue)",
                "truncate table d5",
                "drop table if exists d3, d5, nothing",
                "create database d_base",
                "create table d_base.t (a int)",
                "drop database d_base",
            ],
        )
        .await;
        assert_eq!(
            row(&mut client, "select concat(label, extra, more) from d2").await,
            [Value::from("y52")],
            "{flavour:?}"
        );
        assert_eq!(row(&mut client, "select max(b) from d4").await, [Value::from("30")]);
        // What a rule names is masked from the first row on.
        run(
            &mut client,
            &["create table d6 (id int, ssn varchar(11))", "insert into d6 values (1, '123-45-6789')"],
        )
        .await;
        let seen = row(&mut client, "select ssn, upper(ssn), id from d6").await;
        assert!(seen[0] != Value::from("123-45-6789") && seen[0] != Value::NULL, "{seen:?}");
        assert_eq!(seen[1..], [Value::NULL, Value::from("1")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_carry_masked_values_elsewhere_is_refused() {
    for flavour in flavours() {
        let pair = Pair::with(of(flavour), "");
        let mut client = pair.client().await;
        for sql in [
            "create table t as select email as x from users",
            "create table t (x varchar(80)) select email as x from users",
            "create table t (select email as x from users)",
            "create table t as select id from users where email like 'a%'",
            "create table t select * from nowhere",
            "create table t as select peek() as x",
            "create table t like users",
            "create table t (like users)",
            "create table t (e varchar(80), foreign key (e) references users (email))",
            "create table t (e varchar(80) default (peek()))",
            "create temporary table users (id int)",
            "create temporary table items (id int)",
            "create temporary table t select email as x from users",
            "create temporary table t (id int) engine = merge union = (users)",
            "set default_tmp_storage_engine = 'merge'",
            "set session default_storage_engine = spider",
            "create table t (id int, v varchar(80) default @trg)",
            "alter table items add column v varchar(80) default (upper(@trg))",
            "create temporary table shop.Users like users",
            "create table t (id int) engine = merge union = (users)",
            "create table t (id int) engine = federated connection = 'mysql://x'",
            "create table t (id int) data directory = '/tmp'",
            "create table mysql.t (id int)",
            "create index i on users (email)",
            "alter table users rename column email to label",
            "alter table users rename to people",
            "alter table items exchange partition p with table users",
            "alter table items add constraint foreign key (label) references users (email)",
            "alter table items import tablespace",
            "rename table users to people",
            "rename table items to old, users to items",
            "drop table users",
            "drop table items, users",
            "drop view user_view",
            "drop database shop",
            "create view v as select * from items",
            "create function f() returns int return 1",
            "create trigger t2 before insert on items for each row set @x = 1",
            "create procedure p() select 1",
            "create event e on schedule every 1 day do select 1",
            "drop function peek",
        ] {
            let error = client.query_drop(sql).await.expect_err(sql).to_string();
            assert!(error.contains("IronVeil refused: "), "{sql}: {error}");
            let error = client.prep(sql).await.map(drop).expect_err(sql).to_string();
            assert!(error.contains("IronVeil refused: "), "{sql}: {error}");
        }
    }
}

/// A statement waits for a lock while another changes the tables that it names: it runs by other columns than it was read by.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_may_run_by_other_columns_than_it_was_read_by() {
    for flavour in flavours() {
        for sql in [
            // The name means a column further out.
            "select (select email from a limit 1) from users",
            "select (select max(d.e) from (select email e from a limit 1) d) from users",
            "select upper(email) as email, (select email from a limit 1) as q from users",
            // What is behind moves.
            "select (select c4 from (select 1 c1, 2 c2, 3 c3, 4 c4 union all select b.*, upper(u.email), 1, 2 from b join users u) d \
             order by c4 desc limit 1) q from (select 'x' as c4) o",
            "select * from (select a.*, u.id as i, u.email as e, b.* from a join users u join b limit 9) d",
            "with d(c1, c2, c3, c4, c5, c6) as (select a.*, u.id, u.email, b.* from a join users u join b limit 9) \
             select c4, c3, c5 from d",
            "select 1, 2, 3, 4, 5, 6 union all select a.*, u.id, u.email, b.* from a join users u join b",
            "select a.*, upper(u.email) as u, u.id + 0 as z, b.* from a join users u join b",
            "select * from (select a.*, d.*, b.* from a join (select id, email as e from users) d join b limit 9) f",
        ] {
            let pair = Pair::with(of(flavour), "protection: { predicates: allow }");
            let mut root = root(&pair).await;
            run(
                &mut root,
                &[
                    "create table a (id int, email varchar(20), x varchar(20))",
                    "create table b (k varchar(20))",
                    "insert into a values (1, 'plain', 'plain')",
                    "insert into b values ('plain')",
                ],
            )
            .await;
            let (mut one, mut other) = (pair.client().await, pair.client().await);
            text(&mut other, "select * from a join b").await.unwrap();
            run(&mut root, &["lock tables a write, b write"]).await;
            let changed =
                tokio::spawn(async move { run(&mut one, &["rename table a to a2, b to a, a2 to b"]).await });
            waits(pair.server.port(), 1).await;
            let asked = tokio::spawn(async move { text(&mut other, sql).await });
            waits(pair.server.port(), 2).await;
            run(&mut root, &["unlock tables"]).await;
            changed.await.unwrap();
            let seen = asked.await.unwrap();
            let shown = format!("{seen:?}").to_lowercase();
            assert!(!shown.contains(CANARY), "{flavour:?}: {sql}: {shown}");
        }
    }
}

/// Until so many sessions wait for a lock on a table.
async fn waits(port: u16, sessions: usize) {
    let mut root = connect(port).await;
    for _ in 0..500 {
        let sql = "select count(*) from information_schema.processlist where state like 'Waiting for table%'";
        if row(&mut root, sql).await == [Value::from(sessions.to_string())] {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("nobody waits");
}

#[tokio::test(flavor = "multi_thread")]
async fn stars_inside_and_names_inside_are_followed() {
    let pair = Pair::start();
    let mut client = pair.client().await;
    for (sql, shown) in [
        (
            "select * from (select o.*, u.email from orders o join users u on u.id = o.user_id) d order by id",
            "vvvm",
        ),
        (
            "select o.*, u.email, upper(i.label) from orders o join users u on u.id = o.user_id join items i",
            "vvvmv",
        ),
        (
            "select o.*, u.email, upper(i.label) as up from orders o join users u on u.id = o.user_id join items i",
            "vvvmv",
        ),
        (
            "with d as (select o.*, u.email as e from orders o join users u on u.id = o.user_id) select total, e from d",
            "vm",
        ),
        ("select * from (select i.label, u.* from users u join items i on i.id = u.id) d", "v"),
        ("select id, email from users where id = 1 union all select id, label from items where id = 1", "v0"),
        ("select (select label from items i where i.id = u.id) from users u", "v"),
        ("select (select i.note from (select 'x' as note) i) from users u", "v"),
    ] {
        let seen = row(&mut client, sql).await;
        for (cell, wanted) in seen.iter().zip(shown.chars()) {
            assert_eq!(*cell == Value::NULL, wanted == '0', "{sql}: {seen:?}");
        }
        assert!(!holds_canary(&seen), "{sql}: {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn temporary_tables_are_the_sessions_own() {
    for flavour in flavours() {
        let pair = Pair::with(of(flavour), "");
        let mut client = pair.client().await;
        run(
            &mut client,
            &[
                "create temporary table t (id int, v varchar(80), ssn varchar(11))",
                "insert into t values (1, 'mine', '123-45-6789')",
                "create temporary table t3 (id int, other varchar(80)) select id, label as other from items",
                "create temporary table if not exists t2 as select id, label from item_view",
                "start transaction",
                "insert into t2 values (7, 'x')",
                "commit",
                "truncate table t2",
                "insert into t2 values (8, 'x')",
            ],
        )
        .await;
        let seen = row(
            &mut client,
            "select upper(t.v), email, upper(email), t.ssn from t join users u on u.id = t.id",
        )
        .await;
        assert_eq!((&seen[0], &seen[2]), (&Value::from("MINE"), &Value::NULL), "{flavour:?}");
        assert!(!holds_canary(&seen) && seen[3] != Value::from("123-45-6789"), "{seen:?}");
        assert_eq!(row(&mut client, "select count(other) from t3").await, [Value::from("3")]);
        assert_eq!(row(&mut client, "select * from t2").await, [Value::from("8"), Value::from("x")]);
        for sql in [
            "alter table t rename to t4",
            "create index i on t (id)",
            "rename table t to t4",
            "create table t4 like t",
        ] {
            let error = client.query_drop(sql).await.expect_err(sql).to_string();
            assert!(error.contains("IronVeil refused: "), "{sql}: {error}");
        }
        run(&mut client, &["drop temporary table t", "drop table t2, t3"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_code_may_have_put_into_a_temporary_table_is_not_shown() {
    for flavour in flavours() {
        let pair = Pair::with(of(flavour), "");
        let mut client = pair.client().await;
        let make = ["create temporary table log (id int, v varchar(80))", "insert into log values (1, 'x')"];
        run(&mut client, &make).await;
        // The owner's code comes later: no trigger could have worked before.
        run(
            &mut root(&pair).await,
            &[
                "create table log (id int, v varchar(80))",
                "create trigger keeps after insert on orders for each row \
                 insert into log select id, email from users where id = new.user_id",
            ],
        )
        .await;
        let write = "insert into orders (id, user_id, total) values (900, 1, 1)";
        let refused = async |client: &mut Conn, sql: &str| {
            let error = client.query_drop(sql).await.expect_err(sql).to_string();
            assert!(error.contains("IronVeil refused: "), "{sql}: {error}");
        };
        refused(&mut client, &format!("{write}; select * from log")).await;
        refused(&mut client, "drop temporary table log; select * from log").await;
        refused(&mut client, "select peek(), v from log").await;
        // The trigger would write to it while it is read.
        refused(&mut client, "insert into orders select id + 500, id, 1 from log").await;
        refused(&mut client, "update items join log on items.id = log.id set label = v").await;
        run(&mut client, &[write]).await;
        for sql in ["select v from log", "select * from log", "create temporary table x as select v from log"]
        {
            refused(&mut client, sql).await;
        }
        let error = text(&mut client, "select v from log").await.unwrap_err().to_string();
        assert!(error.contains("drop it and make it again"), "{error}");
        run(&mut client, &["drop table log"]).await;
        // It would hide the owner's.
        refused(&mut client, make[0]).await;
        // One of code's making stays as it is.
        let made = "create function make() returns int modifies sql data begin \
                    create temporary table if not exists made as select email as v from users; return 1; end";
        run(&mut root(&pair).await, &[made]).await;
        run(&mut client, &["select make()", "create temporary table if not exists made (v varchar(80))"])
            .await;
        refused(&mut client, "select v from made").await;
        run(&mut client, &["drop table made", "create temporary table made (v varchar(80))"]).await;
        assert_eq!(row(&mut client, "select count(*) from made").await, [Value::from("0")]);
    }
}
