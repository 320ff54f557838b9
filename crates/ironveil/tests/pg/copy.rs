//! COPY both ways, in both protocols and in every format.

use crate::harness::{CANARY, Pair};
use crate::raw::{Raw, rows, tags};

#[test]
fn copy_out_and_in_by_simple_query() {
    let pair = Pair::start();
    let mut proxied = Raw::connect(pair.proxy.port());
    let seen = proxied.query("copy (select id, label from items order by id) to stdout");
    assert_eq!(tags(&seen), "HdddddcCZ");
    assert_eq!(seen[1].body, b"1\titem1\n");
    copy_in(&mut proxied, "copy items from stdin", b"70\tseventy\t7\n");
    assert_eq!(
        rows(&proxied.query("select label from items where id = 70"))[0][0].as_deref(),
        Some("seventy")
    );
}

fn copy_in(proxied: &mut Raw, sql: &str, data: &[u8]) {
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
        group.copy_data(format!("{id}\tx\t1\n")).copy_done().sync();
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

/// Data that are hard to write in every format.
const AWKWARD: &str = "
    create table letters (id int primary key, email text, note text, n int generated always as (id * 2) stored);
    insert into letters (id, email, note) values
        (1, 'zqcanary1@mail.test', E'a\\tb\\nc\\\\d\"e,f'), (2, null, ''), (3, 'zqcanary3@mail.test', '\\N'),
        (4, E'zqcanary, \"q\"\\n@mail.test', E'\\\\.'), (5, '', null), (6, 'zqcanary6@mail.test', E'\\b\\f\\r\\v;|''');
    create table arrived (id int, email text, note text)";

fn copied(client: &mut Raw, sql: &str) -> Vec<u8> {
    let replies = client.query(sql);
    assert!(replies[0].tag == 'H', "{sql}: {replies:?}");
    replies.iter().filter(|reply| reply.tag == 'd').flat_map(|reply| reply.body.clone()).collect()
}

/// What COPY sends in any format holds what SELECT shows: the server that reads it back is the judge.
#[test]
fn copies_of_masked_tables_hold_what_selects_show() {
    let rules = "\n  - { table: users, column: email, strategy: email }\n  - { table: letters, column: email, strategy: hash }";
    let pair = Pair::with(veil_testkit::PostgresOptions::default(), rules);
    pair.server.psql("shop", AWKWARD).unwrap();
    let (mut client, mut direct) = (Raw::connect(pair.proxy.port()), Raw::connect(pair.server.port()));
    let shown = rows(&client.query("select id, email, note from letters order by id"));
    assert!(shown.len() == 6 && !format!("{shown:?}").contains(CANARY));
    for options in [
        "",
        "(format text, delimiter '|', null 'nil')",
        "(format csv)",
        "(format csv, header, delimiter ';', quote '''', escape '\\', null 'N', force_quote *)",
        "(format csv, header true, force_quote (id))",
        "csv header null as ''",
        "delimiter ','",
        "(format binary)",
        "binary",
    ] {
        for what in [
            "letters",
            "letters (id, email, note)",
            "public.letters",
            "(select id, email, note from letters)",
            "(select id, coalesce(email, null) as x, note || '' from letters)",
            "(select a.id, a.email, a.note from (select id, email, note from letters) a order by 1)",
        ] {
            let data = copied(&mut client, &format!("copy {what} to stdout {options}"));
            let text = String::from_utf8_lossy(&data);
            assert!(!text.contains(CANARY), "{what} {options}: {text}");
            direct.query("truncate arrived");
            // What may be forced out cannot be forced in.
            let back = options.split(", force_quote").next().unwrap();
            let back = if back.len() < options.len() { format!("{back})") } else { back.to_owned() };
            copy_in(&mut direct, &format!("copy arrived from stdin {back}"), &data);
            let arrived = rows(&direct.query("select * from arrived order by id"));
            assert_eq!(arrived, shown, "{what} {options}");
        }
    }
    // Clean ones as they are, none at all, and what is computed.
    for (sql, expected) in [
        (
            "copy (select email from users where false) to stdout binary",
            &b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\xff\xff"[..],
        ),
        ("copy (select from letters limit 2) to stdout", b"\n\n"),
        ("copy (select upper(email), id from letters where id < 3) to stdout", b"\\N\t1\n\\N\t2\n"),
        ("copy (select id, label from items where id = 1) to stdout csv header", b"id,label\n1,item1\n"),
    ] {
        assert_eq!(copied(&mut client, sql), expected, "{sql}");
    }
    let seen = client.group(|g| g.parse("", "copy letters to stdout").bind("", "").execute("", 0));
    assert!(tags(&seen).ends_with("HddddddcCZ") && !format!("{seen:?}").contains("7a716361"), "{seen:?}");
}
