//! What the proxy asks in a client's own session, unseen by it: the settings that change what a text means, and the
//! catalog.

use veil_mask::charset;
use veil_model::Charset;
use veil_sql::mysql::catalog::{QUERIES, Row};
use veil_sql::mysql::{Catalog, Mode};
use veil_wire::cursor::Result;
use veil_wire::mysql::capability as cap;
use veil_wire::mysql::reply::{self, End};
use veil_wire::mysql::row::TextCells;
use veil_wire::mysql::{command, frame, limits};
use veil_wire::{Cursor, Malformed};

use crate::problem::Problem;

/// Asked as bytes, so that the session's character set does not touch the answer.
const SETTINGS: &str = "select cast(convert(@@sql_mode using utf8mb4) as binary), \
    cast(convert(@@character_set_client using utf8mb4) as binary), \
    cast(convert(@@character_set_results using utf8mb4) as binary), \
    cast(convert(version() using utf8mb4) as binary), \
    cast(convert(database() using utf8mb4) as binary), \
    cast(convert(@@character_set_connection using utf8mb4) as binary) limit 18446744073709551615";
const SETTINGS_COLUMNS: usize = 6;
/// Field, Type, Null, Key, Default, Extra.
const SHOWN_COLUMNS: usize = 6;

/// The settings of a session by which its texts are read.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) mode: Mode,
    /// Of what the client sends; `None` if its texts cannot be read.
    pub(super) client: Option<Charset>,
    /// Of names in what the server sends.
    pub(super) names: Option<Charset>,
    pub(super) database: Option<std::sync::Arc<str>>,
    /// Every text can be sent, compared and shown.
    pub(super) unicode: bool,
    /// The server takes the letters of ASCII in literals for what they are.
    pub(super) plain_literals: bool,
}

/// How a session's texts are read. A server reads a prepared text again when tables change, as the session is then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct ReadBy {
    mode: Mode,
    client: Option<Charset>,
}

/// The session's database by which a statement was read, and how its text was.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) database: Option<std::sync::Arc<str>>,
    read_by: ReadBy,
    /// Quotes and letters in the text mean the same by all settings.
    plain: bool,
}

impl Place {
    /// Whether a session with these settings reads the text as it was read.
    pub(super) fn is_read_alike(&self, settings: &Settings) -> bool {
        let (then, now) = (self.read_by, ReadBy { mode: settings.mode, client: settings.client });
        let grammar = |read: ReadBy| (read.mode.ignore_space, read.mode.oracle);
        then == now || (self.plain && now.client.is_some() && grammar(then) == grammar(now))
    }
}

impl Settings {
    /// For the statements of `text`.
    pub(super) fn place(&self, text: &[u8]) -> Place {
        let plain = |byte: &u8| byte.is_ascii() && !matches!(byte, b'"' | b'\\');
        Place {
            database: self.database.clone(),
            read_by: ReadBy { mode: self.mode, client: self.client },
            plain: text.iter().all(plain),
        }
    }

    /// Writes a text as the client would.
    pub(super) fn encode(&self, text: &str, out: &mut Vec<u8>) -> std::result::Result<(), Problem> {
        let written = self.client.and_then(|charset| charset::encode(charset, text, out));
        written.ok_or_else(|| Problem::protocol("a text that cannot be written back"))
    }
}

/// What is being asked.
pub(super) struct Hidden {
    what: What,
    results: [Vec<Row>; QUERIES.len()],
    /// The query that is being answered.
    at: usize,
    stage: Stage,
}

enum What {
    Settings,
    Catalog,
    /// The columns of a table, which this text asks for.
    Columns(Vec<u8>),
}

enum Stage {
    First,
    Definitions(u64),
    DefinitionsEnd,
    Rows,
}

/// How far it is.
pub(super) enum Progress {
    /// The server has more to say.
    Waiting,
    /// The next query is to be sent.
    Next,
    Settings(Settings),
    Catalog(Box<Catalog>),
    Columns(Vec<Row>),
    /// The server refused; nothing is known.
    Failed,
}

impl Hidden {
    pub(super) fn settings() -> Self {
        Self {
            what: What::Settings,
            results: <[Vec<Row>; QUERIES.len()]>::default(),
            at: 0,
            stage: Stage::First,
        }
    }

    pub(super) fn catalog() -> Self {
        Self { what: What::Catalog, ..Self::settings() }
    }

    /// `text` asks for the columns of a table.
    pub(super) fn columns(text: Vec<u8>) -> Self {
        Self { what: What::Columns(text), ..Self::settings() }
    }

    /// Appends the query that is to be asked now.
    pub(super) fn put_query(&self, capabilities: u64, out: &mut Vec<u8>) {
        let text = match &self.what {
            What::Settings => SETTINGS.as_bytes(),
            What::Catalog => QUERIES.get(self.at).map_or("", |query| query.text).as_bytes(),
            What::Columns(text) => text,
        };
        put_query(text, capabilities, out);
    }

    /// Takes a message of the server.
    pub(super) fn message(&mut self, payload: &[u8], capabilities: u64) -> Result<Progress> {
        let first = payload.first().copied().ok_or(Malformed("empty message"))?;
        match self.stage {
            _ if first == reply::ERR => return Ok(Progress::Failed),
            Stage::First => {
                let mut cursor = Cursor::new(payload);
                self.stage = Stage::Definitions(cursor.lenenc()?);
            }
            Stage::Definitions(left) => {
                self.stage = match left {
                    0 | 1 if capabilities & cap::DEPRECATE_EOF == 0 => Stage::DefinitionsEnd,
                    0 | 1 => Stage::Rows,
                    more => Stage::Definitions(more - 1),
                };
            }
            Stage::DefinitionsEnd => self.stage = Stage::Rows,
            Stage::Rows if reply::ends_rows(first, payload.len(), capabilities) => {
                End::decode_eof(payload, capabilities)?;
                return Ok(self.ended());
            }
            Stage::Rows => self.row(payload)?,
        }
        Ok(Progress::Waiting)
    }

    fn row(&mut self, payload: &[u8]) -> Result<()> {
        let mut cells = TextCells::new(payload);
        let count = match self.what {
            What::Settings => SETTINGS_COLUMNS,
            What::Catalog => QUERIES.get(self.at).map_or(0, |query| query.columns),
            What::Columns(_) => SHOWN_COLUMNS,
        };
        let mut row = Row::with_capacity(count);
        for _ in 0..count {
            row.push(cells.step()?.map(|cell| String::from_utf8_lossy(cell).into_owned()));
        }
        cells.end()?;
        if let Some(rows) = self.results.get_mut(self.at) {
            rows.push(row);
        }
        Ok(())
    }

    fn ended(&mut self) -> Progress {
        self.at += 1;
        self.stage = Stage::First;
        match self.what {
            What::Settings => self.read_settings().map_or(Progress::Failed, Progress::Settings),
            What::Catalog if self.at < QUERIES.len() => Progress::Next,
            What::Catalog => Progress::Catalog(Box::new(Catalog::from_rows(&self.results))),
            What::Columns(_) => {
                Progress::Columns(self.results.first_mut().map(std::mem::take).unwrap_or_default())
            }
        }
    }

    fn read_settings(&self) -> Option<Settings> {
        let [sql_mode, client, results, version, database, connection] =
            self.results.first()?.first()?.as_slice()
        else {
            return None;
        };
        // Where results are not converted, names come in the servers' own character set.
        let names = match results.as_deref() {
            None | Some("binary") => Some(Charset::Utf8mb4),
            Some(name) => Charset::named(name),
        };
        Some(Settings {
            mode: Mode::new(sql_mode.as_deref()?, version.as_deref()?),
            client: client_charset(client.as_deref()?),
            names,
            database: database.as_deref().map(Into::into),
            unicode: [client, connection].into_iter().all(|name| name.as_deref() == Some("utf8mb4"))
                && matches!(results.as_deref(), None | Some("utf8mb4" | "binary")),
            plain_literals: PLAIN.contains(&connection.as_deref()?),
        })
    }

    pub(super) const fn is_catalog(&self) -> bool {
        matches!(self.what, What::Catalog)
    }

    pub(super) const fn is_of_columns(&self) -> bool {
        matches!(self.what, What::Columns(_))
    }

    /// The longest message of an answer: a view's definition.
    pub(super) const fn message_max() -> usize {
        limits::STATEMENT_MAX
    }
}

/// Character sets of single bytes whose first half is ASCII. What stands in their other half is not known here, and need
/// not be: it is read as in a text of ASCII with raw bytes.
const LIKE_ASCII: [&str; 9] =
    ["armscii8", "binary", "cp850", "cp852", "dec8", "geostd8", "hp8", "keybcs2", "macce"];

/// Character sets in which every letter of ASCII is itself.
const PLAIN: [&str; 8] = ["ascii", "binary", "cp1250", "cp1251", "latin1", "latin2", "utf8mb3", "utf8mb4"];

fn client_charset(name: &str) -> Option<Charset> {
    if LIKE_ASCII.contains(&name) { Some(Charset::Ascii) } else { Charset::named(name) }
}

/// Appends COM_QUERY as a message of its own.
pub(super) fn put_query(text: &[u8], capabilities: u64, out: &mut Vec<u8>) {
    frame::write(out, &mut 0, |out| {
        out.push(command::QUERY);
        if capabilities & cap::QUERY_ATTRIBUTES != 0 {
            // No attributes, in one set.
            out.extend([0, 1]);
        }
        out.extend_from_slice(text);
    });
}
