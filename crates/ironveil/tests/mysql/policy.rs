//! For whom a rule is, and when.

use mysql_async::prelude::Queryable;
use veil_testkit::MySql;

use crate::harness::{Proxy, connect, flavours, of, sample_server};

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_for_whom_they_say() {
    for flavour in flavours() {
        let server = sample_server(of(flavour));
        let masks = "{ table: users, column: email, strategy: email }";
        let user = MySql::user();
        let grants =
            format!("create role dba, staff, chief; grant staff to chief; grant chief to {user}@'%'");
        server.sql("", &grants).unwrap();
        for (rules, clear) in [
            (format!("- {{ who: {{ user: {user}, network: 127.0.0.1 }}, unmask: true, reason: test }}\n  - {masks}"), true),
            (format!("- {{ who: {{ user: {user}, network: 10.0.0.0/8 }}, unmask: true, reason: test }}\n  - {masks}"), false),
            (format!("- {{ who: {{ role: dba }}, unmask: true, reason: test }}\n  - {masks}"), false),
            ("- { who: { role: dba }, table: users, column: email, strategy: email }".to_owned(), true),
            // By way of another role.
            (format!("- {{ who: {{ role: staff }}, unmask: true, reason: test }}\n  - {masks}"), true),
            ("- { who: { not: { role: staff } }, table: users, column: email, strategy: email }".to_owned(), true),
            (format!("- {{ unmask: true, reason: test, until: '2020-01-01' }}\n  - {masks}"), false),
            (format!("- {{ unmask: true, reason: test, until: '2999-01-01' }}\n  - {masks}"), true),
            ("- { who: { application: nothing_is_called_so }, table: users, column: email, strategy: redact }".to_owned(), true),
        ] {
            let port = server.port();
            let text = format!("databases:\n  - {{ name: '*', upstream: 'mysql://127.0.0.1:{port}' }}\nrules:\n  {rules}\n");
            let mut proxy = Proxy::start(&text);
            // The canary is shown where the rules say so.
            proxy.scanner = None;
            let mut client = connect(proxy.port()).await;
            let email: Option<String> = client.query_first("select email from users where id = 1").await.unwrap();
            assert_eq!(email.as_deref() == Some("zqcanary1@mail.test"), clear, "{rules}: {email:?}");
        }
    }
}

/// What refers to a masked column is masked like it, so that joins join.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_refer_to_masked_ones_are_masked_like_them() {
    for flavour in flavours() {
        let server = sample_server(of(flavour));
        for table in [
            "create table people (id int primary key, mail varchar(80) unique)",
            "create table mails (Owner varchar(80), person int, foreign key (owner) references people (mail), foreign key (person) references people (id))",
            "insert into people values (1, 'zqcanary1@mail.test')",
            "insert into mails values ('zqcanary1@mail.test', 1)",
        ] {
            server.sql("shop", table).unwrap();
        }
        let rules = "- { table: people, column: mail, strategy: email }\n  - { table: people, column: id, strategy: int_perm }";
        let port = server.port();
        let text = format!(
            "databases:\n  - {{ name: '*', upstream: 'mysql://127.0.0.1:{port}' }}\nrules:\n  {rules}\n"
        );
        let proxy = Proxy::start(&text);
        let mut client = connect(proxy.port()).await;
        let sql = "select p.mail, m.owner, p.id, m.person from people p join mails m on m.owner = p.mail and m.person = p.id";
        let (mail, owner, id, person): (String, String, i32, i32) =
            client.query_first(sql).await.unwrap().unwrap();
        assert!(
            mail == owner && mail.contains("@example.") && id == person && id != 1,
            "{mail} {owner} {id} {person}"
        );
    }
}

/// The same for an account that cannot see what its columns refer to.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_masked_for_accounts_that_see_little() {
    for flavour in flavours() {
        let server = sample_server(of(flavour));
        for sql in [
            "create table people (id int, part int, mail varchar(80) unique, primary key (id, part))",
            "create table mails (owner varchar(80), person int, part int, foreign key (owner) references people (mail), foreign key (person, part) references people (id, part))",
            "insert into people values (1, 1, 'zqcanary1@mail.test')",
            "insert into mails values ('zqcanary1@mail.test', 1, 1)",
            "create user ro@'%' identified by 'ro'",
            "grant select on mails to ro@'%'",
        ] {
            server.sql("shop", sql).unwrap();
        }
        let rules = "- { table: people, column: mail, strategy: email }\n  - { table: people, column: id, strategy: int_perm }";
        let port = server.port();
        let text = format!(
            "databases:\n  - {{ name: '*', upstream: 'mysql://127.0.0.1:{port}' }}\nrules:\n  {rules}\n"
        );
        let proxy = Proxy::start(&text);
        let options = crate::harness::options(proxy.port()).user(Some("ro")).pass(Some("ro"));
        let mut client = mysql_async::Conn::new(options).await.unwrap();
        let (owner, person): (Option<String>, Option<i32>) =
            client.query_first("select owner, person from mails").await.unwrap().unwrap();
        assert!(owner.as_deref() != Some("zqcanary1@mail.test") && person != Some(1), "{owner:?} {person:?}");
    }
}

/// The mask of a word is another word of its enumeration, or NULL.
#[tokio::test(flavor = "multi_thread")]
async fn masks_of_enumerations_are_words_of_theirs() {
    for flavour in flavours() {
        let server = sample_server(of(flavour));
        let words = "enum('sad', 'so, so', 'hap''py')";
        server
            .sql(
                "shop",
                &format!(
                    "create table moods (id int, mood {words}, other {words}, fixed {words}); \
            insert into moods values (1, 1, 1, 1), (2, 2, 2, 2), (3, 3, 3, 3)"
                ),
            )
            .unwrap();
        let rules = "
  - { table: moods, column: mood, strategy: { category: { values: [sad, 'so, so'] } } }
  - { table: moods, column: other, strategy: { category: { values: [bad] } } }
  - { table: moods, column: fixed, strategy: { constant: { value: hap'py } } }";
        let port = server.port();
        let text =
            format!("databases:\n  - {{ name: '*', upstream: 'mysql://127.0.0.1:{port}' }}\nrules:{rules}\n");
        let proxy = Proxy::start(&text);
        let mut client = connect(proxy.port()).await;
        type Words = (Option<String>, Option<String>, Option<String>);
        for sql in [
            "select mood, other, fixed from moods order by id",
            "select m.mood as a, m.other, m.fixed from (select * from moods) m order by id",
        ] {
            let told: Vec<Words> = client.query(sql).await.unwrap();
            let prepared: Vec<Words> = client.exec(sql, ()).await.unwrap();
            for (mood, other, fixed) in told.into_iter().chain(prepared) {
                assert!(mood.as_deref().is_some_and(|word| ["sad", "so, so"].contains(&word)), "{mood:?}");
                assert_eq!((other, fixed.as_deref()), (None, Some("hap'py")), "{sql}");
            }
        }
        let log = proxy.log();
        assert!(log.contains("no masks of the column's type") && log.contains("shop.moods.other"), "{log}");
        assert!(!log.contains("shop.moods.mood") && !log.contains("shop.moods.fixed"), "{log}");
    }
}

/// Rules may be for some rows only, by what another column of the same row shows.
#[tokio::test(flavor = "multi_thread")]
async fn rules_can_be_for_some_rows() {
    for flavour in flavours() {
        let server = sample_server(of(flavour));
        server.sql("shop", "alter table users add country char(2); update users set country = elt(id, 'DE', 'US', 'DE'), email = concat('zqcanary', id, '@mail.test'), birth = '1980-01-02'").unwrap();
        let rules = "
  - { table: users, column: email, when: { column: Country, is: [US] }, unmask: true, reason: test }
  - { table: users, column: email, strategy: hash }
  - { table: users, column: note, when: { column: id, is: [1, 2] }, strategy: redact }
  - { table: users, column: birth, strategy: date_shift, by: country }";
        let port = server.port();
        let text =
            format!("databases:\n  - {{ name: '*', upstream: 'mysql://127.0.0.1:{port}' }}\nrules:{rules}\n");
        let mut proxy = Proxy::start(&text);
        // Some rows are shown.
        proxy.scanner = None;
        let mut client = connect(proxy.port()).await;
        let hashed: Vec<String> =
            client.query("select email from users order by users.age, id").await.unwrap();
        assert!(hashed.iter().all(|email| !email.contains('@')), "{hashed:?}");
        for sql in ["select email, country from users", "select email, country, id from shop.users u"] {
            let rows: Vec<mysql_async::Row> = client.query(sql).await.unwrap();
            let prepared: Vec<mysql_async::Row> = client.exec(sql, ()).await.unwrap();
            for row in rows.iter().chain(&prepared) {
                let (email, country): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
                assert_eq!(email.contains('@'), country == "US", "{sql}: {email} {country}");
            }
        }
        for sql in [
            "select a.email, b.country from users a join users b on b.id = 2",
            "select email, (select country from users where id = 2) from users",
            "select email, 'US' as country from users",
            "select email, country from (select * from users) u",
        ] {
            let rows: Vec<mysql_async::Row> = client.query(sql).await.unwrap();
            assert!(rows.iter().all(|row| !row.get::<String, _>(0).unwrap().contains('@')), "{sql}");
        }
        let notes: Vec<(String, i32)> = client.query("select note, id from users order by id").await.unwrap();
        assert_eq!(
            notes,
            [("[REDACTED]".to_owned(), 1), ("[REDACTED]".to_owned(), 2), ("note3".to_owned(), 3)]
        );
        let births: Vec<(Option<String>, Option<String>)> =
            client.query("select birth, country from users order by id").await.unwrap();
        assert!(
            births[0].0 == births[2].0
                && births[0].0 != births[1].0
                && births[0].0.as_deref() != Some("1980-01-02"),
            "{births:?}"
        );
        let none: Vec<Option<String>> = client.query("select birth from users").await.unwrap();
        assert!(none.iter().all(Option::is_none));

        // What rules look at is not changed in strict mode.
        let mut strict = Proxy::start(&format!("{text}protection: {{ mode: strict }}\n"));
        strict.scanner = None;
        let mut client = connect(strict.port()).await;
        for sql in [
            "update users set Country = 'US'",
            "update users u, items i set u.country = 'US' where i.id = u.id",
            "insert into users (id, country) values (1, 'US') on duplicate key update country = 'US'",
            "replace into users (id, country) values (1, 'US')",
            "insert into users (id, country) values (1, 'US') on duplicate key update country = values(country)",
            "update users set country = default",
        ] {
            let refused = client.query_drop(sql).await.unwrap_err();
            assert!(
                matches!(&refused, mysql_async::Error::Server(error) if error.code == 1227),
                "{sql}: {refused:?}"
            );
        }
        client.query_drop("update users set age = 1").await.unwrap();
    }
}

/// Nothing is changed, and the log says what would be.
#[tokio::test(flavor = "multi_thread")]
async fn observing_changes_nothing() {
    for flavour in flavours() {
        let server = sample_server(of(flavour));
        let text =
            crate::harness::config(server.port(), "protection: { mode: observe, predicate_budget: 0 }");
        let mut proxy = Proxy::start(&text);
        proxy.scanner = None;
        let (mut client, mut direct) = (connect(proxy.port()).await, connect(server.port()).await);
        for sql in [
            "select * from users",
            "select upper(email), concat(email, '') from users order by email",
            "select id from users where email like 'zq%' and id = 1",
            "handler users open",
            "handler users close",
            "selec",
            "insert into users (id, email) values (1, 'zqcanary1@mail.test')",
            "call show_emails()",
            "select peek()",
            "set @a = 1",
            "select @a, email from users",
            "show processlist",
            "set names latin1",
            "select latin, wide from users",
            "create temporary table c as select id, email from users",
            "drop table c",
        ] {
            let one = async |conn: &mut mysql_async::Conn| {
                let rows: Result<Vec<mysql_async::Row>, _> = conn.query(sql).await;
                rows.map(|rows| {
                    if sql.starts_with("show") { rows.len().min(1).to_string() } else { format!("{rows:?}") }
                })
                .map_err(|error| error.to_string())
            };
            let (shown, clear) = (one(&mut client).await, one(&mut direct).await);
            match (&shown, &clear) {
                (Ok(shown), Ok(clear)) => assert_eq!(shown, clear, "{sql}"),
                (Err(shown), Err(clear)) => assert_eq!(shown, clear, "{sql}"),
                other => panic!("{sql}: {other:?}"),
            }
        }
        let email: Option<String> =
            client.exec_first("select email from users where id = ?", (1,)).await.unwrap();
        assert_eq!(email.as_deref(), Some("zqcanary1@mail.test"));
        let log = proxy.log();
        for said in [
            "a statement would be refused",
            "columns of a result would be masked",
            "asks or writes by masked columns",
        ] {
            assert!(log.contains(said), "{said}: {log}");
        }
    }
}
