//! What statements leave behind in the session that runs them, beyond their transaction: whoever gives
//! connections to clients by turns has to carry it over, or to leave the client where it is.

/// What a statement leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// It leaves something that cannot be carried over.
    pub keeps: Option<Keeps>,
    /// It changes a setting.
    pub change: Option<Change>,
}

/// Why a client has to stay on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// LISTEN.
    Listen,
    /// A cursor WITH HOLD.
    HeldCursor,
    /// A temporary table or another object.
    Temporary,
    /// A lock until the end of the session.
    AdvisoryLock,
    /// A statement prepared by SQL.
    Prepared,
    /// A setting that cannot be repeated.
    Setting,
    /// What sequences gave last.
    Sequence,
    /// Code that may do any of this.
    Code,
    /// A text that is not understood.
    Unknown,
}

/// A change of settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// One gets a value.
    Set {
        /// Its name, in small letters.
        name: String,
        /// SQL that does it again.
        text: Box<str>,
    },
    /// One gets its default.
    Reset {
        /// Its name, in small letters.
        name: String,
    },
    /// All get their defaults.
    ResetAll,
}

impl Effect {
    /// That of a statement that is not understood.
    #[must_use]
    pub const fn unknown() -> Self {
        Self { keeps: Some(Keeps::Unknown), change: None }
    }
}

impl Keeps {
    /// As metrics and lists have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::HeldCursor => "held_cursor",
            Self::Temporary => "temporary",
            Self::AdvisoryLock => "advisory_lock",
            Self::Prepared => "prepared",
            Self::Setting => "setting",
            Self::Sequence => "sequence",
            Self::Code => "code",
            Self::Unknown => "unknown",
        }
    }
}

/// SQL that gives a setting a value, whatever both are.
#[must_use]
pub fn set_config(name: &str, value: &str) -> String {
    format!("SELECT pg_catalog.set_config({}, {}, false)", literal(name), literal(value))
}

/// A literal that no setting changes the meaning of.
fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    match text.contains('\\') {
        true => format!("E'{}'", quoted.replace('\\', "\\\\")),
        false => format!("'{quoted}'"),
    }
}

/// Words that a text of a plain statement has to contain to leave something behind.
const WORDS: [&[u8]; 18] = [
    b"replication_slot",
    b"backup",
    b"temp",
    b"advisory",
    b"hold",
    b"set_config",
    b"currval",
    b"lastval",
    b"setseed",
    b"dblink",
    b"_to_xml",
    b"ts_stat",
    b"ts_rewrite",
    b"origin_session",
    b"u&",
    b";",
    b"/*",
    b"--",
];
/// Statements that leave nothing behind but by what these words name.
const PLAIN: [&[u8]; 13] = [
    b"select",
    b"insert",
    b"update",
    b"delete",
    b"with",
    b"values",
    b"table",
    b"begin",
    b"commit",
    b"rollback",
    b"start",
    b"end",
    b"fetch",
];

/// Whether a text leaves nothing behind for sure, without reading its grammar.
#[must_use]
pub fn is_plain(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let text = text.strip_suffix(b";").unwrap_or(text);
    let word = text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let first = text.get(..word).unwrap_or_default();
    if !PLAIN.iter().any(|plain| plain.eq_ignore_ascii_case(first)) {
        return false;
    }
    // One pass: words are looked for only where one may begin.
    !text.iter().enumerate().any(|(at, byte)| {
        let byte = byte.to_ascii_lowercase();
        matches!(
            byte,
            b't' | b'a'
                | b'b'
                | b'r'
                | b'h'
                | b's'
                | b'c'
                | b'l'
                | b'd'
                | b'_'
                | b'o'
                | b'u'
                | b';'
                | b'/'
                | b'-'
        ) && WORDS.iter().any(|word| {
            word.first() == Some(&byte)
                && text.get(at..at + word.len()).is_some_and(|here| here.eq_ignore_ascii_case(word))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyse::analyse;

    fn effect(text: &str) -> Effect {
        analyse(text).unwrap()[0].effect.clone()
    }

    #[test]
    fn what_binds_a_client_to_its_connection() {
        for (text, keeps) in [
            ("LISTEN a", Keeps::Listen),
            ("EXPLAIN ANALYZE CREATE TEMP TABLE a AS SELECT 1", Keeps::Temporary),
            ("EXPLAIN ANALYZE SELECT pg_advisory_lock(1)", Keeps::AdvisoryLock),
            ("SET LOCAL search_path TO pg_temp", Keeps::Temporary),
            ("SET search_path TO pg_temp, public", Keeps::Temporary),
            ("SET LOCAL search_path = E'pg\\x5ftemp'", Keeps::Temporary),
            ("SELECT set_config('search_path', $1, true)", Keeps::Temporary),
            ("SELECT set_config($1, $2, true)", Keeps::Temporary),
            ("COPY (SELECT set_config('a.b', 'c', false)) TO '/tmp/x'", Keeps::Code),
            ("SELECT set_config('search_path', 'pg_temp', true)", Keeps::Temporary),
            ("SELECT pg_create_logical_replication_slot('a', 'b', true)", Keeps::Temporary),
            ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", Keeps::HeldCursor),
            ("CREATE TEMP TABLE a (b int)", Keeps::Temporary),
            ("CREATE TEMP TABLE a AS SELECT 1", Keeps::Temporary),
            ("SELECT 1 INTO TEMP a", Keeps::Temporary),
            ("CREATE TEMP VIEW v AS SELECT 1", Keeps::Temporary),
            ("CREATE TEMP SEQUENCE s", Keeps::Temporary),
            ("CREATE TABLE pg_temp.a (b int)", Keeps::Temporary),
            ("CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", Keeps::Temporary),
            ("SELECT pg_catalog.PG_ADVISORY_LOCK(1)", Keeps::AdvisoryLock),
            ("SELECT 1 WHERE pg_try_advisory_lock_shared(1)", Keeps::AdvisoryLock),
            ("PREPARE a AS SELECT 1", Keeps::Prepared),
            ("SELECT set_config('a.b', $2, false)", Keeps::Setting),
            ("SELECT set_config('a.b', 'c', false), 1", Keeps::Setting),
            ("SELECT set_config('a.b', 'c', false) FROM t", Keeps::Setting),
            ("SET SESSION AUTHORIZATION a", Keeps::Setting),
            ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", Keeps::Setting),
            ("SELECT lastval()", Keeps::Sequence),
            ("DO 'BEGIN END'", Keeps::Code),
            ("CALL f()", Keeps::Code),
            ("LOAD 'a'", Keeps::Code),
        ] {
            assert_eq!(effect(text).keeps, Some(keeps), "{text}");
            assert!(!is_plain(text.as_bytes()) || keeps == Keeps::Code, "{text}");
        }
    }

    #[test]
    fn what_leaves_nothing_behind() {
        for text in [
            "SELECT pg_advisory_xact_lock(1)",
            "SELECT set_config('a.b', $1, true)",
            "SET LOCAL a.b = 'c'",
            "SET TRANSACTION READ ONLY",
            "SET transaction_isolation TO serializable",
            "DECLARE c CURSOR FOR SELECT 1",
            "CREATE TABLE a (b int)",
            "INSERT INTO a VALUES (1)",
            "BEGIN",
            "UNLISTEN a",
            "EXPLAIN SELECT 1",
        ] {
            assert_eq!(effect(text), Effect::default(), "{text}");
        }
    }

    #[test]
    fn settings_that_can_be_repeated() {
        let set = |name: &str, text: &str| Some(Change::Set { name: name.to_owned(), text: text.into() });
        for (text, change) in [
            ("SET Statement_Timeout = 5", set("statement_timeout", "SET statement_timeout TO 5")),
            ("SET search_path = a, \"B c\"", set("search_path", "SET search_path TO a, \"B c\"")),
            ("SET SESSION ROLE 'x'", set("role", "SET role TO x")),
            (
                "select set_config('My.Own', 'it''s \\', false)",
                set("my.own", "SELECT pg_catalog.set_config('my.own', E'it''s \\\\', false)"),
            ),
            ("SET transaction_timeout TO 1", set("transaction_timeout", "SET transaction_timeout TO 1")),
            ("RESET ROLE", Some(Change::Reset { name: "role".to_owned() })),
            ("SET a.b TO DEFAULT", Some(Change::Reset { name: "a.b".to_owned() })),
            ("RESET ALL", Some(Change::ResetAll)),
        ] {
            assert_eq!(effect(text), Effect { keeps: None, change }, "{text}");
        }
    }

    #[test]
    fn plain_texts_are_told_without_their_grammar() {
        for text in
            ["SELECT abalance FROM accounts WHERE aid = 5", " begin; ", "UPDATE a SET b = 1 WHERE c = 2;"]
        {
            assert!(is_plain(text.as_bytes()), "{text}");
        }
        for text in [
            "SET a = 1",
            "SELECT 1; SET a = 1",
            "/**/SET a = 1",
            "SELECT U&\"\\0066\"()",
            "select LASTVAL()",
            "",
        ] {
            assert!(!is_plain(text.as_bytes()), "{text}");
        }
    }
}
