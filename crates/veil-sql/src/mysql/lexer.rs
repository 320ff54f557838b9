//! From text to tokens, as the server cuts it (MySQL reference manual, chapter "Language Structure").
//!
//! Comments of the form `/*!50000 ... */` and `/*M! ... */`, which servers from some version on run, are followed as
//! this server does; the text is then written out without them, so that what runs is what was read. What this lexer
//! is not sure of is an error.

mod letters;
mod mode;

use std::iter::Peekable;
use std::ops::Range;
use std::str::CharIndices;

use sqlparser::tokenizer::Token;

pub use self::mode::Mode;

use self::letters::{is_part, literal, unescape, word};

/// The tokens of a text.
#[derive(Debug, Default)]
pub struct Lexed {
    /// In order, without blanks and comments.
    pub tokens: Vec<Token>,
    /// Where they stand, in what is sent.
    pub extents: Vec<Range<usize>>,
    /// Functions whose name the server takes for a user's, because of a blank behind it.
    pub spaced: Vec<String>,
    /// The text without comments that run, if it had any.
    pub rewritten: Option<String>,
}

/// Words of one text.
const TOKENS_MAX: usize = 1 << 20;

/// Why a text is not understood.
pub type Fault = &'static str;

/// Functions that are only recognised without a blank before their arguments.
#[rustfmt::skip]
const TIGHT: [&str; 31] = [
    "adddate", "bit_and", "bit_or", "bit_xor", "cast", "count", "curdate", "curtime", "date_add",
    "date_sub", "extract", "group_concat", "max", "mid", "min", "now", "position", "session_user", "std",
    "stddev", "stddev_pop", "stddev_samp", "subdate", "substr", "substring", "sum", "sysdate",
    "system_user", "trim", "var_pop", "var_samp",
];

/// Cuts `text` into tokens.
///
/// # Errors
/// Something in it is not understood.
pub fn lex(text: &str, mode: Mode) -> Result<Lexed, Fault> {
    let lexed = cut(text, mode)?;
    if let Some(rewritten) = &lexed.rewritten {
        // What is sent has to be what was read: without its comment, `--/*!1*/` would begin another.
        let again = cut(rewritten, mode)?;
        if again.rewritten.is_some() || (&again.tokens, &again.spaced) != (&lexed.tokens, &lexed.spaced) {
            return Err("a comment that runs, where it cannot be written out");
        }
        return Ok(Lexed { extents: again.extents, ..lexed });
    }
    Ok(lexed)
}

fn cut(text: &str, mode: Mode) -> Result<Lexed, Fault> {
    let mut lexer = Lexer {
        text,
        chars: text.char_indices().peekable(),
        mode,
        lexed: Lexed::default(),
        copied: 0,
        inside: false,
        blank: false,
    };
    lexer.run()?;
    Ok(lexer.lexed)
}

struct Lexer<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
    mode: Mode,
    lexed: Lexed,
    /// Up to here the text is in `rewritten`.
    copied: usize,
    /// In a comment that runs.
    inside: bool,
    /// A blank or comment stood before the next token.
    blank: bool,
}

impl Lexer<'_> {
    fn run(&mut self) -> Result<(), Fault> {
        while let Some((at, c)) = self.chars.next() {
            match c {
                ' ' | '\t' | '\r' | '\n' | '\u{b}' | '\u{c}' => {
                    self.blank = true;
                    continue;
                }
                '#' => self.line_comment()?,
                '-' if self.peek() == Some('-') && self.begins_comment() => self.line_comment()?,
                '-' if self.mode.ascii_words && self.is_doubtful_comment() => {
                    return Err("two minuses before a character that may be a blank");
                }
                '/' if self.peek() == Some('*') => self.comment(at)?,
                '*' if self.inside && self.peek() == Some('/') => self.end_comment(at),
                _ => {
                    let token = self.token(at, c)?;
                    if self.continues_text(&token) {
                        return Err("a text in parts behind the name of a character set");
                    }
                    if self.lexed.tokens.len() == TOKENS_MAX {
                        return Err("so many words");
                    }
                    let end = self.at();
                    self.lexed.extents.push(at..end);
                    self.push(token);
                    continue;
                }
            }
            self.blank = true;
        }
        if self.inside {
            return Err("a comment without an end");
        }
        if let Some(rewritten) = &mut self.lexed.rewritten {
            rewritten.push_str(self.text.get(self.copied..).unwrap_or_default());
            // To the server, a comment is a text, and nothing is none.
            if rewritten.trim().is_empty() {
                rewritten.push_str("/* */");
            }
        }
        Ok(())
    }

    fn push(&mut self, token: Token) {
        let paren = matches!(token, Token::LParen);
        if let (true, true, false, Some(Token::Word(word))) =
            (paren, self.blank, self.mode.ignore_space, self.lexed.tokens.last())
            && TIGHT.contains(&word.value.to_ascii_lowercase().as_str())
        {
            self.lexed.spaced.push(word.value.to_ascii_lowercase());
        }
        self.blank = false;
        self.lexed.tokens.push(token);
    }

    fn peek(&mut self) -> Option<char> {
        self.chars.peek().map(|(_, c)| *c)
    }

    fn next_if(&mut self, c: char) -> bool {
        self.chars.next_if(|(_, next)| *next == c).is_some()
    }

    /// The place of the next character.
    fn at(&mut self) -> usize {
        self.chars.peek().map_or(self.text.len(), |(at, _)| *at)
    }

    /// Whether `--` is followed by what makes it a comment.
    fn begins_comment(&self) -> bool {
        let mut ahead = self.chars.clone();
        ahead.next();
        ahead.next().is_none_or(|(_, c)| c.is_ascii_whitespace() || c.is_ascii_control())
    }

    /// `--` and a character whose kind the character set decides.
    fn is_doubtful_comment(&self) -> bool {
        let mut ahead = self.chars.clone();
        ahead.next().is_some_and(|(_, c)| c == '-') && ahead.next().is_some_and(|(_, c)| !c.is_ascii())
    }

    fn line_comment(&mut self) -> Result<(), Fault> {
        while let Some((_, c)) = self.chars.next_if(|(_, c)| *c != '\n') {
            if c == '\0' {
                return Err("a NUL in a comment");
            }
        }
        Ok(())
    }

    /// A comment that begins at `at`; its star has not been taken.
    fn comment(&mut self, at: usize) -> Result<(), Fault> {
        self.chars.next();
        let rest = self.text.get(self.at()..).unwrap_or_default();
        let marked = if self.mode.mariadb { rest.strip_prefix("M!") } else { None };
        if self.inside {
            return Err("a comment inside another that runs");
        }
        let Some(inner) = rest.strip_prefix('!').or(marked) else { return self.skip_comment() };
        self.drop_text(at);
        let digits = self.version_digits(inner.as_bytes());
        let wanted: u32 = inner.get(..digits).and_then(|digits| digits.parse().ok()).unwrap_or(0);
        if self.runs(wanted, marked.is_some()) {
            let from = self.text.len() - inner.len() + digits;
            while self.chars.next_if(|(at, _)| *at < from).is_some() {}
            self.inside = true;
            self.blank = true;
            self.copied = from;
            self.pad();
            return Ok(());
        }
        // What does not run must hold nothing that could be read in two ways.
        if inner.split_once("*/").is_none_or(|(body, _)| body.contains("/*")) {
            return Err("a comment inside a comment");
        }
        self.skip_comment()?;
        self.copied = self.at();
        Ok(())
    }

    /// How many digits of a version stand there. MySQL takes a sixth only if a blank follows.
    fn version_digits(&self, bytes: &[u8]) -> usize {
        let blank = || bytes.get(6).is_some_and(|byte| matches!(byte, b' ' | 9..=13));
        match bytes.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count() {
            6 if self.mode.mariadb || blank() => 6,
            5 | 6 => 5,
            _ => 0,
        }
    }

    /// MariaDB passes over what is meant for MySQL from 5.7 on, unless it is marked as its own.
    const fn runs(&self, wanted: u32, marked: bool) -> bool {
        let others = self.mode.mariadb && !marked && wanted >= 50_700 && wanted <= 99_999;
        wanted <= self.mode.version && !others
    }

    fn skip_comment(&mut self) -> Result<(), Fault> {
        let from = self.at();
        let length =
            self.text.get(from..).and_then(|rest| rest.find("*/")).ok_or("a comment without an end")?;
        while self.chars.next_if(|(at, _)| *at < from + length + 2).is_some() {}
        Ok(())
    }

    fn end_comment(&mut self, at: usize) {
        self.chars.next();
        self.drop_text(at);
        self.copied = self.at();
        self.inside = false;
    }

    /// Copies the text up to `at`; what comes is left out.
    fn drop_text(&mut self, at: usize) {
        let before = self.text.get(self.copied..at).unwrap_or_default();
        self.lexed.rewritten.get_or_insert_default().push_str(before);
        self.pad();
    }

    fn pad(&mut self) {
        self.lexed.rewritten.get_or_insert_default().push(' ');
    }

    fn token(&mut self, at: usize, c: char) -> Result<Token, Fault> {
        let token = self.any_token(at, c)?;
        let text = self.text.get(at..self.at()).unwrap_or_default();
        let quoted = matches!(c, '\'' | '"' | '`' | '@' | 'x' | 'X' | 'b' | 'B' | 'n' | 'N')
            && text.contains(['\'', '"', '`']);
        if self.mode.ascii_words && !quoted && !text.is_ascii() {
            return Err("a letter outside of ASCII without quotes, in this character set");
        }
        Ok(token)
    }

    fn any_token(&mut self, at: usize, c: char) -> Result<Token, Fault> {
        Ok(match c {
            '\'' => self.string('\'')?,
            '"' if self.mode.ansi_quotes => word(&self.quoted('"')?),
            '"' => self.string('"')?,
            '`' => word(&self.quoted('`')?),
            '@' => self.variable(at)?,
            '0'..='9' => self.number(at)?,
            '.' if self.peek().is_some_and(|c| c.is_ascii_digit()) && !self.after_name() => {
                self.number(at)?
            }
            c if is_part(c) => self.plain(at)?,
            _ => self.operator(c)?,
        })
    }

    /// Whether a name stands right before, so that a point belongs to it.
    fn after_name(&self) -> bool {
        !self.blank && matches!(self.lexed.tokens.last(), Some(Token::Word(_)))
    }

    /// Text up to `quote`, of which two stand for one.
    fn quoted(&mut self, quote: char) -> Result<String, Fault> {
        let mut name = String::new();
        while let Some((_, c)) = self.chars.next() {
            if c == quote && !self.next_if(quote) {
                // Bytes that could not be read may be any, so that two names look like one.
                let unread = name.contains(['\0', char::REPLACEMENT_CHARACTER]);
                return if name.is_empty() || unread { Err("an impossible name") } else { Ok(name) };
            }
            name.push(c);
        }
        Err("a name without an end")
    }

    fn string(&mut self, quote: char) -> Result<Token, Fault> {
        let mut text = String::new();
        while let Some((_, c)) = self.chars.next() {
            if c == '\\' && !self.mode.no_backslash_escapes {
                let (_, escaped) = self.chars.next().ok_or("a string without an end")?;
                // Where a pattern may follow, the server keeps the backslash.
                if matches!(escaped, '%' | '_') {
                    text.push('\\');
                }
                text.push(unescape(escaped));
            } else if c == quote && !self.next_if(quote) {
                return Ok(Token::SingleQuotedString(text));
            } else {
                text.push(c);
            }
        }
        Err("a string without an end")
    }

    /// `@name`, `@'name'`, `@@name`.
    fn variable(&mut self, at: usize) -> Result<Token, Fault> {
        match self.peek() {
            Some(quote @ ('\'' | '"' | '`')) => {
                self.chars.next();
                let name = match quote {
                    '`' => self.quoted('`')?,
                    '"' if self.mode.ansi_quotes => self.quoted('"')?,
                    quote => match self.string(quote)? {
                        Token::SingleQuotedString(name) => name,
                        _ => return Err("an impossible name"),
                    },
                };
                Ok(Token::make_word(&format!("@{name}"), None))
            }
            _ => {
                self.next_if('@');
                while self.chars.next_if(|(_, c)| is_part(*c) || *c == '.').is_some() {}
                let name = self.text.get(at..self.at()).unwrap_or_default();
                // `@@global.x` and `@a.b` are one name here: no column is written so.
                Ok(Token::make_word(name, None))
            }
        }
    }

    /// A number, or a name that begins with a digit.
    fn number(&mut self, at: usize) -> Result<Token, Fault> {
        while self.chars.next_if(|(_, c)| is_part(*c)).is_some() {}
        let run = self.text.get(at..self.at()).unwrap_or_default();
        let digits = run.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if self.after_point() {
            return Ok(word(run));
        }
        if digits {
            if !run.starts_with('.') && self.next_if('.') {
                while self.chars.next_if(|(_, c)| is_part(*c)).is_some() {}
            }
            return self.rest_of_number(at);
        }
        let lower_x = |prefix: &str, digit: fn(&u8) -> bool| {
            run.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.as_bytes().iter().all(digit))
        };
        if lower_x("0x", u8::is_ascii_hexdigit) || lower_x("0b", |b| matches!(b, b'0' | b'1')) {
            return Ok(literal());
        }
        match run.split_once(['e', 'E']) {
            Some((mantissa, _)) if mantissa.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
                self.rest_of_number(at)
            }
            _ => Ok(word(run)),
        }
    }

    /// The exponent's sign and digits, if they follow; then all of it has to be a number.
    fn rest_of_number(&mut self, at: usize) -> Result<Token, Fault> {
        let run = self.text.get(at..self.at()).unwrap_or_default();
        if run.ends_with(['e', 'E']) && self.peek().is_some_and(|c| matches!(c, '+' | '-')) {
            self.chars.next();
            while self.chars.next_if(|(_, c)| is_part(*c)).is_some() {}
        }
        let run = self.text.get(at..self.at()).unwrap_or_default();
        let number = run.parse::<f64>().is_ok() && !run.ends_with(['e', 'E']);
        if number { Ok(Token::Number(run.to_owned(), false)) } else { Err("a number that is not one") }
    }

    fn after_point(&self) -> bool {
        !self.blank && matches!(self.lexed.tokens.last(), Some(Token::Period))
    }

    /// Whether a point and a part of a name follow at once: then a word before it is no keyword either.
    fn before_point(&self) -> bool {
        let mut ahead = self.chars.clone();
        ahead.next().is_some_and(|(_, c)| c == '.') && ahead.next().is_some_and(|(_, c)| is_part(c))
    }

    /// Whether a text goes on that stands behind the name of a character set: the server takes both for one.
    fn continues_text(&self, token: &Token) -> bool {
        matches!(
            (self.lexed.tokens.as_slice(), token),
            ([.., Token::Word(set), Token::SingleQuotedString(_)], Token::SingleQuotedString(_))
                if set.quote_style.is_none() && set.value.starts_with('_')
        )
    }

    /// A name or keyword without quotes, or the letter before a string.
    fn plain(&mut self, at: usize) -> Result<Token, Fault> {
        while self.chars.next_if(|(_, c)| is_part(*c)).is_some() {}
        let run = self.text.get(at..self.at()).unwrap_or_default();
        if self.after_point() || self.before_point() {
            return Ok(word(run));
        }
        if matches!(run, "x" | "X" | "b" | "B" | "n" | "N") && self.next_if('\'') {
            let end = self.string('\'')?;
            return Ok(if matches!(run, "n" | "N") { end } else { literal() });
        }
        Ok(Token::make_word(run, None))
    }

    fn operator(&mut self, c: char) -> Result<Token, Fault> {
        Ok(match c {
            ',' => Token::Comma,
            ';' => Token::SemiColon,
            '(' => Token::LParen,
            ')' => Token::RParen,
            '.' => Token::Period,
            '+' => Token::Plus,
            '*' => Token::Mul,
            '/' => Token::Div,
            '%' => Token::Mod,
            '^' => Token::Caret,
            '~' => Token::Tilde,
            '=' => Token::Eq,
            '?' => Token::Placeholder("?".to_owned()),
            ':' if self.next_if('=') => Token::Assignment,
            '-' if self.next_if('>') => {
                if self.next_if('>') {
                    Token::LongArrow
                } else {
                    Token::Arrow
                }
            }
            '-' => Token::Minus,
            '!' if self.next_if('=') => Token::Neq,
            '!' => Token::ExclamationMark,
            '&' if self.next_if('&') => Token::Overlap,
            '&' => Token::Ampersand,
            '|' if self.next_if('|') => Token::StringConcat,
            '|' => Token::Pipe,
            '>' if self.next_if('=') => Token::GtEq,
            '>' if self.next_if('>') => Token::ShiftRight,
            '>' => Token::Gt,
            '<' if self.next_if('>') => Token::Neq,
            '<' if self.next_if('<') => Token::ShiftLeft,
            '<' if self.next_if('=') => {
                if self.next_if('>') {
                    Token::Spaceship
                } else {
                    Token::LtEq
                }
            }
            '<' => Token::Lt,
            '\\' if self.next_if('N') => Token::make_word("NULL", None),
            _ => return Err("a character that no statement has there"),
        })
    }
}
