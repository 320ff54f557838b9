//! The statements of a session that is forwarded as it is, for those who are told of them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use veil_sql::normal::Normal;
use veil_wire::pg::command::{self, Parse};
use veil_wire::pg::limits;
use veil_wire::pg::reply::{self, Tag};

use crate::statements::{Outcome, Teller};

/// Of a longer text, no more is looked at.
const TEXT_MAX: usize = 16 << 10;
/// Of names, no more either.
const NAMES_MAX: usize = 256;
/// Of an error, its code is within these.
const ERROR_MAX: usize = 1 << 10;

/// How much of a client's message has to be there.
pub(super) const fn needs(tag: command::Tag) -> usize {
    match tag {
        command::Tag::Query | command::Tag::Parse => TEXT_MAX,
        // Names.
        command::Tag::Bind | command::Tag::Execute | command::Tag::Close => NAMES_MAX,
        _ => 0,
    }
}

/// How much of a server's message has to be there.
pub(super) const fn looks_at(tag: Tag) -> usize {
    match tag {
        Tag::ErrorResponse => ERROR_MAX,
        Tag::CommandComplete => 64,
        // What follows is told once.
        Tag::ReadyForQuery => 1,
        _ => 0,
    }
}

/// What the server owes.
#[derive(Debug)]
enum Owed {
    /// A simple query or call: results, then ReadyForQuery.
    Query(Instant, Option<Arc<Normal>>),
    /// ParseComplete.
    Parse(Instant, Box<[u8]>, Option<Arc<Normal>>),
    /// BindComplete: portal, statement.
    Bind(Instant, Box<[u8]>, Box<[u8]>),
    /// RowDescription or NoData.
    Describe,
    /// CloseComplete.
    Close(Named),
    /// One result, of this portal.
    Execute(Instant, Box<[u8]>),
    /// ReadyForQuery.
    Sync,
}

/// A statement or a portal.
#[derive(Debug)]
enum Named {
    Statement(Box<[u8]>),
    Portal(Box<[u8]>),
}

/// What is known of the statements. Where a client sends more than can be followed, less is known.
#[derive(Default)]
pub(super) struct Heard {
    teller: Teller,
    owed: VecDeque<Owed>,
    /// An error came, and no Sync is on its way: the server ignores what is sent.
    skipping: bool,
    /// More was sent than can be followed: which statement ends is not known any more.
    lost: bool,
    statements: HashMap<Box<[u8]>, Arc<Normal>>,
    portals: HashMap<Box<[u8]>, Arc<Normal>>,
    rows: u64,
}

impl Heard {
    pub(super) const fn teller(&mut self) -> &mut Teller {
        &mut self.teller
    }

    /// A message of the client, or its beginning.
    pub(super) fn command(&mut self, tag: command::Tag, seen: &[u8], now: Instant) {
        if self.skipping && tag != command::Tag::Sync {
            return;
        }
        let owed = match tag {
            command::Tag::Query => Owed::Query(now, self.teller.text(text(seen))),
            command::Tag::FunctionCall => Owed::Query(now, None),
            command::Tag::Sync => {
                self.skipping = false;
                Owed::Sync
            }
            command::Tag::Execute => Owed::Execute(now, text(seen).into()),
            command::Tag::Describe => Owed::Describe,
            command::Tag::Parse => {
                let name = text(seen);
                let words = Parse::decode(seen).map_or_else(
                    |_| text(seen.get(name.len() + 1..).unwrap_or_default()),
                    |parse| parse.text,
                );
                Owed::Parse(now, name.into(), self.teller.text(words))
            }
            command::Tag::Bind => {
                let portal = text(seen);
                let statement = text(seen.get(portal.len() + 1..).unwrap_or_default());
                Owed::Bind(now, portal.into(), statement.into())
            }
            command::Tag::Close => {
                let (kind, name) = seen.split_first().map_or((b'S', seen), |(kind, name)| (*kind, name));
                let name = text(name).into();
                Owed::Close(if kind == b'P' { Named::Portal(name) } else { Named::Statement(name) })
            }
            _ => return,
        };
        if self.owed.len() >= limits::OUTSTANDING_MAX {
            self.lost = true;
            self.owed.clear();
        }
        if !self.lost {
            self.owed.push_back(owed);
        }
    }

    /// A message of the server, or its beginning.
    pub(super) fn reply(&mut self, tag: Tag, seen: &[u8]) {
        match tag {
            Tag::DataRow | Tag::CopyData => self.rows += 1,
            Tag::CommandComplete | Tag::EmptyQueryResponse | Tag::PortalSuspended => {
                self.ended(reply::rows_of_tag(seen), None);
                self.owed.pop_front_if(|owed| matches!(owed, Owed::Execute(..)));
            }
            Tag::ParseComplete | Tag::BindComplete | Tag::CloseComplete => self.done(tag),
            Tag::RowDescription | Tag::NoData => {
                self.owed.pop_front_if(|owed| matches!(owed, Owed::Describe));
            }
            Tag::ErrorResponse => {
                let fields = reply::decode_error(seen).ok();
                let code =
                    fields.and_then(|fields| fields.field(b'C').map(String::from_utf8_lossy).map(Into::into));
                self.ended(0, Some(code.unwrap_or_else(|| "XX000".to_owned())));
                if !matches!(self.owed.front(), None | Some(Owed::Query(..) | Owed::Sync)) {
                    let sync = self.owed.iter().position(|owed| matches!(owed, Owed::Sync));
                    self.owed.drain(..sync.unwrap_or(self.owed.len()));
                    self.skipping = sync.is_none();
                }
            }
            Tag::CopyInResponse | Tag::CopyBothResponse => {
                // The server ignores those that were sent before the data.
                while matches!(self.owed.get(1), Some(Owed::Sync)) {
                    self.owed.remove(1);
                }
            }
            Tag::ReadyForQuery => {
                self.rows = 0;
                while let Some(owed) = self.owed.pop_front() {
                    if matches!(owed, Owed::Query(..) | Owed::Sync) {
                        break;
                    }
                }
            }
            _ => {}
        }
    }

    /// The server has done what is at the head of the queue, if this says so.
    fn done(&mut self, tag: Tag) {
        let fits = |owed: &mut Owed| {
            matches!(
                (tag, owed),
                (Tag::ParseComplete, Owed::Parse(..))
                    | (Tag::BindComplete, Owed::Bind(..))
                    | (Tag::CloseComplete, Owed::Close(_))
            )
        };
        match self.owed.pop_front_if(fits) {
            Some(Owed::Parse(_, name, Some(words))) => put(&mut self.statements, name, words),
            Some(Owed::Bind(_, portal, statement)) => match self.statements.get(&statement) {
                Some(words) => put(&mut self.portals, portal, Arc::clone(words)),
                None => drop(self.portals.remove(&portal)),
            },
            Some(Owed::Close(Named::Statement(name))) => drop(self.statements.remove(&name)),
            Some(Owed::Close(Named::Portal(name))) => drop(self.portals.remove(&name)),
            _ => {}
        }
    }

    fn ended(&mut self, rows: u64, code: Option<String>) {
        let sent = std::mem::take(&mut self.rows);
        let failed = code.is_some();
        let (began, words) = match self.owed.front() {
            Some(Owed::Query(began, words)) => (*began, words.as_ref()),
            Some(Owed::Execute(began, portal)) => (*began, self.portals.get(portal)),
            Some(Owed::Parse(began, _, words)) if failed => (*began, words.as_ref()),
            Some(Owed::Bind(began, _, statement)) if failed => (*began, self.statements.get(statement)),
            None if self.lost => (Instant::now(), None),
            _ => return,
        };
        self.teller.ended(Outcome {
            began,
            text: words,
            columns: &Arc::default(),
            unmasked: Vec::new(),
            rows: rows.max(sent),
            refused: false,
            code,
        });
    }
}

/// Notes a text; when there are too many, all are forgotten.
fn put(names: &mut HashMap<Box<[u8]>, Arc<Normal>>, name: Box<[u8]>, words: Arc<Normal>) {
    if names.len() >= limits::NAMES_MAX {
        names.clear();
    }
    names.insert(name, words);
}

/// Up to the byte that ends it, or to the end of what is there.
fn text(seen: &[u8]) -> &[u8] {
    seen.split(|byte| *byte == 0).next().unwrap_or_default()
}
