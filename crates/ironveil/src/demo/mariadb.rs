//! A MariaDB server in a temporary directory, from binaries on the machine.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::server::{command, give, run, unprivileged, wait_until_up};

/// MariaDB refuses to run as root; these users exist on most machines.
const UNPRIVILEGED: [&str; 2] = ["mysql", "nobody"];

/// A running server; it is stopped and its files are removed when this is dropped.
pub(super) struct Server {
    port: u16,
    child: Child,
    // Declared last: removed after the server has stopped.
    directory: TempDir,
}

impl Server {
    pub(super) fn start() -> Result<Self> {
        let find = |name: &str| {
            find(name).with_context(|| {
                format!("{name} was not found; install MariaDB (Debian: apt-get install mariadb-server)")
            })
        };
        let (server, install) = (find("mariadbd")?, find("mariadb-install-db")?);
        let directory = tempfile::Builder::new().prefix("ironveil-demo-").tempdir()?;
        let user = unprivileged(&UNPRIVILEGED)?;
        give(directory.path(), user.as_ref())?;
        let option = |name: &str, file: &str| format!("--{name}={}", directory.path().join(file).display());
        run(command(&install, user.as_ref(), "KILL")
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .args([option("datadir", "data"), option("tmpdir", "")]))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = command(&server, user.as_ref(), "KILL")
            .arg("--no-defaults")
            .args([option("datadir", "data"), option("socket", "socket"), option("pid-file", "pid")])
            .args([option("tmpdir", ""), format!("--port={port}")])
            .args(["--bind-address=127.0.0.1", "--character-set-server=utf8mb4", "--skip-name-resolve"])
            .args(["--innodb-flush-log-at-trx-commit=0", "--innodb-use-native-aio=0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is for us; we stop the server.
            .process_group(0)
            .spawn()
            .context("cannot start MariaDB")?;
        // From here on, whatever fails stops the server.
        let mut server = Self { port, child, directory };
        let mut probe = client();
        probe
            .arg(server.socket())
            .args(["--execute", "create user demo@'%'; grant all on shop.* to demo@'%'"]);
        wait_until_up(&mut server.child, &mut probe, "mariadb; install mariadb-client")?;
        Ok(server)
    }

    fn socket(&self) -> String {
        format!("--socket={}", self.directory.path().join("socket").display())
    }
}

impl super::Server for Server {
    fn port(&self) -> u16 {
        self.port
    }

    fn load(&self, sql: &str) -> Result<()> {
        let script = format!("create database shop; use shop; {sql}");
        run(client().arg(self.socket()).args(["--execute", &script])).map(drop)
    }

    fn table(&self, port: u16, sql: &str) -> Result<String> {
        run(shop(port).args(["--table", "--execute", sql]))
    }

    fn value(&self, port: u16, sql: &str) -> Result<String> {
        let value = run(shop(port).args(["--batch", "--skip-column-names", "--execute", sql]))?;
        Ok(value.trim().to_owned())
    }

    fn by_hand(&self, port: u16) -> String {
        format!("mariadb -h 127.0.0.1 -P {port} -u demo shop")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The data are thrown away; the server may belong to another user, so kill(1) does it.
        let _ = Command::new("kill").args(["-KILL", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

/// A client of the sample database.
fn shop(port: u16) -> Command {
    let mut command = client();
    command.args(["--host=127.0.0.1", "--protocol=tcp", "--user=demo", "--database=shop"]);
    command.arg(format!("--port={port}"));
    command
}

fn client() -> Command {
    let mut command = Command::new("mariadb");
    command.args(["--no-defaults", "--default-character-set=utf8mb4"]);
    command
}

/// A program of the PATH, or where servers are, which the PATH may lack.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    places.map(|place| place.join(program)).find(|program| program.is_file())
}
