//! How many sessions there may be, and how fast they may begin.

use std::time::{Duration, Instant};

use crate::harness::{Proxy, RULES, SECRET, Servers, code, databases, mysql_email, number, pg_email};

fn config(servers: &Servers, limits: &str, of_database: &str) -> String {
    let databases = databases(servers.pg.port(), servers.mysql.port(), of_database);
    format!("{databases}limits: {{ {limits} }}\n{RULES}")
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_sessions_are_refused_by_an_error_of_the_protocol() {
    let servers = Servers::start();
    servers
        .pg
        .psql("shop", "create role dba login; create role app login; grant select on users to app, dba")
        .unwrap();
    let limits = "max_connections: 4, reserved_connections: 1, admins: [dba]";
    let mut proxy = Proxy::start(&config(&servers, limits, ""));
    let (first, mut second) = (proxy.pg().await, proxy.mysql().await);
    let third = proxy.try_pg("app").await.unwrap();
    let error = proxy.try_pg("postgres").await.err().unwrap();
    assert_eq!(code(&error), "53300");
    let told = error.as_db_error().unwrap();
    assert!(
        told.message().contains("too many") && told.hint().is_some_and(|hint| hint.contains("limits")),
        "{told:?}"
    );
    assert_eq!(number(&proxy.try_mysql().await.err().unwrap()), 1040);
    // What is kept is for administrators; those who are in are served.
    let kept = proxy.try_pg("dba").await.unwrap();
    assert_eq!(code(&proxy.try_pg("dba").await.err().unwrap()), "53300");
    assert!(pg_email(&first).await.unwrap().contains("@example."));
    assert!(mysql_email(&mut second).await.unwrap().contains("@example."));
    // A place that becomes free is taken, a login that fails keeps none.
    drop((kept, third));
    proxy.wait_for("two have left", |proxy| proxy.http("GET", "/health").1.contains("\"sessions\":2"));
    for _ in 0..10 {
        assert_eq!(code(&proxy.try_pg("nobody").await.err().unwrap()), "28000");
    }
    drop(proxy.try_pg("app").await.unwrap());
    let health = proxy.http("GET", "/health").1;
    assert!(health.contains("\"sessions_refused\":3"), "{health}");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_and_databases_have_limits_of_their_own() {
    let servers = Servers::start();
    servers.pg.psql("shop", "create role app login; create role other login").unwrap();
    let proxy = Proxy::start(&config(&servers, "max_connections_per_user: 2", ", max_connections: 3"));
    let _held = [proxy.try_pg("app").await.unwrap(), proxy.try_pg("app").await.unwrap()];
    let error = proxy.try_pg("app").await.err().unwrap();
    assert!(code(&error) == "53300" && error.as_db_error().unwrap().message().contains("this user"));
    let _third = proxy.try_pg("other").await.unwrap();
    let error = proxy.try_pg("other").await.err().unwrap();
    assert!(code(&error) == "53300" && error.as_db_error().unwrap().message().contains("this database"));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_wait_for_others_to_leave() {
    let servers = Servers::start();
    let proxy = Proxy::start(&config(&servers, "max_connections: 1, queue_timeout: 10s", ""));
    let first = proxy.pg().await;
    let waiting = async {
        let began = Instant::now();
        let second = proxy.pg().await;
        (pg_email(&second).await.unwrap(), began.elapsed())
    };
    let leaving = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        drop(first);
    };
    let ((mail, waited), ()) = tokio::join!(waiting, leaving);
    assert!(!mail.contains(SECRET) && waited >= Duration::from_millis(400), "{waited:?}");
    // Not for ever.
    let short = Proxy::start(&config(&servers, "max_connections: 1, queue_timeout: 300ms", ""));
    let _held = short.pg().await;
    assert_eq!(number(&short.try_mysql().await.err().unwrap()), 1040);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_may_not_begin_too_fast() {
    let servers = Servers::start();
    for limits in
        ["connections_per_second: 1, burst: 5", "connections_per_second_per_address: 1, burst_per_address: 5"]
    {
        let proxy = Proxy::start(&config(&servers, limits, ""));
        let began = Instant::now();
        let mut codes = Vec::new();
        for _ in 0..20 {
            codes.push(proxy.try_pg("postgres").await.err().map(|error| code(&error)));
        }
        let refused = codes.iter().filter(|code| code.as_deref() == Some("53300")).count();
        // One more each second.
        let allowed = 5 + usize::try_from(began.elapsed().as_secs()).unwrap() + 1;
        assert!(refused >= 20 - allowed && codes[..5].iter().all(Option::is_none), "{limits}: {codes:?}");
        tokio::time::sleep(Duration::from_millis(1500)).await;
        drop(proxy.try_pg("postgres").await.unwrap());
    }
}
