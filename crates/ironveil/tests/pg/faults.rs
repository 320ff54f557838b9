//! Servers that go away, clients that do not read, values that are large.

use std::time::Duration;

use veil_testkit::{FaultProxy, Postgres, PostgresOptions, free_port};
use veil_wire::pg::command;
use veil_wire::pg::startup::{self, Version};

use crate::harness::{Pair, Proxy, RULES, config, sample_server};
use crate::raw::{Raw, rows, tags};

#[test]
fn an_upstream_that_is_not_there_is_named() {
    let port = free_port();
    let proxy = Proxy::start(&config(port, RULES));
    let mut proxied = Raw::open(proxy.port());
    let mut out = Vec::new();
    startup::write_session(&mut out, Version::V3_0, [("user", "postgres"), ("database", "shop")].into_iter());
    proxied.send(&out);
    let error = proxied.until_closed().pop().unwrap();
    assert_eq!(error.field(b'C'), "08006");
    assert!(error.field(b'M').contains(&format!("127.0.0.1:{port}")), "{}", error.field(b'M'));
}

#[test]
fn an_upstream_killed_between_rows_ends_the_session_with_an_error() {
    let mut server = sample_server(PostgresOptions::default());
    let proxy = Proxy::start(&config(server.port(), RULES));
    let mut proxied = Raw::connect(proxy.port());
    let mut out = Vec::new();
    let slow = "select u.email, u.id, repeat('x', 1000) from users u, generate_series(1, 1000000)";
    command::write_query(&mut out, slow.as_bytes());
    proxied.send(&out);
    while proxied.next().unwrap().tag != 'D' {}
    server.kill();
    let rest = proxied.until_closed();
    let last = rest.last().unwrap();
    assert_eq!((last.tag, &last.field(b'C')[..2]), ('E', "08"), "{last:?}");
}

#[test]
fn an_upstream_cut_inside_a_row_ends_the_session() {
    let server = sample_server(PostgresOptions::default());
    for bytes in [400, 3000, 3001, 3333, 9999, 70_001] {
        let fault = FaultProxy::start(server.port()).unwrap();
        let proxy = Proxy::start(&config(fault.port(), RULES));
        let mut proxied = Raw::connect(proxy.port());
        proxied.query("select 1");
        fault.cut_after(bytes);
        let mut out = Vec::new();
        command::write_query(
            &mut out,
            b"select email, repeat(note, 100) from users, generate_series(1, 300)",
        );
        proxied.send(&out);
        // No masked row is ever half there.
        let rest = proxied.until_closed();
        assert!(rows(&rest).iter().all(|row| row[0].as_ref().is_some_and(|mask| mask.contains("@example."))));
    }
}

#[test]
fn a_value_of_fifty_megabytes_passes_masked_and_unmasked() {
    let pair = Pair::start();
    let size = 50_000_000;
    pair.server.psql("shop", &format!("update users set note = repeat('y', {size}), profile = to_jsonb(repeat('z', 30000000)) where id = 1")).unwrap();
    pair.server.psql("shop", &format!("update items set label = repeat('w', {size}) where id = 1")).unwrap();
    let mut proxied = Raw::connect(pair.proxy.port());
    let seen = rows(&proxied.query("select email, note, profile from users where id = 1"));
    assert_eq!(seen[0][1].as_ref().map(String::len), Some(size));
    assert!(seen[0][0].as_ref().is_some_and(|mask| mask.contains("@example.")));
    assert_eq!(seen[0][2].as_deref(), Some("\"[REDACTED]\""));
    let seen = rows(&proxied.query("select label from items where id = 1"));
    assert_eq!(seen[0][0].as_ref().map(String::len), Some(size));
    // And the other way, as a parameter.
    let mut group = crate::raw::Group(Vec::new());
    group.parse("", "insert into items values (90, $1, 1)");
    let value = vec![b'v'; size];
    command::write_bind(&mut group.0, command::BindNames { portal: b"", statement: b"" }, &[&value]);
    group.execute("", 0).sync();
    proxied.send(&group.0);
    assert_eq!(tags(&proxied.until_ready()), "12CZ");
    let seen = rows(&proxied.query("select length(label) from items where id = 90"));
    assert_eq!(seen[0][0].as_deref(), Some(size.to_string().as_str()));
}

/// A client that sends a lot and reads nothing stops the server from being read; nothing is lost.
#[test]
fn a_client_that_does_not_read_blocks_only_itself() {
    let pair = Pair::start();
    let mut lazy = Raw::connect(pair.proxy.port());
    let mut out = Vec::new();
    command::write_query(&mut out, b"select email, repeat('x', 1000) from users, generate_series(1, 20000)");
    lazy.send(&out);
    std::thread::sleep(Duration::from_millis(500));
    let mut other = Raw::connect(pair.proxy.port());
    assert_eq!(tags(&other.query("select 1")), "TDCZ");
    let seen = lazy.until_ready();
    assert_eq!(rows(&seen).len(), 100_000);
}

#[test]
fn a_shut_down_server_says_so_itself() {
    let pair = Pair::start();
    let mut proxied = Raw::connect(pair.proxy.port());
    proxied.query("select 1");
    pair.server
        .psql("postgres", "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'shop'")
        .unwrap();
    let seen = proxied.until_closed();
    assert_eq!(seen[0].field(b'C'), "57P01");
    assert_eq!(seen.len(), 1, "one error, the server's");
}

#[test]
fn no_key_no_proxy() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_ironveil"))
        .args(["run", "--upstream", "postgres://127.0.0.1:1", "--rule", "users.email=email"])
        .env_remove("IRONVEIL_KEY")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("ironveil keys generate"));
    let _ = Postgres::password();
}
