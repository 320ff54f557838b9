//! A session in which something is masked.
//!
//! Invariants: a row reaches the client only by a plan made from the column definitions that the server sent for these
//! very rows; a refused statement never reaches the server; no statement is read by settings that another may have
//! changed.

mod client;
mod server;
mod texts;
mod told;

pub(super) use client::Numbers;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use veil_model::{Charset, Format};
use veil_policy::mysql::Plan;
use veil_policy::{Refusal, Translation};
use veil_sql::mysql::{Kind, Statement, TableName};
use veil_sql::normal::Normal;
use veil_wire::mysql::execute::ParameterType;
use veil_wire::mysql::startup::ChangeUser;

use super::Parts;
use super::hidden::{Hidden, Place, Settings};
use super::judge::{Judge, Judged, unknown};
use crate::catalogs::Due;
use crate::connections::OfServer;
use crate::problem::Problem;
use crate::sessions::Activity;
use crate::statements::Teller;

/// How long the catalog is not read because the next transaction has been described.
const DESCRIBED_MAX: Duration = Duration::from_secs(30);

/// The engine of one session.
pub struct Guarded {
    judge: Judge,
    connections: OfServer,
    capabilities: u64,
    /// `None` if something may have changed them.
    settings: Option<Settings>,
    /// The client has said how its next transaction is to be: the proxy must not begin it.
    next_transaction: bool,
    /// When that was.
    described_at: Option<Instant>,
    in_transaction: bool,
    from_client: Parts,
    from_server: Parts,
    phase: Phase,
    /// Number of the next packet for the client.
    sequence: u8,
    /// Prepared statements, by the server's number.
    statements: HashMap<u32, Prepared>,
    last_prepared: Option<u32>,
    /// Statements that SQL prepared, by name in lower case.
    named: HashMap<String, Named>,
    /// Code that nobody has read has run, which may have put anything into the session's variables.
    tainted: bool,
    /// A masked column has been counted up, and the server keeps to what.
    counted: bool,
    /// Code that nobody has read has run, a procedure's too, which may have made temporary tables.
    code_ran: bool,
    /// The warnings of the statement before may tell of values.
    veiled: bool,
    /// The answer to the message that is being passed over.
    refused: Option<Problem>,
    change: Option<ChangeUser>,
    /// The client has said goodbye, or the server has said why it leaves.
    ending: bool,
    /// After a catalog could not be read.
    read_not_before: Option<Instant>,
    /// The server waits for the next query of the proxy's own.
    next_query: bool,
    /// Temporary tables whose columns are to be asked for.
    unread: Vec<TableName>,
    commands: u32,
    /// Rows that have been sent since they were told of.
    sent: u64,
    teller: Teller,
    /// When the bytes came that are looked at.
    now: Instant,
    /// The text of the statement that is looked at, as it may be shown.
    shown: Option<Arc<Normal>>,
}

/// A statement that the server has prepared.
struct Prepared {
    statement: Arc<Statement>,
    /// Where it was read.
    place: Place,
    /// How the rows of an open cursor are written.
    cursor: Option<Arc<Plan>>,
    /// Parameters of the next execution have been sent before it.
    long_data: bool,
    /// Its words, where these have a price.
    words: Option<u64>,
    /// What its masks stood for when it was sent.
    masks: Option<Arc<Translation>>,
    /// Its text, as it may be shown.
    shown: Option<Arc<Normal>>,
    parameters: usize,
    /// The types of its parameters, as they were sent last.
    types: Vec<ParameterType>,
}

impl Prepared {
    fn new(judged: Judged, shown: Option<Arc<Normal>>, parameters: u16) -> Self {
        let Judged { statement, place, words, masks, .. } = judged;
        let (parameters, types) = (parameters.into(), Vec::new());
        Self { statement, place, cursor: None, long_data: false, words, masks, shown, parameters, types }
    }
}

impl Prepared {
    /// Whether the text that the server has still says what is meant.
    fn means_the_same(&self, now: Judged) -> Result<Judged, Refusal> {
        if now.masks == self.masks {
            return Ok(now);
        }
        Err(refusal("what the masks in this statement stand for has changed", "Prepare it again."))
    }
}

/// A statement that SQL prepared, and where it was read.
type Named = (Arc<Statement>, Place);

/// Whose turn it is.
enum Phase {
    /// The client's.
    Idle,
    /// The server answers the client.
    Reply(Box<Reply>),
    /// The server answers the proxy.
    Hidden(Box<Hidden>),
}

/// An answer that is coming.
struct Reply {
    /// The statements that are answered, in order.
    statements: Vec<Judged>,
    /// The one that is answered now.
    at: usize,
    stage: Stage,
    format: Format,
    /// Number of the prepared statement that runs.
    prepared: Option<u32>,
    /// The client has asked for a cursor.
    cursor: bool,
    /// Definitions of the current result's columns.
    definitions: Vec<Vec<u8>>,
    plan: Option<Arc<Plan>>,
    then: Then,
    /// The text, as it may be shown.
    shown: Option<Arc<Normal>>,
    /// When it was asked for.
    began: Instant,
}

/// What comes next of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// OK, an error, or the count of columns.
    First,
    /// So many definitions.
    Definitions(usize),
    DefinitionsEnd,
    Rows,
    /// The answer to COM_STMT_PREPARE.
    Prepared,
    /// So many packets that hold no data, and behind them so many definitions of columns.
    Packets(usize, usize),
    /// So many definitions of a prepared statement.
    PreparedDefinitions(usize),
    /// Definitions with default values, up to EOF.
    Fields,
    /// One packet.
    Single,
}

/// What a success of a command that is no statement changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Nothing,
    /// The session's database.
    Database,
    /// Everything.
    Reset,
}

impl Reply {
    fn new(statements: Vec<Judged>, stage: Stage) -> Self {
        Self {
            statements,
            at: 0,
            stage,
            format: Format::Text,
            prepared: None,
            cursor: false,
            definitions: Vec::new(),
            plan: None,
            then: Then::Nothing,
            shown: None,
            began: Instant::now(),
        }
    }

    /// Whether the server has read another text, which it quotes: values stand in it where masks stood.
    fn is_rewritten(&self) -> bool {
        self.statements.iter().any(Judged::is_rewritten)
    }

    /// The statement that is answered now; nothing is known of an answer that nobody asked for.
    fn judged(&self) -> Judged {
        self.statements.get(self.at).cloned().unwrap_or_else(|| Judged::closed(Kind::Data))
    }
}

impl Guarded {
    /// For a session that has just been signed in.
    #[must_use]
    pub fn new(judge: Judge, connections: OfServer, capabilities: u64) -> Self {
        Self {
            judge,
            connections,
            capabilities,
            settings: None,
            next_transaction: false,
            described_at: None,
            in_transaction: false,
            from_client: Parts::default(),
            from_server: Parts::default(),
            phase: Phase::Idle,
            sequence: 0,
            statements: HashMap::new(),
            last_prepared: None,
            named: HashMap::new(),
            tainted: false,
            counted: false,
            code_ran: false,
            veiled: false,
            refused: None,
            change: None,
            ending: false,
            read_not_before: None,
            next_query: false,
            unread: Vec::new(),
            commands: 0,
            sent: 0,
            teller: Teller::default(),
            now: Instant::now(),
            shown: None,
        }
    }

    /// What has begun is taken to its end; the next command waits.
    pub(super) const fn is_waiting(&self) -> bool {
        let inside = self.from_client.active() || self.from_client.continues;
        !inside && self.is_busy()
    }

    const fn is_busy(&self) -> bool {
        !matches!(self.phase, Phase::Idle) || self.change.is_some()
    }

    pub(super) const fn activity(&self) -> Activity {
        match (self.is_busy() || self.from_client.active() || self.from_client.continues, self.in_transaction)
        {
            (true, _) => Activity::Running,
            (false, true) => Activity::InTransaction,
            (false, false) => Activity::Idle,
        }
    }

    pub(super) const fn teller(&mut self) -> &mut Teller {
        &mut self.teller
    }

    pub(super) const fn commands(&self) -> u32 {
        self.commands
    }

    pub(super) const fn expects_end(&self) -> bool {
        self.ending
    }

    pub(super) fn take_change(&mut self) -> Option<ChangeUser> {
        self.change.take()
    }

    pub(super) fn fatal(&self, problem: &Problem) -> Option<Vec<u8>> {
        let inside = self.from_server.active() || self.from_server.continues;
        // Where nothing is asked, it answers what is asked next.
        let sequence = if self.is_busy() { self.sequence } else { 1 };
        (!inside).then(|| problem.mysql(sequence))
    }

    /// What the server is asked before a statement.
    fn question(&mut self, settings: &Settings, now: Instant, names_missing: bool) -> Option<Hidden> {
        if self.wants_catalog(now, names_missing) {
            return Some(Hidden::catalog());
        }
        let name = self.unread.last().filter(|_| !self.next_transaction)?;
        let quoted = |name: &str| name.replace('`', "``");
        let database = quoted(name.database.as_deref()?);
        let text = format!("show columns from `{}` from `{database}`", quoted(&name.name));
        let mut bytes = Vec::new();
        match settings.encode(&text, &mut bytes) {
            Ok(()) => Some(Hidden::columns(bytes)),
            Err(_) => {
                self.unread.pop();
                None
            }
        }
    }

    /// Before a statement: whether the catalog has to be read first.
    fn wants_catalog(&self, now: Instant, names_missing: bool) -> bool {
        let paused = self.read_not_before.is_some_and(|moment| now < moment);
        if paused || self.next_transaction {
            return false;
        }
        match self.sees_the_past() {
            true => self.judge.is_due(now, names_missing),
            false => self.judge.slot().due(now, names_missing) == Due::Yes,
        }
    }

    /// The refusal of a transaction that was described so long ago that the catalog cannot be relied on any more.
    fn comes_late(&mut self, now: Instant) -> Option<Refusal> {
        let moment = self.described_at.filter(|_| self.next_transaction)?;
        if now <= moment + DESCRIBED_MAX {
            return None;
        }
        (self.next_transaction, self.described_at) = (false, None);
        let what = "the transaction that SET TRANSACTION was for, because it comes too late";
        Some(refusal(what, "Say SET TRANSACTION again, and begin at once."))
    }

    /// In a transaction, MySQL may show the catalog as it was when that began.
    fn sees_the_past(&self) -> bool {
        let mariadb = self.settings.as_ref().is_some_and(|settings| settings.mode.mariadb);
        self.in_transaction && !mariadb
    }

    /// The server has done what was asked by a command that is no statement.
    fn single(&mut self, then: Then) {
        match then {
            Then::Nothing => {}
            Then::Database => self.settings = None,
            Then::Reset => {
                self.settings = None;
                self.in_transaction = false;
                self.counted = false;
                self.statements.clear();
                self.named.clear();
                self.last_prepared = None;
                self.unread.clear();
                self.code_ran = false;
                self.judge.forget_temporary();
                // Roles are those of the login again.
                self.judge.distrust();
            }
        }
    }

    /// Whether a statement may read the session's variables.
    fn check_variables(&self, judged: &Judged, tainted: bool, given: bool) -> Result<(), Refusal> {
        let facts = &judged.statement.facts;
        let keeps = !facts.writes.is_empty();
        if facts.writes_variables {
            return Err(refusal(
                "variables in a statement that writes several rows, or the same one again",
                "",
            ));
        }
        if !(self.tainted || tainted) || !(keeps || given || judged.run.shows_all()) {
            return Ok(());
        }
        let what = "variables of the session, after code has run that may have set them";
        Err(refusal(what, "Read them in a new session."))
    }

    /// Whether a statement may read or set the number that the server has counted up to.
    fn check_counter(&self, judged: &Judged, before: &[Judged]) -> Result<(), Refusal> {
        let statement = &judged.statement;
        let counted = || self.counted || before.iter().any(|earlier| self.judge.counter(earlier).is_some());
        let sets = matches!(statement.kind, Kind::Set { .. });
        let defines = matches!(statement.kind, Kind::Define(_));
        let facts = &statement.facts;
        let reads = (facts.reads_counts && !defines) || (facts.reads_counter && (sets || counted()));
        if !reads || self.judge.observes() || !self.judge.labels().counts() {
            return Ok(());
        }
        Err(refusal(
            "the number that a masked column was counted up to",
            "The answer to the INSERT has its mask; name the variables that are wanted in SHOW and SELECT.",
        ))
    }

    /// The inner statement that EXECUTE runs.
    fn executed(&self, name: &str, before: &[Judged], now: &Place) -> Named {
        let here = before.iter().rev().find_map(|earlier| match &earlier.statement.kind {
            Kind::Prepare { name: made, inner } if made == name => {
                Some((Arc::clone(inner), earlier.place.clone()))
            }
            _ => None,
        });
        let refused = || unknown(Kind::Refused("EXECUTE of what IronVeil has not seen prepared"));
        here.or_else(|| self.named.get(name).cloned()).unwrap_or_else(|| (refused(), now.clone()))
    }
}

fn refusal(what: &str, hint: &'static str) -> Refusal {
    Refusal { code: "42501", message: format!("IronVeil refused: {what}"), hint }
}

fn problem(refusal: Refusal) -> Problem {
    Problem::new(refusal.code, refusal.message, refusal.hint)
}

/// The text of a statement, and whether it can be written back without a loss.
fn decode_text(charset: Charset, bytes: &[u8]) -> Option<(std::borrow::Cow<'_, str>, bool)> {
    use veil_mask::charset;
    if matches!(charset, Charset::Utf8mb3 | Charset::Utf8mb4 | Charset::Ascii) {
        // Literals may hold any bytes; none of them can hide a character of ASCII.
        let text = String::from_utf8_lossy(bytes);
        let exact = matches!(text, std::borrow::Cow::Borrowed(_));
        return Some((text, exact));
    }
    let text = charset::decode(charset, bytes)?;
    let mut back = Vec::new();
    charset::encode(charset, &text, &mut back)?;
    (back == bytes).then_some((text, true))
}
