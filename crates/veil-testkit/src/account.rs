//! The user that servers run as: they refuse root, which tests in containers are.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use crate::Authority;

/// Sockets have paths of at most 107 bytes.
const TEMP_PATH_MAX: usize = 64;
const SETTING_PREFIXES: [&str; 3] = ["PG", "MYSQL", "MARIADB"];

/// The owner of a server's processes and files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    uid: u32,
    gid: u32,
    /// Whether this is another user than the one who runs the tests, who is root then.
    switched: bool,
}

impl Account {
    /// The user of the tests, or for root `postgres` or else `nobody`.
    pub(crate) fn of_postgres() -> Result<Self> {
        Self::of_tests_or("postgres")
    }

    /// The user of the tests, or for root `mysql` or else `nobody`.
    pub(crate) fn of_mysql() -> Result<Self> {
        Self::of_tests_or("mysql")
    }

    fn of_tests_or(preferred: &str) -> Result<Self> {
        let uid = id(&["-u"])?;
        if uid != 0 {
            return Ok(Self { uid, gid: id(&["-g"])?, switched: false });
        }
        for user in [preferred, "nobody"] {
            if let Ok(uid) = id(&["-u", user]) {
                return Ok(Self { uid, gid: id(&["-g", user])?, switched: true });
            }
        }
        bail!("the server refuses to run as root, and there is neither a user {preferred} nor nobody")
    }

    pub(crate) fn uid(self) -> u32 {
        self.uid
    }

    /// A new directory that belongs to this user, in a place this user can reach, with a path short enough for
    /// the name of a socket.
    pub(crate) fn temp_dir(self, prefix: &str) -> Result<TempDir> {
        let preferred = env::temp_dir();
        let reachable = !self.switched || preferred.ancestors().all(is_open_to_all);
        let short = preferred.as_os_str().len() <= TEMP_PATH_MAX;
        let base = if reachable && short { preferred } else { PathBuf::from("/tmp") };
        let dir = tempfile::Builder::new().prefix(prefix).tempdir_in(base)?;
        self.own(dir.path())?;
        Ok(dir)
    }

    /// Makes a directory that belongs to this user.
    pub(crate) fn make_dir(self, path: &Path) -> Result<()> {
        fs::create_dir(path)?;
        self.own(path)
    }

    /// Gives a file or directory to this user.
    pub(crate) fn own(self, path: &Path) -> Result<()> {
        chown(path, Some(self.uid), Some(self.gid)).with_context(|| format!("chown {}", path.display()))
    }

    /// Issues a certificate for the loopback interface, as `cert.pem` and `key.pem` in a directory.
    pub(crate) fn install_certificate(self, authority: &Authority, dir: &Path) -> Result<()> {
        let issued = authority.issue("localhost", &["localhost", "127.0.0.1"])?;
        for (from, name) in [(issued.cert, "cert.pem"), (issued.key, "key.pem")] {
            let to = dir.join(name);
            fs::copy(from, &to)?;
            self.own(&to)?;
        }
        Ok(())
    }

    /// A command that runs as this user in `dir`, and gets a signal when the thread that spawned it ends.
    pub(crate) fn command(self, program: &Path, dir: &Path, death_signal: &str) -> Command {
        let mut command = Command::new("setpriv");
        if self.switched {
            command.arg(format!("--reuid={}", self.uid)).arg(format!("--regid={}", self.gid));
            command.arg("--clear-groups");
        } else if !has_setpriv() {
            command = Command::new(program);
            without_settings(&mut command).current_dir(dir);
            return command;
        }
        command.args(["--pdeathsig", death_signal, "--"]).arg(program);
        without_settings(&mut command).current_dir(dir);
        command
    }
}

/// Keeps the caller's settings of database clients and locale away from a command.
pub(crate) fn without_settings(command: &mut Command) -> &mut Command {
    for (name, _) in env::vars_os() {
        let is_setting = |prefix: &&str| name.as_encoded_bytes().starts_with(prefix.as_bytes());
        if SETTING_PREFIXES.iter().any(is_setting) {
            command.env_remove(&name);
        }
    }
    command.env("LC_ALL", "C")
}

/// Runs a command to its end and returns what it wrote to its standard output.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_owned();
    let output = command.output().with_context(|| format!("cannot run {}", name.display()))?;
    ensure!(
        output.status.success(),
        "{}: {}: {}",
        command.get_args().fold(name, |line, arg| [line.as_os_str(), arg].join(OsStr::new(" "))).display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

fn has_setpriv() -> bool {
    Command::new("setpriv").arg("--version").output().is_ok()
}

fn is_open_to_all(dir: &Path) -> bool {
    fs::metadata(dir).is_ok_and(|dir| dir.permissions().mode() & 0o001 != 0)
}

fn id(args: &[&str]) -> Result<u32> {
    Ok(run(Command::new("id").args(args))?.trim().parse()?)
}
