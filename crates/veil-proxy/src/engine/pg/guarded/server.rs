//! From the server to the client.

use std::sync::Arc;
use std::time::{Duration, Instant};

use veil_policy::{CopyPlan, Plan, Run, Untraced};
use veil_sql::Kind;
use veil_wire::pg::copy;
use veil_wire::pg::frame::{self, Header};
use veil_wire::pg::reply::{self, Tag, Transaction};
use veil_wire::pg::session::{Expected, Object};

use super::{CatalogRead, CopyOut, CopyState, Defined, Guarded, Prepared, Streamed};
use crate::engine::observe;
use crate::out::Out;
use crate::problem::Problem;

/// A catalog that could not be read is read again after this long.
const READ_INTERVAL: Duration = Duration::from_secs(1);

/// Definitions of views that could not be read are asked for again after this long.
const VIEWS_INTERVAL: Duration = Duration::from_secs(30);

/// What becomes of a message.
pub(super) enum Pass {
    /// It goes to the client.
    Forward,
    /// It does not, or something else went in its place.
    Swallow,
}

impl Guarded {
    /// Takes bytes from the server; returns how many were used.
    ///
    /// # Errors
    /// The server broke the protocol, or sent rows that nothing is known of.
    pub(in crate::engine) fn server(
        &mut self,
        input: &[u8],
        down: &mut Out,
        now: Instant,
    ) -> Result<usize, Problem> {
        self.now = now;
        let used = self.messages(input, down, now);
        self.tell_of_values();
        used
    }

    fn messages(&mut self, input: &[u8], down: &mut Out, now: Instant) -> Result<usize, Problem> {
        let mut at = 0;
        loop {
            at += self.from_server.pass(input, at, down);
            let rest = input.get(at..).unwrap_or_default();
            if self.from_server.active() || rest.is_empty() {
                return Ok(at);
            }
            let Some(header) = Header::decode(rest).map_err(Problem::protocol)? else { return Ok(at) };
            let tag = Tag::decode(header.tag).map_err(Problem::protocol)?;
            if self.streams(tag)? {
                self.from_server = Streamed { left: header.total(), swallow: false };
                continue;
            }
            if header.body > tag.body_max() {
                return Err(Problem::new("54000", "a row or message is too large to be masked", ""));
            }
            let Some(message) = rest.get(..header.total()) else { return Ok(at) };
            let body = message.get(frame::HEADER..).unwrap_or_default();
            match self.reply(tag, body, input, down, now)? {
                Pass::Forward => down.forward(input, at..at + header.total()),
                Pass::Swallow => {}
            }
            at += header.total();
        }
    }

    /// Whether a message may pass without being looked at.
    fn streams(&mut self, tag: Tag) -> Result<bool, Problem> {
        match tag {
            Tag::DataRow => {
                if self.head_is_hidden() {
                    return Ok(false);
                }
                if self.rows.is_none() {
                    self.rows = Some(self.plan_of_rows().ok_or_else(|| {
                        Problem::new("08P01", "the server sent rows that it had not described", "")
                    })?);
                }
                let passes = self.rows.as_ref().is_some_and(|plan| plan.passes());
                self.sent += u64::from(passes);
                Ok(passes)
            }
            Tag::CopyData => match self.copying_out {
                Some(CopyOut::Pass) => {
                    self.sent += 1;
                    Ok(true)
                }
                Some(CopyOut::Masked(_)) => Ok(false),
                None => Err(Problem::protocol("COPY data that nobody asked for")),
            },
            _ => Ok(false),
        }
    }

    pub(super) fn head_is_hidden(&self) -> bool {
        self.session.head().is_some_and(|entry| entry.hidden)
    }

    /// The plan for rows of a portal; those of a simple query come with their description.
    fn plan_of_rows(&self) -> Option<Arc<Plan>> {
        let Expected::Execute(name) = &self.session.head()?.expected else { return None };
        let portal = self.session.portal(name)?;
        let statement = portal.statement.as_ref();
        if let Some(plan) = &portal.plan {
            // A portal may be older than the rights that are in force.
            if !plan.holds(self.labels()) {
                return None;
            }
            // EXECUTE and FETCH run what goes by a name now; the description was that of what did then.
            let named =
                statement.filter(|statement| runs_another(statement)).map(|statement| self.named(statement));
            let same = match (named, &portal.source) {
                (None, _) => true,
                (Some(Some(now)), Some(then)) => Arc::ptr_eq(now, then),
                (Some(_), _) => false,
            };
            return same.then(|| Arc::clone(plan));
        }
        let statement = statement?;
        self.judge.passes_undescribed(statement).then(|| Arc::new(Plan::pass()))
    }

    fn reply(
        &mut self,
        tag: Tag,
        body: &[u8],
        input: &[u8],
        down: &mut Out,
        now: Instant,
    ) -> Result<Pass, Problem> {
        match tag {
            Tag::DataRow => return self.row(body, input, down),
            Tag::CopyData => {
                let Some(CopyOut::Masked(plan)) = &mut self.copying_out else {
                    return Err(Problem::protocol("COPY data that nobody asked for"));
                };
                plan.write(body, down.owned(input))?;
                self.sent += 1;
                return Ok(Pass::Swallow);
            }
            Tag::ErrorResponse => return self.error(body, input, down),
            Tag::NoticeResponse => return self.notice(body, input, down),
            Tag::NotificationResponse if !self.judge.observes() => {
                // A trigger may have put a row into the payload.
                let (process, channel, _) = reply::decode_notification(body)?;
                reply::write_notification(down.owned(input), process, channel, b"");
                return Ok(Pass::Swallow);
            }
            Tag::ParameterDescription => {
                let (count, told) = body.split_at_checked(2).unwrap_or_default();
                let stated = self.head_statement().and_then(|statement| statement.stated_types(told));
                let Some(stated) = stated else { return Ok(Pass::Forward) };
                reply::write_parameter_description(down.owned(input), count, &stated);
                return Ok(Pass::Swallow);
            }
            Tag::ParameterStatus => {
                let (name, value) = reply::decode_parameter(body)?;
                self.check_setting(name, value)?;
                return Ok(Pass::Forward);
            }
            _ => {}
        }
        let hidden = match tag {
            Tag::ParseComplete => self.session.complete(|e| matches!(e, Expected::Parse { .. }))?.hidden,
            Tag::BindComplete => self.session.complete(|e| matches!(e, Expected::Bind { .. }))?.hidden,
            Tag::CloseComplete => self.session.complete(|e| matches!(e, Expected::Close(_)))?.hidden,
            Tag::NoData => self.session.complete(|e| matches!(e, Expected::Describe(_)))?.hidden,
            Tag::NotificationResponse => false,
            Tag::FunctionCallResponse if self.judge.observes() => false,
            Tag::RowDescription => self.description(body)?,
            Tag::CommandComplete | Tag::EmptyQueryResponse => {
                self.turned(body);
                self.ended(reply::rows_of_tag(body))?
            }
            Tag::PortalSuspended => {
                let entry = self.session.complete(|e| matches!(e, Expected::Execute(_)))?;
                if let Expected::Execute(name) = &entry.expected
                    && !entry.hidden
                {
                    let statement = self.executed(name);
                    self.tell(statement.as_deref(), entry.at, 0, None);
                }
                entry.hidden
            }
            Tag::ReadyForQuery => self.ready(body, now)?,
            Tag::CopyInResponse => {
                if self.copy != CopyState::Held || self.head_is_hidden() {
                    return Err(Problem::protocol("the server wants COPY data that nobody announced"));
                }
                self.copy = CopyState::In;
                self.kept_sync = false;
                false
            }
            Tag::CopyOutResponse => {
                let shown = self.copy_out(body)?;
                self.copying_out =
                    Some(shown.ok_or_else(|| Problem::protocol("COPY data that cannot be shown"))?);
                false
            }
            Tag::CopyDone => false,
            Tag::Authentication
            | Tag::BackendKeyData
            | Tag::CopyBothResponse
            | Tag::CopyData
            | Tag::DataRow
            | Tag::ErrorResponse
            | Tag::FunctionCallResponse
            | Tag::NegotiateProtocolVersion
            | Tag::NoticeResponse
            | Tag::ParameterDescription
            | Tag::ParameterStatus => {
                return Err(Problem::protocol("unexpected message type from server"));
            }
        };
        Ok(if hidden { Pass::Swallow } else { Pass::Forward })
    }

    fn row(&mut self, body: &[u8], input: &[u8], down: &mut Out) -> Result<Pass, Problem> {
        if self.head_is_hidden() {
            if let Some(reading) = &mut self.reading {
                reading.row(body)?;
            }
        } else if let Some(plan) = &self.rows {
            plan.write_row(body, down.owned(input))?;
            self.sent += 1;
        }
        Ok(Pass::Swallow)
    }

    /// RowDescription: makes the plan of the rows that follow. Returns whether it is hidden.
    fn description(&mut self, body: &[u8]) -> Result<bool, Problem> {
        let fields = reply::decode_row_description(body)?;
        let head = self.head_statement();
        let run = head.as_deref().map_or(Run::CLOSED, |own| match self.judge.observes() {
            true => self.judge.would_run(self.named(own).map_or(own, AsRef::as_ref)),
            false => self.run_resolved(own),
        });
        let executed = head.as_deref().map(|own| self.named(own).map_or(own, AsRef::as_ref));
        let statement = executed.and_then(|prepared| prepared.statement.as_deref());
        let mut plan = Plan::new(&fields, run.untraced, statement, self.labels());
        if self.judge.observes() {
            observe::masked(plan.masked().len());
            plan = Plan::pass();
        }
        let plan = Arc::new(plan);
        if let Some(Expected::Query { .. }) = self.session.head().map(|entry| &entry.expected) {
            self.rows = Some(plan);
            return Ok(false);
        }
        let entry = self.session.complete(|e| matches!(e, Expected::Describe(_)))?;
        match &entry.expected {
            Expected::Describe(Object::Portal(name)) => {
                let statement = self.session.portal(name).and_then(|portal| portal.statement.as_ref());
                let source = statement.and_then(|statement| self.named(statement)).cloned();
                self.note_described(statement, &plan);
                self.session.describe_portal(name, &plan, source);
            }
            Expected::Describe(Object::Statement(name)) => {
                self.note_described(self.session.statement(name), &plan);
            }
            _ => {}
        }
        Ok(entry.hidden)
    }

    fn note_described(&self, statement: Option<&Arc<Prepared>>, plan: &Plan) {
        if let (true, Some(statement)) = (plan.passes(), statement) {
            self.judge.note_described(statement);
        }
    }

    /// After a part of a transaction was taken back, or all of it has come to be seen, what was read inside is no more true.
    fn turned(&mut self, tag: &[u8]) {
        let (back, forth) = (tag.starts_with(b"ROLLBACK"), tag.starts_with(b"COMMIT"));
        let own = self.defined != Defined::Nothing || self.judge.view.has_own();
        if (back || forth) && (own || tag.ends_with(b"PREPARED\0")) {
            self.judge.slot().invalidate();
            self.defined = Defined::Unread;
        }
    }

    /// CommandComplete, which says that there are so many rows, or EmptyQueryResponse: returns whether it is hidden.
    fn ended(&mut self, rows: u64) -> Result<bool, Problem> {
        if let Some((Expected::Query { .. }, at)) =
            self.session.head().map(|entry| (&entry.expected, entry.at))
        {
            let statement = self.session.statement_done()?;
            self.tell(Some(&statement), at, rows, None);
            self.register(&statement);
            return Ok(false);
        }
        let entry = self.session.complete(|e| matches!(e, Expected::Execute(_)))?;
        self.settle_copy();
        if entry.hidden {
            (self.rows, self.copying_out, self.sent) = (None, None, 0);
            self.reading.as_mut().into_iter().for_each(CatalogRead::next);
        } else if let Expected::Execute(name) = &entry.expected {
            let statement = self.executed(name);
            self.tell(statement.as_deref(), entry.at, rows, None);
            statement.iter().for_each(|statement| self.register(statement));
        }
        Ok(entry.hidden)
    }

    /// Notes what SQL has done to names.
    fn register(&mut self, prepared: &Prepared) {
        let Some(statement) = prepared.statement.as_ref() else { return };
        match &statement.kind {
            Kind::Prepare { name, inner } => {
                let inner = Arc::new(self.judge.prepare(inner, None));
                self.session.prepared(name.as_bytes(), &inner);
            }
            Kind::Declare { name, hold, inner } => {
                let inner = Arc::new(self.judge.prepare(inner, None));
                self.session.declared(name.as_bytes(), &inner, *hold);
            }
            Kind::Deallocate { name } => self.session.deallocated(name.as_deref().map(str::as_bytes)),
            Kind::Close { name } => self.session.closed(name.as_deref().map(str::as_bytes)),
            Kind::DiscardAll => {
                self.session.deallocated(None);
                self.session.closed(None);
            }
            Kind::Define(_) => self.defined = Defined::Unread,
            _ => {}
        }
    }

    fn ready(&mut self, body: &[u8], now: Instant) -> Result<bool, Problem> {
        self.answers = self.answers.wrapping_add(1);
        (self.rows, self.copying_out, self.sent) = (None, None, 0);
        let hidden = self.session.ready(reply::decode_ready(body)?)?;
        self.settle_copy();
        let open = self.session.transaction() == Transaction::Open;
        if !open {
            if std::mem::replace(&mut self.defined, Defined::Nothing) != Defined::Nothing {
                self.judge.slot().invalidate();
            }
            self.judge.view.release();
        }
        if hidden {
            let with_views = self.reading.as_ref().is_some_and(CatalogRead::reads_views);
            let known = self.judge.labels().catalog();
            match self.reading.take().and_then(|reading| reading.finish(known)) {
                Some(catalog) if open => {
                    let catalog = match self.judge.slot().catalog() {
                        Some(shared) => catalog.with_roles_of(&shared),
                        None => catalog,
                    };
                    self.judge.view.adopt(catalog, now);
                    if self.defined == Defined::Unread {
                        self.defined = Defined::Read;
                    }
                }
                Some(catalog) => self.judge.slot().install(catalog, now),
                // Perhaps they are locked.
                None if with_views => {
                    self.views_not_before = Some(now + VIEWS_INTERVAL);
                    self.judge.slot().give_back();
                }
                None => {
                    // A later statement tries again; until one succeeds, nothing is known.
                    self.judge.distrust();
                    self.read_not_before = Some(now + READ_INTERVAL);
                }
            }
        }
        Ok(hidden)
    }

    /// The statement at the head of the queue.
    pub(super) fn head_statement(&self) -> Option<Arc<Prepared>> {
        match self.session.head().map(|entry| &entry.expected) {
            Some(Expected::Query { statements, done }) => statements.get(*done).cloned(),
            Some(Expected::Describe(Object::Statement(name))) => self.session.statement(name).cloned(),
            Some(Expected::Describe(Object::Portal(name)) | Expected::Execute(name)) => {
                self.session.portal(name).and_then(|portal| portal.statement.clone())
            }
            Some(Expected::Bind { statement, .. }) => self.session.statement(statement).cloned(),
            _ => None,
        }
    }

    /// How a statement runs; EXECUTE and FETCH run as what they name does, with their own parameters.
    pub(super) fn run_resolved(&self, prepared: &Prepared) -> Run {
        let own = self.judge.run(prepared);
        if !runs_another(prepared) {
            return own;
        }
        let Some(inner) = self.named(prepared).map(|inner| self.judge.run(inner)) else { return Run::CLOSED };
        let untraced = if own.untraced == Untraced::Show { inner.untraced } else { Untraced::Close };
        Run { untraced, clean: false, scrub: true }
    }

    /// What EXECUTE or FETCH names.
    fn named(&self, prepared: &Prepared) -> Option<&Arc<Prepared>> {
        match &prepared.statement.as_deref()?.kind {
            Kind::Execute { name } => self.session.statement(&name.as_bytes().into()),
            Kind::Fetch { name } => self.session.portal(&name.as_bytes().into())?.statement.as_ref(),
            _ => None,
        }
    }

    /// A COPY is the last that was sent: it has ended once the server owes nothing. Until then, what the client
    /// sends waits; ReadyForQuery follows a simple query that failed.
    pub(super) fn settle_copy(&mut self) {
        if self.session.settled() {
            self.copy = CopyState::None;
        } else if self.copy == CopyState::In {
            self.copy = CopyState::Held;
        }
    }

    /// How the data of the COPY at the head of the queue are shown.
    fn copy_out(&self, response: &[u8]) -> Result<Option<CopyOut>, Problem> {
        let prepared = match self.session.head().map(|entry| &entry.expected) {
            Some(Expected::Query { statements, done }) => statements.get(*done),
            Some(Expected::Execute(name)) => {
                self.session.portal(name).and_then(|portal| portal.statement.as_ref())
            }
            _ => None,
        };
        let Some(prepared) = prepared else { return Ok(None) };
        let run = self.judge.run(prepared);
        if self.judge.observes() {
            return Ok(Some(CopyOut::Pass));
        }
        let statement = prepared.statement.as_ref().filter(|s| matches!(s.kind, Kind::CopyOut(_)));
        let Some(statement) = statement else { return Ok(None) };
        if run.clean && self.labels().scan().is_none() {
            return Ok(Some(CopyOut::Pass));
        }
        let (binary, columns) = copy::decode_response(response)?;
        let known = run.clean || run.untraced == Untraced::Follow;
        let plan =
            known.then(|| CopyPlan::new(statement, self.labels(), run.untraced, binary, columns)).flatten();
        Ok(plan.map(CopyOut::Masked))
    }
}

/// Whether a statement runs another that goes by a name.
fn runs_another(prepared: &Prepared) -> bool {
    matches!(prepared.statement.as_deref().map(|s| &s.kind), Some(Kind::Execute { .. } | Kind::Fetch { .. }))
}
