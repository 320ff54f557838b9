//! Texts that differ in numbers only are analysed once.
//!
//! Of a number that is equal or not, an analysis holds what it says, to be translated, and nothing that follows from it. So where nothing is translated, the
//! analysis of a text with other numbers, of as many digits, is that of this one.

/// Digits of a number: more may be of another type.
const DIGITS_MAX: usize = 9;
/// What begins statements in which a number behind `=` is compared or stored, and sets nothing else.
const BEGINNINGS: [&str; 4] = ["select", "update", "delete", "insert"];

/// A text with ones in the place of such numbers; `None` if there are none, or it cannot be told where they stand.
pub(crate) fn like(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let begins = |word: &&str| {
        bytes.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word.as_bytes()))
    };
    BEGINNINGS.iter().any(begins).then_some(())?;
    let mut found: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            // What is quoted ends where it does in every setting, since there are no backslashes.
            b'\'' | b'"' => at += bytes.get(at..)?.iter().position(|other| *other == byte)? + 1,
            b'\\' => return None,
            b'-' if bytes.get(at) == Some(&b'-') => return None,
            b'/' if bytes.get(at) == Some(&b'*') => return None,
            b'$' if !bytes.get(at).is_some_and(u8::is_ascii_digit) => return None,
            b';' if !bytes.get(at..)?.trim_ascii().is_empty() => return None,
            b'=' | b'<' | b'>' => {
                let operator = bytes.get(..at)?.iter().rev().take_while(|byte| is_operator(**byte)).count();
                let first = at + bytes.get(at..)?.iter().take_while(|byte| **byte == b' ').count();
                let count = bytes.get(first..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
                // How many rows a group has is compared by order, and means something.
                let known = matches!(bytes.get(at - operator..at)?, b"=" | b"<>");
                let ends = matches!(bytes.get(first + count), None | Some(b' ' | b')' | b',' | b';' | b'\n'));
                if known && ends && (1..=DIGITS_MAX).contains(&count) {
                    found.get_or_insert_with(|| bytes.to_vec()).get_mut(first..first + count)?.fill(b'1');
                    at = first + count;
                }
            }
            _ => {}
        }
    }
    String::from_utf8(found?).ok()
}

const fn is_operator(byte: u8) -> bool {
    matches!(
        byte,
        b'+' | b'-'
            | b'*'
            | b'/'
            | b'<'
            | b'>'
            | b'='
            | b'~'
            | b'!'
            | b'@'
            | b'#'
            | b'%'
            | b'^'
            | b'&'
            | b'|'
            | b'`'
            | b'?'
    )
}

/// The same of a text of MySQL, where other things hide quotes and set variables.
pub(crate) fn like_mysql(text: &str) -> Option<String> {
    let strange = |byte: u8| !byte.is_ascii() || matches!(byte, b'#' | b'`' | b':' | b'$');
    if text.bytes().any(strange) { None } else { like(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_compared_are_like_others() {
        let same = |text: &str| like(text).unwrap_or_default();
        assert_eq!(same("select * from t where id = 123;"), "select * from t where id = 111;");
        assert_eq!(
            same("SELECT a FROM t WHERE (id=7) AND b<>42 "),
            "SELECT a FROM t WHERE (id=1) AND b<>11 "
        );
        assert_eq!(
            same("update t set n = 5 where s = 'x = 9' and id = $1"),
            "update t set n = 1 where s = 'x = 9' and id = $1"
        );
        assert_eq!(
            same("select \"a = 5\", 'it''s = 5' from t where n = 5"),
            "select \"a = 5\", 'it''s = 5' from t where n = 1"
        );
    }

    #[test]
    fn what_may_mean_something_else_is_like_nothing() {
        for text in [
            "set statement_timeout = 5",
            "select 1; set x = 5",
            "explain select * from t where id = 5",
            "select * from t where id = 5.5",
            "select * from t where id = 5::text",
            "select * from t where id = 1234567890",
            "select * from t order by 2",
            "select * from t where id = 5 -- = 6",
            "select * from t where id /* = */ = 5",
            "select E'\\' = 5'",
            "select $$ = 5$$",
            "select 'open = 5",
            "select * from t where id @> 5",
            "select * from t where id => 5",
            "select avg(a) from t having count(a) >= 5",
            "select avg(a) from t where a > 5",
            "select * from t where id = 5a",
            "create table t (a int) with (fillfactor = 5)",
        ] {
            assert_eq!(like(text), None, "{text}");
        }
    }

    #[test]
    fn what_mysql_reads_in_another_way_is_like_nothing() {
        assert!(like_mysql("select * from t where id = 5").is_some());
        for text in [
            "select * from t where id = 5 # it's = 6",
            "select `a = 5` from t where id = 5",
            "select @a := 5",
            "select 'ä = 5' from t where id = 5",
            "select * from t$x where id = 5",
            "set @x = 5",
        ] {
            assert_eq!(like_mysql(text), None, "{text}");
        }
    }
}
