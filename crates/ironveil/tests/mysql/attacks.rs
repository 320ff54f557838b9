//! Ways round the mask, one in a line. None may show a value; what is harmless beside them runs.

use mysql_async::prelude::Queryable;
use mysql_async::{Row, Value};
use veil_wire::mysql::capability as cap;

use crate::harness::{CANARY, Pair, flavours, of, text};
use crate::raw::Raw;

/// Everything that comes back from a text, results and errors, as one text.
async fn all(client: &mut mysql_async::Conn, sql: &str) -> String {
    let mut seen = String::new();
    match client.query_iter(sql).await {
        Err(error) => seen += &error.to_string(),
        Ok(mut result) => loop {
            match result.collect::<Row>().await {
                Err(error) => seen += &error.to_string(),
                Ok(rows) => {
                    for cell in rows.into_iter().flat_map(|row| row.unwrap_raw()).flatten() {
                        if let Value::Bytes(bytes) = cell {
                            seen += &String::from_utf8_lossy(&bytes);
                            seen.push('\n');
                        }
                    }
                }
            }
            if result.is_empty() {
                break;
            }
        },
    }
    seen
}

/// The marker, as it is, reversed, in upper case, in hexadecimal and in Base64 by each alignment.
fn shows_canary(text: &str) -> bool {
    // Wide letters have zeros between them.
    let text = text.replace('\0', "");
    let forms = [
        CANARY,
        "yranacqz",
        "ZQCANARY",
        "7A7163616E617279",
        "7a7163616e617279",
        "enFjYW5hcn",
        "pxY2FuYXJ5",
        "6cWNhbmFyeT",
    ];
    forms.iter().any(|form| text.contains(form))
}

/// What somebody who owns the database may have made.
const OBJECTS: &str = "
delimiter //
alter table users add column handle varchar(80) default (substring_index(email, '@', 1)) //
update users set handle = 'bob' //
create function boom(i int) returns int reads sql data begin
    declare v varchar(100);
    select max(email) into v from users;
    signal sqlstate '42S22' set mysql_errno = 1054, message_text = v;
    return i;
end //
create function rec(i int) returns int reads sql data begin set @seen = (select max(email) from users); return i; end //
create view vrec as select id, rec(id) r from items //
create table parts (id int, ssn varchar(20)) partition by list columns (ssn) (partition a values in ('a'), partition b values in ('zqcanary')) //
create table part (id int, ssn varchar(20)) //
insert into part values (1, 'zqcanary') //
";

/// A name that the server cuts to that of another column.
fn long_names(kept: usize) -> String {
    let (long, cut) = ("x".repeat(300), "x".repeat(kept));
    format!(
        "select (select `{cut}` from (select upper(max(email)) as `{long}` from users) d) z from (select 1 as `{cut}`) o"
    )
}

const CHANNELS: &[&str] = &[
    // Names.
    "select (select max(note) from (select name_const('note', 'a') union all select email from users) d) z from users",
    "select (select note from (select name_const('note', repeat('a', 9)) union all select email from users limit 1, 1) d) z from users",
    "select (select max(label) from (select name_const('label', '') union all select upper(email) from users) d) z from items",
    "select z from items join lateral (select max(label) z from (select name_const('label', '') union all select upper(email) from users) d) e",
    "select email as label from users as items",
    "select label from (select email as label from users) items",
    "select items.label from (select id, email as label, 1 as n from users) as items join items as i on i.id = items.id",
    "with items(label) as (select email from users) select * from items",
    "with recursive r as (select email as e, 1 as n from users union all select e, n + 1 from r where n < 2) select e from r",
    "select * from (select * from users) as u",
    "select u.email from users u, lateral (select u.email as x) l",
    "select x.label from (select email as label from users) x, (select label from items) y",
    "select email from users natural join orders",
    "select email label from users",
    "select email 'label' from users",
    "select `Email` from `users` `items`",
    "select shop . users . email from shop . users",
    "select*from users",
    "select all email from users",
    "select distinctrow email from users",
    "select sql_no_cache email from users",
    "select high_priority straight_join email from users",
    "select email from users for update",
    "select email from users partition (p0)",
    "select (select email from users limit 1)",
    "select (select group_concat(email) from users) as label from items",
    "values ((select email from users limit 1))",
    "table users",
    "select email from users union select label from items",
    "(select email from users) limit 1",
    "select email from users intersect select email from users",
    "select concat(day_hour.label) from (select upper(email) label from users) `day_hour`, items `DAY`",
    "select concat(year_month.label) from (select upper(email) label from users) `year_month`, items `DAY`",
    "select (select q from (select _utf8mb4'q' 'x' from dual where 0 union all (select upper(email) from users where id = 1)) d) from (select 'z' q) o",
    "select (select qx from (select _utf8mb4'q' 'x' from dual where 0 union all (select upper(email) from users where id = 1)) d) from (select 'z' qx) o",
    "select (select q from (select _utf8mb4 'q' /* x */ 'x' from dual where 0 union all (select upper(email) from users)) d limit 1) from (select 'z' q) o",
    "create table stolen (select label from items) union select email from users",
    "create table stolen (select label from items union select label from items) union all (select concat(email, '') from users)",
    "select * from stolen",
    "select upper(default(handle)), 1 + length(default(handle)) from users",
    "begin; update users set handle = default where id = 1; select handle from users; rollback",
    "begin; insert into users (id, email) values (1, 'x') on duplicate key update handle = default; select handle from users; rollback",
    "begin; update users set handle = upper(default(handle)) where id = 1; select handle from users; rollback",
    "with recursive r as (select cast('' as char(9)) x, 0 n union all select u.full_name, n + 1 from users u join r on n = 0) select x from r",
    // Expressions.
    "select reverse(email), hex(email), to_base64(email), upper(email) from users",
    "select concat_ws(',', id, email), email + 0, binary email, cast(email as char), convert(email using latin1) from users",
    "select if(1, email, ''), ifnull(email, ''), nullif(email, ''), coalesce(email), case when 1 then email end from users",
    "select max(email), min(email), group_concat(email), json_arrayagg(email), json_objectagg(id, email) from users",
    "select first_value(email) over (order by id), lag(email) over (order by id) from users",
    "select any_value(email), email collate utf8mb4_bin from users",
    "select twice from users",
    "select json_object('e', email), json_extract(profile, '$'), profile->'$', profile->>'$' from users",
    "select * from json_table((select json_arrayagg(email) from users), '$[*]' columns (e varchar(80) path '$')) j",
    "select email from users group by email with rollup",
    "select id, email from users order by email limit 1 offset 1",
    "select peek()",
    "select shop.peek() from items",
    // Stored flows.
    "insert into items select id + 100, email, 1 from users",
    "insert into items (id, label) values (200, (select email from users limit 1))",
    "insert into items (id, label) values (1, 'x') on duplicate key update label = (select email from users limit 1)",
    "replace into items select id + 100, email, 1 from users",
    "update items set label = (select email from users limit 1)",
    "update items i join users u on u.id = i.id set i.label = u.email",
    "update users set note = email",
    "update users set note = concat(email, '')",
    "insert into users (id, note) values (1, 'x') on duplicate key update note = email",
    "insert into users (id, email, note) values (77, 'a', email)",
    "create table copy as select email from users",
    "create temporary table items as select id, email as label, 1 as n from users",
    "create view v as select email from users",
    "alter table users rename column email to plain",
    "create or replace view item_view as select id, email as label from users",
    "select email into @a from users limit 1; select @a",
    "select @a := email from users; select @a",
    "set @a = (select email from users limit 1); select @a",
    "select email from users into outfile '/tmp/ironveil_attack'",
    "select email from users limit 1 into dumpfile '/tmp/ironveil_attack'",
    "do @a := (select email from users limit 1); select @a",
    "call show_emails()",
    "insert into items (id, label) values (300, peek())",
    "select last_insert_id(age) from users; select last_insert_id()",
    "prepare s from 'select email from users'; execute s",
    "set @q = 'select email from users'; prepare s from @q; execute s",
    "execute immediate 'select email as label from users'",
    "execute immediate concat('select ', 'email from users')",
    "prepare s from 'set @b = (select email from users limit 1)'; execute s; select @b",
    "handler users open; handler users read first; handler users close",
    "handler users open as items; handler items read first",
    "begin not atomic select email from users; end",
    "load data infile '/etc/hostname' into table items (label)",
    "select load_file('/etc/hostname')",
    // Errors and warnings.
    "insert into users (id, email) values (78, 'zqcanary1@mail.test')",
    "insert into users (id, email) select 79, email from users limit 1",
    "update users set email = 'zqcanary2@mail.test' where id = 1",
    "select extractvalue(1, concat(0x7e, email)) from users",
    "select updatexml(1, concat(0x7e, email), 1) from users",
    "select count(*), concat(email, floor(rand(0) * 2)) x from users group by x",
    "select cast(email as signed) from users; show warnings",
    "select email + 0 from users; show warnings",
    "select date(email), time(email), json_extract(email, '$') from users; show warnings; show errors",
    "select st_geomfromtext(email) from users",
    "select exp(1000) from users where email like 'zq%'",
    "signal sqlstate '45000' set message_text = @a",
    "get diagnostics condition 1 @m = message_text; select @m",
    "show errors",
    // Descriptions and statistics.
    "explain select * from users where email = 'zqcanary1@mail.test'",
    "explain extended select email from users where id = 1; show warnings",
    "analyze format=json select email from users",
    "explain format=json select * from (select email from users limit 1) x",
    "explain format=json select note from users where id = 1 and note > email",
    "explain format=tree select note from users where id = 1 and note > email",
    "explain analyze select note from users where id = 1 and note > email",
    "set explain_format = 'json'; explain select note from users where id = 1 and note > email; show warnings",
    "explain update users set note = note where id = 1 and note > email; show warnings",
    "show full processlist",
    "show engine innodb status",
    "show binlog events",
    "show create procedure show_emails",
    "show table status like 'users'",
    "select * from information_schema.processlist",
    "select * from performance_schema.events_statements_history",
    "select * from mysql.column_stats",
    "select * from information_schema.column_statistics",
    "select * from mysql.general_log",
    "select * from sys.statement_analysis",
    "select * from information_schema.user_variables",
    "show tables where (select email from users limit 1) like 'zq%'",
    // Comments and modes.
    "select /*!50000 email */ from users",
    "select note /*!50000 , email */ from users",
    "select note /*!99999 , email */ from users",
    "select note /*M!100000 , email */ from users",
    "select --/*!50000 1*/ '\n concat(email) from users -- '",
    "select --/*!99999 1*/ '\n concat(email) from users -- '",
    "show tables where (@a := peek()); select @a",
    "show variables where extractvalue(1, concat(0x7e, peek()))",
    "select `max`(email) from users",
    "update users set note = note where id = 1; select @trg",
    "select cast(email as signed) from users; select 1; show warnings",
    "prepare s from 'select concat(email, 1) from users'; use mysql; execute s",
    "prepare `s ` from 'select concat(email, 1) from users'; execute s",
    "set global init_connect = 'set @ic = 1'",
    "select concat(ssn, '') from fresh where exists (with fresh as (select 1) select 1 from fresh)",
    "select * from users join tt using (id)",
    "select/**/email/**/from/**/users",
    "select email -- from items\nfrom users",
    "select email # from items\nfrom users",
    "set sql_mode = 'ANSI_QUOTES'; select \"email\" from users",
    "set sql_mode = 'ORACLE'; select email from users",
    "set sql_select_limit = 1; select upper(email) from users",
    "set statement sql_mode = 'ANSI_QUOTES' for select \"email\" from users",
    "use information_schema; select email as table_name from shop.users as tables",
    "select 1; select email from users; select label from items",
    // Names that mean something else than they seem to.
    "select email as note, (select note) from users",
    "select upper(email) as label, (select label) from users, (select 1) d",
    "select d.note from (select email as note, note as email from users) d",
    "select concat(d.note) from (select email as note, note as email from users) d",
    "select u.note from (select concat(email) note from users) u, users",
    "select orders.id from (select concat(email) as id from users) as orders",
    "select (select concat(shop.items.label) from (select 1) t limit 1) from users as items",
    "select (select shop.orders.note from users as orders limit 1) from orders",
    "select (select concat(shop.orders.id) from (select email id from users) as orders limit 1) from orders",
    "with users as (select concat(email) note from users) select note from users",
    "with USERS as (select label note, label email from items) select concat(email) from users",
    "with a as (select label x from items), A as (select concat(email) x from users) select x from a",
    "with recursive a as (select note from users union select email from users) select concat(note) from a",
    "with recursive a as (select id, cast(label as char(90)) x, cast(label as char(90)) y from items union select id, y, \
     (select email from users limit 1) from a) select concat(x), id from a",
    "with a as (select label x from items) select * from (with a as (select concat(email) x from users) select x from a) d",
    "with a as (select label x from items) select (with a as (select email x from users) select concat(max(x)) from a)",
    "select concat(x) from (select label x from items where 0 union select email from users) d",
    "select concat(x) from (select label x from items union (select 'a' union select email from users)) d",
    "select concat(label) from items right join (select email as label from users) u using (label)",
    "select * from items natural right join (select email label from users) u",
    "select concat(label) from items natural right join (select email label from users) u",
    "select concat(first_value(email) over w) from users window w as (order by id)",
    "select lag(label, 1, (select concat(email) from users limit 1)) over (order by id) from items",
    "select coalesce(null, email, ssn), if(email like 'z%', label, 'no'), greatest(email, label) from users, items",
    "select concat(u.id) from (select email, note, id from users) u(id, a, b)",
    "select x from (select count(*) c, concat(max(email)) x from users) d",
    "insert into items (id, label) select 910, email from users where id = 1",
    "insert into items (id, label) select 911, x from (select email x from users where id = 1) d",
    "insert into items (id, label) select id, note from users on duplicate key update label = email",
    "insert into items (id, label) select 912, max(email) from users",
    "select substr(x, 1, 40) from (select * from user_view) as d(i, x, n)",
    "select concat(label) from (select * from user_view) d",
    "select upper(d.note) from (select * from tt) d",
    "table user_view",
    "select concat(a.b) from (select 1 a, 2 b) c, (select email b from users) a",
    "select (select e.email from information_schema.engines e limit 1) from users e",
    "insert into items (id, label) select 913, concat(e.email) from users c join (select e.id i, (select e.email from \
     information_schema.engines e limit 1) email from users e) e on e.i = c.id where c.id = 1",
    "select `@@x` from (select concat(email) as `@@x` from users) t",
    "update items, (select concat(email) as `@x` from users limit 1) d set label = `@x`",
    "select text 'a' from (select concat(email) as text from users) t",
    "select json 'a', concat(_x 'a') from (select concat(email) as json, concat(email) as _x from users) t",
    "select _x 'a' from (select concat(email) as _x from users) t",
    "select (select label from (select label collate utf8mb4_bin from (select 'x' as label) m) d) from \
     (select concat(email) as label from users) o",
    "select (select t.email from (select 1 as email) T) from users t",
    "prepare s from 'select (select `a\\%`.x from (select 1 x) as `a%`) from (select upper(email) x from users) as `a\\%`'; execute s",
    "select (select x from (select upper(email) as ` x` from users limit 1) i) from (select 'a' as x) o",
    "select (select x from (select upper(email) as `\tx` from users limit 1) i) from (select 'a' as x) o",
    "select _gb18030 'a' from (select upper(email) as _gb18030 from users limit 1) t",
    "select (select x from dual) from (select upper(email) x from users limit 1) d",
    "select (select `ა` from (select 1 as `Ა`) d) v from (select concat(email) as `ა` from users) t",
    "with recursive r as (with items as (select upper(max(email)) label, 1 id, 1 n from users) select * from items) select label from r",
    "with recursive o as (select 'x' as b, 'y' as a), r as (with o as (select upper(email) as a, note as b from users limit 9) select * from o) select a from r",
    "with o as (select upper(max(email)) as a from users), r as (with o as (select 'y' as a) select a from o) select a from r",
    "insert into items (id, label) with o as (select max(email) as a from users), r as (with o as (select 'y' as a) select a from o) select 914, a from r",
    "with items (email, label) as (select 1, 2) select * from (with q as (select upper(users.email) e from users) select * from q) d",
    "with users (email, note) as (select 1, 2) select * from (with q as (select elt(1, b.email, b.note) e from users as b) select e from q) d",
    "with users (email) as (select 'x') select * from items cross join (with q as (select concat(email) e from users) select e from q) d",
    "with users as (select 1 as email), r as (with q as (select concat(email) e from users) select e from q) select * from r",
    "with users as (select 1 as email), r as (select concat(email) e from users) select * from r",
    "with users as (select 1 as email) select (select concat(email) from users limit 1) from items",
    "with users as (select 1 as email) select * from (select concat(email) e from users) d, (select concat(email) f from users) c",
    "select unique e from (select upper(email) e, 1 as `unique` from users) d",
    "select distinct sql_cache e from (select upper(max(email)) e, 1 as `sql_cache` from users) d",
    "select sql_cache e from (select 1 as e, upper(max(email)) as sql_cache from users) d",
    "select (select x from (select upper(max(email)) as 'x\\0y' from users) d) z from (select 1 as x) o",
    "set sql_mode = 'ANSI_QUOTES'; select @\"\\\", upper(email) as \", 1 as \" from shop.users as \", 1 as z -- \"",
    "set collation_connection = swe7_swedish_ci; set @a = 1; prepare s from 'select `, upper(email) from shop.users -- `'; execute s using @a",
    "set collation_connection = swe7_swedish_ci; execute immediate 'select `, upper(email) from shop.users -- `' using 1",
    "update users set note = note where id = 1; update users set note = @trg where id = 3; select note from users",
    "update users set note = note where id = 1; insert into users (id, note) values (3, 'q') on duplicate key update note = @trg; select note from users",
    "update users set note = note where id = 1; update items set label = @trg where exists (select 1 from users); select label from items",
    "update users set note = note where id = 1; prepare p from 'select ?, id from users'; execute p using @trg",
    "update users set note = note where id = 1; execute immediate 'select ? z, id from users' using @trg",
    "update users set note = coalesce(@trg, 'none') order by id; select note from users",
    "update users set note = note where id = 1; show variables where uuid_to_bin(@trg)",
    "update users set note = note where id = 1; show tables where st_geomfromtext('POINT(1 1)', 4326, @trg)",
    "update users set note = note where id = 1; set @b = @trg; select @b",
    "select default(email) from users",
    "select boom(1)",
    "select * from vrec; select @seen",
    "check table parts",
    "set @@persist_only.max_connections = 160",
    "select (select `ασ` from (select concat(email) as `ΑΣ` from users limit 1) d) v from (select 1 as `ασ`) t",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_channel_shows_a_value() {
    for flavour in flavours() {
        let pair = Pair::with(of(flavour), "");
        pair.server.sql("shop", OBJECTS).unwrap();
        // MariaDB validates.
        let _ = pair
            .server
            .sql("shop", "alter table parts exchange partition a with table part without validation");
        for sql in CHANNELS.iter().copied().chain([long_names(255).as_str(), &long_names(256)]) {
            let mut client = pair.client().await;
            let seen = all(&mut client, sql).await;
            assert!(!shows_canary(&seen), "{}: {sql}: {seen}", pair.server.version());
            // The same, one by one: several statements in a text may be refused as such.
            for part in sql.split(';') {
                let seen = all(&mut client, part).await;
                assert!(!shows_canary(&seen), "{}: {part}: {seen}", pair.server.version());
            }
            // Nothing was left where it can be read.
            for (after, count) in [
                ("select label from items", 3),
                ("select note from users", 3),
                ("select id, label from item_view", 3),
            ] {
                let _ = text(&mut client, "use shop").await;
                let _ = text(&mut client, "set sql_mode = '', sql_select_limit = default").await;
                let rows =
                    text(&mut client, after).await.unwrap_or_else(|error| panic!("{sql}: {after}: {error}"));
                assert!(rows.len() >= count, "{sql}: {after}");
                let seen = rows.iter().any(|row| crate::masking::holds_canary(row));
                assert!(!seen, "{sql}: {after}: {rows:?}");
            }
        }
        let leaked =
            pair.server.sql("shop", "select count(*) from items where label like '%zqcanary%'").unwrap();
        assert_eq!(leaked, "0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_in_another_case_is_the_same_where_the_server_has_it_so() {
    let settings = vec![("lower-case-table-names".to_owned(), "1".to_owned())];
    let options =
        veil_testkit::MySqlOptions { settings, flavour: Some(veil_testkit::Flavour::MariaDb10), ..of(None) };
    let pair = Pair::with(options, "");
    let mut client = pair.client().await;
    for sql in [
        "select email, note from USERS",
        "select Email, NOTE from Shop.Users",
        "select U.EMAIL, u.note from USERS u",
    ] {
        let rows = text(&mut client, sql).await.unwrap();
        assert!(
            !crate::masking::holds_canary(&rows[0])
                && rows[0][0] != Value::NULL
                && rows[0][1] == Value::from("note1"),
            "{sql}: {rows:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_may_change_under_a_session() {
    let pair = Pair::start();
    let mut client = pair.client().await;
    let sql = "select * from items";
    assert_eq!(text(&mut client, sql).await.unwrap()[0].len(), 3);
    // A column that a rule names comes, one goes, a table takes another's name: without a word to the proxy.
    pair.server
        .sql("shop", "alter table items add column ssn varchar(20) default 'zqcanary', drop column n")
        .unwrap();
    let rows = text(&mut client, sql).await.unwrap();
    assert!(!crate::masking::holds_canary(&rows[0]), "{rows:?}");
}

/// A function's own cursor leaves its mark in the status of a statement that has rows, and another follows.
#[test]
fn a_cursor_inside_a_function_is_none_of_the_clients() {
    for flavour in flavours() {
        let pair = Pair::with(of(flavour), "protection: { trusted_functions: [opens] }");
        let function = "create function by_cursor() returns varchar(90) deterministic reads sql data begin
                declare x varchar(90); declare c cursor for select email from users where id = 1;
                open c; fetch c into x; close c; return x; end //
            create procedure opens() begin declare c cursor for select label from items; open c; close c;
                select id, email from users order by id; end //";
        pair.server.sql("shop", &format!("delimiter //\n{function}\n//")).unwrap();
        for without in [0, cap::DEPRECATE_EOF] {
            let mut raw = Raw::connect(pair.proxy.port(), without);
            for sql in [
                "select x, 7 from (select by_cursor() x) t; select 1",
                "with c as (select by_cursor() x) select x from c; select 1",
                "select by_cursor() from items where id = length(by_cursor()) - 18; select 1",
                "call opens()",
            ] {
                let answers = raw.query(sql);
                assert!(answers.iter().all(|answer| answer.error.is_none()), "{sql}: {answers:?}");
                assert!(!shows_canary(&String::from_utf8_lossy(&raw.seen)), "{flavour:?}: {sql}");
            }
            let statement = raw.prepare("call opens()").unwrap().statement;
            raw.send(&crate::raw::execute_payload(statement, false));
            let answers = raw.answers();
            assert_eq!(answers[0].rows.len(), 3, "{answers:?}");
            assert!(!shows_canary(&String::from_utf8_lossy(&raw.seen)), "{flavour:?}");
        }
    }
}

/// What a value moves besides itself: the definition of its column, the count of warnings, the session's counters.
#[test]
fn what_stands_beside_a_value_does_not_tell_of_it() {
    for flavour in flavours() {
        let pair = Pair::with(of(flavour), "protection: { predicates: allow }");
        pair.server.sql("shop", "update users set note = 'zqcanary' where id = 1; update users set email = 'aaaa@x.test' where id = 2").unwrap();
        for without in [0, cap::DEPRECATE_EOF] {
            let mut raw = Raw::connect(pair.proxy.port(), without);
            for value in [
                "substr(repeat('b', 200), 1, (select ascii(email) from users where id = ID))",
                "round(1.2345, (select ascii(email) from users where id = ID) - 121)",
                "str_to_date('10:00:00', (select if(ascii(email) = 122, '%H:%i:%s', '%Y') from users where id = ID))",
                "(select concat_ws(1, 1 / (ascii(email) < 100), 1 / (ascii(email) > 5)) from users where id = ID)",
                "cast((select email from users where id = ID) as signed)",
            ] {
                let mut ask = |id: &str| {
                    let sql = format!("select {} as value", value.replace("ID", id));
                    let answer = raw.query(&sql).remove(0);
                    let (number, definitions) = match raw.prepare(&sql) {
                        Ok(prepared) => (prepared.statement, raw.definitions.clone()),
                        Err(error) => panic!("{sql}: {error:?}"),
                    };
                    let executed = raw.execute(number, false);
                    raw.send(&[&[25][..], &number.to_le_bytes()].concat());
                    (
                        answer.definitions,
                        answer.rows,
                        answer.warnings,
                        definitions,
                        executed.definitions,
                        executed.warnings,
                    )
                };
                assert_eq!(ask("1"), ask("2"), "{flavour:?}: {value}");
            }
            for sql in ["show warnings", "show count(*) warnings", "select @@warning_count"] {
                raw.query("select cast(email as signed) from users");
                let answer = raw.query(sql).remove(0);
                assert_eq!(answer.error.map(|error| error.0), Some(1227), "{sql}");
                raw.query("select cast(label as signed) from items");
                assert!(raw.query(sql).remove(0).error.is_none(), "{sql}");
            }
            for (sql, counts) in [
                ("show session status like 'Bytes_sent'", false),
                ("show status", false),
                ("show global status like '%sent'", false),
                ("show status like 'Threads_connected'", true),
            ] {
                let rows = raw.query(sql).remove(0).rows;
                assert!(
                    !rows.is_empty() && rows.iter().all(|row| row.ends_with(&[0xfb]) != counts),
                    "{sql}: {rows:?}"
                );
            }
            let error =
                raw.query("show status where variable_name = 'Bytes_sent' and value > 100").remove(0).error;
            assert_eq!(error.unwrap().0, 1227);
        }
    }
}

/// A server reads a prepared text again when a table has changed, by the settings of that moment.
#[test]
fn a_text_that_is_read_again_by_other_settings_is_not_run() {
    for flavour in flavours() {
        let pair = Pair::with(of(flavour), "");
        let other = "from (select upper(max(email)) as e from users) d, items where items.id = 1";
        let gbk = [b"select '\xbf\\', ' , e, ' , 3 ".as_slice(), other.as_bytes(), b" #' ", other.as_bytes()]
            .concat();
        for (before, text, after) in [
            (
                "set names utf8mb4",
                format!("select \"e\" as z {other}").into_bytes(),
                "set sql_mode = 'ANSI_QUOTES'",
            ),
            ("set names gbk", gbk, "set names latin1"),
            (
                "set names utf8mb4",
                b"select 1, _binary'\xbf\\', upper(email) e from shop.users -- ' from shop.items".to_vec(),
                "set names gbk",
            ),
        ] {
            let mut raw = Raw::connect(pair.proxy.port(), 0);
            raw.query(before);
            raw.send(&[&[22], text.as_slice()].concat());
            let prepared = match raw.prepared() {
                Ok(prepared) => prepared,
                // Refused at once is as good, but for what every server can read.
                Err(error) if !text.is_ascii() => {
                    eprintln!("{before}: {error:?}");
                    continue;
                }
                Err(error) => panic!("{before}: {error:?}"),
            };
            raw.execute(prepared.statement, false);
            raw.query(after);
            raw.query("optimize table items");
            let answer = raw.execute(prepared.statement, false);
            assert!(answer.error.is_some(), "{before}, {after}");
            assert!(!shows_canary(&String::from_utf8_lossy(&raw.seen)), "{before}, {after}");
        }
        let mut raw = Raw::connect(pair.proxy.port(), 0);
        raw.query("prepare s from 'select 1 \"\\\\\", upper(email) e from users -- \" from items'");
        for sql in ["set sql_mode = 'ANSI_QUOTES'", "optimize table items", "execute s"] {
            raw.query(sql);
        }
        assert!(!shows_canary(&String::from_utf8_lossy(&raw.seen)));
        // What means the same by all settings runs on.
        let plain = raw.prepare("select note from users where id = 1").unwrap();
        raw.query("set sql_mode = ''");
        assert_eq!(raw.execute(plain.statement, false).rows.len(), 1);
    }
}

/// Names of columns come in wide letters as well.
#[test]
fn messages_in_wide_letters_are_withheld() {
    for flavour in flavours() {
        let mut pair = Pair::with(of(flavour), "");
        // One session has it in its text.
        pair.proxy.scanner = None;
        for charset in ["utf16", "utf32", "ucs2", "latin1"] {
            let (mut raw, mut busy) =
                (Raw::connect(pair.proxy.port(), 0), Raw::connect(pair.proxy.port(), 0));
            let payload = busy.query_payload(b"select sleep(1), 'zqcanary' from items where id = 1");
            busy.send(&payload);
            for sql in [
                &format!("set character_set_results = {charset}"),
                "select upper(email) from users where id = 1 and email + 0 = 0",
                "show warnings",
                "show full processlist",
                "explain format=json select note from users where id = 1 and note > email",
            ] {
                raw.query(sql);
            }
            assert!(!shows_canary(&String::from_utf8_lossy(&raw.seen)), "{charset}");
            busy.answers();
        }
    }
}

/// MariaDB's number for the statement prepared last means none after a refusal.
#[test]
fn nothing_is_executed_in_place_of_what_was_refused() {
    let pair = Pair::start();
    let mut raw = Raw::connect(pair.proxy.port(), 0);
    raw.prepare("delete from items where id = 3").unwrap();
    assert!(raw.prepare("handler users open").is_err());
    assert_eq!(raw.execute(u32::MAX, false).error.map(|(number, _)| number), Some(1243));
    assert_eq!(raw.query("select id from items")[0].rows.len(), 3);
}

/// The servers take quotes around a user's name away.
#[tokio::test(flavor = "multi_thread")]
async fn a_quoted_user_is_nobody_else() {
    for flavour in flavours() {
        let server = crate::harness::sample_server(of(flavour));
        let rules = format!(
            "databases:\n  - {{ name: '*', upstream: 'mysql://127.0.0.1:{}' }}\nrules:\n  - {{ who: {{ user: app }}, table: users, column: email, strategy: email }}\n",
            server.port()
        );
        let proxy = crate::harness::Proxy::start(&rules);
        let quoted = crate::harness::options(proxy.port()).user(Some("'app'"));
        assert!(mysql_async::Conn::new(quoted).await.is_err());
        let mut client = crate::harness::connect(proxy.port()).await;
        let rows = text(&mut client, "select email from users").await.unwrap();
        assert!(!rows.iter().any(|row| crate::masking::holds_canary(row)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_more_by_seeing_less_of_the_catalog() {
    let pair = Pair::start();
    pair.server
        .sql("", "create user narrow@'%' identified by 'narrowpw'; grant select (id, note) on shop.users to narrow@'%'; grant select on shop.items to narrow@'%'; create role wide; grant select on shop.users to wide; grant wide to narrow@'%'")
        .unwrap();
    let options = crate::harness::options(pair.proxy.port()).user(Some("narrow")).pass(Some("narrowpw"));
    let mut client = mysql_async::Conn::new(options).await.unwrap();
    assert_eq!(
        text(&mut client, "select note from users where id = 1").await.unwrap()[0][0],
        Value::from("note1")
    );
    assert!(text(&mut client, "select email from users").await.is_err());
    text(&mut client, "set role wide").await.unwrap();
    for sql in ["select * from users", "select concat(email, '') from users", "select email as x from users"]
    {
        let rows = text(&mut client, sql).await.unwrap();
        assert!(!rows.iter().any(|row| crate::masking::holds_canary(row)), "{sql}: {rows:?}");
    }
}

/// Bytes that a text in some character set holds, and what the server makes of them.
#[test]
fn bytes_that_end_a_string_for_the_server_alone() {
    for flavour in flavours() {
        let pair = Pair::with(of(flavour), "");
        for (charset, lead) in [
            ("gb2312", 0x81),
            ("gb2312", 0xb0),
            ("gb2312", 0xfe),
            ("big5", 0xfa),
            ("big5", 0xfe),
            ("gbk", 0x81),
        ] {
            let mut raw = Raw::connect(pair.proxy.port(), 0);
            raw.query(&format!("set character_set_client = {charset}"));
            let text = [b"select '".as_slice(), &[lead], b"\\', ', upper(email) from users -- '"].concat();
            let payload = raw.query_payload(&text);
            raw.send(&payload);
            let answers =
                format!("{:?}", raw.answers().iter().map(|answer| &answer.rows).collect::<Vec<_>>());
            assert!(
                !shows_canary(&answers) && !answers.contains("90, 81, 67, 65"),
                "{charset} {lead}: {answers}"
            );
        }
        let mut raw = Raw::connect(pair.proxy.port(), 0);
        raw.query("set character_set_client = cp850");
        let text = b"select (select `\x81`.x from (select 1 x) as `\x80`) from (select email x from users) as `\x81`";
        let payload = raw.query_payload(text);
        raw.send(&payload);
        assert_eq!(raw.answers()[0].error.as_ref().map(|error| error.0), Some(1064));
    }
}

#[test]
fn a_session_of_bytes_goes_on() {
    for flavour in flavours() {
        let pair = Pair::with(of(flavour), "");
        let mut raw = Raw::connect(pair.proxy.port(), 0);
        raw.query("set names binary");
        let answer = &raw.query("select note, email, upper(email) from users")[0];
        assert_eq!(answer.rows.len(), 3, "{:?}", answer.error);
        assert!(!shows_canary(&String::from_utf8_lossy(&raw.seen)));
        assert!(raw.query("set names utf8mb4")[0].error.is_none());
    }
}
