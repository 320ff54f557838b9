//! The binary under test.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use veil_testkit::free_port;

pub use crate::canary::CANARY;
use crate::canary::Scanner;

/// A running proxy.
pub struct Proxy {
    child: Child,
    port: u16,
    /// Between clients and the proxy, unless they may see secrets, or their marker in what is none.
    pub scanner: Option<Scanner>,
    directory: tempfile::TempDir,
}

impl Proxy {
    /// Starts the binary with `config`, to which address and key are added.
    pub fn start(config: &str) -> Self {
        Self::start_with(config, "")
    }

    /// The same, with more under `listen`.
    pub fn start_with(config: &str, listen: &str) -> Self {
        let protocol = if config.contains("mysql://") { "mysql" } else { "postgres" };
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let key = directory.path().join("key");
        fs::write(&key, "00112233445566778899aabbccddeeff".repeat(2)).unwrap();
        let file = directory.path().join("proxy.yaml");
        let text = format!(
            "listen: {{ {protocol}: '127.0.0.1:{port}' {listen} }}\nkeys: {{ root: {{ file: '{}' }} }}\n{config}",
            key.display()
        );
        fs::write(&file, text).unwrap();
        let log = fs::File::create(directory.path().join("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_ironveil"))
            .args(["run", "--config"])
            .arg(&file)
            .env("IRONVEIL_LOG", "debug")
            .env("TEST_PASSWORD", veil_testkit::Postgres::password())
            .env("APP_PASSWORD", veil_testkit::MySql::user_password())
            .env("LISTED", "listedpw")
            .stderr(log)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut proxy = Self { child, port, scanner: None, directory };
        proxy.wait();
        // Those whom a rule exempts see secrets.
        proxy.scanner = (!config.contains("unmask")).then(|| Scanner::start(port));
        proxy
    }

    fn wait(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(self.child.try_wait().unwrap().is_none(), "the proxy ended: {}", self.log());
            assert!(Instant::now() < deadline, "the proxy does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Where clients connect whose answers must hold no secret.
    pub fn port(&self) -> u16 {
        self.scanner.as_ref().map_or(self.port, Scanner::port)
    }

    /// What `ironveil explain` prints of statements, by the configuration of this proxy.
    pub fn explain(&self, user: &str, password: &str, statements: &[&str]) -> String {
        self.command(&["explain", "--config"], user, password, statements)
    }

    /// What `ironveil check` prints of the sample database.
    pub fn check(&self, user: &str, password: &str) -> String {
        self.command(&["check"], user, password, &[])
    }

    fn command(&self, command: &[&str], user: &str, password: &str, lines: &[&str]) -> String {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ironveil"))
            .args(command)
            .arg(self.directory.path().join("proxy.yaml"))
            .args(["--database", "shop", "--user", user])
            .env("IRONVEIL_PASSWORD", password)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, mut stdin) = (lines.join("\n"), child.stdin.take().unwrap());
        // It need not read what it is given.
        let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        assert!(output.status.success(), "{}", self.log());
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn log(&self) -> String {
        let mut text = String::new();
        fs::File::open(self.directory.path().join("log")).unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let log = self.log();
        if std::thread::panicking() {
            eprintln!("the proxy's log:\n{log}");
        } else {
            assert!(!log.contains(CANARY), "a value is in the log: {log}");
            assert!(!log.contains("panicked"), "the proxy panicked: {log}");
            let found = self.scanner.as_ref().and_then(Scanner::found);
            assert!(found.is_none(), "a secret came through: {}", found.unwrap_or_default());
        }
    }
}

/// The folder of this workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A Python that has the drivers.
pub fn python() -> PathBuf {
    let python = std::env::var("IRONVEIL_PYTHON")
        .map_or_else(|_| workspace().join("target/venv/bin/python"), PathBuf::from);
    assert!(python.exists(), "no Python with the drivers at {}; run `make setup`", python.display());
    python
}

/// The file of a table of statements, each with what becomes of it below.
fn table(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/statements").join(name)
}

/// The statements of a table.
pub fn statements(name: &str) -> Vec<String> {
    let text = fs::read_to_string(table(name)).unwrap();
    text.lines().filter(|line| !line.starts_with(' ')).map(str::to_owned).collect()
}

/// Compares a table with what was found; `IRONVEIL_BLESS=1` writes it anew.
pub fn compare_table(name: &str, found: &str) {
    let known = fs::read_to_string(table(name)).unwrap();
    if std::env::var_os("IRONVEIL_BLESS").is_some() {
        fs::write(table(name), found).unwrap();
        return;
    }
    let mut before = "";
    for (expected, found) in known.lines().zip(found.lines()) {
        assert_eq!(expected, found, "{before}");
        before = expected;
    }
    assert_eq!(known.lines().count(), found.lines().count());
}

/// What a table says of one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    Shown,
    Masked,
    Null,
}

/// What a table says of each statement that it lets through: of all columns, or of none in particular.
pub fn said(found: &str) -> Vec<(String, Option<Vec<Said>>)> {
    let mut said = Vec::new();
    let mut lines = found.lines().peekable();
    while let Some(sql) = lines.next() {
        let mut all = Vec::new();
        while let Some(line) = lines.next_if(|line| line.starts_with(' ')) {
            all.push(line.trim());
        }
        // What literals and parameters meet.
        all.retain(|line| !line.starts_with("the literal ") && !line.starts_with("parameter "));
        let [only] = all.as_slice() else { continue };
        let Some(rest) = only.strip_prefix("runs; ") else { continue };
        let columns = rest.strip_prefix("columns: ").map(|columns| columns.split(" | ").collect::<Vec<_>>());
        let columns = columns.and_then(|columns| {
            let column = |column: &str| match column.split([' ', ':']).next() {
                Some("shown") => Some(Said::Shown),
                Some("masked") => Some(Said::Masked),
                Some("NULL") => Some(Said::Null),
                _ => None,
            };
            columns.into_iter().map(column).collect()
        });
        said.push((sql.to_owned(), columns));
    }
    said
}
