//! Which reply belongs to which command: the queue of what a server still owes, and the names it knows.
//!
//! A client may send many commands before it reads one reply, and an error throws away everything up to the
//! next Sync, registrations of names included. So names are kept twice: `sent`, what the server will know
//! once it has caught up and nothing fails, and `confirmed`, what its replies prove. Rows are judged by
//! `confirmed` alone.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use crate::cursor::{Malformed, Result};
use crate::pg::limits;
use crate::pg::reply::Transaction;

/// Name of a statement or portal, as the server keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name(Box<[u8]>);

/// Bytes of a name that the server tells apart (its NAMEDATALEN is 64).
const NAME_MAX: usize = 63;

impl From<&[u8]> for Name {
    fn from(name: &[u8]) -> Self {
        Self(name.get(..NAME_MAX).unwrap_or(name).into())
    }
}

/// A statement or portal that outlives the message that named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// A prepared statement.
    Statement(Name),
    /// A portal.
    Portal(Name),
}

/// A command whose reply is outstanding.
#[derive(Debug)]
pub enum Expected<S> {
    /// ParseComplete.
    Parse {
        /// Name of the statement.
        name: Name,
        /// What was prepared.
        statement: Arc<S>,
    },
    /// BindComplete.
    Bind {
        /// Portal made.
        portal: Name,
        /// Statement that it runs.
        statement: Name,
    },
    /// RowDescription or NoData, behind ParameterDescription for a statement.
    Describe(Object),
    /// Rows, then CommandComplete, EmptyQueryResponse or PortalSuspended.
    Execute(Name),
    /// CloseComplete.
    Close(Object),
    /// ReadyForQuery.
    Sync,
    /// The results of some statements, then ReadyForQuery.
    Query {
        /// The statements in order.
        statements: Vec<Arc<S>>,
        /// How many have ended.
        done: usize,
    },
    /// A result, then ReadyForQuery.
    FunctionCall,
    /// The server is not asked: whoever stands between answers this when its turn has come.
    Own(Box<Self>),
}

impl<S> Expected<S> {
    /// Whether ReadyForQuery ends what answers it.
    #[must_use]
    pub const fn asks(&self) -> bool {
        matches!(self, Self::Sync | Self::Query { .. } | Self::FunctionCall)
    }
}

/// A command and who sent it.
#[derive(Debug)]
pub struct Entry<S> {
    /// The command.
    pub expected: Expected<S>,
    /// Sent by the proxy itself: the client must not see the reply.
    pub hidden: bool,
    /// When it came.
    pub at: Instant,
}

/// A portal or cursor.
#[derive(Debug)]
pub struct Portal<S, P> {
    /// What it runs, if that is known.
    pub statement: Option<Arc<S>>,
    /// How its rows are written, once it has been described.
    pub plan: Option<Arc<P>>,
    /// The statement by whose name the described rows come, where it runs another (EXECUTE, FETCH).
    pub source: Option<Arc<S>>,
    /// A description has been asked for.
    pub described: bool,
    /// It outlives the transaction.
    pub held: bool,
}

impl<S, P> Clone for Portal<S, P> {
    fn clone(&self) -> Self {
        let Self { statement, plan, source, described, held } = self;
        let (statement, plan, source) = (statement.clone(), plan.clone(), source.clone());
        Self { statement, plan, source, described: *described, held: *held }
    }
}

#[derive(Debug)]
struct Names<S, P> {
    statements: HashMap<Name, Arc<S>>,
    portals: HashMap<Name, Portal<S, P>>,
}

impl<S, P> Names<S, P> {
    fn apply(&mut self, expected: &Expected<S>) {
        match expected {
            Expected::Parse { name, statement } => {
                self.statements.insert(name.clone(), Arc::clone(statement));
            }
            Expected::Bind { portal, statement } => {
                let statement = self.statements.get(statement).cloned();
                let made = Portal { statement, plan: None, source: None, described: false, held: false };
                self.portals.insert(portal.clone(), made);
            }
            Expected::Describe(Object::Portal(name)) => {
                if let Some(portal) = self.portals.get_mut(name) {
                    portal.described = true;
                }
            }
            Expected::Close(Object::Statement(name)) => drop(self.statements.remove(name)),
            Expected::Close(Object::Portal(name)) => drop(self.portals.remove(name)),
            Expected::Own(expected) => self.apply(expected),
            Expected::Describe(Object::Statement(_))
            | Expected::Execute(_)
            | Expected::Sync
            | Expected::Query { .. }
            | Expected::FunctionCall => {}
        }
    }
}

/// The state of one server session, seen from the middle. `S` is what is known of a statement, `P` how rows
/// are written.
#[derive(Debug)]
pub struct Session<S, P> {
    queue: VecDeque<Entry<S>>,
    sent: Names<S, P>,
    confirmed: Names<S, P>,
    transaction: Transaction,
    /// An error came and no Sync is on its way: the server ignores what is sent.
    skipping: bool,
    /// Commands were sent that no Sync has ended yet.
    grouped: bool,
    /// The simple query or call at the head has failed: ReadyForQuery follows without its results.
    failed: bool,
}

impl<S, P> Default for Session<S, P> {
    fn default() -> Self {
        let names = || Names { statements: HashMap::new(), portals: HashMap::new() };
        Self {
            queue: VecDeque::new(),
            sent: names(),
            confirmed: names(),
            transaction: Transaction::Idle,
            skipping: false,
            grouped: false,
            failed: false,
        }
    }
}

impl<S, P> Session<S, P> {
    /// Notes a command that goes to the server.
    ///
    /// # Errors
    /// The client has more outstanding than it may, or holds too many names.
    pub fn send(&mut self, expected: Expected<S>, hidden: bool, at: Instant) -> Result<()> {
        match expected {
            Expected::Sync => self.skipping = false,
            _ if self.skipping => return Ok(()),
            _ => {}
        }
        self.grouped = !expected.asks();
        if self.queue.len() >= limits::OUTSTANDING_MAX {
            return Err(Malformed("too many commands without reading a reply"));
        }
        self.sent.apply(&expected);
        if self.sent.statements.len().max(self.sent.portals.len()) > limits::NAMES_MAX {
            return Err(Malformed("too many prepared statements or portals"));
        }
        self.queue.push_back(Entry { expected, hidden, at });
        Ok(())
    }

    /// The command that the server's next reply belongs to.
    #[must_use]
    pub fn head(&self) -> Option<&Entry<S>> {
        self.queue.front()
    }

    /// All commands whose replies are outstanding.
    pub fn expected(&self) -> impl Iterator<Item = &Entry<S>> {
        self.queue.iter()
    }

    /// The server waits for COPY data, and ignores each Sync that was sent before them. Returns how many.
    pub fn ignore_syncs(&mut self) -> usize {
        let before = self.queue.len();
        while matches!(self.queue.get(1).map(|entry| &entry.expected), Some(Expected::Sync)) {
            self.queue.remove(1);
        }
        before - self.queue.len()
    }

    /// Takes the head that `fits`, and registers what its reply proves.
    ///
    /// # Errors
    /// The server sent a reply that nobody asked for.
    pub fn complete(&mut self, fits: impl FnOnce(&Expected<S>) -> bool) -> Result<Entry<S>> {
        match self.queue.front() {
            Some(entry) if fits(&entry.expected) => {}
            _ => return Err(Malformed("reply out of order from server")),
        }
        let entry = self.queue.pop_front().ok_or(Malformed("reply out of order from server"))?;
        self.confirmed.apply(&entry.expected);
        Ok(entry)
    }

    /// One statement of a simple query has ended; returns it.
    ///
    /// # Errors
    /// More results than statements.
    pub fn statement_done(&mut self) -> Result<Arc<S>> {
        match self.queue.front_mut().map(|entry| &mut entry.expected) {
            Some(Expected::Query { statements, done }) => {
                let ended = statements.get(*done).cloned();
                *done += 1;
                ended.ok_or(Malformed("more results than statements"))
            }
            _ => Err(Malformed("reply out of order from server")),
        }
    }

    /// An error came: forgets what the server will not answer. Returns whether it answers a command at all.
    pub fn fail(&mut self) -> bool {
        match self.queue.front().map(|entry| &entry.expected) {
            None => return false,
            Some(Expected::Query { .. } | Expected::FunctionCall | Expected::Sync) => {
                self.failed = true;
                return true;
            }
            Some(_) => {}
        }
        let sync = self.queue.iter().position(|entry| matches!(entry.expected, Expected::Sync));
        self.queue.drain(..sync.unwrap_or(self.queue.len()));
        self.skipping = sync.is_none();
        self.grouped |= self.skipping;
        self.sent.statements.clone_from(&self.confirmed.statements);
        self.sent.portals.clone_from(&self.confirmed.portals);
        for entry in &self.queue {
            self.sent.apply(&entry.expected);
        }
        true
    }

    /// ReadyForQuery came; returns whether it answers a hidden command.
    ///
    /// # Errors
    /// Nobody asked for it.
    pub fn ready(&mut self, transaction: Transaction) -> Result<bool> {
        let entry = self.complete(Expected::asks)?;
        match &entry.expected {
            Expected::Query { statements, done } if !self.failed && *done != statements.len() => {
                return Err(Malformed("fewer results than statements"));
            }
            _ => self.failed = false,
        }
        self.transaction = transaction;
        if transaction == Transaction::Idle {
            self.confirmed.portals.retain(|_, portal| portal.held);
        }
        if self.queue.is_empty() {
            self.sent.portals.clone_from(&self.confirmed.portals);
        }
        Ok(entry.hidden)
    }

    /// Registers a statement that SQL made (`PREPARE`).
    pub fn prepared(&mut self, name: &[u8], statement: &Arc<S>) {
        for names in [&mut self.sent, &mut self.confirmed] {
            names.statements.insert(name.into(), Arc::clone(statement));
        }
    }

    /// Registers a cursor that SQL made (`DECLARE`).
    pub fn declared(&mut self, name: &[u8], statement: &Arc<S>, held: bool) {
        for names in [&mut self.sent, &mut self.confirmed] {
            let statement = Some(Arc::clone(statement));
            let cursor = Portal { statement, plan: None, source: None, described: false, held };
            names.portals.insert(name.into(), cursor);
        }
    }

    /// Forgets a prepared statement, or all, as SQL has (`DEALLOCATE`).
    pub fn deallocated(&mut self, name: Option<&[u8]>) {
        for names in [&mut self.sent, &mut self.confirmed] {
            match name {
                Some(name) => drop(names.statements.remove(&name.into())),
                None => names.statements.clear(),
            }
        }
        // What was prepared behind it stays.
        for entry in self.queue.iter().filter(|_| name.is_none()) {
            self.sent.apply(&entry.expected);
        }
    }

    /// Forgets a cursor, or all, as SQL has (`CLOSE`).
    pub fn closed(&mut self, name: Option<&[u8]>) {
        for names in [&mut self.sent, &mut self.confirmed] {
            match name {
                Some(name) => drop(names.portals.remove(&name.into())),
                None => names.portals.clear(),
            }
        }
    }

    /// Attaches the plan to a portal that the server has described, and the statement that it runs by name.
    pub fn describe_portal(&mut self, name: &Name, plan: &Arc<P>, source: Option<Arc<S>>) {
        let unknown = || Portal { statement: None, plan: None, source: None, described: true, held: false };
        let portal = self.confirmed.portals.entry(name.clone()).or_insert_with(unknown);
        portal.plan = Some(Arc::clone(plan));
        portal.source = source;
    }

    /// The portal as the server's replies prove it.
    #[must_use]
    pub fn portal(&self, name: &Name) -> Option<&Portal<S, P>> {
        self.confirmed.portals.get(name)
    }

    /// The statement as the server's replies prove it.
    #[must_use]
    pub fn statement(&self, name: &Name) -> Option<&Arc<S>> {
        self.confirmed.statements.get(name)
    }

    /// The statement as it will be once all that was sent has succeeded.
    #[must_use]
    pub fn statement_sent(&self, name: &[u8]) -> Option<&Arc<S>> {
        self.sent.statements.get(&name.into())
    }

    /// All statements of a name that there may be by the time the server has done what was sent.
    pub fn statements_called<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a Arc<S>> {
        let sent = self.queue.iter().filter_map(move |entry| match &entry.expected {
            Expected::Parse { name: own, statement } if *own == name.into() => Some(statement),
            _ => None,
        });
        self.statement(&name.into()).into_iter().chain(sent)
    }

    /// The portal as it will be once all that was sent has succeeded.
    #[must_use]
    pub fn portal_sent(&self, name: &[u8]) -> Option<&Portal<S, P>> {
        self.sent.portals.get(&name.into())
    }

    /// State of the transaction at the last ReadyForQuery.
    #[must_use]
    pub const fn transaction(&self) -> Transaction {
        self.transaction
    }

    /// Whether the server owes nothing.
    #[must_use]
    pub fn settled(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether commands were sent that no Sync has ended yet: the server waits for more of the group.
    #[must_use]
    pub const fn grouped(&self) -> bool {
        self.grouped
    }

    /// Whether the server ignores what is sent, up to Sync.
    #[must_use]
    pub const fn skipping(&self) -> bool {
        self.skipping
    }
}
