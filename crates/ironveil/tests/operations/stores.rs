//! Where rules and keys are kept: nothing that was acknowledged is lost, whenever the proxy dies, and proxies that share a store agree.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use veil_testkit::{Postgres, PostgresOptions};

use crate::harness::{Proxy, RULES, SOON, Servers, call, pg_email};

const NOWHERE: &str = "databases:\n  - { name: shop, upstream: 'postgres://127.0.0.1:1' }\n";

fn rule(name: &str) -> Value {
    json!({ "table": name, "column": "x", "strategy": "email" })
}

fn names(proxy: &Proxy) -> Vec<String> {
    let listed = proxy.admin("GET", "/rules", None, &Value::Null).json();
    listed["rules"].as_array().unwrap().iter().map(|rule| rule["name"].as_str().unwrap().to_owned()).collect()
}

/// How often a proxy is killed.
fn crashes() -> usize {
    std::env::var("IRONVEIL_CRASHES").ok().and_then(|text| text.parse().ok()).unwrap_or(6)
}

/// Kills a proxy while its rules and keys are being changed, again and again.
fn dies_without_a_loss(store: &str) {
    let config = format!("{NOWHERE}{store}{RULES}");
    let mut proxy = Proxy::start(&config);
    let mut acknowledged: Vec<String> = vec!["users.email".to_owned()];
    let mut keys: Vec<String> = Vec::new();
    for round in 0..crashes() {
        let (port, key) = (proxy.api, proxy.admin_key());
        let head = format!("Authorization: Bearer {key}\r\n");
        let changes = std::thread::spawn(move || {
            let (mut rules, mut keys) = (Vec::new(), Vec::new());
            for at in 0.. {
                let name = format!("t{round}_{at}");
                let body = json!({ "rule": rule(&name), "comment": "in a loop" }).to_string();
                match call(port, "POST", "/rules", &head, &body) {
                    Ok(reply) if reply.status == 201 => rules.push(format!("{name}.x")),
                    Ok(reply) => panic!("{reply:?}"),
                    Err(_) => break,
                }
                let body = json!({ "name": name, "role": "viewer" }).to_string();
                match call(port, "POST", "/keys", &head, &body) {
                    Ok(reply) if reply.status == 201 => {
                        keys.push(reply.json()["id"].as_str().unwrap().to_owned());
                    }
                    Ok(reply) => panic!("{reply:?}"),
                    Err(_) => break,
                }
            }
            (rules, keys)
        });
        std::thread::sleep(Duration::from_millis(150 + 37 * u64::try_from(round).unwrap()));
        proxy.crash();
        let (more, more_keys) = changes.join().unwrap();
        acknowledged.extend(more);
        keys.extend(more_keys);
        let found = names(&proxy);
        // One may have been stored whose answer was never seen.
        assert!(acknowledged.iter().all(|name| found.contains(name)), "{acknowledged:?} {found:?}");
        acknowledged = found;
        let listed = proxy.admin("GET", "/keys", None, &Value::Null).body;
        assert!(keys.iter().all(|id| listed.contains(id)), "{listed}");
        let history = proxy.admin("GET", "/rules/history?limit=1000", None, &Value::Null).json();
        let versions = history["versions"].as_array().unwrap();
        assert!(
            versions.iter().all(|version| version["author"] == "admin_key_file" || version["number"] == 1),
            "{history}"
        );
        let output = Command::new(env!("CARGO_BIN_EXE_ironveil"))
            .args(["audit", "verify", "--config"])
            .arg(proxy.path("proxy.yaml"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    eprintln!("{} crashes, {} rules, {} keys: none lost", crashes(), acknowledged.len(), keys.len());
    assert!(acknowledged.len() > crashes(), "{acknowledged:?}");
}

#[test]
fn a_file_that_is_changed_survives_crashes() {
    dies_without_a_loss("");
}

#[test]
fn a_store_of_sqlite_survives_crashes() {
    let directory = tempfile::tempdir().unwrap();
    dies_without_a_loss(&format!("store: {{ sqlite: '{}' }}\n", directory.path().join("store.db").display()));
}

fn in_postgres(store: &Postgres, directory: &tempfile::TempDir) -> String {
    let password = directory.path().join("password");
    std::fs::write(&password, "any").unwrap();
    format!(
        "store: {{ postgres: 'postgres://127.0.0.1:{}/postgres', user: postgres, password: {{ file: '{}' }} }}\n",
        store.port(),
        password.display()
    )
}

#[test]
fn a_store_of_postgresql_survives_crashes() {
    let (store, directory) =
        (Postgres::start(PostgresOptions::default()).unwrap(), tempfile::tempdir().unwrap());
    dies_without_a_loss(&in_postgres(&store, &directory));
}

/// Three proxies share a store: they agree on what concurrent changes have made, mask by it, and go on when the store is lost.
#[tokio::test(flavor = "multi_thread")]
async fn proxies_that_share_a_store_agree() {
    let servers = Servers::start();
    let (store, directory) =
        (Postgres::start(PostgresOptions::default()).unwrap(), tempfile::tempdir().unwrap());
    let config = format!("{}{}{RULES}", servers.databases(), in_postgres(&store, &directory));
    let mut proxies = Vec::new();
    for _ in 0..3 {
        proxies.push(Arc::new(Proxy::start(&config)));
    }
    let conflicts = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let editors: Vec<_> = (0..3)
        .map(|own| {
            let (proxy, conflicts) = (Arc::clone(&proxies[own]), Arc::clone(&conflicts));
            std::thread::spawn(move || {
                for at in 0..10 {
                    let body = json!({ "rule": rule(&format!("t{own}_{at}")) });
                    loop {
                        let version =
                            proxy.admin("GET", "/rules", None, &Value::Null).json()["version"].as_i64();
                        match proxy.admin("POST", "/rules", version, &body) {
                            reply if reply.status == 201 => break,
                            reply if reply.status == 409 => {
                                assert!(reply.json()["diff"].is_array(), "{reply:?}");
                                conflicts.fetch_add(1, Ordering::Relaxed);
                            }
                            reply => panic!("{reply:?}"),
                        }
                    }
                }
            })
        })
        .collect();
    editors.into_iter().for_each(|editor| editor.join().unwrap());
    let found = names(&proxies[0]);
    assert_eq!(found.len(), 31, "{found:?}");
    assert!(proxies.iter().all(|proxy| names(proxy) == found));
    // What one of them is told, all of them do.
    let mut clients = Vec::new();
    for proxy in &proxies {
        clients.push(proxy.pg().await);
    }
    let body = json!({ "rule": { "table": "users", "column": "note", "strategy": "redact" } });
    assert_eq!(proxies[0].admin("POST", "/rules", None, &body).status, 201);
    let since = Instant::now();
    for client in &clients {
        loop {
            let note: String =
                client.query_one("select note from users where id = 1", &[]).await.unwrap().get(0);
            if note != "n1" {
                break;
            }
            assert!(since.elapsed() < SOON, "it is not masked");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    eprintln!(
        "{} conflicts; all three mask {:?} after the change",
        conflicts.load(Ordering::Relaxed),
        since.elapsed()
    );
    // Without a store the rules that are known hold.
    drop(store);
    let lost = AtomicBool::new(false);
    while !lost.load(Ordering::Relaxed) {
        assert!(since.elapsed() < SOON * 2, "nobody notices");
        let health = proxies[1].admin("GET", "/health", None, &Value::Null).json();
        lost.store(!health["store"]["lost"].is_null(), Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for (proxy, client) in proxies.iter().zip(&clients) {
        assert!(!pg_email(client).await.unwrap().contains("zqcanary"));
        assert!(!pg_email(&proxy.pg().await).await.unwrap().contains("zqcanary"));
        assert_eq!(proxy.admin("POST", "/rules", None, &body).status, 503);
        // Other parts of the configuration can be read again.
        assert_eq!(proxy.admin("POST", "/config/reload", None, &Value::Null).status, 200);
        assert!(!pg_email(client).await.unwrap().contains("zqcanary"));
        assert!(proxy.admin("GET", "/metrics", None, &Value::Null).body.contains("ironveil_store_up 0"));
    }
}
