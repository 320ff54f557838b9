//! Tests that a policy carries.

use super::wrong;
use crate::expect::{Expected, Test};
use crate::who::Principal;
use crate::yaml::{Faults, Value};

/// What somebody should see.
pub(super) fn test(value: &Value<'_>, faults: &mut Faults) -> Option<Test> {
    let mut map = value.map(faults)?;
    let principal = map.need("as", faults).and_then(|value| principal(&value, faults));
    let mut text = |name: &str, faults: &mut Faults| map.take(name).and_then(|value| value.text(faults));
    let database = text("database", faults).unwrap_or_else(|| "*".to_owned());
    let (column, of, sql) = (text("column", faults), text("value", faults), text("sql", faults));
    let expect = map.need("expect", faults);
    let words = expect.as_ref().and_then(|value| value.texts(faults))?;
    map.end(faults, &["as", "database", "column", "value", "sql", "expect"]);
    let column = column.map(|column| column.split('.').map(str::to_owned).collect::<Vec<_>>());
    let expected = match (column, of, sql, words.as_slice()) {
        (Some(column), None, None, [by]) => Expected::Column { column, by: by.clone() },
        (Some(column), Some(value), None, [mask]) => Expected::Value { column, value, mask: mask.clone() },
        (None, None, Some(sql), [word]) if word == "refused" => Expected::Refused { sql },
        (None, None, Some(sql), _) => Expected::Columns { sql, columns: words },
        _ => {
            return wrong(
                value,
                faults,
                "a test has \"column\" (with \"value\" or not) or \"sql\", and says what to expect of it",
            );
        }
    };
    Some(Test { line: value.line(), principal: principal?, database, expected })
}

fn principal(value: &Value<'_>, faults: &mut Faults) -> Option<Principal> {
    if !value.is_map() {
        return value.text(faults).map(|user| Principal::user(&user));
    }
    let mut map = value.map(faults)?;
    let user = map.need("user", faults).and_then(|value| value.text(faults));
    let application = map.take("application").and_then(|value| value.text(faults)).unwrap_or_default();
    let address = map.take("address").and_then(|value| {
        let text = value.text(faults)?;
        text.parse().ok().or_else(|| wrong(&value, faults, &format!("\"{text}\" is no address")))
    });
    let certificate = map.take("certificate").and_then(|value| value.texts(faults)).unwrap_or_default();
    map.end(faults, &["user", "application", "address", "certificate"]);
    let user = user?;
    Some(Principal { address, application, certificate, ..Principal::user(&user) })
}
