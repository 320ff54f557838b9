//! MySQL's sessions.
//!
//! A session asks one thing at a time: a client's next command waits until the one before has been answered. So the
//! proxy can answer in the server's place, and ask the server something of its own in between.

mod answer;
pub mod guarded;
mod heard;
mod hidden;
mod judge;
mod scrub;
mod watcher;

use std::time::Instant;

use veil_policy::mysql::Labels;
use veil_wire::mysql::startup::ChangeUser;

pub use guarded::Guarded;
pub use judge::Judge;
pub use watcher::Watcher;

use crate::catalogs;
use crate::out::Out;
use crate::problem::Problem;
use crate::sessions::Activity;
use crate::statements::Teller;

/// What one account sees of a server's catalog, with its labels.
pub type Slot = catalogs::Slot<Labels>;

/// A session's engine.
pub enum Engine {
    /// Something is masked for this user: statements are analysed, rows follow plans.
    Guarded(Box<Guarded>),
    /// Nothing is masked for this user; it may become another.
    Watched(Box<Watcher>),
}

impl Engine {
    /// Takes bytes from the client; returns how many were used.
    ///
    /// # Errors
    /// The session has to end; the client is told why.
    pub fn client(
        &mut self,
        input: &[u8],
        up: &mut Out,
        down: &mut Out,
        now: Instant,
    ) -> Result<usize, Problem> {
        match self {
            Self::Guarded(engine) => engine.client(input, up, down, now),
            Self::Watched(engine) => engine.client(input, up, now),
        }
    }

    /// Takes bytes from the server; returns how many were used.
    ///
    /// # Errors
    /// The session has to end; the client is told why.
    pub fn server(&mut self, input: &[u8], down: &mut Out, now: Instant) -> Result<usize, Problem> {
        match self {
            Self::Guarded(engine) => engine.server(input, down, now),
            Self::Watched(engine) => engine.server(input, down),
        }
    }

    /// Whether the client's next command waits for something that the server has to say first.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        match self {
            Self::Guarded(engine) => engine.is_waiting(),
            Self::Watched(engine) => engine.is_waiting(),
        }
    }

    /// Whether it is no surprise that the server leaves.
    #[must_use]
    pub const fn expects_end(&self) -> bool {
        match self {
            Self::Guarded(engine) => engine.expects_end(),
            Self::Watched(_) => true,
        }
    }

    /// Tells of what it does.
    pub const fn teller(&mut self) -> &mut Teller {
        match self {
            Self::Guarded(engine) => engine.teller(),
            Self::Watched(engine) => engine.teller(),
        }
    }

    /// How busy the session is.
    #[must_use]
    pub fn activity(&self) -> Activity {
        match self {
            Self::Guarded(engine) => engine.activity(),
            Self::Watched(engine) => engine.activity(),
        }
    }

    /// How many commands have been given; it begins again some time.
    #[must_use]
    pub const fn answers(&self) -> u32 {
        match self {
            Self::Guarded(engine) => engine.commands(),
            Self::Watched(engine) => engine.commands(),
        }
    }

    /// Another user that the client wants to be.
    pub fn take_change(&mut self) -> Option<ChangeUser> {
        match self {
            Self::Guarded(engine) => engine.take_change(),
            Self::Watched(engine) => engine.take_change(),
        }
    }

    /// The error that ends the session, if one can be put in.
    #[must_use]
    pub fn fatal(&self, problem: &Problem) -> Option<Vec<u8>> {
        match self {
            Self::Guarded(engine) => engine.fatal(problem),
            Self::Watched(engine) => engine.fatal(problem),
        }
    }
}

/// A message that passes in pieces, and perhaps in parts.
#[derive(Clone, Copy, Debug, Default)]
struct Parts {
    piece: super::Streamed,
    /// Another part of the same message follows.
    continues: bool,
}

impl Parts {
    const fn active(self) -> bool {
        self.piece.active()
    }

    fn begin(&mut self, length: usize, swallow: bool, continues: bool) {
        self.piece = super::Streamed { left: length, swallow };
        self.continues = continues;
    }
}
