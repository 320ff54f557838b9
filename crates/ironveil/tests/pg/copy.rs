//! COPY of what is not masked, both ways and in both protocols; the rest is refused (see `gate`).

use crate::harness::Pair;
use crate::raw::{Raw, rows, tags};

#[test]
fn copy_out_and_in_by_simple_query() {
    let pair = Pair::start();
    let mut proxied = Raw::connect(pair.proxy.port());
    let seen = proxied.query("copy (select id, label from items order by id) to stdout");
    assert_eq!(tags(&seen), "HdddddcCZ");
    assert_eq!(seen[1].body, b"1\titem1\n");
    copy_in(&mut proxied, "copy items from stdin", "70\tseventy\t7\n");
    assert_eq!(
        rows(&proxied.query("select label from items where id = 70"))[0][0].as_deref(),
        Some("seventy")
    );
}

fn copy_in(proxied: &mut Raw, sql: &str, data: &str) {
    let mut out = Vec::new();
    veil_wire::pg::command::write_query(&mut out, sql.as_bytes());
    proxied.send(&out);
    assert_eq!(proxied.next().unwrap().tag, 'G');
    let mut group = crate::raw::Group(Vec::new());
    group.copy_data(data).copy_done();
    proxied.send(&group.0);
    assert_eq!(tags(&proxied.until_ready()), "CZ");
}

/// Drivers send Sync right behind Execute; the server ignores it, and so must the proxy's books.
#[test]
fn a_sync_inside_copy_is_not_counted() {
    let pair = Pair::start();
    let mut proxied = Raw::connect(pair.proxy.port());
    for id in [80, 81] {
        let mut group = crate::raw::Group(Vec::new());
        group.parse("", "copy items from stdin").bind("", "").execute("", 0).sync();
        proxied.send(&group.0);
        let start: String = std::iter::from_fn(|| proxied.next()).map(|r| r.tag).take(3).collect();
        assert_eq!(start, "12G");
        let mut group = crate::raw::Group(Vec::new());
        group.copy_data(&format!("{id}\tx\t1\n")).copy_done().sync();
        proxied.send(&group.0);
        assert_eq!(tags(&proxied.until_ready()), "CZ");
    }
    let seen = proxied.group(|g| g.parse("", "select count(*) from items").bind("", "").execute("", 0));
    assert_eq!(rows(&seen)[0][0].as_deref(), Some("7"));
}

#[test]
fn an_error_in_the_data_leaves_the_session_usable() {
    let pair = Pair::start();
    let mut proxied = Raw::connect(pair.proxy.port());
    for extended in [false, true] {
        let mut group = crate::raw::Group(Vec::new());
        if extended {
            group.parse("", "copy items from stdin").bind("", "").execute("", 0);
        } else {
            veil_wire::pg::command::write_query(&mut group.0, b"copy items from stdin");
        }
        for _ in 0..1000 {
            group.copy_data("not a number\tx\t1\n");
        }
        group.copy_done();
        if extended {
            group.sync();
        }
        proxied.send(&group.0);
        let seen = proxied.until_ready();
        assert!(tags(&seen).ends_with("EZ"), "{}", tags(&seen));
        assert_eq!(tags(&proxied.query("select 1")), "TDCZ");
    }
}
