//! Scans that are wanted through the API, or whose time has come.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};
use veil_testkit::Postgres;

use crate::harness::{Proxy, RULES, Servers};

const PEOPLE: &str = "create table people (id int primary key, full_name varchar(40), mobile varchar(30), note varchar(80), doc %json%);
    insert into people values (1, 'Jane Doe', '+49 30 1234567', 'call Jane Doe at +49 30 1234567', '{\"to\": {\"email\": \"jane.doe@zqcanary.example\"}}'),
    (2, 'Max Weber', '+49 89 7654321', 'Max Weber has moved', '{\"to\": {\"email\": \"max.weber@zqcanary.example\"}}'),
    (3, 'Ana Silva', '+351 21 1234567', 'wants a call at +351 21 1234567', '{\"to\": {\"email\": \"ana.silva@zqcanary.example\"}}')";

const PASSWORD: &str = "zqcanary-of-the-reader";

/// What is sent to begin a scan of one of the two.
fn wanted(protocol: &str) -> Value {
    json!({ "database": "shop", "protocol": protocol, "user": "reader", "password": PASSWORD, "rest": 0 })
}

fn servers() -> Servers {
    let servers = Servers::start();
    servers.pg.psql("shop", &PEOPLE.replace("%json%", "jsonb")).unwrap();
    servers.mysql.sql("shop", &PEOPLE.replace("%json%", "json")).unwrap();
    let make = format!("create role reader login password '{PASSWORD}'; grant pg_read_all_data to reader");
    servers.pg.psql("shop", &make).unwrap();
    let make =
        format!("create user reader@'%' identified by '{PASSWORD}'; grant select on shop.* to reader@'%'");
    servers.mysql.sql("", &make).unwrap();
    servers
}

fn begin(proxy: &Proxy, wanted: &Value) -> String {
    let begun = proxy.admin("POST", "/scan", None, wanted);
    assert_eq!(begun.status, 202, "{begun:?}");
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    assert!(begun.headers.contains(&format!("location: /scan/{id}")), "{begun:?}");
    id
}

fn look(proxy: &Proxy, id: &str) -> Value {
    proxy.admin("GET", &format!("/scan/{id}"), None, &Value::Null).json()
}

fn ended(proxy: &mut Proxy, id: &str) -> Value {
    let mut scan = Value::Null;
    proxy.wait_for("the scan ends", |proxy| {
        scan = look(proxy, id);
        scan["ended"].is_number()
    });
    scan
}

fn scanned(proxy: &mut Proxy, wanted: &Value) -> Value {
    let id = begin(proxy, wanted);
    ended(proxy, &id)
}

/// Columns with whether they are protected.
fn columns(scan: &Value) -> Vec<(String, bool)> {
    let of_table = |table: &Value| {
        let name = table["table"].as_str().unwrap().to_owned();
        let columns = table["columns"].as_array().unwrap().clone();
        columns.into_iter().map(move |column| {
            (format!("{name}.{}", column["column"].as_str().unwrap()), column["protected"].as_bool().unwrap())
        })
    };
    scan["tables"].as_array().unwrap().iter().flat_map(of_table).collect()
}

fn metric(proxy: &Proxy, name: &str) -> String {
    let body = proxy.admin("GET", "/metrics", None, &Value::Null).body;
    let line = body.lines().find(|line| line.starts_with(name) && line.contains("database=\"shop\""));
    line.and_then(|line| line.rsplit(' ').next()).unwrap_or("none").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_becomes_rules_and_what_is_new_drifts() {
    let servers = servers();
    let found = |protected: bool| {
        let others = ["people.full_name", "people.mobile", "people.note", "people.doc"];
        let all = others.map(|column| (column.to_owned(), protected)).into_iter();
        all.chain([("users.email".to_owned(), true)]).collect::<Vec<_>>()
    };
    for protocol in ["postgresql", "mysql"] {
        let part = "  - { name: part, table: people, column: doc, class: crm, strategy: json, paths: { $.note: redact } }\n";
        let mut proxy = Proxy::start(&format!("{}{RULES}{part}", servers.databases()));
        let scan = scanned(&mut proxy, &wanted(protocol));
        assert_eq!((&scan["state"], &scan["by"]), (&json!("done"), &json!("admin_key_file")), "{scan}");
        assert_eq!((columns(&scan), &scan["unprotected"]), (found(false), &json!(4)), "{scan}");
        assert_eq!(scan["summary"]["drift"], json!([]));
        assert!(!scan.to_string().contains("zqcanary") && !scan.to_string().contains("Jane"), "{scan}");
        assert_eq!(metric(&proxy, "ironveil_scan_unprotected_columns"), "4");

        // One of them, then the others; then there is nothing to do.
        let apply = format!("/scan/{}/apply", scan["id"].as_str().unwrap());
        let schema = scan["tables"][1]["schema"].clone();
        let choice = json!({ "columns": [{ "schema": schema, "table": "people", "column": "mobile" }] });
        let applied = proxy.admin("POST", &apply, None, &choice);
        assert_eq!(
            (applied.status, applied.json()["changes"].as_array().unwrap().len()),
            (200, 1),
            "{applied:?}"
        );
        assert_eq!(proxy.admin("POST", &apply, Some(1), &json!({})).status, 409);
        let applied = proxy.admin("POST", &apply, None, &json!({ "comment": "all of it" }));
        assert_eq!(
            (applied.status, applied.json()["changes"].as_array().unwrap().len()),
            (200, 3),
            "{applied:?}"
        );
        assert_eq!(proxy.admin("POST", &apply, None, &json!({})).status, 422);
        let now = look(&proxy, scan["id"].as_str().unwrap());
        assert_eq!((columns(&now), &now["unprotected"]), (found(true), &json!(0)), "{now}");
        assert_eq!(metric(&proxy, "ironveil_scan_unprotected_columns"), "0");

        // What stands in a text has the mask of its column.
        let sql = "select full_name, mobile, note from people order by id";
        let rows: Vec<(String, String, String)> = match protocol {
            "mysql" => {
                use mysql_async::prelude::Queryable;
                proxy.mysql().await.query(sql).await.unwrap()
            }
            _ => {
                let rows = proxy.pg().await.query(sql, &[]).await.unwrap();
                rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
            }
        };
        let (name, mobile) = (&rows[0].0, &rows[0].1);
        assert!(name != "Jane Doe" && mobile != "+49 30 1234567", "{rows:?}");
        assert_eq!(rows[0].2, format!("call {name} at {mobile}"));
        assert_eq!(rows[1].2, format!("{} has moved", rows[1].0));

        // Something new comes: it drifts until a rule protects it.
        let more = "create table leads (id int primary key, email varchar(60)); insert into leads values (1, 'a.b@zqcanary.example'), (2, 'c.d@zqcanary.example')";
        let other = match protocol {
            "mysql" => servers
                .mysql
                .sql("shop", &format!("{more}; update people set doc = '{{\"phone\": \"+49 30 1234567\"}}'")),
            _ => servers.pg.psql(
                "shop",
                &format!("{more}; update people set doc = '{{\"phone\": \"+49 30 1234567\"}}'"),
            ),
        };
        other.unwrap();
        for _ in 0..2 {
            let scan = scanned(&mut proxy, &wanted(protocol));
            let drift: Vec<&str> = scan["summary"]["drift"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|name| name["column"].as_str())
                .collect();
            assert_eq!(drift, ["email"], "{scan}");
            // A path of a document that no rule has is not protected by the rule for another.
            let open: Vec<String> =
                columns(&scan).into_iter().filter(|(_, done)| !done).map(|(name, _)| name).collect();
            assert_eq!(open, ["leads.email", "people.doc"], "{scan}");
        }
        assert_eq!(metric(&proxy, "ironveil_scan_drifted_columns"), "1");
        let newest = proxy.admin("GET", "/scan?database=shop&limit=1", None, &Value::Null).json();
        let id = newest["scans"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(newest["next"], json!(id));
        let applied = proxy.admin("POST", &format!("/scan/{id}/apply"), None, &json!({}));
        assert_eq!(applied.status, 200, "{applied:?}");
        assert_eq!(metric(&proxy, "ironveil_scan_drifted_columns"), "0");
        // The rule for the document has the paths of both.
        let rules = proxy.admin("GET", "/rules", None, &Value::Null).json();
        let of_doc =
            rules["rules"].as_array().unwrap().iter().find(|rule| rule["rule"]["column"] == "doc").unwrap();
        let paths = of_doc["rule"]["paths"].as_object().unwrap();
        assert_eq!(paths.keys().collect::<Vec<_>>(), ["$.note", "$.to.email", "$.phone"], "{rules}");
        assert_eq!(
            (&of_doc["rule"]["class"], &of_doc["rule"]["schema"]),
            (&json!("crm"), &schema),
            "{rules}"
        );
        assert!(columns(&look(&proxy, &id)).iter().all(|(_, protected)| *protected));

        let audit = std::fs::read_to_string(proxy.path("audit")).unwrap();
        for event in ["scan_begun", "scan", "scan_drift"] {
            assert!(audit.contains(&format!("\"event\":\"{event}\"")), "{audit}");
        }
        let kept: String = ["ironveil.db", "ironveil.db-wal"]
            .iter()
            .filter_map(|name| std::fs::read(proxy.path(name)).ok())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .collect();
        for text in [&audit, &proxy.log(), &kept] {
            assert!(!text.contains(PASSWORD), "{text}");
        }
        assert!(kept.contains("leads"), "nothing was looked at");
    }
}

#[test]
fn what_cannot_be_scanned_is_refused_or_fails() {
    let servers = servers();
    let mut proxy = Proxy::start(&format!("{}{RULES}", servers.databases()));
    for (wrong, status, what) in [
        (json!({ "database": "shop", "user": "reader" }), 422, "protocol"),
        (json!({ "database": "shop", "protocol": "mysql" }), 422, "says who reads"),
        (json!({ "database": "nothing", "user": "reader" }), 422, "no entry"),
        (json!({ "database": "shop", "user": "reader", "sessions": 0 }), 400, "sessions"),
        (json!({ "database": "shop", "user": "reader", "min_confidence": 0.1 }), 400, "min_confidence"),
        (json!({ "database": "shop", "usr": "reader" }), 400, "usr"),
    ] {
        let refused = proxy.admin("POST", "/scan", None, &wrong);
        assert!(refused.status == status && refused.body.contains(what), "{wrong}: {refused:?}");
    }
    let mut wrong = wanted("mysql");
    wrong["password"] = json!("another");
    let failed = scanned(&mut proxy, &wrong);
    assert_eq!(failed["state"], "failed", "{failed}");
    assert!(failed["summary"]["error"].as_str().unwrap().contains("sign in"), "{failed}");
    assert_eq!(proxy.admin("GET", "/scan/nothing", None, &Value::Null).status, 404);
    assert_eq!(proxy.admin("DELETE", "/scan/nothing", None, &Value::Null).status, 404);
    assert_eq!(proxy.admin("GET", "/scan/nothing/events", None, &Value::Null).status, 404);
}

#[test]
fn a_scan_waits_goes_on_and_ends_as_it_is_told() {
    let servers = servers();
    let tables: String = (0..300)
        .map(|at| format!("create table t{at} (id int, a text); insert into t{at} values (1, 'x');"))
        .collect();
    servers.pg.psql("shop", &tables).unwrap();
    let mut proxy = Proxy::start(&format!("{}{RULES}", servers.databases()));
    let mut slow = wanted("postgresql");
    slow["sessions"] = json!(1);
    slow["rest"] = json!(10);
    let id = begin(&proxy, &slow);
    let done = |proxy: &Proxy| look(proxy, &id)["progress"]["done"].as_u64();
    proxy.wait_for("some tables are done", |proxy| done(proxy).is_some_and(|done| done > 1));
    assert_eq!(proxy.admin("POST", "/scan", None, &slow).status, 409);
    assert_eq!(proxy.admin("POST", &format!("/scan/{id}/pause"), None, &Value::Null).status, 202);
    let mut before = None;
    proxy.wait_for("it stands still", |proxy| {
        let now = done(proxy);
        std::thread::sleep(std::time::Duration::from_millis(500));
        before = now;
        now == done(proxy)
    });
    let paused = look(&proxy, &id);
    assert!(paused["state"] == "paused" && paused["progress"]["tables"] == 303, "{paused}");

    let mut events = TcpStream::connect(("127.0.0.1", proxy.api)).unwrap();
    let key = proxy.admin_key();
    write!(events, "GET /scan/{id}/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n").unwrap();
    assert_eq!(proxy.admin("POST", &format!("/scan/{id}/resume"), None, &Value::Null).status, 202);
    proxy.wait_for("it goes on", |proxy| done(proxy) > before);
    assert_eq!(proxy.admin("DELETE", &format!("/scan/{id}"), None, &Value::Null).status, 202);
    let cancelled = ended(&mut proxy, &id);
    assert_eq!(cancelled["state"], "cancelled", "{cancelled}");
    let read = cancelled["tables"].as_array().unwrap().len();
    assert!((2..303).contains(&read), "{read}");
    let mut told = String::new();
    events.read_to_string(&mut told).unwrap();
    assert!(told.contains("event: progress") && told.contains("\"seconds_left\""), "{told}");
    assert!(told.contains("event: end") && told.contains("\"state\":\"cancelled\""), "{told}");
}

#[test]
fn scans_begin_when_their_time_has_come() {
    let servers = servers();
    let (user, password) = (Postgres::superuser(), Postgres::password());
    let port = servers.pg.port();
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("password");
    std::fs::write(&place, password).unwrap();
    let check = format!("check: {{ user: {user}, password: {{ file: '{}' }} }}", place.display());
    let text = |more: &str| {
        format!(
            "databases:\n  - {{ name: shop, upstream: 'postgres://127.0.0.1:{port}', {check}{more} }}\n{RULES}"
        )
    };
    let mut proxy = Proxy::start(&text(", scan: { every: 1d, rest: 0 }"));
    let newest = |proxy: &Proxy| proxy.admin("GET", "/scan", None, &Value::Null).json()["scans"].clone();
    proxy.wait_for("a scan has ended", |proxy| newest(proxy)[0]["state"] == "done");
    assert_eq!(newest(&proxy)[0]["by"], "schedule");
    assert_eq!(metric(&proxy, "ironveil_scan_unprotected_columns"), "4");
    // It is not done again before its time, and what it has found is known.
    proxy.crash();
    proxy.wait_for("it remembers", |proxy| metric(proxy, "ironveil_scan_unprotected_columns") == "4");
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(newest(&proxy).as_array().unwrap().len(), 1);
    // Whoever checks the database reads it for others, too.
    let scan = scanned(&mut proxy, &json!({ "database": "shop", "rest": 0 }));
    assert_eq!(scan["state"], "done", "{scan}");
}
