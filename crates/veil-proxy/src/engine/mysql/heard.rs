//! The statements of a session that is forwarded as it is, for those who are told of them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use veil_sql::normal::Normal;
use veil_wire::mysql::command::{self, Command};
use veil_wire::mysql::limits;
use veil_wire::mysql::reply::{self, Error, Prepared, rows_of_ok};

use super::answer::Progress;
use crate::statements::{Outcome, Teller};

/// Of a longer text, no more is looked at.
const TEXT_MAX: usize = 16 << 10;

/// How much of a command has to be there.
pub(super) const fn needs(command: Command) -> usize {
    match command {
        Command::Query | Command::StmtPrepare => TEXT_MAX,
        Command::StmtExecute | Command::StmtBulkExecute => 5,
        _ => 0,
    }
}

/// What is known of the statements.
#[derive(Default)]
pub(super) struct Heard {
    teller: Teller,
    /// What was asked, and is not answered.
    owed: VecDeque<Asked>,
    statements: HashMap<u32, Arc<Normal>>,
    rows: u64,
}

struct Asked {
    at: Instant,
    text: Option<Arc<Normal>>,
    /// It is no statement, or only prepares one.
    quiet: bool,
}

impl Heard {
    pub(super) const fn teller(&mut self) -> &mut Teller {
        &mut self.teller
    }

    /// A command, or its beginning, that will be answered.
    pub(super) fn command(&mut self, seen: &[u8], capabilities: u64, now: Instant) {
        let (first, body) = seen.split_first().map_or((0, seen), |(first, body)| (*first, body));
        let of_number = || {
            let number = body.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))?;
            self.statements.get(&number).cloned()
        };
        let (text, quiet) = match Command::decode(first) {
            Command::Query => {
                let from = command::query_text(body, capabilities).unwrap_or(body.len());
                (self.teller.text(body.get(from..).unwrap_or_default()), false)
            }
            Command::StmtPrepare => (self.teller.text(body), true),
            Command::StmtExecute | Command::StmtBulkExecute | Command::StmtFetch => (of_number(), false),
            _ => (None, true),
        };
        self.owed.push_back(Asked { at: now, text, quiet });
    }

    /// A packet of the server, or its beginning.
    pub(super) fn reply(&mut self, progress: Progress, seen: &[u8]) {
        let failed = seen.first() == Some(&reply::ERR);
        let over = match progress {
            Progress::Nothing => return,
            Progress::Row => {
                self.rows += 1;
                return;
            }
            Progress::Prepared { over } => {
                if let (Some(asked), Ok(prepared), false) =
                    (self.owed.front(), Prepared::decode(seen), failed)
                    && let Some(text) = &asked.text
                {
                    if self.statements.len() >= limits::STATEMENTS_MAX {
                        self.statements.clear();
                    }
                    self.statements.insert(prepared.statement, Arc::clone(text));
                }
                over
            }
            Progress::Ended { over } => over,
        };
        let changed = if seen.first() == Some(&reply::OK) { rows_of_ok(seen) } else { 0 };
        let sent = std::mem::take(&mut self.rows);
        if let Some(asked) = self.owed.front().filter(|asked| failed || !asked.quiet) {
            let code = failed.then(|| Error::decode(seen).map_or(0, |error| error.number).to_string());
            self.teller.ended(Outcome {
                began: asked.at,
                text: asked.text.as_ref(),
                columns: &Arc::default(),
                unmasked: Vec::new(),
                rows: sent.max(changed),
                refused: false,
                code,
            });
        }
        if over {
            self.owed.pop_front();
        }
    }
}
