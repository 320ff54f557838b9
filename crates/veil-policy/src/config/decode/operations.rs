//! Limits, timeouts, and the listener for operators.

use std::time::Duration;

use saphyr::Scalar;

use super::{path, secret, wrong};
use crate::config::operations::{Api, Audit, LOGIN_TIMEOUT, Limits, Timeouts};
use crate::yaml::{Faults, Map, Value};

/// The greatest number of anything that is counted.
const COUNT_MAX: u32 = 1_000_000;
/// The longest time that is waited for anything: a year.
const DURATION_MAX: Duration = Duration::from_secs(366 * 86_400);
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// A whole number that counts something.
pub(super) fn count(value: &Value<'_>, faults: &mut Faults) -> Option<u32> {
    match value.scalar() {
        Some(Scalar::Integer(number)) => u32::try_from(*number).ok().filter(|number| *number <= COUNT_MAX),
        _ => None,
    }
    .or_else(|| {
        wrong(value, faults, &format!("a whole number from 0 to {COUNT_MAX}; 0 stands for any number"))
    })
}

/// `250ms`, `30s`, `5m`, `2h`, `1d`, or 0.
fn duration(value: &Value<'_>, faults: &mut Faults) -> Option<Duration> {
    let read = |text: &str| {
        let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
        let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let time = Duration::from_millis(digits.parse::<u64>().ok()?.checked_mul(*millis)?);
        (time <= DURATION_MAX).then_some(time)
    };
    match value.scalar() {
        Some(Scalar::Integer(0)) => Some(Duration::ZERO),
        Some(Scalar::String(text)) => read(text),
        _ => None,
    }
    .or_else(|| wrong(value, faults, "a time is written 250ms, 30s, 5m, 2h or 1d, and 0 for none"))
}

pub(super) fn limits(value: &Value<'_>, faults: &mut Faults) -> Option<Limits> {
    let mut map = value.map(faults)?;
    let queue_timeout = map.take("queue_timeout").and_then(|value| duration(&value, faults));
    let admins = map.take("admins").and_then(|value| value.texts(faults)).unwrap_or_default();
    let mut of = |name: &str| map.take(name).and_then(|value| count(&value, faults)).unwrap_or_default();
    let limits = Limits {
        max_connections: of("max_connections"),
        max_connections_per_user: of("max_connections_per_user"),
        reserved_connections: of("reserved_connections"),
        connections_per_second: of("connections_per_second"),
        burst: of("burst"),
        connections_per_second_per_address: of("connections_per_second_per_address"),
        burst_per_address: of("burst_per_address"),
        queue_timeout: queue_timeout.unwrap_or_default(),
        admins,
    };
    if limits.reserved_connections > 0 && limits.reserved_connections >= limits.max_connections {
        faults.at(value, "\"reserved_connections\" has to be less than \"max_connections\"");
    }
    let known = [
        "max_connections",
        "max_connections_per_user",
        "reserved_connections",
        "admins",
        "connections_per_second",
        "burst",
        "connections_per_second_per_address",
        "burst_per_address",
        "queue_timeout",
    ];
    map.end(faults, &known);
    Some(limits)
}

/// The times of all databases, and that in which clients have to sign in.
pub(super) fn timeouts(value: &Value<'_>, faults: &mut Faults) -> Option<(Timeouts, Duration)> {
    let mut map = value.map(faults)?;
    let login = map.take("login_timeout").and_then(|value| positive(&value, faults)).unwrap_or(LOGIN_TIMEOUT);
    let timeouts = take_timeouts(&mut map, Timeouts::default(), faults);
    let known = [&["login_timeout"], TIMEOUTS.as_slice()].concat();
    map.end(faults, &known);
    Some((timeouts, login))
}

/// Names of times that a database may have of its own.
pub(super) const TIMEOUTS: [&str; 5] =
    ["connect_timeout", "query_timeout", "idle_timeout", "idle_in_transaction_timeout", "max_lifetime"];

/// The times of a database, which are those of all unless it says otherwise.
pub(super) fn take_timeouts(map: &mut Map<'_>, all: Timeouts, faults: &mut Faults) -> Timeouts {
    let connect = map.take("connect_timeout").and_then(|value| positive(&value, faults));
    let mut of = |name: &str, otherwise: Option<Duration>| match map.take(name) {
        Some(value) => duration(&value, faults).filter(|time| !time.is_zero()),
        None => otherwise,
    };
    Timeouts {
        connect: connect.unwrap_or(all.connect),
        query: of("query_timeout", all.query),
        idle: of("idle_timeout", all.idle),
        idle_in_transaction: of("idle_in_transaction_timeout", all.idle_in_transaction),
        max_lifetime: of("max_lifetime", all.max_lifetime),
    }
}

fn positive(value: &Value<'_>, faults: &mut Faults) -> Option<Duration> {
    let time = duration(value, faults)?;
    if time.is_zero() { wrong(value, faults, "this time cannot be 0") } else { Some(time) }
}

pub(super) fn api(value: &Value<'_>, faults: &mut Faults) -> Option<Api> {
    let mut map = value.map(faults)?;
    let listen = map.need("listen", faults).and_then(|value| {
        let text = value.text(faults)?;
        text.parse().ok().or_else(|| {
            wrong(&value, faults, &format!("\"{text}\" is not an address and port, as 127.0.0.1:3001"))
        })
    });
    let key = map.take("api_key").and_then(|value| secret(&value, faults));
    map.end(faults, &["listen", "api_key"]);
    Some(Api { listen: listen?, key })
}

pub(super) fn audit(value: &Value<'_>, faults: &mut Faults) -> Option<Audit> {
    let mut map = value.map(faults)?;
    let file = path(map.need("file", faults), faults);
    map.end(faults, &["file"]);
    Some(Audit { file: file? })
}
