//! What is done with the bytes of a session, without sockets and clocks.

pub mod mysql;
mod observe;
pub mod pg;

use std::time::Instant;

use veil_wire::mysql::startup::ChangeUser;

use crate::out::Out;
use crate::problem::Problem;
use crate::sessions::Activity;
use crate::statements::Teller;

/// A session's engine.
pub enum Engine {
    /// PostgreSQL's protocol.
    Pg(pg::Engine),
    /// MySQL's protocol.
    MySql(mysql::Engine),
}

impl Engine {
    /// Takes bytes from the client; returns how many were used. What goes to the server is appended to `up`, what the
    /// proxy answers itself to `down`.
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
            Self::Pg(engine) => engine.client(input, up, now),
            Self::MySql(engine) => engine.client(input, up, down, now),
        }
    }

    /// Takes bytes from the server; returns how many were used.
    ///
    /// # Errors
    /// The session has to end; the client is told why.
    pub fn server(&mut self, input: &[u8], down: &mut Out, now: Instant) -> Result<usize, Problem> {
        match self {
            Self::Pg(engine) => engine.server(input, down, now),
            Self::MySql(engine) => engine.server(input, down, now),
        }
    }

    /// Whether the client's next command waits for something that the server has to say first.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        match self {
            Self::Pg(engine) => engine.is_waiting(),
            Self::MySql(engine) => engine.is_waiting(),
        }
    }

    /// Whether the server has to be sent something although the client says nothing.
    #[must_use]
    pub const fn owes_server(&self) -> bool {
        match self {
            Self::Pg(engine) => engine.owes_server(),
            Self::MySql(_) => false,
        }
    }

    /// Whether it is no surprise that the server leaves: it has said why, or the client has said goodbye.
    #[must_use]
    pub const fn expects_end(&self) -> bool {
        match self {
            Self::Pg(engine) => engine.expects_end(),
            Self::MySql(engine) => engine.expects_end(),
        }
    }

    /// Tells of what it does.
    pub const fn teller(&mut self) -> &mut Teller {
        match self {
            Self::Pg(engine) => engine.teller(),
            Self::MySql(engine) => engine.teller(),
        }
    }

    /// How busy the session is.
    #[must_use]
    pub fn activity(&self) -> Activity {
        match self {
            Self::Pg(engine) => engine.activity(),
            Self::MySql(engine) => engine.activity(),
        }
    }

    /// How many answers have been given; it begins again some time.
    #[must_use]
    pub const fn answers(&self) -> u32 {
        match self {
            Self::Pg(engine) => engine.answers(),
            Self::MySql(engine) => engine.answers(),
        }
    }

    /// The client wants to sign in anew on the same connection: what was asked before has been answered.
    pub fn take_change(&mut self) -> Option<ChangeUser> {
        match self {
            Self::Pg(_) => None,
            Self::MySql(engine) => engine.take_change(),
        }
    }

    /// The error that ends the session, unless the client has been sent part of a message, so that nothing else can be
    /// put in.
    #[must_use]
    pub fn fatal(&self, problem: &Problem) -> Option<Vec<u8>> {
        match self {
            Self::Pg(engine) => (!engine.inside_message()).then(|| problem.fatal()),
            Self::MySql(engine) => engine.fatal(problem),
        }
    }
}

/// A message whose body passes in pieces.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Streamed {
    pub(crate) left: usize,
    pub(crate) swallow: bool,
}

impl Streamed {
    pub(crate) const fn active(self) -> bool {
        self.left > 0
    }

    /// Lets pass what is there of it from `at` on; returns how much that was.
    pub(crate) fn pass(&mut self, input: &[u8], at: usize, out: &mut Out) -> usize {
        let count = self.left.min(input.len().saturating_sub(at));
        if !self.swallow {
            out.forward(input, at..at + count);
        }
        self.left -= count;
        count
    }
}
