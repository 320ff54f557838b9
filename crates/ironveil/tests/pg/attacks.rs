//! Ways round the mask that once worked. Each stays closed.

use std::time::Duration;

use veil_wire::pg::command;

use crate::harness::{CANARY, Pair};
use crate::raw::{Group, Raw, rows, tags};

/// A server with things that an attacker would like to find.
fn pair() -> Pair {
    let pair = Pair::start();
    pair.server
        .psql(
            "shop",
            "create function getmail(int) returns text language sql as 'select email from users where id = $1';
             create function mailof(items) returns text language sql as 'select email from users where id = $1.id';
             create table ruled (id int);
             create rule r as on insert to ruled do instead select lower(email) from users;
             create table orgs (id int primary key);
             create table staff (id int, org int not null references orgs on delete set null on update cascade, ssn text, check (org > 0));
             insert into orgs values (1); insert into staff values (1, 1, 'zqcanary');
             create table tenants (t int, ssn text, unique (t, ssn) deferrable initially deferred);
             insert into tenants values (1, 'zqcanary'), (2, 'zqcanary');
             create table part (a int) partition by list (a);
             create table part1 partition of part for values in (1);
             create function shout() returns trigger language plpgsql as
                 $$ begin raise notice '%', (select email from users limit 1); return new; end $$;
             create trigger t before insert on part1 for each row execute function shout();
             create function label(int) returns text language sql as 'select email from users where id = $1';
             create view my_settings as select * from pg_settings;
             create table late (id int); insert into late values (1); alter table late add ssn text default 'zqcanary';
             create table copied (a int); create trigger t before insert on copied for each row execute function shout()",
        )
        .unwrap();
    // Names that newer servers reserve exist on older ones only.
    for older in [
        "create function json_query(jsonb, text) returns text language sql as 'select email from users limit 1'",
        "create table system_user (id int, ssn text); insert into system_user values (1, 'zqcanary')",
    ] {
        if let Err(error) = pair.server.psql("shop", older) {
            eprintln!("not on this server: {error:#}");
        }
    }
    pair
}

#[track_caller]
fn silent(raw: &Raw) {
    silent_after("", raw);
}

#[track_caller]
fn silent_after(sql: &str, raw: &Raw) {
    assert!(
        !String::from_utf8_lossy(&raw.seen).to_lowercase().contains(CANARY),
        "a value came through: {sql}"
    );
}

#[test]
fn statements_that_hide_where_a_value_comes_from() {
    let pair = pair();
    for sql in [
        "select ('select to_tsvector(email) from users'::text).ts_stat",
        "select (1).getmail",
        "select current_setting(email) from users where id = 1",
        "select set_config(email, 'x', false) from users where id = 1",
        "select pg_get_object_address('function', array[email], '{}') from users where id = 1",
        "select pg_get_object_address('operator', array[email], '{int4,int4}') from users where id = 1",
        "select email::regclass, email::regtype from users where id = 1",
        "select x25::text from pg_attribute a(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, x16, x17, \
         x18, x19, x20, x21, x22, x23, x24, x25) where x25 is not null",
        "select x25::text from (pg_attribute cross join (select) z) j(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, \
         x13, x14, x15, x16, x17, x18, x19, x20, x21, x22, x23, x24, x25) where x25 is not null",
        "select (id).getmail from items",
        "select i.mailof from items i",
        "select (i).mailof from items i",
        "copy (select i.mailof from items i) to stdout",
        "prepare s (text) as select $1; execute s((1).getmail)",
        "update users as excluded set note = excluded.email; select note from users",
        "update items i set label = excluded.email from users excluded where excluded.id = i.id; select * from items",
        "select json_query('1'::jsonb, '$')",
        "insert into ruled values (1)",
        "delete from orgs where id = 1",
        "update orgs set id = -5 where id = 1",
        "update tenants set t = 1; select 1",
        "insert into part values (1)",
        "update pg_settings set setting = 'off' where name = 'standard_conforming_strings'",
        "update pg_attribute set attname = 'x' where attname = 'email'",
        "prepare z as select id, email as e into foo from users; execute z; select * from foo",
        "create table foo as select email from users; select * from foo",
        "select lower(ssn) from system_user",
        "copy (select * from system_user) to stdout",
        "insert into items (id, label) select id + 900, ssn from system_user; select * from items",
        "select (1).label from items",
        "select q.getmail from generate_series(1, 1) q",
        "select q.getmail from items i, lateral unnest(array[i.id]) q",
        "select q.mailof from (select id, label, n from items) q",
        "with s as (select 1 id, 'a'::text as label, 1 n) select s.mailof from s",
        "with items as (select 1) update items set label = label returning items.mailof",
        "with items as (select 1) delete from items where id = 2 returning items.mailof",
        "with items as (select 1) insert into items as t values (91, 'a') returning t.mailof",
        "select (id).label from items",
        "select lower(ssn) from late where not exists (with late as (select 1) select 1 where false)",
        "update my_settings set setting = 'off' where name = 'standard_conforming_strings'",
        "select attmissingval from pg_attribute where atthasmissing",
        "select * from pg_attribute where atthasmissing",
        "select a from pg_attribute a where atthasmissing",
        "select a.to_json from pg_attribute a where atthasmissing",
        "select row(a.*), to_jsonb(a.*) from pg_attribute a where atthasmissing",
        "select x::text from (select * from pg_attribute where atthasmissing) x",
        "copy pg_attribute to stdout",
        "copy pg_attribute (attname, attmissingval) to stdout",
        // What is computed, under names that something else has.
        "select (row(id, email, 1)::items).* from users",
        "select (json_populate_record(null::items, json_build_object('label', email))).* from users, items",
        "select (json_each_text(to_json(x))).* from (select email from users) x, (select 'a' as key, 'x' as value) q",
        "update users set note = note where id = 1 returning (row(id, email, 1)::items).*",
        "select x.row_to_json from (select email from users) x, (select 1 as row_to_json) y",
        "select c.row_to_json from users c where exists (select from (select 1 as row_to_json) c)",
        "select * from (select c.to_jsonb from users c) x, (select 1 as to_jsonb) y",
        "select xmltable.label from xmltable('/x' passing (select xmlelement(name x, email) from users where id = 1) \
         columns label text path '.') where exists (select from items xmltable)",
        "select json_to_record.label from json_to_record((select json_build_object('label', email) from users where id = 1)) \
         as (label text) where exists (select from items json_to_record)",
        "select system_user || '' from (select email as \"system_user\" from users) q",
        "update users set note = note where id = 1 returning old::text, exists (select from (select 1 as old) x)",
        "select o.label || '' from users c(id, label) join (select email as label from users) d using (label) as o \
         where exists (select from items o)",
        "select note from (select note from users union select email || '' from users) d",
        "with recursive r as (select id, note from users union all select id, email || '' from users) select note from r",
        "select upper(a) from users u (id, a)",
        "select concat(note) from (select email as note from users) d",
        "select d.note || '' from (select note, email from users) d (email, note)",
        "select label || '' from user_view",
        "select id from users, unnest(array[email]) as id",
        "select string_agg(e, ',') from (select email e from users) d",
    ] {
        let mut raw = Raw::connect(pair.proxy.port());
        raw.query(sql);
        let later = raw.query("rollback; select note from users; select * from items");
        assert!(tags(&later).contains('D') || tags(&later).contains('E'));
        silent_after(sql, &raw);
    }
}

/// The server calls the functions of casts where no statement shows it.
#[test]
fn casts_of_users() {
    let pair = Pair::start();
    pair.server
        .psql(
            "shop",
            "create type odd as (x text);
             create function to_odd(int) returns odd language sql as 'select row(email)::odd from users where id = $1';
             create cast (int as odd) with function to_odd(int) as assignment;
             create table hasodd (id int, o odd)",
        )
        .unwrap();
    for sql in [
        "select 1::odd",
        "select (2::odd).x",
        "select (array[1]::_odd)[1]",
        "insert into hasodd values (1, 5) returning o",
        "copy (select 1::odd) to stdout",
        "copy items to stdout",
    ] {
        let mut raw = Raw::connect(pair.proxy.port());
        raw.query(sql);
        raw.query("select o from hasodd");
        silent_after(sql, &raw);
    }
}

#[test]
fn names_that_the_server_cuts() {
    let pair = Pair::start();
    let mut raw = Raw::connect(pair.proxy.port());
    let name = "x".repeat(63);
    raw.group(|g| g.parse(&name, "select label from items").describe_statement(&name));
    raw.group(|g| g.close_statement(&format!("{name}y")));
    raw.group(|g| g.parse(&format!("{name}z"), "select email, upper(email) from users"));
    let seen = raw.group(|g| g.bind("", &name).execute("", 0));
    assert!(rows(&seen).iter().all(|row| row[1].is_none()));
    silent(&raw);
}

/// The description of EXECUTE and FETCH is that of what went by the name when they were bound.
#[test]
fn a_described_execute_of_a_statement_that_was_replaced() {
    let pair = Pair::start();
    for (first, run, second) in [
        (
            "prepare s as select label from items",
            "execute s",
            "deallocate s; prepare s as select email from users",
        ),
        (
            "declare c cursor for select label from items",
            "fetch all c",
            "close c; declare c cursor for select email from users",
        ),
    ] {
        let mut raw = Raw::connect(pair.proxy.port());
        raw.query(&format!("begin; {first}"));
        raw.group(|g| g.parse("e", run).bind("p", "e").describe_portal("p"));
        raw.query(second);
        let mut group = Group(Vec::new());
        group.execute("p", 0).sync();
        raw.send(&group.0);
        while raw.next().is_some_and(|reply| reply.tag != 'Z') {}
        silent(&raw);
    }
    // Without a trick it works.
    let mut raw = Raw::connect(pair.proxy.port());
    raw.query("prepare s as select label from items");
    let seen = raw.group(|g| g.parse("e", "execute s").bind("p", "e").describe_portal("p").execute("p", 0));
    assert_eq!(rows(&seen).len(), 5);
}

#[test]
fn commands_in_place_of_copy_data() {
    let pair = Pair::start();
    for waits in [false, true] {
        let mut raw = Raw::connect(pair.proxy.port());
        raw.query("select 1");
        let mut group = Group(Vec::new());
        command::write_query(&mut group.0, b"copy items (id, label) from stdin");
        if waits {
            raw.send(&group.0);
            assert_eq!(raw.next().unwrap().tag, 'G');
            group.0.clear();
        }
        group.copy_data("notint\tx\n").sync();
        for sql in ["select lower(email) from users", "select label from items", "select label from items"] {
            command::write_query(&mut group.0, sql.as_bytes());
        }
        raw.send(&group.0);
        raw.until_closed();
        silent(&raw);
    }
}

/// Each COPY of a simple query is a conversation of its own.
#[test]
fn two_copies_in_one_query() {
    let pair = Pair::start();
    let two = b"copy items from stdin; copy items from stdin";
    let mut raw = Raw::connect(pair.proxy.port());
    let mut group = Group(Vec::new());
    command::write_query(&mut group.0, two);
    group.copy_data("800\tx\t1\n").copy_done().copy_data("801\tx\t1\n").copy_done();
    command::write_query(&mut group.0, b"select count(*) from items");
    raw.send(&group.0);
    assert_eq!(tags(&raw.until_ready()), "GCGCZ");
    assert_eq!(rows(&raw.until_ready())[0][0].as_deref(), Some("7"));

    let mut raw = Raw::connect(pair.proxy.port());
    let mut group = Group(Vec::new());
    command::write_query(&mut group.0, two);
    group.copy_done().sync().copy_done();
    command::write_query(&mut group.0, b"select 1/0");
    command::write_query(&mut group.0, b"select lower(email), email from users");
    command::write_query(&mut group.0, b"select label from items");
    raw.send(&group.0);
    assert_eq!(tags(&raw.until_ready()), "GCGCZ");
    assert_eq!(tags(&raw.until_ready()), "EZ");
    assert!(rows(&raw.until_ready()).iter().all(|row| row[0].is_none()));
    silent(&raw);
}

/// A COPY may fail before it has read what was sent behind it.
#[test]
fn a_copy_that_fails_at_once() {
    let pair = Pair::start();
    for _ in 0..20 {
        let mut raw = Raw::connect(pair.proxy.port());
        let mut group = Group(Vec::new());
        group.parse("", "copy items from stdin with (freeze)").bind("", "").execute("", 0).sync();
        raw.send(&group.0);
        while raw.next().unwrap().tag != 'E' {}
        assert_eq!(tags(&raw.until_ready()), "Z");

        let mut group = Group(Vec::new());
        group.parse("", "copy items from stdin with (freeze)").bind("", "").execute("", 0).sync();
        command::write_query(&mut group.0, b"select lower(email) from users");
        group.sync();
        command::write_query(&mut group.0, b"select label from items");
        command::write_terminate(&mut group.0);
        raw.send(&group.0);
        raw.until_closed();
        silent(&raw);
    }
}

/// Columns that are called like functions are columns.
#[test]
fn columns_named_like_functions_are_shown() {
    let pair = Pair::start();
    pair.server
        .psql(
            "shop",
            "create function label(int) returns text language sql as 'select email from users where id = $1';
             create function mailof(items) returns text language sql as 'select email from users where id = $1.id';
             create table goods (id int, label text, name text, \"time\" int);
             insert into goods values (1, 'a', 'b', 2)",
        )
        .unwrap();
    let mut raw = Raw::connect(pair.proxy.port());
    for sql in [
        "select g.label, g.name, g.\"time\" + 1 from goods g join items i on i.id = g.id",
        "with x as (select id, label from goods) select x.label from x",
        "select x.label || '!' from (select label from goods) x",
        "select g.label from goods g join users u on u.id = g.id",
        "select g.label from goods g where exists (select 1 from users where users.id = g.id)",
    ] {
        let seen = raw.query(sql);
        assert!(rows(&seen)[0].iter().all(Option::is_some), "{sql}: {seen:?}");
    }
}

#[test]
fn notices_of_triggers_that_a_statement_does_not_name() {
    let pair = pair();
    let mut raw = Raw::connect(pair.proxy.port());
    raw.query("insert into part values (1)");
    let mut group = Group(Vec::new());
    command::write_query(&mut group.0, b"copy copied from stdin");
    group.copy_data("1\n").copy_done();
    raw.send(&group.0);
    assert_eq!(tags(&raw.until_ready()), "GCZ");
    silent(&raw);
}

/// After COPY, and in pieces, a statement that has the catalog read first is answered all the same.
#[test]
fn the_catalog_is_read_between_any_statements() {
    let pair = Pair::start();
    let mut raw = Raw::connect(pair.proxy.port());
    let mut group = Group(Vec::new());
    command::write_query(&mut group.0, b"copy items from stdin");
    group.copy_data("700\tx\t1\n").copy_done();
    raw.send(&group.0);
    raw.until_ready();
    std::thread::sleep(Duration::from_millis(1100));
    assert!(tags(&raw.query("select 1 from nowhere")).contains('E'));
    std::thread::sleep(Duration::from_millis(1100));
    let long = format!("select 1 from nowhere where '{}' = ''", "x".repeat(100_000));
    assert!(tags(&raw.query(&long)).contains('E'));
    std::thread::sleep(Duration::from_millis(1100));
    let mut group = Group(Vec::new());
    for _ in 0..500 {
        command::write_query(&mut group.0, b"select 1 from nowhere2");
    }
    raw.send(&group.0);
    (0..500).for_each(|_| drop(raw.until_ready()));
}

/// The proxy's own reading does not end what the server skips.
#[test]
fn an_error_is_skipped_up_to_the_clients_own_sync() {
    let pair = Pair::start();
    let mut raw = Raw::connect(pair.proxy.port());
    raw.query("select 1");
    let mut group = Group(Vec::new());
    group.parse("", "selec").flush();
    command::write_query(&mut group.0, b"select 1");
    raw.send(&group.0);
    assert_eq!(raw.next().unwrap().tag, 'E');
    std::thread::sleep(Duration::from_millis(1100));
    let seen = raw.group(|g| g.parse("", "select id from nowhere").bind("", "").execute("", 0));
    assert_eq!(tags(&seen), "Z");
}

#[test]
fn a_session_whose_catalog_cannot_be_read_is_closed() {
    let pair = Pair::start();
    let mut raw = Raw::connect(pair.proxy.port());
    let seen = raw.group(|g| g.parse("ironveil_catalog", "select 1"));
    assert_eq!(seen[0].field(b'C'), "42602");
    raw.query("set statement_timeout = '1ms'");
    pair.server.psql("shop", "alter table items add secret_ssn text default 'zqcanary'; alter table items add ssn text default 'zqcanary'").unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    raw.query("select 1 from nowhere");
    raw.query("select ssn from items");
    silent(&raw);
}

#[test]
fn a_client_that_sends_no_more_still_reads_its_answer() {
    let pair = Pair::start();
    let mut raw = Raw::connect(pair.proxy.port());
    let mut out = Vec::new();
    command::write_query(&mut out, b"select pg_sleep(0.3), 7");
    raw.send(&out);
    raw.tcp.shutdown(std::net::Shutdown::Write).unwrap();
    let seen = raw.until_closed();
    assert_eq!(rows(&seen)[0][1].as_deref(), Some("7"));
}

#[test]
fn long_user_and_database_names_are_refused() {
    let pair = Pair::start();
    let mut raw = Raw::open(pair.proxy.port());
    let mut out = Vec::new();
    let long = "u".repeat(64);
    let parameters = [("user", long.as_str()), ("database", "shop")];
    veil_wire::pg::startup::write_session(
        &mut out,
        veil_wire::pg::startup::Version::V3_0,
        parameters.into_iter(),
    );
    raw.send(&out);
    assert_eq!(raw.until_closed()[0].field(b'C'), "42622");
}

/// A rule for a database holds under every name that clients may give it.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_by_another_name() {
    let server = crate::harness::sample_server(veil_testkit::PostgresOptions::default());
    let config = format!(
        "databases: [{{ name: '*', upstream: 'postgres://127.0.0.1:{}/shop' }}]\n\
         rules: [{{ database: shop, table: users, column: email, strategy: email }}]\n",
        server.port()
    );
    let proxy = crate::harness::Proxy::start(&config);
    for name in ["shop", "anything"] {
        let client = crate::harness::connect(proxy.port(), name).await;
        let seen = crate::masking::simple(&client, "select email, upper(email) from users limit 1").await;
        assert!(
            seen[0][1].is_none() && seen[0][0].as_ref().is_some_and(|mask| mask.contains("@example.")),
            "{name}"
        );
    }
}

/// The answer to a description that the proxy asked for itself is not for the client; an error is.
#[test]
fn an_execute_of_nothing_is_an_error() {
    let pair = Pair::start();
    let mut raw = Raw::connect(pair.proxy.port());
    let seen = raw.group(|g| g.execute("nothing", 0));
    assert_eq!((tags(&seen).as_str(), seen[0].field(b'C').as_str()), ("EZ", "34000"));
    let mut group = Group(Vec::new());
    group.execute("nothing", 0).flush();
    raw.send(&group.0);
    assert_eq!(raw.next().unwrap().tag, 'E');
}

#[test]
fn names_that_sql_gives_back_are_forgotten() {
    let pair = Pair::start();
    let mut raw = Raw::connect(pair.proxy.port());
    for round in 0..40 {
        let mut group = Group(Vec::new());
        for i in 0..500 {
            let free = match round % 3 {
                0 => format!("deallocate a{i}"),
                1 => "deallocate all".to_owned(),
                _ => "discard all".to_owned(),
            };
            command::write_query(&mut group.0, format!("prepare a{i} as select {round}").as_bytes());
            command::write_query(&mut group.0, free.as_bytes());
        }
        raw.send(&group.0);
        (0..1000).for_each(|_| assert!(tags(&raw.until_ready()).starts_with('C')));
    }
}
