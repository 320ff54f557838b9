//! A session in which something is masked.
//!
//! Invariants: a row reaches the client only by a plan made from the description that the server gave for
//! these very rows, or because the statement names nothing sensitive; a refused statement never reaches the
//! server. In its place goes one that the server cannot parse, and the error that comes back is replaced by
//! the refusal, so that order, pipelining, skipping to Sync and the transaction's state stay the server's own.

mod client;
mod prepared;
mod server;
mod texts;
mod told;

use std::sync::Arc;
use std::time::Instant;

use veil_policy::{CopyPlan, Labels, Plan};
use veil_wire::pg::reply::Transaction;
use veil_wire::pg::session::Session;

use super::catalog_read::CatalogRead;
use crate::catalogs::Due;
use crate::engine::Streamed;
use crate::problem::Problem;
use crate::sessions::Activity;
use crate::statements::Teller;
use prepared::Prepared;

pub use prepared::Judge;

/// The engine of one session.
pub struct Guarded {
    session: Session<Prepared, Plan>,
    judge: Judge,
    /// A message of the client that passes in pieces.
    from_client: Streamed,
    /// A message of the server that passes in pieces.
    from_server: Streamed,
    /// The plan of the rows that are coming.
    rows: Option<Arc<Plan>>,
    copy: CopyState,
    /// How the COPY data that the server sends are shown.
    copying_out: Option<CopyOut>,
    /// A Sync was kept from the server that waited for COPY data; if the COPY fails before any come, it is owed.
    kept_sync: bool,
    /// The COPY has failed, and the server waits for that Sync.
    owes_sync: bool,
    reading: Option<CatalogRead>,
    /// A statement waits until the server owes nothing.
    settling: bool,
    /// The client has said goodbye, or the server has said why it leaves.
    ending: bool,
    /// After a catalog could not be read.
    read_not_before: Option<Instant>,
    /// Views were locked: their definitions are not asked for until then.
    views_not_before: Option<Instant>,
    defined: Defined,
    answers: u32,
    /// Rows and messages of COPY data that have been sent since they were told of.
    sent: u64,
    teller: Teller,
    /// When the bytes came that are looked at.
    now: Instant,
}

/// What objects the client has defined in the transaction that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defined {
    Nothing,
    /// What the catalog that the session goes by does not have.
    Unread,
    /// What the catalog of its own has.
    Read,
}

impl Guarded {
    /// For a session that has just been signed in; `settings` are the parameters that the server reported.
    ///
    /// # Errors
    /// The session's encoding or string syntax is not what statements are analysed by.
    pub fn new<'a>(
        judge: Judge,
        settings: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<Self, Problem> {
        let engine = Self {
            session: Session::default(),
            judge,
            from_client: Streamed::default(),
            from_server: Streamed::default(),
            rows: None,
            copy: CopyState::None,
            copying_out: None,
            kept_sync: false,
            owes_sync: false,
            reading: None,
            settling: false,
            ending: false,
            read_not_before: None,
            views_not_before: None,
            defined: Defined::Nothing,
            answers: 0,
            sent: 0,
            teller: Teller::default(),
            now: Instant::now(),
        };
        for (name, value) in settings {
            engine.check_setting(name, value)?;
        }
        Ok(engine)
    }

    pub(super) fn activity(&self) -> Activity {
        if !self.session.settled() || self.session.grouped() || self.is_waiting() {
            return Activity::Running;
        }
        match self.session.transaction() {
            Transaction::Idle => Activity::Idle,
            Transaction::Open | Transaction::Failed => Activity::InTransaction,
        }
    }

    pub(super) const fn teller(&mut self) -> &mut Teller {
        &mut self.teller
    }

    pub(super) const fn answers(&self) -> u32 {
        self.answers
    }

    pub(super) const fn inside_message(&self) -> bool {
        self.from_server.active()
    }

    pub(super) const fn is_waiting(&self) -> bool {
        self.reading.is_some() || self.settling || matches!(self.copy, CopyState::Held)
    }

    pub(super) const fn owes_sync(&self) -> bool {
        self.owes_sync
    }

    pub(super) const fn expects_end(&self) -> bool {
        self.ending
    }

    /// Statements are analysed as UTF-8 text with standard strings; the server has to see the same text, and to cut
    /// long names at the same place. Where the client's encoding is none, it is the server's.
    fn check_setting(&self, name: &[u8], value: &[u8]) -> Result<(), Problem> {
        let fits = match name {
            _ if self.judge.observes() => true,
            b"client_encoding" => matches!(value, b"UTF8" | b"SQL_ASCII"),
            b"server_encoding" => value == b"UTF8",
            b"standard_conforming_strings" => value == b"on",
            _ => true,
        };
        if fits {
            return Ok(());
        }
        Err(Problem::new(
            "0A000",
            "IronVeil needs a database in UTF8, client_encoding UTF8 and standard_conforming_strings on where columns are masked",
            "Set PGCLIENTENCODING=UTF8, or client_encoding in the connection string.",
        ))
    }

    /// Before a statement: whether the catalog has to be read first, and the server is ready for that.
    fn wants_catalog(&mut self, now: Instant, names_missing: bool, reads: bool) -> Wait {
        // In the middle of a pipelined group the server cannot be asked; unknown names are closed.
        let paused = self.read_not_before.is_some_and(|moment| now < moment);
        if paused || self.session.grouped() {
            if !self.judge.view.is_unknown() && self.judge.view.is_too_old(now) {
                self.judge.distrust();
            }
            return Wait::No;
        }
        let own = self.defined == Defined::Unread && (names_missing || reads);
        let due = own || self.judge.view.is_due(now, names_missing);
        if !self.session.settled() {
            return if due { Wait::UntilSettled } else { Wait::No };
        }
        match self.session.transaction() {
            Transaction::Idle => match self.judge.slot().due(now, names_missing) {
                Due::Yes => Wait::Read,
                Due::No => Wait::No,
            },
            Transaction::Open if due => Wait::Read,
            Transaction::Open | Transaction::Failed => Wait::No,
        }
    }

    fn labels(&self) -> &Labels {
        self.judge.labels()
    }
}

/// How far a COPY is. While data come from the client, what else it has sent waits: the server takes or ignores
/// commands depending on when a COPY fails, so that their replies could not be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CopyState {
    /// There is none.
    None,
    /// One has been asked for, or its data have ended and another may follow: the server has to say.
    Held,
    /// The server waits for data.
    In,
}

/// How COPY data are shown.
enum CopyOut {
    /// As they are.
    Pass,
    /// Masked.
    Masked(CopyPlan),
}

/// What has to happen before a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// Nothing.
    No,
    /// The server still owes replies.
    UntilSettled,
    /// The catalog is read.
    Read,
}
