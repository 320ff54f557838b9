//! How connections are shared.

use super::operations::{count, duration, positive};
use super::{list, wrong};
use crate::config::pool::{Pool, PoolMode};
use crate::yaml::{Faults, Value};

const KEYS: [&str; 10] = [
    "mode",
    "size",
    "min_idle",
    "reserve",
    "max_lifetime",
    "idle_timeout",
    "queue_timeout",
    "server_check",
    "max_prepared_statements",
    "users",
];

/// A pool, which is like that of all databases unless it says otherwise.
pub(super) fn pool(value: &Value<'_>, all: Option<&Pool>, faults: &mut Faults) -> Option<Pool> {
    // Whoever writes of a pool wants one.
    let all = all.cloned().unwrap_or_else(|| Pool { mode: PoolMode::Session, ..Pool::default() });
    let mut map = value.map(faults)?;
    let mode = map.take("mode").and_then(|value| mode(&value, faults)).unwrap_or(all.mode);
    let mut of = |name: &str| map.take(name).and_then(|value| count(&value, faults));
    let (size, min_idle, reserve) = (of("size"), of("min_idle"), of("reserve"));
    let prepared = of("max_prepared_statements");
    let mut time = |name: &str| map.take(name).and_then(|value| positive(&value, faults));
    let (lifetime, queue) = (time("max_lifetime"), time("queue_timeout"));
    let mut may_be_none = |name: &str, otherwise| match map.take(name) {
        Some(value) => duration(&value, faults).filter(|time| !time.is_zero()),
        None => otherwise,
    };
    let idle_timeout = may_be_none("idle_timeout", all.idle_timeout);
    let server_check = may_be_none("server_check", all.server_check);
    let users = map.take("users").map(|value| list(Some(value), faults, user));
    map.end(faults, &KEYS);
    let size = size.unwrap_or(all.size);
    let min_idle = min_idle.unwrap_or(all.min_idle);
    if size == 0 || min_idle > size {
        return wrong(value, faults, "\"size\" is at least 1 and not less than \"min_idle\"");
    }
    Some(Pool {
        mode,
        size,
        min_idle,
        reserve: reserve.unwrap_or(all.reserve),
        max_lifetime: lifetime.unwrap_or(all.max_lifetime),
        idle_timeout,
        queue_timeout: queue.unwrap_or(all.queue_timeout),
        server_check,
        max_prepared_statements: prepared.unwrap_or(all.max_prepared_statements),
        users: users.unwrap_or(all.users),
    })
}

fn mode(value: &Value<'_>, faults: &mut Faults) -> Option<PoolMode> {
    let text = match value.scalar() {
        // YAML's "off" may be read as a truth value.
        Some(saphyr::Scalar::Boolean(false)) => "off".to_owned(),
        _ => value.text(faults)?,
    };
    match text.as_str() {
        "off" => Some(PoolMode::Off),
        "session" => Some(PoolMode::Session),
        "transaction" => Some(PoolMode::Transaction),
        "statement" => Some(PoolMode::Statement),
        _ => wrong(value, faults, "\"mode\" is session, transaction, statement or off"),
    }
}

fn user(value: &Value<'_>, faults: &mut Faults) -> Option<(String, u32)> {
    let mut map = value.map(faults)?;
    let name = map.need("name", faults).and_then(|value| value.text(faults));
    let size = map.need("size", faults).and_then(|value| count(&value, faults));
    map.end(faults, &["name", "size"]);
    match size? {
        0 => wrong(value, faults, "\"size\" is at least 1"),
        size => Some((name?, size)),
    }
}
