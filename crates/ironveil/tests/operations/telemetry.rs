//! Metrics and traces, as programs that are not ours read them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use serde_json::Value;
use veil_testkit::free_port;

use crate::harness::{Proxy, SECRET, SOON, Servers, call};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A program that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(since.elapsed() < SOON, "waited for: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Rules that mask, fail to mask, see a planted value, and let somebody see everything.
const RULES: &str = "rules:\n  - { column: '*', who: { user: dba }, unmask: true, reason: on call }\n  \
    - { table: users, column: email, strategy: { canary: { values: ['zqcanary7@mail.test'], like: email } } }\n  \
    - { table: users, column: note, strategy: int_perm }\n";

/// Something of everything that is counted.
async fn traffic(proxy: &Proxy) {
    let (pg, mut mysql) = (proxy.pg().await, proxy.mysql().await);
    for _ in 0..3 {
        pg.query("select id, email, note from users", &[]).await.unwrap();
        pg.query("select pg_read_file('x'), email from users", &[]).await.unwrap_err();
        pg.query("select id / 0 from items", &[]).await.unwrap_err();
        pg.batch_execute("insert into items values (77, 'x'); delete from items where id = 77")
            .await
            .unwrap();
        let _: Vec<(i32, Option<String>)> = mysql.query("select id, email from users").await.unwrap();
        let _: Vec<i32> = mysql.exec("select id from items where id < ?", (10,)).await.unwrap();
        mysql.query_drop("select nothing from items").await.unwrap_err();
    }
    proxy.try_pg("nobody").await.err().unwrap();
    proxy.try_pg("dba").await.unwrap().query("select email from users", &[]).await.unwrap();
    proxy.reload();
}

/// All queries of the dashboard, with its variables filled in.
fn dashboard_queries() -> Vec<String> {
    let text = std::fs::read_to_string(workspace().join("deploy/grafana/ironveil.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array()).flatten();
    let filled = |text: &str| text.replace("$__rate_interval", "15s").replace("$instance", ".*");
    targets.map(|target| filled(target["expr"].as_str().unwrap())).collect()
}

/// The names of series in a query.
fn series(query: &str) -> Vec<String> {
    let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let of_ours = words.filter(|word| word.starts_with("ironveil_"));
    of_ours.map(str::to_owned).collect()
}

/// A real Prometheus reads the proxy: every query of the dashboard has data, every series that it uses has counted something, and the alerts are raised by what they are for.
#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_finds_what_the_dashboard_shows() {
    let servers = Servers::start();
    servers
        .pg
        .psql("shop", "create role dba login; grant select on all tables in schema public to dba")
        .unwrap();
    let proxy = Proxy::start(&format!("{}{RULES}", servers.databases()));
    let _held = proxy.pg().await;
    traffic(&proxy).await;
    let deploy = workspace().join("deploy/prometheus");
    for arguments in [["check", "rules", "alerts.yaml"], ["test", "rules", "alerts.test.yaml"]] {
        let output = Command::new("promtool").current_dir(&deploy).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    let metrics = proxy.admin("GET", "/metrics", None, &Value::Null);
    assert!(metrics.headers.contains("content-type: text/plain"), "{metrics:?}");
    let mut check = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check.stdin.take().unwrap().write_all(metrics.body.as_bytes()).unwrap();
    let output = check.wait_with_output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.is_empty(), "{said}");
    // Every series has counted something.
    let queries = dashboard_queries();
    assert!(queries.len() > 20, "{queries:?}");
    let sum = |name: &str| -> f64 {
        let of_it = metrics
            .body
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
        of_it.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    };
    let mut names: Vec<String> = queries.iter().flat_map(|query| series(query)).collect();
    names.sort();
    names.dedup();
    for name in &names {
        assert!(sum(name) > 0.0, "{name} has counted nothing:\n{}", metrics.body);
    }
    assert!(!metrics.body.contains(SECRET) && !metrics.body.contains("select"), "{}", metrics.body);
    // And a Prometheus that reads it answers every query.
    let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
    std::fs::write(directory.path().join("ironveil-viewer.key"), proxy.admin_key()).unwrap();
    std::fs::copy(deploy.join("alerts.yaml"), directory.path().join("alerts.yaml")).unwrap();
    let config = std::fs::read_to_string(deploy.join("prometheus.yaml")).unwrap();
    let config = config.replace("15s", "1s").replace("127.0.0.1:3001", &format!("127.0.0.1:{}", proxy.api));
    std::fs::write(directory.path().join("prometheus.yaml"), config).unwrap();
    let log = std::fs::File::create(directory.path().join("log")).unwrap();
    let _prometheus = Running(
        Command::new("prometheus")
            .current_dir(directory.path())
            .args(["--config.file=prometheus.yaml", "--storage.tsdb.path=data"])
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap(),
    );
    let ask = |query: &str| -> Option<Value> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let reply = call(port, "GET", &format!("/api/v1/query?query={encoded}"), "", "").ok()?;
        let body = &reply.body[reply.body.find('{')?..=reply.body.rfind('}')?];
        let answer: Value = serde_json::from_str(body).ok()?;
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        Some(answer["data"]["result"].clone())
    };
    let own = tokio::task::block_in_place(|| {
        wait_for("Prometheus reads the proxy", || {
            ask("up{job=\"ironveil\"} == 1").filter(|found| found[0].is_object())
        })
    });
    assert!(own.is_array());
    let mut left = queries.clone();
    let since = Instant::now();
    while !left.is_empty() {
        assert!(since.elapsed() < SOON * 3, "no data: {left:?}");
        traffic(&proxy).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        left.retain(|query| {
            let found = tokio::task::block_in_place(|| ask(query)).unwrap_or_default();
            !found.as_array().is_some_and(|found| {
                found.iter().any(|one| one["value"][1].as_str().is_some_and(|value| value != "NaN"))
            })
        });
    }
    eprintln!(
        "{} queries of the dashboard have data; {} series have counted something",
        queries.len(),
        names.len()
    );
}

/// A receiver of OTLP that is not ours.
struct Receiver {
    _child: Running,
    _directory: tempfile::TempDir,
    file: PathBuf,
    ports: [u16; 2],
}

impl Receiver {
    fn start() -> Self {
        let (directory, ports) = (tempfile::tempdir().unwrap(), [free_port(), free_port()]);
        let file = directory.path().join("received");
        let child = Command::new(workspace().join("target/venv/bin/python"))
            .arg(workspace().join("crates/ironveil/tests/clients/otlp_receiver.py"))
            .arg(&file)
            .args(ports.map(|port| port.to_string()))
            .spawn()
            .unwrap();
        let receiver = Self { _child: Running(child), _directory: directory, file, ports };
        wait_for("the receiver is ready", || receiver.all().into_iter().find(|one| one["kind"] == "ready"));
        receiver
    }

    fn all(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn of(&self, kind: &str) -> Vec<Value> {
        self.all().into_iter().filter(|one| one["kind"] == kind).collect()
    }
}

/// Spans, metrics and events, by gRPC and by HTTP; the last one is there although the proxy was told to stop right behind it.
#[tokio::test(flavor = "multi_thread")]
async fn traces_metrics_and_events_reach_a_collector() {
    let servers = Servers::start();
    let header = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(header.path(), "sesame").unwrap();
    for (protocol, at) in [("grpc", 0), ("http", 1)] {
        let receiver = tokio::task::block_in_place(Receiver::start);
        let mut proxy = Proxy::start(&format!(
            "{}{RULES}otlp: {{ endpoint: 'http://127.0.0.1:{}', protocol: {protocol}, logs: true, metrics_interval: 1s, headers: {{ x-tenant: {{ file: '{}' }} }} }}\n",
            servers.databases(),
            receiver.ports[at],
            header.path().display()
        ));
        let (pg, mut mysql) = (proxy.pg().await, proxy.mysql().await);
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let parent = "00f067aa0ba902b7";
        let commented = |flags: &str| {
            format!(
                "select email from users where note = 'zqcanary' /*traceparent='00-{trace}-{parent}-{flags}'*/"
            )
        };
        pg.query(&commented("01"), &[]).await.unwrap();
        // Whoever began the trace does not want this one.
        pg.query(&commented("00"), &[]).await.unwrap();
        pg.query("select id / 0 from items", &[]).await.unwrap_err();
        mysql
            .query_drop(format!("select id from items /* traceparent='00-{trace}-{parent}-01' */"))
            .await
            .unwrap();
        pg.query("select label from items where id = 424242", &[]).await.unwrap();
        proxy.signal("TERM");
        assert!(tokio::task::block_in_place(|| proxy.ended()).success());
        // The driver's own are of no interest.
        let own = |span: &Value| !span["attributes"]["db.query.text"].as_str().unwrap().contains("@@");
        let spans: Vec<Value> = receiver.of("span").into_iter().filter(own).collect();
        assert_eq!(spans.len(), 4, "{spans:?}");
        assert!(
            spans.iter().all(|span| span["by"] == protocol && span["resource"]["service.name"] == "ironveil")
        );
        let of = |text: &str| {
            let fits = |span: &&Value| span["attributes"]["db.query.text"].as_str().unwrap().contains(text);
            spans.iter().find(fits).unwrap_or_else(|| panic!("{text}: {spans:?}"))
        };
        let masked = of("select email from users where note = ?");
        assert_eq!((&masked["trace"], &masked["parent"]), (&trace.into(), &parent.into()));
        assert_eq!(masked["name"], "SELECT shop");
        let attributes = &masked["attributes"];
        assert_eq!(
            (&attributes["db.system.name"], &attributes["ironveil.verdict"]),
            (&"postgresql".into(), &"masked".into())
        );
        assert_eq!(
            (&attributes["db.operation.name"], &attributes["ironveil.masked_columns"]),
            (&"SELECT".into(), &1.into())
        );
        let failed = of("id / ?");
        assert_eq!(
            (&failed["status"], &failed["attributes"]["db.response.status_code"]),
            (&2.into(), &"22012".into())
        );
        assert_eq!(of("select id from items")["parent"], parent);
        let last = of("select label from items where id = ?");
        assert!(
            last["parent"] == "" && last["trace"] != trace && last["nanos"].as_u64().unwrap() > 0,
            "{last}"
        );
        let metrics = receiver.of("metric");
        for name in [
            "ironveil_statements_total",
            "ironveil_statement_duration_seconds",
            "ironveil_sessions_total",
            "process_resident_memory_bytes",
        ] {
            let best = metrics
                .iter()
                .filter(|one| one["name"] == name)
                .map(|one| one["total"].as_f64().unwrap())
                .fold(0.0, f64::max);
            assert!(best > 0.0, "{name}: {metrics:?}");
        }
        let events = receiver.of("log");
        for name in ["start", "login", "masked", "logout", "stop"] {
            assert!(events.iter().any(|event| event["name"] == name), "{name}: {events:?}");
        }
        let all = std::fs::read_to_string(&receiver.file).unwrap();
        assert!(!all.contains(SECRET) && !all.contains("424242"), "{all}");
        eprintln!(
            "{protocol}: {} spans, {} metrics, {} events taken by OpenTelemetry's own stubs for Python",
            spans.len(),
            metrics.len(),
            events.len()
        );
    }
}

/// A collector that is not there holds nobody up.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_everything_goes_on() {
    let servers = Servers::start();
    let mut proxy = Proxy::start(&format!(
        "{}{RULES}otlp: {{ endpoint: 'http://127.0.0.1:1', sample_ratio: 0.5 }}\n",
        servers.databases()
    ));
    let pg = proxy.pg().await;
    for _ in 0..200 {
        pg.query("select id from items", &[]).await.unwrap();
    }
    proxy.wait_for("it is said", |proxy| proxy.log().contains("takes no telemetry"));
    proxy.signal("TERM");
    assert!(proxy.ended().success());
}
