//! What clients are told when something goes wrong. Written by hand; facts, never data.

use veil_net::NetError;
use veil_net::scram::ScramError;
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
