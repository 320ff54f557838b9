//! One statement a line: refused, closed (computed columns are NULL), or shown.

use std::sync::Arc;

use veil_mask::RootKey;
use veil_sql::Catalog;
use veil_sql::analyse::analyse;
use veil_sql::catalog::Row;
use veil_sql::lineage::Spot;

use crate::config::rule_from_argument;
use crate::explain::How;
use crate::lineage::{Columns, Flow};
use crate::protection::Predicates;
use crate::rule::Policy;
use crate::who::Principal;
use crate::{Labels, Untraced, judge};

fn rows(text: &str) -> Vec<Row> {
    text.lines().map(|line| line.split('|').map(|cell| Some(cell.to_owned())).collect()).collect()
}

fn labels(trusted: &[&str]) -> Labels {
    labels_with(trusted, Predicates::Allow)
}

/// users(id, email*, lowered generated), items(id, label), both in public; views and a temporary table.
fn labels_with(trusted: &[&str], predicates: Predicates) -> Labels {
    let relations = "16400|public|users|r\n16410|public|items|r\n16420|public|plain_view|v\n\
        16421|public|user_view|v\n16422|public|stats_view|v\n16423|public|deep_view|v\n\
        16424|public|odd_view|v\n16425|public|over_view|v\n16430|pg_temp_3|scratch|r\n16440|other|items2|r\n16441|public|items2|r\n16442|public|items3|r\n\
        1259|pg_catalog|pg_class|r\n12000|pg_catalog|pg_stats|v\n16450|public|seq|S\n16460|public|ruled|r\n12001|pg_catalog|pg_settings|v";
    let columns = "16400|1|id|\n16400|2|email|\n16400|3|lowered|s\n16400|4|note|\n16410|1|id|\n16410|2|label|\n\
        16420|1|id|\n16421|1|id|\n16421|2|label|\n16425|3|plus|\n16425|1|label|\n16425|2|up|\n16440|1|email|\n16441|1|id|\n16442|1|email|\n1259|1|oid|\n12000|1|most_common_vals|\n\
        16430|1|email|";
    let views = "16420|select id from items\n16421|select id, email as label from users\n\
        16422|select most_common_vals from pg_stats\n16423|select id from plain_view\n16424|select mine(id) from items\n\
        16425|select label, upper(label) as up, id + 1 as plus from user_view";
    let results = [
        rows(relations),
        rows(columns),
        vec![],
        rows(views),
        rows(
            "mine|t|user\nlower|t|user\nts_stat|t|\nlabel|t|user\nhashint4|t|\nany_row|t|user\nschedule|f|volatile\nuuid_generate_v4|f|volatile",
        ),
        rows("<->"),
        rows("16410|trigger\n16460|rule"),
        vec![],
        vec![],
        vec![],
    ];
    let rules = ["users.email=email", "items2.email=email"].map(|rule| rule_from_argument(rule).unwrap());
    let trusted = trusted.iter().map(|name| (*name).to_owned()).collect();
    let policy = Policy::new(rules.to_vec(), trusted, &RootKey::from_bytes([1; 32]))
        .with_mode(crate::ProtectionMode { predicates, ..crate::ProtectionMode::default() });
    laid(policy, &results)
}

#[track_caller]
fn verdict(sql: &str, labels: &Labels) -> &'static str {
    match judge(&analyse(sql).unwrap()[0], labels) {
        Err(_) => "refused",
        Ok(run) if run.untraced == Untraced::Show => "shown",
        Ok(_) => "closed",
    }
}

#[test]
fn verdicts() {
    let labels = labels(&[]);
    for (sql, expected) in [
        ("select upper('x')", "shown"),
        ("select count(*) from items", "shown"),
        ("select count(*) from public.items", "shown"),
        ("select count(*) from users", "closed"),
        ("select count(*) from USERS", "closed"),
        ("select count(*) from \"USERS\"", "closed"),
        ("select count(*) from nowhere", "closed"),
        ("select count(*) from plain_view", "shown"),
        ("select count(*) from deep_view", "shown"),
        ("select count(*) from user_view", "closed"),
        ("select count(*) from stats_view", "closed"),
        ("select count(*) from odd_view", "closed"),
        ("select count(*) from scratch", "shown"),
        ("select count(*) from pg_class", "shown"),
        ("select count(*) from pg_stats", "closed"),
        ("select count(*) from public.pg_class", "closed"),
        // Without a schema the name may be that of either schema.
        ("select count(*) from items2", "closed"),
        ("select count(*) from public.items2", "shown"),
        ("select count(*) from other.items2", "closed"),
        ("with users as (select 1 as id) select count(*) from users", "shown"),
        ("with users as (select id from users) select count(*) from users", "closed"),
        (
            "select count(*) from nowhere where exists (with nowhere as (select 1) select 1 from nowhere)",
            "closed",
        ),
        ("with x as (select 1 as id) select count(*) from x", "shown"),
        // A function of users, also one that overloads a built-in.
        ("select mine(1)", "refused"),
        ("select public.mine(1)", "refused"),
        ("select lower('x')", "refused"),
        ("select pg_catalog.lower('x')", "shown"),
        ("select 1 <-> 2", "refused"),
        ("select some_extension_function(1)", "closed"),
        ("select some_extension_function(1) from users", "refused"),
        ("select schedule('x')", "refused"),
        ("select cron.schedule('x')", "refused"),
        ("select uuid_generate_v4()", "shown"),
        ("prepare p as select mine(1)", "refused"),
        ("deallocate all", "shown"),
        ("select nextval('seq')", "shown"),
        ("select nextval('seq') from users", "refused"),
        ("select query_to_xml('select 1', true, true, '')", "refused"),
        // Selecting a field calls a function where there is no such column.
        ("select ('x'::text).ts_stat", "refused"),
        ("select (1).mine", "refused"),
        ("select i.mine from items i", "refused"),
        ("select i.label from items i", "shown"),
        ("select (1).label from items", "refused"),
        ("select (id).label from items", "refused"),
        ("select i.label from items i join users u on true", "closed"),
        ("select x.label from (select 1 as label) x", "shown"),
        ("select x.any_row from (select 1 as label) x", "refused"),
        ("select i.label from items i (a, b)", "refused"),
        ("select y.label from items", "refused"),
        ("select q.mine from generate_series(1, 1) q", "refused"),
        ("select q.label from generate_series(1, 1) as q(label)", "shown"),
        ("select q.mine from (select id, label from items) q", "refused"),
        ("with s as (select * from items) select s.mine from s", "refused"),
        ("with s (label) as (select 1) select s.label from s", "shown"),
        ("with s as (select 1 as label union select 2) select s.label from s", "shown"),
        ("select q.mine from ((select 1 id) a join (select 1 id) b using (id)) q", "refused"),
        ("with items as (select 1 as mine) update items set label = label returning items.mine", "refused"),
        (
            "with items as (select 1 as mine) insert into items as t values (1, 'x') returning t.mine",
            "refused",
        ),
        ("select i.hashint4, 1 + 1 from items i", "closed"),
        ("select x.total from (select 1 as total) x", "shown"),
        ("update pg_settings set setting = 'off'", "refused"),
        ("update pg_catalog.pg_class set relname = 'x'", "refused"),
        ("insert into ruled values (1)", "refused"),
        ("truncate items", "shown"),
        ("update users as excluded set note = excluded.email", "refused"),
        ("insert into items values (1, 'x')", "shown"),
        ("insert into items values (1, nobody_knows(1))", "refused"),
        ("insert into items select * from items", "shown"),
        ("insert into users values (1, $1)", "closed"),
        ("update users set note = note, id = id + 1", "closed"),
        ("update users set note = email", "refused"),
        ("update users set note = lowered", "refused"),
        ("update users set note = nothing", "refused"),
        ("copy items to stdout", "shown"),
        ("insert into items select id, note from users", "closed"),
        ("insert into items (label, id) select note || 'x', id + 1 from users where email = 'x'", "closed"),
        ("insert into items select id, email from users", "refused"),
        ("insert into items select id, upper(email) from users", "refused"),
        ("insert into items select * from users", "refused"),
        ("insert into items values (1, (select max(email) from users))", "refused"),
        ("insert into items values (1, (select max(note) from users))", "closed"),
        ("insert into users (id, email) select id, email from users", "closed"),
        ("insert into users select id, email from users", "closed"),
        ("insert into users (email, note) select note, email from users", "refused"),
        ("insert into users select 1, 'x', email from users", "refused"),
        ("insert into other.items2 (email) select email from users", "refused"),
        (
            "insert into users (id, email) select id, email from users on conflict (id) do update set note = excluded.email",
            "refused",
        ),
        (
            "insert into users (id) select id from users on conflict (id) do update set note = excluded.note",
            "closed",
        ),
        ("update items set label = u.note from users u where u.id = items.id", "closed"),
        ("update items set label = u.email from users u where u.id = items.id", "refused"),
        ("update users u set email = v.email from users v where v.id = u.id + 1", "closed"),
        ("update users set (note, id) = (select email, id from users)", "refused"),
        ("update items set label = (select min(note) from users)", "closed"),
        ("update items set label = (select min(email) from users)", "refused"),
        ("merge into items using users on true when matched then update set label = email", "refused"),
        ("copy users to stdout", "closed"),
        ("copy users (id, nothing) to stdout", "refused"),
        ("copy items2 to stdout", "refused"),
        ("copy users to stdout (format xml)", "refused"),
        ("copy users to stdout (encoding 'latin1')", "refused"),
        ("copy (select email, upper(email) from users) to stdout", "closed"),
        ("copy (select u.* from users u, items) to stdout", "refused"),
        ("copy (select * from users, generate_series(1, 2)) to stdout", "refused"),
        ("copy users from stdin", "refused"),
        ("copy (select some_extension_function(1)) to stdout", "refused"),
        ("copy items from stdin", "shown"),
        ("explain select 1 from items", "shown"),
        ("explain select email from users", "shown"),
        ("explain select mine(id) from users", "refused"),
        ("explain (analyze, verbose) update users set note = email", "refused"),
    ] {
        assert_eq!(verdict(sql, &labels), expected, "{sql}");
    }
}

#[test]
fn a_trusted_function_is_run_and_shown_but_not_over_masked_columns() {
    let labels = labels(&["public.mine"]);
    assert_eq!(verdict("select public.mine(1)", &labels), "shown");
    assert_eq!(verdict("select public.mine(id) from users", &labels), "refused");
    assert_eq!(verdict("select mine(1)", &labels), "refused");
}

/// The server casts where no statement shows it.
#[test]
fn casts_of_users_close_what_is_computed_unless_trusted() {
    let sql = "select count(*) from items";
    let catalog = |trusted: &[&str]| {
        let results = [
            rows("16410|public|items|r"),
            rows("16410|1|id|"),
            vec![],
            vec![],
            vec![],
            vec![],
            vec![],
            rows("public|to_odd"),
            vec![],
            vec![],
        ];
        let policy = Policy::new(
            vec![rule_from_argument("users.email=email").unwrap()],
            trusted.iter().map(|name| (*name).to_owned()).collect(),
            &RootKey::from_bytes([1; 32]),
        );
        laid(policy, &results)
    };
    assert_eq!(verdict(sql, &catalog(&[])), "closed");
    assert_eq!(verdict("insert into items values (1)", &catalog(&[])), "refused");
    assert_eq!(verdict(sql, &catalog(&["public.to_odd"])), "shown");
}

#[test]
fn errors_of_writes_to_a_table_with_triggers_are_scrubbed() {
    let labels = labels(&[]);
    let scrub = |sql: &str| judge(&analyse(sql).unwrap()[0], &labels).unwrap().scrub;
    assert!(!scrub("select * from items"));
    assert!(scrub("insert into items values (1, 'x')"));
    assert!(scrub("select * from users"));
    assert!(scrub("commit"));
}

/// What the columns of a query hold: `-` nothing, `m` a masked column as it is, `x` what is closed; `?` if they cannot be
/// told.
fn followed(sql: &str, labels: &Labels) -> String {
    let statements = analyse(sql).unwrap();
    let Some(columns) = Columns::new(&statements[0], labels) else { return "?".to_owned() };
    let arms = &statements[0].lineage.as_ref().unwrap().arms;
    let count = arms.first().map_or(0, Vec::len);
    let flows = (0..count).map(|at| {
        match columns.flow(at, count, Some(if sql.contains("any_row") { "any_row" } else { "label" })) {
            Flow::Clean => '-',
            Flow::Verbatim(_) => 'm',
            Flow::Closed => 'x',
        }
    });
    flows.collect()
}

#[test]
fn values_are_followed_to_the_columns_of_a_result() {
    let labels = labels(&[]);
    let mut missed = Vec::new();
    for (sql, expected) in [
        ("select id, email, note, lowered from users", "-m-x"),
        (
            "select y is null, count(y) over (), y is not null from (select nullif(email, 'x') as y from users) q",
            "xxx",
        ),
        ("select count(y), count(z) from (select nullif(email, 'x') as y, email as z from users) q", "x-"),
        // Letters outside of ASCII may be others for the server.
        ("select (select emaİl from users limit 1) from (select 1 as \"emaİl\") o", "m"),
        ("select q.id from (select email as İd from users) q, items", "m"),
        ("select Ü.email from users ü, (select 1 as email) as \"Ü\"", "m"),
        ("select q.größe || 'x' from (select note as größe from users) q", "-"),
        ("select u.id + 1, u.email || '', note || id, -id from users u", "-x--"),
        ("select 1, 'x', $1, null, now(), current_date, true from users", "-------"),
        ("select count(*), count(email), count(distinct email), count(upper(email)) from users", "---x"),
        (
            "select max(email), min(note), sum(id), array_agg(email), string_agg(note, ',') from users",
            "m--x-",
        ),
        ("select count(*) filter (where email > 'a'), count(*) over (order by email) from users", "xx"),
        ("select email is null, note is not null, (email || 'x') is null from users", "--x"),
        (
            "select exists (select email from users), (select max(email) from users), array(select email from users) from users",
            "-mx",
        ),
        (
            "select id in (select id from users), email in (select label from items), id = any (select 1) from users",
            "-x-",
        ),
        (
            "select case when id = 1 then email end, case email when 'x' then 1 end, case when true then note end from users",
            "mx-",
        ),
        (
            "select coalesce(email, 'x'), coalesce(note, email), nullif(email, 'x'), greatest(email, note) from users",
            "mmxx",
        ),
        ("select email collate \"C\", email::text, (email) from users", "mxm"),
        (
            "select row_number() over (order by id), rank() over (order by email), lag(email) over (order by id) from users",
            "-xm",
        ),
        (
            "select first_value(note) over w, sum(id) over (w rows 1 preceding), grouping(email) from users window w as (order by id)",
            "---",
        ),
        (
            "select first_value(note) over w, sum(id) over (w rows 1 preceding) from users window w as (order by email)",
            "xx",
        ),
        ("select u, row(u.*), to_json(u) from users u", "xxx"),
        ("select i.*, i, to_json(i.*), count(i) from items i, users", "----"),
        ("select upper(label), upper(items.label), upper(nothing) from items, users", "--x"),
        ("select upper(u.label), upper(nowhere.email) from users u", "xx"),
        ("select x from (select email as x from users) d", "m"),
        ("select upper(x), x, y from (select email as x, note as y from users) d", "xm-"),
        ("select a, b, a || '' from (select email, note from users) d (a, b)", "m-x"),
        ("select a, b from (select * from users) d (a, b)", "xx"),
        ("select a from users u (a)", "x"),
        ("select upper from (select upper(email) from users) d", "x"),
        ("select note from (select note, upper(email) from users) d", "x"),
        ("select note from (select note from users union select email from users) d", "m"),
        ("select note from (select * from users union select * from users) d", "x"),
        ("with a as (select email as x from users) select x, a.x, upper(a.x) from a", "mmx"),
        ("with a (p, q) as (select note, email from users) select p, q, q || '' from a", "-mx"),
        (
            "with recursive r as (select id, note, 1 as n from users union all select id, note, n + 1 from r) select n + 1, note from r",
            "--",
        ),
        (
            "with recursive r as (select id, note from users union all select id, email from users) select id, note from r",
            "-m",
        ),
        (
            "with recursive r as (select id, note from users union all select id, email || note from r, users) select note from r",
            "x",
        ),
        ("with d as (delete from users returning email as x, id as y) select x, y + 1 from d", "m-"),
        (
            "with recursive r as (select 1 as n union all select n + 1 from r) search depth first by n set s select n from r",
            "?",
        ),
        ("select label from items union select email from users", "m"),
        ("select email from users union select upper(email) from users", "x"),
        ("values (1, 'x'), (2, (select email from users))", "-m"),
        ("select c from (values ((select email from users))) d (c)", "x"),
        ("select column1 from (values ((select email from users))) d", "x"),
        ("select g, g + 1, id, g.g from generate_series(1, 2) g, users", "----"),
        ("select g from users, unnest(array[email]) as g (g)", "x"),
        ("select g, g.a from users, unnest(array[email]) as g (a)", "xx"),
        ("select o, o + 1 from users, unnest(array[note]) with ordinality as g (n, o)", "--"),
        ("select id from users, unnest(array[email]) as id", "x"),
        ("select l.up, l.mail from users, lateral (select upper(note) as up, upper(email) as mail) l", "-x"),
        ("select label, id, upper(label) from user_view", "m-x"),
        ("select max(v.label), max(i.label), count(*) from (user_view v join items i on i.id = v.id)", "m--"),
        (
            "select max(v.label), max(i.label), upper(label) from user_view v join items i on i.id = v.id",
            "m-x",
        ),
        ("select v.label, i.label || '' from user_view v, items i", "m-"),
        ("select label, up, plus, plus + 1 from over_view", "mx--"),
        ("select upper(label) from plain_view, items, users", "-"),
        ("select (items2).email, upper(items2.email) from items2", "xx"),
        ("insert into users values (1) returning id, upper(note), upper(email)", "--x"),
        ("update users set note = 'x' returning upper(note), old.note || new.note, new.email || ''", "--x"),
        (
            "select o.email || '' from (users join items on true) as o where exists (select from public.items3 o)",
            "x",
        ),
        (
            "select o.email || '' from users join users v using (email) as o where exists (select from public.items3 o)",
            "x",
        ),
        ("update users set note = 'x' where exists (select from items3 old) returning old.email || ''", "x"),
        (
            "update users set note = 'x' where exists (select from items3 o) returning with (old as o) o.email || ''",
            "x",
        ),
        ("select o.email || '' from items3 o, users", "-"),
        ("select (row(id, email)::users).* from users", "x"),
        ("select id, (row(id, 'x')::items).*, note || '' from users", "---"),
        ("select x.any_row from (select email from users) x, (select 1 as any_row) y", "x"),
        ("select * from (select u.any_row from users u) x, (select 1 as any_row) y", "x"),
        (
            "select name.email || '' from name((select email from users)) where exists (select from public.items3 name)",
            "x",
        ),
        ("select system_user || '' from (select email as \"system_user\" from users) q", "x"),
        ("update users set note = 'x' returning old::text, exists (select from (select 1 as old) x)", "x-"),
        ("select upper(note) from nowhere, users", "?"),
        ("select most_common_vals || '' from pg_stats, users", "x"),
    ] {
        let seen = followed(sql, &labels);
        if seen != expected {
            missed.push(format!("{sql}: {seen}, not {expected}"));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn questions_about_masked_columns_are_refused_where_the_policy_says_so() {
    let labels = labels_with(&[], Predicates::Deny);
    for sql in [
        "select email, note from users",
        "select email from users where id = 1 and note like 'a%' order by note, id",
        "select note as n from users order by n, 1",
        "select u.email from users u join items i on i.id = u.id where i.label = 'x'",
        "select coalesce(email, ''), count(email), id + 1, upper(note) from users",
        "select (select email from users where id = 1), case when id = 1 then email end from users",
        "explain select id, email from users where id = 1",
        "prepare p as select id, email from users",
        "declare c cursor for select id from users",
        "select id from users where email is null",
        "select email from users union all select email from users",
        "update users set email = 'x' where id = 1",
        "delete from users where note = 'x' returning email",
        "select id from items where exists (select 1 from users where id = items.id)",
        "select label from items where label = 'x' order by label",
    ] {
        assert_ne!(verdict(sql, &labels), "refused", "{sql}");
    }
    for sql in [
        "select id from (select id, nullif(email, 'x') as y from users) q where y is null",
        "select id from users where email = 'x'",
        "select email, count(*) from users group by email",
        "select count(*) as email from users group by email",
        "select email, count(*) from users group by 1",
        "select distinct email from users",
        "select count(distinct email) from users",
        "insert into users (id, email) values (9, 'x') on conflict (email) do nothing",
        "insert into users (id, email) values (9, 'x') on conflict do nothing",
        "select id from users u where u.email like 'a%'",
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
        "select id from items where exists (select 1 from users where email = label)",
        "select id from (select id, email as x from users) q where x = 'a'",
        "with q (x) as (select email from users) select count(*) from q where x = 'a'",
        "with q as (select id from users where email = 'x') select id from q",
        "with q as (delete from users where email = 'x' returning id) select id from q",
        "select count(*) from users having max(email) > 'm'",
        "select max(x) from (select email as x from users where id = 1 union all select 'guess') d",
        "select id from users limit (select length(email) from users limit 1)",
        "select email from users where id = 1 except select 'guess'",
        "select email from users union select 'guess'",
        "update users set note = 'x' where email = 'y'",
        "delete from users where email > 'm'",
        "select g from users, generate_series(1, length(email)) g",
        // What is computed may fail, or take long.
        "select count(*), min(id) from (select id, email like 'z%' as x from users) d group by x",
        "select distinct on (email like 'z%') id from users",
        "select count(*) from (select email from users where id = 1 intersect all select 'guess') x",
        "select count(*) from (select id, generate_series(1, ascii(email)) from users) x",
        "select count(*) from users tablesample bernoulli ((select ascii(email) from users where id = 1))",
        "select count(distinct e) from (select email as e from users where id = 1 union all select 'guess') d",
        "select count(*) from (select email as e from users where id = 1 union all select 'guess') d group by e",
        "explain select id from users where email = 'x'",
        "prepare p as select id from users where email = 'x'",
        "declare c cursor for select id from users where email = 'x'",
        "select upper(email) from users",
        "select 1 from (select 1 / (ascii(email) - 122) from users offset 0) d",
        "select exists (select 1 / (ascii(email) - 122) from users)",
        "select case when email = 'x' then 1 end from users",
        "values (1 / (select ascii(email) - 122 from users limit 1))",
        "update users set note = 'x' where id = 1 returning 1 / (ascii(email) - 122)",
        "select label from user_view where label = 'x'",
        "insert into users (id) values (1) on conflict (id) do update set note = 'x' where users.email = 'y'",
        "select id from users where (users).email = 'x'",
        "select id from users where users::text like '%a%'",
        "explain select id from users where email = 'x'",
    ] {
        assert_eq!(verdict(sql, &labels), "refused", "{sql}");
    }
}

/// For a user of whom nothing else is known.
fn laid(policy: Policy, results: &[Vec<Row>; veil_sql::catalog::QUERIES.len()]) -> Labels {
    let rights = policy.rights(&Principal::user("user"), std::time::UNIX_EPOCH);
    Labels::new(Arc::new(policy), Arc::new(Catalog::from_rows(results)), "shop", &rights)
}

/// What literals and parameters meet: `=` and `<>` are comparisons, `:=` is a write.
#[test]
fn literals_and_parameters_are_found_that_meet_masked_columns() {
    let labels = labels(&[]);
    for (sql, expected) in [
        ("select id from users where email = 'a'", "35="),
        ("select id from users where 'a' = email and id = 3", "27="),
        ("select id from users u where u.email = $1 or $2 <> u.email", "$2= $1="),
        ("select id from users where email in ('a', $3, 'b')", "37= $3= 46="),
        ("select id from users where email not in ('a') and email is distinct from 'x'::text", "41= 73="),
        ("select id from users where email = any($1) or email = any(array['a', 'b'])", "64= 69= $1="),
        ("select id from users where email = 'a'::varchar", "35="),
        ("select 1 where exists (select from users where email = $1)", "$1="),
        (
            "with q as (select email as e from users where email = 'b') select 1 from q where e = 'a'",
            "85= 54=",
        ),
        ("insert into users (id, email) values (1, 'a'), (2, $1)", "41:= $1:="),
        ("insert into users values (1, 'a')", "29:="),
        ("insert into users (email) select $1", "$1:="),
        (
            "insert into users (id, email) values (1, 'a') on conflict (id) do update set email = 'b'",
            "41:= 85:=",
        ),
        ("update users set email = 'a', note = 'b' where email = $1", "25:= $1="),
        ("delete from users where email = 'a'", "32="),
        // What is no comparison of the column as it is, or of no masked one.
        ("select id from users where email like 'a'", ""),
        ("select id from users where lower(email) = 'a'", ""),
        ("select id from users where email || '' = 'a'", ""),
        ("select id from users where email < 'a' and id = 4 and note = 'x'", ""),
        ("select id from items where label = 'a'", ""),
        ("select id from users where email = null", ""),
        ("update users set note = 'a' where id = 1", ""),
    ] {
        let statement = &analyse(sql).unwrap()[0];
        let met = crate::explain::meetings(statement, &labels);
        let shown = met.iter().map(|met| {
            let at = match met.at {
                Spot::Literal(at) => at.to_string(),
                Spot::Parameter(number) => format!("${number}"),
            };
            at + match met.how {
                How::Compared => "=",
                How::Stored => ":=",
            }
        });
        let (mut shown, mut expected): (Vec<_>, Vec<_>) =
            (shown.collect(), expected.split_whitespace().collect());
        shown.sort_unstable();
        expected.sort_unstable();
        assert_eq!(shown, expected, "{sql}");
    }
}

/// Rows of a portal that was described under other rights are not written.
#[test]
fn plans_hold_for_the_rights_that_they_were_made_by() {
    let field = veil_wire::pg::reply::Field {
        name: b"email",
        relation: 16_400,
        attnum: 2,
        type_oid: 25,
        modifier: -1,
        binary: false,
    };
    let policy = || {
        let rules = "databases: [ { name: x, upstream: 'postgres://localhost' } ]\nrules:\n  \
            - { who: { user: dba }, column: id, unmask: true, reason: x }\n  - { table: users, column: email, strategy: email }\n";
        let rules = crate::config::Config::parse(rules).unwrap().rules;
        Arc::new(Policy::new(rules, Vec::new(), &RootKey::from_bytes([1; 32])))
    };
    let laid_for = |policy: &Arc<Policy>, user: &str| {
        let rights = policy.rights(&Principal::user(user), std::time::UNIX_EPOCH);
        let mut results = <[Vec<Row>; veil_sql::catalog::QUERIES.len()]>::default();
        (results[0], results[1]) = (rows("16400|public|users|r"), rows("16400|2|email|"));
        Labels::new(Arc::clone(policy), Arc::new(Catalog::from_rows(&results)), "shop", &rights)
    };
    let (one, same) = (policy(), policy());
    let (dba, app, other) = (laid_for(&one, "dba"), laid_for(&one, "app"), laid_for(&one, "other"));
    let plan = crate::Plan::new(&[field], Untraced::Show, None, &app);
    assert!(plan.holds(&app) && plan.holds(&other) && !plan.holds(&dba));
    // Nor under another policy, whatever it says.
    assert!(!plan.holds(&laid_for(&same, "app")));
}
