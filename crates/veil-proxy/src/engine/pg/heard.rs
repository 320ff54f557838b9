//! The statements of a session that is forwarded as it is, for those who are told of them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use veil_sql::normal::Normal;
use veil_wire::pg::command::{self, BindNames, Parse};
use veil_wire::pg::limits;
use veil_wire::pg::reply::{self, Tag};

use crate::problem::Problem;
use crate::statements::{Outcome, Teller};

/// Of a longer text, no more is looked at.
const TEXT_MAX: usize = 16 << 10;
/// Of an error, its code is within these.
const ERROR_MAX: usize = 1 << 10;

/// How much of a client's message has to be there.
pub(super) const fn needs(tag: command::Tag) -> usize {
    match tag {
        command::Tag::Query | command::Tag::Parse | command::Tag::Bind | command::Tag::Execute => TEXT_MAX,
        _ => 0,
    }
}

/// How much of a server's message has to be there.
pub(super) const fn looks_at(tag: Tag) -> usize {
    match tag {
        Tag::ErrorResponse => ERROR_MAX,
        Tag::CommandComplete => 64,
        _ => 0,
    }
}

/// What the server owes.
#[derive(Debug)]
enum Owed {
    /// A simple query or call: results, then ReadyForQuery.
    Query(Instant, Option<Arc<Normal>>),
    /// One result.
    Execute(Instant, Option<Arc<Normal>>),
    /// ReadyForQuery.
    Sync,
}

/// What is known of the statements.
#[derive(Default)]
pub(super) struct Heard {
    teller: Teller,
    owed: VecDeque<Owed>,
    statements: HashMap<Box<[u8]>, Arc<Normal>>,
    portals: HashMap<Box<[u8]>, Arc<Normal>>,
    rows: u64,
}

impl Heard {
    pub(super) const fn teller(&mut self) -> &mut Teller {
        &mut self.teller
    }

    /// A message of the client, or its beginning.
    pub(super) fn command(&mut self, tag: command::Tag, seen: &[u8], now: Instant) -> Result<(), Problem> {
        let owed = match tag {
            command::Tag::Query => Owed::Query(now, self.teller.text(text(seen))),
            command::Tag::FunctionCall => Owed::Query(now, None),
            command::Tag::Sync => Owed::Sync,
            command::Tag::Execute => Owed::Execute(now, self.portals.get(text(seen)).cloned()),
            command::Tag::Parse => {
                let name = text(seen);
                let words = Parse::decode(seen).map_or_else(
                    |_| text(seen.get(name.len() + 1..).unwrap_or_default()),
                    |parse| parse.text,
                );
                if let Some(words) = self.teller.text(words) {
                    self.statements.insert(name.into(), words);
                }
                return self.check_names();
            }
            command::Tag::Bind => {
                if let Ok(Some(BindNames { portal, statement })) = BindNames::decode(seen, seen.len()) {
                    match self.statements.get(statement) {
                        Some(words) => drop(self.portals.insert(portal.into(), Arc::clone(words))),
                        None => drop(self.portals.remove(portal)),
                    }
                }
                return self.check_names();
            }
            _ => return Ok(()),
        };
        if self.owed.len() >= limits::OUTSTANDING_MAX {
            return Err(Problem::new("54000", "too many commands without reading a reply", ""));
        }
        self.owed.push_back(owed);
        Ok(())
    }

    fn check_names(&self) -> Result<(), Problem> {
        if self.statements.len().max(self.portals.len()) > limits::NAMES_MAX {
            return Err(Problem::new("54000", "too many prepared statements or portals", ""));
        }
        Ok(())
    }

    /// A message of the server, or its beginning.
    pub(super) fn reply(&mut self, tag: Tag, seen: &[u8]) {
        match tag {
            Tag::DataRow | Tag::CopyData => self.rows += 1,
            Tag::CommandComplete | Tag::EmptyQueryResponse | Tag::PortalSuspended => {
                self.ended(reply::rows_of_tag(seen), None);
                self.owed.pop_front_if(|owed| matches!(owed, Owed::Execute(..)));
            }
            Tag::ErrorResponse => {
                let code =
                    reply::decode_error(seen).ok().and_then(|fields| fields.field(b'C').map(<[u8]>::to_vec));
                let code = code.map(|code| String::from_utf8_lossy(&code).into_owned());
                self.ended(0, Some(code.unwrap_or_else(|| "XX000".to_owned())));
                while self.owed.pop_front_if(|owed| matches!(owed, Owed::Execute(..))).is_some() {}
            }
            Tag::CopyInResponse | Tag::CopyBothResponse => {
                // The server ignores those that were sent before the data.
                while matches!(self.owed.get(1), Some(Owed::Sync)) {
                    self.owed.remove(1);
                }
            }
            Tag::ReadyForQuery => {
                self.rows = 0;
                while self.owed.pop_front_if(|owed| matches!(owed, Owed::Execute(..))).is_some() {}
                self.owed.pop_front();
            }
            _ => {}
        }
    }

    fn ended(&mut self, rows: u64, code: Option<String>) {
        let sent = std::mem::take(&mut self.rows);
        let Some(Owed::Query(began, words) | Owed::Execute(began, words)) = self.owed.front() else { return };
        self.teller.ended(Outcome {
            began: *began,
            text: words.as_ref(),
            columns: &Arc::default(),
            unmasked: Vec::new(),
            rows: rows.max(sent),
            refused: false,
            code,
        });
    }
}

/// Up to the byte that ends it, or to the end of what is there.
fn text(seen: &[u8]) -> &[u8] {
    seen.split(|byte| *byte == 0).next().unwrap_or_default()
}
