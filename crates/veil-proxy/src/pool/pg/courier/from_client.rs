//! From the client to the server.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use veil_sql::Kind;
use veil_sql::effect::{Change, Effect, Keeps};
use veil_wire::pg::command::{self, BindNames, Parse, Tag, Target};
use veil_wire::pg::frame::{self, HEADER, Header};
use veil_wire::pg::limits;
use veil_wire::pg::session::{Expected, Object};

use super::super::prepared::{Has, Leaves, Text, is_own};
use super::Courier;
use crate::engine::Streamed;
use crate::out::Out;
use crate::problem::Problem;

/// Of a longer text nothing is known but that.
const TEXT_MAX: usize = 1 << 20;
/// What hidden entries of the queue call statements: no client can.
pub(super) const HIDDEN: &[u8] = b"\0";
/// And those that have no name on the server.
const UNNAMED: &[u8] = b"\0unnamed";
/// And those that the server gets to know by the client's name.
pub(super) const NAMED: &[u8] = b"\0named";

impl Courier {
    /// Takes `input[range]`, what the session says; returns how far it was used.
    ///
    /// # Errors
    /// The session has to end; the client is told why.
    pub(crate) fn client(
        &mut self,
        input: &[u8],
        range: Range<usize>,
        up: &mut Out,
        down: &mut Out,
    ) -> Result<usize, Problem> {
        let Range { start: mut at, end } = range;
        let input = input.get(..end).unwrap_or(input);
        self.wants_more = false;
        loop {
            at += self.from_client.pass(input, at, up);
            let rest = input.get(at..).unwrap_or_default();
            if self.from_client.active() || rest.is_empty() {
                break;
            }
            if self.is_unset() {
                let text = self.set_up()?;
                up.owned(input).extend(text);
            }
            let Some(header) = Header::decode(rest)? else {
                self.wants_more = true;
                break;
            };
            let tag = Tag::decode(header.tag)?;
            if self.setting_up {
                break;
            }
            if rest.len() < header.total() && self.reads_whole(tag, header) {
                self.wants_more = true;
                break;
            }
            match self.message(tag, Message { input, at, header }, up)? {
                Some(used) => at += used,
                None => {
                    self.wants_more = true;
                    break;
                }
            }
        }
        self.answer(input, down);
        Ok(at)
    }

    /// Whether a message is looked at only when all of it is there.
    fn reads_whole(&self, tag: Tag, header: Header) -> bool {
        match tag {
            Tag::Query => header.body <= TEXT_MAX,
            Tag::CopyData | Tag::Bind => false,
            _ => header.body <= limits::STATEMENT_MAX,
        }
    }

    /// Handles one message; returns how much of it is done with, but what passes in pieces. `None` if more of it has to come first.
    fn message(&mut self, tag: Tag, message: Message<'_>, up: &mut Out) -> Result<Option<usize>, Problem> {
        let Message { input, header, .. } = message;
        let total = header.total();
        // The server would not look at it.
        let ignored = self.session.skipping() && !matches!(tag, Tag::Sync | Tag::CopyData);
        // And it goes on to serve others.
        self.goodbye |= tag == Tag::Terminate;
        if ignored || tag == Tag::Terminate {
            self.from_client = Streamed { left: total, swallow: true };
            return Ok(Some(0));
        }
        let body = message.body();
        match (tag, body) {
            (Tag::Query, body) => {
                let leaves = match body {
                    Some(body) => Leaves::of(&self.analyser, command::decode_query(body)?),
                    None => Leaves::Unknown,
                };
                self.run(&leaves, true, input, up)?;
                self.session.deallocated(Some(b""));
                self.forget_unnamed();
                self.expect(Expected::Query { statements: Vec::new(), done: 0 }, false)?;
            }
            (Tag::Parse, Some(body)) => {
                self.parse(Parse::decode(body)?, message, up)?;
                return Ok(Some(total));
            }
            (Tag::Bind, _) => {
                let names = BindNames::decode(message.available(), header.body)?;
                return names.map(|names| self.bind(names, message, up)).transpose();
            }
            (Tag::Describe, Some(body)) => {
                let target = Target::decode(body)?;
                if let Target::Statement(name) = target
                    && let Some(own) = self.statement(name, input, up)?
                {
                    self.expect(Expected::Describe(object(target)), false)?;
                    command::write_describe(up.owned(input), Target::Statement(&own));
                    return Ok(Some(total));
                }
                self.expect(Expected::Describe(object(target)), false)?;
            }
            (Tag::Close, Some(body)) => {
                self.close(Target::decode(body)?, input, up)?;
                return Ok(Some(total));
            }
            (Tag::Execute, Some(body)) => {
                self.expect(Expected::Execute(command::decode_execute(body)?.into()), false)?;
            }
            (Tag::Sync, _) if self.copying => self.strays += 1,
            (Tag::Sync, _) => self.expect(Expected::Sync, false)?,
            (Tag::FunctionCall, _) => {
                self.keeps.get_or_insert(Keeps::Code);
                self.expect(Expected::FunctionCall, false)?;
            }
            (Tag::CopyDone | Tag::CopyFail, _) => self.copying = false,
            (Tag::CopyData | Tag::Flush | Tag::Terminate, _) => {}
            (Tag::Parse | Tag::Describe | Tag::Close | Tag::Execute, None) => {
                return Err(Problem::protocol("message is longer than it may be"));
            }
            (Tag::Password, _) => return Err(Problem::protocol("password message after login")),
        }
        self.from_client = Streamed { left: total, swallow: false };
        Ok(Some(0))
    }

    fn forget_unnamed(&mut self) {
        if let Some(server) = &mut self.server {
            server.unnamed = None;
        }
    }

    fn close(&mut self, target: Target<'_>, input: &[u8], up: &mut Out) -> Result<(), Problem> {
        let closed = Expected::Close(object(target));
        match target {
            Target::Statement(name) if !name.is_empty() && self.session.statement_sent(name).is_some() => {
                self.expect(Expected::Own(Box::new(closed)), false)?;
                if self.by_name.remove(name) {
                    command::write_close(up.owned(input), target);
                    self.expect(Expected::Close(Object::Statement(HIDDEN.into())), true)?;
                }
                return Ok(());
            }
            Target::Statement(name) => {
                self.forget_unnamed();
                command::write_close(up.owned(input), Target::Statement(&foreign(name)));
            }
            Target::Portal(_) => command::write_close(up.owned(input), target),
        }
        self.expect(closed, false)
    }

    fn parse(&mut self, parse: Parse<'_>, message: Message<'_>, up: &mut Out) -> Result<(), Problem> {
        let (Parse { name, text, types }, input) = (parse, message.input);
        let reads_by = if text.contains(&b'\'') { self.want.reads_by() } else { Vec::new() };
        let shared = self.texts.of(&self.analyser, (text, types, &reads_by));
        self.discard_sequences(&shared.leaves, input, up)?;
        if name.is_empty() {
            up.forward(input, message.range());
            if let Some(server) = &mut self.server {
                server.unnamed = Some(shared.number);
            }
            return self.expect(Expected::Parse { name: name.into(), statement: shared }, false);
        }
        // A name that is taken is one on the server as well: it is told there.
        if let Some(taken) = self.session.statement_sent(name).cloned() {
            self.prepare(&taken, input, up)?;
            Parse { name: taken.name().as_bytes(), ..parse }.write(up.owned(input));
            return self.expect(Expected::Parse { name: HIDDEN.into(), statement: shared }, false);
        }
        let has = self.has(&shared);
        if has == Has::Yes {
            let own = Expected::Parse { name: name.into(), statement: shared };
            return self.expect(Expected::Own(Box::new(own)), false);
        }
        self.make_room(&shared, has, input, up)?;
        Parse { name: shared.name().as_bytes(), ..parse }.write(up.owned(input));
        if let Some(server) = &mut self.server {
            server.prepared.sent(&shared);
        }
        self.expect(Expected::Parse { name: name.into(), statement: shared }, false)
    }

    /// Bind, whose names are replaced; what is behind them goes on as it comes.
    fn bind(&mut self, names: BindNames<'_>, message: Message<'_>, up: &mut Out) -> Result<usize, Problem> {
        let BindNames { portal, statement } = names;
        let Message { input, header, .. } = message;
        let leaves = self.session.statement_sent(statement).map(|text| text.leaves.clone());
        leaves.map(|leaves| self.run(&leaves, false, input, up)).transpose()?;
        let own = self.statement(statement, input, up)?;
        self.expect(Expected::Bind { portal: portal.into(), statement: statement.into() }, false)?;
        let Some(own) = own else {
            self.from_client = Streamed { left: header.total(), swallow: false };
            return Ok(0);
        };
        let behind = header.body.saturating_sub(portal.len() + statement.len() + 2);
        let out = up.owned(input);
        out.push(b'B');
        let length = 4 + portal.len() + own.len() + 2 + behind;
        out.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        frame::put_cstr(out, portal);
        frame::put_cstr(out, &own);
        self.from_client = Streamed { left: behind, swallow: false };
        Ok(header.total() - behind)
    }

    /// Sees to it that the server has the client's statement of this name; its name there, if that is another.
    fn statement(&mut self, name: &[u8], input: &[u8], up: &mut Out) -> Result<Option<Vec<u8>>, Problem> {
        match (self.session.statement_sent(name).cloned(), name.is_empty()) {
            (Some(text), false) => {
                self.prepare(&text, input, up)?;
                Ok(Some(text.name().into_bytes()))
            }
            (Some(text), true) => {
                let Some(server) = &mut self.server else { return Ok(None) };
                if server.unnamed != Some(text.number) {
                    server.unnamed = Some(text.number);
                    Parse { name: b"", text: &text.text, types: &text.types }.write(up.owned(input));
                    self.expect(Expected::Parse { name: UNNAMED.into(), statement: text }, true)?;
                }
                Ok(None)
            }
            (None, false) => {
                let foreign = foreign(name);
                Ok((*foreign != *name).then(|| foreign.into_owned()))
            }
            // Whatever the server has without a name is somebody else's.
            (None, true) => {
                self.forget_unnamed();
                command::write_close(up.owned(input), Target::Statement(b""));
                self.expect(Expected::Close(Object::Statement(HIDDEN.into())), true)?;
                Ok(None)
            }
        }
    }

    /// Has the server prepare a text that it does not have.
    fn prepare(&mut self, text: &Arc<Text>, input: &[u8], up: &mut Out) -> Result<(), Problem> {
        let has = self.has(text);
        if has == Has::Yes {
            return Ok(());
        }
        self.make_room(text, has, input, up)?;
        let name = text.name();
        Parse { name: name.as_bytes(), text: &text.text, types: &text.types }.write(up.owned(input));
        if let Some(server) = &mut self.server {
            server.prepared.sent(text);
        }
        self.expect(Expected::Parse { name: HIDDEN.into(), statement: Arc::clone(text) }, true)
    }

    /// Has the server forget a statement, if it has many, and one that serves no more.
    fn make_room(&mut self, text: &Text, has: Has, input: &[u8], up: &mut Out) -> Result<(), Problem> {
        let Some(server) = &mut self.server else { return Ok(()) };
        let evicted = server.prepared.evict(self.prepared_max).map(|text| text.name());
        let stale = (has == Has::Stale).then(|| text.name());
        for name in evicted.into_iter().chain(stale) {
            command::write_close(up.owned(input), Target::Statement(name.as_bytes()));
            self.expect(Expected::Close(Object::Statement(HIDDEN.into())), true)?;
        }
        Ok(())
    }

    /// Statements are about to run.
    fn run(&mut self, leaves: &Leaves, simple: bool, input: &[u8], up: &mut Out) -> Result<(), Problem> {
        let statements = match leaves {
            Leaves::Nothing => return Ok(()),
            Leaves::Unknown => {
                self.may_keep = true;
                return Ok(());
            }
            Leaves::What(statements) => Arc::clone(statements),
        };
        if simple {
            self.discard_sequences(leaves, input, up)?;
        }
        for statement in statements.iter() {
            match &statement.kind {
                Kind::Deallocate { name: Some(name) } => {
                    self.by_name(name.as_bytes(), simple, input, up)?;
                    if self.by_name.remove(name.as_bytes()) {
                        self.session.deallocated(Some(name.as_bytes()));
                    } else if is_own(name.as_bytes()) {
                        self.unsure = true;
                        self.server.iter_mut().for_each(|server| server.prepared.clear(|_| false));
                    }
                }
                Kind::Execute { name } => self.by_name(name.as_bytes(), simple, input, up)?,
                _ => {}
            }
            let Effect { keeps, change } = &statement.effect;
            let discards = (statement.kind == Kind::DiscardAll).then_some(Change::ResetAll);
            let cycle = self.cycles.0 + 1;
            self.changes.extend(change.clone().or(discards).map(|change| (cycle, change)));
            match keeps {
                Some(Keeps::Unknown) => self.may_keep = true,
                Some(keeps) => {
                    self.keeps.get_or_insert(*keeps);
                }
                None => {}
            }
        }
        Ok(())
    }

    /// What others have had from sequences is theirs.
    fn discard_sequences(&mut self, leaves: &Leaves, input: &[u8], up: &mut Out) -> Result<(), Problem> {
        let Leaves::What(statements) = leaves else { return Ok(()) };
        let reads = statements.iter().any(|statement| statement.effect.keeps == Some(Keeps::Sequence));
        if !reads || self.keeps.is_some() || self.session_long || !self.is_resting() || !self.is_idle() {
            return Ok(());
        }
        command::write_query(up.owned(input), b"DISCARD SEQUENCES");
        self.forget_unnamed();
        self.expect(Expected::Query { statements: Vec::new(), done: 0 }, true)
    }

    /// Whether the server has a text. While that is not sure, one that it should not have is closed first.
    fn has(&mut self, text: &Text) -> Has {
        let has = self.server.as_mut().map_or(Has::No, |server| server.prepared.has(text.number));
        if has == Has::No && self.unsure { Has::Stale } else { has }
    }

    /// SQL calls a statement by its name: the server gets to know it by that.
    fn by_name(&mut self, name: &[u8], simple: bool, input: &[u8], up: &mut Out) -> Result<(), Problem> {
        let Some(text) = self.session.statement_sent(name).cloned() else { return Ok(()) };
        if self.by_name.insert(name.into()) {
            self.naming = true;
            Parse { name, text: &text.text, types: &text.types }.write(up.owned(input));
            self.expect(Expected::Parse { name: NAMED.into(), statement: text }, true)?;
            // A Query would be skipped if this fails; it has an error of its own then.
            if simple {
                command::write_sync(up.owned(input));
                self.expect(Expected::Sync, true)?;
            }
        }
        Ok(())
    }

    /// Answers what the server is not asked, as far as its turn has come.
    pub(super) fn answer(&mut self, input: &[u8], down: &mut Out) {
        while let Some(Expected::Own(own)) = self.session.head().map(|entry| &entry.expected) {
            let tag = if matches!(**own, Expected::Parse { .. }) { b'1' } else { b'3' };
            frame::write(down.owned(input), tag, |_| {});
            let _ = self.session.complete(|_| true);
        }
    }
}

/// A name that is not the client's, as it is sent: none that statements have on servers.
fn foreign(name: &[u8]) -> Cow<'_, [u8]> {
    match is_own(name) {
        true => [name, b"?"].concat().into(),
        false => name.into(),
    }
}

fn object(target: Target<'_>) -> Object {
    match target {
        Target::Statement(name) => Object::Statement(name.into()),
        Target::Portal(name) => Object::Portal(name.into()),
    }
}

/// A message at a place in the input.
#[derive(Clone, Copy)]
struct Message<'a> {
    input: &'a [u8],
    at: usize,
    header: Header,
}

impl<'a> Message<'a> {
    /// What is there of the body, and perhaps what follows it.
    fn available(self) -> &'a [u8] {
        self.input.get(self.at + HEADER..).unwrap_or_default()
    }

    /// The body, if it is whole.
    fn body(self) -> Option<&'a [u8]> {
        self.available().get(..self.header.body)
    }

    const fn range(self) -> Range<usize> {
        self.at..self.at + self.header.total()
    }
}
