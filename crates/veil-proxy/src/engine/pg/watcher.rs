//! For users who see everything: forwards all, and notices when they define objects.

use std::sync::Arc;
use std::time::Instant;

use veil_wire::pg::command;
use veil_wire::pg::frame::{HEADER, Header};
use veil_wire::pg::reply::Tag;

use super::heard::{self, Heard};
use crate::engine::Streamed;
use crate::engine::pg::Slot;
use crate::out::Out;
use crate::problem::Problem;
use crate::sessions::Activity;
use crate::statements::Teller;

/// Command tags after which the catalog is another.
const DEFINING: [&[u8]; 6] = [b"CREATE", b"ALTER", b"DROP", b"SELECT INTO", b"IMPORT", b"DO"];

/// Forwards everything.
pub struct Watcher {
    slot: Arc<Slot>,
    streamed: Streamed,
    from_client: Streamed,
    /// Answers that the server owes, as far as they end with ReadyForQuery.
    owed: usize,
    /// Commands have been sent that no Sync has ended yet.
    grouped: bool,
    /// Syncs behind the last Execute: a COPY that it begins makes the server ignore them.
    syncs: usize,
    /// The server waits for COPY data, and ignores Syncs.
    copying: bool,
    answers: u32,
    in_transaction: bool,
    heard: Heard,
}

impl Watcher {
    /// Tells `slot` what it notices.
    #[must_use]
    pub fn new(slot: Arc<Slot>) -> Self {
        let (streamed, from_client) = (Streamed::default(), Streamed::default());
        Self {
            slot,
            streamed,
            from_client,
            owed: 0,
            grouped: false,
            syncs: 0,
            copying: false,
            answers: 0,
            in_transaction: false,
            heard: Heard::default(),
        }
    }

    pub(super) const fn teller(&mut self) -> &mut Teller {
        self.heard.teller()
    }

    pub(super) const fn inside_message(&self) -> bool {
        self.streamed.active()
    }

    pub(super) const fn activity(&self) -> Activity {
        match (self.owed, self.in_transaction) {
            _ if self.grouped || self.copying => Activity::Running,
            (0, false) => Activity::Idle,
            (0, true) => Activity::InTransaction,
            _ => Activity::Running,
        }
    }

    pub(super) const fn answers(&self) -> u32 {
        self.answers
    }

    pub(super) fn client(&mut self, input: &[u8], up: &mut Out, now: Instant) -> Result<usize, Problem> {
        let mut at = 0;
        loop {
            at += self.from_client.pass(input, at, up);
            let rest = input.get(at..).unwrap_or_default();
            if self.from_client.active() || rest.is_empty() {
                return Ok(at);
            }
            let Some(header) = Header::decode(rest).map_err(Problem::protocol)? else { return Ok(at) };
            if let (Ok(tag), false) = (command::Tag::decode(header.tag), self.copying) {
                let seen = rest.get(HEADER..header.total().min(rest.len())).unwrap_or_default();
                if seen.len() < header.body.min(heard::needs(tag)) {
                    return Ok(at);
                }
                self.heard.command(tag, seen, now);
            }
            match command::Tag::decode(header.tag) {
                Ok(command::Tag::Query | command::Tag::FunctionCall) => {
                    (self.owed, self.syncs) = (self.owed + 1, 0);
                }
                Ok(command::Tag::Sync) if self.copying => {}
                Ok(command::Tag::Sync) => {
                    self.owed += 1;
                    self.syncs += usize::from(self.grouped || self.syncs > 0);
                    self.grouped = false;
                }
                Ok(command::Tag::CopyDone | command::Tag::CopyFail) => self.copying = false,
                Ok(command::Tag::Execute) => (self.grouped, self.syncs) = (true, 0),
                Ok(
                    command::Tag::Parse | command::Tag::Bind | command::Tag::Describe | command::Tag::Close,
                ) => self.grouped = true,
                _ => {}
            }
            self.from_client = Streamed { left: header.total(), swallow: false };
        }
    }

    pub(super) fn server(&mut self, input: &[u8], down: &mut Out) -> Result<usize, Problem> {
        let mut at = 0;
        loop {
            at += self.streamed.pass(input, at, down);
            let rest = input.get(at..).unwrap_or_default();
            if self.streamed.active() || rest.is_empty() {
                return Ok(at);
            }
            let Some(header) = Header::decode(rest).map_err(Problem::protocol)? else { return Ok(at) };
            if let Ok(tag) = Tag::decode(header.tag) {
                let seen = rest.get(HEADER..header.total().min(rest.len())).unwrap_or_default();
                if seen.len() < header.body.min(heard::looks_at(tag)) {
                    return Ok(at);
                }
                self.heard.reply(tag, seen);
            }
            if matches!(Tag::decode(header.tag), Ok(Tag::CopyInResponse | Tag::CopyBothResponse)) {
                self.copying = true;
                self.owed = self.owed.saturating_sub(std::mem::take(&mut self.syncs));
            }
            if Tag::decode(header.tag) == Ok(Tag::ErrorResponse) {
                self.copying = false;
            }
            if Tag::decode(header.tag) == Ok(Tag::ReadyForQuery) {
                let Some(message) = rest.get(..header.total()) else { return Ok(at) };
                self.in_transaction = message.last() != Some(&b'I');
                self.copying = false;
                self.owed = self.owed.saturating_sub(1);
                self.answers = self.answers.wrapping_add(1);
            }
            if Tag::decode(header.tag) == Ok(Tag::CommandComplete) && header.body < 64 {
                let Some(message) = rest.get(..header.total()) else { return Ok(at) };
                let tag = message.get(HEADER..).unwrap_or_default();
                if DEFINING.iter().any(|word| tag.starts_with(word)) {
                    self.slot.invalidate();
                }
            }
            self.streamed = Streamed { left: header.total(), swallow: false };
        }
    }
}
