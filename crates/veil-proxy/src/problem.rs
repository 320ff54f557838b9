//! What clients are told when something goes wrong. Written by hand; facts, never data.

use veil_net::NetError;
use veil_net::scram::ScramError;
use veil_wire::mysql::frame;
use veil_wire::mysql::reply::{ERR, Error};
use veil_wire::pg::reply::Report;

/// An error for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// SQLSTATE.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do; may be empty.
    pub hint: &'static str,
}

impl Problem {
    pub(crate) fn new(code: &'static str, message: impl Into<String>, hint: &'static str) -> Self {
        Self { code, message: message.into(), hint }
    }

    /// A message that breaks the protocol.
    pub(crate) fn protocol(what: impl std::fmt::Display) -> Self {
        Self::new("08P01", format!("protocol violation: {what}"), "")
    }

    /// The error that ends a session.
    pub(crate) fn fatal(&self) -> Vec<u8> {
        let mut out = Vec::new();
        Report { severity: "FATAL", code: self.code, message: &self.message, hint: self.hint }
            .write_error(&mut out);
        out
    }
}

/// MySQL's numbers and SQLSTATEs for PostgreSQL's SQLSTATEs.
const MYSQL: [(&str, u16, &[u8]); 18] = [
    ("08004", 1040, b"08004"),
    ("08006", 2003, b"HY000"),
    ("08P01", 1835, b"HY000"),
    ("0A000", 1235, b"42000"),
    // A command of the protocol that is not done.
    ("0A001", 1047, b"08S01"),
    ("22023", 1411, b"HY000"),
    ("28000", 1045, b"28000"),
    ("28P01", 1045, b"28000"),
    ("3D000", 1049, b"42000"),
    ("26000", 1243, b"HY000"),
    ("42501", 1227, b"42000"),
    ("42601", 1064, b"42000"),
    ("54000", 1153, b"08S01"),
    ("53300", 1040, b"08004"),
    ("57014", 3024, b"HY000"),
    ("57P01", 1053, b"08S01"),
    ("57P05", 4031, b"HY000"),
    ("25P03", 4031, b"HY000"),
];

impl Problem {
    /// The same as an error packet of MySQL's with this number in its conversation.
    pub(crate) fn mysql(&self, sequence: u8) -> Vec<u8> {
        let (number, state, text) = self.in_mysql();
        let mut out = Vec::new();
        frame::write(&mut out, &mut { sequence }, |out| {
            Error { number, state, message: text.as_bytes() }.put(out);
        });
        out
    }

    /// The same in place of a greeting, where no SQLSTATE has been agreed on.
    pub(crate) fn mysql_greeting(&self) -> Vec<u8> {
        let (number, _, text) = self.in_mysql();
        let mut out = Vec::new();
        frame::write(&mut out, &mut 0, |out| {
            out.push(ERR);
            out.extend(number.to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        });
        out
    }

    /// Number, SQLSTATE and message.
    fn in_mysql(&self) -> (u16, &'static [u8], String) {
        let known = MYSQL.iter().find(|(code, ..)| *code == self.code);
        let (number, state) = known.map_or((1105, &b"HY000"[..]), |(_, number, state)| (*number, *state));
        let dot = if self.hint.is_empty() { "" } else { ". " };
        (number, state, format!("{}{dot}{}", self.message, self.hint))
    }
}

const HINT_VERIFIER: &str = "Copy the user's verifier from the server's pg_authid.rolpassword, or give the user an \"upstream\" login.";
const HINT_METHOD: &str =
    "Give the user an \"upstream\" login with a password, or change the server's pg_hba.conf.";

impl From<veil_wire::Malformed> for Problem {
    fn from(what: veil_wire::Malformed) -> Self {
        Self::protocol(what)
    }
}

impl From<NetError> for Problem {
    fn from(error: NetError) -> Self {
        let text = error.to_string();
        match error {
            NetError::Malformed(what) => Self::protocol(what),
            NetError::Scram(ScramError::Proof) => Self::new("28P01", text, ""),
            NetError::Scram(ScramError::Malformed) => Self::protocol(text),
            NetError::Scram(ScramError::OtherVerifier) => Self::new("28000", text, HINT_VERIFIER),
            NetError::Scram(_) => Self::new("28000", text, ""),
            NetError::Method(_) => Self::new("28000", text, HINT_METHOD),
            NetError::Refused(_) => Self::new("28000", text, HINT_VERIFIER),
            NetError::Unreachable { .. } => Self::new(
                "08006",
                text,
                "Check that the server runs and that its address in \"upstream\" is right.",
            ),
            NetError::CircuitOpen { .. } => {
                Self::new("08006", text, "It is tried again within half a minute; see /health.")
            }
            NetError::NoTls { .. } => Self::new(
                "08006",
                text,
                "Switch TLS on at the server, or write sslmode=disable into \"upstream\".",
            ),
            NetError::Io(_) | NetError::Closed => {
                Self::new("08006", format!("the connection to the database failed: {text}"), "")
            }
            NetError::TlsConfig { .. } => Self::new("58000", text, ""),
        }
    }
}
