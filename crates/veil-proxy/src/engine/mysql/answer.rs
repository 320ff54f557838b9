//! How far the server's answers are, in a session whose packets are forwarded as they are.

use std::collections::VecDeque;

use veil_wire::cursor::Cursor;
use veil_wire::mysql::capability as cap;
use veil_wire::mysql::command::Command;
use veil_wire::mysql::reply::{self, End, Prepared, status};

use crate::sessions::Activity;

/// First bytes of a packet that are looked at; an OK packet has its status in them.
pub(super) const HEAD: usize = 24;
/// Commands that are sent before the first of them has been answered.
const AHEAD_MAX: usize = 1024;

/// What is expected of the server.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// The next packet of each answer, the first one's first.
    stages: VecDeque<Stage>,
    in_transaction: bool,
}

/// What a packet was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Nothing,
    Row,
    /// The answer to COM_STMT_PREPARE, or an error in its place.
    Prepared {
        over: bool,
    },
    /// The end of a result; of the answer if that is over.
    Ended {
        over: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// OK, an error, a request for a file, or the count of columns.
    First,
    /// So many definitions of columns.
    Definitions(u64),
    /// What ends them.
    DefinitionsEnd,
    Rows,
    /// The answer to COM_STMT_PREPARE.
    Prepared,
    /// So many packets.
    Packets(u64),
    /// Definitions up to EOF.
    Fields,
    /// One packet.
    Single,
    /// It does not end, or nobody knows when.
    Endless,
}

/// COM_BINLOG_DUMP, COM_TABLE_DUMP, COM_BINLOG_DUMP_GTID.
const DUMPS: [u8; 3] = [18, 19, 30];

impl Answers {
    /// A command has been sent; says whether it is answered.
    pub(super) fn begin(&mut self, command: Command) -> bool {
        let stage = match command {
            Command::Quit | Command::StmtClose | Command::StmtSendLongData => return false,
            Command::Query | Command::StmtExecute | Command::StmtBulkExecute | Command::ProcessInfo => {
                Stage::First
            }
            Command::StmtPrepare => Stage::Prepared,
            Command::StmtFetch => Stage::Rows,
            Command::FieldList => Stage::Fields,
            Command::Other(code) if DUMPS.contains(&code) => Stage::Endless,
            _ => Stage::Single,
        };
        match self.stages.len() {
            0..AHEAD_MAX => self.stages.push_back(stage),
            AHEAD_MAX => self.stages.push_back(Stage::Endless),
            _ => return false,
        }
        true
    }

    /// A packet has begun to come, of this length and with these first bytes.
    pub(super) fn packet(&mut self, head: &[u8], length: usize, capabilities: u64) -> Progress {
        let Some(stage) = self.stages.front().copied() else { return Progress::Nothing };
        let next = self.next(stage, head, length, capabilities);
        match next {
            Some(next) => self.stages.front_mut().into_iter().for_each(|stage| *stage = next),
            None => drop(self.stages.pop_front()),
        }
        let file = head.first() == Some(&reply::LOCAL_FILE);
        match (stage, next) {
            (Stage::Rows, Some(Stage::Rows)) => Progress::Row,
            (Stage::Prepared, _) => Progress::Prepared { over: next.is_none() },
            (_, None) => Progress::Ended { over: true },
            (Stage::First | Stage::Rows, Some(Stage::First)) if !file => Progress::Ended { over: false },
            _ => Progress::Nothing,
        }
    }

    /// What comes next of an answer; none if that was all.
    fn next(&mut self, stage: Stage, head: &[u8], length: usize, capabilities: u64) -> Option<Stage> {
        let first = *head.first()?;
        let eof = capabilities & cap::DEPRECATE_EOF == 0;
        match stage {
            _ if first == reply::ERR => None,
            Stage::Endless => Some(Stage::Endless),
            Stage::First if first == reply::OK => self.ended(End::decode_ok(head).ok()),
            Stage::First if first == reply::LOCAL_FILE => Some(Stage::First),
            Stage::First => Some(Stage::Definitions(Cursor::new(head).lenenc().unwrap_or(0))),
            Stage::Definitions(0 | 1) if eof => Some(Stage::DefinitionsEnd),
            Stage::Definitions(0 | 1) => Some(Stage::Rows),
            Stage::Definitions(left) => Some(Stage::Definitions(left - 1)),
            Stage::DefinitionsEnd => {
                let end = End::decode_eof(head, capabilities).ok()?;
                // Rows of a cursor are asked for.
                if end.status & status::CURSOR_EXISTS != 0 {
                    self.ended(Some(end))
                } else {
                    Some(Stage::Rows)
                }
            }
            Stage::Rows if reply::ends_rows(first, length, capabilities) => {
                self.ended(End::decode_eof(head, capabilities).ok())
            }
            Stage::Fields if reply::ends_rows(first, length, capabilities) => None,
            Stage::Rows | Stage::Fields => Some(stage),
            Stage::Prepared => {
                let prepared = Prepared::decode(head).ok()?;
                let of = |count: u16| u64::from(count) + u64::from(count > 0 && eof);
                Some(of(prepared.columns) + of(prepared.parameters))
                    .filter(|left| *left > 0)
                    .map(Stage::Packets)
            }
            Stage::Packets(left) => Some(left - 1).filter(|left| *left > 0).map(Stage::Packets),
            Stage::Single => {
                if matches!(first, reply::OK) {
                    self.ended(End::decode_ok(head).ok());
                }
                None
            }
        }
    }

    fn ended(&mut self, end: Option<End>) -> Option<Stage> {
        let end = end?;
        self.in_transaction = end.status & status::IN_TRANSACTION != 0;
        end.more().then_some(Stage::First)
    }

    pub(super) fn activity(&self) -> Activity {
        match (self.stages.is_empty(), self.in_transaction) {
            (false, _) => Activity::Running,
            (true, true) => Activity::InTransaction,
            (true, false) => Activity::Idle,
        }
    }

    /// Whether nothing is owed.
    pub(super) fn are_over(&self) -> bool {
        self.stages.is_empty()
    }
}
