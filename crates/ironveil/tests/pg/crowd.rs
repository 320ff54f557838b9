//! Many clients on few connections, while servers and clients break: whatever a client sees is its own.
//!
//! `IRONVEIL_CROWD_SECONDS` says for how long.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, NoTls, SimpleQueryMessage};
use veil_testkit::PostgresOptions;

use crate::harness::{Pair, RULES, connect, pool};

const CLIENTS: u64 = 200;

/// Numbers that look random, the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[derive(Default)]
struct Tally {
    done: AtomicU64,
    lost: AtomicU64,
    connected: AtomicU64,
}

/// What went wrong is no fault of the proxy's: connections were cut, or took too long.
fn is_expected(error: &Error) -> bool {
    error.is_closed()
        || error.code().is_none()
        || error.code().is_some_and(|code| {
            [&SqlState::ADMIN_SHUTDOWN, &SqlState::CONNECTION_FAILURE, &SqlState::TOO_MANY_CONNECTIONS]
                .contains(&code)
                || code.code() == "08004"
        })
}

async fn cell(client: &Client, sql: &str) -> Result<String, Error> {
    let rows = client.simple_query(sql).await?;
    let cell = rows.iter().find_map(|row| match row {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("NULL").to_owned()),
        _ => None,
    });
    Ok(cell.unwrap_or_default())
}

/// Things that one client does on one connection; returns an error if that has ended.
async fn live(
    client: &Client,
    (own, dice): (u64, &mut Dice),
    pins: &Semaphore,
    tally: &Tally,
    until: Instant,
) -> Result<(), Error> {
    let name = format!("client{own}");
    cell(client, &format!("set application_name to '{name}'")).await?;
    cell(client, &format!("set my.own to '{name}'")).await?;
    let adds = client.prepare(&format!("select $1::int8 + {own}")).await?;
    let shared = client.prepare("select $1::text || current_setting('my.own')").await?;
    let masked = client.prepare("select email from users where id = $1").await?;
    while Instant::now() < until {
        match dice.below(12) {
            0 => assert_eq!(cell(client, "show application_name").await?, name),
            1 => assert_eq!(cell(client, "select current_setting('my.own')").await?, name),
            2 | 3 => {
                let number = i64::try_from(dice.below(1000)).unwrap_or_default();
                let row = client.query_one(&adds, &[&number]).await?;
                assert_eq!(row.get::<_, i64>(0), number + own as i64);
            }
            4 => {
                let row = client.query_one(&shared, &[&"is "]).await?;
                assert_eq!(row.get::<_, String>(0), format!("is {name}"));
            }
            5 => {
                let row = client.query_one(&masked, &[&1]).await?;
                assert!(!row.get::<_, String>(0).contains("zqcanary"));
            }
            6 => {
                cell(client, "begin").await?;
                cell(client, &format!("insert into crowd values ({own})")).await?;
                let count = cell(client, &format!("select count(*) from crowd where own <> {own}")).await?;
                assert_eq!(count, "0", "rows of transactions that are not its own");
                cell(client, "rollback").await?;
            }
            7 => {
                let error = client.simple_query("select 1 / 0").await.err();
                assert!(
                    error
                        .as_ref()
                        .is_some_and(|e| is_expected(e) || e.code() == Some(&SqlState::DIVISION_BY_ZERO))
                );
                let error = client.query_one("select $1::int8 / 0", &[&(own as i64)]).await.err();
                assert!(error.is_some());
            }
            8 => {
                cell(client, "begin").await?;
                let local = format!("set local my.own to 'local{own}'");
                cell(client, &local).await?;
                assert_eq!(cell(client, "show my.own").await?, format!("local{own}"));
                cell(client, "commit").await?;
                assert_eq!(cell(client, "show my.own").await?, name);
            }
            9 if dice.below(20) == 0 => {
                let token = client.cancel_token();
                let slept = tokio::join!(client.simple_query("select pg_sleep(0.05)"), async {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    let _ = token.cancel_query(NoTls).await;
                });
                if let Err(error) = slept.0
                    && error.code() != Some(&SqlState::QUERY_CANCELED)
                {
                    return Err(error);
                }
            }
            10 if dice.below(50) == 0 => {
                // It leaves in a transaction, with something on the way.
                cell(client, "begin").await?;
                cell(client, &format!("insert into crowd values ({own})")).await?;
                return Ok(());
            }
            11 if dice.below(50) == 0 => {
                // It keeps its connection, and leaves.
                let Ok(_one) = pins.try_acquire() else { continue };
                cell(client, &format!("create temp table mine as select {own} as own")).await?;
                cell(client, "insert into mine values (1)").await?;
                return Ok(());
            }
            _ => {
                // Nobody else's temporary table is there.
                let seen = client.simple_query("insert into mine values (0)").await;
                assert!(seen.is_err(), "a table of another session");
            }
        }
        tally.done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_sees_what_is_anothers() {
    let seconds =
        std::env::var("IRONVEIL_CROWD_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(6);
    let settings = "mode: transaction, size: 5, max_prepared_statements: 20";
    let pair = Pair::with(PostgresOptions::default(), &format!("{RULES}\n{}", pool(settings)));
    let direct = pair.direct().await;
    direct.simple_query("create table crowd (own int8)").await.unwrap();
    // The catalog is read again with it.
    let _ = pair.client().await.simple_query("create table crowd_begins (a int)").await;
    let until = Instant::now() + Duration::from_secs(seconds);
    let (tally, pins) = (Arc::<Tally>::default(), Arc::new(Semaphore::new(2)));
    let port = pair.proxy.port();
    let clients: Vec<_> = (1..=CLIENTS)
        .map(|own| {
            let (tally, pins) = (Arc::clone(&tally), Arc::clone(&pins));
            tokio::spawn(async move {
                let mut dice = Dice(own.wrapping_mul(0x9e37_79b9_7f4a_7c15));
                while Instant::now() < until {
                    let mut config = tokio_postgres::Config::new();
                    config.host("127.0.0.1").port(port).user("postgres").dbname("shop");
                    config.password(veil_testkit::Postgres::password());
                    let Ok((client, connection)) = config.connect(NoTls).await else { continue };
                    tally.connected.fetch_add(1, Ordering::Relaxed);
                    let driver = tokio::spawn(connection);
                    if let Err(error) = live(&client, (own, &mut dice), &pins, &tally, until).await {
                        assert!(is_expected(&error), "{error:?}");
                        tally.lost.fetch_add(1, Ordering::Relaxed);
                    }
                    drop(client);
                    driver.abort();
                }
            })
        })
        .collect();
    let mut most = 0;
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let count = "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()";
        most = most.max(cell(&direct, count).await.unwrap().parse::<u32>().unwrap());
        let ends = "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() order by random() limit 1";
        cell(&direct, ends).await.unwrap();
    }
    for client in clients {
        client.await.unwrap();
    }
    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let (done, lost, connected) = (count(&tally.done), count(&tally.lost), count(&tally.connected));
    eprintln!(
        "{CLIENTS} clients on {most} connections at most: {done} things done in {seconds} s, {connected} sessions, {lost} of them lost"
    );
    assert!(done > 1000, "{done}");
    assert_eq!(cell(&direct, "select count(*) from crowd").await.unwrap(), "0");
    assert_eq!(connect(port, "shop").await.query("select 1", &[]).await.unwrap().len(), 1);
}
