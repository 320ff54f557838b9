//! A configuration that becomes another while sessions run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use mysql_async::prelude::Queryable;

use crate::harness::{Proxy, RULES, SECRET, Servers, code, mysql_email, pg_email};

const HASH: &str = "rules:\n  - { table: users, column: email, strategy: hash }\n";
const NOTES: &str = "rules:\n  - { table: users, column: note, strategy: hash }\n";

#[tokio::test(flavor = "multi_thread")]
async fn new_rules_hold_from_the_next_statement_of_running_sessions() {
    let servers = Servers::start();
    let config = |rules: &str| format!("{}{rules}", servers.databases());
    let proxy = Proxy::start(&config(RULES));
    let (pg, mut mysql) = (proxy.pg().await, proxy.mysql().await);
    let prepared = pg.prepare("select email from users where id = 1").await.unwrap();
    let first = pg.query_one(&prepared, &[]).await.unwrap().get::<_, String>(0);
    assert!(first.contains("@example."), "{first}");
    assert_eq!(mysql_email(&mut mysql).await.unwrap(), first);
    // In a transaction and in a prepared statement too.
    pg.batch_execute("begin").await.unwrap();
    proxy.write(&config(HASH));
    assert_eq!(proxy.reload().0, 200);
    let then = pg.query_one(&prepared, &[]).await.unwrap().get::<_, String>(0);
    assert!(then.len() == 32 && !then.contains('@'), "{then}");
    assert_eq!(pg_email(&pg).await.unwrap(), then);
    assert_eq!(mysql_email(&mut mysql).await.unwrap(), then);
    pg.batch_execute("commit").await.unwrap();
    // A rule that is gone shows again, to whom the others still concern.
    proxy.write(&config(NOTES));
    proxy.signal("HUP");
    let mut proxy = proxy;
    proxy.wait_for("SIGHUP", |proxy| proxy.log().contains("by=\"SIGHUP\""));
    assert!(pg_email(&pg).await.unwrap().contains(SECRET));
    assert!(mysql_email(&mut mysql).await.unwrap().contains(SECRET));
}

/// What one policy has shown in clear is not shown so by the plan of before.
#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_a_portal_goes_by_the_new_rules() {
    let servers = Servers::start();
    let config = |rules: &str| format!("{}{rules}", servers.databases());
    let proxy = Proxy::start(&config(RULES));
    let mut pg = proxy.pg().await;
    let transaction = pg.transaction().await.unwrap();
    let portal = transaction.bind("select email, note from users order by id", &[]).await.unwrap();
    let row = async |count| {
        let rows = transaction.query_portal(&portal, count).await.unwrap();
        (rows[0].get::<_, String>(0), rows[0].get::<_, String>(1))
    };
    let (email, note) = row(1).await;
    assert!(email.contains("@example.") && note == "n1", "{email} {note}");
    // As many rules as before.
    proxy.write(&config(NOTES));
    assert_eq!(proxy.reload().0, 200);
    let (email, note) = row(1).await;
    assert!(email.contains(SECRET) && note.len() == 32, "{email} {note}");
}

/// Who only listens is told of nothing any more.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_say_nothing_end_as_well() {
    let servers = Servers::start();
    let config = |rules: &str| format!("{}{rules}", servers.databases());
    let mut proxy = Proxy::start(&config("rules: []\n"));
    let listening = proxy.pg().await;
    listening.batch_execute("listen rows").await.unwrap();
    proxy.write(&config(RULES));
    assert_eq!(proxy.reload().0, 200);
    proxy.wait_for("it has ended", |proxy| proxy.log().contains("the rules for this session have changed"));
    assert!(listening.is_closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_without_masks_end_when_they_get_some() {
    let servers = Servers::start();
    let config = |rules: &str| format!("{}{rules}", servers.databases());
    let proxy = Proxy::start(&config("rules: []\n"));
    let (pg, mut mysql) = (proxy.pg().await, proxy.mysql().await);
    assert!(pg_email(&pg).await.unwrap().contains(SECRET));
    assert!(mysql_email(&mut mysql).await.unwrap().contains(SECRET));
    proxy.write(&config(RULES));
    assert_eq!(proxy.reload().0, 200);
    let error = pg_email(&pg).await.unwrap_err();
    assert!(code(&error) == "57P01" || error.is_closed(), "{error}");
    let error = mysql_email(&mut mysql).await.unwrap_err().to_string();
    assert!(error.contains("rules for this session have changed") || error.contains("onnection"), "{error}");
    assert_eq!(proxy.log().matches("the rules for this session have changed").count(), 2, "{}", proxy.log());
    assert!(pg_email(&proxy.pg().await).await.unwrap().contains("@example."));
    assert!(mysql_email(&mut proxy.mysql().await).await.unwrap().contains("@example."));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_changes_nothing_and_is_told() {
    let servers = Servers::start();
    let good = format!("{}{RULES}", servers.databases());
    let mut proxy = Proxy::start(&good);
    let pg = proxy.pg().await;
    pg_email(&pg).await.unwrap();
    let statement = format!(
        "{good}tests:\n  - {{ as: app, sql: 'select email, id from users', expect: [shown, shown] }}\n"
    );
    let failing = format!("{good}tests:\n  - {{ as: app, column: users.email, expect: shown }}\n");
    for (bad, told) in [
        (
            format!("{}rules:\n  - {{ column: email, strategy: emial }}\n", servers.databases()),
            "unknown function `emial`",
        ),
        (statement, "line 11: runs; columns: masked by users.email | shown"),
        (failing, "tests of the configuration fail, of 1:"),
        ("nonsense: [".to_owned(), "line "),
    ] {
        proxy.write(&bad);
        let (status, body) = proxy.reload();
        assert!(status == 422 && body.contains(told), "{status} {body}");
        assert!(body.contains("\"type\":\"about:blank\""), "{body}");
        let (status, health) = proxy.http("GET", "/health");
        assert!(status == 200 && health.contains(told), "{health}");
        assert!(pg_email(&pg).await.unwrap().contains("@example."));
    }
    // Keys that hold from the next start only are named.
    proxy.write(&good);
    let text = std::fs::read_to_string(proxy.path("proxy.yaml")).unwrap();
    std::fs::write(proxy.path("proxy.yaml"), text.replace(&proxy.pg.to_string(), "1")).unwrap();
    let (status, body) = proxy.reload();
    assert_eq!((status, body.as_str()), (200, "{\"restart_needed_for\":[\"listen.postgres\"]}"));
    // Web pages and unknown paths are refused.
    assert_eq!(proxy.http_with("POST", "/config/reload", "Origin: http://evil.test\r\n").0, 401);
    assert_eq!(proxy.http_as("POST", "/config/reload", "evil.test", "").0, 401);
    assert_eq!(proxy.http("GET", "/nowhere").0, 404);
    let audit = std::fs::read_to_string(proxy.path("audit")).unwrap();
    assert_eq!(audit.matches("\"event\":\"reload\"").count(), 5, "{audit}");
    proxy.signal("TERM");
    assert!(proxy.ended().success());
}

/// As editors do it, and Kubernetes.
#[tokio::test(flavor = "multi_thread")]
async fn files_are_watched() {
    let servers = Servers::start();
    let config = |rules: &str| format!("{}{rules}", servers.databases());
    let mut proxy = Proxy::start(&config(RULES));
    let pg = proxy.pg().await;
    let reloads = |proxy: &Proxy, count: usize| proxy.log().matches("by=\"file\"").count() == count;
    // Another file in its place.
    let text = std::fs::read_to_string(proxy.path("proxy.yaml")).unwrap();
    std::fs::write(proxy.path("new"), text.replace(RULES, HASH)).unwrap();
    std::fs::rename(proxy.path("new"), proxy.path("proxy.yaml")).unwrap();
    proxy.wait_for("a file that was renamed", |proxy| reloads(proxy, 1));
    assert!(!pg_email(&pg).await.unwrap().contains('@'));
    // A link that comes to lead elsewhere.
    std::fs::create_dir(proxy.path("..v1")).unwrap();
    std::fs::write(proxy.path("..v1/proxy.yaml"), &text).unwrap();
    std::os::unix::fs::symlink("..v1", proxy.path("..data")).unwrap();
    std::os::unix::fs::symlink("..data/proxy.yaml", proxy.path("link")).unwrap();
    std::fs::rename(proxy.path("link"), proxy.path("proxy.yaml")).unwrap();
    proxy.wait_for("a link", |proxy| reloads(proxy, 2));
    assert!(pg_email(&pg).await.unwrap().contains("@example."));
    std::fs::create_dir(proxy.path("..v2")).unwrap();
    std::fs::write(proxy.path("..v2/proxy.yaml"), text.replace(RULES, HASH)).unwrap();
    std::os::unix::fs::symlink("..v2", proxy.path("..next")).unwrap();
    std::fs::rename(proxy.path("..next"), proxy.path("..data")).unwrap();
    proxy.wait_for("a link that was moved", |proxy| reloads(proxy, 3));
    assert!(!pg_email(&pg).await.unwrap().contains('@'));
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_come_and_go_without_the_others() {
    let servers = Servers::start();
    servers.pg.psql("postgres", "create database other").unwrap();
    let both = format!(
        "{}  - {{ name: shop_masked, upstream: 'postgres://127.0.0.1:{}/shop' }}\n{RULES}",
        servers.databases(),
        servers.pg.port()
    );
    let one = format!("{}{RULES}", servers.databases());
    let proxy = Proxy::start(&both);
    let connect = |database: &'static str| {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(proxy.pg).user("postgres").dbname(database);
        async move {
            let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
            tokio::spawn(connection);
            Ok::<_, tokio_postgres::Error>(client)
        }
    };
    let (shop, renamed) = (connect("shop").await.unwrap(), connect("shop_masked").await.unwrap());
    assert_eq!(pg_email(&renamed).await.unwrap(), pg_email(&shop).await.unwrap());
    proxy.write(&one);
    assert_eq!(proxy.reload().0, 200);
    assert!(pg_email(&shop).await.unwrap().contains("@example."));
    let error = pg_email(&renamed).await.unwrap_err();
    assert!(code(&error) == "57P01" || error.is_closed(), "{error}");
    assert_eq!(code(&connect("shop_masked").await.err().unwrap()), "3D000");
    proxy.write(&both);
    assert_eq!(proxy.reload().0, 200);
    assert!(pg_email(&connect("shop_masked").await.unwrap()).await.unwrap().contains("@example."));
    assert!(pg_email(&shop).await.unwrap().contains("@example."));
}

/// So many reloads while clients of both kinds ask.
#[tokio::test(flavor = "multi_thread")]
async fn no_statement_fails_or_shows_a_value_while_rules_change() {
    let (reloads, clients) = (500, 50);
    let servers = Servers::start();
    let config = |rules: &str| format!("{}{rules}", servers.databases());
    let proxy = Arc::new(Proxy::start(&config(RULES)));
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut running = tokio::task::JoinSet::new();
    for at in 0..clients {
        let (proxy, stop, asked) = (Arc::clone(&proxy), Arc::clone(&stop), Arc::clone(&asked));
        running.spawn(async move {
            let masked = |mails: &[String]| {
                assert!(mails.iter().all(|mail| !mail.contains(SECRET)), "{mails:?}");
                // All by one policy.
                let kinds = mails.iter().filter(|mail| mail.contains("@example.")).count();
                assert!(kinds == 0 || kinds == mails.len(), "{mails:?}");
                asked.fetch_add(1, Ordering::Relaxed);
            };
            let sql = "select email from users order by id";
            if at % 2 == 0 {
                let client = proxy.pg().await;
                let prepared = client.prepare(sql).await.unwrap();
                while !stop.load(Ordering::Relaxed) {
                    let rows = client.query(&prepared, &[]).await.unwrap();
                    masked(&rows.iter().map(|row| row.get(0)).collect::<Vec<String>>());
                    let rows = client.simple_query(sql).await.unwrap();
                    masked(
                        &rows
                            .iter()
                            .filter_map(|row| match row {
                                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                                _ => None,
                            })
                            .collect::<Vec<String>>(),
                    );
                }
            } else {
                let mut client = proxy.mysql().await;
                while !stop.load(Ordering::Relaxed) {
                    masked(&client.query::<String, _>(sql).await.unwrap());
                    masked(&client.exec::<String, _, _>(sql, ()).await.unwrap());
                }
            }
        });
    }
    for at in 0..reloads {
        proxy.write(&config(if at % 2 == 0 { HASH } else { RULES }));
        let proxy = Arc::clone(&proxy);
        let (status, body) = tokio::task::spawn_blocking(move || proxy.reload()).await.unwrap();
        assert_eq!(status, 200, "{body}");
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
    eprintln!("{} statements during {reloads} reloads", asked.load(Ordering::Relaxed));
}
