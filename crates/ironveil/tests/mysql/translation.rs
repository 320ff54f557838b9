//! Masks work as values: what clients give to columns whose masks can be undone is taken for masks.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Params, Row, Value};
use veil_testkit::MySql;

use crate::harness::{Proxy, connect, flavours, of, sample_server};
use crate::protocol::bulk_payload;
use crate::raw::Raw;

const RULES: &str = "
  - { table: users, column: email, strategy: { email: { mode: fpe } } }
  - { table: users, column: full_name, strategy: token }
  - { table: users, column: id, strategy: int_perm }
  - { table: users, column: logins, strategy: int_perm }
  - { table: users, column: phone, strategy: { phone: { mode: fpe } } }
  - { table: users, column: latin, strategy: fpe }
  - { table: users, column: note, strategy: hash }
protection: { mode: strict }";

fn start(server: &MySql) -> Proxy {
    let port = server.port();
    server.sql("shop", "alter table users modify full_name varchar(120); drop trigger tr; update users set latin = concat(left(latin, 8), id, id) where id < 3").unwrap();
    Proxy::start(&format!(
        "databases:\n  - {{ name: '*', upstream: 'mysql://127.0.0.1:{port}' }}\nrules:{RULES}\n"
    ))
}

fn text(value: &Value) -> String {
    match value {
        Value::NULL => "NULL".to_owned(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

/// What the first columns of all rows of the last result show.
async fn ask(conn: &mut Conn, sql: &str) -> Result<Vec<String>, Error> {
    let mut result = conn.query_iter(sql).await?;
    let mut last = Vec::new();
    loop {
        last = result.collect::<Row>().await?.iter().map(|row| text(&row[0])).chain(last).collect();
        if result.is_empty() {
            return Ok(last);
        }
    }
}

async fn one(conn: &mut Conn, sql: &str) -> String {
    let found = ask(conn, sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    assert_eq!(found.len(), 1, "{sql}: {found:?}");
    found[0].clone()
}

fn code(error: &Error) -> u16 {
    match error {
        Error::Server(error) => error.code,
        other => panic!("{other:?}"),
    }
}

async fn shown(conn: &mut Conn) -> [String; 6] {
    let mut found = Vec::new();
    for column in ["email", "full_name", "id", "logins", "phone", "latin"] {
        found.push(one(conn, &format!("select {column} from users where age = 31")).await);
    }
    found.try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_found_by_the_value_that_was_shown() {
    for flavour in flavours() {
        let server = sample_server(of(flavour));
        let proxy = start(&server);
        let mut client = connect(proxy.port()).await;
        let [email, name, id, logins, phone, latin] = shown(&mut client).await;
        assert!(email.ends_with("@example.com") && name.starts_with("iv1:") && id != "1");
        let other = one(&mut client, "select email from users where age = 32").await;
        for condition in [
            format!("email = '{email}'"),
            format!("email = ('{email}')"),
            format!("email = \"{email}\""),
            format!("users.email = '{email}' and shop.users.phone='{phone}'"),
            format!("email in ('x', '{email}', 'y')"),
            format!("email <=> '{email}'"),
            format!("/*!50000 email =*/ '{email}'"),
            format!("email = /* ? */ '{email}' and full_name = '{name}' and id = {id} and logins={logins}"),
            format!("id = '{id}' and latin = '{latin}'"),
            format!("id in (-5, {id})"),
            format!("not (email <> '{email}')"),
            format!("email != '{other}' and email not in ('nobody', 'no one') and id = {id}"),
            format!("exists (select 1 from users i where i.email = '{email}' and i.age = users.age)"),
        ] {
            let sql = format!("select age from users where {condition}");
            assert_eq!(one(&mut client, &sql).await, "31", "{sql}");
        }
        let by_view = format!("select id from user_view where label = '{email}'");
        assert_eq!(one(&mut client, &by_view).await, id);
        for sql in [
            format!("select email as email, x.age from (select * from users) x where x.email = '{email}'"),
            format!(
                "update users u join items i on i.id = 1 set u.email = '{email}', age = 31 where u.email = '{email}'"
            ),
            format!("update users set email = email, full_name = users.full_name where email = '{email}'"),
        ] {
            client.query_drop(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        }
        let joined = format!(
            "select i.label from users u, items i where u.id = {id} and i.id = 1 and u.email = '{email}'"
        );
        assert_eq!(one(&mut client, &joined).await, "item1");
        for (condition, count) in [
            ("email = 'zqcanary1@mail.test'", "0"),
            ("not (email = 'zqcanary1@mail.test')", "2"),
            ("email <> 'zqcanary1@mail.test'", "2"),
            ("full_name = 'zqcanary Person1'", "0"),
            ("full_name = 'it''s \\\\'", "0"),
            ("id = -1", "0"),
            ("id = 99999999999", "0"),
            ("not (id = 99999999999)", "3"),
            ("id <> 0 and id not in (-1, 0) and not (id <=> -7)", "3"),
        ] {
            let sql = format!("select count(*) from users where {condition}");
            assert_eq!(one(&mut client, &sql).await, count, "{sql}");
        }
        client.query_drop("set sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'").await.unwrap();
        let sql = format!("select \"age\" from users where email = '{email}' and full_name <> '\\'");
        assert_eq!(one(&mut client, &sql).await, "31");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_masks_in_every_form() {
    for flavour in flavours() {
        let server = sample_server(of(flavour));
        let proxy = start(&server);
        let mut client = connect(proxy.port()).await;
        let [email, name, id, logins, ..] = shown(&mut client).await;
        let number = |text: &str| Value::Int(text.parse().unwrap());
        let cases: Vec<(&str, Vec<Value>)> = vec![
            ("email = ?", vec![email.as_str().into()]),
            ("email = ? and full_name = ?", vec![email.as_str().into(), name.as_str().into()]),
            ("age = ? and id = ? and logins = ?", vec![31.into(), number(&id), number(&logins)]),
            ("id = ?", vec![id.as_str().into()]),
            ("id = ?", vec![Value::Double(id.parse().unwrap())]),
            ("email in (?, ?) and note is not null", vec!["y".into(), email.as_str().into()]),
            ("email = ? or email = ?", vec![Value::NULL, email.as_str().into()]),
            ("email <> ? and id = ?", vec!["zqcanary1@mail.test".into(), number(&id)]),
        ];
        for (condition, values) in &cases {
            let sql = format!("select age from users where {condition}");
            let statement = client.prep(&sql).await.unwrap();
            // The second execution does not state types.
            for _ in 0..2 {
                let found: Option<i32> =
                    client.exec_first(&statement, Params::Positional(values.clone())).await.unwrap();
                assert_eq!(found, Some(31), "{sql}");
            }
        }
        let real: Option<i32> = client
            .exec_first("select age from users where email = ?", ("zqcanary1@mail.test",))
            .await
            .unwrap();
        assert_eq!(real, None);
        // What is compared with other things than a column as it is counts as a question, which strict protection refuses.
        for sql in [
            "select age from users where concat(email, ?) = 'x'",
            "select age from users where email like ?",
            "select age from users where note = ?",
            "select age from users, (select 'zqcanary1@mail.test' as email) t where t.email = ? and users.email = t.email",
        ] {
            assert_eq!(code(&client.prep(sql).await.unwrap_err()), 1227, "{sql}");
        }
        for sql in [
            "select (select count(*) from (select 'email' 'x') t where email = 'y') from users",
            "select count(*) from (with users as (select 'x' as email) select 1 from users where users.email = 'y') x, users",
            "with users as (select 'x' as email), x as (select 1 from users) select count(*) from users where users.email = 'y'",
            "select count(*) from (with items as (select email as label from users) select 1 from items where items.label = 'y') x",
            "insert into items (id, label, n) select 6, 'x', (with users as (select 'g' as email) select count(*) from users where users.email = 'y')",
            "select count(*) from json_table('[\"x\"]', '$[*]' columns (email varchar(80) path '$')) users where users.email = 'y' and exists (select 1 from shop.users)",
            "select (select count(*) from items where email = 'y') from users",
            "explain select age from users where email = 'zqcanary1@mail.test'",
            "describe select age from users where id = 1",
            "select age from users where email = 'x' like 'y%'",
            "select age from users where email = 'x' is true",
            "insert into items set id = 9, n = (select email = 'x' from users limit 1)",
            "select (select count(*) from (select note as email from users) t where email = 'y') from users",
            "prepare p from 'select age from users where email = ?'; set @a = 'x'; execute p using @a",
            "prepare p from \"select age from users where email = 'x'\"; execute p",
        ] {
            assert_eq!(code(&ask(&mut client, sql).await.unwrap_err()), 1227, "{sql}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_back_is_what_was_there() {
    for flavour in flavours() {
        let server = sample_server(of(flavour));
        let proxy = start(&server);
        let (mut client, mut direct) = (connect(proxy.port()).await, connect(server.port()).await);
        let all = "select concat_ws('|', id, email, full_name, logins, phone, latin) from users order by id";
        let before = ask(&mut direct, all).await.unwrap();
        let [email, name, id, logins, phone, latin] = shown(&mut client).await;
        let write =
            "update users set email = ?, full_name = ?, logins = ?, phone = ?, latin = ? where id = ?";
        let values =
            (&email, &name, logins.parse::<i64>().unwrap(), &phone, &latin, id.parse::<i64>().unwrap());
        client.exec_drop(write, values).await.unwrap();
        let write = format!(
            "update users u set u.email = '{email}', full_name = '{name}', id = {id} where u.email = '{email}'"
        );
        client.query_drop(write).await.unwrap();
        assert_eq!(ask(&mut direct, all).await.unwrap(), before);
        for (write, expected) in [
            ("update users set full_name = 'New Name' where age = 31", 1411),
            ("update users set email = 'zqcanary9@mail.test' where age = 31", 1411),
            ("insert into users (id, full_name) values (79, 'New Name')", 1411),
            (
                "insert into users values (79, 'zqcanary9@mail.test', null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, default)",
                1411,
            ),
            ("insert into users set id = 80, full_name = 'x'", 1411),
            ("update users set full_name = upper('new') where age = 31", 1227),
            ("update users set full_name = 'a' 'b' where age = 31", 1227),
            ("insert into users (id, full_name) select n, label from items", 1227),
            ("insert into users (id, full_name) values (80, 'x' collate utf8mb4_bin)", 1227),
            ("insert into user_view (id, label) values (81, upper('x'))", 1227),
        ] {
            let error = ask(&mut client, write).await.expect_err(write);
            assert_eq!(code(&error), expected, "{write}: {error:?}");
        }
        let error =
            client.exec_drop("update users set full_name = ? where age = 31", ("New",)).await.unwrap_err();
        assert_eq!(code(&error), 1411, "{error:?}");
        let written = format!("insert into users (id, email, full_name) values ({}, null, default)", 77);
        client.query_drop(&written).await.unwrap();
        assert_eq!(one(&mut client, "select count(*) from users where id = 77 and email is null").await, "1");
    }
}

/// Texts with values in them are the server's alone; the proxy's own scanner looks at all that comes.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_tells_the_values_that_masks_stand_for() {
    for flavour in flavours() {
        let server = sample_server(of(flavour));
        let proxy = start(&server);
        let mut client = connect(proxy.port()).await;
        let [email, name, id, ..] = shown(&mut client).await;
        let _ = ask(&mut client, "set profiling = 1").await;
        for text in [
            format!("select age rows from users where email = '{email}'"),
            format!("select 1 rows; select 1 from users where email = '{email}'"),
            format!("show tables rows; select 1 from users where full_name = '{name}'"),
            format!("select ? rows from users where email = '{email}'"),
            format!("select exists (select 1 from users where email = '{email}')"),
            format!(
                "select (select count(*) from users where email = '{email}'), email = '{email}' from users"
            ),
            format!("select count(*) from (select email = '{email}', email = '{email}' from users) t"),
            format!("select * from (select email = '{email}' from users) t limit 1"),
            format!(
                "delete from users where id = -5 returning (select count(*) from users where email = '{email}')"
            ),
            format!(
                "insert into users (id, full_name) select 95, '{name}' from items having `zqcanary Person1`"
            ),
            "select age from users where logins = 99999999999999".to_owned(),
            format!("select age from users where email = '{email}'; show full processlist"),
            format!(
                "select age, (select info from information_schema.processlist limit 1) from users where email = '{email}'"
            ),
            format!("select nothing from users where email = '{email}'"),
            format!("select age from users where email = '{email}' and full_name = '{name}' and birth = 'x'"),
            "show warnings".to_owned(),
            format!("explain select age from users where email = '{email}'"),
            format!("explain extended select age from users where email = '{email}'"),
            "show warnings".to_owned(),
            "show errors".to_owned(),
            "show profiles".to_owned(),
            "select * from information_schema.profiling".to_owned(),
            "select sql_text from performance_schema.events_statements_history".to_owned(),
            "show engine innodb status".to_owned(),
            format!("insert into users (id, email) values ({id}, '{email}')"),
            format!(
                "insert into users (id, email, note) values ({id}, '{email}', 'x') on duplicate key update note = values(email)"
            ),
            format!("insert into users (id, email, note) values ({id}, '{email}', email)"),
            format!(
                "insert into users (id, email) values (90, '{email}') returning email, concat(email, '')"
            ),
            format!("replace into users (id, email) values ({id}, '{email}')"),
            format!("insert into items (id, label) select 9, '{email}' from users where email = '{email}'"),
            format!("update users set email = '{email}', note = email where age = 31"),
            format!("update users u, items i set u.email = '{email}', i.label = u.email where age = 31"),
            format!(
                "select '{email}' = email, case email when '{email}' then 1 end, if(email = '{email}', '{email}', 1) from users"
            ),
            format!(
                "select * from (select email as e from users union all select label from items) t where e = '{email}'"
            ),
            format!(
                "select * from (select email as e from users union all select 'zqcanary1@mail.test') t where e = '{email}'"
            ),
            "select label, note from items, users".to_owned(),
        ] {
            let _ = ask(&mut client, &text).await;
            if let Ok(statement) = client.prep(&text).await {
                let _: Result<Vec<Row>, Error> = client.exec(&statement, ()).await;
            }
        }
    }
}

/// What cannot be undone is not written over the values that it is shown for.
#[tokio::test(flavor = "multi_thread")]
async fn masks_are_not_written_over_values() {
    for flavour in flavours() {
        let server = sample_server(of(flavour));
        let proxy = Proxy::start(&crate::harness::config(server.port(), ""));
        let (mut client, mut direct) = (connect(proxy.port()).await, connect(server.port()).await);
        let all = "select concat_ws('|', id, email, full_name, ssn, phone, card, birth, seen, salary, age, hex(latin), hex(wide), logins) from users order by id";
        let before = ask(&mut direct, all).await.unwrap();
        for column in [
            "email",
            "full_name",
            "ssn",
            "phone",
            "card",
            "birth",
            "seen",
            "salary",
            "age",
            "latin",
            "wide",
            "logins",
        ] {
            let shown = one(&mut client, &format!("select {column} from users where id = 1")).await;
            for write in [
                format!("update users set {column} = '{shown}' where id = 1"),
                format!(
                    "insert into users (id, {column}) values (1, '{shown}') on duplicate key update {column} = values({column})"
                ),
                format!("replace into users (id, {column}) values (1, '{shown}')"),
            ] {
                let error = ask(&mut client, &write).await.expect_err(&write);
                assert!(
                    error.to_string().contains("which shows that for what is there"),
                    "{write}: {error:?}"
                );
            }
            let write = format!("update users set {column} = ? where id = 1");
            let error = client.exec_drop(&write, (shown,)).await.expect_err(column);
            assert_eq!(code(&error), 1227, "{column}: {error:?}");
        }
        assert_eq!(ask(&mut direct, all).await.unwrap(), before);
        client
            .query_drop("update users set email = 'zqcanary7@mail.test', age = 77 where id = 2")
            .await
            .unwrap();
        client
            .exec_drop("update users set full_name = ?, salary = ? where id = 2", ("zqcanary New", 5))
            .await
            .unwrap();
        let stored =
            one(&mut direct, "select concat(email, age, full_name, salary) from users where id = 2").await;
        assert_eq!(stored, "zqcanary7@mail.test77zqcanary New5.00");
    }
}

/// MariaDB's clients send the parameters of many rows at once.
#[tokio::test(flavor = "multi_thread")]
async fn many_rows_of_parameters_are_masks() {
    let server = sample_server(of(None));
    if !server.flavour().is_mariadb() {
        eprintln!("not tested: MySQL has no bulk execution");
        return;
    }
    let proxy = start(&server);
    let (mut client, mut direct) = (connect(proxy.port()).await, connect(server.port()).await);
    let emails = ask(&mut client, "select email from users where age > 30 order by age").await.unwrap();
    let rows = [(91, emails[0].as_str()), (92, emails[1].as_str()), (93, "zqcanary1@mail.test")];
    let mut raw = Raw::connect(proxy.port(), 0);
    raw.query("use shop");
    let update = raw.prepare("update users set age = ? where email = ?").unwrap();
    for _ in 0..2 {
        raw.send(&bulk_payload(update.statement, &rows));
        assert_eq!(raw.answer().error, None);
    }
    assert_eq!(ask(&mut direct, "select age from users order by id limit 2").await.unwrap(), ["91", "92"]);
    let insert = raw.prepare("insert into users (age, full_name) values (?, ?)").unwrap();
    raw.send(&bulk_payload(insert.statement, &[(1, "New Name")]));
    let (number, message) = raw.answer().error.unwrap();
    assert!(number == 1411, "{message}");
}

/// Values of the client's own are neither compared with real ones, nor named, nor counted up.
#[tokio::test(flavor = "multi_thread")]
async fn guesses_do_not_pass_for_masks() {
    for flavour in flavours() {
        let server = sample_server(of(flavour));
        server
            .sql("shop", "create table counted (id int auto_increment primary key, v int unique); insert into counted values (5, 10)")
            .unwrap();
        let port = server.port();
        let rules = RULES
            .replace("protection:", "  - { table: counted, column: id, strategy: int_perm }\nprotection:");
        start(&server);
        let proxy = Proxy::start(&format!(
            "databases:\n  - {{ name: '*', upstream: 'mysql://127.0.0.1:{port}' }}\nrules:{rules}\n"
        ));
        let mut client = connect(proxy.port()).await;
        let [email, name, id, ..] = shown(&mut client).await;
        let before = server.sql("shop", "select * from users").unwrap();
        for text in [
            format!(
                "insert into users (id, full_name) select {id} as i, '{name}' as n having n = 'zqcanary Person1'"
            ),
            format!("insert into users (id) select {id} as i having i = 1"),
            format!("insert into users (id) select {id} having `1` = 1"),
            format!("insert into users (id, full_name) select {id} as i, '{name}' as n order by n"),
        ] {
            let answer = ask(&mut client, &text).await;
            assert_eq!(answer.as_ref().map_err(code), Err(1227), "{text}");
        }
        // The server calls columns of VALUES by what stands in them; the proxy's own scanner looks at the names.
        for text in [
            format!("values ((select age from users where users.email = '{email}'))"),
            format!("select * from (values ((select age from users where users.email = '{email}'))) d"),
            format!(
                "with c as (values ((select age from users where users.email = '{email}'))) select * from c"
            ),
            format!("values ((select age from users where users.email = '{email}')) union select 1"),
        ] {
            let _ = ask(&mut client, &text).await;
            let _ = client.prep(&text).await;
        }
        assert_eq!(server.sql("shop", "select * from users").unwrap(), before);

        // What is found, or has a form, in a session's character sets is no answer.
        for set in
            ["set names latin1", "set character_set_connection = ascii", "set character_set_results = ascii"]
        {
            client.query_drop("set names utf8mb4").await.unwrap();
            let prepared = client.prep("select age from users where full_name = ?").await.unwrap();
            client.query_drop(set).await.unwrap();
            for text in [
                format!("select age from users where full_name = '{name}'"),
                format!("update users set full_name = '{name}' where age = 31"),
            ] {
                assert_eq!(ask(&mut client, &text).await.as_ref().map_err(code), Err(1227), "{set}: {text}");
            }
            let executed: Result<Vec<i32>, Error> = client.exec(&prepared, (&name,)).await;
            assert!(executed.is_err(), "{set}");
            assert_eq!(one(&mut client, &format!("select age from users where id = {id}")).await, "31");
        }
        client.query_drop("set names utf8mb4").await.unwrap();

        // Numbers that are counted up are shown as they would be in the column.
        for text in
            ["select last_insert_id(), @@identity", "update counted set v = v", "select last_insert_id()"]
        {
            assert_eq!(client.query_drop(text).await.map_err(|error| code(&error)), Ok(()), "{text}");
        }
        client.query_drop("insert into counted (v) values (11)").await.unwrap();
        let told = client.last_insert_id().unwrap();
        let real = server.sql("shop", "select id from counted where v = 11").unwrap();
        assert_eq!(one(&mut client, "select id from counted where v = 11").await, told.to_string());
        assert_ne!(told.to_string(), real.trim());
        let definition: (String, String) =
            client.query_first("show create table counted").await.unwrap().unwrap();
        assert!(
            definition.1.contains("AUTO_INCREMENT") && !definition.1.contains("AUTO_INCREMENT="),
            "{definition:?}"
        );
        let status: Row = client.query_first("show table status like 'counted'").await.unwrap().unwrap();
        assert_eq!(status.get::<Option<u64>, _>("Auto_increment"), Some(None));
        client.query_drop("show variables like 'version%'").await.unwrap();
        client.query_drop("set @identity = 1").await.unwrap();
        for text in [
            "select auto_increment from information_schema.tables",
            "select * from (select * from tables) t",
            "select 1 union table information_schema.tables",
            "select 1 from information_schema.tables where auto_increment > 5",
            "set auto_increment_increment = 65535",
            "show variables like '%'",
            "select last_insert_id()",
            "select @@last_insert_id, 1",
            "select @@session.identity",
            "show variables",
            "set insert_id = 600",
            "set @@session.insert_id = 600",
        ] {
            assert_eq!(ask(&mut client, text).await.as_ref().map_err(code), Err(1227), "{text}");
        }
    }
}
