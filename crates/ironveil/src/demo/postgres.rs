//! A PostgreSQL server in a temporary directory, from binaries on the machine.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::server::{command, give, run, unprivileged, wait_until_up};

/// PostgreSQL refuses to run as root; these users exist on most machines.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// A running server; it is stopped and its files are removed when this is dropped.
pub(super) struct Server {
    bin: PathBuf,
    port: u16,
    child: Child,
    // Declared last: removed after the server has stopped.
    _directory: TempDir,
}

impl Server {
    pub(super) fn start() -> Result<Self> {
        let bin = find_bin().context(
            "no PostgreSQL server was found; install one (Debian: apt-get install postgresql) or put initdb on the PATH",
        )?;
        let directory = tempfile::Builder::new().prefix("ironveil-demo-").tempdir()?;
        let user = unprivileged(&UNPRIVILEGED)?;
        give(directory.path(), user.as_ref())?;
        let data = directory.path().join("data");
        let mut initdb = command(&bin.join("initdb"), user.as_ref(), "QUIT");
        run(initdb
            .args(["-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C", "-D"])
            .arg(&data))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut postgres = command(&bin.join("postgres"), user.as_ref(), "QUIT");
        let child = postgres
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-k"])
            .arg(directory.path())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is for us; we stop the server.
            .process_group(0)
            .spawn()
            .context("cannot start PostgreSQL")?;
        // From here on, whatever fails stops the server.
        let mut server = Self { bin, port, child, _directory: directory };
        server.wait()?;
        Ok(server)
    }

    fn wait(&mut self) -> Result<()> {
        let mut probe = psql(&self.bin, self.port, "postgres");
        wait_until_up(&mut self.child, probe.args(["-c", "select 1"]), "psql; install postgresql-client")
    }

    fn psql(&self, port: u16, database: &str, sql: &str) -> Result<String> {
        run(psql(&self.bin, port, database).args(["-q", "-A", "-t", "-c", sql]))
    }
}

impl super::Server for Server {
    fn port(&self) -> u16 {
        self.port
    }

    fn load(&self, sql: &str) -> Result<()> {
        self.psql(self.port, "postgres", "create database shop")?;
        self.psql(self.port, "shop", sql).map(drop)
    }

    fn table(&self, port: u16, sql: &str) -> Result<String> {
        run(psql(&self.bin, port, "shop").args(["-q", "-P", "footer=off", "-P", "null=NULL", "-c", sql]))
    }

    fn value(&self, port: u16, sql: &str) -> Result<String> {
        self.psql(port, "shop", sql).map(|value| value.trim().to_owned())
    }

    fn by_hand(&self, port: u16) -> String {
        format!("psql -h 127.0.0.1 -p {port} -U postgres shop")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown; the server may belong to another user, so kill(1) does it.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

fn psql(bin: &Path, port: u16, database: &str) -> Command {
    let own = bin.join("psql");
    let mut command = Command::new(if own.exists() { own } else { "psql".into() });
    command.env("PGCLIENTENCODING", "UTF8").args([
        "-X",
        "-v",
        "ON_ERROR_STOP=1",
        "-h",
        "127.0.0.1",
        "-U",
        "postgres",
    ]);
    command.args(["-p", &port.to_string(), "-d", database]);
    command
}

/// The folder of initdb and postgres: Debian's newest, or what the PATH has.
fn find_bin() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, bin)| bin.join("initdb").exists() && bin.join("postgres").exists())
        .collect();
    found.sort();
    found.pop().map(|(_, bin)| bin).or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
    })
}
