//! For which rows a rule is, and what becomes of groups and writes.

use saphyr::Scalar;

use super::wrong;
use crate::beside::When;
use crate::protection::Writes;
use crate::yaml::{Faults, Value};

/// `{ column: country, is: [DE, AT] }`, or `is_not`.
pub(super) fn when(value: &Value<'_>, faults: &mut Faults) -> Option<When> {
    let mut map = value.map(faults)?;
    let column = map.need("column", faults).and_then(|value| value.text(faults));
    let mut values = |name: &str, faults: &mut Faults| map.take(name).and_then(|value| value.scalars(faults));
    let (is, is_not) = (values("is", faults), values("is_not", faults));
    map.end(faults, &["column", "is", "is_not"]);
    match (is, is_not) {
        (Some(values), None) => Some(When { column: column?, values, not: false }),
        (None, Some(values)) => Some(When { column: column?, values, not: true }),
        _ => wrong(value, faults, "says either which values the column \"is\", or which it \"is_not\""),
    }
}

pub(super) fn min_group(value: &Value<'_>, faults: &mut Faults) -> Option<u64> {
    match value.scalar() {
        Some(Scalar::Integer(number)) => u64::try_from(*number).ok().filter(|number| *number > 1),
        _ => None,
    }
    .or_else(|| wrong(value, faults, "\"min_group\" is a whole number from 2"))
}

pub(super) fn writes(value: &Value<'_>, faults: &mut Faults) -> Option<Writes> {
    match value.text(faults)?.as_str() {
        "guard" => Some(Writes::Guard),
        "plain" => Some(Writes::Plain),
        _ => wrong(value, faults, "\"writes\" is \"guard\" or \"plain\""),
    }
}
