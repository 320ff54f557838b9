//! Between a session and whichever server serves it at the moment.
//!
//! To the session's engine this is its one server; to the server, one client that never ends. It maps the client's prepared statements onto those that
//! the server has, brings the client's settings along, and knows when nothing of the client is left behind, so that somebody else may follow.

mod from_client;
mod from_server;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use veil_sql::Analyser;
use veil_sql::effect::{self, Change, Keeps};
use veil_wire::pg::command;
use veil_wire::pg::reply::Transaction;
use veil_wire::pg::session::{Expected, Session};

use super::params::{Params, is_settable};
use super::prepared::Text;
use super::{Held, Texts};
use crate::cancel::Gate;
use crate::engine::Streamed;
use crate::pool::Mode;
use crate::problem::Problem;

/// Settings that are brought along, with what makes them.
pub(crate) type Settings = Vec<(String, Box<str>)>;

/// Settings that a client may have of its own; with more it stays where it is.
const SETTINGS_MAX: usize = 100;

/// One client's courier.
pub(crate) struct Courier {
    mode: Mode,
    analyser: Arc<Analyser>,
    texts: Arc<Texts>,
    prepared_max: usize,
    /// The client's names, and what the server owes.
    session: Session<Text, ()>,
    server: Option<Box<Held>>,
    /// The engine knows when what was asked; the clock is not looked at again.
    began: Instant,
    from_client: Streamed,
    from_server: Streamed,
    /// What the client has been told of the server's parameters.
    told: Arc<Params>,
    /// What they have to be.
    want: Arc<Params>,
    /// Other settings that the client has made.
    settings: Arc<Settings>,
    /// What it has begun with, to which it comes back by RESET ALL.
    base: (Params, Arc<Settings>),
    /// Changes that have been sent, each with the number of the ReadyForQuery behind it.
    changes: VecDeque<(u64, Change)>,
    /// ReadyForQuery that have been asked for, and that have come.
    cycles: (u64, u64),
    /// What has happened in the transaction that is open.
    turns: Turns,
    /// Settings are being made: the client's own messages wait.
    setting_up: bool,
    /// Settings may not be what they were when the server was given.
    unset: bool,
    /// Why the client keeps its server.
    keeps: Option<Keeps>,
    session_long: bool,
    /// The client will keep it if what it has sent does not fail.
    may_keep: bool,
    /// What is left on the server is not known.
    unsure: bool,
    /// It is not known what the server will say.
    lost: bool,
    /// Statements that the server knows by the client's names as well.
    by_name: HashSet<Box<[u8]>>,
    /// It has just been told of one.
    naming: bool,
    /// The client has said goodbye.
    goodbye: bool,
    /// Half a message is there.
    wants_more: bool,
    /// Statements that it has been asked to forget, and has not yet.
    closing: usize,
    /// The server waits for COPY data.
    copying: bool,
    /// Syncs that the server has ignored, or not, since a COPY had failed by then.
    strays: usize,
}

/// What has happened in a transaction.
#[derive(Clone, Copy, Debug, Default)]
struct Turns {
    /// Something has failed, or was taken back.
    back: bool,
    /// That may have been a part of it only.
    parts: bool,
}

/// How a server is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// As it is.
    AsIs,
    /// Once everything has been forgotten there.
    Cleaned,
    /// Not.
    Closed,
}

impl Courier {
    /// For a client whose server is in this state, and who began with these settings, of which the server reports some.
    pub(crate) fn new(
        (mode, prepared_max): (Mode, usize),
        analyser: Arc<Analyser>,
        texts: Arc<Texts>,
        (begun, server): (&Begun, Box<Held>),
    ) -> Self {
        let reported = &server.reported;
        let mut base = Params::default();
        for (name, _) in &begun.parameters {
            if let Some(value) = reported.get(name.as_bytes()) {
                // As the server writes it.
                let own = reported.iter().find(|(own, _)| own.eq_ignore_ascii_case(name.as_bytes()));
                base.set(own.map_or(name.as_bytes(), |(own, _)| own), value);
            }
        }
        let settings = Arc::new(begun.unreported(reported));
        Self {
            mode,
            analyser,
            texts,
            prepared_max,
            session: Session::default(),
            began: Instant::now(),
            from_client: Streamed::default(),
            from_server: Streamed::default(),
            told: Arc::clone(reported),
            want: Arc::clone(reported),
            base: (base, Arc::clone(&settings)),
            settings,
            server: Some(server),
            changes: VecDeque::new(),
            cycles: (0, 0),
            turns: Turns::default(),
            goodbye: false,
            wants_more: false,
            setting_up: false,
            unset: false,
            keeps: None,
            session_long: mode == Mode::Session,
            may_keep: false,
            unsure: false,
            lost: false,
            by_name: HashSet::new(),
            naming: false,
            closing: 0,
            copying: false,
            strays: 0,
        }
    }

    /// Whether the server has something to say to the client yet, or has to be given something by it that has been said.
    pub(crate) fn is_running(&self) -> bool {
        let waits = self.session.grouped() || self.from_client.active() || self.copying;
        self.setting_up || !(self.session.settled() || waits)
    }

    /// Whether the client has said goodbye.
    pub(crate) const fn has_left(&self) -> bool {
        self.goodbye
    }

    /// Whether half a message is there, and the client has to send more.
    pub(crate) const fn wants_more(&self) -> bool {
        self.wants_more
    }

    /// The server's gate.
    pub(crate) fn gate(&self) -> Option<&Gate> {
        self.server.as_ref().map(|server| &*server.gate)
    }

    /// Whether the client's messages wait for settings to be made.
    pub(crate) const fn is_setting_up(&self) -> bool {
        self.setting_up
    }

    /// Why the client keeps its server, if that is by what it has done.
    pub(crate) const fn keeps(&self) -> Option<Keeps> {
        self.keeps
    }

    /// Takes a server; returns what is to be sent before anything of the client.
    ///
    /// # Errors
    /// Never where the session is as it should be.
    pub(crate) fn link(&mut self, server: Box<Held>) -> Result<Vec<u8>, Problem> {
        self.server = Some(server);
        self.unset = false;
        self.set_up()
    }

    /// Whether the client does not need the server any more.
    pub(crate) fn is_free(&self) -> bool {
        !self.session_long && self.keeps.is_none() && self.is_resting() && self.is_idle()
    }

    fn is_resting(&self) -> bool {
        self.session.settled()
            && !self.session.grouped()
            && !self.lost
            && !self.setting_up
            && !self.copying
            && !self.from_client.active()
            && !self.from_server.active()
    }

    fn is_idle(&self) -> bool {
        self.session.transaction() == Transaction::Idle
    }

    /// Gives the server back.
    pub(crate) fn unlink(&mut self) -> Option<(Box<Held>, After)> {
        let (free, resting, idle) = (self.is_free(), self.is_resting(), self.is_idle());
        let mut server = self.server.take()?;
        let after = match (free && !self.unsure, resting) {
            // A request to give something up may still be on its way.
            _ if server.gate.is_spoilt() => After::Closed,
            (true, _) => After::AsIs,
            (false, true) => After::Cleaned,
            (false, false) => After::Closed,
        };
        if after != After::AsIs {
            self.by_name.clear();
        }
        self.unsure = false;
        server.in_transaction = !idle;
        server.clean = false;
        Some((server, after))
    }

    /// Whether settings have to be made before the client goes on.
    fn is_unset(&self) -> bool {
        self.unset && self.is_resting() && self.is_idle()
    }

    /// What makes the server's settings those of the client.
    fn set_up(&mut self) -> Result<Vec<u8>, Problem> {
        self.unset = false;
        let mut out = Vec::new();
        let Some(server) = &mut self.server else { return Ok(out) };
        if Arc::ptr_eq(&server.reported, &self.want) && server.applied == self.settings {
            return Ok(out);
        }
        let mut texts: Vec<String> = Vec::new();
        let other = |own: &Settings, name: &String, text: &str| {
            !own.iter().any(|(known, set)| known == name && **set == *text)
        };
        for (name, text) in server.applied.iter() {
            if other(&self.settings, name, text) {
                texts.push(format!("RESET \"{}\"", name.replace('"', "\"\"")));
            }
        }
        for (name, text) in self.settings.iter() {
            if other(&server.applied, name, text) {
                texts.push(text.to_string());
            }
        }
        for (name, value) in self.want.but(&server.reported).filter(|(name, _)| is_settable(name)) {
            let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
            texts.push(effect::set_config(&name, &value));
        }
        if texts.is_empty() {
            if *server.reported == *self.want {
                server.reported = Arc::clone(&self.want);
            }
            return Ok(out);
        }
        server.applied = Arc::clone(&self.settings);
        command::write_query(&mut out, texts.join(";").as_bytes());
        self.setting_up = true;
        server.unnamed = None;
        self.expect(Expected::Query { statements: Vec::new(), done: 0 }, true)?;
        Ok(out)
    }

    fn expect(&mut self, expected: Expected<Text>, hidden: bool) -> Result<(), Problem> {
        self.closing += usize::from(hidden && matches!(expected, Expected::Close(_)));
        self.cycles.0 += u64::from(expected.asks());
        self.session
            .send(expected, hidden, self.began)
            .map_err(|error| Problem::new("54000", error.to_string(), ""))
    }

    /// A transaction has ended: what it has changed of settings stays, or does not.
    fn settle_changes(&mut self) {
        let turns = std::mem::take(&mut self.turns);
        let mut unclear = false;
        while let Some((_, change)) = self.changes.pop_front_if(|(cycle, _)| *cycle <= self.cycles.1) {
            let reported = match &change {
                Change::Set { name, .. } | Change::Reset { name } => self.told.get(name.as_bytes()).is_some(),
                Change::ResetAll => false,
            };
            match turns {
                Turns { back: false, .. } => self.apply(change),
                // The server has gone back to what was before.
                Turns { parts: false, .. } => {}
                Turns { .. } => unclear |= !reported,
            }
        }
        if unclear || self.settings.len() > SETTINGS_MAX {
            self.keeps.get_or_insert(Keeps::Setting);
        }
    }

    fn apply(&mut self, change: Change) {
        let Some(server) = &mut self.server else { return };
        let is = |name: &str, (own, _): &(String, Box<str>)| own == name;
        match change {
            // What is reported is known by that.
            Change::Set { name, .. } if self.told.get(name.as_bytes()).is_some() => {}
            Change::Set { name, text } => {
                for list in [&mut self.settings, &mut server.applied] {
                    let list = Arc::make_mut(list);
                    list.retain(|entry| !is(&name, entry));
                    list.push((name.clone(), text.clone()));
                }
            }
            Change::Reset { name } => {
                if let Some(value) = self.base.0.get(name.as_bytes()) {
                    Arc::make_mut(&mut self.want).set(name.as_bytes(), value);
                    self.unset = true;
                }
                Arc::make_mut(&mut server.applied).retain(|entry| !is(&name, entry));
                let settings = Arc::make_mut(&mut self.settings);
                settings.retain(|entry| !is(&name, entry));
                let begun = self.base.1.iter().find(|entry| is(&name, entry)).cloned();
                self.unset |= begun.is_some();
                settings.extend(begun);
            }
            Change::ResetAll => {
                server.applied = Arc::default();
                self.settings = Arc::clone(&self.base.1);
                let want = Arc::make_mut(&mut self.want);
                self.base.0.iter().for_each(|(name, value)| want.set(name, value));
                self.unset = true;
            }
        }
    }
}

/// What a client has begun its session with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Begun {
    /// Settings, by their names.
    pub(crate) parameters: Vec<(String, String)>,
}

impl Begun {
    /// Reads start-up parameters; `None` if they cannot be given to a session that has begun.
    pub(crate) fn new(parameters: &[(String, String)]) -> Option<Self> {
        let mut found = Vec::new();
        for (name, value) in parameters {
            match name.as_str() {
                "options" => found.extend(options(value)?),
                "replication" => return None,
                _ => found.push((name.to_ascii_lowercase(), value.clone())),
            }
        }
        // Whatever such a session makes may be temporary.
        let temporary = found.iter().any(|(_, value)| value.to_ascii_lowercase().contains("pg_temp"));
        (!temporary).then_some(Self { parameters: found })
    }

    /// A statement that makes them all.
    pub(crate) fn text(&self) -> Option<String> {
        let all = self.parameters.iter().map(|(name, value)| effect::set_config(name, value));
        let all: Vec<_> = all.collect();
        (!all.is_empty()).then(|| all.join(";"))
    }

    pub(crate) fn unreported(&self, reported: &Params) -> Settings {
        let others = self.parameters.iter().filter(|(name, _)| reported.get(name.as_bytes()).is_none());
        let mut found: Settings = Vec::new();
        for (name, value) in others {
            found.retain(|(known, _)| known != name);
            found.push((name.clone(), effect::set_config(name, value).into()));
        }
        found
    }
}

/// `-c name=value` and `--name=value`, with backslashes before blanks; `None` for anything else.
fn options(text: &str) -> Option<Vec<(String, String)>> {
    let mut words = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        match (escaped, c) {
            (false, '\\') => escaped = true,
            (false, c) if c.is_ascii_whitespace() => words.push(String::new()),
            (_, c) => {
                escaped = false;
                words.last_mut()?.push(c);
            }
        }
    }
    let mut words = words.into_iter().filter(|word| !word.is_empty());
    let mut found = Vec::new();
    while let Some(word) = words.next() {
        let pair = match word.as_str() {
            "-c" => words.next()?,
            _ => word.strip_prefix("--").or_else(|| word.strip_prefix("-c"))?.to_owned(),
        };
        let (name, value) = pair.split_once('=')?;
        found.push((name.replace('-', "_").to_ascii_lowercase(), value.to_owned()));
    }
    Some(found)
}
