//! What running a throw-away server takes, whichever it is.

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

const START_MAX: Duration = Duration::from_secs(30);

/// Waits until `probe` succeeds, which is run by a program that may have to be installed.
pub(super) fn wait_until_up(child: &mut Child, probe: &mut Command, program: &str) -> Result<()> {
    let deadline = Instant::now() + START_MAX;
    loop {
        let up = probe.output().with_context(|| format!("cannot run {program}"))?;
        if up.status.success() {
            return Ok(());
        }
        if let Some(status) = child.try_wait()? {
            bail!("the database server did not start ({status})");
        }
        if Instant::now() > deadline {
            bail!("the database server did not start within {} s", START_MAX.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Gives a folder to the user that the server runs as.
pub(super) fn give(folder: &Path, user: Option<&(String, String)>) -> Result<()> {
    match user {
        None => Ok(()),
        Some((user, group)) => {
            run(Command::new("chown").arg(format!("{user}:{group}")).arg(folder)).map(drop)
        }
    }
}

pub(super) fn run(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run {program}"))?;
    if !output.status.success() {
        bail!("{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The user and group, by number, that the server has to run as if we are root.
pub(super) fn unprivileged(users: &[&str]) -> Result<Option<(String, String)>> {
    let id = |arguments: &[&str]| run(Command::new("id").args(arguments)).map(|text| text.trim().to_owned());
    if id(&["-u"])? != "0" {
        return Ok(None);
    }
    let user = users.iter().find(|user| id(&["-u", user]).is_ok());
    let user = user.context("database servers do not run as root, and there is no other user")?;
    Ok(Some((id(&["-u", user])?, id(&["-g", user])?)))
}

/// `program`, as another user if given, and ended with us by `signal` where setpriv(1) is to be had.
pub(super) fn command(program: &Path, user: Option<&(String, String)>, signal: &str) -> Command {
    let has_setpriv = Command::new("setpriv").arg("--version").output().is_ok();
    if user.is_none() && !has_setpriv {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    if let Some((user, group)) = user {
        command.args(["--reuid", user, "--regid", group, "--clear-groups"]);
    }
    command.args(["--pdeathsig", signal]).arg(program).current_dir("/");
    command
}
