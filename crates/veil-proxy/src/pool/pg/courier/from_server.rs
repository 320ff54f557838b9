//! From the server to the client.

use std::sync::Arc;

use veil_sql::effect::Keeps;
use veil_wire::pg::frame::{self, HEADER, Header};
use veil_wire::pg::reply::{self, Tag, Transaction};
use veil_wire::pg::session::{Entry, Expected, Object};

use super::super::params::is_settable;
use super::super::prepared::Text;
use super::Courier;
use super::from_client::{HIDDEN, NAMED};
use crate::engine::Streamed;
use crate::out::Out;
use crate::pool::Mode;
use crate::problem::Problem;

/// Of messages that are looked at, no more than this is read at once.
const SEEN_MAX: usize = 16 << 20;

impl Courier {
    /// Takes what the server says; returns how much was used.
    ///
    /// # Errors
    /// The session has to end; the client is told why.
    pub(crate) fn server(&mut self, input: &[u8], down: &mut Out) -> Result<usize, Problem> {
        let mut at = 0;
        loop {
            at += self.from_server.pass(input, at, down);
            if self.from_server.active() {
                break;
            }
            self.answer(input, down);
            let rest = input.get(at..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            let Some(header) = Header::decode(rest).map_err(Problem::protocol)? else { break };
            let tag = Tag::decode(header.tag).map_err(Problem::protocol)?;
            let hidden = self.session.head().is_some_and(|entry| entry.hidden);
            let mut pass = !hidden;
            if !matches!(tag, Tag::DataRow | Tag::CopyData | Tag::RowDescription | Tag::ParameterDescription)
            {
                if header.body > SEEN_MAX {
                    return Err(Problem::protocol("a reply is longer than it may be"));
                }
                let Some(body) = rest.get(HEADER..header.total()) else { break };
                pass = self.reply(tag, body, input, down)?;
            } else if tag == Tag::RowDescription {
                pass = self.described(hidden)?;
            }
            self.from_server = Streamed { left: header.total(), swallow: !pass };
        }
        Ok(at)
    }

    fn described(&mut self, hidden: bool) -> Result<bool, Problem> {
        if matches!(self.session.head().map(|entry| &entry.expected), Some(Expected::Describe(_))) {
            return Ok(!self.complete(|expected| matches!(expected, Expected::Describe(_)))?.hidden);
        }
        Ok(!hidden)
    }

    fn complete(&mut self, fits: impl FnOnce(&Expected<Text>) -> bool) -> Result<Entry<Text>, Problem> {
        self.session.complete(fits).map_err(Problem::protocol)
    }

    /// Handles one reply; returns whether it goes to the client.
    fn reply(&mut self, tag: Tag, body: &[u8], input: &[u8], down: &mut Out) -> Result<bool, Problem> {
        let hidden = self.session.head().is_some_and(|entry| entry.hidden);
        Ok(match tag {
            Tag::ParseComplete => {
                let entry = self.complete(|expected| matches!(expected, Expected::Parse { .. }))?;
                if let Expected::Parse { name, statement } = &entry.expected {
                    let own = is_by_number(&entry);
                    if let Some(server) = self.server.as_mut().filter(|_| own) {
                        server.prepared.confirm(statement.number);
                    }
                    // One whose name was taken.
                    self.lost |= !entry.hidden && *name == HIDDEN.into();
                }
                !entry.hidden
            }
            Tag::BindComplete => !self.complete(|e| matches!(e, Expected::Bind { .. }))?.hidden,
            Tag::CloseComplete => {
                let hidden = self.complete(|e| matches!(e, Expected::Close(_)))?.hidden;
                self.closing -= usize::from(hidden);
                !hidden
            }
            Tag::NoData => !self.complete(|e| matches!(e, Expected::Describe(_)))?.hidden,
            Tag::PortalSuspended => !self.complete(|e| matches!(e, Expected::Execute(_)))?.hidden,
            Tag::CommandComplete | Tag::EmptyQueryResponse => {
                if !hidden {
                    self.ended(body);
                }
                match self.session.head().map(|entry| &entry.expected) {
                    Some(Expected::Execute(_)) => {
                        !self.complete(|e| matches!(e, Expected::Execute(_)))?.hidden
                    }
                    _ => !hidden,
                }
            }
            Tag::ErrorResponse => self.failed(body, hidden)?,
            Tag::NoticeResponse => !hidden,
            Tag::ParameterStatus => {
                self.parameter(body, input, down)?;
                false
            }
            Tag::ReadyForQuery => self.ready(body, input, down)?,
            Tag::CopyInResponse | Tag::CopyBothResponse => {
                self.copying = true;
                self.strays += self.session.ignore_syncs();
                true
            }
            _ => !hidden,
        })
    }

    /// The server reports a parameter. What the client knows already, it is not told again.
    fn parameter(&mut self, body: &[u8], input: &[u8], down: &mut Out) -> Result<(), Problem> {
        let (name, value) = reply::decode_parameter(body)?;
        if let Some(server) = &mut self.server {
            Arc::make_mut(&mut server.reported).set(name, value);
        }
        if self.setting_up {
            return Ok(());
        }
        Arc::make_mut(&mut self.want).set(name, value);
        if name == b"session_authorization" && self.told.get(name) != Some(value) {
            self.keeps.get_or_insert(Keeps::Setting);
        }
        self.tell(input, down);
        Ok(())
    }

    /// Tells the client of parameters that are not what it knows.
    fn tell(&mut self, input: &[u8], down: &mut Out) {
        let Some(server) = &self.server else { return };
        let news: Vec<_> =
            server.reported.but(&self.told).map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
        for (name, value) in news {
            frame::write(down.owned(input), b'S', |out| {
                frame::put_cstr(out, &name);
                frame::put_cstr(out, &value);
            });
            Arc::make_mut(&mut self.told).set(&name, &value);
        }
    }

    /// A statement has ended so.
    fn ended(&mut self, tag: &[u8]) {
        match tag.strip_suffix(&[0]).unwrap_or(tag) {
            b"DISCARD ALL" | b"DEALLOCATE ALL" => {
                self.session.deallocated(None);
                self.by_name.clear();
                let still = self.still();
                if let Some(server) = &mut self.server {
                    server.prepared.clear(|number| still.contains(&number));
                    server.unnamed = None;
                }
                let mut behind = self.session.expected().skip(1);
                if tag.starts_with(b"DISCARD") && behind.all(|entry| matches!(entry.expected, Expected::Sync))
                {
                    self.keeps = None;
                }
            }
            b"ROLLBACK" => self.turns.back = true,
            b"COMMIT" | b"SAVEPOINT" | b"RELEASE" => self.turns.parts = true,
            _ => {}
        }
    }

    fn failed(&mut self, body: &[u8], hidden: bool) -> Result<bool, Problem> {
        let head = self.session.head().map(|entry| &entry.expected);
        if hidden && matches!(head, Some(Expected::Query { .. })) {
            return Err(Problem::new(
                "08006",
                "settings of the session could not be made on another connection",
                "Connect again; with \"pool: { mode: session }\" they stay where they are.",
            ));
        }
        let named = matches!(head, Some(Expected::Parse { name, .. }) if *name == NAMED.into());
        let fields = reply::decode_error(body)?;
        let replanned = fields.field(b'R') == Some(b"RevalidateCachedQuery");
        let bound = match head {
            Some(Expected::Bind { statement, .. }) => self.session.statement(statement),
            Some(Expected::Describe(Object::Statement(name))) => self.session.statement(name),
            Some(Expected::Execute(portal)) => {
                self.session.portal(portal).and_then(|portal| portal.statement.as_ref())
            }
            _ => None,
        };
        let stale = bound.filter(|_| replanned).map(|text| text.number);
        let asks = self.asks();
        self.session.fail();
        // What the server ignores it will not answer.
        self.cycles.1 += asks - self.asks();
        self.copying = false;
        self.turns.back = true;
        self.unsure |= std::mem::take(&mut self.may_keep) || std::mem::take(&mut self.naming);
        let still = self.still();
        let closes = |entry: &&Entry<Text>| entry.hidden && matches!(entry.expected, Expected::Close(_));
        let closing = self.session.expected().filter(closes).count();
        // What was to be closed, and is not for sure, may be there.
        self.unsure |= closing < std::mem::take(&mut self.closing);
        self.closing = closing;
        if let Some(server) = &mut self.server {
            server.unnamed = None;
            server.prepared.fail(|number| still.contains(&number));
            stale.into_iter().for_each(|number| server.prepared.spoil(number));
        }
        // The Query behind it has an error of its own.
        Ok(!named || !self.session.head().is_some_and(|entry| entry.hidden))
    }

    /// How often the server will say that it is ready.
    fn asks(&self) -> u64 {
        self.session.expected().map(|entry| u64::from(entry.expected.asks())).sum()
    }

    /// Texts that have been sent to be prepared by their numbers, and are not known to be there.
    fn still(&self) -> Vec<u64> {
        let sent = self.session.expected().filter(|entry| is_by_number(entry));
        let number = |entry: &Entry<Text>| match &entry.expected {
            Expected::Parse { statement, .. } => Some(statement.number),
            _ => None,
        };
        sent.filter_map(number).collect()
    }

    fn ready(&mut self, body: &[u8], input: &[u8], down: &mut Out) -> Result<bool, Problem> {
        let transaction = reply::decode_ready(body)?;
        if !self.session.head().is_some_and(|entry| entry.expected.asks()) {
            // A Sync behind a COPY that had failed by then.
            if self.strays == 0 {
                return Err(Problem::protocol("reply out of order from server"));
            }
            self.strays -= 1;
            self.lost = true;
            return Ok(true);
        }
        let hidden = self.session.ready(transaction).map_err(Problem::protocol)?;
        self.cycles.1 += 1;
        self.copying = false;
        if hidden {
            if std::mem::take(&mut self.setting_up) {
                self.set(input, down)?;
            }
            return Ok(false);
        }
        if self.session.settled() {
            self.closing = 0;
            self.naming = false;
            if std::mem::take(&mut self.may_keep) {
                self.keeps.get_or_insert(Keeps::Unknown);
            }
        }
        if transaction == Transaction::Idle {
            self.settle_changes();
        } else if self.mode == Mode::Statement && self.session.settled() {
            return Err(Problem::new(
                "0A000",
                "transactions of several statements are not let in where connections are shared by the statement",
                "Use a database entry with \"pool: { mode: transaction }\".",
            ));
        }
        Ok(true)
    }

    /// Settings have been made.
    fn set(&mut self, input: &[u8], down: &mut Out) -> Result<(), Problem> {
        let Some(server) = &mut self.server else { return Ok(()) };
        if self.want.but(&server.reported).any(|(name, _)| is_settable(name)) {
            return Err(Problem::new(
                "08006",
                "settings of the session are others on another connection",
                "Connect again; with \"pool: { mode: session }\" they stay where they are.",
            ));
        }
        self.want = Arc::clone(&server.reported);
        self.tell(input, down);
        if *self.told == *self.want {
            self.told = Arc::clone(&self.want);
        }
        Ok(())
    }
}

/// Whether it is a Parse that the server knows by the number of its text.
fn is_by_number(entry: &Entry<Text>) -> bool {
    let Expected::Parse { name, .. } = &entry.expected else { return false };
    (*name == HIDDEN.into()) == entry.hidden && *name != b""[..].into()
}
