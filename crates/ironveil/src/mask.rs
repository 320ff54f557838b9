//! `ironveil mask` and `ironveil unmask`: values on the command line, by the rules of a configuration.

use std::io::{self, BufRead, Write};
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow, bail};
use veil_mask::{Cell, ColumnMask};
use veil_model::pgtype::NAMES;
use veil_model::{ColumnName, Format, PgType};
use veil_policy::config::{Config, Protocol, Secret};
use veil_policy::who::Principal;

use crate::cli::{Unmask, Values};
use crate::commands::{runtime, stored_config};
use crate::{control, keys, wire_up};

/// Prints the mask of each value, NULL where there is none.
pub(crate) fn mask(values: &Values) -> Result<()> {
    let config = runtime()?.block_on(stored_config(&values.config))?;
    let (_, column) = column(&config, &root(&config)?, values)?;
    each(values, |value, out| column.mask(Format::Text, value, out), |_| Ok("NULL"))
}

/// Prints the value of each mask; one that is none ends it.
pub(crate) fn unmask(unmask: &Unmask) -> Result<()> {
    let values = &unmask.of;
    let config = runtime()?.block_on(stored_config(&values.config))?;
    let secret = match unmask.previous.checked_sub(1) {
        None => root(&config)?,
        Some(at) => config
            .previous_keys
            .get(at)
            .cloned()
            .with_context(|| format!("keys.previous has {} key(s)", config.previous_keys.len()))?,
    };
    let (rule, column) = column(&config, &secret, values)?;
    let audit = control::open_audit(config.audit.as_ref(), &keys::read_root(&root(&config)?)?)?;
    // Nothing is revealed that is not written down.
    let facts = [
        ("column", values.column.as_str().into()),
        ("rule", rule.into()),
        ("previous", unmask.previous.into()),
        ("uid", own_uid()?.into()),
        ("user", std::env::var("USER").unwrap_or_default().into()),
    ];
    audit.record("unmask", &facts).context("the audit cannot be written")?;
    audit.settle();
    each(
        values,
        |value, out| column.reveal(Format::Text, value, out),
        |at| {
            Err(anyhow!(
                "value {at} is no mask of this rule under this key, or its function cannot be undone"
            ))
        },
    )
}

fn root(config: &Config) -> Result<Secret> {
    config.root_key.clone().map_or_else(keys::default_root, Ok)
}

/// Who runs this, by what the system says.
fn own_uid() -> Result<u32> {
    Ok(std::fs::metadata("/proc/self").context("cannot tell who runs this")?.uid())
}

/// The rule on the column, and what it does.
fn column(config: &Config, key: &Secret, values: &Values) -> Result<(String, ColumnMask)> {
    let policy = wire_up::policy(config, &keys::read_root(key)?, None);
    let rights = policy.rights(&Principal::user(&values.user), SystemTime::now());
    let rights = policy.settled(&rights, None);
    let parts: Vec<&str> = values.column.split('.').collect();
    let (schema, table, column) = match parts.as_slice() {
        [table, column] => (None, *table, *column),
        [schema, table, column] => (Some(*schema), *table, *column),
        _ => bail!("--column is written TABLE.COLUMN or SCHEMA.TABLE.COLUMN"),
    };
    let upstream = config.database(&values.database).map(|database| &database.upstream);
    let mysql = upstream.is_some_and(|upstream| upstream.protocol == Protocol::MySql);
    let database = upstream.and_then(|upstream| upstream.database.as_deref()).unwrap_or(&values.database);
    let schema = schema.unwrap_or(if mysql { database } else { "public" });
    let name = ColumnName { schema: schema.to_owned(), table: table.to_owned(), column: column.to_owned() };
    let masking =
        if mysql { policy.mask_mysql(&rights, &name, true) } else { policy.mask(database, &rights, &name) };
    let masking = masking.with_context(|| format!("no rule masks {}", values.column))?;
    let known = NAMES.iter().find(|(name, _)| *name == values.kind);
    let names = || NAMES.map(|(name, _)| name).join(", ");
    let (_, oid) = known.with_context(|| format!("--type is one of {}", names()))?;
    let column = masking.masker.column(PgType { oid: *oid, modifier: -1 });
    if !column.supported() {
        bail!("{} has no masks for the type {}", masking.masker.strategy().name(), values.kind);
    }
    Ok((masking.rule.to_string(), column))
}

/// Turns each value, and prints what comes of it, or what there is instead.
fn each(
    values: &Values,
    turn: impl Fn(&[u8], &mut Vec<u8>) -> Cell,
    instead: impl Fn(usize) -> Result<&'static str>,
) -> Result<()> {
    let mut out = io::stdout().lock();
    let mut line = |at: usize, value: &str| -> Result<()> {
        let mut turned = Vec::new();
        match turn(value.as_bytes(), &mut turned) {
            Cell::Written => out.write_all(&turned)?,
            Cell::Null => out.write_all(instead(at)?.as_bytes())?,
        }
        Ok(out.write_all(b"\n")?)
    };
    if values.values.is_empty() {
        return io::stdin().lock().lines().enumerate().try_for_each(|(at, value)| line(at + 1, &value?));
    }
    values.values.iter().enumerate().try_for_each(|(at, value)| line(at + 1, value))
}
