//! The end of a proxy: what runs is brought to its end, and who waits is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable;

use crate::harness::{Proxy, RULES, Servers, code, mysql_email, pg_email};

#[tokio::test(flavor = "multi_thread")]
async fn idle_sessions_are_told_and_transactions_end_first() {
    for rules in [RULES, "rules: []\n"] {
        let servers = Servers::start();
        let mut proxy = Proxy::start(&format!("{}{rules}", servers.databases()));
        let (idle, mut idle_mysql) = (proxy.pg().await, proxy.mysql().await);
        let (pg, mut mysql) = (proxy.pg().await, proxy.mysql().await);
        pg.batch_execute("begin; select 1").await.unwrap();
        mysql.query_drop("begin").await.unwrap();
        pg_email(&pg).await.unwrap();
        mysql_email(&mut mysql).await.unwrap();
        pg_email(&idle).await.unwrap();
        mysql_email(&mut idle_mysql).await.unwrap();
        proxy.signal("TERM");
        proxy.wait_for("the listeners are gone", |proxy| {
            std::net::TcpStream::connect(("127.0.0.1", proxy.pg)).is_err()
        });
        let error = loop {
            match pg_email(&idle).await {
                Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                Err(error) => break error,
            }
        };
        assert!(code(&error) == "57P01" || error.is_closed(), "{error}");
        let error = mysql_email(&mut idle_mysql).await.unwrap_err().to_string();
        assert!(error.contains("1053") || error.contains("onnection"), "{error}");
        // Those in transactions go on, and end with them.
        pg_email(&pg).await.unwrap();
        mysql_email(&mut mysql).await.unwrap();
        assert_eq!(proxy.http("GET", "/readyz").0, 503);
        mysql.query_drop("commit").await.unwrap();
        pg.batch_execute("commit").await.unwrap();
        assert!(proxy.ended().success());
        assert!(std::fs::read_to_string(proxy.path("audit")).unwrap().contains("\"event\":\"stop\""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_in_time_is_cut_with_an_error() {
    let servers = Servers::start();
    let config = format!("{}{RULES}", servers.databases());
    let mut proxy = Proxy::start_with(&config, &["--shutdown-timeout", "1"]);
    let pg = proxy.pg().await;
    let sleeping = tokio::spawn(async move { pg.batch_execute("select pg_sleep(60)").await.unwrap_err() });
    let mut mysql = proxy.mysql().await;
    let other = tokio::spawn(async move { mysql.query_drop("select sleep(60)").await.unwrap_err() });
    let session = proxy.pg().await;
    let running = async || {
        let asked = "select count(*) from pg_stat_activity where query like '%pg_sleep%' and state = 'active' and pid <> pg_backend_pid()";
        servers.pg.psql("shop", asked).unwrap() == "1"
    };
    while !running().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(session);
    tokio::time::sleep(Duration::from_millis(200)).await;
    proxy.signal("INT");
    assert!(proxy.ended().success());
    assert_eq!(code(&sleeping.await.unwrap()), "57P01");
    let error = other.await.unwrap().to_string();
    assert!(error.contains("shutting down"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_at_once() {
    let servers = Servers::start();
    let mut proxy = Proxy::start(&format!("{}{RULES}", servers.databases()));
    let pg = proxy.pg().await;
    pg.batch_execute("begin").await.unwrap();
    proxy.signal("TERM");
    proxy.wait_for("it stops", |proxy| proxy.log().contains("stopping"));
    proxy.signal("TERM");
    assert!(proxy.ended().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_all_transactions_end_or_get_a_proper_error() {
    let clients = 50;
    let servers = Servers::start();
    let mut proxy =
        Proxy::start_with(&format!("{}{RULES}", servers.databases()), &["--shutdown-timeout", "10"]);
    let started = Arc::new(AtomicBool::new(false));
    let mut running = tokio::task::JoinSet::new();
    for at in 0..clients {
        let started = Arc::clone(&started);
        if at % 2 == 0 {
            let client = proxy.pg().await;
            running.spawn(async move {
                let mut statements = 0;
                loop {
                    // A transaction that has begun ends.
                    if let Err(error) = client.batch_execute("begin").await {
                        assert!(code(&error) == "57P01" || error.is_closed(), "{error}");
                        return statements;
                    }
                    assert!(pg_email(&client).await.unwrap().contains("@example."));
                    statements += 1;
                    started.store(true, Ordering::Relaxed);
                    client.batch_execute("commit").await.unwrap();
                }
            });
        } else {
            let mut client = proxy.mysql().await;
            running.spawn(async move {
                let mut statements = 0;
                loop {
                    if let Err(error) = client.query_drop("begin").await {
                        let said = error.to_string();
                        assert!(
                            said.contains("shutting down")
                                || said.contains("onnection")
                                || said.contains("ipe"),
                            "{said}"
                        );
                        return statements;
                    }
                    assert!(mysql_email(&mut client).await.unwrap().contains("@example."));
                    statements += 1;
                    started.store(true, Ordering::Relaxed);
                    client.query_drop("commit").await.unwrap();
                }
            });
        }
    }
    while !started.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    proxy.signal("TERM");
    let mut statements = 0;
    while let Some(ended) = running.join_next().await {
        statements += ended.unwrap();
    }
    assert!(proxy.ended().success());
    let audit = std::fs::read_to_string(proxy.path("audit")).unwrap();
    assert!(audit.ends_with('\n') && audit.contains("\"event\":\"stop\",\"sessions_cut\":0"), "{audit}");
    // Every session and every statement is there, the last ones too.
    let count = |event: &str| audit.matches(&format!("\"event\":\"{event}\"")).count();
    assert_eq!((count("login"), count("logout")), (clients, clients));
    assert_eq!(count("masked"), statements);
}

/// With `reuse_port` a new process listens before the old one stops.
#[tokio::test(flavor = "multi_thread")]
async fn a_successor_takes_over_without_a_refused_connection() {
    let servers = Servers::start();
    let config = format!("{}{RULES}# HAND_OVER\n", servers.databases());
    let mut proxy = Proxy::start(&config);
    let (port, stop) = (proxy.pg, Arc::new(AtomicBool::new(false)));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let stop = Arc::clone(&stop);
        clients.spawn(async move {
            let mut count = 0;
            while !stop.load(Ordering::Relaxed) {
                let client = crate::harness::pg(port, "postgres").await.expect("a connection");
                count += 1;
                match pg_email(&client).await {
                    Ok(mail) => assert!(mail.contains("@example."), "{mail}"),
                    // It was idle.
                    Err(error) => assert!(code(&error) == "57P01" || error.is_closed(), "{error}"),
                }
            }
            count
        });
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let successor = proxy.successor(&config);
    tokio::time::sleep(Duration::from_millis(500)).await;
    proxy.signal("TERM");
    assert!(proxy.ended().success());
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.store(true, Ordering::Relaxed);
    let mut count = 0;
    while let Some(ended) = clients.join_next().await {
        count += ended.unwrap();
    }
    eprintln!("{count} connections, none refused");
    drop(successor);
}
