//! What breaks: the server, the network, the client.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use veil_testkit::{FaultProxy, free_port};

use crate::harness::{CANARY, Pair, config, connect, number, of, options, sample_server};
use crate::proxy::Proxy;
use crate::raw::Raw;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_named_without_a_hang() {
    let proxy = Proxy::start(&config(free_port(), ""));
    let error = Conn::new(options(proxy.port())).await.unwrap_err();
    assert_eq!(number(&error), 2003);
    assert!(error.to_string().contains("Check that the server runs"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_ends_the_session_with_an_error() {
    let mut server = sample_server(of(None));
    let proxy = Proxy::start(&config(server.port(), ""));
    let mut idle = connect(proxy.port()).await;
    let mut raw = Raw::connect(proxy.port(), 0);
    raw.query("select 1, 2");
    let mut busy = connect(proxy.port()).await;
    let busy = tokio::spawn(async move { busy.query_drop("select sleep(20)").await });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    server.kill();
    assert!(busy.await.unwrap().is_err());
    assert!(idle.query_drop("select 1").await.is_err());
    // What came meanwhile is numbered like the answer to the next command.
    let payload = raw.query_payload(b"select 1");
    raw.send(&payload);
    assert!(raw.answer().error.is_some());
    assert!(Conn::new(options(proxy.port())).await.is_err());
}

#[test]
fn a_cut_in_the_middle_of_rows_shows_no_value() {
    let server = sample_server(of(None));
    let fault = FaultProxy::start(server.port()).unwrap();
    let proxy = Proxy::start(&config(fault.port(), ""));
    let client = FaultProxy::start(proxy.port()).unwrap();
    let sql = "select email, full_name, note from users";
    let mut raw = Raw::connect(client.port(), 0);
    raw.query("select 1");
    let before = fault.capture().len();
    raw.query(sql);
    let whole = fault.capture().len() - before;
    for part in 1..8 {
        let mut raw = Raw::connect(client.port(), 0);
        raw.query("select 1");
        let before = fault.capture().len();
        fault.cut_after(whole * part / 8);
        let payload = raw.query_payload(sql.as_bytes());
        raw.send(&payload);
        while raw.try_read().is_some() {}
        assert_eq!(fault.capture().len() - before, whole * part / 8, "it was not cut");
        assert!(!String::from_utf8_lossy(&client.capture()).contains(CANARY));
    }
}

#[test]
fn a_client_that_does_not_read_holds_nobody_else_up() {
    let pair = Pair::start();
    let stuck = FaultProxy::start(pair.proxy.port()).unwrap();
    let mut raw = Raw::connect(stuck.port(), 0);
    stuck.stop_reading(true);
    let payload = raw.query_payload(b"select repeat('a', 1000000), email from users, items, orders");
    raw.send(&payload);
    for _ in 0..3 {
        let mut other = Raw::connect(pair.proxy.port(), 0);
        assert_eq!(other.query("select email, note from users")[0].rows.len(), 3);
    }
    stuck.stop_reading(false);
    assert_eq!(raw.answers()[0].rows.len(), 18);
}

#[test]
fn malformed_packets_are_answered() {
    let pair = Pair::start();
    for bytes in [&[0, 0, 0, 0][..], &[1, 0, 0, 0, 22], &[2, 0, 0, 0, 23, 1]] {
        let mut raw = Raw::connect(pair.proxy.port(), 0);
        raw.send_bytes(bytes);
        if bytes.len() > 5 {
            continue;
        }
        let answer = raw.answer();
        assert!(answer.error.is_some(), "{bytes:?}");
    }
    for bytes in
        [&b"\x01\0\0\x01\x00"[..], b"\x20\0\0\x01\x05\xa6\xff\x01\0\0\0\x01\x21", b"GET / HTTP/1.1\r\n\r\n"]
    {
        let mut raw = Raw::open(pair.proxy.port());
        raw.send_bytes(bytes);
        drop(raw);
    }
    assert_eq!(Raw::connect(pair.proxy.port(), 0).query("select 1")[0].rows.len(), 1);
}
