//! A PostgreSQL server in a temporary directory, from binaries on the machine.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

const START_MAX: Duration = Duration::from_secs(30);
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
        let user = unprivileged()?;
        if let Some((user, group)) = &user {
            run(Command::new("chown").arg(format!("{user}:{group}")).arg(directory.path()))?;
        }
        let data = directory.path().join("data");
        let mut initdb = command(&bin.join("initdb"), user.as_ref());
        run(initdb
            .args(["-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C", "-D"])
            .arg(&data))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut postgres = command(&bin.join("postgres"), user.as_ref());
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
        let deadline = Instant::now() + START_MAX;
        loop {
            let up = psql(&self.bin, self.port, "postgres").args(["-c", "select 1"]).output();
            if up.context("cannot run psql; install postgresql-client")?.status.success() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("PostgreSQL did not start ({status})");
            }
            if Instant::now() > deadline {
                bail!("PostgreSQL did not start within {} s", START_MAX.as_secs());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL and returns what psql prints, without decoration.
    pub(super) fn psql(&self, port: u16, database: &str, sql: &str) -> Result<String> {
        run(psql(&self.bin, port, database).args(["-q", "-A", "-t", "-c", sql]))
    }

    /// Runs a query and returns psql's table.
    pub(super) fn psql_table(&self, port: u16, sql: &str) -> Result<String> {
        run(psql(&self.bin, port, "shop").args(["-q", "-P", "footer=off", "-P", "null=NULL", "-c", sql]))
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

fn run(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run {program}"))?;
    if !output.status.success() {
        bail!("{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The user and group, by number, that the server has to run as if we are root.
fn unprivileged() -> Result<Option<(String, String)>> {
    let id = |arguments: &[&str]| run(Command::new("id").args(arguments)).map(|text| text.trim().to_owned());
    if id(&["-u"])? != "0" {
        return Ok(None);
    }
    let user = UNPRIVILEGED.iter().find(|user| id(&["-u", user]).is_ok());
    let user = user.context("PostgreSQL does not run as root, and there is no other user")?;
    Ok(Some((id(&["-u", user])?, id(&["-g", user])?)))
}

/// `program`, as another user if given, and ended with us where setpriv(1) is to be had.
fn command(program: &Path, user: Option<&(String, String)>) -> Command {
    let has_setpriv = Command::new("setpriv").arg("--version").output().is_ok();
    if user.is_none() && !has_setpriv {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    if let Some((user, group)) = user {
        command.args(["--reuid", user, "--regid", group, "--clear-groups"]);
    }
    command.args(["--pdeathsig", "QUIT"]).arg(program).current_dir("/");
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
