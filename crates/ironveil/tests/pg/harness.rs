//! A server with the sample data, and the proxy in front of it.

use std::process::Command;
use std::time::Duration;

use tokio_postgres::{Client, Config, NoTls};
use veil_testkit::{Postgres, PostgresOptions};

pub use crate::proxy::{CANARY, Proxy, python, workspace};

pub const SCHEMA: &str = "
create table users (
    id int primary key, email text unique, full_name text, ssn char(11), phone varchar(30), card text,
    birth date, seen timestamptz, note text, age int, active bool, token uuid, salary numeric(10,2), score float8,
    ip inet, photo bytea, profile jsonb, tags text[], logins int8, level int2);
insert into users select i, 'zqcanary' || i || '@mail.test', 'zqcanary Person' || i, '123-45-' || lpad(i::text, 4, '0'),
    '+1 415 777 ' || lpad(i::text, 4, '0'), '4111111111111111', date '1980-01-01' + i, '2020-01-01 10:00+00',
    'note' || i, 30 + i, true, ('00000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, 1000 + i, i + 0.5, '10.0.0.1', '\\x7a7163616e617279',
    jsonb_build_object('secret', 'zqcanary'), array['zqcanary', null], i, i from generate_series(1, 5) i;
create table items (id int primary key, label text, n int);
insert into items select i, 'item' || i, i * 10 from generate_series(1, 5) i;
create table orders (id int primary key, user_id int references users, total numeric(8,2));
insert into orders select i, i, i * 1.5 from generate_series(1, 5) i;
create view user_view as select id, email as label, note from users;
create view user_report as select max(v.label) as mail, count(*) as n, sum(v.id) as ids, max(upper(v.label)) as up,
    max(i.label) as notes from user_view v join items i on i.id = v.id group by v.id;
create materialized view kept as select email as label, note from users where id < 4 union all select label, 'x' from user_view;
create view item_view as select id, label from items;
create view stats_view as select most_common_vals::text as v from pg_stats;
";

pub const RULES: &str = "
  - { table: users, column: email, strategy: email }
  - { table: users, column: full_name, strategy: name }
  - { column: ssn, strategy: ssn }
  - { table: users, column: phone, strategy: phone }
  - { table: users, column: card, strategy: credit_card }
  - { table: users, column: birth, strategy: date_shift }
  - { table: users, column: photo, strategy: hash }
  - { table: users, column: profile, strategy: redact }
  - { table: users, column: tags, strategy: redact }
";

/// A server and a proxy; both end with it.
pub struct Pair {
    pub server: Postgres,
    pub proxy: Proxy,
}

impl Pair {
    /// The sample database behind a proxy with the sample rules.
    pub fn start() -> Self {
        Self::with(PostgresOptions::default(), RULES)
    }

    pub fn with(options: PostgresOptions, rules: &str) -> Self {
        let server = sample_server(options);
        let config = config(server.port(), rules);
        Self { proxy: Proxy::start(&config), server }
    }

    pub async fn client(&self) -> Client {
        connect(self.proxy.port(), "shop").await
    }

    pub async fn direct(&self) -> Client {
        connect(self.server.port(), "shop").await
    }
}

/// A server that holds the sample database.
pub fn sample_server(options: PostgresOptions) -> Postgres {
    let server = Postgres::start(options).unwrap();
    server.psql("postgres", "create database shop").unwrap();
    server.psql("shop", SCHEMA).unwrap();
    server.psql("shop", "analyze").unwrap();
    server
}

/// A configuration for all databases of a local server.
///
/// With `IRONVEIL_POOL=transaction`, or another mode, connections to it are shared: for trying all tests so.
pub fn config(server_port: u16, rules: &str) -> String {
    let shared = std::env::var("IRONVEIL_POOL").ok().filter(|_| !rules.contains("\nusers:"));
    let shared = shared.map_or_else(String::new, |mode| pool(&format!("mode: {mode}, size: 4")));
    format!(
        "databases:\n  - {{ name: '*', upstream: 'postgres://127.0.0.1:{server_port}' }}\nrules:{rules}\n{shared}"
    )
}

pub async fn connect(port: u16, database: &str) -> Client {
    let mut config = Config::new();
    config.host("127.0.0.1").port(port).user("postgres").dbname(database);
    config.password(Postgres::password()).connect_timeout(Duration::from_secs(10));
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Shared connections, for the user that tests sign in as.
pub fn pool(settings: &str) -> String {
    format!("pool: {{ {settings} }}\nusers:\n  - {{ name: postgres, password: {{ env: TEST_PASSWORD }} }}\n")
}

/// Runs psql through `port` and returns what it prints, errors too.
pub fn psql(server: &Postgres, connection: &str, sql: &str) -> (bool, String) {
    let output = Command::new(server.bin("psql"))
        .args(["-X", "-A", "-t", "-c", sql, connection])
        .env("PGCLIENTENCODING", "UTF8")
        .env("PGPASSWORD", Postgres::password())
        .env("PGCONNECT_TIMEOUT", "10")
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}
