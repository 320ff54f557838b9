//! What the audit holds of sessions and statements.

use mysql_async::prelude::Queryable;
use serde_json::json;

use crate::harness::{Proxy, RULES, SECRET, Servers, code, mysql_email, pg_email};

#[tokio::test(flavor = "multi_thread")]
async fn logins_masked_rows_and_refusals_are_written_down_without_values() {
    let servers = Servers::start();
    let mut proxy = Proxy::start(&format!("{}{RULES}", servers.databases()));
    let (pg, mut mysql) = (proxy.pg().await, proxy.mysql().await);
    pg.query("select id, email from users where note <> 'n1' order by id", &[]).await.unwrap();
    pg_email(&pg).await.unwrap();
    mysql_email(&mut mysql).await.unwrap();
    pg.query("select id from items", &[]).await.unwrap();
    pg.query("select pg_read_file('x'), email from users", &[]).await.unwrap_err();
    mysql.query_drop("select load_file('x'), email from users").await.unwrap_err();
    assert_eq!(code(&proxy.try_pg("nobody").await.err().unwrap()), "28000");
    drop((pg, mysql));
    proxy.signal("TERM");
    assert!(proxy.ended().success());
    let audit = std::fs::read_to_string(proxy.path("audit")).unwrap();
    let lines: Vec<serde_json::Value> =
        audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).collect::<Vec<_>>();
    let rows = |line: &&serde_json::Value| (line["user"].as_str().unwrap().to_owned(), line["rows"].as_u64());
    assert_eq!(
        of("masked").iter().map(rows).collect::<Vec<_>>(),
        [("postgres".to_owned(), Some(19)), ("postgres".to_owned(), Some(1)), ("app".to_owned(), Some(1))]
    );
    for line in of("masked") {
        let columns = line["columns"].as_array().unwrap();
        assert_eq!(columns.len(), 1, "{line}");
        assert_eq!(
            (&columns[0]["name"], &columns[0]["rule"], &columns[0]["strategy"]),
            (&json!("email"), &json!("users.email"), &json!("email"))
        );
    }
    assert_eq!(of("masked")[0]["statement"], "select id, email from users where note <> ? order by id");
    let refused = of("refused");
    assert_eq!(
        refused.iter().map(|line| line["code"].is_string()).collect::<Vec<_>>(),
        [true, true],
        "{audit}"
    );
    assert!(refused.iter().all(|line| line["statement"].as_str().unwrap().contains("file(?)")), "{audit}");
    assert_eq!((of("login").len(), of("logout").len(), of("login_denied").len()), (2, 2, 1), "{audit}");
    assert!(of("login").iter().all(|line| line["scope"] == "guarded" && line["address"] == "127.0.0.1"));
    for line in lines.iter().map(ToString::to_string) {
        assert!(!line.contains(SECRET) && !line.contains("n1") && !line.contains("@example"), "{line}");
    }
}
