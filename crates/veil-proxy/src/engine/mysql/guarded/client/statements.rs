//! Statements that the client prepares and runs by their numbers.

use std::sync::Arc;
use std::time::Instant;

use veil_mask::{Cell, charset, moment_text};
use veil_model::mysqltype::kind;
use veil_model::{Charset, Format};
use veil_policy::{Refusal, Translation};
use veil_sql::mysql::Kind;
use veil_wire::mysql::bulk::Bulk;
use veil_wire::mysql::command;
use veil_wire::mysql::execute::{Execute, Given, ParameterType};
use veil_wire::mysql::frame::{self, HEADER, Header, Message};
use veil_wire::mysql::limits;

use super::super::{Judged, refusal, unknown};
use super::{
    Guarded, Hidden, Numbers, Reading, Reply, Stage, Step, Ways, asks_back, check_reading, check_unicode,
    no_form, problem, translated, warnings_withheld,
};
use crate::budget::GIVEN_MAX;
use crate::engine::observe;
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
        self.shown = self.teller.text(text);
        let (analysis, settings) = match self.analyse(text, Numbers::These, ways) {
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
        judged.would.iter().for_each(observe::judged);
        let translated = match translated(&analysis, std::slice::from_ref(&judged), &settings, text) {
            Ok(translated) => translated,
            Err(refusal) => return Ok(self.refuse(refusal, message, ways)),
        };
        match translated.as_ref().or(analysis.rewritten.as_ref()) {
            None => ways.forward(message.total),
            Some(text) => {
                let mut bytes = vec![command::STMT_PREPARE];
                if settings.encode(text, &mut bytes).is_err() {
                    return Ok(self.refuse(no_form(), message, ways));
                }
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
        self.shown = self.statements.get(&number).and_then(|known| known.shown.clone());
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
                let judged = read.and_then(|()| self.judge.judge(&prepared.statement, place));
                let judged = judged.and_then(|judged| self.check_counter(&judged, &[]).map(|()| judged));
                match judged.and_then(|judged| prepared.means_the_same(judged)) {
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
            Err(_) if self.judge.observes() => Judged::shown(Kind::Data),
            Err(refusal) => return Ok(self.pass_over(header, problem(refusal))),
        };
        let masks = judged.masks.clone().filter(|masks| masks.reads_parameters());
        let rewritten = match masks {
            None => None,
            Some(masks) => {
                let Some(message) = frame::decode(ways.rest(), limits::STATEMENT_MAX)? else {
                    return Ok(Step::Wait);
                };
                match self.unmasked(&message, number, &masks) {
                    Ok(payload) => Some((payload, message.total)),
                    Err(refusal) => return Ok(self.refuse(refusal, &message, ways)),
                }
            }
        };
        if let Some(known) = self.statements.get_mut(&number) {
            known.long_data = false;
        }
        let reply = Reply {
            format: Format::Binary,
            prepared: Some(number),
            cursor,
            ..Reply::new(vec![judged], Stage::First)
        };
        self.expect(reply, header.sequence);
        if let Some((payload, total)) = rewritten {
            frame::write(ways.up(), &mut 0, |out| out.extend(payload));
            return Ok(Step::Used(total));
        }
        self.from_client.begin(header.total(), false, header.continues());
        Ok(Step::Streamed)
    }

    /// An execution with values in the place of masks.
    fn unmasked(
        &mut self,
        message: &Message<'_>,
        number: u32,
        masks: &Translation,
    ) -> Result<Vec<u8>, Refusal> {
        self.settings.as_ref().map_or(Ok(()), |settings| check_unicode(masks, settings))?;
        let charset = self.settings.as_ref().and_then(|settings| settings.client);
        let (Some(known), Some(charset)) = (self.statements.get_mut(&number), charset) else {
            return Err(refusal("an execution of what is not known", "Prepare it again."));
        };
        let (command, body) = message.payload.split_first().unwrap_or((&0, &[]));
        if known.long_data {
            let what = "a parameter that was sent in pieces, in a statement that writes to masked columns or names masks";
            return Err(refusal(what, "Send it with the others."));
        }
        let unreadable = |_| refusal("parameters that are not understood, with masks among them", "");
        let given = |at: usize, value: Option<&[u8]>, types: &[ParameterType]| {
            let ty = types.get(at).copied().unwrap_or_default();
            given(masks, at + 1, value.map(|value| text_of(ty, value, charset).unwrap_or_default()), charset)
        };
        let mut payload = vec![*command];
        if *command == command::STMT_BULK_EXECUTE {
            let bulk = Bulk::decode(body, known.parameters, &known.types).map_err(unreadable)?;
            known.types = bulk.types().to_vec();
            let all = bulk.values().map(|(at, value)| given(at, value, bulk.types()));
            bulk.write(&all.collect::<Result<Vec<_>, _>>()?, &mut payload);
        } else {
            let execute = Execute::decode(body, known.parameters, &known.types, self.capabilities);
            let execute = execute.map_err(unreadable)?;
            known.types = execute.types().to_vec();
            let all = execute.values().iter().enumerate().take(known.parameters);
            let all = all.map(|(at, value)| given(at, *value, execute.types()));
            execute.write(&all.collect::<Result<Vec<_>, _>>()?, &mut payload);
        }
        Ok(payload)
    }

    /// The server's number of a statement; `None` if it is to be the last prepared one, and there is none.
    pub(super) fn number(&self, asked: u32) -> Option<u32> {
        if asked == LAST_PREPARED { self.last_prepared } else { Some(asked) }
    }

    /// The next rows of a cursor; `None` if it is older than the rights that are in force.
    pub(super) fn fetch(&mut self, number: u32, now: Instant) -> Option<Reply> {
        self.judge.look_at_rights(now);
        self.shown = self.statements.get(&number).and_then(|known| known.shown.clone());
        let plan = self.statements.get(&number).and_then(|prepared| prepared.cursor.clone());
        if plan.as_ref().is_some_and(|plan| !plan.holds(self.judge.labels())) {
            return None;
        }
        Some(Reply { format: Format::Binary, plan, ..Reply::new(Vec::new(), Stage::Rows) })
    }
}

/// What is sent for a parameter.
fn given(
    masks: &Translation,
    number: usize,
    text: Option<String>,
    charset: Charset,
) -> Result<Given, Refusal> {
    let mut found = Vec::new();
    let (number, text) = (u32::try_from(number).unwrap_or(u32::MAX), text.as_ref().map(String::as_bytes));
    Ok(match masks.parameter(number, 0, Format::Text, text, &mut found)? {
        None => Given::Same,
        Some(Cell::Null) => Given::Null,
        Some(Cell::Written) => {
            let mut written = Vec::new();
            let text = std::str::from_utf8(&found).ok();
            text.and_then(|text| charset::encode(charset, text, &mut written)).ok_or_else(no_form)?;
            Given::Text(written)
        }
    })
}

/// The text of a value; `None` if it has none that could be a mask.
fn text_of((code, flags): ParameterType, value: &[u8], charset: Charset) -> Option<String> {
    const UNSIGNED: u8 = 0x80;
    let int = || {
        let negative = flags & UNSIGNED == 0 && value.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        wide.get_mut(..value.len())?.copy_from_slice(value);
        Some(if flags & UNSIGNED == 0 {
            i64::from_le_bytes(wide).to_string()
        } else {
            u64::from_le_bytes(wide).to_string()
        })
    };
    match code {
        kind::TINY | kind::SHORT | kind::YEAR | kind::LONG | kind::INT24 | kind::LONGLONG => int(),
        // What some drivers make of every number.
        kind::DOUBLE => Some(f64::from_le_bytes(value.try_into().ok()?).to_string()),
        kind::FLOAT => Some(f32::from_le_bytes(value.try_into().ok()?).to_string()),
        kind::DATE | kind::DATETIME | kind::TIMESTAMP => moment_text(value),
        kind::DECIMAL | kind::NEWDECIMAL | kind::VARCHAR | kind::ENUM..=kind::STRING => {
            charset::decode(charset, value).map(|text| text.into_owned())
        }
        _ => None,
    }
}

/// A cursor was opened by other rules.
pub(super) fn cursor_is_past() -> Problem {
    let hint = "Execute the statement again.";
    Problem::new("26000", "the rules have changed since this cursor was opened", hint)
}

/// The last prepared statement is asked for.
pub(super) fn nothing_prepared() -> Problem {
    Problem::new("26000", "there is no statement that was prepared last", "")
}
