//! From the server to the client.

use std::sync::Arc;
use std::time::{Duration, Instant};

use veil_policy::mysql::{Context, Plan};
use veil_sql::mysql::{Definition, Kind};
use veil_wire::mysql::frame::{self, HEADER, Header, Message};
use veil_wire::mysql::limits;
use veil_wire::mysql::reply::{self, Column, End, Error, Prepared as PreparedOk, status};
use veil_wire::{Cursor, Malformed};

use super::{Guarded, Hidden, Judged, Phase, Prepared, Reply, Stage};
use crate::engine::mysql::hidden::Progress;
use crate::engine::mysql::judge::masked_number;
use crate::engine::mysql::scrub;
use crate::engine::observe;
use crate::out::Out;
use crate::problem::Problem;

/// Number of what is said without having been asked: the next that clients wait for is the answer to a command.
const UNASKED: u8 = 1;

/// A catalog that could not be read is read again after this long.
const READ_INTERVAL: Duration = Duration::from_secs(1);

/// What becomes of a message.
pub(super) enum Pass {
    /// It goes to the client.
    Forward,
    /// These go in its place, or none.
    Instead(Vec<Vec<u8>>),
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
            at += self.from_server.piece.pass(input, at, down);
            let rest = input.get(at..).unwrap_or_default();
            if self.from_server.active() || rest.is_empty() {
                return Ok(at);
            }
            let Some(header) = Header::decode(rest) else { return Ok(at) };
            if self.from_server.continues || self.streams(header, rest)? {
                self.sent += u64::from(!self.from_server.continues);
                at += self.begin(header, input, at, down);
                continue;
            }
            let max = if self.in_rows() { limits::ROW_MAX } else { self.message_max() };
            let Some(message) = frame::decode(rest, max).map_err(|_| too_large())? else { return Ok(at) };
            self.message(&message, input, at, down, now)?;
            at += message.total;
        }
    }

    const fn message_max(&self) -> usize {
        match self.phase {
            Phase::Hidden(_) => Hidden::message_max(),
            Phase::Idle | Phase::Reply(_) => limits::REPLY_MAX,
        }
    }

    fn in_rows(&self) -> bool {
        matches!(&self.phase, Phase::Reply(reply) if reply.stage == Stage::Rows)
    }

    /// Whether a message may pass without being looked at.
    fn streams(&self, header: Header, rest: &[u8]) -> Result<bool, Problem> {
        let Phase::Reply(reply) = &self.phase else { return Ok(false) };
        if reply.stage != Stage::Rows || header.body == 0 {
            return Ok(false);
        }
        let Some(first) = rest.get(HEADER) else { return Ok(false) };
        if self.ends_rows(*first, header.body) {
            return Ok(false);
        }
        match &reply.plan {
            Some(plan) => Ok(plan.passes()),
            None => Err(Problem::protocol("rows that the server had not described")),
        }
    }

    fn ends_rows(&self, first: u8, length: usize) -> bool {
        first == reply::ERR || reply::ends_rows(first, length, self.capabilities)
    }

    /// Lets a part pass, by its number or another; returns how many bytes of it were used at once.
    fn begin(&mut self, header: Header, input: &[u8], at: usize, down: &mut Out) -> usize {
        let own = self.sequence;
        self.sequence = own.wrapping_add(1);
        if own == header.sequence {
            self.from_server.begin(header.total(), false, header.continues());
            return self.from_server.piece.pass(input, at, down);
        }
        Header { sequence: own, ..header }.write(down.owned(input));
        self.from_server.begin(header.body, false, header.continues());
        HEADER
    }

    fn message(
        &mut self,
        message: &Message<'_>,
        input: &[u8],
        at: usize,
        down: &mut Out,
        now: Instant,
    ) -> Result<(), Problem> {
        let payload = message.payload.as_ref();
        let first = *payload.first().ok_or(Malformed("an empty message from server"))?;
        let pass = match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Hidden(hidden) => return self.hidden(hidden, payload, now),
            Phase::Idle => self.unasked(first, payload)?,
            Phase::Reply(mut reply) => {
                if reply.stage == Stage::Rows && !self.ends_rows(first, payload.len()) {
                    self.row(&reply, payload, input, down)?;
                    self.phase = Phase::Reply(reply);
                    return Ok(());
                }
                let (pass, more) = self.reply(&mut reply, first, payload)?;
                if more {
                    self.phase = Phase::Reply(reply);
                }
                pass
            }
        };
        let expected = Header::decode(input.get(at..).unwrap_or_default()).map(|header| header.sequence);
        match pass {
            Pass::Forward if expected == Some(self.sequence) => {
                down.forward(input, at..at + message.total);
                self.sequence = message.sequence.wrapping_add(1);
            }
            Pass::Forward => {
                frame::write(down.owned(input), &mut self.sequence, |out| out.extend_from_slice(payload))
            }
            Pass::Instead(others) => {
                for other in others {
                    frame::write(down.owned(input), &mut self.sequence, |out| out.extend(other));
                }
            }
        }
        if matches!(self.phase, Phase::Idle) {
            self.sequence = UNASKED;
        }
        self.described_at = self.described_at.or(Some(now)).filter(|_| self.next_transaction);
        Ok(())
    }

    /// The server speaks although nobody has asked: it is about to leave.
    fn unasked(&mut self, first: u8, payload: &[u8]) -> Result<Pass, Problem> {
        if first != reply::ERR {
            return Err(Problem::protocol("a message from server that nobody asked for"));
        }
        self.ending = true;
        self.sequence = UNASKED;
        let mut out = Vec::new();
        scrub::put(&Error::decode(payload)?, false, &mut out);
        Ok(Pass::Instead(vec![out]))
    }

    fn hidden(&mut self, mut hidden: Box<Hidden>, payload: &[u8], now: Instant) -> Result<(), Problem> {
        match hidden.message(payload, self.capabilities)? {
            Progress::Waiting => self.phase = Phase::Hidden(hidden),
            Progress::Next => {
                self.next_query = true;
                self.phase = Phase::Hidden(hidden);
            }
            Progress::Settings(settings) => self.settings = Some(settings),
            Progress::Catalog(catalog) if self.sees_the_past() => self.judge.adopt(*catalog, now),
            Progress::Catalog(catalog) => {
                self.judge.slot().install(*catalog, now);
                self.judge.refresh(now);
            }
            Progress::Columns(columns) => {
                if let Some(name) = self.unread.pop() {
                    self.judge.note_temporary(&name, columns)?;
                }
            }
            Progress::Failed if hidden.is_of_columns() => drop(self.unread.pop()),
            Progress::Failed if hidden.is_catalog() => {
                tracing::warn!(
                    number = Error::decode(payload).map_or(0, |error| error.number),
                    "the catalog could not be read"
                );
                self.judge.distrust();
                self.read_not_before = Some(now + READ_INTERVAL);
            }
            Progress::Failed => {
                return Err(Problem::new("0A000", "the session's settings could not be read", ""));
            }
        }
        Ok(())
    }

    fn row(&mut self, reply: &Reply, payload: &[u8], input: &[u8], down: &mut Out) -> Result<(), Problem> {
        let plan =
            reply.plan.as_ref().ok_or_else(|| Problem::protocol("rows that the server had not described"))?;
        let out = down.owned(input);
        let start = out.len();
        out.extend([0; HEADER]);
        if let Err(error) = plan.write_row(reply.format, payload, out) {
            out.truncate(start);
            return Err(error.into());
        }
        frame::seal(out, start, &mut self.sequence);
        self.sent += 1;
        Ok(())
    }

    /// Takes a message that is no row; says whether more of the answer follows.
    fn reply(&mut self, reply: &mut Reply, first: u8, payload: &[u8]) -> Result<(Pass, bool), Problem> {
        if first == reply::ERR {
            let number = Error::decode(payload).map_or(0, |error| error.number);
            self.tell(reply, 0, Some(number.to_string()));
            return self.error(reply, payload).map(|pass| (pass, false));
        }
        match reply.stage {
            Stage::First if first == reply::OK => self.ok(reply, payload),
            Stage::First if first == reply::LOCAL_FILE => Err(Problem::new(
                "0A000",
                "the server asks for a file of the client, which is not allowed",
                "",
            )),
            Stage::First => {
                let mut cursor = Cursor::new(payload);
                let count = usize::try_from(cursor.lenenc()?).unwrap_or(usize::MAX);
                cursor.end()?;
                if count == 0 || count > limits::COLUMNS_MAX {
                    return Err(Problem::protocol("an impossible number of columns"));
                }
                reply.definitions.clear();
                reply.plan = None;
                reply.stage = Stage::Definitions(count);
                Ok((Pass::Forward, true))
            }
            Stage::Definitions(left) => {
                // They wait for the plan: what is hidden may show in them too.
                reply.definitions.push(payload.to_vec());
                if left > 1 {
                    reply.stage = Stage::Definitions(left - 1);
                    return Ok((Pass::Instead(Vec::new()), true));
                }
                let definitions = self.described(reply)?;
                reply.stage = if self.deprecates_eof() { Stage::Rows } else { Stage::DefinitionsEnd };
                Ok((Pass::Instead(definitions), true))
            }
            Stage::DefinitionsEnd => {
                reply.stage = Stage::Rows;
                let end = End::decode_eof(payload, self.capabilities)?;
                // Of an open cursor no rows come until they are fetched. A cursor inside a function looks the same.
                let cursor = reply.cursor && end.status & status::CURSOR_EXISTS != 0 && !end.more();
                let pass = self.without_warnings(reply, payload)?;
                Ok((pass, !cursor || self.ended(reply, end)))
            }
            Stage::Rows => {
                let end = End::decode_eof(payload, self.capabilities)?;
                let pass = self.without_warnings(reply, payload)?;
                Ok((pass, self.ended(reply, end)))
            }
            Stage::Prepared => self.prepared(reply, payload),
            Stage::Packets(left, columns) => {
                reply.stage = match left {
                    0 | 1 if columns > 0 => Stage::PreparedDefinitions(columns),
                    left => Stage::Packets(left.saturating_sub(1), columns),
                };
                Ok((Pass::Forward, left > 1 || columns > 0))
            }
            Stage::PreparedDefinitions(left) => {
                reply.definitions.push(payload.to_vec());
                if left > 1 {
                    reply.stage = Stage::PreparedDefinitions(left - 1);
                    return Ok((Pass::Instead(Vec::new()), true));
                }
                let definitions = self.described(reply)?;
                reply.stage = Stage::Packets(1, 0);
                Ok((Pass::Instead(definitions), !self.deprecates_eof()))
            }
            Stage::Fields => self.field(first, payload),
            Stage::Single => {
                self.single(reply.then);
                Ok((Pass::Forward, false))
            }
        }
    }

    /// The end of a result, in which nothing is said of warnings where their number may follow from values.
    fn without_warnings(&self, reply: &Reply, payload: &[u8]) -> Result<Pass, Problem> {
        let judged = reply.judged();
        let counter = self.judge.counter(&judged);
        if judged.run.clean && counter.is_none() {
            return Ok(Pass::Forward);
        }
        let number = |number| counter.as_ref().map_or(number, |mask| masked_number(mask, number));
        Ok(Pass::Instead(vec![End::without_warnings(payload, self.capabilities, number)?]))
    }

    /// All columns of a result are known: makes the plan of its rows, and the definitions that the client gets.
    fn described(&mut self, reply: &mut Reply) -> Result<Vec<Vec<u8>>, Problem> {
        let judged = reply.judged();
        let columns =
            reply.definitions.iter().map(|payload| Column::decode_whole(payload, self.capabilities));
        let columns: Vec<Column<'_>> = columns.collect::<Result<_, _>>()?;
        let context = Context {
            labels: self.judge.labels(),
            database: judged.place.database.as_deref(),
            names: self.settings.as_ref().and_then(|settings| settings.names),
            format: reply.format,
        };
        let plan = Plan::new(&columns, &judged.statement, judged.would_run(), context)?;
        let plan = Arc::new(if self.judge.observes() { observe::plan(plan) } else { plan });
        if let Some(prepared) = reply.prepared.and_then(|number| self.statements.get_mut(&number)) {
            prepared.cursor = Some(Arc::clone(&plan));
        }
        let mut definitions = std::mem::take(&mut reply.definitions);
        for (at, payload) in definitions.iter_mut().enumerate() {
            if plan.hides(at) {
                let mut hidden = Vec::with_capacity(payload.len());
                reply::put_null_column(&mut hidden, payload, self.capabilities)?;
                *payload = hidden;
            }
        }
        reply.plan = Some(plan);
        Ok(definitions)
    }

    /// A result has ended; says whether another follows.
    fn ended(&mut self, reply: &mut Reply, end: End) -> bool {
        self.tell(reply, 0, None);
        // What follows is another result.
        reply.plan = None;
        let judged = reply.judged();
        self.ended_with(end.status, &judged);
        self.note_warnings(&judged);
        self.note_code(&judged);
        if judged.may_set_variables && judged.statement.facts.writes.is_empty() {
            // A function that is not known may set the session's settings, too.
            self.settings = None;
        }
        // A procedure ends with an OK of its own.
        if judged.statement.kind != Kind::Call {
            reply.at += 1;
        }
        reply.stage = Stage::First;
        end.more()
    }

    /// A statement has ended with this status.
    fn ended_with(&mut self, flags: u16, judged: &Judged) {
        let begun = flags & status::IN_TRANSACTION != 0 || !judged.statement.facts.tables.is_empty();
        self.next_transaction &= !begun;
        self.in_transaction = flags & status::IN_TRANSACTION != 0;
        if !self.in_transaction {
            self.judge.release();
        }
    }

    /// Tables have come and gone, or may have where the statement failed.
    pub(super) fn defined(
        &mut self,
        definition: &Definition,
        judged: &Judged,
        failed: bool,
    ) -> Result<(), Problem> {
        if !definition.temporary {
            self.judge.slot().invalidate();
        }
        let database = judged.place.database.as_deref();
        for name in definition.gone.iter().map(|name| name.inside(database)) {
            // A list of them may have been dropped in part.
            self.judge.drop_temporary(&name, failed);
            self.unread.retain(|unread| *unread != name);
        }
        let made = definition.made.iter().filter(|_| definition.temporary && !failed);
        for name in made.map(|name| name.inside(database)) {
            self.judge.note_temporary(&name, Vec::new())?;
            // One that was there may be of code's making.
            if !(definition.keeps && self.code_ran) {
                self.unread.push(name);
            }
        }
        Ok(())
    }

    /// What a statement may have done that its text does not show.
    pub(super) fn note_code(&mut self, judged: &Judged) {
        self.tainted |= judged.may_set_variables;
        if judged.may_set_variables || judged.statement.kind == Kind::Call {
            self.code_ran = true;
            self.unread.clear();
            self.judge.spoil_temporary();
        }
    }

    fn ok(&mut self, reply: &mut Reply, payload: &[u8]) -> Result<(Pass, bool), Problem> {
        let end = End::decode_ok(payload)?;
        self.tell(reply, reply::rows_of_ok(payload), None);
        let judged = reply.judged();
        self.ended_with(end.status, &judged);
        self.note_warnings(&judged);
        self.note_code(&judged);
        match &judged.statement.kind {
            Kind::Set { role, once } => {
                self.settings = None;
                self.next_transaction |= once;
                if *role {
                    self.judge.distrust();
                }
            }
            Kind::Use(_) | Kind::Call => self.settings = None,
            Kind::Prepare { name, inner } => {
                drop(self.named.insert(name.clone(), (Arc::clone(inner), judged.place.clone())));
            }
            Kind::Deallocate { name } => drop(self.named.remove(name)),
            Kind::Define(definition) => self.defined(definition, &judged, false)?,
            _ => {}
        }
        if self.named.len() > limits::STATEMENTS_MAX {
            return Err(Problem::new("54000", "too many prepared statements", ""));
        }
        let pass = self.without_warnings(reply, payload)?;
        reply.at += 1;
        reply.stage = Stage::First;
        Ok((pass, end.more()))
    }

    /// Remembers whether the warnings that the server keeps may tell of values.
    pub(super) fn note_warnings(&mut self, judged: &Judged) {
        if !judged.statement.facts.asks_warnings {
            // What names no table may leave the warnings as they are.
            self.veiled = !judged.run.clean || (self.veiled && judged.statement.facts.tables.is_empty());
        }
    }

    fn prepared(&mut self, reply: &mut Reply, payload: &[u8]) -> Result<(Pass, bool), Problem> {
        let ok = PreparedOk::decode(payload)?;
        let judged = reply.judged();
        let made = Prepared::new(judged, reply.shown.clone(), ok.parameters);
        self.statements.insert(ok.statement, made);
        self.last_prepared = Some(ok.statement);
        let packets = |count: u16| match usize::from(count) {
            0 => 0,
            count => count + usize::from(!self.deprecates_eof()),
        };
        let (left, columns) = (packets(ok.parameters), usize::from(ok.columns));
        reply.stage =
            if left > 0 { Stage::Packets(left, columns) } else { Stage::PreparedDefinitions(columns) };
        Ok((Pass::Forward, left + columns > 0))
    }

    /// A column of COM_FIELD_LIST, of which the default value is left out.
    fn field(&mut self, first: u8, payload: &[u8]) -> Result<(Pass, bool), Problem> {
        if reply::ends_rows(first, payload.len(), self.capabilities) {
            return Ok((Pass::Forward, false));
        }
        let column = Column::decode(payload, self.capabilities)?;
        let mut out = payload.get(..column.default_at).unwrap_or_default().to_vec();
        out.push(0xfb);
        Ok((Pass::Instead(vec![out]), true))
    }
}

fn too_large() -> Problem {
    Problem::new("54000", "a row or message is too large to be masked", "")
}
