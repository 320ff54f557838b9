//! Who did what: lines of JSON that are added to a file, and are on the disk when something is said to be done.
//!
//! Each line has a number, the hash of the one before and its own; checkpoints are signed. So a line that was changed, removed or moved shows.

mod chain;
mod file;
mod query;
mod syslog;
pub mod time;
mod verify;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Map, Value, json};
use tokio::sync::broadcast;
use veil_proxy::events::{Event, Listener};
use veil_proxy::statements::{Ended, Who};

use chain::{CHECKPOINT, Head, seal};
use file::Log;

pub use chain::Signer;
pub use file::Rotation;
pub(crate) use query::Filter;
pub use syslog::Receiver;
use syslog::Syslog;
pub use verify::{Report, verify};

/// Events that go to the disk together.
const TOGETHER_MAX: usize = 1000;
/// Lines between two checkpoints, at most.
const CHECKPOINT_LINES: u64 = 1000;
/// Time between two checkpoints, if there are lines to sign.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(60);
/// What could not be written is tried again after so long.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// Events that wait for whoever looks on; those that are too slow miss some.
const LIVE_MAX: usize = 4096;

/// Where it is written down who did what.
pub struct Audit {
    path: Option<PathBuf>,
    signer: Option<Signer>,
    out: Mutex<Out>,
    syslog: Option<Syslog>,
    /// Events as they happen.
    pub live: broadcast::Sender<Arc<Value>>,
    /// Lines that were written.
    pub written: AtomicU64,
    /// Lines that could not be written.
    pub failed: AtomicU64,
}

struct Out {
    to: To,
    /// Lines since the last checkpoint.
    unsigned: u64,
    /// When that was, if this process has signed one.
    signed: Option<Instant>,
}

enum To {
    File(Log),
    Stderr(Head),
}

/// An event, and what belongs to it.
pub(crate) type Told = (&'static str, Vec<(&'static str, Value)>);

impl Audit {
    /// Adds to a file, which nobody else may read if it is new.
    ///
    /// # Errors
    /// It cannot be opened, or is none of the audit's.
    pub fn open(
        path: &Path,
        rotation: Rotation,
        signer: Signer,
        syslog: Option<Receiver>,
    ) -> io::Result<Self> {
        let log = Log::open(path, rotation)?;
        let syslog = syslog.map(Syslog::start);
        Ok(Self { syslog, ..Self::new(Some(path.to_owned()), Some(signer), To::File(log)) })
    }

    /// Writes to the standard error, where no file is configured.
    #[must_use]
    pub fn stderr() -> Self {
        Self::new(None, None, To::Stderr(Head::default()))
    }

    fn new(path: Option<PathBuf>, signer: Option<Signer>, to: To) -> Self {
        let unsigned = match &to {
            To::File(log) => log.unsigned(),
            To::Stderr(_) => 0,
        };
        Self {
            path,
            signer,
            out: Mutex::new(Out { to, unsigned, signed: None }),
            syslog: None,
            live: broadcast::channel(LIVE_MAX).0,
            written: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    /// The file, if there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Messages that could not be sent to the syslog receiver.
    #[must_use]
    pub fn unsent(&self) -> u64 {
        self.syslog.as_ref().map_or(0, Syslog::unsent)
    }

    /// Adds an event, with what belongs to it; never a value of a masked column.
    ///
    /// # Errors
    /// It is not on the disk.
    pub fn record(&self, event: &'static str, facts: &[(&'static str, Value)]) -> io::Result<()> {
        self.write(&[line((event, facts.to_vec()))])
    }

    /// Adds lines, which are on the disk then.
    fn write(&self, lines: &[Map<String, Value>]) -> io::Result<()> {
        let count = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let late = out.signed.is_none_or(|signed| signed.elapsed() >= CHECKPOINT_INTERVAL);
        let signs = late || out.unsigned + count >= CHECKPOINT_LINES;
        let written = self.put(&mut out, lines, signs && self.signer.is_some());
        match &written {
            Ok(_) => drop(self.written.fetch_add(count, Ordering::Relaxed)),
            Err(_) => drop(self.failed.fetch_add(count, Ordering::Relaxed)),
        }
        drop(out);
        for line in written? {
            self.tell(&line);
        }
        Ok(())
    }

    /// Tells whoever else wants to know of a line that was written.
    fn tell(&self, line: &str) {
        if self.syslog.is_none() && self.live.receiver_count() == 0 {
            return;
        }
        let Ok(event) = serde_json::from_str::<Value>(line) else { return };
        if let Some(syslog) = &self.syslog {
            syslog.send(&event, line);
        }
        let _ = self.live.send(Arc::new(event));
    }

    /// Adds lines and perhaps a checkpoint; what was written.
    fn put(&self, out: &mut Out, lines: &[Map<String, Value>], signs: bool) -> io::Result<Vec<String>> {
        let mut sealed = Vec::new();
        let mut seal_all = |head: &mut Head, new: bool| {
            // A file begins signed, so that nothing before it can be taken away unseen.
            if let (true, Some(signer)) = (new, &self.signer) {
                sealed.push(seal(head, &checkpoint(), Some(signer)));
            }
            sealed.extend(lines.iter().map(|line| seal(head, line, None)));
            if signs {
                sealed.push(seal(head, &checkpoint(), self.signer.as_ref()));
            }
            (sealed.join("\n") + "\n").into_bytes()
        };
        match &mut out.to {
            To::File(log) => log.add(seal_all)?,
            To::Stderr(head) => io::stderr().write_all(&seal_all(head, false))?,
        }
        let count = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        match signs {
            true => (out.unsigned, out.signed) = (0, Some(Instant::now())),
            false => out.unsigned += count,
        }
        Ok(sealed)
    }

    /// Signs what has been written since the last checkpoint.
    pub fn checkpoint(&self) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if out.unsigned == 0 || self.signer.is_none() {
            return;
        }
        if let Err(error) = self.put(&mut out, &[], true) {
            tracing::error!(%error, "the audit could not be signed");
        }
    }

    /// Waits a while until what was written has been sent, too.
    pub fn settle(&self) {
        if let Some(syslog) = &self.syslog {
            syslog.settle();
        }
    }

    /// Lines that nothing signed when the audit was opened: more than a few are those of a crash, or of somebody else.
    #[must_use]
    pub fn unsigned(&self) -> u64 {
        self.out.lock().unwrap_or_else(PoisonError::into_inner).unsigned
    }

    /// Adds what the data plane tells of, until it tells of nothing more. What cannot be written is tried again, unless events may be lost: then what waits waits, and what
    /// happens where too many do is the configuration's choice.
    pub fn follow(&self, events: &Listener) {
        loop {
            let first = match events.within(CHECKPOINT_INTERVAL) {
                Ok(Some(first)) => first,
                Ok(None) => {
                    self.checkpoint();
                    continue;
                }
                Err(_) => return self.checkpoint(),
            };
            // As many as wait go to the disk together.
            let waiting = std::iter::from_fn(|| events.waiting()).take(TOGETHER_MAX - 1);
            let together = std::iter::once(first).chain(waiting).map(|event| line(told(event)));
            let together: Vec<Map<String, Value>> = together.collect();
            let mut said = false;
            while let Err(error) = self.write(&together) {
                if !std::mem::replace(&mut said, true) {
                    tracing::error!(%error, events = together.len(), "events cannot be written to the audit");
                }
                if events.may_lose() {
                    break;
                }
                std::thread::sleep(RETRY_INTERVAL);
            }
        }
    }
}

/// What a line holds of an event that happens now.
fn line((event, facts): Told) -> Map<String, Value> {
    let now = time::write(SystemTime::now());
    let head = [("time".to_owned(), now.into()), ("event".to_owned(), event.into())];
    head.into_iter().chain(facts.into_iter().map(|(name, value)| (name.to_owned(), value))).collect()
}

fn checkpoint() -> Map<String, Value> {
    let head = [("time", json!(time::write(SystemTime::now()))), ("event", json!(CHECKPOINT))];
    head.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// An event's name, and what belongs to it.
fn told(event: Event) -> Told {
    match event {
        Event::Opened { protocol, address, user, database, scope } => (
            "login",
            vec![
                ("protocol", protocol.name().into()),
                ("address", address.to_string().into()),
                ("user", user.into()),
                ("database", database.into()),
                ("scope", scope.into()),
            ],
        ),
        Event::Denied { protocol, address, user, code } => (
            "login_denied",
            vec![
                ("protocol", protocol.name().into()),
                ("address", address.to_string().into()),
                ("user", user.into()),
                ("code", code.into()),
            ],
        ),
        Event::Ended { protocol, address, user, database, seconds } => (
            "logout",
            vec![
                ("protocol", protocol.name().into()),
                ("address", address.to_string().into()),
                ("user", user.into()),
                ("database", database.into()),
                ("seconds", seconds.into()),
            ],
        ),
        Event::Statement(ended) => statement(&ended),
    }
}

/// A statement, as the audit and the API tell of it.
fn statement(ended: &Ended) -> Told {
    let Who { session, protocol, address, user, database } = &*ended.who;
    let mut facts = vec![
        ("protocol", protocol.name().into()),
        ("address", address.to_string().into()),
        ("user", user.clone().into()),
        ("database", database.clone().into()),
        ("session", (*session).into()),
        ("statement", ended.text.text.clone().into()),
        ("rows", ended.rows.into()),
    ];
    if !ended.columns.is_empty() {
        facts.push(("columns", columns(&ended.columns)));
    }
    if !ended.unmasked.is_empty() {
        facts.push(("unmasked", columns(&ended.unmasked)));
    }
    if let Some(code) = &ended.code {
        facts.push(("code", code.clone().into()));
    }
    (ended.verdict.name(), facts)
}

/// Columns, and what is done by which rule.
pub(crate) fn columns(columns: &[veil_policy::MaskedColumn]) -> Value {
    let one = |column: &veil_policy::MaskedColumn| json!({ "name": column.name, "rule": column.rule.as_deref(), "strategy": column.strategy });
    columns.iter().map(one).collect()
}
