//! Errors, as they may be shown.

use veil_model::Format;
use veil_sql::mysql::Kind;
use veil_wire::mysql::reply::Error;

use super::server::Pass;
use super::{Guarded, Reply, Stage};
use crate::engine::mysql::scrub;
use crate::problem::Problem;

impl Guarded {
    /// ERR: the error itself, or what may be shown of it.
    pub(super) fn error(&mut self, reply: &Reply, payload: &[u8]) -> Result<Pass, Problem> {
        let judged = reply.judged();
        let of_statement = matches!(reply.stage, Stage::First | Stage::Rows | Stage::Prepared);
        self.note_code(&judged);
        self.note_warnings(&judged);
        if reply.stage == Stage::Prepared {
            self.last_prepared = None;
        }
        // A statement that fails half way, or one before it in the same text, may have changed how texts are read.
        if reply.statements.len() > 1 || !matches!(judged.statement.kind, Kind::Data | Kind::Show(_)) {
            self.settings = None;
        }
        if let Kind::Define(definition) = &judged.statement.kind {
            self.defined(definition, &judged, true)?;
        }
        let rewritten = reply.is_rewritten();
        if self.judge.observes() {
            return Ok(Pass::Forward);
        }
        if !(rewritten || (judged.run.scrub && of_statement)) {
            let Some(scan) = self.judge.labels().scan() else { return Ok(Pass::Forward) };
            let (error, mut scratch, mut out) = (Error::decode(payload)?, Vec::new(), Vec::new());
            let message = scan.cell(Format::Text, error.message, &mut scratch).unwrap_or_default();
            Error { message, ..error }.put(&mut out);
            return Ok(Pass::Instead(vec![out]));
        }
        let foreign = self.judge.is_foreign(&judged) && reply.stage != Stage::Prepared;
        let mut out = Vec::new();
        scrub::put(&Error::decode(payload)?, foreign || rewritten, &mut out);
        Ok(Pass::Instead(vec![out]))
    }
}
