//! The makes and versions of servers, and where their programs are.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use anyhow::{Context as _, Error, Result, bail};

use crate::account::{Account, run, without_settings};
use crate::install::servers;

/// The make and version of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// The MariaDB that the distribution has: 10.11 in Debian 12.
    MariaDb10,
    /// MariaDB 11.8, which `install-mysql.sh` installs.
    MariaDb11,
    /// MySQL 9.7, which `install-mysql.sh` installs.
    MySql9,
}

impl Flavour {
    /// Every flavour, the default one first.
    pub const ALL: [Self; 3] = [Self::MariaDb10, Self::MariaDb11, Self::MySql9];

    /// The one that `$IRONVEIL_MYSQL` names, or `mariadb-10.11`.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn of_environment() -> Result<Self> {
        env::var("IRONVEIL_MYSQL").map_or(Ok(Self::MariaDb10), |name| name.parse())
    }

    /// Whether this is MariaDB.
    pub fn is_mariadb(self) -> bool {
        self != Self::MySql9
    }

    /// The name, as `$IRONVEIL_MYSQL` and `install-mysql.sh` have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::MariaDb10 => "mariadb-10.11",
            Self::MariaDb11 => "mariadb-11.8",
            Self::MySql9 => "mysql-9.7",
        }
    }

    /// The option by which a server offers no TLS.
    pub(super) fn no_server_tls(self) -> &'static str {
        if self.is_mariadb() { "--skip-ssl" } else { "--tls-version=" }
    }

    /// The option by which the client uses no TLS.
    pub(super) fn no_client_tls(self) -> &'static str {
        if self.is_mariadb() { "--skip-ssl" } else { "--ssl-mode=DISABLED" }
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Flavour {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|flavour| flavour.name() == name);
        found.with_context(|| format!("no server {name}, only {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// The programs of a flavour on this machine.
#[derive(Clone, Debug)]
pub(super) struct Installation {
    pub(super) flavour: Flavour,
    pub(super) version: String,
    pub(super) server: PathBuf,
    pub(super) client: PathBuf,
    base: PathBuf,
}

impl Installation {
    /// Finds the programs, or says why there are none.
    pub(super) fn find(flavour: Flavour) -> Result<Self> {
        let (server, client) =
            if flavour.is_mariadb() { ("mariadbd", "mariadb") } else { ("mysqld", "mysql") };
        let server = match flavour {
            Flavour::MariaDb10 => {
                on_path(server).context("no MariaDB: install the package mariadb-server")?
            }
            _ => installed(flavour)?.join("usr/sbin").join(server),
        };
        // PREFIX/sbin/mariadbd
        let base = server.ancestors().nth(2).context("a server outside of any folder")?.to_owned();
        let own_client = base.join("bin").join(client);
        let client = if own_client.is_file() { own_client } else { PathBuf::from(client) };
        let version = version(&server)?;
        Ok(Self { flavour, version, server, client, base })
    }

    /// Makes a data directory with an account root that has no password.
    pub(super) fn initialise(&self, account: Account, dir: &Path, data: &Path) -> Result<()> {
        let mut command = if self.flavour.is_mariadb() {
            let script = self.base.join("bin/mariadb-install-db");
            let mut command = account.command(&script, dir, "KILL");
            command.arg("--no-defaults").arg(format!("--basedir={}", self.base.display()));
            command.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
            // Without accounts for the name of this machine.
            command.arg("--cross-bootstrap");
            command
        } else {
            let mut command = account.command(&self.server, dir, "KILL");
            command.args(["--no-defaults", "--initialize-insecure"]);
            command
        };
        run(command.args(self.settings()).arg(format!("--datadir={}", data.display()))).map(drop)
    }

    /// Settings of every server: it is to be small and quick, needs no disk and asks no name server.
    pub(super) fn settings(&self) -> Vec<&'static str> {
        let mut settings = vec![
            "--character-set-server=utf8mb4",
            "--innodb-buffer-pool-size=32M",
            "--innodb-doublewrite=0",
            "--innodb-flush-log-at-trx-commit=0",
            // The kernel limits how many requests all servers together may queue.
            "--innodb-use-native-aio=0",
            "--local-infile=1",
            "--secure-file-priv=",
            "--skip-log-bin",
            "--skip-name-resolve",
        ];
        settings.extend_from_slice(if self.flavour.is_mariadb() {
            &["--innodb-log-file-size=8M"]
        } else {
            &["--innodb-redo-log-capacity=8M", "--mysqlx=OFF"]
        });
        settings
    }
}

/// A program of `$PATH` or where Debian has servers, which `$PATH` may lack for others than root.
fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places = [PathBuf::from("/usr/sbin")].into_iter().chain(env::split_paths(&path));
    places.find(|place| place.join(program).is_file()).map(|place| place.join(program))
}

/// The root folder of what `install-mysql.sh` installed.
fn installed(flavour: Flavour) -> Result<PathBuf> {
    let home = servers().join(flavour.name());
    if let Ok(reason) = fs::read_to_string(home.with_added_extension("unavailable")) {
        bail!("{flavour} is not to be had: {}", reason.trim());
    }
    if !home.join("installed").is_file() {
        bail!("no {flavour}: run crates/veil-testkit/install-mysql.sh {flavour}");
    }
    Ok(home.join("root"))
}

/// The version in `mariadbd  Ver 10.11.6-MariaDB-0+deb12u1 for debian-linux-gnu ...`.
fn version(server: &Path) -> Result<String> {
    let text = run(without_settings(&mut Command::new(server)).args(["--no-defaults", "--version"]))?;
    let mut words = text.split_whitespace().skip_while(|word| *word != "Ver");
    Ok(words.nth(1).with_context(|| format!("no version in {text}"))?.to_owned())
}
