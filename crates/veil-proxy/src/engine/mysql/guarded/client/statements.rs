//! Statements that the client prepares and runs by their numbers.

use std::sync::Arc;
use std::time::Instant;

use veil_model::Format;
use veil_sql::mysql::Kind;
use veil_wire::mysql::command;
use veil_wire::mysql::frame::{self, HEADER, Header, Message};
use veil_wire::mysql::limits;

use super::super::{Judged, refusal, unknown};
use super::{
    Guarded, Hidden, Reading, Reply, Stage, Step, Ways, asks_back, check_reading, nothing_prepared, problem,
    warnings_withheld,
};
use crate::budget::GIVEN_MAX;
use crate::problem::Problem;

/// Stands for the statement prepared last, in MariaDB.
const LAST_PREPARED: u32 = u32::MAX;

impl Guarded {
    pub(super) fn prepare(
        &mut self,
        message: &Message<'_>,
        text: &[u8],
        ways: &mut Ways<'_>,
    ) -> Result<Step, Problem> {
        if self.statements.len() >= limits::STATEMENTS_MAX {
            return Err(Problem::new("54000", "too many prepared statements", ""));
        }
        // Until the server has said that there is another.
        self.last_prepared = None;
        let (analysis, settings) = match self.analyse(text, ways) {
            Reading::Read(analysis, settings) => (analysis, settings),
            Reading::Refused(refusal) => return Ok(self.refuse(refusal, message, ways)),
            Reading::Asking => return Ok(Step::Wait),
        };
        let statement = match analysis.statements.as_slice() {
            [only] => Arc::clone(only),
            // The server has something to say about others.
            _ => unknown(Kind::Refused("a text that is not one statement")),
        };
        let judged = match self.judge.judge(&statement, settings.place(text)) {
            Ok(judged) if judged.cost > 0 => Judged { words: Some(self.judge.words(text)), ..judged },
            Ok(judged) => judged,
            Err(refusal) => return Ok(self.refuse(refusal, message, ways)),
        };
        match &analysis.rewritten {
            None => ways.forward(message.total),
            Some(text) => {
                let mut bytes = vec![command::STMT_PREPARE];
                settings.encode(text, &mut bytes)?;
                frame::write(ways.up(), &mut 0, |out| out.extend(bytes));
            }
        }
        self.expect(Reply::new(vec![judged], Stage::Prepared), message.sequence);
        Ok(Step::Used(message.total))
    }

    pub(super) fn execute(&mut self, header: Header, ways: &mut Ways<'_>) -> Result<Step, Problem> {
        if header.body < 6 {
            return Err(Problem::protocol("an execution without a statement"));
        }
        let Some(body) = ways.rest().get(HEADER + 1..HEADER + 6) else { return Ok(Step::Wait) };
        let cursor = matches!(body, [_, _, _, _, flags] if flags & command::CURSOR_TYPES != 0);
        let Some(number) = self.number(command::statement(body)?) else {
            return Ok(self.pass_over(header, nothing_prepared()));
        };
        self.judge.refresh(ways.now);
        let asks_back = self.statements.get(&number).is_some_and(|known| asks_back(&known.statement));
        if !asks_back && self.settings.is_none() {
            return Ok(self.ask(Hidden::settings(), ways));
        }
        if let Some(refusal) = self.comes_late(ways.now) {
            return Ok(self.pass_over(header, problem(refusal)));
        }
        if let (false, Some(settings)) = (asks_back, self.settings.clone())
            && let Some(question) = self.question(&settings, ways.now, false)
        {
            return Ok(self.ask(question, ways));
        }
        let judged = match self.statements.get(&number) {
            Some(prepared) if prepared.statement.facts.asks_warnings && self.veiled => {
                Err(warnings_withheld())
            }
            Some(prepared) => {
                let place = prepared.place.clone();
                let read = match &self.settings {
                    Some(settings) if !asks_back => check_reading(&place, settings),
                    _ => Ok(()),
                };
                match read.and_then(|()| self.judge.judge(&prepared.statement, place)) {
                    Ok(judged) if prepared.statement.facts.reads_variables => {
                        self.check_variables(&judged, false, false).map(|()| judged)
                    }
                    other => other,
                }
            }
            // The server has something to say about it.
            None => Ok(Reply::new(Vec::new(), Stage::First).judged()),
        };
        let paid = match judged {
            Ok(judged) if judged.cost > 0 => {
                let bulk = ways.rest().get(HEADER) == Some(&command::STMT_BULK_EXECUTE);
                let end = header.body.min(GIVEN_MAX);
                let Some(given) = ways.rest().get(HEADER + 5..HEADER + end) else { return Ok(Step::Wait) };
                let known = self
                    .statements
                    .get(&number)
                    .filter(|known| end == header.body && !header.continues() && !known.long_data);
                let words = known.and_then(|known| known.words);
                let words = words.map(|words| self.judge.words((words, given)));
                if bulk {
                    // Each row would be a question.
                    Err(refusal(
                        "many rows at once in a statement that asks about masked columns",
                        "Send them one by one.",
                    ))
                } else {
                    self.judge.pay(judged.cost, words, ways.now).map(|()| judged)
                }
            }
            other => other,
        };
        let judged = match paid {
            Ok(judged) => judged,
            Err(refusal) => return Ok(self.pass_over(header, problem(refusal))),
        };
        if let Some(known) = self.statements.get_mut(&number) {
            known.long_data = false;
        }
        self.from_client.begin(header.total(), false, header.continues());
        let reply = Reply {
            format: Format::Binary,
            prepared: Some(number),
            cursor,
            ..Reply::new(vec![judged], Stage::First)
        };
        self.expect(reply, header.sequence);
        Ok(Step::Streamed)
    }

    /// The server's number of a statement; `None` if it is to be the last prepared one, and there is none.
    pub(super) fn number(&self, asked: u32) -> Option<u32> {
        if asked == LAST_PREPARED { self.last_prepared } else { Some(asked) }
    }

    pub(super) fn fetch(&mut self, number: u32, now: Instant) -> Reply {
        self.judge.look_at_rights(now);
        let plan = self.statements.get(&number).and_then(|prepared| prepared.cursor.clone());
        // A cursor may be older than the rights that are in force.
        let plan = plan.filter(|plan| plan.holds(self.judge.labels()));
        Reply { format: Format::Binary, plan, ..Reply::new(Vec::new(), Stage::Rows) }
    }
}
