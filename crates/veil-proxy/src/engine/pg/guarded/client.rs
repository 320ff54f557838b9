//! From the client to the server.

mod refuse;

use std::sync::Arc;
use std::time::Instant;

use veil_mask::Cell;
use veil_model::Format;
use veil_policy::{Refusal, Run, Translation};
use veil_sql::Kind;
use veil_wire::pg::bind::Bind;
use veil_wire::pg::command::{self, BindNames, Parse, Tag, Target};
use veil_wire::pg::frame::{self, Header};
use veil_wire::pg::limits;
use veil_wire::pg::reply::Transaction;
use veil_wire::pg::session::{Expected, Object};

use super::{CatalogRead, CopyState, Guarded, Prepared, Streamed, Wait, prepared};
use crate::budget::GIVEN_MAX;
use crate::out::Out;
use crate::problem::Problem;

/// Sent in place of a refused statement. The server answers it with a syntax error.
const REFUSED_TEXT: &[u8] = b"ironveil refused this statement";

/// The statements of a text, or why none of them is sent.
type Judged = Result<Vec<Arc<Prepared>>, Refusal>;

/// How far a message has come.
enum Step {
    /// It was used up to its end, or its rest is streamed.
    Used,
    /// It is not whole yet, or has to wait.
    Wait,
}

impl Guarded {
    /// Takes bytes from the client; returns how many were used.
    ///
    /// # Errors
    /// The client broke the protocol.
    pub(in crate::engine) fn client(
        &mut self,
        input: &[u8],
        up: &mut Out,
        now: Instant,
    ) -> Result<usize, Problem> {
        self.now = now;
        if std::mem::take(&mut self.owes_sync) {
            command::write_sync(up.owned(input));
            self.expect(Expected::Sync, false)?;
        }
        let mut at = 0;
        loop {
            at += self.from_client.pass(input, at, up);
            let rest = input.get(at..).unwrap_or_default();
            let settling = self.settling && !self.session.settled();
            let waiting = self.reading.is_some() || settling || self.copy == CopyState::Held;
            if self.from_client.active() || waiting || rest.is_empty() {
                return Ok(at);
            }
            let Some(header) = Header::decode(rest)? else { return Ok(at) };
            let tag = Tag::decode(header.tag)?;
            if header.body > tag.body_max() {
                return Err(Problem::protocol("message is longer than it may be"));
            }
            let message = Message { input, at, header };
            match self.command(tag, message, up, now)? {
                Step::Used if !self.from_client.active() => at += header.total(),
                Step::Used => {}
                Step::Wait => return Ok(at),
            }
        }
    }

    fn command(
        &mut self,
        tag: Tag,
        message: Message<'_>,
        up: &mut Out,
        now: Instant,
    ) -> Result<Step, Problem> {
        if self.copy == CopyState::In {
            match tag {
                Tag::CopyData | Tag::CopyDone | Tag::CopyFail | Tag::Terminate => self.kept_sync = false,
                // The server ignores them here, unless the COPY has failed by then: they must not reach it.
                Tag::Sync | Tag::Flush => {
                    self.kept_sync |= tag == Tag::Sync;
                    self.stream(message.header, true);
                    return Ok(Step::Used);
                }
                _ => return Err(Problem::protocol("a command was sent in place of COPY data")),
            }
        }
        match tag {
            Tag::Bind => return self.bind(message, up, now),
            Tag::CopyData => {
                self.stream(message.header, false);
                return Ok(Step::Used);
            }
            Tag::FunctionCall => {
                let observes = self.judge.observes();
                match observes {
                    true => self.expect(Expected::FunctionCall, false)?,
                    false => self.refuse_call(message.input, up)?,
                }
                self.stream(message.header, !observes);
                return Ok(Step::Used);
            }
            _ => {}
        }
        let Some(body) = message.body() else { return Ok(Step::Wait) };
        let expected = match tag {
            Tag::Query => return self.query(message, body, up, now),
            Tag::Parse => return self.parse(message, body, up, now),
            Tag::Execute => {
                let portal = command::decode_execute(body)?;
                let answering = !self.session.settled();
                self.judge.look_at_rights(now, answering);
                let known = self.session.portal_sent(portal).and_then(|portal| portal.statement.as_ref());
                if let Some(refusal) = known.and_then(|known| self.refusal_of_named(known)) {
                    let shown = known.and_then(|known| known.shown().cloned());
                    return self.refuse_bind(message, (refusal, shown), up);
                }
                self.describe_first(portal, message.input, up)?;
                let statement = self.session.portal_sent(portal).and_then(|portal| portal.statement.as_ref());
                if statement.is_some_and(|statement| statement.copies_in()) {
                    self.hold_for_copy();
                }
                Some(Expected::Execute(portal.into()))
            }
            Tag::Describe => Some(Expected::Describe(object(body)?)),
            Tag::Close => Some(Expected::Close(object(body)?)),
            Tag::CopyDone | Tag::CopyFail => {
                self.end_of_copy_data();
                None
            }
            Tag::Sync => Some(Expected::Sync),
            Tag::Terminate => {
                self.ending = true;
                None
            }
            Tag::Flush => None,
            Tag::Password => return Err(Problem::protocol("password message after login")),
            Tag::Bind | Tag::CopyData | Tag::FunctionCall => None,
        };
        if let Some(expected) = expected {
            self.expect(expected, false)?;
        }
        up.forward(message.input, message.range());
        Ok(Step::Used)
    }

    fn stream(&mut self, header: Header, swallow: bool) {
        self.from_client = Streamed { left: header.total(), swallow };
    }

    fn expect(&mut self, expected: Expected<Prepared>, hidden: bool) -> Result<(), Problem> {
        self.session
            .send(expected, hidden, self.now)
            .map_err(|error| Problem::new("54000", error.to_string(), ""))
    }

    fn bind(&mut self, message: Message<'_>, up: &mut Out, now: Instant) -> Result<Step, Problem> {
        let names = BindNames::decode(message.available(), message.header.body)?;
        let Some(BindNames { portal, statement }) = names else { return Ok(Step::Wait) };
        // What was prepared long ago runs by the catalog of now.
        let answering = !self.session.settled();
        self.judge.refresh(now, answering);
        let open = self.session.transaction() == Transaction::Open;
        let first = self.session.statement_sent(statement).is_some_and(|known| known.may_begin());
        if !((open && first) || self.has_catalog(message.input, up, now, (false, true))?) {
            return Ok(Step::Wait);
        }
        let shown = self.session.statement_sent(statement).and_then(|known| known.shown().cloned());
        let known = self.session.statement_sent(statement).filter(|known| known.refusal().is_none());
        let refusal =
            known.and_then(|known| self.judge.refusal_now(known).or_else(|| self.refusal_of_named(known)));
        if let Some(refusal) = refusal {
            return self.refuse_bind(message, (refusal, shown), up);
        }
        let masks = self
            .session
            .statement_sent(statement)
            .filter(|known| known.masks().is_some_and(Translation::reads_parameters));
        let translated = match masks.map(Arc::clone) {
            None => None,
            Some(_) if message.header.body > limits::STATEMENT_MAX => {
                return self.refuse_bind(message, (too_large(), shown), up);
            }
            Some(known) => {
                let Some(body) = message.body() else { return Ok(Step::Wait) };
                match translate(&Bind::decode(body)?, &known) {
                    Ok(bind) => Some(bind),
                    Err(refusal) => return self.refuse_bind(message, (refusal, shown), up),
                }
            }
        };
        if let Some(known) = self.session.statement_sent(statement) {
            let runs = self.runs(known, &[]);
            let cost = self.judge.cost(runs.unwrap_or(known));
            if cost > 0 {
                let names = portal.len() + statement.len() + 2;
                let Some(given) = message.given(names) else { return Ok(Step::Wait) };
                let own = given.zip(known.words()).filter(|_| runs.is_none());
                let words = own.map(|(given, words)| self.judge.words((words, given)));
                if let Err(refusal) = self.judge.pay(cost, words, now) {
                    return self.refuse_bind(message, (refusal, shown), up);
                }
            }
        }
        self.expect(Expected::Bind { portal: portal.into(), statement: statement.into() }, false)?;
        match translated {
            Some(bind) => up.owned(message.input).extend(bind),
            None => self.stream(message.header, false),
        }
        Ok(Step::Used)
    }

    fn query(
        &mut self,
        message: Message<'_>,
        body: &[u8],
        up: &mut Out,
        now: Instant,
    ) -> Result<Step, Problem> {
        let text = command::decode_query(body)?;
        let Some(mut judged) = self.judge_text(text, message.input, up, now)? else { return Ok(Step::Wait) };
        if let Ok(statements) = &judged
            && let Err(refusal) = self.pay_for_text(statements, now)
        {
            judged = Err(refusal);
        }
        let refused =
            judged.as_ref().map_or_else(|r| Some(r.clone()), |all| all.iter().find_map(|s| s.refusal()));
        let statements = match refused {
            Some(refusal) => {
                command::write_query(up.owned(message.input), REFUSED_TEXT);
                vec![Arc::new(self.judge.unknown(Err(refusal)))]
            }
            None => {
                let mut statements = judged.unwrap_or_default();
                match rewritten(text, &statements) {
                    Some(text) => command::write_query(up.owned(message.input), text.as_bytes()),
                    None => up.forward(message.input, message.range()),
                }
                if statements.is_empty() {
                    // An empty text is answered by EmptyQueryResponse, as one statement.
                    statements.push(Arc::new(self.judge.unknown(Ok(Run::CLOSED))));
                }
                statements
            }
        };
        let shown = self.teller.text(text);
        statements.iter().for_each(|statement| statement.show_as(shown.clone()));
        if statements.iter().any(|statement| statement.copies_in()) {
            self.hold_for_copy();
        }
        self.expect(Expected::Query { statements, done: 0 }, false)?;
        Ok(Step::Used)
    }

    /// Pays for the statements of a text. What EXECUTE is given is not known.
    fn pay_for_text(&self, statements: &[Arc<Prepared>], now: Instant) -> Result<(), Refusal> {
        let (mut cost, mut words) = (0_u32, None);
        for (at, statement) in statements.iter().enumerate() {
            if statement.prepares() {
                continue;
            }
            let runs = self.runs(statement, statements.get(..at).unwrap_or_default());
            let own = self.judge.cost(runs.unwrap_or(statement));
            if own > 0 {
                words = if runs.is_none() { statement.words() } else { None };
            }
            cost = cost.saturating_add(own);
        }
        self.judge.pay(cost, words, now)
    }

    /// The statement that EXECUTE runs, if it is one: of those before it in the same text, or of those that were sent.
    fn runs<'s>(&'s self, statement: &Prepared, before: &'s [Arc<Prepared>]) -> Option<&'s Prepared> {
        let Some(Kind::Execute { name }) = statement.statement.as_deref().map(|statement| &statement.kind)
        else {
            return None;
        };
        let same = before.iter().rev().find(|earlier| earlier.prepares_as(name));
        same.map(AsRef::as_ref).or_else(|| self.session.statement_sent(name.as_bytes()).map(AsRef::as_ref))
    }

    /// A COPY is sent: what follows waits until the server has said what becomes of it.
    const fn hold_for_copy(&mut self) {
        if !self.session.skipping() {
            self.copy = CopyState::Held;
        }
    }

    /// In a simple query another COPY may follow; behind Execute the next command is Sync.
    fn end_of_copy_data(&mut self) {
        if self.copy == CopyState::In {
            let simple = matches!(self.session.head().map(|e| &e.expected), Some(Expected::Query { .. }));
            self.copy = if simple { CopyState::Held } else { CopyState::None };
        }
    }

    fn parse(
        &mut self,
        message: Message<'_>,
        body: &[u8],
        up: &mut Out,
        now: Instant,
    ) -> Result<Step, Problem> {
        let Parse { name, text, types } = Parse::decode(body)?;
        let Some(mut judged) = self.judge_text(text, message.input, up, now)? else { return Ok(Step::Wait) };
        if prepared::is_reserved(name) && !self.judge.observes() {
            judged = Err(prepared::refuse_reserved());
        }
        let statement = match judged {
            Ok(mut all) => match (all.pop(), all.is_empty()) {
                (Some(only), true) => only,
                // None does nothing; several are refused by the server.
                _ if self.judge.observes() => Arc::new(self.judge.unknown(Ok(Run::SHOWN))),
                _ => Arc::new(self.judge.unknown(Ok(Run::CLOSED))),
            },
            Err(refusal) => Arc::new(self.judge.unknown(Err(refusal))),
        };
        statement.show_as(self.teller.text(text));
        statement.state_types(types);
        if statement.refusal().is_some() {
            Parse { name, text: REFUSED_TEXT, types: &[] }.write(up.owned(message.input));
        } else {
            let (other, wide) =
                (rewritten(text, std::slice::from_ref(&statement)), statement.widened_types());
            if other.is_none() && wide.is_none() {
                up.forward(message.input, message.range());
            } else {
                let text = other.as_ref().map_or(text, |other| other.as_bytes());
                Parse { name, text, types: wide.as_deref().unwrap_or(types) }.write(up.owned(message.input));
            }
        }
        self.expect(Expected::Parse { name: name.into(), statement }, false)?;
        Ok(Step::Used)
    }

    /// Analyses and judges a text; `None` if the catalog comes first.
    fn judge_text(
        &mut self,
        text: &[u8],
        input: &[u8],
        up: &mut Out,
        now: Instant,
    ) -> Result<Option<Judged>, Problem> {
        let answering = !self.session.settled();
        self.judge.refresh(now, answering);
        let judged = self.judge.statements(text);
        let mut all = judged.iter().flatten();
        let missing = all.any(|statement| statement.copies_by_place() || self.judge.names_missing(statement));
        let reads = judged.iter().flatten().any(|statement| statement.reads());
        let open = self.session.transaction() == Transaction::Open;
        let first = judged.as_ref().is_ok_and(|all| all.iter().all(|statement| statement.may_begin()));
        if !((open && first) || self.has_catalog(input, up, now, (missing, reads))?) {
            return Ok(None);
        }
        let executed = judged.iter().flatten().find_map(|statement| self.refusal_of_named(statement));
        let mut masks = judged.iter().flatten().filter_map(|statement| statement.masks());
        let written_back = masks.find_map(|masks| masks.check().err());
        Ok(Some(executed.or(written_back).map_or(judged, Err)))
    }

    /// Why EXECUTE may not run what it names, whichever statement that may be by then.
    fn refusal_of_named(&self, statement: &Prepared) -> Option<Refusal> {
        let Kind::Execute { name } = &statement.statement.as_ref()?.kind else { return None };
        let mut named = self.session.statements_called(name.as_bytes());
        named.find_map(|named| self.judge.refusal_now(named).or_else(|| self.judge.refusal_by_name(named)))
    }

    /// Whether the catalog need not be read first; else it is read.
    fn has_catalog(
        &mut self,
        input: &[u8],
        up: &mut Out,
        now: Instant,
        (missing, reads): (bool, bool),
    ) -> Result<bool, Problem> {
        let wait = self.wants_catalog(now, missing, reads);
        self.settling = wait == Wait::UntilSettled;
        if wait == Wait::Read {
            let nothing = Arc::new(self.judge.unknown(Ok(Run::CLOSED)));
            // A lock that is waited for in vain would end the client's transaction.
            let idle = self.session.transaction() == Transaction::Idle;
            let views = idle && self.views_not_before.is_none_or(|moment| now >= moment);
            let read = CatalogRead::start(&mut self.session, &nothing, views, (up.owned(input), now));
            self.reading = Some(read?);
        }
        Ok(wait == Wait::No)
    }

    /// Sees to it that the server describes the rows before they come.
    fn describe_first(&mut self, portal: &[u8], input: &[u8], up: &mut Out) -> Result<(), Problem> {
        let known = self.session.portal_sent(portal);
        let needless = known.is_some_and(|portal| {
            let holds = portal.plan.as_ref().is_none_or(|plan| plan.holds(self.labels()));
            portal.described && holds
                || portal.statement.as_ref().is_some_and(|s| self.judge.passes_undescribed(s))
        });
        if needless {
            return Ok(());
        }
        command::write_describe(up.owned(input), Target::Portal(portal));
        self.expect(Expected::Describe(Object::Portal(portal.into())), true)
    }
}

/// A text with values in the place of masks, if there are any.
fn rewritten(text: &[u8], statements: &[Arc<Prepared>]) -> Option<String> {
    let masks = || statements.iter().filter_map(|statement| statement.masks());
    let text = std::str::from_utf8(text).ok()?;
    masks().any(Translation::changes_text).then(|| Translation::text(text, masks()))
}

fn too_large() -> Refusal {
    Refusal {
        code: "54000",
        message: "IronVeil refused: parameters that are masks, or may be, are too large to be read"
            .to_owned(),
        hint: "Send less at once; \"writes: plain\" in the rule takes values as they are.",
    }
}

/// A Bind with values in the place of masks.
fn translate(bind: &Bind<'_>, statement: &Prepared) -> Result<Vec<u8>, Refusal> {
    let value = |(at, value): (usize, &Option<&[u8]>)| {
        let Some(masks) = statement.masks() else { return Ok(value.map(<[u8]>::to_vec)) };
        let format = if bind.is_binary(at) { Format::Binary } else { Format::Text };
        let mut found = Vec::new();
        let number = u32::try_from(at + 1).unwrap_or(u32::MAX);
        Ok(match masks.parameter(number, statement.type_of(at + 1), format, *value, &mut found)? {
            None => value.map(<[u8]>::to_vec),
            Some(Cell::Written) => Some(found),
            Some(Cell::Null) => None,
        })
    };
    let values: Vec<Option<Vec<u8>>> =
        bind.values().iter().enumerate().map(value).collect::<Result<_, _>>()?;
    let mut out = Vec::new();
    bind.write(&values, &mut out);
    Ok(out)
}

fn object(body: &[u8]) -> Result<Object, Problem> {
    Ok(match Target::decode(body)? {
        Target::Statement(name) => Object::Statement(name.into()),
        Target::Portal(name) => Object::Portal(name.into()),
    })
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
        self.input.get(self.at + frame::HEADER..).unwrap_or_default()
    }

    /// The body, if it is whole.
    fn body(self) -> Option<&'a [u8]> {
        self.available().get(..self.header.body)
    }

    /// What stands in the place of parameters, behind so many bytes of names, if it is not too long; `None` if not all of it
    /// has come.
    fn given(self, names: usize) -> Option<Option<&'a [u8]>> {
        let end = self.header.body.min(names + GIVEN_MAX);
        let given = self.available().get(names..end)?;
        Some((end == self.header.body).then_some(given))
    }

    const fn range(self) -> std::ops::Range<usize> {
        self.at..self.at + self.header.total()
    }
}
