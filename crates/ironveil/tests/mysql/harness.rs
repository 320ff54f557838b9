//! A server with the sample data, and the proxy in front of it.

use std::process::Command;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Row, Value};
use veil_testkit::{Flavour, MySql, MySqlOptions};

pub use crate::proxy::{CANARY, Proxy, python, workspace};

pub const SCHEMA: &str = "
create database shop character set utf8mb4;
use shop;
create table users (
    id int primary key, email varchar(80) unique, full_name varchar(60), ssn char(11), phone varchar(30),
    card bigint unsigned, birth date, seen datetime(3), note varchar(100), age tinyint, salary decimal(10,2),
    score double, token binary(16), photo blob, profile json, latin varchar(50) character set latin1,
    wide varchar(50) character set utf16, kind enum('zqcanary', 'b'), logins bigint, stamp timestamp null,
    twice varchar(90) generated always as (concat(email, '!')) virtual);
insert into users (id, email, full_name, ssn, phone, card, birth, seen, note, age, salary, score, token, photo, profile,
    latin, wide, kind, logins, stamp) values
    (1, 'zqcanary1@mail.test', 'zqcanary Person1', '123-45-0001', '+1 415 777 0001', 4111111111111111, '1980-01-02',
        '2020-01-01 10:00:00.5', 'note1', 31, 1001.5, 1.5, 'zqcanary', 'zqcanary', '\"zqcanary\"', 'zqcanaryé', 'zqcanaryż',
        'zqcanary', 1, '2020-01-01 10:00:00'),
    (2, 'zqcanary2@mail.test', 'zqcanary Person2', '123-45-0002', '+1 415 777 0002', 4111111111111129, '1980-01-03',
        '2020-01-02 10:00:00.5', 'note2', 32, 1002.5, 2.5, 'zqcanary', 'zqcanary', '\"zqcanary\"', 'zqcanaryé', 'zqcanaryż',
        'zqcanary', 2, '2020-01-01 10:00:00'),
    (3, null, null, null, null, null, null, null, 'note3', null, null, null, null, null, null, null, null, null, 3, null);
create table items (id int primary key, label varchar(50), n int);
insert into items values (1, 'item1', 10), (2, 'item2', 20), (3, 'item3', 30);
create table orders (id int primary key, user_id int, total decimal(8,2));
insert into orders values (1, 1, 1.5), (2, 2, 3);
create view user_view as select id, email as label, note from users;
create algorithm = temptable view tt as select id, email as note from users;
create trigger tr before update on users for each row set @trg = new.email;
create view item_view as select id, label from items;
create procedure show_emails() select email from users;
create procedure show_items() begin select label from items; select n from items; end;
create procedure add_one(inout x int, out y varchar(20)) begin set x = x + 1; set y = 'done'; end;
create function peek() returns varchar(80) reads sql data return (select max(email) from users);
";

pub const RULES: &str = "
  - { table: users, column: email, strategy: email }
  - { table: users, column: full_name, strategy: name }
  - { column: ssn, strategy: ssn }
  - { table: users, column: phone, strategy: phone }
  - { table: users, column: card, strategy: credit_card }
  - { table: users, column: birth, strategy: date_shift }
  - { table: users, column: seen, strategy: date_shift }
  - { table: users, column: salary, strategy: hash }
  - { table: users, column: score, strategy: hash }
  - { table: users, column: age, strategy: hash }
  - { table: users, column: logins, strategy: hash }
  - { table: users, column: token, strategy: hash }
  - { table: users, column: photo, strategy: hash }
  - { table: users, column: profile, strategy: redact }
  - { table: users, column: latin, strategy: hash }
  - { table: users, column: wide, strategy: hash }
  - { table: users, column: kind, strategy: redact }
  - { table: users, column: stamp, strategy: date_shift }
";

/// A server and a proxy; both end with it.
pub struct Pair {
    pub server: MySql,
    pub proxy: Proxy,
}

impl Drop for Pair {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the server's log:\n{}", self.server.log());
        }
    }
}

impl Pair {
    /// The sample database behind a proxy with the sample rules.
    pub fn start() -> Self {
        Self::with(MySqlOptions::default(), "")
    }

    /// The same, with more in the configuration.
    pub fn with(options: MySqlOptions, more: &str) -> Self {
        let server = sample_server(options);
        let proxy = Proxy::start(&config(server.port(), more));
        Self { server, proxy }
    }

    pub async fn client(&self) -> Conn {
        connect(self.proxy.port()).await
    }

    pub async fn direct(&self) -> Conn {
        connect(self.server.port()).await
    }
}

/// A server that holds the sample database.
pub fn sample_server(options: MySqlOptions) -> MySql {
    let server = MySql::start(options).unwrap();
    server.sql("", &format!("delimiter //\n{}\n//", SCHEMA.replace(";\n", "\n//\n"))).unwrap();
    server
}

/// The server to test with, and where it can be had MySQL, unless that is the one.
pub fn flavours() -> Vec<Option<Flavour>> {
    let mut all = vec![None];
    if Flavour::of_environment().unwrap() != Flavour::MySql9 {
        match MySql::available(Flavour::MySql9) {
            Ok(()) => all.push(Some(Flavour::MySql9)),
            Err(reason) => eprintln!("not tested with MySQL: {reason}"),
        }
    }
    all
}

/// Options for one of [`flavours`].
pub fn of(flavour: Option<Flavour>) -> MySqlOptions {
    MySqlOptions { flavour, ..MySqlOptions::default() }
}

/// A configuration for all databases of a local server.
pub fn config(server_port: u16, more: &str) -> String {
    format!(
        "databases:\n  - {{ name: '*', upstream: 'mysql://127.0.0.1:{server_port}' }}\n{more}\nrules:{RULES}\n"
    )
}

pub fn options(port: u16) -> OptsBuilder {
    OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(port)
        .user(Some(MySql::user()))
        .pass(Some(MySql::user_password()))
        .db_name(Some("shop"))
        .prefer_socket(Some(false))
}

pub async fn connect(port: u16) -> Conn {
    Conn::new(options(port)).await.unwrap()
}

/// All cells of a text query.
pub async fn text(client: &mut Conn, sql: &str) -> Result<Vec<Vec<Value>>, mysql_async::Error> {
    Ok(cells(client.query::<Row, _>(sql).await?))
}

/// All cells of a prepared statement.
pub async fn binary(client: &mut Conn, sql: &str) -> Result<Vec<Vec<Value>>, mysql_async::Error> {
    Ok(cells(client.exec::<Row, _, _>(sql, ()).await?))
}

fn cells(rows: Vec<Row>) -> Vec<Vec<Value>> {
    rows.into_iter().map(Row::unwrap_raw).map(|row| row.into_iter().map(Option::unwrap).collect()).collect()
}

/// The number of the error that a server or the proxy sent.
pub fn number(error: &mysql_async::Error) -> u16 {
    match error {
        mysql_async::Error::Server(error) => error.code,
        other => panic!("{other}"),
    }
}

/// Runs the command line client through `port` and returns what it prints, errors too.
pub fn command_line(server: &MySql, port: u16, more: &[&str], sql: &str) -> (bool, String) {
    let output = Command::new(server.client())
        .args(["--no-defaults", "--batch", "--host=127.0.0.1", "--protocol=tcp", "--comments"])
        .arg(format!("--port={port}"))
        .arg(format!("--user={}", MySql::user()))
        // Newer clients want TLS, or the key by which a password may go without.
        .arg(if server.flavour().is_mariadb() { "--skip-ssl" } else { "--get-server-public-key" })
        .args(more)
        .args(["--execute", sql, "shop"])
        .env("MYSQL_PWD", MySql::user_password())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}
