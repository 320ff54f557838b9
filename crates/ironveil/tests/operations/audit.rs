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

/// Who is shown what others do not see is written down: by a rule for everything, and by one for a column.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_to_few_is_written_down() {
    let servers = Servers::start();
    servers
        .pg
        .psql("shop", "create role dba login; create role support login; grant select on all tables in schema public to dba, support")
        .unwrap();
    let rules = "rules:\n  - { name: all, column: '*', who: { user: dba }, unmask: true, reason: on call }\n  \
        - { name: emails, table: users, column: email, who: { user: [support, app] }, unmask: true, reason: calls people }\n  \
        - { table: users, column: email, strategy: email }\n  - { table: users, column: note, strategy: redact }\n";
    let mut proxy = Proxy::start(&format!("{}{rules}", servers.databases()));
    let (dba, support) = (proxy.try_pg("dba").await.unwrap(), proxy.try_pg("support").await.unwrap());
    dba.query("select email from users where note = 'n3'", &[]).await.unwrap();
    dba.simple_query("select id from items; select note from users").await.unwrap();
    support.query("select email from users where id < 4", &[]).await.unwrap();
    support.query("select email, note from users", &[]).await.unwrap();
    support.query("select id from users", &[]).await.unwrap();
    let mut mysql = proxy.mysql().await;
    mysql.query_drop("select * from users limit 2").await.unwrap();
    mysql.query_drop("select id from users limit 2").await.unwrap();
    proxy.write(&format!("{}{}", servers.databases(), rules.replace("redact", "hash")));
    proxy.wait_for("it is read again", |proxy| proxy.log().contains("by=\"file\""));
    proxy.signal("TERM");
    assert!(proxy.ended().success());
    let audit = std::fs::read_to_string(proxy.path("audit")).unwrap();
    let lines: Vec<serde_json::Value> =
        audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |event: &str, user: &str| -> Vec<_> {
        lines.iter().filter(|line| line["event"] == event && line["user"] == user).collect()
    };
    let told = of("unmasked", "dba");
    let texts: Vec<_> = told.iter().map(|line| line["statement"].as_str().unwrap()).collect();
    assert!(texts.contains(&"select email from users where note = ?"), "{texts:?}");
    assert_eq!(texts.iter().filter(|text| text.contains("select note from users")).count(), 2, "{texts:?}");
    let told = of("unmasked", "support");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["rows"], &told[0]["unmasked"][0]["rule"]), (&json!(3), &json!("emails")));
    let both = of("masked", "support");
    assert_eq!(
        (both.len(), &both[0]["columns"][0]["name"], &both[0]["unmasked"][0]["name"]),
        (1, &json!("note"), &json!("email"))
    );
    let mysql = of("masked", "app");
    assert_eq!((mysql.len(), &mysql[0]["unmasked"][0]["rule"]), (1, &json!("emails")), "{mysql:?}");
    // What has become of the configuration.
    let reload = lines.iter().find(|line| line["event"] == "reload").unwrap();
    assert_eq!(reload["changes"][0]["rule"], "users.note", "{reload}");
    assert_eq!(
        (&reload["changes"][0]["before"]["strategy"], &reload["changes"][0]["after"]["strategy"]),
        (&json!("redact"), &json!("hash"))
    );
    assert!(!audit.contains(SECRET) && !audit.contains("n3"), "{audit}");
}

/// What ends is told by its own text: COPY, pipelines, errors in them, names that come and go.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_is_what_has_run() {
    let servers = Servers::start();
    servers
        .pg
        .psql("shop", "create role dba login; grant select on all tables in schema public to dba")
        .unwrap();
    let rules = "rules:\n  - { name: all, column: '*', who: { user: dba }, unmask: true, reason: on call }\n  \
        - { table: users, column: email, strategy: email }\n";
    let mut proxy = Proxy::start(&format!("{}{rules}", servers.databases()));
    for user in ["postgres", "dba"] {
        let pg = proxy.try_pg(user).await.unwrap();
        let copied = pg.copy_out("copy users (id, email) to stdout").await.unwrap();
        drop(copied);
        // Some fail, and those behind them in the same group are not run.
        let (one, bad, two, three) = tokio::join!(
            pg.query("select 1 from users where id = 1", &[]),
            pg.query("select nothing from users", &[]),
            pg.query("select email, 2 from users where id < 3", &[]),
            pg.batch_execute("select 3 from users; select 4 / 0; select 5 from users"),
        );
        assert!(one.is_ok() && bad.is_err() && two.is_ok() && three.is_err());
        for at in 0..20 {
            let statement =
                pg.prepare(&format!("select email as e{at} from users where id = $1")).await.unwrap();
            pg.query(&statement, &[&1]).await.unwrap();
        }
        pg.query("select email as last from users", &[]).await.unwrap();
    }
    let mut mysql = proxy.mysql().await;
    mysql
        .query_drop("select email from users limit 3; update items set label = 'x' where id = 1")
        .await
        .unwrap();
    let logs = proxy.admin("GET", "/logs?limit=1000", None, &serde_json::Value::Null).json();
    let logs = logs["statements"].as_array().unwrap();
    // Each result by its own columns, the last first.
    let of_mysql: Vec<_> =
        logs.iter().filter(|one| one["statement"].as_str().unwrap().contains("update items")).collect();
    let told = |one: &serde_json::Value| (one["verdict"].clone(), one["rows"].clone());
    assert_eq!(
        (told(of_mysql[0]), told(of_mysql[1])),
        ((json!("passed"), json!(1)), (json!("masked"), json!(3)))
    );
    for (user, verdict) in [("postgres", "masked"), ("dba", "unmasked")] {
        let of: Vec<_> = logs.iter().filter(|one| one["user"] == user).collect();
        let found = |text: &str| {
            let fits = |one: &&&serde_json::Value| one["statement"].as_str().unwrap().contains(text);
            of.iter().find(fits).unwrap_or_else(|| panic!("{user} {text}: {of:?}"))
        };
        let copied = found("copy users (id, email) to stdout");
        assert_eq!(
            (&copied["verdict"], &copied["operation"], &copied["rows"]),
            (&json!(verdict), &json!("COPY"), &json!(20))
        );
        assert_eq!(found("select nothing from users")["code"], "42703");
        assert_eq!(found("select email, ? from users where id < ?")["rows"], 2);
        let failed = of.iter().filter(|one| {
            one["statement"].as_str().unwrap().starts_with("select ? from users; select ? / ?")
        });
        assert_eq!(failed.map(|one| one["code"].clone()).collect::<Vec<_>>(), [json!("22012"), json!(null)]);
        for at in 0..20 {
            let one = found(&format!("select email as e{at} from users where id = $1"));
            assert_eq!((&one["verdict"], &one["rows"]), (&json!(verdict), &json!(1)));
        }
        assert_eq!(found("select email as last from users")["rows"], 20);
    }
    assert!(!logs.iter().any(|one| one.to_string().contains(SECRET)));
    proxy.signal("TERM");
    assert!(proxy.ended().success());
}
