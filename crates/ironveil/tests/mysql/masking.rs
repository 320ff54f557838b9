//! Values of masked columns never arrive, whatever they are called; all others arrive as they are.

use mysql_async::Value;

use crate::harness::{CANARY, Pair, binary, flavours, number, of, text};

/// One statement in a line: columns in order are `clear`, `mask` or `null`.
const STATEMENTS: &[(&str, &str)] = &[
    ("select id, email, note from users order by id", "clear mask clear"),
    ("select email as note, note as email from users order by id", "mask clear"),
    ("select u.ssn, u.note from shop.users as u order by id", "mask clear"),
    (
        "select * from users order by id",
        "clear mask mask mask mask mask mask mask clear mask mask mask mask mask mask mask mask null mask mask null",
    ),
    ("select (email), `email`, users.email, shop.users.email from users", "mask mask mask mask"),
    ("SELECT EMAIL, Note FROM users", "mask clear"),
    ("select o.id, u.email from orders o join users u on u.id = o.user_id", "clear mask"),
    ("select orders.*, users.phone from orders, users where users.id = user_id", "clear clear clear mask"),
    (
        "select * from orders left join users using (id) order by 1 limit 1",
        "clear clear clear mask mask mask mask mask mask mask clear mask mask mask mask mask mask mask mask null mask mask null",
    ),
    ("select distinct email from users", "mask"),
    ("select email, note from users group by email, note", "mask clear"),
    ("select email from users where id in (select user_id from orders)", "mask"),
    ("select email, id from users where email like 'zq%' order by email desc limit 1", "mask clear"),
    ("select x from (select email as x from users) as items", "mask"),
    ("select label from (select email as label from users) as items", "mask"),
    ("with items as (select email as label from users) select label from items", "mask"),
    ("select * from (select note, email from users) as u order by note", "clear mask"),
    (
        "select d.*, u.note from (select id, ssn x from users) d join users u on u.id = d.id",
        "clear mask clear",
    ),
    (
        "with a(x, y) as (select email, note from users), b as (select y, x from a) select x, y from b",
        "mask clear",
    ),
    (
        "with recursive r as (select id, email, 1 n from users union all select id, email, n + 1 from r where n < 2) \
         select n, email, id from r order by n, id",
        "clear mask clear",
    ),
    ("select (select note from users u where u.id = o.user_id), o.total from orders o", "clear clear"),
    ("select (select email from users u where u.id = o.user_id), o.total from orders o", "mask clear"),
    ("select note, (select count(*) from orders where user_id = users.id) from users", "clear clear"),
    ("select exists(select 1 from users where id = 1), email is null from users", "clear clear"),
    (
        "select note, row_number() over (order by id), lag(email) over (order by id) from users",
        "clear clear mask",
    ),
    ("select rank() over (order by email) from users", "null"),
    ("select if(id = 1, email, null), case when id = 2 then note else 'x' end from users", "mask clear"),
    (
        "select count(distinct email) + 1, count(nullif(email, 'x')), sum(id) / count(*) from users",
        "clear null clear",
    ),
    (
        "select timestampdiff(year, birth, now()), timestampdiff(day, '2020-01-01', '2021-01-01') from users",
        "null clear",
    ),
    ("select concat(email, ''), upper(email), note from users", "null null clear"),
    ("select coalesce(email, 'x'), (select email from users limit 1) from users", "mask mask"),
    ("select email from users union all select label from items", "null"),
    ("select email from users union all select ssn from users", "null"),
    ("select label from items union all select email from users", "null"),
    (
        "select count(*), max(email), group_concat(email), json_arrayagg(email) from users",
        "clear mask null null",
    ),
    (
        "select case when email like 'z%' then 1 else 0 end, email + 0, email = 'x' from users",
        "null null null",
    ),
    ("select id, label, note from user_view", "clear mask clear"),
    ("select id, note from tt", "clear mask"),
    ("select * from (select v.*, upper(label) u from user_view v) d", "clear mask clear null"),
    ("select id, label from item_view", "clear clear"),
    ("select twice from users", "null"),
    ("select id, label, n, n + 1, upper(label) from items", "clear clear clear clear clear"),
    ("select count(*), max(label), sum(n) from items", "clear clear clear"),
    ("select i.label, o.total from items i join orders o using (id)", "clear clear"),
    ("with a as (select label x from items) select x, count(*) over () from a", "clear clear"),
    ("select label from (select label from items union select 'x') as users", "clear"),
    (
        "select 1, 'x', now() > '2020-01-01', database(), user(), @@version_comment, null",
        "clear clear clear clear clear clear clear",
    ),
    ("select table_name from information_schema.tables where table_schema = 'shop'", "clear"),
    ("select info from information_schema.processlist", "null"),
    ("select user from mysql.user", "null"),
    ("show tables", "clear"),
    ("show columns from items", "clear clear clear clear clear clear"),
];

fn check(sql: &str, fates: &str, masked: &[Vec<Value>], direct: &[Vec<Value>]) {
    let fates: Vec<&str> = fates.split_whitespace().collect();
    assert!(!masked.is_empty(), "{sql} has no rows");
    if !fates.contains(&"null") {
        assert_eq!(masked.len(), direct.len(), "{sql}");
    }
    for (seen, real) in masked.iter().zip(direct) {
        assert_eq!(seen.len(), fates.len(), "{sql}: {seen:?}");
        for ((seen, real), fate) in seen.iter().zip(real).zip(&fates) {
            match *fate {
                "clear" => assert_eq!(seen, real, "{sql}"),
                "null" => assert_eq!(*seen, Value::NULL, "{sql}"),
                _ if *real == Value::NULL => assert_eq!(*seen, Value::NULL, "{sql}"),
                _ => assert!(seen != real && *seen != Value::NULL, "{sql}: {seen:?}"),
            }
        }
        assert!(!holds_canary(seen), "{sql}: {seen:?}");
    }
}

pub fn holds_canary(cells: &[Value]) -> bool {
    cells.iter().any(|cell| match cell {
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).contains(CANARY),
        _ => false,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_in_both_forms_of_rows() {
    for flavour in flavours() {
        let pair = Pair::with(of(flavour), "");
        let (mut client, mut direct) = (pair.client().await, pair.direct().await);
        for (sql, fates) in STATEMENTS {
            let seen = text(&mut client, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            let real = text(&mut direct, sql).await.unwrap();
            check(sql, fates, &seen, &real);
            let real = binary(&mut direct, sql).await.unwrap();
            for _ in 0..2 {
                check(sql, fates, &binary(&mut client, sql).await.unwrap(), &real);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_forms_of_rows_show_the_same_masks() {
    let pair = Pair::start();
    let mut client = pair.client().await;
    let sql = "select email, full_name, ssn, phone, card, birth, seen, salary, score, age, logins, token, latin, wide, stamp \
        from users where id < 3";
    let (by_text, by_binary) =
        (text(&mut client, sql).await.unwrap(), binary(&mut client, sql).await.unwrap());
    let shown = |cell: &Value| {
        cell.as_sql(true).trim_matches('\'').trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    for (one, other) in by_text.iter().flatten().zip(by_binary.iter().flatten()) {
        assert_eq!(shown(one).trim_end_matches(" 00:00:"), shown(other).trim_end_matches(" 00:00:"));
    }
    let again = text(&mut client, sql).await.unwrap();
    assert_eq!(by_text, again);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_character_set_is_masked() {
    let pair = Pair::start();
    let mut client = pair.client().await;
    let sql = "select latin, wide, email, full_name, note from users where id = 1";
    let plain = text(&mut client, sql).await.unwrap();
    for names in ["latin1", "gbk", "utf8mb3", "sjis", "ascii"] {
        text(&mut client, &format!("set names {names}")).await.unwrap();
        let by_text = text(&mut client, sql).await.unwrap();
        assert!(by_text[0].iter().all(|cell| *cell != Value::NULL), "{names}: {by_text:?}");
        for row in [by_text, binary(&mut client, sql).await.unwrap()].concat() {
            assert!(!holds_canary(&row), "{names}: {row:?}");
            assert_eq!(row[2..], plain[0][2..], "{names}");
            assert!(row.iter().all(|cell| *cell != Value::NULL), "{names}: {row:?}");
        }
    }
    // Results are not converted: each column comes in its own character set.
    for results in ["null", "binary"] {
        text(&mut client, "set names utf8mb4").await.unwrap();
        text(&mut client, &format!("set character_set_results = {results}")).await.unwrap();
        let row = text(&mut client, sql).await.unwrap().remove(0);
        let Value::Bytes(wide) = &row[1] else { panic!("{results}: {row:?}") };
        assert!(!wide.windows(6).any(|part| part == b"\0z\0q\0c"), "{results}");
        assert!(!holds_canary(&row), "{results}: {row:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_in_gbk_means_what_it_means_to_the_server() {
    let pair = Pair::start();
    let mut client = pair.client().await;
    text(&mut client, "set names gbk").await.unwrap();
    // The second byte of the character is a backslash; the quote behind it ends the string.
    let mut sql = b"select '".to_vec();
    sql.extend([0x82, 0x5c]);
    sql.extend(b"' = note, note, email from users where id = 1");
    let rows: Vec<(Option<i64>, String, String)> =
        mysql_async::prelude::Query::run(raw_query(sql), &mut client).await.unwrap().collect().await.unwrap();
    assert_eq!((rows[0].0, rows[0].1.as_str()), (Some(0), "note1"));
    assert!(!rows[0].2.contains(CANARY));
}

fn raw_query(sql: Vec<u8>) -> RawQuery {
    RawQuery(sql)
}

struct RawQuery(Vec<u8>);

impl mysql_async::prelude::AsQuery for RawQuery {
    fn as_query(&self) -> std::borrow::Cow<'_, [u8]> {
        std::borrow::Cow::Borrowed(&self.0)
    }
}

/// In latin1 the server takes this byte for a blank, which makes two minuses before it a comment.
#[tokio::test(flavor = "multi_thread")]
async fn blanks_of_a_character_set_hide_nothing() {
    let pair = Pair::start();
    let mut client = pair.client().await;
    for names in ["latin1", "latin2", "gbk", "utf8mb4"] {
        text(&mut client, &format!("set names {names}")).await.unwrap();
        let mut sql = b"select --".to_vec();
        sql.push(0xa0);
        sql.extend(b" '\n concat(email, 'x') from users -- '");
        let result = mysql_async::prelude::Query::run(raw_query(sql), &mut client).await;
        if let Ok(mut result) = result {
            let rows: Vec<mysql_async::Row> = result.collect().await.unwrap();
            assert!(!rows.into_iter().any(|row| format!("{row:?}").contains(CANARY)), "{names}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_modes_change_what_a_text_means() {
    let pair = Pair::start();
    let mut client = pair.client().await;
    assert_eq!(
        text(&mut client, r#"select "email" from items limit 1"#).await.unwrap()[0][0],
        Value::from("email")
    );
    text(&mut client, "set sql_mode = 'ANSI_QUOTES'").await.unwrap();
    let row =
        text(&mut client, r#"select "email", "note" from "users" where id = 1"#).await.unwrap().remove(0);
    assert!(!holds_canary(&row) && row[0] != Value::NULL && row[1] == Value::from("note1"), "{row:?}");
    text(&mut client, "set session sql_mode = 'NO_BACKSLASH_ESCAPES'").await.unwrap();
    let row = text(&mut client, r"select 'a\', email, ' from items -- ', note from users where id = 1")
        .await
        .unwrap();
    assert!(!holds_canary(&row[0]) && row[0].len() == 4, "{row:?}");
    let error = text(&mut client, "set sql_mode = ''; select email from users").await.unwrap_err();
    assert_eq!(number(&error), 1227);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_whom_a_rule_exempts_see_everything() {
    let server = crate::harness::sample_server(of(None));
    let rules = "rules:\n  - { who: { user: root }, unmask: true, reason: test }\n";
    let text_config = crate::harness::config(server.port(), "").replace("rules:\n", rules);
    let proxy = crate::harness::Proxy::start(&text_config);
    let options = crate::harness::options(proxy.port())
        .user(Some(veil_testkit::MySql::superuser()))
        .pass(Some(veil_testkit::MySql::password()));
    let mut root = mysql_async::Conn::new(options).await.unwrap();
    let rows = text(&mut root, "select email, upper(email) from users where id = 1").await.unwrap();
    assert_eq!(rows[0][0], Value::from("zqcanary1@mail.test"));
    let mut app = crate::harness::connect(proxy.port()).await;
    assert!(!holds_canary(&text(&mut app, "select email from users").await.unwrap()[0]));
    // What the exempt user defines is known to others at once.
    text(&mut root, "create table fresh as select email, id from users").await.unwrap();
    text(&mut root, "alter table items add column ssn char(11) default '123-45-6789'").await.unwrap();
    let rows = text(&mut app, "select * from items").await.unwrap();
    assert!(rows[0][3] != Value::from("123-45-6789") && rows[0][1] == Value::from("item1"), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_are_shown_as_tables_only() {
    for flavour in flavours() {
        let pair = Pair::with(of(flavour), "");
        let mut client = pair.client().await;
        let query = "select email, note from users where id > 0 and email > 'a'";
        let plan = format!("explain format=traditional {query}");
        for form in [text(&mut client, &plan).await.unwrap(), binary(&mut client, &plan).await.unwrap()] {
            assert!(form[0].contains(&Value::Bytes(b"users".to_vec())), "{form:?}");
            assert!(form[0].contains(&Value::Bytes(b"SIMPLE".to_vec())), "{form:?}");
        }
        let tree = text(&mut client, &format!("explain format=json {query}")).await.unwrap();
        assert_eq!(tree, [[Value::NULL]]);
        let clear =
            text(&mut client, "explain format=json select label from items where label > 'a'").await.unwrap();
        assert_ne!(clear, [[Value::NULL]]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_about_masked_columns_are_not_answered_where_the_policy_says_so() {
    for flavour in flavours() {
        let pair = Pair::with(of(flavour), "protection: { predicates: deny }");
        questions_are_refused(&mut pair.client().await, pair.server.flavour().is_mariadb()).await;
    }
}

async fn questions_are_refused(client: &mut mysql_async::Conn, mariadb: bool) {
    assert_eq!(
        text(client, "select email, note from users where id < 3 order by note").await.unwrap().len(),
        2
    );
    for sql in [
        "select coalesce(email, ''), count(email), id + 1, upper(note) from users group by id, note",
        "select (select email from users where id = 1), case when id = 1 then email end from users",
        "update users set note = 'x' where id = 1",
    ] {
        text(client, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    for sql in [
        "select id from users where email like 'zq%'",
        "select id from users order by email limit 1",
        // The server may sort what it groups.
        "select email, count(*) from users group by email",
        "select distinct email, id from users",
        "select count(distinct nullif(email, 'zqcanary1@mail.test')) from users where id = 1",
        "select id, email from users order by (2) desc",
        // What is computed may fail, warn or take long; how many rows change tells what they held.
        "select if(ascii(email) = 122, exp(1000), 0) from users where id = 1",
        "select 1 from (select if(ascii(email) = 122, exp(1000), 0) x from users limit 1) d",
        "select exists (select if(ascii(email) = 122, exp(1000), 0) from users)",
        "values (1 / (select ascii(email) - 122 from users limit 1))",
        "do (select sha2(email, 256) from users limit 1)",
        "update users set email = 'x' where id = 1",
        "insert into users (id, email) values (1, 'x') on duplicate key update email = values(email)",
        "delete i from items i join users u on u.email like 'zq%' and i.id = u.id",
        "with c as (select 'zz' y union all select email from users) select count(*) from c where y like 'zq%'",
        "select count(*) from (select label from items where 0 union all select email from users) d where label like 'zq%'",
        "select id from (select id, coalesce(email) from users) d where `coalesce(email)` like 'zq%'",
        "select id from (select id, row_number() over w rn from users window w as (order by email)) d where rn = 2",
        "select id, first_value(id) over w f from users window w as (order by email desc)",
        "select max(x) from (select email x from users where id = 1 union all select 'guess') d",
        "select count(distinct x) from (select email x from users where id = 1 union all select 'guess') d",
        "select min(id) from (select id, email e from users union all select 0, 'guess') d group by e",
        // Names that the server makes, trims and cuts.
        "select 1 from (select NULL union all select email from users where id = 1) d where `NULL` like 'zq%'",
        "select 1 from (select ('a') union all select email from users where id = 1) d where a like 'zq%'",
        "select 1 from (select +1 union all select email from users where id = 1) d where `1` like 'zq%'",
        "select 1 from (select current_date union all select email from users) d where `current_date` like 'zq%'",
        "select 1 from (select ' a' union all select email from users where id = 1) d where a like 'zq%'",
        "select id from (select email as ' x', id from users) d where x like 'zqcanary1%'",
        "select email ' x' from users having x like 'zqcanary1%'",
        "select email ' x' from users order by x desc",
        "select email ' x', count(*) from users group by x",
        "select id from (select * from items union all select email, 1, 2 from users) d where id like 'zq%'",
        "select 1 from (select name_const('note', 'a') union all select email from users) d where note like 'zq%'",
        // What stands beside a value is masked like it.
        "select coalesce(email, 'zqcanary1@mail.test') from users",
        "select id, case when id = 3 then 'zqcanary1@mail.test' else email end from users",
        "select 'zqcanary1@mail.test' union all select email from users",
        "select coalesce(email, _utf8mb4'guess') from users",
        "select coalesce(birth, date '1980-01-02') from users",
        "select id from items where peek() = 'guess'",
        "select label from items order by peek() < 'm' limit 1",
        "replace into users (id, email) values (1, 'x')",
        // Who writes to such a column sees the masks of his guesses.
        "create table own (id int, ssn varchar(20))",
        "create temporary table own (id int, key k (id), `SSN` text)",
        "create table own as select label as ssn from items",
        "create table own (id int) select 'ssn'",
        "alter table items add column (a int, ssn int)",
        "alter table items change label ssn varchar(80)",
        "alter table items rename column label to ssn",
    ] {
        assert_eq!(number(&text(client, sql).await.expect_err(sql)), 1227, "{sql}");
        assert_eq!(number(&binary(client, sql).await.expect_err(sql)), 1227, "{sql}");
    }
    let own: &[&str] = match mariadb {
        true => &[
            "execute immediate 'select id, e from (select id, email e from users union all select 0, ''zq'') d order by ?' using 2",
            "delete from users where id = 77 returning length(email)",
            "with v(x) as (values ((select email from users where id = 1))) select 1 from v where x like 'zqcanary1%'",
            "select 1 from (select 'a' as x union all values ((select email from users where id = 1))) d where x like 'zq%'",
        ],
        false => &[
            "select 1 from (values row((select email from users where id = 1))) v where column_0 like 'zq%'",
            "select 1 from (values row((select email from users where id = 1))) v(x) where x like 'zqcanary1%'",
            "select 1 from (select 'a' as x union all values row((select email from users where id = 1))) d where x like 'zq%'",
            "values row((select email from users where id = 1), 1), row('m', 2) order by column_0",
            "select 'a' union values row((select email from users where id = 1))",
        ],
    };
    for sql in own {
        assert_eq!(number(&text(client, sql).await.expect_err(sql)), 1227, "{sql}");
    }
    for sql in ["select id from items where label like 'item%'", "create table own (id int, s varchar(20))"] {
        text(client, sql).await.unwrap();
    }
}
