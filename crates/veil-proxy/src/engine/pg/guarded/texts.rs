//! Errors and notices.

use veil_policy::labels::Standing;
use veil_sql::{Kind, QualifiedName};
use veil_wire::pg::reply::{self, Report};
use veil_wire::pg::session::Expected;

use super::server::Pass;
use super::{CopyState, Guarded, Prepared};
use crate::engine::pg::scrub;
use crate::out::Out;
use crate::problem::Problem;

/// SQLSTATE of the error that a refused statement's stand-in causes.
const SYNTAX_ERROR: &[u8] = b"42601";

impl Guarded {
    /// ErrorResponse: the refusal instead of the stand-in's error, or the error itself, scrubbed if need be.
    pub(super) fn error(&mut self, body: &[u8], input: &[u8], down: &mut Out) -> Result<Pass, Problem> {
        let fields = reply::decode_error(body)?;
        self.ending |= is_fatal(&fields);
        let (hidden, refusal, scrubbed) = match self.session.head() {
            None => (false, None, !is_fatal(&fields)),
            Some(entry) => (entry.hidden, head_refusal(&entry.expected), self.head_scrubs()),
        };
        let told = refusal.as_ref().filter(|_| fields.field(b'C') == Some(SYNTAX_ERROR));
        let code = match told {
            Some(refusal) => refusal.code.to_owned(),
            None => String::from_utf8_lossy(fields.field(b'C').unwrap_or_default()).into_owned(),
        };
        if let Some((statement, began)) = self.head_told() {
            self.tell(Some(&statement), began, 0, Some((code, told.is_some())));
        }
        (self.rows, self.copying_out, self.sent) = (None, None, 0);
        let behind_execute = matches!(self.session.head().map(|e| &e.expected), Some(Expected::Execute(_)));
        self.owes_sync = self.copy == CopyState::In && behind_execute && self.kept_sync;
        self.session.fail();
        self.settle_copy();
        if hidden && self.reading.is_some() && !is_fatal(&fields) {
            // The catalog could not be read. ReadyForQuery follows and ends the attempt.
            return Ok(Pass::Swallow);
        }
        match refusal.filter(|_| fields.field(b'C') == Some(SYNTAX_ERROR)) {
            Some(refusal) => {
                let message = refusal.message.as_str();
                Report { severity: "ERROR", code: refusal.code, message, hint: refusal.hint }
                    .write_error(down.owned(input));
                Ok(Pass::Swallow)
            }
            None => Ok(self.told(b'E', &fields, scrubbed, input, down)),
        }
    }

    pub(super) fn notice(&self, body: &[u8], input: &[u8], down: &mut Out) -> Result<Pass, Problem> {
        if self.head_is_hidden() {
            return Ok(Pass::Swallow);
        }
        let fields = reply::decode_error(body)?;
        let scrubbed = self.session.head().is_none() || self.head_scrubs();
        Ok(self.told(b'N', &fields, scrubbed, input, down))
    }

    /// Shows an error or notice, or what may be shown of it.
    fn told(
        &self,
        tag: u8,
        fields: &reply::ErrorFields<'_>,
        scrubbed: bool,
        input: &[u8],
        down: &mut Out,
    ) -> Pass {
        // What is for the server's log quotes texts and parameters as the server has them.
        if self.judge.observes() {
            return Pass::Forward;
        }
        match self.shows(fields, scrubbed) && !scrub::is_log(fields) {
            true => {
                let (placed, scan) = (!self.head_is_rewritten(), self.labels().scan());
                if placed && scan.is_none() {
                    return Pass::Forward;
                }
                scrub::write_shown(tag, fields, placed, scan.as_ref(), down.owned(input));
            }
            false => scrub::write(tag, fields, down.owned(input)),
        }
        Pass::Swallow
    }

    /// Whether the server has another text than the client's.
    fn head_is_rewritten(&self) -> bool {
        match self.session.head().map(|entry| &entry.expected) {
            Some(Expected::Query { statements, .. }) => {
                statements.iter().any(|statement| statement.is_rewritten())
            }
            Some(Expected::Parse { statement, .. }) => statement.is_rewritten(),
            _ => self.head_statement().is_some_and(|statement| statement.is_rewritten()),
        }
    }

    /// Whether texts of errors may quote data. A constraint that is checked at the end of a simple query may be
    /// that of any statement in it.
    fn head_scrubs(&self) -> bool {
        match self.session.head().map(|entry| &entry.expected) {
            // Nothing has run yet: these speak of the text alone, which is the client's own.
            Some(Expected::Parse { statement, .. }) => statement.is_rewritten(),
            Some(Expected::Describe(_)) => {
                self.head_statement().is_none_or(|statement| statement.is_rewritten())
            }
            Some(Expected::Close(_)) => false,
            Some(Expected::Query { statements, .. }) => {
                statements.iter().any(|statement| self.run_resolved(statement).scrub)
            }
            _ => self.head_statement().is_none_or(|statement| self.run_resolved(&statement).scrub),
        }
    }

    /// Whether what runs may compute with rows.
    fn head_reads(&self) -> bool {
        let plain = |statement: &Prepared| match statement.statement.as_deref().map(|s| &s.kind) {
            Some(kind) => matches!(
                kind,
                Kind::Session | Kind::Deallocate { .. } | Kind::Close { .. } | Kind::DiscardAll
            ),
            None => false,
        };
        match self.session.head().map(|entry| &entry.expected) {
            Some(Expected::Query { statements, .. }) => !statements.iter().all(|statement| plain(statement)),
            _ => !self.head_statement().is_some_and(|statement| plain(&statement)),
        }
    }

    /// Whether an error or notice goes as it is.
    fn shows(&self, fields: &reply::ErrorFields<'_>, scrubbed: bool) -> bool {
        if scrubbed || scrub::quotes_context(fields) {
            return scrub::is_harmless(fields, self.head_reads());
        }
        // Cascades and inherited constraints reach relations that the statement does not name.
        let text = |code| fields.field(code).and_then(|name| std::str::from_utf8(name).ok());
        let Some(table) = text(b't') else { return true };
        let name = QualifiedName { schema: text(b's').map(str::to_owned), name: table.to_owned() };
        self.labels().standing(&name) == Standing::Clean
    }
}

fn is_fatal(fields: &reply::ErrorFields<'_>) -> bool {
    matches!(fields.field(b'V'), Some(b"FATAL" | b"PANIC"))
}

fn head_refusal(expected: &Expected<Prepared>) -> Option<veil_policy::Refusal> {
    match expected {
        Expected::Parse { statement, .. } => statement.refusal(),
        Expected::Query { statements, done } => statements.get(*done)?.refusal(),
        _ => None,
    }
}
