//! Servers of both kinds, and one proxy in front of them that can be told things.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use serde_json::Value;
use tokio_postgres::{Client, Config, NoTls};
use veil_testkit::{MySql, MySqlOptions, Postgres, PostgresOptions, free_port};

/// How long anything may take that is waited for.
pub const SOON: Duration = Duration::from_secs(20);

/// No answer may hold it.
pub const SECRET: &str = "zqcanary";

/// One server of each kind with the same data.
pub struct Servers {
    pub pg: Postgres,
    pub mysql: MySql,
}

impl Servers {
    pub fn start() -> Self {
        let pg = Postgres::start(PostgresOptions::default()).unwrap();
        pg.psql("postgres", "create database shop").unwrap();
        pg.psql("shop", "create table users (id int primary key, email text, note text); \
            insert into users select i, 'zqcanary' || i || '@mail.test', 'n' || i from generate_series(1, 20) i; \
            create table items (id int primary key, label text); insert into items values (1, 'one')").unwrap();
        let mysql = MySql::start(MySqlOptions::default()).unwrap();
        let rows: Vec<String> = (1..=20).map(|i| format!("({i}, 'zqcanary{i}@mail.test', 'n{i}')")).collect();
        mysql
            .sql(
                "",
                &format!(
                    "create database shop; use shop; create table users (id int primary key, email varchar(80), note varchar(80)); \
                     insert into users values {}; create table items (id int primary key, label varchar(20)); insert into items values (1, 'one');",
                    rows.join(", ")
                ),
            )
            .unwrap();
        Self { pg, mysql }
    }

    /// An entry for each.
    pub fn databases(&self) -> String {
        databases(self.pg.port(), self.mysql.port(), "")
    }
}

/// An entry for each kind of server, with more in both.
pub fn databases(pg: u16, mysql: u16, more: &str) -> String {
    format!(
        "databases:\n  - {{ name: shop, upstream: 'postgres://127.0.0.1:{pg}' {more} }}\n  \
         - {{ name: shop, upstream: 'mysql://127.0.0.1:{mysql}' {more} }}\n"
    )
}

/// Masks emails.
pub const RULES: &str = "rules:\n  - { table: users, column: email, strategy: email }\n";

/// What the API has answered.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// In small letters.
    pub headers: String,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

fn spawn(directory: &std::path::Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_ironveil"))
        .args(["run", "--config"])
        .arg(directory.join("proxy.yaml"))
        .args(arguments)
        .env("IRONVEIL_LOG", "info")
        .stderr(fs::File::create(directory.join("log")).unwrap())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// A proxy.
pub struct Proxy {
    child: Child,
    directory: tempfile::TempDir,
    pub pg: u16,
    pub mysql: u16,
    pub api: u16,
}

impl Proxy {
    pub fn start(config: &str) -> Self {
        Self::start_with(config, &[])
    }

    pub fn start_with(config: &str, arguments: &[&str]) -> Self {
        // A port that was free may be taken by the time that it is used.
        let attempt = || {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join("key"), "00112233445566778899aabbccddeeff".repeat(2)).unwrap();
            let ports = [free_port(), free_port(), free_port()];
            Self::launch(directory, ports, config, arguments)
        };
        attempt().or_else(&attempt).or_else(&attempt).expect("free ports")
    }

    /// One that stands in for this one at the same addresses, but for the API's.
    pub fn successor(&self, config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::copy(self.path("key"), directory.path().join("key")).unwrap();
        Self::launch(directory, [self.pg, self.mysql, free_port()], config, &[]).expect("a free port")
    }

    fn launch(
        directory: tempfile::TempDir,
        [pg, mysql, api]: [u16; 3],
        config: &str,
        arguments: &[&str],
    ) -> Option<Self> {
        fs::write(directory.path().join("proxy.yaml"), text(&directory, [pg, mysql, api], config)).unwrap();
        let child = spawn(directory.path(), arguments);
        let mut proxy = Self { child, directory, pg, mysql, api };
        proxy.takes_connections(config).then_some(proxy)
    }

    /// Kills it without a word, and starts it again where it was.
    pub fn crash(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let config = fs::read_to_string(self.path("proxy.yaml")).unwrap();
        self.child = spawn(self.directory.path(), &[]);
        assert!(self.takes_connections(&config), "its ports are taken");
    }

    /// Waits until it takes connections; false if its ports are taken.
    fn takes_connections(&mut self, config: &str) -> bool {
        let proxy = self;
        let mut taken = false;
        proxy.wait_for("it takes connections", |proxy| {
            if proxy.child.try_wait().unwrap().is_some() {
                assert!(proxy.log().contains("Address already in use"), "the proxy ended: {}", proxy.log());
                taken = true;
                return true;
            }
            let kinds = ["postgres://", "mysql://"].iter().filter(|kind| config.contains(**kind)).count();
            proxy.log().matches("IronVeil takes connections").count() == kinds
        });
        !taken
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    /// Puts another configuration in the place of the one before.
    pub fn write(&self, config: &str) {
        let ports = [self.pg, self.mysql, self.api];
        fs::write(self.path("proxy.yaml"), text(&self.directory, ports, config)).unwrap();
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it does soon.
    pub fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        self.wait_for("it ends", |proxy| {
            status = proxy.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Has the API read the configuration again; what it answers.
    pub fn reload(&self) -> (u16, String) {
        self.http("POST", "/config/reload")
    }

    /// The key of the API's first administrator, which the proxy has made.
    pub fn admin_key(&self) -> String {
        fs::read_to_string(self.path("ironveil-admin.key")).unwrap_or_default().trim().to_owned()
    }

    /// As the first administrator, if the proxy has made a key for one.
    pub fn http(&self, method: &str, path: &str) -> (u16, String) {
        let headers = match self.admin_key().as_str() {
            "" => String::new(),
            key => format!("Authorization: Bearer {key}\r\n"),
        };
        self.http_with(method, path, &headers)
    }

    pub fn http_with(&self, method: &str, path: &str, headers: &str) -> (u16, String) {
        self.http_as(method, path, "localhost", headers)
    }

    /// A request with a body.
    pub fn call(&self, method: &str, path: &str, headers: &str, body: &str) -> Reply {
        call(self.api, method, path, headers, body).unwrap()
    }

    /// A request of the first administrator, about this version of the rules.
    pub fn admin(&self, method: &str, path: &str, version: Option<i64>, body: &Value) -> Reply {
        let matching = version.map(|version| format!("If-Match: \"{version}\"\r\n")).unwrap_or_default();
        let headers = format!("Authorization: Bearer {}\r\n{matching}", self.admin_key());
        self.call(method, path, &headers, &if body.is_null() { String::new() } else { body.to_string() })
    }

    pub fn http_as(&self, method: &str, path: &str, host: &str, headers: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.api)).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n{headers}\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    /// Waits until something is so.
    pub fn wait_for(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + SOON;
        while !is_so(self) {
            assert!(Instant::now() < deadline, "waited for: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub async fn pg(&self) -> Client {
        self.try_pg("postgres").await.unwrap()
    }

    pub async fn try_pg(&self, user: &str) -> Result<Client, tokio_postgres::Error> {
        pg(self.pg, user).await
    }

    pub async fn mysql(&self) -> Conn {
        self.try_mysql().await.unwrap()
    }

    pub async fn try_mysql(&self) -> Result<Conn, mysql_async::Error> {
        let options = OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(self.mysql)
            .user(Some(MySql::user()))
            .pass(Some(MySql::user_password()))
            .db_name(Some("shop"))
            .prefer_socket(Some(false));
        Conn::new(options).await
    }
}

/// A request to an API that may be gone.
pub fn call(port: u16, method: &str, path: &str, headers: &str, body: &str) -> std::io::Result<Reply> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(SOON))?;
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let kind = if headers.to_lowercase().contains("content-type") { "" } else { kind };
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nConnection: close\r\n{kind}{headers}\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (headers, body) = answer.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let status = headers.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or(std::io::ErrorKind::InvalidData)?;
    Ok(Reply { status, headers: headers.to_lowercase(), body: body.to_owned() })
}

pub async fn pg(port: u16, user: &str) -> Result<Client, tokio_postgres::Error> {
    let mut config = Config::new();
    config.host("127.0.0.1").port(port).user(user).dbname("shop").connect_timeout(SOON);
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// An address on the first row, or why there is none.
pub async fn pg_email(client: &Client) -> Result<String, tokio_postgres::Error> {
    Ok(client.query_one("select email from users where id = 1", &[]).await?.get(0))
}

pub async fn mysql_email(client: &mut Conn) -> Result<String, mysql_async::Error> {
    Ok(client.query_first::<String, _>("select email from users where id = 1").await?.unwrap_or_default())
}

/// The SQLSTATE that a server or the proxy sent.
pub fn code(error: &tokio_postgres::Error) -> String {
    error.code().map_or_else(|| format!("{error}"), |code| code.code().to_owned())
}

/// The number of the error that a server or the proxy sent.
pub fn number(error: &mysql_async::Error) -> u16 {
    match error {
        mysql_async::Error::Server(error) => error.code,
        other => panic!("{other}"),
    }
}

fn text(directory: &tempfile::TempDir, [pg, mysql, api]: [u16; 3], config: &str) -> String {
    let key = config.lines().find_map(|line| line.strip_prefix("# KEY "));
    let key = key.map(|key| format!(", api_key: {{ file: '{key}' }}")).unwrap_or_default();
    let more_api: String = config.lines().filter_map(|line| line.strip_prefix("# API ")).collect();
    let more_audit: String = config.lines().filter_map(|line| line.strip_prefix("# AUDIT ")).collect();
    let certificate = config.lines().find_map(|line| line.strip_prefix("# TLS ")?.split_once(' '));
    let more = match certificate {
        Some((certificate, key)) => {
            format!(", tls: {{ mode: required, certificate: '{certificate}', key: '{key}' }}")
        }
        None if config.contains("HAND_OVER") => ", reuse_port: true".to_owned(),
        None => String::new(),
    };
    format!(
        "listen: {{ postgres: '127.0.0.1:{pg}', mysql: '127.0.0.1:{mysql}'{more} }}\nkeys: {{ root: {{ file: '{0}/key' }} }}\n\
         api: {{ listen: '127.0.0.1:{api}'{key}{more_api} }}\naudit: {{ file: '{0}/audit'{more_audit} }}\n{config}",
        directory.path().display()
    )
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let log = self.log();
        if std::thread::panicking() {
            eprintln!("the proxy's log:\n{log}");
        } else {
            assert!(!log.contains(SECRET) && !log.contains("panicked"), "{log}");
        }
    }
}
