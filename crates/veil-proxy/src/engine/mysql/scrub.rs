//! Errors without what may quote data: number and SQLSTATE are kept, and the message where its kind quotes only the
//! statement and names, and no code of a user can have written it.

use veil_wire::mysql::reply::Error;

/// Errors whose messages quote the statement and names of objects, never a row.
const HARMLESS: [u16; 60] = [
    1040, 1044, 1045, 1046, 1047, 1049, 1051, 1052, 1053, 1054, 1055, 1056, 1060, 1063, 1064, 1065, 1066,
    1109, 1110, 1111, 1115, 1122, 1128, 1136, 1140, 1142, 1143, 1146, 1149, 1153, 1193, 1205, 1210, 1213,
    1221, 1222, 1227, 1231, 1235, 1238, 1241, 1242, 1243, 1247, 1248, 1253, 1267, 1273, 1290, 1295, 1305,
    1317, 1327, 1370, 1461, 1582, 1630, 1969, 3024, 4031,
];

/// Appends the payload of `error` with what may be kept of it. `foreign`: code that the statement does not show may
/// have run, which can write any error.
pub(super) fn put(error: &Error<'_>, foreign: bool, out: &mut Vec<u8>) {
    if !foreign && HARMLESS.contains(&error.number) {
        error.put(out);
        return;
    }
    let message =
        format!("{} (IronVeil withheld the message: it may quote masked data)", describe(error.number));
    Error { message: message.as_bytes(), ..*error }.put(out);
}

/// What an error means, in words.
const fn describe(number: u16) -> &'static str {
    match number {
        1022 | 1062 | 1169 | 1586 => "a unique key has this value already",
        1048 => "a column may not be null",
        1142..=1143 | 1044..=1045 | 1227 | 1370 => "access denied",
        1054 => "unknown column",
        1064 | 1149 => "syntax error",
        1146 | 1051 => "unknown table",
        1205 => "lock wait timeout exceeded; try restarting transaction",
        1213 => "deadlock found when trying to get lock; try restarting transaction",
        1216..=1217 | 1451..=1452 => "a foreign key constraint fails",
        1264 | 1690 => "a number is out of range",
        1292 | 1366..=1367 | 1411 => "a value is not valid for its type",
        1364 => "a column has no default value",
        1365 => "division by zero",
        1406 => "a value is too long for its column",
        1317 | 1969 | 3024 => "the statement was interrupted",
        3819 | 4025 => "a check constraint is violated",
        _ => "the statement failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubbed(number: u16, foreign: bool) -> String {
        let mut out = Vec::new();
        put(
            &Error { number, state: b"23000", message: b"Duplicate entry 'alice' for key 'email'" },
            foreign,
            &mut out,
        );
        let error = Error::decode(&out).unwrap();
        assert_eq!((error.number, error.state), (number, &b"23000"[..]));
        String::from_utf8(error.message.to_vec()).unwrap()
    }

    #[test]
    fn messages_that_quote_values_are_withheld() {
        assert!(scrubbed(1062, false).starts_with("a unique key has this value already"));
        assert!(!scrubbed(1064, true).contains("alice"));
        assert!(scrubbed(1064, false).contains("alice"));
        assert!(!scrubbed(9999, false).contains("alice"));
    }

    #[test]
    fn the_list_is_sorted() {
        assert!(HARMLESS.is_sorted());
    }
}
