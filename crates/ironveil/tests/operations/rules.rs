//! Rules that are changed by the API: in the file, in its history, and on the wire.

use serde_json::{Value, json};

use crate::harness::{Proxy, Servers, pg_email};

const RULES: &str = "# Why these rules are here.\nrules:\n  # Of users.\n  - { table: users, column: email, strategy: email }\n\n# The end.\n";

fn version(proxy: &Proxy) -> i64 {
    proxy.admin("GET", "/rules", None, &Value::Null).json()["version"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_changed_on_the_wire_in_the_file_and_in_the_history() {
    let servers = Servers::start();
    let proxy = Proxy::start(&format!("{}{RULES}", servers.databases()));
    let pg = proxy.pg().await;
    let before = std::fs::read_to_string(proxy.path("proxy.yaml")).unwrap();
    assert!(!pg_email(&pg).await.unwrap().contains("zqcanary"));
    let note = || async {
        pg.query_one("select note from users where id = 1", &[]).await.unwrap().get::<_, Option<String>>(0)
    };
    assert_eq!(note().await.as_deref(), Some("n1"));
    let first = version(&proxy);
    // A rule more.
    let wanted = json!({ "rule": { "table": "users", "column": "note", "strategy": "redact" }, "comment": "notes too" });
    let added = proxy.admin("POST", "/rules", None, &wanted);
    assert_eq!(added.status, 201, "{added:?}");
    assert_eq!(added.json()["changes"][0]["op"], "add");
    let second = added.json()["version"].as_i64().unwrap();
    assert!(second > first && added.headers.contains(&format!("etag: \"{second}\"")), "{added:?}");
    assert_ne!(note().await.as_deref(), Some("n1"));
    let text = std::fs::read_to_string(proxy.path("proxy.yaml")).unwrap();
    let line = "  - { table: users, column: note, strategy: redact }\n";
    assert_eq!(text, before.replace("strategy: email }\n", &format!("strategy: email }}\n{line}")), "{text}");
    // Whoever has not seen that is told of it, and loses nothing.
    let other = json!({ "rule": { "table": "users", "column": "email", "strategy": "redact" } });
    assert_eq!(proxy.admin("PUT", "/rules/users.email", None, &other).status, 428);
    let late = proxy.admin("PUT", "/rules/users.email", Some(first), &other);
    assert_eq!((late.status, late.json()["version"].as_i64()), (409, Some(second)), "{late:?}");
    assert_eq!(late.json()["diff"][0]["rule"], "users.note", "{late:?}");
    let replaced = proxy.admin("PUT", "/rules/users.email", Some(second), &other);
    assert_eq!(replaced.status, 200, "{replaced:?}");
    assert_eq!(pg_email(&pg).await.unwrap(), "[REDACTED]");
    assert!(
        std::fs::read_to_string(proxy.path("proxy.yaml"))
            .unwrap()
            .contains("# Of users.\n  - { table: users, column: email, strategy: redact }")
    );
    // What cannot be is not.
    for wrong in [
        json!({ "rule": { "table": "users", "column": "email", "strategy": "no_such" } }),
        json!({ "rule": { "tabel": "users" } }),
        json!({ "rule": 7 }),
        json!({ "rule": { "table": "users", "column": "note", "unmask": true } }),
    ] {
        let refused = proxy.admin("POST", "/rules", None, &wrong);
        assert!(
            refused.status == 422 && !refused.json()["errors"].as_array().unwrap().is_empty(),
            "{refused:?}"
        );
    }
    assert_eq!(proxy.admin("DELETE", "/rules/nobody.x", Some(version(&proxy)), &Value::Null).status, 404);
    let turned = json!({ "order": ["users.note", "users.email"] });
    assert_eq!(
        proxy
            .admin("POST", "/rules/order", Some(version(&proxy)), &json!({ "order": ["users.note"] }))
            .status,
        422
    );
    assert_eq!(proxy.admin("POST", "/rules/order", Some(version(&proxy)), &turned).status, 200);
    let listed = proxy.admin("GET", "/rules", None, &Value::Null).json();
    let names: Vec<_> =
        listed["rules"].as_array().unwrap().iter().map(|rule| rule["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["users.note", "users.email"]);
    let gone =
        proxy.admin("DELETE", "/rules/users.note?comment=not+needed", Some(version(&proxy)), &Value::Null);
    assert_eq!(gone.status, 200, "{gone:?}");
    assert_eq!(note().await.as_deref(), Some("n1"));
    // Out and in.
    let exported = proxy.admin("GET", "/rules/export", None, &Value::Null);
    assert_eq!(exported.body, "rules:\n  - { table: users, column: email, strategy: redact }\n");
    let head = format!("Authorization: Bearer {}\r\nContent-Type: application/yaml\r\n", proxy.admin_key());
    let more = "- { table: users, column: email, strategy: email }\n- { table: users, column: note, strategy: hash }\n";
    let dry = proxy.call("POST", "/rules/import?dry_run=true", &head, more).json();
    assert_eq!(
        (dry["dry_run"].as_bool(), dry["changes"].as_array().unwrap().len()),
        (Some(true), 2),
        "{dry}"
    );
    assert_eq!(note().await.as_deref(), Some("n1"));
    assert_eq!(proxy.call("POST", "/rules/import", &head, more).status, 428);
    let matching = format!("{head}If-Match: {}\r\n", version(&proxy));
    assert_eq!(proxy.call("POST", "/rules/import?mode=replace", &matching, more).status, 200);
    assert_ne!(note().await.as_deref(), Some("n1"));
    // Back to the beginning.
    let history = proxy.admin("GET", "/rules/history?limit=3", None, &Value::Null).json();
    let versions = history["versions"].as_array().unwrap();
    assert_eq!(versions.len(), 3, "{history}");
    assert_eq!(
        (&versions[1]["comment"], &versions[1]["author"]),
        (&json!("not needed"), &json!("admin_key_file"))
    );
    assert_eq!(versions[1]["changes"][0]["op"], "remove");
    let whole = proxy.admin("GET", &format!("/rules/history/{first}"), None, &Value::Null).json();
    assert_eq!(whole["rules"], json!([{ "table": "users", "column": "email", "strategy": "email" }]));
    let back = proxy.admin("POST", "/rules/rollback", Some(version(&proxy)), &json!({ "version": first }));
    assert_eq!(back.status, 200, "{back:?}");
    assert_eq!(note().await.as_deref(), Some("n1"));
    assert_eq!(
        proxy.admin("POST", "/rules/rollback", Some(version(&proxy)), &json!({ "version": 999 })).status,
        404
    );
    let audit = std::fs::read_to_string(proxy.path("audit")).unwrap();
    let changes: Vec<&str> = audit.lines().filter(|line| line.contains("\"rules_changed\"")).collect();
    assert_eq!(changes.len(), 6, "{audit}");
    assert!(changes[0].contains("notes too") && changes[0].contains("admin_key_file"), "{}", changes[0]);
    // An edit of the file is a version, too.
    let last = version(&proxy);
    let text = std::fs::read_to_string(proxy.path("proxy.yaml")).unwrap();
    std::fs::write(proxy.path("proxy.yaml"), text.replace("strategy: email", "strategy: hash")).unwrap();
    assert_eq!(version(&proxy), last + 1);
    let history = proxy.admin("GET", "/rules/history?limit=1", None, &Value::Null).json();
    assert_eq!(history["versions"][0]["author"], "file");
}

#[test]
fn masks_are_tried_by_a_key_that_is_thrown_away() {
    let proxy =
        Proxy::start("databases:\n  - { name: shop, upstream: 'postgres://127.0.0.1:1' }\nrules: []\n");
    let test = |real: bool| {
        let rule = json!({ "table": "t", "column": "c", "strategy": "email" });
        let samples =
            json!({ "rule": rule, "values": ["a@b.test", "a@b.test", "c@d.test"], "real_key": real });
        proxy.admin("POST", "/rules/test", None, &json!({ "samples": samples })).json()["masks"].clone()
    };
    let (one, two) = (test(false), test(false));
    assert!(one[0].as_str().unwrap().contains('@') && one[0] == one[1] && one[0] != one[2], "{one}");
    assert_ne!(one, two);
    assert_eq!(test(true), test(true));
    let audit = std::fs::read_to_string(proxy.path("audit")).unwrap();
    assert_eq!(audit.matches("masks_previewed").count(), 2, "{audit}");
    let wrong =
        json!({ "samples": { "rule": { "table": "t", "column": "c", "strategy": "x" }, "values": [] } });
    assert_eq!(proxy.admin("POST", "/rules/test", None, &wrong).status, 422);
    assert_eq!(proxy.admin("POST", "/rules/test", None, &json!({})).status, 400);
    // The real key is not asked for ever.
    let many: Vec<String> = (0..97).map(|at| format!("{at}@x.test")).collect();
    let rule = json!({ "table": "t", "column": "c", "strategy": "email" });
    let samples = json!({ "samples": { "rule": rule, "values": many, "real_key": true } });
    assert_eq!(proxy.admin("POST", "/rules/test", None, &samples).status, 429);
}
