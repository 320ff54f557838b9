//! Letters and the tokens that they make.

use sqlparser::tokenizer::Token;

pub(super) const fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '$') || !c.is_ascii()
}

/// A name that is no keyword.
pub(super) fn word(name: &str) -> Token {
    Token::make_word(name, Some('`'))
}

/// A literal of which nothing has to be known.
pub(super) fn literal() -> Token {
    Token::Number("0".to_owned(), false)
}

pub(super) const fn unescape(c: char) -> char {
    match c {
        '0' => '\0',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'b' => '\u{8}',
        'Z' => '\u{1a}',
        other => other,
    }
}
