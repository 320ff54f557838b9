//! The binary under test.

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use veil_testkit::free_port;

/// Every secret of the sample data holds this marker, which no mask ever produces.
pub const CANARY: &str = "zqcanary";

/// A running proxy.
pub struct Proxy {
    child: Child,
    port: u16,
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
        let mut proxy = Self { child, port, directory };
        proxy.wait();
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

    pub fn port(&self) -> u16 {
        self.port
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
