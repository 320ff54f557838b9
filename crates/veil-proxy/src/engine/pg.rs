//! PostgreSQL's sessions.

mod catalog_read;
pub mod guarded;
mod heard;
mod scrub;
mod watcher;

use std::time::Instant;

use veil_policy::Labels;

pub use guarded::{Guarded, Judge};
pub use watcher::Watcher;

use crate::catalogs;
use crate::out::Out;
use crate::problem::Problem;
use crate::sessions::Activity;
use crate::statements::Teller;

/// The catalog of a database, with the labels of each user.
pub type Slot = catalogs::Slot<Labels>;

/// A session's engine.
pub enum Engine {
    /// Something is masked for this user: statements are analysed, rows follow plans.
    Guarded(Box<Guarded>),
    /// Nothing is masked for this user; what it defines may matter to others.
    Watched(Box<Watcher>),
}

impl Engine {
    /// Takes bytes from the client; returns how many were used.
    ///
    /// # Errors
    /// The session has to end; the client is told why.
    pub fn client(&mut self, input: &[u8], up: &mut Out, now: Instant) -> Result<usize, Problem> {
        match self {
            Self::Guarded(engine) => engine.client(input, up, now),
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
            Self::Watched(_) => false,
        }
    }

    /// Whether the server has to be sent something although the client says nothing.
    #[must_use]
    pub const fn owes_server(&self) -> bool {
        match self {
            Self::Guarded(engine) => engine.owes_sync(),
            Self::Watched(_) => false,
        }
    }

    /// Whether it is no surprise that the server leaves: it has said why, or the client has said goodbye.
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

    /// How many answers have been given; it begins again some time.
    #[must_use]
    pub const fn answers(&self) -> u32 {
        match self {
            Self::Guarded(engine) => engine.answers(),
            Self::Watched(engine) => engine.answers(),
        }
    }

    /// Whether the client has been sent part of a message, so that nothing else can be put in.
    #[must_use]
    pub fn inside_message(&self) -> bool {
        match self {
            Self::Guarded(engine) => engine.inside_message(),
            Self::Watched(engine) => engine.inside_message(),
        }
    }
}
