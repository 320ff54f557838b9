//! When a database is scanned, and how.

use std::time::Duration;

use saphyr::Scalar;

use super::operations::duration;
use super::wrong;
use crate::config::operations::Scans;
use crate::yaml::{Faults, Value};

/// Scans follow one another no sooner than that.
const EVERY_MIN: Duration = Duration::from_secs(60);
const SESSIONS_MAX: i64 = 16;
const REST_MAX: i64 = 100;

/// `{ every: 1d }`, with what else `ironveil scan` takes.
pub(super) fn scans(value: &Value<'_>, faults: &mut Faults) -> Option<Scans> {
    let mut map = value.map(faults)?;
    let standard = Scans::default();
    let every = map.need("every", faults).and_then(|value| match duration(&value, faults)? {
        every if every >= EVERY_MIN => Some(every),
        _ => wrong(&value, faults, "\"every\" is a time from 1m"),
    });
    let mut number = |name: &str, least, most| {
        let value = map.take(name)?;
        match value.scalar() {
            Some(Scalar::Integer(number)) if (least..=most).contains(number) => u32::try_from(*number).ok(),
            _ => wrong(&value, faults, &format!("\"{name}\" is a whole number from {least} to {most}")),
        }
    };
    let (sessions, rest) = (number("sessions", 1, SESSIONS_MAX), number("rest", 0, REST_MAX));
    let confidence_min = map.take("min_confidence").and_then(|value| match value.scalar() {
        Some(Scalar::FloatingPoint(number)) if (0.5..=1.0).contains(&number.into_inner()) => {
            Some(number.into_inner())
        }
        Some(Scalar::Integer(1)) => Some(1.0),
        _ => wrong(&value, faults, "\"min_confidence\" is a number from 0.5 to 1"),
    });
    let schemas = map.take("schemas").and_then(|value| value.texts(faults)).unwrap_or_default();
    map.end(faults, &["every", "sessions", "rest", "min_confidence", "schemas"]);
    Some(Scans {
        every: every?,
        sessions: sessions.unwrap_or(standard.sessions),
        rest: rest.unwrap_or(standard.rest),
        confidence_min: confidence_min.unwrap_or(standard.confidence_min),
        schemas,
    })
}
