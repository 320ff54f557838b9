//! The protocol is the server's own: order, pipelining, names, errors, row limits.

use std::io::{Read, Write};
use std::time::Duration;

use veil_wire::pg::command;
use veil_wire::pg::frame;
use veil_wire::pg::startup::{self, Version};

use crate::harness::{CANARY, Pair};
use crate::raw::{Group, Raw, Reply, rows, tags};

/// The same group of commands to the server and through the proxy gives the same message types.
fn same(pair: &Pair, script: impl Fn(&mut Group) -> &mut Group) -> Vec<Reply> {
    let mut direct = Raw::connect(pair.server.port());
    let mut proxied = Raw::connect(pair.proxy.port());
    let (expected, seen) = (direct.group(&script), proxied.group(&script));
    assert_eq!(tags(&seen), tags(&expected));
    assert!(!String::from_utf8_lossy(&proxied.seen).contains(CANARY));
    seen
}

#[test]
fn replies_come_in_the_servers_order() {
    let pair = Pair::start();
    let masked = "select email, id from users order by id";
    // Never described: the proxy asks for itself, and the client does not notice.
    let seen = same(&pair, |g| g.parse("", masked).bind("", "").execute("", 0));
    assert_eq!(rows(&seen).len(), 5);
    same(&pair, |g| {
        g.parse("s", masked).describe_statement("s").bind("p", "s").describe_portal("p").execute("p", 0)
    });
    same(&pair, |g| g.parse("s", "select 1").close_statement("s").close_statement("none"));
    same(&pair, |g| g.parse("", "").bind("", "").execute("", 0));
    same(&pair, |g| {
        g.parse("", "insert into items values (60, 'x', 1) on conflict do nothing")
            .bind("", "")
            .describe_portal("")
            .execute("", 0)
    });
    same(&pair, |g| g.flush());
}

#[test]
fn row_limits_suspend_a_portal_and_its_plan_stays() {
    let pair = Pair::start();
    let seen = same(&pair, |g| {
        g.parse("s", "select id, email, upper(email) from users order by id").bind("p", "s");
        g.execute("p", 2).execute("p", 2).execute("p", 0)
    });
    assert_eq!(tags(&seen), "12DDsDDsDCZ");
    for row in rows(&seen) {
        assert!(
            row[1].as_ref().is_some_and(|mask| mask.contains("@example.")) && row[2].is_none(),
            "{row:?}"
        );
    }
}

#[test]
fn after_an_error_all_is_skipped_up_to_sync() {
    let pair = Pair::start();
    let seen = same(&pair, |g| {
        g.parse("a", "select 1").parse("b", "selec").bind("", "a").execute("", 0).parse("c", "select 2")
    });
    assert_eq!(tags(&seen), "1EZ");
    // A refusal is an error like any other.
    let mut proxied = Raw::connect(pair.proxy.port());
    let seen = proxied
        .group(|g| g.parse("a", "select 1").parse("b", "do $$ begin end $$").bind("", "a").execute("", 0));
    assert_eq!(tags(&seen), "1EZ");
    assert_eq!(seen[1].field(b'C'), "42501");
    let seen = proxied.group(|g| g.bind("", "a").describe_portal("").execute("", 0));
    assert_eq!(tags(&seen), "2TDCZ");
}

/// A name that is taken keeps its statement; what was said about the other one is forgotten.
#[test]
fn a_failed_parse_does_not_replace_a_statement() {
    let pair = Pair::start();
    let mut proxied = Raw::connect(pair.proxy.port());
    proxied.group(|g| g.parse("s", "select upper(email), email from users order by id"));
    let seen = proxied.group(|g| g.parse("s", "select 1, 2"));
    assert_eq!(seen[0].field(b'C'), "42P05");
    let seen = proxied.group(|g| g.bind("", "s").execute("", 0));
    assert_eq!(rows(&seen)[0][0], None);
    // The same within one group, where nothing has been answered yet.
    let mut pipelined = Group(Vec::new());
    pipelined.parse("s", "select 1, 2").sync().bind("", "s").execute("", 0).sync();
    proxied.send(&pipelined.0);
    proxied.until_ready();
    let seen = proxied.until_ready();
    assert!(rows(&seen).iter().all(|row| row[0].is_none()), "{seen:?}");
    assert!(!String::from_utf8_lossy(&proxied.seen).contains(CANARY));
}

#[test]
fn two_thousand_pipelined_statements() {
    let pair = Pair::start();
    let mut proxied = Raw::connect(pair.proxy.port());
    let writer = proxied.tcp.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        let mut writer = writer;
        for i in 0..2000 {
            let mut group = Group(Vec::new());
            match i % 4 {
                0 => group.parse("", "select email from users where id = 1").bind("", "").execute("", 0),
                1 => group
                    .parse("", "select label from items where id = 2")
                    .bind("", "")
                    .describe_portal("")
                    .execute("", 0),
                2 => group.parse("", "selec"),
                _ => group.parse("", "create table t as select email from users"),
            };
            group.sync();
            writer.write_all(&group.0).unwrap();
        }
    });
    for i in 0..2000 {
        let seen = proxied.until_ready();
        let expected = ["12DCZ", "12TDCZ", "EZ", "EZ"][i % 4];
        assert_eq!(tags(&seen), expected, "statement {i}");
    }
    sender.join().unwrap();
    assert!(!String::from_utf8_lossy(&proxied.seen).contains(CANARY));
}

/// Bytes may be cut anywhere.
#[test]
fn one_byte_at_a_time() {
    let pair = Pair::start();
    let slow = veil_testkit::FaultProxy::start(pair.proxy.port()).unwrap();
    slow.split(1);
    let mut proxied = Raw::connect(slow.port());
    let seen =
        proxied.query("select email, note from users order by id; select 1; select label from items limit 1");
    assert_eq!(tags(&seen), "TDDDDDCTDCTDCZ");
    let seen = proxied.group(|g| g.parse("", "select email from users").bind("", "").execute("", 3));
    assert_eq!(tags(&seen), "12DDDsZ");
}

#[test]
fn cancel_reaches_the_statement() {
    let pair = Pair::start();
    for version in [Version::V3_0, Version::V3_2] {
        let mut proxied = Raw::connect_with(pair.proxy.port(), version, &[]);
        let length = if version == Version::V3_0 { 4 } else { 32 };
        assert_eq!(proxied.key.len(), length);
        let mut out = Vec::new();
        command::write_query(&mut out, b"select pg_sleep(20)");
        proxied.send(&out);
        std::thread::sleep(Duration::from_millis(300));
        for key in [vec![0; length], proxied.key.clone()] {
            let mut canceller = Raw::open(pair.proxy.port());
            let mut out = Vec::new();
            startup::write_cancel(&mut out, proxied.process, &key);
            canceller.send(&out);
            assert!(canceller.until_closed().is_empty());
        }
        let seen = proxied.until_ready();
        let error = seen.iter().find(|reply| reply.tag == 'E').unwrap();
        assert_eq!(error.field(b'C'), "57014");
    }
}

#[test]
fn newer_versions_and_options_are_negotiated() {
    let pair = Pair::start();
    let mut proxied = Raw::open(pair.proxy.port());
    let mut out = Vec::new();
    let version = Version { major: 3, minor: 9999 };
    let parameters = [("user", "postgres"), ("database", "shop"), ("_pq_.test_protocol_negotiation", "")];
    startup::write_session(&mut out, version, parameters.into_iter());
    proxied.send(&out);
    let seen = proxied.until_ready();
    assert_eq!(seen[0].tag, 'v');
    assert_eq!(&seen[0].body[..8], &[0, 3, 0, 2, 0, 0, 0, 1]);
}

#[test]
fn what_is_no_message_ends_that_session_only() {
    let pair = Pair::start();
    let mut other = Raw::connect(pair.proxy.port());
    for bytes in [
        &b"Q\x00\x00\x00\x03"[..],
        b"Q\xff\xff\xff\xff",
        b"Q\x7f\xff\xff\xff",
        b"\x00\x00\x00\x00\x05x",
        b"p\x00\x00\x00\x05x",
        b"P\x00\x00\x00\x08a\x00b\x00",
        b"B\x00\x00\x00\x06ab",
        b"E\x00\x00\x00\x05\x00",
        b"D\x00\x00\x00\x06X\x00",
        b"Q\x00\x00\x00\x08ab\x00\x00",
        b"S\x00\x00\x00\x05x",
    ] {
        let mut proxied = Raw::connect(pair.proxy.port());
        proxied.send(bytes);
        let seen = proxied.until_closed();
        let last = seen.last().unwrap_or_else(|| panic!("{bytes:?} was not answered"));
        assert_eq!((last.tag, last.field(b'C').as_str()), ('E', "08P01"), "{bytes:?}");
    }
    assert_eq!(tags(&other.query("select 1")), "TDCZ");
    for bytes in [
        &b"\x00\x00\x00\x04"[..],
        b"\x7f\xff\xff\xff",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00\x00\x00\x08\x00\x02\x00\x00",
    ] {
        let mut nobody = Raw::open(pair.proxy.port());
        nobody.send(bytes);
        let seen = nobody.until_closed();
        assert_eq!((seen.len(), seen[0].field(b'C').as_str()), (1, "08P01"), "{bytes:?}");
    }
}

#[test]
fn a_function_call_by_number_is_refused() {
    let pair = Pair::start();
    let mut proxied = Raw::connect(pair.proxy.port());
    let mut out = Vec::new();
    frame::write(&mut out, b'F', |out| {
        out.extend(870_u32.to_be_bytes());
        out.extend([0, 0, 0, 1, 0, 0, 0, 1, b'x', 0, 0]);
    });
    proxied.send(&out);
    let seen = proxied.until_ready();
    assert_eq!((tags(&seen).as_str(), seen[0].field(b'C').as_str()), ("EZ", "0A000"));
}

/// A cursor of SQL can be run as a portal of the protocol, and a statement of the one as one of the other.
#[test]
fn names_are_shared_between_sql_and_protocol() {
    let pair = Pair::start();
    let mut proxied = Raw::connect(pair.proxy.port());
    proxied.query("begin; declare c cursor for select upper(email), email, id from users order by id");
    let seen = proxied.group(|g| g.execute("c", 1));
    let row = &rows(&seen)[0];
    assert_eq!((row[0].as_deref(), row[2].as_deref()), (None, Some("1")));
    proxied.query("commit; prepare q as select upper(email), id from users order by id");
    let seen = proxied.group(|g| g.bind("", "q").execute("", 0));
    assert_eq!(rows(&seen)[0], [None, Some("1".to_owned())]);
    proxied.group(|g| g.parse("r", "select upper(email), id from users order by id"));
    let seen = proxied.query("execute r");
    assert_eq!(rows(&seen)[0], [None, Some("1".to_owned())]);
    assert!(!String::from_utf8_lossy(&proxied.seen).to_lowercase().contains(CANARY));
}

#[test]
fn notifications_arrive_without_their_payload() {
    let pair = Pair::start();
    let mut proxied = Raw::connect(pair.proxy.port());
    proxied.query("listen news");
    pair.server.psql("shop", "select pg_notify('news', email) from users where id = 1").unwrap();
    let note = proxied.next().unwrap();
    assert_eq!(note.tag, 'A');
    assert!(!String::from_utf8_lossy(&note.body).contains(CANARY));
    assert!(note.body[4..].starts_with(b"news\0"));
}

#[test]
fn encodings_that_the_proxy_cannot_read_are_refused() {
    let pair = Pair::start();
    for setting in ["-c client_encoding=LATIN1", "-c standard_conforming_strings=off"] {
        let mut proxied = Raw::open(pair.proxy.port());
        let mut out = Vec::new();
        let parameters = [("user", "postgres"), ("database", "shop"), ("options", setting)];
        startup::write_session(&mut out, Version::V3_0, parameters.into_iter());
        proxied.send(&out);
        let last = proxied.until_closed().pop().unwrap();
        assert_eq!((last.tag, last.field(b'C').as_str()), ('E', "0A000"), "{setting}");
    }
}

#[test]
fn replication_needs_an_exemption() {
    let pair = Pair::start();
    for value in ["true", "database", "on", "1"] {
        let mut proxied = Raw::open(pair.proxy.port());
        let mut out = Vec::new();
        let parameters = [("user", "postgres"), ("database", "shop"), ("replication", value)];
        startup::write_session(&mut out, Version::V3_0, parameters.into_iter());
        proxied.send(&out);
        assert_eq!(proxied.until_closed()[0].field(b'C'), "0A000", "{value}");
    }
}

#[test]
fn encryption_that_is_not_to_be_had_is_declined() {
    let pair = Pair::start();
    let mut raw = Raw::open(pair.proxy.port());
    for code in [startup::GSSENC_REQUEST, startup::SSL_REQUEST] {
        let mut out = Vec::new();
        startup::write_request(&mut out, code);
        raw.send(&out);
        let mut answer = [0];
        raw.tcp.read_exact(&mut answer).unwrap();
        assert_eq!(answer, *b"N");
    }
    let mut out = Vec::new();
    startup::write_session(&mut out, Version::V3_0, [("user", "postgres"), ("database", "shop")].into_iter());
    raw.send(&out);
    raw.until_ready();
}
