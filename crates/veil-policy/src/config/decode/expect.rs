//! Tests that a policy carries.

use std::time::{Duration, SystemTime};

use veil_model::pgtype::NAMES;

use super::who::minute;
use super::wrong;
use crate::expect::{Expected, Test};
use crate::who::{Day, Principal};
use crate::yaml::{Faults, Value};

/// What somebody should see.
pub(super) fn test(value: &Value<'_>, faults: &mut Faults) -> Option<Test> {
    let mut map = value.map(faults)?;
    let somebody = map.need("as", faults).and_then(|value| somebody(&value, faults));
    let mut text = |name: &str, faults: &mut Faults| map.take(name).and_then(|value| value.text(faults));
    let database = text("database", faults).unwrap_or_else(|| "*".to_owned());
    let (column, of, sql) = (text("column", faults), text("value", faults), text("sql", faults));
    let kind = text("type", faults).unwrap_or_else(|| "text".to_owned());
    let Some((_, oid)) = NAMES.iter().find(|(name, _)| *name == kind).copied() else {
        let known = NAMES.map(|(name, _)| name).join(", ");
        return wrong(value, faults, &format!("\"type\" is one of {known}"));
    };
    let expect = map.need("expect", faults);
    let words = expect.as_ref().and_then(|value| value.texts(faults))?;
    map.end(faults, &["as", "database", "column", "value", "type", "sql", "expect"]);
    let column = column.map(|column| column.split('.').map(str::to_owned).collect::<Vec<_>>());
    let expected = match (column, of, sql, words.as_slice()) {
        (Some(column), None, None, [by]) => Expected::Column { column, by: by.clone() },
        (Some(column), Some(value), None, [mask]) => {
            Expected::Value { column, value, oid, mask: mask.clone() }
        }
        (None, None, Some(sql), [word]) if word == "refused" => Expected::Refused { sql },
        (None, None, Some(sql), [_, ..]) => Expected::Columns { sql, columns: words },
        _ => {
            return wrong(
                value,
                faults,
                "a test has \"column\" (with \"value\" or not) or \"sql\", and says what to expect of it",
            );
        }
    };
    let Somebody { principal, roles, at } = somebody?;
    Some(Test { line: value.line(), principal, roles, at, database, expected })
}

/// As whom, and when.
struct Somebody {
    principal: Principal,
    roles: Option<Vec<String>>,
    at: Option<SystemTime>,
}

fn somebody(value: &Value<'_>, faults: &mut Faults) -> Option<Somebody> {
    if !value.is_map() {
        let principal = value.text(faults).map(|user| Principal::user(&user))?;
        return Some(Somebody { principal, roles: None, at: None });
    }
    let mut map = value.map(faults)?;
    let user = map.need("user", faults).and_then(|value| value.text(faults));
    let application = map.take("application").and_then(|value| value.text(faults)).unwrap_or_default();
    let address = map.take("address").and_then(|value| {
        let text = value.text(faults)?;
        text.parse().ok().or_else(|| wrong(&value, faults, &format!("\"{text}\" is no address")))
    });
    let certificate = map.take("certificate").and_then(|value| value.texts(faults)).unwrap_or_default();
    let roles = map.take("roles").and_then(|value| value.texts(faults));
    let at = map.take("at").and_then(|value| {
        let text = value.text(faults)?;
        moment(&text)
            .or_else(|| wrong(&value, faults, "a time is written 2026-12-31 or \"2026-12-31 18:00\", in UTC"))
    });
    map.end(faults, &["user", "application", "address", "certificate", "roles", "at"]);
    let user = user?;
    Some(Somebody {
        principal: Principal { address, application, certificate, ..Principal::user(&user) },
        roles,
        at,
    })
}

fn moment(text: &str) -> Option<SystemTime> {
    let (day, time) = text.split_once(' ').unwrap_or((text, "00:00"));
    Some(day.parse::<Day>().ok()?.start() + Duration::from_secs(60 * u64::from(minute(time)?)))
}
