//! A data directory of each version with the kit's accounts in it, to be copied by every start.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::flavour::Installation;
use super::{MySql, MySqlOptions};
use crate::account::Account;
use crate::install::{copy, template};

const STOP_MAX: Duration = Duration::from_secs(60);

/// The data directory of a version, made on first use and kept beside the installed servers; to be copied,
/// never started.
///
/// A MySQL server has run on it once, so it also holds the RSA keys of `caching_sha2_password`.
pub(super) fn data_template(installation: &Installation) -> Result<PathBuf> {
    let account = Account::of_mysql()?;
    template(&format!("{}-{}", installation.flavour, installation.version), account, |to| {
        let mut server = MySql::launch(installation.clone(), None, &MySqlOptions::default())?;
        let log = |server: &MySql| format!("{}:\n{}", installation.flavour, server.log());
        server.wait_until_ready().map_err(|error| error.context(log(&server)))?;
        server.sql_with_password("", "", &accounts())?;
        ensure!(server.server.stop("TERM", STOP_MAX), "not stopped after {STOP_MAX:?}: {}", log(&server));
        copy(&server.dir.path().join("data"), to)
    })
}

fn accounts() -> String {
    let (root, root_password) = (MySql::superuser(), MySql::password());
    let (user, user_password) = (MySql::user(), MySql::user_password());
    format!(
        "DROP USER IF EXISTS {root}@'127.0.0.1', {root}@'::1';
        CREATE USER {root}@'%' IDENTIFIED BY '{root_password}', {user}@'%' IDENTIFIED BY '{user_password}';
        GRANT ALL PRIVILEGES ON *.* TO {root}@'%' WITH GRANT OPTION;
        GRANT ALL PRIVILEGES ON *.* TO {user}@'%' WITH GRANT OPTION;
        ALTER USER {root}@localhost IDENTIFIED BY '{root_password}';"
    )
}
