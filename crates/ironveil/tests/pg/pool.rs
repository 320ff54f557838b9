//! Connections that clients take by turns.

use std::time::Duration;

use tokio_postgres::{Client, SimpleQueryMessage};
use veil_testkit::PostgresOptions;

use crate::harness::{Pair, RULES, pool, psql};

fn pair(settings: &str) -> Pair {
    Pair::with(PostgresOptions::default(), &format!("{RULES}\n{}", pool(settings)))
}

/// The same, where nothing is masked.
fn clear_pair(settings: &str) -> Pair {
    let rules = "\n  - { database: another, column: like_it, strategy: email }";
    Pair::with(PostgresOptions::default(), &format!("{rules}\n{}", pool(settings)))
}

async fn text(client: &Client, sql: &str) -> String {
    let rows = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let cells = rows.iter().filter_map(|row| match row {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("NULL").to_owned()),
        _ => None,
    });
    cells.collect::<Vec<_>>().join(",")
}

async fn process(client: &Client) -> String {
    text(client, "select pg_backend_pid()").await
}

/// How many connections the server has, those of its own and the one that asks left out.
async fn connections(pair: &Pair) -> i64 {
    let direct = pair.direct().await;
    let sql = "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()";
    direct.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn many_clients_share_few_connections() {
    let pair = pair("mode: transaction, size: 2");
    let clients = futures_clients(&pair, 12).await;
    for round in 0..3 {
        for (at, client) in clients.iter().enumerate() {
            let sum = format!("{}", at + round);
            assert_eq!(text(client, &format!("select {at} + {round}")).await, sum);
            let row = client.query_one("select email from users where id = $1", &[&1]).await.unwrap();
            assert!(!row.get::<_, String>(0).contains("zqcanary"));
        }
    }
    assert!(connections(&pair).await <= 2);
    // At the same time, too.
    let sleeping = clients.iter().map(|client| client.simple_query("select pg_sleep(0.05)"));
    for slept in futures_all(sleeping).await {
        slept.unwrap();
    }
    assert!(connections(&pair).await <= 2);
}

async fn futures_clients(pair: &Pair, count: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(pair.client().await);
    }
    clients
}

async fn futures_all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        let mut left = false;
        for (future, done) in futures.iter_mut().zip(&mut done) {
            if done.is_none() {
                match future.as_mut().poll(cx) {
                    std::task::Poll::Ready(value) => *done = Some(value),
                    std::task::Poll::Pending => left = true,
                }
            }
        }
        if left { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test]
async fn settings_go_with_their_client() {
    let pair = pair("mode: transaction, size: 1");
    let (one, other) = (pair.client().await, pair.client().await);
    let process_before = process(&one).await;
    text(&one, "set timezone to 'Asia/Tokyo'").await;
    text(&one, "set statement_timeout to '77s'").await;
    text(&one, "select set_config('my.own', 'one''s', false)").await;
    text(&one, "set role pg_monitor").await;
    text(&other, "set statement_timeout to '33s'").await;
    for _ in 0..2 {
        assert_eq!(text(&other, "show timezone").await, text(&pair.direct().await, "show timezone").await);
        assert_eq!(text(&other, "show statement_timeout").await, "33s");
        assert_ne!(text(&other, "select current_setting('my.own', true)").await, "one's");
        assert_eq!(text(&other, "select current_user").await, "postgres");
        assert_eq!(text(&one, "show timezone").await, "Asia/Tokyo");
        assert_eq!(text(&one, "show statement_timeout").await, "77s");
        assert_eq!(text(&one, "show my.own").await, "one's");
        assert_eq!(text(&one, "select current_user").await, "pg_monitor");
    }
    // What was taken back is not brought along, and what was set for a transaction neither.
    text(&one, "begin").await;
    text(&one, "set statement_timeout to '99s'").await;
    text(&one, "rollback").await;
    text(&one, "begin; set local statement_timeout to '98s'; commit").await;
    assert_eq!(text(&other, "show statement_timeout").await, "33s");
    assert_eq!(text(&one, "show statement_timeout").await, "77s");
    text(&one, "reset role").await;
    text(&one, "reset all").await;
    assert_eq!(text(&other, "show statement_timeout").await, "33s");
    assert_eq!(text(&one, "show statement_timeout").await, "0");
    assert_eq!(text(&one, "show application_name").await, "");
    text(&other, "discard all").await;
    assert_eq!(text(&other, "show statement_timeout").await, "0");
    assert_eq!(process(&one).await, process_before);
    assert_eq!(process(&other).await, process_before);
}

#[tokio::test]
async fn start_up_parameters_are_those_of_the_client() {
    for mode in ["session", "transaction"] {
        let pair = pair(&format!("mode: {mode}, size: 1"));
        let port = pair.proxy.port();
        for name in ["first", "second"] {
            let connection = format!(
                "host=127.0.0.1 port={port} user=postgres dbname=shop application_name={name} options='-c statement_timeout=5s --work-mem=3MB -c my.own=a\\\\ b'"
            );
            let sql = "select current_setting('application_name'), current_setting('statement_timeout'), current_setting('work_mem'), current_setting('my.own')";
            assert_eq!(psql(&pair.server, &connection, sql).1.trim(), format!("{name}|5s|3MB|a b"));
        }
        let plain = format!("host=127.0.0.1 port={port} user=postgres dbname=shop");
        let sql = "select current_setting('application_name'), current_setting('statement_timeout'), current_setting('my.own', true)";
        assert_eq!(psql(&pair.server, &plain, sql).1.trim(), "psql|0|", "{mode}");
        let wrong = format!("{plain} options='-c nothing_like_it=5'");
        assert!(psql(&pair.server, &wrong, "select 1").1.contains("nothing_like_it"));
        assert!(connections(&pair).await <= 1);
    }
}

#[tokio::test]
async fn what_needs_a_session_keeps_its_connection() {
    // What the check says of a session in which nothing has happened; nothing where it fails.
    for (sql, check, nothing) in [
        ("listen news", "select string_agg(c, ',') from pg_listening_channels() c", "NULL"),
        ("create temp table mine (a int)", "select count(*)::text from mine", ""),
        ("select pg_advisory_lock(7)", "select pg_advisory_unlock(7)::text", "false"),
        ("prepare mine as select 'kept'", "execute mine", ""),
        ("begin; declare mine cursor with hold for select 'kept'; commit", "fetch mine", ""),
        ("set session characteristics as transaction read only", "show default_transaction_read_only", "off"),
    ] {
        let pair = clear_pair("mode: transaction, size: 2");
        let (one, other) = (pair.client().await, pair.client().await);
        text(&one, sql).await;
        let own = process(&one).await;
        for _ in 0..3 {
            assert_ne!(process(&other).await, own, "{sql}");
            assert_eq!(process(&one).await, own, "{sql}");
        }
        assert_ne!(text(&one, check).await, "", "{sql}");
        drop(one);
        // Nothing of it is left for those who come next.
        let third = pair.client().await;
        for client in [&other, &third] {
            let left = match client.simple_query(check).await {
                Ok(_) => text(client, check).await,
                Err(_) => String::new(),
            };
            assert_eq!(left, nothing, "{sql}");
        }
    }
}

#[tokio::test]
async fn prepared_statements_follow_their_clients() {
    let pair = pair("mode: transaction, size: 2, max_prepared_statements: 3");
    let clients = futures_clients(&pair, 4).await;
    let mut statements = Vec::new();
    for client in &clients {
        let mut own = Vec::new();
        for n in 0..6 {
            own.push(
                client.prepare(&format!("select label || '{n}' from items where id = $1")).await.unwrap(),
            );
        }
        own.push(client.prepare("select email from users where id = $1").await.unwrap());
        statements.push(own);
    }
    for round in 1..4_i32 {
        for (client, own) in clients.iter().zip(&statements) {
            for (n, statement) in own.iter().enumerate().take(6) {
                let row = client.query_one(statement, &[&round]).await.unwrap();
                assert_eq!(row.get::<_, String>(0), format!("item{round}{n}"));
            }
            let row = client.query_one(&own[6], &[&round]).await.unwrap();
            assert!(!row.get::<_, String>(0).contains("zqcanary"));
        }
    }
    let direct = pair.direct().await;
    assert!(connections(&pair).await <= 3);
    // One that is closed is gone for its client only; errors leave the rest as they are.
    drop(statements.remove(0));
    assert!(clients[1].simple_query("select 1/0").await.is_err());
    assert!(clients[1].query("select 1/$1", &[&0_i32]).await.is_err());
    let row = clients[1].query_one(&statements[0][2], &[&2]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), "item22");
    // DISCARD ALL and DEALLOCATE.
    clients[2].simple_query("deallocate all").await.unwrap();
    assert!(clients[2].query(&statements[1][0], &[&1]).await.is_err());
    let row = clients[3].query_one(&statements[2][0], &[&1]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), "item10");
    // A table that changes.
    direct.simple_query("create table turning (a int)").await.unwrap();
    direct.simple_query("insert into turning values (1)").await.unwrap();
    let turning = clients[3].prepare("select * from turning").await.unwrap();
    clients[3].query_one(&turning, &[]).await.unwrap();
    direct.simple_query("alter table turning add b text").await.unwrap();
    for _ in 0..4 {
        let _ = clients[3].query_one(&turning, &[]).await;
    }
    let anew = clients[3].prepare("select * from turning").await.unwrap();
    let _ = clients[3].query_one(&anew, &[]).await;
    let anew = clients[3].prepare("select * from turning").await.unwrap();
    assert_eq!(clients[3].query_one(&anew, &[]).await.unwrap().len(), 2);
}

#[tokio::test]
async fn whoever_leaves_in_a_transaction_has_it_rolled_back() {
    for mode in ["session", "transaction"] {
        let pair = pair(&format!("mode: {mode}, size: 1"));
        let one = pair.client().await;
        text(&one, "begin").await;
        text(&one, "insert into items values (100, 'lost', 0)").await;
        drop(one);
        let other = pair.client().await;
        assert_eq!(text(&other, "select count(*) from items where id = 100").await, "0");
        assert_eq!(text(&other, "select count(*) from items").await, "5");
    }
}

#[tokio::test]
async fn transactions_are_not_let_in_by_the_statement() {
    let pair = pair("mode: statement, size: 1");
    let client = pair.client().await;
    assert_eq!(text(&client, "select 1").await, "1");
    assert!(client.simple_query("begin").await.is_err());
    let other = pair.client().await;
    assert_eq!(text(&other, "select 1").await, "1");
}

#[tokio::test]
async fn who_waits_too_long_is_told() {
    let pair = pair("mode: transaction, size: 1, queue_timeout: 300ms");
    let (one, other) = (pair.client().await, pair.client().await);
    text(&one, "begin").await;
    let error = other.simple_query("select 1").await.unwrap_err();
    assert_eq!(error.code().map(|code| code.code()), Some("53300"));
    text(&one, "commit").await;
    let third = pair.client().await;
    assert_eq!(text(&third, "select 1").await, "1");
}

#[tokio::test]
async fn cancel_reaches_the_clients_own_statement_only() {
    let pair = pair("mode: transaction, size: 2");
    let (one, other) = (pair.client().await, pair.client().await);
    // The catalog has been read.
    assert_eq!(text(&one, "select 1 from users limit 1").await, "1");
    for round in 0..10 {
        let token = one.cancel_token();
        let sleeping = async {
            let slept = one.simple_query("select pg_sleep(20)").await;
            assert_eq!(slept.unwrap_err().code().map(|code| code.code()), Some("57014"), "{round}");
        };
        let cancelling = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            token.cancel_query(tokio_postgres::NoTls).await.unwrap();
        };
        let unharmed = async {
            for _ in 0..20 {
                assert_eq!(text(&other, "select 1 from pg_sleep(0.005)").await, "1");
            }
        };
        futures_all([boxed(sleeping), boxed(cancelling), boxed(unharmed)].into_iter()).await;
        // Without a statement there is nothing to cancel, whoever has the connection now.
        let token = one.cancel_token();
        let late = async { token.cancel_query(tokio_postgres::NoTls).await.unwrap() };
        let busy = async {
            assert_eq!(text(&other, "select 1 from pg_sleep(0.02)").await, "1");
        };
        futures_all([boxed(late), boxed(busy)].into_iter()).await;
    }
}

fn boxed<'a>(future: impl Future<Output = ()> + 'a) -> std::pin::Pin<Box<dyn Future<Output = ()> + 'a>> {
    Box::pin(future)
}

#[tokio::test]
async fn what_is_sent_at_once_is_told_apart() {
    let pair = pair("mode: transaction, size: 2");
    let (one, other) = (pair.client().await, pair.client().await);
    text(&one, "set role pg_monitor").await;
    let (first, second) =
        tokio::join!(one.simple_query("select 1"), one.simple_query("reset role; select 1/0"));
    assert!(first.is_ok() && second.is_err());
    for _ in 0..3 {
        assert_eq!(text(&other, "select current_user").await, "postgres");
        assert_eq!(text(&one, "select current_user").await, "pg_monitor");
    }
    // Of a transaction that was taken back in part, it is not clear what is left: the client stays where it is.
    text(&one, "begin").await;
    text(&one, "set statement_timeout to '44s'").await;
    text(&one, "savepoint a").await;
    text(&one, "rollback to a").await;
    text(&one, "commit").await;
    let own = process(&one).await;
    for _ in 0..3 {
        assert_ne!(process(&other).await, own);
        assert_eq!(text(&other, "show statement_timeout").await, "0");
        assert_eq!(text(&one, "show statement_timeout").await, "44s");
    }
    let (discarded, listening) =
        tokio::join!(one.simple_query("discard all"), one.simple_query("listen news"));
    assert!(discarded.is_ok() && listening.is_ok());
    for _ in 0..3 {
        assert_ne!(process(&other).await, own);
        assert_eq!(process(&one).await, own);
    }
}

#[tokio::test]
async fn names_in_sql_are_those_of_the_client() {
    let pair = pair("mode: transaction, size: 1");
    let (one, other) = (pair.client().await, pair.client().await);
    let statement = one.prepare("select label from items where id = $1").await.unwrap();
    let theirs = other.prepare("select label from items where id = $1").await.unwrap();
    // The driver calls them s0 and so on: one of these is it.
    text(&one, "begin").await;
    assert!(one.simple_query("select 1/0").await.is_err());
    for name in ["s0", "s1", "s2", "s3"] {
        let sql = format!("deallocate {name}");
        let forgotten = tokio::time::timeout(Duration::from_secs(5), one.simple_query(&sql));
        assert!(forgotten.await.expect("an answer").is_err());
    }
    text(&one, "rollback").await;
    let _ = one.query(&statement, &[&1]).await;
    let row = other.query_one(&theirs, &[&2]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), "item2");
    // The names on the server are nobody's.
    for number in 0..4 {
        let _ = other.simple_query(&format!("deallocate ironveil_{number}")).await;
    }
    let anew = one.prepare("select label from items where id = $1").await.unwrap();
    assert_eq!(one.query_one(&anew, &[&3]).await.unwrap().get::<_, String>(0), "item3");
    // By literals that settings have a say in, the same text is another.
    text(&one, "set timezone to 'Asia/Tokyo'").await;
    text(&other, "set timezone to 'UTC'").await;
    let sql = "select extract(epoch from timestamptz '2024-01-01 00:00')::int8";
    let (tokyo, utc) = (one.prepare(sql).await.unwrap(), other.prepare(sql).await.unwrap());
    let hours = |row: tokio_postgres::Row| row.get::<_, i64>(0) / 3600;
    let (tokyo, utc) = (one.query_one(&tokyo, &[]).await.unwrap(), other.query_one(&utc, &[]).await.unwrap());
    assert_eq!(hours(utc) - hours(tokyo), 9);
}

#[tokio::test]
async fn large_statements_of_those_who_see_everything() {
    let pair = clear_pair("mode: transaction, size: 1");
    let client = pair.client().await;
    for length in [20_000, 100_000, 2_000_000] {
        let sql = format!("select 1 /* {} */", "x".repeat(length));
        let answered = tokio::time::timeout(Duration::from_secs(20), client.simple_query(&sql)).await;
        assert!(answered.expect("an answer").is_ok());
    }
}

/// What was described without a masked column may have one by the time that it is prepared on another connection.
#[tokio::test]
async fn what_is_prepared_anew_is_described_anew() {
    let pair = pair("mode: transaction, size: 2");
    let (one, other) = (pair.client().await, pair.client().await);
    let direct = pair.direct().await;
    direct.batch_execute("create table plain (a int); insert into plain values (1)").await.unwrap();
    // The catalog is read with it.
    text(&one, "create table unplain (a int)").await;
    text(&one, "select * from plain").await;
    let statement = one.prepare("select * from plain").await.unwrap();
    let count = one.query(&statement, &[]).await.unwrap().len();
    assert_eq!(count, 1);
    direct.batch_execute("alter table plain add ssn text default 'zqcanary'").await.unwrap();
    // The connection that has it is taken, so that another one prepares it.
    text(&other, "begin").await;
    for _ in 0..3 {
        if let Ok(rows) = one.query(&statement, &[]).await {
            let shown = rows.iter().filter_map(|row| row.try_get::<_, Option<String>>(1).ok().flatten());
            assert!(shown.into_iter().all(|cell| !cell.contains("zqcanary")));
        }
    }
    text(&other, "commit").await;
}
