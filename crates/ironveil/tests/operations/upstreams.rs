//! Servers that go away, come back, or say nothing.

use std::net::TcpListener;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use socket2::{Domain, Socket, Type};
use veil_testkit::{FaultProxy, MySql, MySqlOptions, Postgres, PostgresOptions};

use crate::harness::{Proxy, RULES, SOON, Servers, code, databases, mysql_email, number, pg, pg_email};

/// A proxy whose servers are behind relays that can misbehave.
fn behind(servers: &Servers, more: &str) -> (FaultProxy, FaultProxy, Proxy) {
    let pg = FaultProxy::start(servers.pg.port()).unwrap();
    let mysql = FaultProxy::start(servers.mysql.port()).unwrap();
    let proxy = Proxy::start(&format!("{}{more}\n{RULES}", databases(pg.port(), mysql.port(), "")));
    (pg, mysql, proxy)
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_are_restarted_are_found_again() {
    let mut servers = Servers::start();
    let (pg_fault, mysql_fault, mut proxy) = behind(&servers, "");
    let (pg, mut mysql) = (proxy.pg().await, proxy.mysql().await);
    pg.batch_execute("begin").await.unwrap();
    let mut slow = proxy.mysql().await;
    let cut = tokio::spawn(async move { slow.query_drop("select sleep(60)").await.unwrap_err() });
    tokio::time::sleep(Duration::from_millis(300)).await;
    servers.pg.kill();
    servers.mysql.kill();
    pg_fault.cut();
    mysql_fault.cut();
    let error = pg_email(&pg).await.unwrap_err();
    assert!(code(&error).starts_with("08") || error.is_closed(), "{error}");
    mysql_email(&mut mysql).await.unwrap_err();
    assert_eq!(number(&cut.await.unwrap()), 2003);
    // While they are away clients are told, and so is whoever asks how the proxy is.
    for _ in 0..6 {
        assert_eq!(code(&proxy.try_pg("postgres").await.err().unwrap()), "08006");
        proxy.try_mysql().await.err().unwrap();
    }
    let (status, health) = proxy.http("GET", "/health");
    assert!(
        status == 503 && health.contains("\"circuit\":\"open\"") && health.contains("last_error"),
        "{health}"
    );
    assert_eq!(proxy.http("GET", "/readyz"), (503, "unavailable\n".to_owned()));
    assert_eq!(proxy.http("GET", "/livez").0, 200);
    let refused = proxy.try_pg("postgres").await.err().unwrap();
    assert!(refused.as_db_error().unwrap().message().contains("is not tried now"), "{refused:?}");
    let again = Servers::start();
    pg_fault.redirect(again.pg.port());
    mysql_fault.redirect(again.mysql.port());
    proxy.wait_for("the servers are found again", |proxy| proxy.http("GET", "/readyz").1 == "ok\n");
    assert!(pg_email(&proxy.pg().await).await.unwrap().contains("@example."));
    assert!(mysql_email(&mut proxy.mysql().await).await.unwrap().contains("@example."));
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_say_nothing_are_not_waited_for() {
    let servers = Servers::start();
    let timeouts = "timeouts: { connect_timeout: 500ms, login_timeout: 3s, query_timeout: 500ms }";
    let (pg_fault, mysql_fault, mut proxy) = behind(&servers, timeouts);
    let (pg, mut mysql) = (proxy.pg().await, proxy.mysql().await);
    pg.batch_execute("begin").await.unwrap();
    pg_fault.stop_reading(true);
    mysql_fault.stop_reading(true);
    // In a transaction: the cancel request is not answered either, so the session ends.
    let error = tokio::time::timeout(SOON, pg_email(&pg)).await.unwrap().unwrap_err();
    assert_eq!(code(&error), "57014");
    let error = tokio::time::timeout(SOON, mysql_email(&mut mysql)).await.unwrap().unwrap_err().to_string();
    assert!(error.contains("statement timeout"), "{error}");
    // At login: the server takes the connection and does not answer.
    let error = tokio::time::timeout(SOON, proxy.try_pg("postgres")).await.unwrap().err().unwrap();
    assert_eq!(code(&error), "08006");
    let error = tokio::time::timeout(SOON, proxy.try_mysql()).await.unwrap().err().unwrap();
    assert_eq!(number(&error), 2003);
    pg_fault.stop_reading(false);
    mysql_fault.stop_reading(false);
    proxy.wait_for("they answer again", |proxy| proxy.http("GET", "/readyz").1 == "ok\n");
    assert!(pg_email(&proxy.pg().await).await.unwrap().contains("@example."));
    assert!(mysql_email(&mut proxy.mysql().await).await.unwrap().contains("@example."));
}

/// The server takes the connection and does not answer the request for TLS.
#[tokio::test(flavor = "multi_thread")]
async fn nor_are_those_that_say_nothing_about_tls() {
    let server = Postgres::start(PostgresOptions { tls: true, ..PostgresOptions::default() }).unwrap();
    server.psql("postgres", "create database shop").unwrap();
    let fault = FaultProxy::start(server.port()).unwrap();
    let ca = server.ca().ca_pem().display().to_string();
    let mut proxy = Proxy::start(&format!(
        "timeouts: {{ connect_timeout: 500ms }}\ndatabases:\n  \
         - {{ name: shop, upstream: 'postgres://localhost:{}/?sslmode=verify-full&sslrootcert={ca}' }}\n{RULES}",
        fault.port()
    ));
    let one = async |proxy: &Proxy| {
        let client = proxy.try_pg("postgres").await?;
        client.query_one("select 1", &[]).await.map(|row| row.get::<_, i32>(0))
    };
    assert_eq!(one(&proxy).await.unwrap(), 1);
    fault.stop_reading(true);
    let error = tokio::time::timeout(SOON, one(&proxy)).await.unwrap().unwrap_err();
    assert_eq!(code(&error), "08006");
    fault.stop_reading(false);
    proxy.wait_for("it answers again", |proxy| proxy.http("GET", "/readyz").1 == "ok\n");
    assert_eq!(one(&proxy).await.unwrap(), 1);
}

/// Who has the key is told more.
#[test]
fn the_api_tells_details_to_whom_has_its_key() {
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), "sesame\n").unwrap();
    let port = veil_testkit::free_port();
    let config = format!(
        "databases:\n  - {{ name: a, upstream: 'postgres://127.0.0.1:{port}' }}\n{RULES}# KEY {}\n",
        key.path().display()
    );
    let mut proxy = Proxy::start(&config);
    for headers in
        ["", "Authorization: Bearer \r\n", "X-API-Key: sesam\r\n", "Authorization: Basic sesame\r\n"]
    {
        assert_eq!(
            proxy.http_with("GET", "/health", headers),
            (503, "{\"status\":\"unavailable\"}".to_owned())
        );
        assert_eq!(proxy.http_with("POST", "/config/reload", headers).0, 401);
    }
    for headers in ["Authorization: Bearer sesame\r\n", "X-API-Key: sesame\r\n"] {
        let (status, health) = proxy.http_with("GET", "/health", headers);
        assert!(
            status == 503 && health.contains(&port.to_string()) && health.contains("last_error"),
            "{health}"
        );
        assert_eq!(proxy.http_with("POST", "/config/reload", headers).0, 200);
    }
    // Another key is taken when its file says so; none is not.
    std::fs::write(key.path(), "abracadabra").unwrap();
    let other = "X-API-Key: abracadabra\r\n";
    proxy.wait_for("the key is read again", |proxy| proxy.log().contains("by=\"file\""));
    assert_eq!(proxy.http_with("POST", "/config/reload", other).0, 200);
    assert_eq!(proxy.http_with("POST", "/config/reload", "X-API-Key: sesame\r\n").0, 401);
    std::fs::write(key.path(), "").unwrap();
    assert_eq!(proxy.http_with("POST", "/config/reload", other).0, 422);
    assert_eq!(proxy.http_with("POST", "/config/reload", "X-API-Key: \r\n").0, 401);
}

/// An address that takes no connection: the queue of its listener is full.
fn black_hole() -> (Socket, Vec<Socket>, u16) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let waiting = |_| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        let _ = socket.connect(&address);
        socket
    };
    let held = (0..4).map(waiting).collect();
    let port = address.as_socket().unwrap().port();
    (listener, held, port)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_takes_no_connection_is_given_up_and_another_tried() {
    let servers = Servers::start();
    let (_listener, _held, hole) = black_hole();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (pg, mysql) = (servers.pg.port(), servers.mysql.port());
    let config = format!(
        "timeouts: {{ connect_timeout: 500ms }}\ndatabases:\n  \
         - {{ name: shop, upstream: 'postgres://127.0.0.1:{hole},127.0.0.1:{closed},127.0.0.1:{pg}' }}\n  \
         - {{ name: shop, upstream: 'mysql://127.0.0.1:{hole},127.0.0.1:{closed},127.0.0.1:{mysql}' }}\n{RULES}"
    );
    let proxy = Proxy::start(&config);
    assert!(pg_email(&proxy.pg().await).await.unwrap().contains("@example."));
    assert!(mysql_email(&mut proxy.mysql().await).await.unwrap().contains("@example."));
    assert_eq!(proxy.http("GET", "/readyz"), (200, "degraded\n".to_owned()));
    // Alone, it is an error in time.
    let alone = Proxy::start(&format!(
        "timeouts: {{ connect_timeout: 500ms }}\n{}{RULES}",
        databases(hole, hole, "")
    ));
    assert_eq!(code(&alone.try_pg("postgres").await.err().unwrap()), "08006");
    assert_eq!(number(&alone.try_mysql().await.err().unwrap()), 2003);
    assert_eq!(alone.http("GET", "/health").0, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_go_to_the_host_with_the_role_that_they_want() {
    let standby = Postgres::start(PostgresOptions { standby: true, ..PostgresOptions::default() }).unwrap();
    let primary = Postgres::start(PostgresOptions::default()).unwrap();
    if !standby.psql("postgres", "show in_hot_standby").is_ok_and(|on| on == "on") {
        eprintln!("not tested: this version does not tell its role");
        return;
    }
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", standby.port(), primary.port());
    let config = format!(
        "databases:\n  - {{ name: shop, upstream: 'postgres://{hosts}/postgres?target_session_attrs=read-write' }}\n  \
         - {{ name: reads, upstream: 'postgres://{hosts}/postgres?target_session_attrs=prefer-standby' }}\n\
         users:\n  - {{ name: listed, password: {{ file: PASSWORD }}, upstream: {{ user: postgres, password: {{ file: PASSWORD }} }} }}\n{RULES}"
    );
    let password = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(password.path(), Postgres::password()).unwrap();
    let config = config.replace("PASSWORD", password.path().to_str().unwrap());
    let proxy = Proxy::start(&config);
    let in_recovery = async |client: tokio_postgres::Client| {
        client.query_one("select pg_is_in_recovery()", &[]).await.unwrap().get::<_, bool>(0)
    };
    // Whom the proxy signs in itself, it takes to the right one; others learn of it.
    let listed = async |database: &str| {
        let mut config = tokio_postgres::Config::new();
        config
            .host("127.0.0.1")
            .port(proxy.pg)
            .user("listed")
            .password(Postgres::password())
            .dbname(database);
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    };
    assert!(!in_recovery(listed("shop").await).await);
    assert!(in_recovery(listed("reads").await).await);
    assert!(!in_recovery(pg(proxy.pg, "postgres").await.unwrap()).await);
    // The primary dies, the standby is promoted.
    drop(primary);
    assert!(proxy.try_pg("postgres").await.is_err());
    standby.psql("postgres", "select pg_promote()").unwrap();
    assert!(!in_recovery(pg(proxy.pg, "postgres").await.unwrap()).await);
    assert!(!in_recovery(listed("reads").await).await);
}

#[test]
fn require_upstream_ends_a_start_without_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("proxy.yaml");
    let port = veil_testkit::free_port();
    std::fs::write(&path, format!("listen: {{ postgres: '127.0.0.1:0' }}\ndatabases: [{{ name: a, upstream: 'postgres://127.0.0.1:{port}' }}]\nrules: []\n")).unwrap();
    let run = |more: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_ironveil"))
            .args(["run", "--config"])
            .arg(&path)
            .args(more)
            .env("IRONVEIL_KEY", "00112233445566778899aabbccddeeff".repeat(2))
            .output()
            .unwrap()
    };
    let output = run(&["--require-upstream"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains(&format!("127.0.0.1:{port}")), "{said}");
}

/// Whether signing in works, and the catalog can be read.
#[test]
fn the_start_signs_in_where_it_is_told_to() {
    let servers = Servers::start();
    let password = tempfile::NamedTempFile::new().unwrap();
    let check = format!(
        ", check: {{ user: {}, password: {{ file: '{}' }} }}",
        MySql::user(),
        password.path().display()
    );
    let config = format!("{}{RULES}", databases(servers.pg.port(), servers.mysql.port(), &check));
    servers.pg.psql("shop", &format!("create role {} login", MySql::user())).unwrap();
    std::fs::write(password.path(), "wrong").unwrap();
    let proxy = Proxy::start(&config);
    // PostgreSQL trusts here.
    assert_eq!(proxy.log().matches("the check fails").count(), 1, "{}", proxy.log());
    std::fs::write(password.path(), MySql::user_password()).unwrap();
    let proxy = Proxy::start_with(&config, &["--require-upstream"]);
    assert!(!proxy.log().contains("fails"), "{}", proxy.log());
}

/// Checks of a server must not get this host blocked (`max_connect_errors`).
#[tokio::test(flavor = "multi_thread")]
async fn mysql_does_not_take_checks_for_attacks() {
    let settings = vec![("max_connect_errors".to_owned(), "3".to_owned())];
    let mysql = MySql::start(MySqlOptions { settings, ..MySqlOptions::default() }).unwrap();
    mysql.sql("", "create database shop").unwrap();
    let config =
        format!("databases:\n  - {{ name: shop, upstream: 'mysql://127.0.0.1:{}' }}\n{RULES}", mysql.port());
    for _ in 0..6 {
        let proxy = Proxy::start(&config);
        let mut client = proxy.mysql().await;
        client.query_drop("select 1").await.unwrap();
        assert_eq!(proxy.http("GET", "/readyz"), (200, "ok\n".to_owned()));
    }
    let errors =
        mysql.sql("", "select coalesce(sum(sum_connect_errors), 0) from performance_schema.host_cache");
    assert!(errors.is_ok_and(|errors| errors == "0"));
}
