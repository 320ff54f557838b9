//! Texts without their values, for logs, the audit and traces.
//!
//! Decision: one scanner for all servers and settings, which reads too little rather than too much. What may be a literal under any of them is `?`, and where they
//! differ on where one ends, nothing behind it is shown.

use std::iter::Peekable;
use std::str::CharIndices;

/// A text as it may be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Normal {
    /// Without literals and comments; cut where it is long.
    pub text: String,
    /// Its first word in capitals, where that is a statement's.
    pub operation: &'static str,
    /// Where it stands in a trace, as comments of a client's library say (sqlcommenter): the version, two ids and flags.
    pub traceparent: Option<String>,
}

/// Characters that are shown of a text.
const SHOWN_MAX: usize = 2000;
/// Bytes that are read of a text.
const READ_MAX: usize = 64 << 10;
/// Servers' names are shorter.
const NAME_MAX: usize = 65;
/// Stands for what is not shown.
const HIDDEN: char = '?';

/// What statements begin with.
const OPERATIONS: [&str; 43] = [
    "ALTER",
    "ANALYZE",
    "BEGIN",
    "CALL",
    "CHECKPOINT",
    "CLOSE",
    "COMMENT",
    "COMMIT",
    "COPY",
    "CREATE",
    "DEALLOCATE",
    "DECLARE",
    "DELETE",
    "DESCRIBE",
    "DISCARD",
    "DO",
    "DROP",
    "EXECUTE",
    "EXPLAIN",
    "FETCH",
    "GRANT",
    "INSERT",
    "KILL",
    "LISTEN",
    "LOAD",
    "LOCK",
    "MERGE",
    "NOTIFY",
    "OPTIMIZE",
    "PREPARE",
    "REFRESH",
    "RELEASE",
    "RENAME",
    "REPLACE",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SELECT",
    "SET",
    "SHOW",
    "START",
    "TRUNCATE",
    "UPDATE",
];
/// Those that begin otherwise.
const OTHER_OPERATIONS: [&str; 8] = ["DESC", "RESET", "TABLE", "UNLOCK", "USE", "VACUUM", "VALUES", "WITH"];

/// The text as it may be shown; in `double_quotes` stand names, else literals.
#[must_use]
pub fn normal(text: &str, double_quotes: bool) -> Normal {
    let (shorter, cut) = match text.len() {
        0..=READ_MAX => (text, false),
        _ => (text.get(..text.floor_char_boundary(READ_MAX)).unwrap_or_default(), true),
    };
    let mut scanner = Scanner {
        text: shorter,
        rest: shorter.char_indices().peekable(),
        out: Out::default(),
        traceparent: None,
    };
    while scanner.out.length < SHOWN_MAX {
        match scanner.step(double_quotes) {
            Some(true) => {}
            Some(false) => break,
            None => {
                scanner.out.put_literal();
                scanner.out.word(" ...");
                break;
            }
        }
    }
    let Scanner { out, traceparent, .. } = scanner;
    let mut text = out.text;
    if cut || out.length >= SHOWN_MAX {
        text.push_str(" ...");
    }
    text.truncate(text.floor_char_boundary(SHOWN_MAX * 2));
    let operation = operation(&text);
    Normal { text, operation, traceparent }
}

fn operation(text: &str) -> &'static str {
    let word =
        text.trim_start_matches('(').split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    let known = OPERATIONS.iter().chain(&OTHER_OPERATIONS).find(|known| known.eq_ignore_ascii_case(word));
    known.copied().unwrap_or("OTHER")
}

/// What is shown.
#[derive(Default)]
struct Out {
    text: String,
    length: usize,
    /// White space or a comment has been passed over.
    gap: bool,
    /// A statement has begun; and it is SET.
    began: bool,
    sets: bool,
    /// What comes is not shown.
    hiding: bool,
}

impl Out {
    /// What SET sets something to may be words.
    fn sign(&mut self, c: char) {
        let mut buffer = [0; 4];
        match c {
            ';' => {
                self.gap &= !std::mem::take(&mut self.hiding);
                self.word(";");
                self.began = false;
            }
            '=' if self.sets => {
                self.word("=");
                self.hide();
            }
            c => self.word(c.encode_utf8(&mut buffer)),
        }
    }

    /// Shows nothing up to the end of the statement.
    fn hide(&mut self) {
        self.word(" ?");
        self.hiding = true;
    }

    fn word(&mut self, word: &str) {
        if self.hiding {
            return;
        }
        if !std::mem::replace(&mut self.began, true) {
            self.sets = word.eq_ignore_ascii_case("set");
        }
        if std::mem::take(&mut self.gap) && !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(word);
        self.length += word.chars().count() + 1;
    }

    /// A literal; lists of them are one.
    fn put_literal(&mut self) {
        if self.hiding {
            return;
        }
        if let Some(list) =
            self.text.strip_suffix(',').map(str::trim_end).filter(|list| list.ends_with(HIDDEN))
        {
            let length = list.len();
            self.text.truncate(length);
            self.gap = false;
            return;
        }
        // A sign, or the introducer of a character set, may stand before it.
        self.word("?");
    }
}

/// Whether a character is one of words. All that is not ASCII is, for the servers.
fn is_word(c: char, double_quotes: bool) -> bool {
    c.is_ascii_alphanumeric()
        || c == '_'
        || (!c.is_ascii() && c != char::REPLACEMENT_CHARACTER)
        || (c == '@' && !double_quotes)
}

/// Whether the second byte of a character may be this one, in GBK, SJIS or Big5, and a sign of its own otherwise.
const fn is_trail(c: char) -> bool {
    matches!(c, '@' | '['..='^' | '`' | '{'..='~')
}

/// Whether a name looks like one; what does not may be made of values.
#[must_use]
pub fn is_name(name: &str) -> bool {
    name.len() < NAME_MAX && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | ' '))
}

/// Where a scan is.
struct Scanner<'a> {
    text: &'a str,
    rest: Peekable<CharIndices<'a>>,
    out: Out,
    traceparent: Option<String>,
}

impl<'a> Scanner<'a> {
    /// Takes one word; false at the end, `None` where it cannot be told what is a literal from here on.
    fn step(&mut self, double_quotes: bool) -> Option<bool> {
        let Some((at, c)) = self.rest.next() else { return Some(false) };
        // In other character sets it may be a part of what stands before it.
        if is_trail(c) && self.is_behind_wide(at) {
            return None;
        }
        match c {
            c if c.is_ascii_whitespace() || c == '\u{b}' => self.out.gap = true,
            // Bytes that are no UTF-8 may end anything.
            char::REPLACEMENT_CHARACTER => return None,
            '-' if self.next_is('-') && (double_quotes || self.is_spaced()) => {
                self.line_comment(at, double_quotes)
            }
            '#' if !double_quotes => self.line_comment(at, double_quotes),
            '/' if self.next_is('*') => self.block_comment(at)?,
            '\'' => self.literal('\'')?,
            '"' if !double_quotes => self.literal('"')?,
            '"' => self.name(at, c)?,
            '`' if !double_quotes => self.name(at, c)?,
            '$' if self.next_is_digit() => {
                let from = at;
                let end = self.skip_while(|c| c.is_ascii_digit());
                self.word(from, end);
            }
            '$' if double_quotes => self.dollar(at)?,
            // Texts of other languages stand between two of them in MySQL 9; names begin with one in older ones.
            '$' => return None,
            c if c.is_ascii_digit() || (c == '.' && self.next_is_digit()) => {
                // With signs of exponents: too much rather than too little.
                self.skip_while(|c| is_word(c, true) || c == '.');
                while matches!(self.rest.peek(), Some((at, '+' | '-'))
                    if self.text.get(..*at).is_some_and(|before| before.ends_with(['e', 'E'])))
                {
                    self.rest.next();
                    self.skip_while(|c| is_word(c, true));
                }
                self.out.put_literal();
            }
            c if is_word(c, double_quotes) => {
                let end = self.skip_while(|c| is_word(c, double_quotes) || c == '$');
                let behind = self.text.get(end..).unwrap_or_default();
                // E'', N'', B'', X'', U&'', _utf8'': the literal says it all.
                if !behind.starts_with('\'') && !behind.starts_with("&'") {
                    self.word(at, end);
                    if self.out.sets
                        && self.text.get(at..end).is_some_and(|word| word.eq_ignore_ascii_case("to"))
                    {
                        self.out.hide();
                    }
                }
            }
            '&' if self.next_is('\'') => {}
            c => {
                self.out.sign(c);
            }
        }
        Some(true)
    }

    fn word(&mut self, from: usize, end: usize) {
        self.out.word(self.text.get(from..end).unwrap_or_default());
    }

    fn next_is(&mut self, wanted: char) -> bool {
        self.rest.peek().is_some_and(|(_, c)| *c == wanted)
    }

    fn next_is_digit(&mut self) -> bool {
        self.rest.peek().is_some_and(|(_, c)| c.is_ascii_digit())
    }

    /// Whether what stands before is more than one byte long.
    fn is_behind_wide(&self, at: usize) -> bool {
        self.text.get(..at).and_then(|before| before.chars().next_back()).is_some_and(|c| !c.is_ascii())
    }

    /// Whether two dashes are a comment for MySQL, too: white space stands behind them.
    fn is_spaced(&self) -> bool {
        let mut rest = self.rest.clone();
        rest.next();
        rest.next().is_none_or(|(_, c)| c.is_ascii_whitespace() || c.is_ascii_control())
    }

    /// Passes over characters; returns where the next one is.
    fn skip_while(&mut self, belongs: impl Fn(char) -> bool) -> usize {
        while self.rest.next_if(|(_, c)| belongs(*c)).is_some() {}
        self.rest.peek().map_or(self.text.len(), |(at, _)| *at)
    }

    fn line_comment(&mut self, from: usize, double_quotes: bool) {
        let end = self.skip_while(|c| c != '\n' && (c != '\r' || !double_quotes));
        self.comment(from, end);
    }

    /// A comment in which others may stand. MySQL runs what stands in some, and ends all at the first mark.
    fn block_comment(&mut self, from: usize) -> Option<()> {
        self.rest.next();
        if matches!(self.rest.peek(), Some((_, '!' | 'M'))) {
            return None;
        }
        let mut before = ' ';
        loop {
            let (at, c) = self.rest.next()?;
            match (before, c) {
                ('*', '/') => {
                    self.comment(from, at);
                    return Some(());
                }
                ('/', '*') => return None,
                _ => before = c,
            }
        }
    }

    /// What a client's library says of the trace.
    fn comment(&mut self, from: usize, end: usize) {
        self.out.gap = true;
        let Some((_, said)) = self.text.get(from..end).and_then(|text| text.split_once("traceparent='"))
        else {
            return;
        };
        let Some((said, _)) = said.split_once('\'') else { return };
        let fits = said.len() == 55 && said.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f' | '-'));
        self.traceparent = fits.then(|| said.to_owned()).or(self.traceparent.take());
    }

    /// What is in quotes, which stand twice where they are meant.
    fn literal(&mut self, quote: char) -> Option<()> {
        let mut backslashes = 0_usize;
        loop {
            let (_, c) = self.rest.next()?;
            match c {
                c if c == quote => {
                    // Whether that is the end depends on settings.
                    if backslashes > 0 {
                        return None;
                    }
                    if self.rest.next_if(|(_, c)| *c == quote).is_none() {
                        break;
                    }
                }
                '\\' => {
                    backslashes += 1;
                    continue;
                }
                _ => {}
            }
            backslashes = 0;
        }
        self.out.put_literal();
        Some(())
    }

    fn name(&mut self, from: usize, quote: char) -> Option<()> {
        loop {
            let (at, c) = self.rest.next()?;
            if c == char::REPLACEMENT_CHARACTER || (is_trail(c) && self.is_behind_wide(at)) {
                return None;
            }
            if c == quote && self.rest.next_if(|(_, c)| *c == quote).is_none() {
                let name = self.text.get(from + 1..at).unwrap_or_default();
                let fits = is_name(name);
                self.out.word(if fits { self.text.get(from..=at).unwrap_or_default() } else { "\"?\"" });
                return Some(());
            }
        }
    }

    /// `$tag$ ... $tag$`.
    fn dollar(&mut self, from: usize) -> Option<()> {
        let end = self.skip_while(|c| is_word(c, true));
        if !self.next_is('$') {
            self.word(from, end);
            return Some(());
        }
        let tag = self.text.get(from..=end)?;
        let inside = self.text.get(end + 1..)?;
        let behind = end + 1 + inside.find(tag)? + tag.len();
        while self.rest.next_if(|(at, _)| *at < behind).is_some() {}
        self.out.put_literal();
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(double_quotes: bool, cases: &[(&str, &str)]) {
        for (text, shown) in cases {
            assert_eq!(normal(text, double_quotes).text, *shown, "{text}");
        }
    }

    #[test]
    fn literals_are_not_shown() {
        check(
            true,
            &[
                ("select  *\nfrom t -- a@b.c\n where x = 'a@b.c'", "select * from t where x = ?"),
                ("select 'it''s', 1.5e-3, 0xff, -7, x from t1", "select ?, -?, x from t1"),
                ("select * from t where id in (1, 2,3 , 4)", "select * from t where id in (?)"),
                ("insert into t values ($1, $2), (E'a', U&'b')", "insert into t values ($1, $2), (?)"),
                ("select $$secret$$, $x$ a $$ b $x$", "select ?"),
                (r#"select "My Name", "a@b.c" from "t""t""#, r#"select "My Name", "?" from "?""#),
                ("select /* a@b.c */ 1", "select ?"),
                ("select 'not ended", "select ? ..."),
                (r"select 'a\' or secret = 'x' from t", "select ? ..."),
                (r"select 'c:\dir' from t", "select ? from t"),
                (r"select E'a\\' from secret", "select ? ..."),
                ("select /* a /* secret */ secret */ 1", "select ? ..."),
                ("select 1a1, 1e+5 from t", "select ? from t"),
                ("select $$never ended", "select ? ..."),
                ("select 1; select 'x'", "select ?; select ?"),
                ("set my.x to secret; select secrets", "set my.x to ?; select secrets"),
                ("SET a = secret, b = 'x;y' secret", "SET a = ?"),
                ("update t set a = b", "update t set a = b"),
                ("select 1 as 你@$$ , '$$ secret $$'", "select ? as 你? ..."),
                ("select @@$$secret$$, x<@$t$secret$t$", "select @@?, x<@?"),
                ("select @4111111111111111", "select @?"),
                ("select 1 --x\r, 'a\nsecret'", "select ?"),
                ("select $😀$ secret $😀$, 😀$$ , 'a$$ secret'", "select ?, 😀$$ , ?"),
                ("select a\u{a0}$$ from t where x = 'a$$ secret'", "select a\u{a0}$$ from t where x = ?"),
                ("select 1 ` 2, 'a ` secret', 3", "select ? ` ?"),
            ],
        );
        check(
            false,
            &[
                (r#"select "secret", `a b` from t # secret"#, "select ?, `a b` from t"),
                ("select _utf8mb4'x', x'00', @v := 5", "select ?, @v := ?"),
                ("select /*!40000 secret */ 1", "select ? ..."),
                ("select 'a' 'b'", "select ? ?"),
                ("select 1--'a\nsecret'", "select ?--?"),
                ("select 1 -- 'a\n, x", "select ? , x"),
                ("select \u{fffd}`secret`", "select ? ..."),
                ("select 1 as `a\u{fffd}` `, '` secret ` '", "select ? as ? ..."),
                ("select 1 as `a倁` `, '` secret ` '", "select ? as ? ..."),
                ("select 1 as 倁` , '` , secret , `'", "select ? as 倁? ..."),
                (
                    "create function f() language javascript as $$ secret $$",
                    "create function f() language javascript as ? ...",
                ),
                ("select id # \r ' \n where id=1 or 'secret ' = 'b'", "select id where id=? or ? = ?"),
            ],
        );
    }

    #[test]
    fn long_texts_are_cut() {
        let long = format!("select {}", "abcdefgh, ".repeat(10_000));
        let shown = normal(&long, true).text;
        assert!(shown.len() < SHOWN_MAX + 20 && shown.ends_with(" ..."), "{}", shown.len());
        let list = format!("select * from t where id in ({})", "1,".repeat(40_000));
        assert_eq!(normal(&list, true).text, "select * from t where id in (?, ...");
    }

    #[test]
    fn operations_and_traces_are_known() {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let text = format!("Select 1 /*action='x',traceparent='{trace}'*/");
        let normal = normal(&text, true);
        assert_eq!((normal.operation, normal.traceparent.as_deref()), ("SELECT", Some(trace)));
        assert_eq!(super::normal("(select 1)", true).operation, "SELECT");
        assert_eq!(super::normal("secret", true).operation, "OTHER");
        assert_eq!(super::normal("/*traceparent='evil<script>'*/ x", true).traceparent, None);
    }
}
