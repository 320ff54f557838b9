//! Root keys: making one, and finding the one to use.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use veil_mask::RootKey;
use veil_model::Sensitive;
use veil_policy::config::Secret;

/// The variable that holds the root key where nothing else is said.
pub(crate) const KEY_VARIABLE: &str = "IRONVEIL_KEY";

/// 32 random bytes.
pub(crate) fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow!("the system gives no randomness"))?;
    Ok(bytes)
}

/// Makes a root key and writes it to `out`, or to the terminal.
pub(crate) fn generate(out: Option<&Path>) -> Result<()> {
    let text: String = random()?.iter().map(|byte| format!("{byte:02x}")).collect();
    let Some(path) = out else {
        writeln!(io::stdout(), "{text}")?;
        return Ok(());
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot create {}", path.display()))?;
    writeln!(file, "{text}")?;
    writeln!(io::stdout(), "wrote {}", path.display())?;
    Ok(())
}

/// Reads a secret from where it is, without surrounding white space.
pub(crate) fn read_secret(secret: &Secret) -> Result<Sensitive<String>> {
    let text = match secret {
        Secret::File(path) => {
            std::fs::read_to_string(path).with_context(|| format!("cannot read {secret}"))?
        }
        Secret::Env(name) => std::env::var(name).with_context(|| format!("{secret} is not set"))?,
        Secret::Command(words) => printed(words).with_context(|| format!("{secret} gives no secret"))?,
    };
    let text = Sensitive::new(text);
    let text = Sensitive::new(text.expose().trim().to_owned());
    if text.expose().is_empty() {
        return Err(anyhow!("{secret} is empty"));
    }
    Ok(text)
}

/// What a program prints; what it complains of goes to the terminal.
fn printed(words: &[String]) -> Result<String> {
    let (program, arguments) = words.split_first().context("it has no words")?;
    let output =
        Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(anyhow!("it ended with {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| anyhow!("it printed what is not UTF-8"))
}

/// Reads the root key.
pub(crate) fn read_root(secret: &Secret) -> Result<RootKey> {
    RootKey::from_hex(read_secret(secret)?.expose()).with_context(|| format!("{secret} holds no root key"))
}

/// Where the root key is if the configuration does not say.
pub(crate) fn default_root() -> Result<Secret> {
    if std::env::var_os(KEY_VARIABLE).is_some() {
        return Ok(Secret::Env(KEY_VARIABLE.to_owned()));
    }
    Err(anyhow!(
        "there is no root key, so nothing can be masked.\n\
         Make one with `ironveil keys generate --out ironveil.key`, then name it by --key-file, by\n\
         `keys: {{ root: {{ file: ironveil.key }} }}` in the configuration, or put it into {KEY_VARIABLE}."
    ))
}
