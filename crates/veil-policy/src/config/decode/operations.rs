//! Limits, timeouts, and the listener for operators.

use std::path::PathBuf;
use std::time::Duration;

use saphyr::Scalar;

use super::{path, secret, wrong};
use crate::config::Protocol;
use crate::config::operations::{
    Api, Audit, KeySet, LOGIN_TIMEOUT, Limits, Otlp, Store, Syslog, Timeouts, Tokens, WhenFull,
};
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
pub(super) fn duration(value: &Value<'_>, faults: &mut Faults) -> Option<Duration> {
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

pub(super) fn positive(value: &Value<'_>, faults: &mut Faults) -> Option<Duration> {
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
    let admin_key_file = path(map.take("admin_key_file"), faults);
    let file = path(map.take("jwks_file"), faults).map(KeySet::File);
    let url = map.take("jwks_url").and_then(|value| {
        let url = url(&value, faults)?;
        let host = url.strip_prefix("http://").map(|rest| rest.split(['/', ':']).next().unwrap_or_default());
        let here = host.is_none_or(|host| matches!(host, "localhost" | "127.0.0.1"));
        if here {
            Some(KeySet::Url(url))
        } else {
            wrong(&value, faults, "keys from another machine are asked for by https only")
        }
    });
    if file.is_some() && url.is_some() {
        faults.at(value, "only one of \"jwks_file\" and \"jwks_url\" says where the keys are");
    }
    let tokens_secret = map.take("jwt_secret").and_then(|value| secret(&value, faults));
    let mut text = |name: &str| map.take(name).and_then(|value| value.text(faults));
    let tokens = Tokens {
        secret: tokens_secret,
        keys: file.or(url),
        issuer: text("jwt_issuer"),
        audience: text("jwt_audience"),
        role_claim: text("jwt_role_claim"),
    };
    let tls = map.take("tls").and_then(|value| certificate(&value, faults));
    let public_metrics = map.take("public_metrics").and_then(|value| value.bool(faults)).unwrap_or(false);
    let known = [
        "listen",
        "api_key",
        "admin_key_file",
        "jwt_secret",
        "jwks_file",
        "jwks_url",
        "jwt_issuer",
        "jwt_audience",
        "jwt_role_claim",
        "tls",
        "public_metrics",
    ];
    map.end(faults, &known);
    Some(Api { listen: listen?, key, admin_key_file, tokens, tls, public_metrics })
}

fn certificate(value: &Value<'_>, faults: &mut Faults) -> Option<(PathBuf, PathBuf)> {
    let mut map = value.map(faults)?;
    let certificate = path(map.need("certificate", faults), faults);
    let key = path(map.need("key", faults), faults);
    map.end(faults, &["certificate", "key"]);
    Some((certificate?, key?))
}

fn url(value: &Value<'_>, faults: &mut Faults) -> Option<String> {
    let text = value.text(faults)?;
    match text.split_once("://") {
        Some(("http" | "https", rest)) if !rest.is_empty() => Some(text),
        _ => wrong(value, faults, &format!("\"{text}\" is no address that begins with http:// or https://")),
    }
}

const ROTATE_BYTES: u64 = 100 << 20;
const ROTATE_AFTER: Duration = Duration::from_secs(24 * 3600);

pub(super) fn audit(value: &Value<'_>, faults: &mut Faults) -> Option<Audit> {
    let mut map = value.map(faults)?;
    let file = path(map.need("file", faults), faults);
    let rotate_bytes =
        map.take("rotate_bytes").and_then(|value| bytes(&value, faults)).unwrap_or(ROTATE_BYTES);
    let mut time = |name: &str, otherwise: Option<Duration>| match map.take(name) {
        Some(value) => duration(&value, faults).filter(|time| !time.is_zero()),
        None => otherwise,
    };
    let (rotate_after, keep) = (time("rotate_after", Some(ROTATE_AFTER)), time("keep", None));
    let compress = map.take("compress").and_then(|value| value.bool(faults)).unwrap_or(true);
    let when_full = map.take("when_full").and_then(|value| match value.text(faults)?.as_str() {
        "block" => Some(WhenFull::Block),
        "refuse" => Some(WhenFull::Refuse),
        "drop" => Some(WhenFull::Drop),
        _ => wrong(&value, faults, "\"when_full\" is \"block\", \"refuse\" or \"drop\""),
    });
    let syslog = map.take("syslog").and_then(|value| syslog(&value, faults));
    map.end(faults, &["file", "rotate_bytes", "rotate_after", "keep", "compress", "when_full", "syslog"]);
    let when_full = when_full.unwrap_or_default();
    Some(Audit { file: file?, rotate_bytes, rotate_after, keep, compress, when_full, syslog })
}

/// A number of bytes, as 1000000 or "100 MiB".
fn bytes(value: &Value<'_>, faults: &mut Faults) -> Option<u64> {
    let told = match value.scalar() {
        Some(Scalar::Integer(number)) => u64::try_from(*number).ok(),
        Some(Scalar::String(text)) => {
            let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let unit = match text.get(digits..).unwrap_or_default().trim() {
                "" => Some(1_u64),
                "KiB" => Some(1 << 10),
                "MiB" => Some(1 << 20),
                "GiB" => Some(1 << 30),
                _ => None,
            };
            let number: Option<u64> = text.get(..digits).and_then(|digits| digits.parse().ok());
            number.zip(unit).and_then(|(number, unit)| number.checked_mul(unit))
        }
        _ => None,
    };
    told.filter(|bytes| *bytes > 0)
        .or_else(|| wrong(value, faults, "expected a number of bytes, as 1000000 or \"100 MiB\""))
}

fn syslog(value: &Value<'_>, faults: &mut Faults) -> Option<Syslog> {
    let text = value.text(faults)?;
    let with_port = |at: &str| at.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    match text.split_once(':') {
        Some(("udp", rest)) => {
            rest.strip_prefix("//").filter(|at| with_port(at)).map(|at| Syslog::Udp(at.into()))
        }
        Some(("tcp", rest)) => {
            rest.strip_prefix("//").filter(|at| with_port(at)).map(|at| Syslog::Tcp(at.into()))
        }
        Some(("unix", rest)) if rest.starts_with('/') => Some(Syslog::Unix(rest.into())),
        _ => None,
    }
    .or_else(|| wrong(value, faults, "\"syslog\" is udp://HOST:PORT, tcp://HOST:PORT or unix:/PATH"))
}

pub(super) fn store(value: &Value<'_>, faults: &mut Faults) -> Option<Store> {
    let mut map = value.map(faults)?;
    let file = path(map.take("file"), faults);
    let sqlite = path(map.take("sqlite"), faults);
    let server = map.take("postgres").and_then(|value| {
        let found = super::upstream(&value, faults)?;
        let fits = found.protocol == Protocol::Postgres && found.database.is_some();
        if fits {
            Some(found)
        } else {
            wrong(&value, faults, "\"postgres\" is postgres://HOST:PORT/DATABASE")
        }
    });
    let login = server.as_ref().and_then(|_| super::users::login(&mut map, faults));
    map.end(faults, &["file", "sqlite", "postgres", "user", "password"]);
    match (file, sqlite, server) {
        (file, None, None) => Some(Store::File(file)),
        (None, Some(path), None) => Some(Store::Sqlite(path)),
        (None, None, Some(server)) => Some(Store::Postgres(Box::new(server), login?)),
        _ => wrong(value, faults, "only one of \"file\", \"sqlite\" and \"postgres\" says where"),
    }
}

const METRICS_EVERY: Duration = Duration::from_secs(60);

pub(super) fn otlp(value: &Value<'_>, faults: &mut Faults) -> Option<Otlp> {
    let mut map = value.map(faults)?;
    let endpoint = map.need("endpoint", faults).and_then(|value| url(&value, faults));
    let http = map.take("protocol").and_then(|value| match value.text(faults)?.as_str() {
        "grpc" => Some(false),
        "http" => Some(true),
        _ => wrong(&value, faults, "\"protocol\" is \"grpc\" or \"http\""),
    });
    let mut headers = Vec::new();
    if let Some(given) = map.take("headers").and_then(|value| value.map(faults)) {
        headers = given.rest().filter_map(|(name, value)| Some((name, secret(&value, faults)?))).collect();
    }
    let mut bool = |name: &str| map.take(name).and_then(|value| value.bool(faults));
    let (traces, logs) = (bool("traces").unwrap_or(true), bool("logs").unwrap_or(false));
    let sample_ratio = map.take("sample_ratio").and_then(|value| {
        let ratio = match value.scalar() {
            Some(Scalar::Integer(number @ (0 | 1))) => Some(if *number == 0 { 0.0 } else { 1.0 }),
            Some(Scalar::FloatingPoint(ratio)) => {
                Some(ratio.into_inner()).filter(|ratio| (0.0..=1.0).contains(ratio))
            }
            _ => None,
        };
        ratio.or_else(|| wrong(&value, faults, "\"sample_ratio\" is a number from 0 to 1"))
    });
    let metrics = match map.take("metrics_interval") {
        Some(value) => duration(&value, faults).filter(|time| !time.is_zero()),
        None => Some(METRICS_EVERY),
    };
    let known = ["endpoint", "protocol", "headers", "traces", "logs", "sample_ratio", "metrics_interval"];
    map.end(faults, &known);
    let sample_ratio = sample_ratio.unwrap_or(1.0);
    Some(Otlp {
        endpoint: endpoint?,
        http: http.unwrap_or(false),
        headers,
        traces,
        sample_ratio,
        metrics,
        logs,
    })
}
