//! For users who see everything: forwards all, and notices when they define objects, kill a connection by the proxy's
//! number, or become another user.

use std::sync::Arc;
use std::time::Instant;

use veil_policy::mysql::Labels;
use veil_wire::mysql::command::{self, Command};
use veil_wire::mysql::frame::{self, HEADER, Header};
use veil_wire::mysql::limits;
use veil_wire::mysql::startup::ChangeUser;

use super::answer::{Answers, HEAD};
use super::heard::{self, Heard};
use super::{Parts, hidden};
use crate::catalogs::Slots;
use crate::connections::OfServer;
use crate::out::Out;
use crate::problem::Problem;
use crate::sessions::Activity;
use crate::statements::Teller;

/// Statements that begin so define objects.
const DEFINING: [&[u8]; 6] = [b"create", b"alter", b"drop", b"rename", b"grant", b"revoke"];
/// A statement may begin with blanks and comments; this much of it is looked at.
const LOOK: usize = 256;

/// Forwards everything.
pub struct Watcher {
    /// The catalogs that others go by.
    slots: Arc<Slots<Labels>>,
    connections: OfServer,
    capabilities: u64,
    from_client: Parts,
    /// What came last from the client was a piece of a file, and the number of the next one is 0.
    inside_file: bool,
    /// Objects are being defined; the server has not answered yet.
    defining: bool,
    change: Option<ChangeUser>,
    commands: u32,
    answers: Answers,
    from_server: Parts,
    /// Number of the server's last packet.
    sequence: u8,
    heard: Heard,
}

impl Watcher {
    /// Tells `slots` what it notices.
    #[must_use]
    pub fn new(slots: Arc<Slots<Labels>>, connections: OfServer, capabilities: u64) -> Self {
        Self {
            slots,
            connections,
            capabilities,
            from_client: Parts::default(),
            inside_file: false,
            defining: false,
            change: None,
            commands: 0,
            answers: Answers::default(),
            from_server: Parts::default(),
            sequence: 0,
            heard: Heard::default(),
        }
    }

    pub(super) const fn teller(&mut self) -> &mut Teller {
        self.heard.teller()
    }

    pub(super) const fn is_waiting(&self) -> bool {
        self.change.is_some()
    }

    pub(super) fn take_change(&mut self) -> Option<ChangeUser> {
        self.change.take()
    }

    pub(super) fn client(&mut self, input: &[u8], up: &mut Out, now: Instant) -> Result<usize, Problem> {
        let mut at = 0;
        loop {
            at += self.from_client.piece.pass(input, at, up);
            let rest = input.get(at..).unwrap_or_default();
            if self.from_client.active() || rest.is_empty() || self.change.is_some() {
                return Ok(at);
            }
            let Some(header) = Header::decode(rest) else { return Ok(at) };
            // What answers a request for a file goes on where the server has stopped counting.
            let commands =
                header.sequence == 0 && !self.from_client.continues && header.body > 0 && !self.inside_file;
            if commands {
                let Some(first) = rest.get(HEADER) else { return Ok(at) };
                let seen = rest.get(HEADER..header.total().min(rest.len())).unwrap_or_default();
                if seen.len() < header.body.min(heard::needs(Command::decode(*first))) {
                    return Ok(at);
                }
                let seen = (seen, now);
                match self.command(Command::decode(*first), header, rest, (input, &mut *up))? {
                    Some(0) => return Ok(at),
                    Some(used) => {
                        self.begin(*first, seen);
                        at += used;
                        continue;
                    }
                    None => self.begin(*first, seen),
                }
            }
            // A file ends with an empty piece; commands have the number 0.
            self.inside_file = header.sequence == u8::MAX && header.body > 0;
            self.from_client.begin(header.total(), false, header.continues());
        }
    }

    /// Looks at a command; says how much of the input was used for it if it is not to be forwarded: 0 to wait.
    fn command(
        &mut self,
        command: Command,
        header: Header,
        rest: &[u8],
        (input, up): (&[u8], &mut Out),
    ) -> Result<Option<usize>, Problem> {
        let body = rest.get(HEADER + 1..header.total());
        match command {
            Command::ChangeUser if header.body > limits::AUTH_MAX => {
                Err(Problem::protocol("packet is too long"))
            }
            Command::ChangeUser => {
                let Some(body) = body else { return Ok(Some(0)) };
                self.change = Some(ChangeUser::decode(body, self.capabilities)?);
                Ok(Some(header.total()))
            }
            Command::Query => {
                let seen = rest.get(HEADER + 1..).unwrap_or_default();
                if body.is_none() && seen.len() < LOOK {
                    return Ok(Some(0));
                }
                let text = seen.get(..header.body - 1).unwrap_or(seen);
                let Ok(from) = command::query_text(text, self.capabilities) else { return Ok(None) };
                let text = text.get(from..).unwrap_or_default();
                let look = text.get(..text.len().min(LOOK)).unwrap_or_default().to_ascii_lowercase();
                self.defining |=
                    DEFINING.iter().any(|word| look.windows(word.len()).any(|part| part == *word));
                let Some(killed) = self.killed(&look).filter(|_| body.is_some()) else { return Ok(None) };
                hidden::put_query(killed.as_bytes(), self.capabilities, up.owned(input));
                Ok(Some(header.total()))
            }
            Command::ProcessKill => {
                let Some(body) = body else { return Ok(Some(0)) };
                let Some(number) = self.connections.find(command::statement(body)?.into()) else {
                    return Ok(None);
                };
                frame::write(up.owned(input), &mut 0, |out| {
                    out.push(command::PROCESS_KILL);
                    out.extend(number.to_le_bytes());
                });
                Ok(Some(header.total()))
            }
            _ => Ok(None),
        }
    }

    /// The statement to send for a KILL of a number that is the proxy's.
    fn killed(&self, text: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(text).ok()?.trim().trim_end_matches(';').trim_end();
        let (words, number) = text.rsplit_once(' ')?;
        let number = self.connections.find(number.parse().ok()?)?;
        words.starts_with("kill").then(|| format!("{words} {number}"))
    }

    fn begin(&mut self, first: u8, (seen, now): (&[u8], Instant)) {
        self.commands = self.commands.wrapping_add(1);
        // A change of user is answered elsewhere.
        if self.change.is_none() {
            if self.answers.are_over() {
                self.sequence = 0;
            }
            if self.answers.begin(Command::decode(first)) {
                self.heard.command(seen, self.capabilities, now);
            }
        }
    }

    pub(super) fn activity(&self) -> Activity {
        match self.answers.activity() {
            _ if self.from_server.active() || self.from_server.continues => Activity::Running,
            activity => activity,
        }
    }

    pub(super) const fn commands(&self) -> u32 {
        self.commands
    }

    /// The error that ends the session, unless a packet is under way.
    pub(super) fn fatal(&self, problem: &Problem) -> Option<Vec<u8>> {
        let sequence = if self.answers.are_over() { 1 } else { self.sequence.wrapping_add(1) };
        let inside = self.from_server.active() || self.from_server.continues;
        (!inside).then(|| problem.mysql(sequence))
    }

    pub(super) fn server(&mut self, input: &[u8], down: &mut Out) -> Result<usize, Problem> {
        if std::mem::take(&mut self.defining) {
            self.slots.invalidate(&self.connections.target);
        }
        let mut at = 0;
        loop {
            at += self.from_server.piece.pass(input, at, down);
            let rest = input.get(at..).unwrap_or_default();
            if self.from_server.active() || rest.is_empty() {
                return Ok(at);
            }
            let Some(header) = Header::decode(rest) else { return Ok(at) };
            let seen = rest.get(HEADER..header.total().min(rest.len())).unwrap_or_default();
            if seen.len() < header.body.min(HEAD) {
                return Ok(at);
            }
            if !self.from_server.continues {
                let progress = self.answers.packet(seen, header.body, self.capabilities);
                self.heard.reply(progress, seen);
            }
            self.sequence = header.sequence;
            self.from_server.begin(header.total(), false, header.continues());
        }
    }
}
