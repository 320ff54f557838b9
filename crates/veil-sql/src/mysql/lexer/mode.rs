//! How a session's texts are read.

/// What changes the meaning of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mode {
    /// `"` quotes names.
    pub ansi_quotes: bool,
    /// `\` is a character like others.
    pub no_backslash_escapes: bool,
    /// `NOT` binds closer than comparisons.
    pub high_not: bool,
    /// Blanks may stand between any function's name and its arguments.
    pub ignore_space: bool,
    /// Another grammar altogether.
    pub oracle: bool,
    /// Outside of quotes there is ASCII only: what else is a blank or a letter is the character set's business.
    pub ascii_words: bool,
    /// The server is MariaDB.
    pub mariadb: bool,
    /// Version of the server, as 101119 or 90700.
    pub version: u32,
}

impl Mode {
    /// From `@@sql_mode` and `version()`.
    #[must_use]
    pub fn new(sql_mode: &str, version: &str) -> Self {
        let has = |name: &str| sql_mode.split(',').any(|mode| mode.eq_ignore_ascii_case(name));
        let mut numbers =
            version.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse::<u32>().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0).min(99);
        Self {
            ansi_quotes: has("ANSI_QUOTES"),
            no_backslash_escapes: has("NO_BACKSLASH_ESCAPES"),
            high_not: has("HIGH_NOT_PRECEDENCE"),
            ignore_space: has("IGNORE_SPACE"),
            oracle: has("ORACLE") || has("MSSQL"),
            ascii_words: false,
            mariadb: version.to_ascii_lowercase().contains("mariadb"),
            version: next() * 10_000 + next() * 100 + next(),
        }
    }
}
