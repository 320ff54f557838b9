//! Sessions that have been what they are for too long.

use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;

use veil_testkit::MySql;

use crate::harness::{Proxy, RULES, SOON, Servers, code, databases, mysql_email, number, pg_email};

fn config(servers: &Servers, timeouts: &str, of_database: &str, rules: &str) -> String {
    let databases = databases(servers.pg.port(), servers.mysql.port(), of_database);
    format!("{databases}timeouts: {{ {timeouts} }}\n{rules}")
}

/// With masks and without.
const BOTH: [&str; 2] = [RULES, "rules: []\n"];

#[tokio::test(flavor = "multi_thread")]
async fn idle_sessions_end_and_busy_ones_do_not() {
    let servers = Servers::start();
    for rules in BOTH {
        let proxy = Proxy::start(&config(&servers, "idle_timeout: 1s", "", rules));
        let (idle, mut idle_mysql) = (proxy.pg().await, proxy.mysql().await);
        let (open, mut open_mysql) = (proxy.pg().await, proxy.mysql().await);
        let busy = proxy.pg().await;
        let mut busy_mysql = proxy.mysql().await;
        pg_email(&idle).await.unwrap();
        mysql_email(&mut idle_mysql).await.unwrap();
        open.batch_execute("begin").await.unwrap();
        open_mysql.query_drop("begin").await.unwrap();
        pg_email(&open).await.unwrap();
        mysql_email(&mut open_mysql).await.unwrap();
        // A statement that takes longer, and a transaction that stays open, are not idle.
        let (slept, slept_mysql) = tokio::join!(
            busy.batch_execute("select pg_sleep(2.5)"),
            busy_mysql.query_drop("select sleep(2.5)")
        );
        slept.unwrap();
        slept_mysql.unwrap();
        pg_email(&open).await.unwrap();
        mysql_email(&mut open_mysql).await.unwrap();
        pg_email(&busy).await.unwrap();
        let error = pg_email(&idle).await.unwrap_err();
        assert!(code(&error) == "57P05" || error.is_closed(), "{error}");
        mysql_email(&mut idle_mysql).await.unwrap_err();
        let log = proxy.log();
        assert!(log.matches("idle-session timeout").count() >= 2, "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_may_not_stay_open_without_a_statement() {
    let servers = Servers::start();
    for rules in BOTH {
        let proxy =
            Proxy::start(&config(&servers, "idle_timeout: 0", ", idle_in_transaction_timeout: 500ms", rules));
        let (idle, open, mut open_mysql) = (proxy.pg().await, proxy.pg().await, proxy.mysql().await);
        open.batch_execute("begin; select 1").await.unwrap();
        open_mysql.query_drop("begin").await.unwrap();
        mysql_email(&mut open_mysql).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let error = pg_email(&open).await.unwrap_err();
        assert!(code(&error) == "25P03" || error.is_closed(), "{error}");
        mysql_email(&mut open_mysql).await.unwrap_err();
        pg_email(&idle).await.unwrap();
        assert!(proxy.log().matches("idle-in-transaction timeout").count() == 2, "{}", proxy.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_may_not_run_for_too_long() {
    let servers = Servers::start();
    for rules in BOTH {
        let proxy = Proxy::start(&config(&servers, "query_timeout: 700ms", "", rules));
        let (pg, mut mysql) = (proxy.pg().await, proxy.mysql().await);
        let began = Instant::now();
        let error = pg.batch_execute("select pg_sleep(30)").await.unwrap_err();
        assert_eq!(code(&error), "57014");
        assert!(began.elapsed() < Duration::from_secs(10));
        // PostgreSQL's session goes on; many short statements are not one long.
        for _ in 0..4 {
            pg.batch_execute("select pg_sleep(0.3)").await.unwrap();
        }
        let error = mysql.query_drop("select sleep(30)").await.unwrap_err().to_string();
        assert!(error.contains("statement timeout"), "{error}");
        mysql_email(&mut proxy.mysql().await).await.unwrap();
    }
}

/// Where the proxy knows the password, a statement of MySQL's is given up on the server, and the session goes on.
#[tokio::test(flavor = "multi_thread")]
async fn statements_of_listed_users_are_given_up_on_the_server() {
    let servers = Servers::start();
    let password = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(password.path(), MySql::user_password()).unwrap();
    let users = format!(
        "users:\n  - {{ name: {}, password: {{ file: '{}' }} }}\n",
        MySql::user(),
        password.path().display()
    );
    for rules in BOTH {
        let proxy = Proxy::start(&config(&servers, "query_timeout: 700ms", "", &format!("{users}{rules}")));
        let mut mysql = proxy.mysql().await;
        let sleeping = "select count(*) from information_schema.processlist where info like 'select count(*) from users a%'";
        let long =
            "select count(*) from users a, users b, users c, users d, users e, users f, users g, users h";
        let error = mysql.query_drop(long).await.unwrap_err();
        assert_eq!(number(&error), 1317);
        assert_eq!(servers.mysql.sql("", sleeping).unwrap(), "0");
        mysql_email(&mut mysql).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_when_they_are_old_and_idle() {
    let servers = Servers::start();
    let proxy = Proxy::start(&config(&servers, "max_lifetime: 1s", "", RULES));
    let (idle, open) = (proxy.pg().await, proxy.pg().await);
    open.batch_execute("begin").await.unwrap();
    tokio::time::sleep(Duration::from_millis(1800)).await;
    assert!(pg_email(&idle).await.is_err());
    pg_email(&open).await.unwrap();
    open.batch_execute("commit").await.unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(pg_email(&open).await.is_err());
    assert!(proxy.log().matches("max_lifetime").count() == 2, "{}", proxy.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_sockets_are_closed() {
    let servers = Servers::start();
    let proxy = Proxy::start(&config(&servers, "login_timeout: 500ms", "", RULES));
    for port in [proxy.pg, proxy.mysql] {
        let mut silent = TcpStream::connect(("127.0.0.1", port)).unwrap();
        silent.set_read_timeout(Some(SOON)).unwrap();
        let mut said = Vec::new();
        silent.read_to_end(&mut said).unwrap();
        // MySQL's server speaks first.
        assert_eq!(said.is_empty(), port == proxy.pg);
    }
    pg_email(&proxy.pg().await).await.unwrap();
}
