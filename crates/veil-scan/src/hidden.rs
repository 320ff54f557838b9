//! What a value looks like, without the value: `j***@e***.com`.

/// Characters that are shown at most.
const LENGTH_MAX: usize = 40;

/// Words shorter than this show nothing of themselves.
const WORD_MIN: usize = 5;

/// A pattern of a value: the first letter of longer words, marks as they are, `*` for letters and `#` for digits.
pub(crate) fn pattern(value: &str) -> String {
    let mut out = String::new();
    let chars: Vec<char> = value.chars().take(LENGTH_MAX).collect();
    let at = chars.iter().rposition(|c| *c == '@');
    let mut read = 0;
    for word in chars.chunk_by(|a, b| a.is_alphanumeric() && b.is_alphanumeric()) {
        read += word.len();
        let is_last = read == chars.len() && chars.len() < LENGTH_MAX;
        let is_top = is_last && at.is_some_and(|at| at < read) && word.len() < 4 && out.ends_with('.');
        for (at, &c) in word.iter().enumerate() {
            out.push(match c {
                c if is_top || !c.is_alphanumeric() => c,
                c if c.is_numeric() => '#',
                c if at == 0 && c.is_alphabetic() && word.len() >= WORD_MIN => c,
                _ => '*',
            });
        }
    }
    if value.chars().nth(LENGTH_MAX).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_hide_values() {
        for (value, expected) in [
            ("jonas@example.com", "j****@e******.com"),
            ("ana.lee@corp.example", "***.***@****.e******"),
            ("1984-03-09", "####-##-##"),
            ("Ann", "***"),
            ("山田太郎", "****"),
            ("DE89 3704", "**## ####"),
        ] {
            assert_eq!(pattern(value), expected, "{value}");
        }
    }
}
