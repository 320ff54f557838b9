use std::sync::Arc;

use veil_mask::{RootKey, Strategy};
use veil_sql::mysql::catalog::{QUERIES, Row};
use veil_sql::mysql::{Catalog, Mode, analyse::analyse};

use super::lineage::{Flow, Outputs, outputs};
use super::{Labels, judge};
use crate::glob::Glob;
use crate::judge::Untraced;
use crate::protection::{Predicates, ProtectionMode};
use crate::rule::{Action, Policy, Rule};
use crate::who::Principal;

fn catalog(folds: &str) -> Catalog {
    let row = |cells: &[&str]| -> Row { cells.iter().map(|cell| Some((*cell).to_owned())).collect() };
    let columns = [
        ("users", "id", "int", ""),
        ("users", "email", "varchar", ""),
        ("users", "note", "varchar", ""),
        ("users", "twice", "varchar", "VIRTUAL GENERATED"),
        ("items", "id", "int", ""),
        ("items", "label", "varchar", ""),
        ("user_view", "label", "varchar", ""),
        ("item_view", "label", "varchar", ""),
    ];
    let tables = [
        row(&["shop", "users", "BASE TABLE", "InnoDB"]),
        row(&["shop", "items", "BASE TABLE", "InnoDB"]),
        row(&["shop", "far", "BASE TABLE", "FEDERATED"]),
        vec![Some("shop".to_owned()), Some("user_view".to_owned()), Some("VIEW".to_owned()), None],
        vec![Some("shop".to_owned()), Some("item_view".to_owned()), Some("VIEW".to_owned()), None],
    ];
    let results: [Vec<Row>; QUERIES.len()] = [
        vec![row(&[folds, "10.11.6-MariaDB"])],
        tables.to_vec(),
        columns.iter().map(|(table, name, kind, extra)| row(&["shop", table, name, kind, extra])).collect(),
        vec![
            row(&["shop", "user_view", "select `shop`.`users`.`email` AS `label` from `shop`.`users`"]),
            row(&["shop", "item_view", "select `shop`.`items`.`label` AS `label` from `shop`.`items`"]),
        ],
        vec![row(&["NVL"])],
        vec![row(&["shop", "mails", "owner", "shop", "users", "Email"])],
        Vec::new(),
    ];
    Catalog::from_rows(&results)
}

fn labels(folds: &str, trusted: &[&str]) -> Labels {
    labels_with(folds, trusted, Predicates::Allow)
}

fn labels_with(folds: &str, trusted: &[&str], predicates: Predicates) -> Labels {
    let email = Strategy::parse("email", &std::collections::BTreeMap::new()).unwrap();
    let rule = Rule {
        table: Glob::new("users"),
        column: Glob::new("Email"),
        ..Rule::new("email".to_owned(), Action::Mask(email))
    };
    let trusted = trusted.iter().map(|name| (*name).to_owned()).collect();
    let policy = Policy::new(vec![rule], trusted, &RootKey::from_bytes([7; 32]))
        .with_mode(ProtectionMode { predicates, ..ProtectionMode::default() });
    let rights = policy.rights(&Principal::user("app"), std::time::UNIX_EPOCH);
    Labels::new(Arc::new(policy), Arc::new(catalog(folds)), &rights)
}

/// `show` (everything), `close` (what is computed), or `refuse`.
fn verdict(sql: &str, labels: &Labels, database: Option<&str>) -> &'static str {
    let analysis = analyse(sql, Mode::new("", "10.11.6-MariaDB")).unwrap();
    match judge(&analysis.statements[0], labels, database) {
        Err(_) => "refuse",
        Ok(run) if run.untraced == Untraced::Show => "show",
        Ok(_) => "close",
    }
}

#[test]
fn statements_are_judged_by_what_they_name() {
    let labels = labels("0", &[]);
    for (sql, expected) in [
        ("select label, upper(label) from items", "show"),
        ("select * from shop.items", "show"),
        ("select email from users", "close"),
        ("select * from user_view", "close"),
        ("select * from item_view", "show"),
        ("select * from far", "close"),
        ("select * from nowhere", "close"),
        ("select * from other.items", "close"),
        ("with users as (select label from items) select * from users", "close"),
        ("with x as (select label from items) select * from x", "show"),
        ("select 1, now(), @@version, @a", "show"),
        ("select f(1)", "close"),
        // A user's function by the name of one that other servers have.
        ("select nvl(label, 1) from items", "close"),
        ("select ifnull(label, 1) from items", "show"),
        ("select f(email) from users", "refuse"),
        ("select sleep(1) from users", "refuse"),
        ("select sleep(1) from items", "show"),
        ("select load_file('x')", "refuse"),
        ("select table_name from information_schema.tables", "show"),
        ("select info from information_schema.processlist", "close"),
        ("select * from mysql.user", "close"),
        ("insert into items select label, 1 from items", "show"),
        ("insert into items select email, 1 from users", "refuse"),
        ("insert into items values (f(1))", "refuse"),
        ("insert into users (id, email) values (1, ?)", "close"),
        ("update users set note = email", "refuse"),
        ("update users set note = twice", "refuse"),
        ("update users set note = note, email = 'x' where email = 'y'", "close"),
        ("update items set label = upper(label)", "show"),
        ("delete from users where email = 'x'", "close"),
        ("update mysql.user set x = 1", "refuse"),
        ("select email into @a from users", "refuse"),
        ("select label into @a from items", "show"),
        ("set @a = f(1)", "refuse"),
        ("set @a = upper('x')", "show"),
        ("call p()", "refuse"),
        ("explain select * from items", "show"),
        ("explain select * from users", "close"),
        ("show tables", "show"),
        ("create table x (a int)", "show"),
        ("create table x as select email from users", "refuse"),
    ] {
        assert_eq!(verdict(sql, &labels, Some("shop")), expected, "{sql}");
    }
    assert_eq!(verdict("select * from items", &labels, None), "close");
}

#[test]
fn functions_that_users_vouch_for_are_pure() {
    let labels = labels("0", &["p", "shop.g"]);
    for (sql, expected) in
        [("call p()", "show"), ("call shop.g(1)", "show"), ("call g(1)", "refuse"), ("select p(1)", "show")]
    {
        assert_eq!(verdict(sql, &labels, Some("shop")), expected, "{sql}");
    }
}

#[test]
fn names_of_tables_have_case_where_the_server_has_it_so() {
    assert_eq!(verdict("select label from ITEMS", &labels("0", &[]), Some("shop")), "close");
    assert_eq!(verdict("select label from ITEMS", &labels("1", &[]), Some("SHOP")), "show");
    assert_eq!(verdict("select email from USERS", &labels("1", &[]), Some("Shop")), "close");
}

/// What the columns of a query hold: `-` nothing, `m` a masked column as it is, `x` what is closed; `?` if they cannot be
/// told.
fn followed(sql: &str, labels: &Labels) -> String {
    let analysis = analyse(sql, Mode::new("", "10.11.6-MariaDB")).unwrap();
    let statement = &analysis.statements[0];
    assert_eq!(statement.facts.opaque, None, "{sql}");
    match statement.result.as_ref().and_then(|query| outputs(query, labels, Some("shop"))) {
        None => "?".to_owned(),
        Some(Outputs::Merged(tables)) => format!("merged {}", tables.len()),
        Some(Outputs::Each { columns: outputs, .. }) => outputs
            .iter()
            .map(|output| match output.flow {
                Flow::Clean => '-',
                Flow::Verbatim { .. } => 'm',
                Flow::Closed => 'x',
            })
            .collect(),
    }
}

#[test]
fn values_are_followed_to_the_columns_of_a_result() {
    let labels = labels("0", &["trusted"]);
    for (sql, expected) in [
        ("select id, email, note, twice from users", "-m-x"),
        ("select * from users", "-m-x"),
        ("select u.*, i.label from users u, items i", "-m-x-"),
        ("select items.email from users as items", "m"),
        ("select email from users, items", "m"),
        ("select id from users, items", "x"),
        ("select label from users, nowhere", "x"),
        ("select nowhere.email from users", "x"),
        ("select email + 1, concat(note, id), now(), @@version, ?, null, 'x'", "xx-----"),
        ("select concat(note, id), concat(note, email), -id, not note = 'x' from users", "-x--"),
        (
            "select count(*), count(email), count(distinct email), count(1), count(upper(email)) from users",
            "----x",
        ),
        (
            "select max(email), min(note), sum(id), avg(email), group_concat(note), group_concat(email) from users",
            "m--x-x",
        ),
        ("select email is null, note is not null, upper(email) is null from users", "--x"),
        (
            "select exists(select email from users), (select max(email) from users), (select note from users limit 1)",
            "-m-",
        ),
        (
            "select email in (select label from items), id in (select id from users), id in (select email from users) from users",
            "x-x",
        ),
        (
            "select case when id = 1 then email end, case email when 'x' then 1 end, if(email = 'x', 1, 2) from users",
            "mxx",
        ),
        (
            "select coalesce(email, 'x'), ifnull(note, email), nullif(email, 'x'), coalesce(id, note) from users",
            "mmx-",
        ),
        (
            "select lag(email) over (order by id), lag(note) over (order by email), rank() over (order by id) from users",
            "mx-",
        ),
        ("select first_value(note) over w from users window w as (order by id)", "-"),
        // A value of the client's own would be masked like the column.
        ("select lag(email, 1, 'none') over (order by id) from users", "x"),
        ("select first_value(note) over w from users window w as (order by email)", "x"),
        ("select first_value(note) over (w order by id) from users window w as (partition by email)", "x"),
        (
            "select first_value(note) over v from users window w as (partition by email), v as (w order by id)",
            "x",
        ),
        ("select f(1), trusted(1), trusted(email), nvl(note, 1) from users", "x-xx"),
        ("select @a, email collate utf8mb4_bin, cast(email as char), (email) from users", "xmxm"),
        ("select x from (select email x from users) d", "m"),
        ("select d.x from (select email x, note y from users) d", "m"),
        ("select y, x from (select email, note from users) d(x, y)", "-m"),
        ("select z from (select email x from users) d", "x"),
        ("select users.note from (select email note from users) users", "m"),
        ("with a as (select email x from users) select x, a.x, upper(x) from a", "mmx"),
        (
            "with a(p, q) as (select note, email from users), b as (select q r from a) select r, p from b, a",
            "m-",
        ),
        ("with users as (select label email from items) select email from users", "-"),
        ("with users as (select email from users) select email from users", "m"),
        ("with Users as (select label email from items) select email from users", "x"),
        (
            "with recursive r as (select id, email from users union all select id + 1, email from r) select * from r",
            "-m",
        ),
        (
            "with recursive r as (select id a, note b from users union select b, (select email from users) from r) select * from r",
            "xx",
        ),
        (
            "with recursive r as (select id a, note b from users union select a, upper(a) from r) select * from r",
            "--",
        ),
        ("select label from items union select email from users", "m"),
        ("select email from users union select upper(email) from users", "x"),
        ("(select label from items) union (select note from users) order by 1", "-"),
        ("values (1, 2), (3, (select email from users))", "-m"),
        ("select note, (select note) from users", "--"),
        ("select email as note, (select note) from users", "mx"),
        ("select (select note from items limit 1) from users", "-"),
        ("select (select shop.items.note from users as items limit 1)", "-"),
        ("select (select shop.items.label from users as items limit 1) from items", "x"),
        ("select (select other.items.label from items limit 1) from items", "x"),
        ("select l.x, l.y from users, lateral (select users.email x, users.note y) l", "m-"),
        ("select x from users u, (select u.email x) d", "x"),
        ("select id, label from user_view", "xm"),
        ("select v.label from user_view v", "m"),
        ("select label from item_view", "-"),
        ("select id from users natural join items", "-"),
        ("select * from users natural join items", "merged 2"),
        ("select u.*, label from users u join items using (id)", "-m-x-"),
        ("select * from user_view natural join items", "?"),
        ("select id, x from users join (select id, email x from users) d using (id)", "-m"),
        ("select table_name, upper(t.table_schema) from information_schema.tables t", "xx"),
        ("select (select e.email from information_schema.engines e limit 1) from users e", "x"),
        ("select `@@x` from (select concat(email) as `@@x` from users) t", "x"),
        ("select text 'a', date '2020-01-01' from (select concat(email) as text from users) t", "x-"),
        ("select _x 'a', _latin1 'a', concat(_x 'a') from (select concat(email) as _x from users) t", "x-x"),
        (
            "select (select note from (select note collate utf8mb4_bin from (select 'x' as note) m) d) from users",
            "x",
        ),
        ("select (select t.email from (select 1 as email) T) from users t", "x"),
        ("select (select `ა` from (select 1 as `Ა`) d) from (select concat(email) as `ა` from users) t", "x"),
        ("select count(*) over (w) from users window w as (partition by email)", "x"),
        ("select (select _rowid from users) from (select 999 as _rowid) d", "x"),
        ("select t.info from information_schema.processlist t", "x"),
        ("select j.a, id from items, json_table('[1]', '$[*]' columns (a int path '$')) as j", "x-"),
        ("select timestampdiff(day, note, note), timestampdiff(day, email, note) from users", "-x"),
    ] {
        assert_eq!(followed(sql, &labels), expected, "{sql}");
    }
}

#[test]
fn queries_that_would_take_long_to_follow_are_closed() {
    let labels = labels("0", &[]);
    let mut sql = "select note from users".to_owned();
    for depth in 0..16 {
        sql = format!(
            "with recursive r{depth} as (select note from ({sql}) d) select r{depth}.note from r{depth}"
        );
    }
    assert_eq!(followed(&sql, &labels), "?");
}

#[test]
fn questions_about_masked_columns_are_refused_where_the_policy_says_so() {
    let labels = labels_with("0", &[], Predicates::Deny);
    for sql in [
        "select email, note from users",
        "select email from users where id = 1 and note like 'a%' order by note, id",
        "select note as n from users order by n, 1",
        "select u.email from users u join items i on i.id = u.id where i.label = 'x'",
        "select id from users where email is null",
        "select email from users union all select email from users",
        "update users set note = 'x' where id = 1 order by id limit 1",
        "delete from users where note = 'x'",
        "select id from items where exists (select * from users where users.id = items.id)",
        "select label from items where label = 'x' order by label",
    ] {
        assert_ne!(verdict(sql, &labels, Some("shop")), "refuse", "{sql}");
    }
    for sql in [
        "select id from (select id, nullif(email, 'x') as y from users) q where y is null",
        "select id from users where email = 'x'",
        "select email, count(*) from users group by email",
        "select count(*) as email from users group by email",
        "select id as email from users group by email",
        "select email, count(*) from users group by 1",
        "select distinct email from users",
        "select count(distinct nullif(email, 'x')) from users where id = 1",
        "select id, email from users order by (2) desc",
        "select id, email from users order by +2",
        "select id, email from users order by (?)",
        "select count(*) from users partition (p1)",
        "select id from users u where u.EMAIL like 'a%'",
        "select id from users order by email",
        "select id, email as e from users order by e",
        "select id, email from users order by 2",
        "select * from users order by 2",
        "select id from users order by length(email)",
        "select count(*) from users group by left(email, 1)",
        "select count(*), left(email, 1) from users group by 2",
        "select distinct left(email, 1) from users",
        "select u.id from users u join items i on i.label = u.email",
        "select u.id from users u join users v using (email)",
        "select id from users natural join items",
        "select id from items where label in (select email from users)",
        "select id from items where label in (select * from users)",
        "select id from items where exists (select 1 from users where email = label)",
        "select id from (select id, email as x from users) q where x = 'a'",
        "select id from (select id, concat(e) y from (select id, email as e from users) p) q where y = 'a'",
        "with q (x) as (select email from users) select count(*) from q where x = 'a'",
        "select count(*) from users having max(email) > 'm'",
        "select email from users where id = 1 except select 'guess'",
        "select email from users union select 'guess'",
        "update users set note = 'x' where email = 'y'",
        "update users set note = 'x' order by email limit 1",
        "update users u join items i on i.label = u.email set u.note = 'x'",
        "delete from users where email > 'm'",
        "select label from user_view where label = 'x'",
        "select id from users where match (email) against ('x')",
        "select id from users where twice = 'x'",
        "explain select id from users where email = 'x'",
    ] {
        assert_eq!(verdict(sql, &labels, Some("shop")), "refuse", "{sql}");
    }
}
