//! For whom a rule is, and when.

use tokio_postgres::NoTls;

use crate::harness::{Proxy, config, sample_server};

/// What a user sees who calls its application so: the address in clear, or something else.
async fn sees(port: u16, user: &str, application: &str) -> &'static str {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(port).user(user).dbname("shop").application_name(application);
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    let row = client.query_one("select email from users where id = 1", &[]).await.unwrap();
    if row.get::<_, &str>(0) == "zqcanary1@mail.test" { "clear" } else { "masked" }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_for_whom_they_say() {
    let server = sample_server(veil_testkit::PostgresOptions::default());
    let users = "create role support login; create role dba; create role lead in role dba; create role ann login in role lead;
        grant select on users to support, ann";
    server.psql("shop", users).unwrap();
    let masks = "{ table: users, column: email, strategy: email }";
    let shows = |who: &str| format!("\n  - {{ who: {{ {who} }}, unmask: true, reason: test }}\n  - {masks}");
    let only =
        |who: &str| format!("\n  - {{ table: users, column: email, strategy: email, who: {{ {who} }} }}");
    let until = |day: &str| format!("\n  - {{ unmask: true, reason: test, until: {day} }}\n  - {masks}");
    for (rules, seen) in [
        (only("user: 'sup*'"), ["masked", "clear", "clear"]),
        (shows("user: [support, postgres]"), ["clear", "masked", "clear"]),
        (shows("network: 127.0.0.0/8"), ["clear", "clear", "clear"]),
        (shows("network: [10.0.0.0/8, '::1']"), ["masked", "masked", "masked"]),
        // By way of another role.
        (shows("role: dba"), ["masked", "clear", "masked"]),
        (only("not: { role: dba }"), ["masked", "clear", "masked"]),
        (only("user: '*', not: { user: ann }"), ["masked", "clear", "masked"]),
        (shows("hours: '00:00-00:00'"), ["clear", "clear", "clear"]),
        (
            shows("user: ann, hours: '00:00-00:00', not: { network: 127.0.0.1 }"),
            ["masked", "masked", "masked"],
        ),
        (only("application: 'bi*'").replace("email, who", "redact, who"), ["masked", "masked", "masked"]),
        (only("application: 'psql'").replace("email, who", "redact, who"), ["clear", "clear", "clear"]),
        (until("'2020-01-01'"), ["masked", "masked", "masked"]),
        (until("'2999-12-31'"), ["clear", "clear", "clear"]),
    ] {
        let text = config(server.port(), &rules);
        let mut proxy = Proxy::start(&text);
        // The canary is shown where the rules say so.
        proxy.scanner = None;
        for (user, seen) in ["support", "ann", "postgres"].into_iter().zip(seen) {
            assert_eq!(sees(proxy.port(), user, "bi tool").await, seen, "{user}: {rules}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_values_have_equal_masks_where_the_scope_says_so() {
    let server = sample_server(veil_testkit::PostgresOptions::default());
    server.psql("shop", "create table others as select id, email, email as second from users").unwrap();
    let masked = async |more: &str| {
        let rules = format!(
            "\n  - {{ table: '*', column: '*e*d', strategy: hash, {more} }}\n  - {{ column: email, strategy: hash, {more} }}"
        );
        let proxy = Proxy::start(&config(server.port(), &rules));
        let client = crate::harness::connect(proxy.port(), "shop").await;
        let one = client.query_one("select email from users where id = 1", &[]).await.unwrap();
        let other = client.query_one("select email, second from others where id = 1", &[]).await.unwrap();
        [one.get::<_, String>(0), other.get(0), other.get(1)]
    };
    let [a, b, c] = masked("scope: global").await;
    assert!(a == b && b == c);
    let [d, e, f] = masked("scope: database").await;
    assert!(d == e && e == f && a != d);
    let [g, h, i] = masked("scope: column").await;
    assert!(g != h && h != i && g != a && g != d);
    let [j, k, _] = masked("class: mail").await;
    assert!(j == k && j != a);
}

/// What refers to a masked column is masked like it, so that joins join, unless a rule says otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_refer_to_masked_ones_are_masked_like_them() {
    let server = sample_server(veil_testkit::PostgresOptions::default());
    let tables = "create table people (id int primary key, mail text unique); insert into people values (1, 'zqcanary1@mail.test');
        create table mails (owner text references people (mail), person int references people (id)); insert into mails values ('zqcanary1@mail.test', 1);
        create table replies (of text references people (mail), n int) partition by range (n);
        create table replies_1 partition of replies for values from (1) to (9); insert into replies values ('zqcanary1@mail.test', 1)";
    server.psql("shop", tables).unwrap();
    let rules = "\n  - { table: people, column: mail, strategy: email }\n  - { table: people, column: id, strategy: int_perm }";
    let proxy = Proxy::start(&config(server.port(), rules));
    let client = crate::harness::connect(proxy.port(), "shop").await;
    let one = client.query_one("select p.mail, m.owner, p.id, m.person, r.of, s.of from people p join mails m on m.owner = p.mail \
        join replies r on r.of = p.mail join replies_1 s on s.of = p.mail where m.person = p.id", &[]).await.unwrap();
    let mails = [0, 1, 4, 5].map(|at| one.get::<_, String>(at));
    assert!(mails.iter().all(|mail| *mail == mails[0] && mail.contains("@example.")), "{mails:?}");
    let ids = [2, 3].map(|at| one.get::<_, i32>(at));
    assert!(ids[0] == ids[1] && ids[0] != 1, "{ids:?}");

    // What is said of columns without rules does not go before what they refer to.
    let rest = format!("{rules}\nprotection: {{ unclassified: mask }}");
    let proxy = Proxy::start(&config(server.port(), &rest));
    let client = crate::harness::connect(proxy.port(), "shop").await;
    let one = client.query_one("select m.person, m.owner, r.n from mails m, replies r", &[]).await.unwrap();
    assert_eq!((one.get::<_, i32>(0), one.get::<_, String>(1)), (ids[0], mails[0].clone()));
    assert_ne!(one.get::<_, Option<i32>>(2), Some(1));

    let shown = "\n  - { table: mails, column: person, unmask: true, reason: test }".to_owned() + rules;
    let proxy = Proxy::start(&config(server.port(), &shown));
    let client = crate::harness::connect(proxy.port(), "shop").await;
    let one = client.query_one("select owner, person from mails", &[]).await.unwrap();
    assert!(one.get::<_, String>(0) == mails[0] && one.get::<_, i32>(1) == 1);
}

/// What `ironveil check` says of a configuration.
fn checked(text: &str) -> (bool, String) {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name);
    std::fs::write(place("key"), "00112233445566778899aabbccddeeff".repeat(2)).unwrap();
    let keys = format!("keys: {{ root: {{ file: '{}' }} }}\n{text}", place("key").display());
    std::fs::write(place("proxy.yaml"), keys).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_ironveil"))
        .arg("check")
        .arg(place("proxy.yaml"))
        .args(["--database", "shop", "--user", "postgres"])
        .output()
        .unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(told).unwrap())
}

#[test]
fn a_configuration_carries_tests_of_its_own() {
    let server = sample_server(veil_testkit::PostgresOptions::default());
    let rules = "
  - { name: night, who: { user: dba, network: 10.0.0.0/8 }, unmask: true, reason: test }
  - { name: addresses, table: users, column: email, strategy: partial, last: 3 }
  - { table: users, column: age, strategy: email }
  - { who: { role: auditors, days: [mon] }, table: users, column: phone, unmask: true, reason: test }
  - { table: users, column: phone, strategy: phone }
  - { table: users, column: birth, strategy: date_truncate }";
    let with = |tests: &[&str]| {
        let tests: String = tests.iter().map(|test| format!("  - {test}\n")).collect();
        checked(&format!(
            "{}protection: {{ unclassified: mask }}\ntests:\n{tests}",
            config(server.port(), rules)
        ))
    };
    let good = [
        "{ as: app, column: users.email, expect: addresses }",
        "{ as: app, column: users.email, expect: partial }",
        "{ as: app, column: public.users.note, expect: unclassified }",
        "{ as: { user: dba, address: 10.1.1.1 }, column: users.email, expect: shown }",
        "{ as: { user: dba, address: 11.1.1.1 }, column: users.email, expect: partial }",
        "{ as: app, column: users.email, value: jane@corp.example, expect: '**************ple' }",
        "{ as: app, sql: 'select email, upper(email), count(*) from users group by email', expect: [addresses, 'null', shown] }",
        "{ as: app, sql: 'select pg_read_file(email) from users', expect: refused }",
        "{ as: { user: app, roles: [auditors], at: 2026-11-23 }, column: users.phone, expect: shown }",
        "{ as: { user: app, roles: [auditors], at: '2026-11-23 18:30' }, sql: 'select phone from users', expect: [shown] }",
        "{ as: { user: app, roles: [auditors], at: 2026-11-24 }, column: users.phone, expect: phone }",
        "{ as: { user: app, roles: [], at: 2026-11-23 }, sql: 'select phone from users', expect: [masked] }",
        "{ as: app, column: users.birth, value: 1990-05-17, type: date, expect: '1990-01-01' }",
        "{ as: app, column: users.birth, value: 1990-05-17, type: uuid, expect: 'NULL' }",
        "{ as: { user: dba, address: 10.1.1.1 }, sql: 'select email, upper(email) from users', expect: [shown, shown] }",
    ];
    let (fine, told) = with(&good);
    assert!(
        fine && told.contains("no masks of the column's type; choose another: public.users.age (email)"),
        "{told}"
    );
    for (test, problem) in [
        (
            "{ as: app, column: users.email, expect: shown }",
            "users.email is masked by rule addresses (partial), and not shown",
        ),
        (
            "{ as: { user: dba, address: 10.1.1.1 }, column: users.email, expect: partial }",
            "users.email is shown to dba",
        ),
        ("{ as: app, column: users.email, value: jane@corp.example, expect: x }", "another mask"),
        (
            "{ as: app, sql: 'select email from users', expect: ['null'] }",
            "runs; columns: masked by addresses",
        ),
        (
            "{ as: app, sql: 'select email from users', expect: refused }",
            "runs; columns: masked by addresses",
        ),
        ("{ as: app, sql: 'select 1; select 2', expect: shown }", "it is not one statement"),
        ("{ as: app, sql: 'select email from users', expect: [] }", "a test has \"column\""),
        (
            "{ as: { user: app, at: noon }, column: users.email, expect: shown }",
            "a time is written 2026-12-31",
        ),
        (
            "{ as: app, column: users.email, value: x, type: money, expect: x }",
            "\"type\" is one of text, int2",
        ),
        ("{ as: app, column: users.email }", "the key \"expect\" is missing"),
        ("{ as: app, expect: x }", "a test has \"column\""),
    ] {
        let (fine, told) = with(&[good[0], test]);
        assert!(!fine && told.contains(problem), "{test}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_does_not_fit_its_column_is_told_in_the_log() {
    let server = sample_server(veil_testkit::PostgresOptions::default());
    let proxy = Proxy::start(&config(server.port(), "\n  - { table: users, column: age, strategy: email }"));
    let client = crate::harness::connect(proxy.port(), "shop").await;
    let row = client.query_one("select age from users where id = 1", &[]).await.unwrap();
    assert_eq!(row.get::<_, Option<i32>>(0), None);
    assert!(
        proxy.log().contains("no masks of the column's type") && proxy.log().contains("public.users.age")
    );
}

/// The mask of a word is another word of its enumeration, or NULL.
#[tokio::test(flavor = "multi_thread")]
async fn masks_of_enumerations_are_words_of_theirs() {
    let server = sample_server(veil_testkit::PostgresOptions::default());
    let rules = "
  - { table: moods, column: mood, strategy: { category: { values: [sad, 'so, so'] } } }
  - { table: moods, column: other, strategy: { category: { values: [sad, bad] } } }
  - { table: moods, column: fixed, strategy: { constant: { value: sad } } }
  - { table: moods, column: listed, strategy: { lookup: { values: { happy: sad }, otherwise: 'null' } } }
  - { table: moods, column: hashed, strategy: hash }";
    let columns = "id int, mood mood, other mood, fixed mood, listed mood, hashed mood";
    server
        .psql("shop", &format!("create type mood as enum ('sad', 'so, so', 'happy'); create table moods ({columns}); \
         insert into moods select i, m, m, m, m, m from unnest(enum_range(null::mood)) with ordinality as e (m, i)"))
        .unwrap();
    let proxy = Proxy::start(&config(server.port(), rules));
    let client = crate::harness::connect(proxy.port(), "shop").await;
    let select = "select mood, other, fixed, listed, hashed from moods order by id";
    let told = client.simple_query(select).await.unwrap();
    let told = told.iter().filter_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => {
            Some((0..5).map(|at| row.get(at).map(str::to_owned)).collect::<Vec<_>>())
        }
        _ => None,
    });
    let told: Vec<Vec<Option<String>>> = told.collect();
    for row in &told {
        assert!(row[0].as_deref().is_some_and(|word| ["sad", "so, so"].contains(&word)), "{told:?}");
        assert_eq!([&row[1], &row[4]], [&None, &None], "{told:?}");
        assert_eq!(row[2].as_deref(), Some("sad"));
    }
    let listed: Vec<_> = told.iter().map(|row| row[3].as_deref()).collect();
    assert_eq!(listed, [None, None, Some("sad")]);
    // The same in binary.
    for (sql, at) in
        [(select, 0), ("select m.id, m.mood as word from (select * from moods) m order by id", 1)]
    {
        let rows = client.query(sql, &[]).await.unwrap();
        let words = rows.iter().map(|row| row.get::<_, Word>(at).0);
        assert!(words.eq(told.iter().map(|row| row[0].clone())), "{sql}");
    }
    assert!(proxy.log().contains("public.moods.other") && proxy.log().contains("public.moods.hashed"));
    assert!(!proxy.log().contains("public.moods.mood") && !proxy.log().contains("public.moods.fixed"));
}

/// The fields of a composite type are masked like columns, one by one.
#[tokio::test(flavor = "multi_thread")]
async fn fields_of_composite_types_are_masked() {
    let server = sample_server(veil_testkit::PostgresOptions::default());
    let rules = "
  - { table: homes, column: home, strategy: { composite: { fields: { owner: { email: { mode: fpe } }, number: fpe, tags: hash } } } }
  - { table: homes, column: owner, strategy: { email: { mode: fpe } } }
  - { table: homes, column: number, strategy: fpe }
  - { table: homes, column: wrong, strategy: { composite: { fields: { nobody: hash } } } }
  - { table: homes, column: all_of_it, strategy: 'null' }";
    server
        .psql("shop", "create domain mail as varchar(80); create type home as (owner mail, number int, tags text[], note text, seen date); \
            create table homes (k int, home home, owner varchar(80), number int, wrong home, all_of_it home); \
            insert into homes select i, (e, n, t, 'secret (\"', '2024-01-02')::home, e, n, (e, n, t, null, null)::home, (e, n, t, null, null)::home \
            from (values (1, 'zqcanary1@mail.test', 1234567, array['a,b', null, '\"']), (2, 'zqcanary2@mail.test', null, '{}'), (3, null, null, null)) v (i, e, n, t); \
            insert into homes (k) values (4)")
        .unwrap();
    let proxy = Proxy::start(&config(server.port(), rules));
    let client = crate::harness::connect(proxy.port(), "shop").await;
    let rows = client
        .simple_query("select home, owner, number, wrong, all_of_it from homes order by k")
        .await
        .unwrap();
    let rows: Vec<_> = rows
        .iter()
        .filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        })
        .collect();
    for row in &rows {
        assert_eq!((row.get(3), row.get(4)), (None, None));
    }
    let home = rows[0].get(0).unwrap();
    let expected = format!("(\"{}\",\"{}\",", rows[0].get(1).unwrap(), rows[0].get(2).unwrap());
    assert!(home.starts_with(&expected) && home.ends_with("\",,)") && !home.contains("secret"), "{home}");
    assert_eq!(rows[1].get(0).unwrap(), format!("(\"{}\",,\"{{}}\",,)", rows[1].get(1).unwrap()));
    assert_eq!((rows[2].get(0), rows[3].get(0)), (Some("(,,,,)"), None));
    // In binary the fields hold the same.
    let binary = client.query("select home from homes order by k", &[]).await.unwrap();
    let sent = binary[0].get::<_, Word>(0).0.unwrap();
    assert!(
        sent.contains(rows[0].get(1).unwrap()) && !sent.contains("zqcanary") && !sent.contains("secret"),
        "{sent:?}"
    );
    let number: i32 = rows[0].get(2).unwrap().parse().unwrap();
    assert!(sent.contains(&number.to_be_bytes().map(char::from).iter().collect::<String>()), "{sent:?}");
    // A field by itself is computed, and arrays of such are not followed.
    let parts =
        client.query("select (home).owner::text, (home).note from homes where k = 1", &[]).await.unwrap();
    assert_eq!((parts[0].get::<_, Word>(0).0, parts[0].get::<_, Word>(1).0), (None, None));
    assert!(proxy.log().contains("public.homes.wrong"));
}

/// Whoever reads a planted value is told of, and sees a mask like others.
#[tokio::test(flavor = "multi_thread")]
async fn canaries_sing() {
    let server = sample_server(veil_testkit::PostgresOptions::default());
    let rules = "
  - { table: users, column: note, strategy: { canary: { values: [NOTE3, other], like: hash } } }
  - { table: users, column: full_name, strategy: hash }";
    let proxy = Proxy::start(&config(server.port(), rules));
    let client = crate::harness::connect(proxy.port(), "shop").await;
    let sings = |log: &str| log.lines().filter(|line| line.contains("planted values were read")).count();
    client.query("select note from users where id <> 3", &[]).await.unwrap();
    assert_eq!(sings(&proxy.log()), 0);
    server.psql("shop", "update users set full_name = note").unwrap();
    for (sql, times) in
        [("select note, full_name, id from users", 1), ("select n.note as m from users n where id = 3", 2)]
    {
        let rows = client.query(sql, &[]).await.unwrap();
        assert!(rows.iter().all(|row| row.get::<_, &str>(0).len() == 32), "{sql}");
        if times == 1 {
            assert!(rows.iter().all(|row| row.get::<_, &str>(0) == row.get::<_, &str>(1)), "{sql}");
        }
        assert_eq!(sings(&proxy.log()), times, "{sql}");
    }
    let log = proxy.log();
    let line = log.lines().find(|line| line.contains("planted values were read")).unwrap();
    assert!(line.contains("WARN") && line.contains("postgres") && !line.contains("note3"), "{line}");
}

/// What is sent as text.
struct Word(Option<String>);

impl<'a> tokio_postgres::types::FromSql<'a> for Word {
    fn from_sql(
        _: &tokio_postgres::types::Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(Some(raw.iter().copied().map(char::from).collect())))
    }

    fn from_sql_null(
        _: &tokio_postgres::types::Type,
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &tokio_postgres::types::Type) -> bool {
        true
    }
}

/// Rules may be for some rows only, by what another column of the same row shows.
#[tokio::test(flavor = "multi_thread")]
async fn rules_can_be_for_some_rows() {
    let server = sample_server(veil_testkit::PostgresOptions::default());
    server.psql("shop", "alter table users add country text; update users set country = (array['DE','AT','US',null,'DE'])[id]").unwrap();
    let rules = "
  - { table: users, column: email, when: { column: country, is: [US] }, unmask: true, reason: test }
  - { table: users, column: full_name, when: { column: country, is_not: [DE, AT] }, strategy: redact }
  - { table: users, column: email, strategy: hash }
  - { table: users, column: note, when: { column: id, is: [1, 2] }, strategy: redact }
  - { table: users, column: phone, when: { column: active, is: true }, strategy: 'null' }
  - { table: users, column: birth, strategy: date_shift, by: level }
  - { table: users, column: seen, strategy: date_shift, by: level }
  - { table: users, column: active, strategy: boolean, by: id, percent: 100 }";
    server
        .psql("shop", "update users set level = case when id < 3 then 1 else id end, active = id < 3")
        .unwrap();
    let mut proxy = Proxy::start(&config(server.port(), rules));
    // Some rows are shown.
    proxy.scanner = None;
    let client = crate::harness::connect(proxy.port(), "shop").await;
    let direct = crate::harness::connect(server.port(), "shop").await;
    let all = async |sql: &str, at: usize| {
        // In text and in binary.
        let rows = client.query(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        rows.iter().map(|row| row.get::<_, Option<String>>(at).unwrap_or_default()).collect::<Vec<_>>()
    };
    let hashed = all("select email from users order by id", 0).await;
    assert!(hashed.iter().all(|email| !email.contains('@') && !email.contains('[')), "{hashed:?}");
    for sql in [
        "select email, country from users order by id",
        "select u.country, u.email as e from users u join items i on i.id = u.id order by u.id",
    ] {
        let at = usize::from(sql.contains("as e"));
        let shown = all(sql, at).await;
        let expected = [&hashed[0], &hashed[1], "zqcanary3@mail.test", &hashed[3], &hashed[4]];
        assert_eq!(shown, expected, "{sql}");
    }
    // Where it is not certain that both are of one row, the first mask there is.
    for sql in [
        "select a.email, b.country from users a join users b on b.id = 3 order by a.id",
        "select email, (select country from users where id = 3) from users order by id",
        "select email, country from (select * from users) u union all select email, 'US' from users",
        "with b as (select country from users where id = 3) select u.email, b.country from users u, b order by u.id",
        "update users set age = age returning email, country",
        "select max(email), 'US' as country from users group by id order by id",
        "select j.country, users.id, users.email from (users join items using (id)) as j cross join users where j.country = 'US'",
        "select x.c, users.id, users.email from users x (i, f, e, c), users",
    ] {
        let rows = client.query(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let cells =
            rows.iter().flat_map(|row| (0..row.len()).filter_map(|at| row.try_get::<_, String>(at).ok()));
        assert!(cells.into_iter().all(|cell| !cell.contains('@')), "{sql}");
    }
    for sql in [
        "insert into users (id, country, email) select id + 1000, 'US', email from users where id = 1",
        "update users u set email = v.email from users v where v.id = 1 and u.id = 3",
        "update users u set birth = v.birth from users v where v.id = 1 and u.id = 3",
    ] {
        assert!(client.execute(sql, &[]).await.is_err(), "{sql}");
    }
    assert_eq!(
        all("select note, id from users order by id", 0).await,
        ["[REDACTED]", "[REDACTED]", "note3", "note4", "note5"]
    );
    assert_eq!(all("select note from users order by id", 0).await, ["[REDACTED]"; 5]);
    let names = all("select full_name, country from users order by id", 0).await;
    let redacted: Vec<bool> = names.iter().map(|name| name == "[REDACTED]").collect();
    // NULL is neither.
    assert_eq!(redacted, [false, false, true, true, false], "{names:?}");
    let phones = all("select phone, active from users order by id", 0).await;
    assert!(
        phones[..2].iter().all(String::is_empty)
            && phones[2..].iter().all(|phone| phone.starts_with("+1 415 777")),
        "{phones:?}"
    );

    // Each row has its coin.
    let coins = async |sql: &str| {
        let rows = client.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get::<_, Option<bool>>(0)).collect::<Vec<_>>()
    };
    let tossed = coins("select active, id from users order by id").await;
    assert!(tossed.iter().all(Option::is_some), "{tossed:?}");
    assert_eq!(tossed, coins("select u.active, u.* from users u order by id").await);
    assert_eq!(coins("select active from users").await, [None; 5]);

    // The dates of one subject move alike.
    let days = "select level, birth, seen from users order by id";
    let moved = async |client: &tokio_postgres::Client| {
        let answer = client.simple_query(days).await.unwrap();
        let rows = answer.into_iter().filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => {
                Some([row.get(1).unwrap().to_owned(), row.get(2).unwrap().to_owned()])
            }
            _ => None,
        });
        rows.collect::<Vec<_>>()
    };
    let (clear, masked) = (moved(&direct).await, moved(&client).await);
    let apart = |a: &str, b: &str| format!("select ('{a}'::timestamptz - '{b}'::timestamptz)::text");
    for (a, b) in [([0, 0], [1, 0]), ([0, 0], [0, 1])] {
        let of = |rows: &Vec<[String; 2]>| apart(&rows[a[0]][a[1]], &rows[b[0]][b[1]]);
        let days = async |sql: String| direct.query_one(&sql, &[]).await.unwrap().get::<_, String>(0);
        let (before, after) = (days(of(&clear)).await, days(of(&masked)).await);
        assert_eq!(before.split(' ').next(), after.split(' ').next(), "{clear:?} {masked:?}");
    }
    assert!(clear.iter().zip(&masked).all(|(clear, masked)| clear != masked));
    let none = client.query("select birth::text from users", &[]).await.unwrap();
    assert!(none.iter().all(|row| row.get::<_, Option<String>>(0).is_none()));
    let binary = client.query("select birth = birth, level, birth from users", &[]).await.unwrap();
    assert_eq!(binary.len(), 5);

    // What rules look at is not changed in strict mode, new rows may be written.
    let mut strict =
        Proxy::start(&config(server.port(), &format!("{rules}\nprotection: {{ mode: strict }}")));
    strict.scanner = None;
    let client = crate::harness::connect(strict.port(), "shop").await;
    server.psql("shop", "create view abroad as select * from users").unwrap();
    for sql in [
        "update users set country = 'US'",
        "update users set level = null where id = 1",
        "update users set country = default",
        "update users set (level, country) = (1, 'US')",
        "update abroad set country = 'US'",
        "insert into users (id, country) values (1, 'US') on conflict (id) do update set country = 'US'",
        "insert into users (id, country) values (1, 'US') on conflict (id) do update set country = excluded.country",
    ] {
        let answer = client.execute(sql, &[]).await;
        let code = answer.as_ref().err().and_then(|refused| refused.code());
        assert_eq!(code.map(|code| code.code()), Some("42501"), "{sql}: {answer:?}");
    }
    client.execute("insert into users (id, country, level) values (90, 'US', 1)", &[]).await.unwrap();
    client.execute("update users set age = 1 where country = 'US'", &[]).await.unwrap();
}

/// Nothing is changed, and the log says what would be.
#[tokio::test(flavor = "multi_thread")]
async fn observing_changes_nothing() {
    let rules = crate::harness::RULES.to_owned()
        + "  - { table: users, column: token, strategy: uuid_perm }\nprotection: { mode: observe, predicate_budget: 0 }";
    let server = sample_server(veil_testkit::PostgresOptions::default());
    let mut proxy = Proxy::start(&config(server.port(), &rules));
    proxy.scanner = None;
    let client = crate::harness::connect(proxy.port(), "shop").await;
    let direct = crate::harness::connect(server.port(), "shop").await;
    let answer = async |client: &tokio_postgres::Client, sql: &str| {
        let answer = client.simple_query(sql).await;
        answer.map(|all| format!("{all:?}")).map_err(|error| format!("{:?}", error.as_db_error()))
    };
    for sql in [
        "select * from users",
        "select upper(email), email || '', users from users order by email",
        "select id from users where email like 'zq%' and token = '00000000-0000-4000-8000-000000000001'",
        "select most_common_vals::text from pg_stats where tablename = 'users'",
        "do $$ begin raise notice 'x'; end $$",
        "select pg_read_file('PG_VERSION')",
        "select 1 from users; selec",
        "select email, count(*) from users group by email having 1 / (id - id) = 1",
        "insert into users (id, email) values (1, 'zqcanary1@mail.test')",
        "create table c as select * from users; drop table c",
        "create function f() returns text language sql as 'select email from users limit 1'; select f(); drop function f",
        "set client_encoding = latin1; select email from users; set client_encoding = utf8",
        "explain analyze select count(*) from users where email = 'a'",
        "prepare ironveil_x as select email from users; execute ironveil_x; deallocate ironveil_x",
    ] {
        let (shown, clear) = (answer(&client, sql).await, answer(&direct, sql).await);
        let same = |text: &str| text.split("Time").next().unwrap().replace(|c: char| c.is_ascii_digit(), "");
        match (&shown, &clear) {
            (Ok(shown), Ok(clear)) => assert_eq!(same(shown), same(clear), "{sql}"),
            (Err(shown), Err(clear)) => assert_eq!(shown, clear, "{sql}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
    let row = client
        .query_one("select email, note from users where email = $1", &[&"zqcanary1@mail.test"])
        .await
        .unwrap();
    assert_eq!(row.get::<_, String>(0), "zqcanary1@mail.test");
    let copied = crate::harness::psql(
        &server,
        &format!("host=127.0.0.1 port={} user=postgres dbname=shop", proxy.port()),
        "copy users (email) to stdout",
    );
    assert!(copied.1.contains("zqcanary5@mail.test"));
    let log = proxy.log();
    for said in [
        "nothing is masked or refused",
        "a statement would be refused",
        "columns of a result would be masked",
        "asks or writes by masked columns",
    ] {
        assert!(log.contains(said), "{said}: {log}");
    }
}
