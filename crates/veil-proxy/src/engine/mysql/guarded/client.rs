//! From the client to the server.

mod reading;
mod refuse;
mod statements;

use std::sync::Arc;
use std::time::Instant;

use veil_policy::{Refusal, Translation};
use veil_sql::mysql::analyse::Analysis;
use veil_sql::mysql::{Kind, Show, Statement};
use veil_wire::mysql::command::{self, Command};
use veil_wire::mysql::frame::{self, HEADER, Header, Message};
use veil_wire::mysql::startup::ChangeUser;
use veil_wire::mysql::{capability as cap, limits};

pub(in crate::engine::mysql) use self::reading::Numbers;
use self::reading::Reading;
use self::statements::{cursor_is_past, nothing_prepared};
use super::{
    Guarded, Hidden, Judged, Phase, Place, Reply, Settings, Stage, Then, decode_text, problem, refusal,
};
use crate::engine::mysql::hidden;
use crate::engine::observe;
use crate::out::Out;
use crate::problem::Problem;

/// How far a message has come.
enum Step {
    /// It was used, so many bytes.
    Used(usize),
    /// It passes in pieces.
    Streamed,
    /// It is not whole yet, or has to wait.
    Wait,
}

/// Where things go.
struct Ways<'a> {
    input: &'a [u8],
    at: usize,
    up: &'a mut Out,
    down: &'a mut Out,
    now: Instant,
}

impl<'a> Ways<'a> {
    fn rest(&self) -> &'a [u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    fn forward(&mut self, total: usize) {
        self.up.forward(self.input, self.at..self.at + total);
    }

    fn up(&mut self) -> &mut Vec<u8> {
        self.up.owned(self.input)
    }
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
        down: &mut Out,
        now: Instant,
    ) -> Result<usize, Problem> {
        self.now = now;
        if let (true, Phase::Hidden(hidden)) = (std::mem::take(&mut self.next_query), &self.phase) {
            hidden.put_query(self.capabilities, up.owned(input));
        }
        let mut at = 0;
        loop {
            at += self.from_client.piece.pass(input, at, up);
            if !self.from_client.active()
                && !self.from_client.continues
                && let Some(problem) = self.refused.take()
            {
                self.tell_of_refusal(problem.code);
                down.owned(&[]).extend(problem.mysql(self.sequence));
            }
            let rest = input.get(at..).unwrap_or_default();
            if self.from_client.active() || rest.is_empty() {
                return Ok(at);
            }
            if self.from_client.continues {
                let Some(header) = Header::decode(rest) else { return Ok(at) };
                // The answer follows the last part.
                self.sequence = header.sequence.wrapping_add(1);
                let swallow = self.from_client.piece.swallow;
                self.from_client.begin(header.total(), swallow, header.continues());
                continue;
            }
            if self.is_busy() {
                return Ok(at);
            }
            let Some(header) = Header::decode(rest) else { return Ok(at) };
            // What goes wrong from here on is the answer to this.
            self.sequence = header.sequence.wrapping_add(1);
            if header.body == 0 {
                return Err(Problem::protocol("an empty command"));
            }
            let Some(first) = rest.get(HEADER) else { return Ok(at) };
            self.commands = self.commands.wrapping_add(1);
            let mut ways = Ways { input, at, up: &mut *up, down: &mut *down, now };
            match self.command(Command::decode(*first), header, &mut ways)? {
                Step::Used(total) => at += total,
                Step::Streamed => {}
                Step::Wait => return Ok(at),
            }
        }
    }

    fn command(&mut self, command: Command, header: Header, ways: &mut Ways<'_>) -> Result<Step, Problem> {
        self.shown = None;
        match command {
            Command::StmtSendLongData => {
                let Some(body) = ways.rest().get(HEADER + 1..HEADER + header.body.min(5)) else {
                    return Ok(Step::Wait);
                };
                let number = command::statement(body)?;
                if let Some(known) = self.number(number).and_then(|number| self.statements.get_mut(&number)) {
                    known.long_data = true;
                }
                self.from_client.begin(header.total(), false, header.continues());
                return Ok(Step::Streamed);
            }
            Command::StmtExecute | Command::StmtBulkExecute => return self.execute(header, ways),
            Command::Other(_) | Command::Debug => {
                let what = "this command of the protocol is not available where columns are masked";
                return Ok(self.pass_over(header, Problem::new("0A001", what, "")));
            }
            _ => {}
        }
        let max = match command {
            Command::Query | Command::StmtPrepare => limits::STATEMENT_MAX,
            _ => limits::AUTH_MAX,
        };
        let Some(message) = frame::decode(ways.rest(), max)? else { return Ok(Step::Wait) };
        let body = message.payload.get(1..).unwrap_or_default();
        let reply = match command {
            Command::Query => return self.query(&message, body, ways),
            Command::StmtPrepare => return self.prepare(&message, body, ways),
            Command::ChangeUser => {
                self.change = Some(ChangeUser::decode(body, self.capabilities)?);
                return Ok(Step::Used(message.total));
            }
            Command::ProcessKill => return self.kill(&message, body, ways),
            Command::Quit => {
                self.ending = true;
                None
            }
            Command::StmtClose => {
                self.statements.remove(&command::statement(body)?);
                None
            }
            Command::FieldList => Some(Reply::new(Vec::new(), Stage::Fields)),
            Command::ProcessInfo => {
                Some(Reply::new(vec![Judged::closed(Kind::Show(Show::Processes))], Stage::First))
            }
            Command::StmtFetch => match self.number(command::statement(body)?) {
                Some(number) => match self.fetch(number, ways.now) {
                    Some(reply) => Some(reply),
                    None => return Ok(self.pass_over(header, cursor_is_past())),
                },
                None => return Ok(self.pass_over(header, nothing_prepared())),
            },
            Command::InitDb => Some(Reply { then: Then::Database, ..Reply::new(Vec::new(), Stage::Single) }),
            Command::ResetConnection => {
                Some(Reply { then: Then::Reset, ..Reply::new(Vec::new(), Stage::Single) })
            }
            Command::StmtReset => {
                let number = self.number(command::statement(body)?);
                if let Some(known) = number.and_then(|number| self.statements.get_mut(&number)) {
                    known.long_data = false;
                }
                Some(Reply::new(Vec::new(), Stage::Single))
            }
            Command::Statistics | Command::Ping | Command::SetOption => {
                Some(Reply::new(Vec::new(), Stage::Single))
            }
            Command::StmtSendLongData
            | Command::StmtExecute
            | Command::StmtBulkExecute
            | Command::Debug
            | Command::Other(_) => None,
        };
        ways.forward(message.total);
        if let Some(reply) = reply {
            self.expect(reply, message.sequence);
        }
        Ok(Step::Used(message.total))
    }

    fn expect(&mut self, mut reply: Reply, sequence: u8) {
        (reply.shown, reply.began) = (self.shown.take(), self.now);
        self.sequence = sequence.wrapping_add(1);
        // Whether it succeeds or not, and whatever it answers.
        let prepares = reply.stage == Stage::Prepared;
        self.counted |= !prepares && reply.statements.iter().any(|one| self.judge.counter(one).is_some());
        self.phase = Phase::Reply(Box::new(reply));
    }

    fn ask(&mut self, hidden: Hidden, ways: &mut Ways<'_>) -> Step {
        hidden.put_query(self.capabilities, ways.up());
        self.phase = Phase::Hidden(Box::new(hidden));
        Step::Wait
    }

    fn query(&mut self, message: &Message<'_>, body: &[u8], ways: &mut Ways<'_>) -> Result<Step, Problem> {
        let from = command::query_text(body, self.capabilities)?;
        let text = body.get(from..).unwrap_or_default();
        self.shown = self.teller.text(text);
        // What would be done is told of once.
        let numbers = if self.judge.observes() { Numbers::These } else { Numbers::Any };
        let mut read = self.read(text, numbers, ways);
        let same = |all: &[Judged]| all.iter().all(Judged::is_same_for_other_numbers);
        if numbers == Numbers::Any
            && !matches!(&read, Ok(Some((.., all))) if same(all))
            && !matches!(read, Ok(None))
        {
            read = self.read(text, Numbers::These, ways);
        }
        let (analysis, settings, all) = match read {
            Ok(Some(read)) => read,
            Ok(None) => return Ok(Step::Wait),
            Err(refusal) => return Ok(self.refuse(refusal, message, ways)),
        };
        let judged = match self.pay(all, &analysis, text, ways.now) {
            Ok(judged) => judged,
            Err(refusal) => return Ok(self.refuse(refusal, message, ways)),
        };
        let rewritten = match translated(&analysis, &judged, &settings, text) {
            Ok(translated) => translated.or_else(|| analysis.rewritten.clone()),
            Err(refusal) => return Ok(self.refuse(refusal, message, ways)),
        };
        match self.killed(&analysis).or(rewritten) {
            None => ways.forward(message.total),
            Some(text) => {
                let mut bytes = Vec::new();
                if settings.encode(&text, &mut bytes).is_err() {
                    return Ok(self.refuse(no_form(), message, ways));
                }
                hidden::put_query(&bytes, self.capabilities, ways.up());
            }
        }
        self.expect(Reply::new(judged, Stage::First), message.sequence);
        Ok(Step::Used(message.total))
    }

    fn judge_all(
        &self,
        statements: &[Arc<Statement>],
        settings: &Settings,
        text: &[u8],
    ) -> Result<Vec<Judged>, Refusal> {
        let mut here = settings.place(text);
        let mut judged = Vec::with_capacity(statements.len());
        for (at, statement) in statements.iter().enumerate() {
            let last = at + 1 == statements.len();
            if !last && changes_reading(&statement.kind) {
                let what = "a statement that changes settings, before others in one text";
                return Err(refusal(what, "Send it by itself."));
            }
            if statement.facts.inner_text && !settings.plain_literals {
                return Err(refusal("a text in a literal, in this character_set_connection", "Set another."));
            }
            let (runs, place) = match &statement.kind {
                Kind::Execute { name } => self.executed(name, &judged, &here),
                _ => (Arc::clone(statement), here.clone()),
            };
            check_reading(&place, settings)?;
            let one = self.judge.judge(&runs, place)?;
            one.masks.as_deref().map_or(Ok(()), |masks| check_unicode(masks, settings))?;
            self.check_counter(&one, &judged)?;
            if let Some(would) = &one.would {
                observe::judged(would);
                judged.push(one);
                if let Kind::Use(name) = &statement.kind {
                    here.database = Some(name.as_str().into());
                }
                continue;
            }
            let veiled = self.veiled || judged.iter().any(|earlier| !earlier.run.clean);
            if one.statement.facts.asks_warnings && veiled {
                return Err(warnings_withheld());
            }
            if statement.facts.reads_variables || runs.facts.reads_variables {
                let tainted = judged.iter().any(|earlier| earlier.may_set_variables);
                // What stands in the place of a parameter is shown as a literal is.
                let given = statement.facts.reads_variables
                    && (matches!(statement.kind, Kind::Execute { .. }) || statement.facts.inner_text);
                self.check_variables(&one, tainted, given)?;
            }
            if let Some(what) = self.judge.depends_on(&one.statement, &judged) {
                return Err(refusal(what, "Send it by itself."));
            }
            judged.push(one);
            if let Kind::Use(name) = &statement.kind {
                here.database = Some(name.as_str().into());
            }
        }
        Ok(judged)
    }

    /// Pays for the statements of a text. What EXECUTE is given is not known.
    fn pay(
        &self,
        all: Vec<Judged>,
        analysis: &Analysis,
        text: &[u8],
        now: Instant,
    ) -> Result<Vec<Judged>, Refusal> {
        let runs = |judged: &&Judged| !matches!(judged.statement.kind, Kind::Prepare { .. });
        let cost = all.iter().filter(runs).fold(0_u32, |sum, judged| sum.saturating_add(judged.cost));
        if cost > 0 {
            let given = |statement: &Arc<Statement>| {
                let facts = &statement.facts;
                facts.inner_text || facts.reads_variables || matches!(statement.kind, Kind::Execute { .. })
            };
            let known = !analysis.statements.iter().any(given);
            self.judge.pay(cost, known.then(|| self.judge.words(text)), now)?;
        }
        Ok(all)
    }

    /// The text to send for a KILL of a number that is the proxy's.
    fn killed(&self, analysis: &Analysis) -> Option<String> {
        let [only] = analysis.statements.as_slice() else { return None };
        let Kind::Kill { connection, query } = only.kind else { return None };
        let number = self.connections.find(connection)?;
        Some(format!("kill {} {number}", if query { "query" } else { "connection" }))
    }

    fn kill(&mut self, message: &Message<'_>, body: &[u8], ways: &mut Ways<'_>) -> Result<Step, Problem> {
        match self.connections.find(command::statement(body)?.into()) {
            None => ways.forward(message.total),
            Some(number) => frame::write(ways.up(), &mut 0, |out| {
                out.push(command::PROCESS_KILL);
                out.extend(number.to_le_bytes());
            }),
        }
        self.expect(Reply::new(Vec::new(), Stage::Single), message.sequence);
        Ok(Step::Used(message.total))
    }

    /// Whether the server shortens answers that it would otherwise end twice.
    pub(super) const fn deprecates_eof(&self) -> bool {
        self.capabilities & cap::DEPRECATE_EOF != 0
    }
}

/// A text with values in the place of masks, if there are any.
fn translated(
    analysis: &Analysis,
    statements: &[Judged],
    settings: &Settings,
    text: &[u8],
) -> Result<Option<String>, Refusal> {
    let masks = || statements.iter().filter_map(|judged| judged.masks.as_deref());
    if !masks().any(Translation::changes_text) {
        return Ok(None);
    }
    if let Some(rewritten) = &analysis.rewritten {
        return Ok(Some(Translation::text(rewritten, masks())));
    }
    match settings.client.and_then(|charset| decode_text(charset, text)) {
        Some((text, true)) => Ok(Some(Translation::text(&text, masks()))),
        _ => Err(refusal("masks in a text with raw bytes", "Send these as parameters.")),
    }
}

/// Whether a value could not be told in the session's character sets would say something of it.
fn check_unicode(masks: &Translation, settings: &Settings) -> Result<(), Refusal> {
    if settings.unicode || !masks.reads_texts() {
        return Ok(());
    }
    Err(refusal("masks of texts, where not every text has a form", "SET NAMES utf8mb4 first."))
}

/// Of a value that a mask stands for.
fn no_form() -> Refusal {
    refusal("a value that has no form in character_set_client", "Set it to utf8mb4.")
}

fn warnings_withheld() -> Refusal {
    refusal("the warnings of a statement over masked columns", "How many there are may follow from values.")
}

/// Whether a text reads and writes nothing.
fn sets_only(analysis: &Analysis) -> bool {
    analysis.statements.iter().all(|statement| matches!(statement.kind, Kind::Set { .. }))
}

/// A prepared statement runs only while the session reads texts as it did then: the server may read it again.
fn check_reading(place: &Place, settings: &Settings) -> Result<(), Refusal> {
    if place.is_read_alike(settings) {
        return Ok(());
    }
    let what = "a statement that was prepared under another sql_mode or character_set_client";
    Err(refusal(what, "Prepare it again."))
}

/// Whether a text only asks how the statement before went.
fn only_asks_back(analysis: &Analysis) -> bool {
    !analysis.statements.is_empty() && analysis.statements.iter().all(|statement| asks_back(statement))
}

/// Whether a statement only asks how the one before went.
fn asks_back(statement: &Statement) -> bool {
    statement.facts.asks_back && statement.facts.tables.is_empty()
}

/// Whether what follows in the same text may be read otherwise.
const fn changes_reading(kind: &Kind) -> bool {
    matches!(kind, Kind::Set { .. } | Kind::Call | Kind::Execute { .. })
}
