//! What is told of statements that have ended: to the metrics, to the list of recent ones, to the audit, and to whoever traces.
//!
//! Never a value: texts are without literals (`veil_sql::normal`).

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use prometheus::IntCounter;
use quick_cache::sync::Cache;
use tokio::sync::{broadcast, mpsc};
use veil_policy::MaskedColumn;
use veil_sql::normal::{Normal, normal};

use crate::events::{Event, Events};
use crate::metrics::{Metrics, OfSession};
use crate::proxy::Protocol;
use crate::sessions::Seat;

/// What has become of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It shows nothing that is masked.
    Passed,
    /// Columns of its result were masked or closed.
    Masked,
    /// It did not run.
    Refused,
    /// A rule shows its user what others do not see.
    Unmasked,
}

impl Verdict {
    /// As metrics and logs have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Masked => "masked",
            Self::Refused => "refused",
            Self::Unmasked => "unmasked",
        }
    }
}

/// Whose statements these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// Number of the session.
    pub session: u64,
    /// What it speaks.
    pub protocol: Protocol,
    /// Where the client is.
    pub address: IpAddr,
    /// Who it is.
    pub user: String,
    /// Where it is, as it named that.
    pub database: String,
}

/// A statement that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// One more than that of the one before.
    pub number: u64,
    /// Whose it was.
    pub who: Arc<Who>,
    /// Its text, as far as it may be shown.
    pub text: Arc<Normal>,
    /// When it ended.
    pub at: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// How long the proxy worked on it.
    pub worked: Duration,
    /// What became of it.
    pub verdict: Verdict,
    /// Columns of its result that were masked or closed.
    pub columns: Arc<[MaskedColumn]>,
    /// Columns that it may have shown because a rule shows them to its user only.
    pub unmasked: Vec<MaskedColumn>,
    /// Rows of its result, or rows changed.
    pub rows: u64,
    /// SQLSTATE or number of the error, if it failed.
    pub code: Option<String>,
}

/// Recent statements that are kept.
const RECENT_MAX: usize = 1000;
/// Texts that are known without their literals.
const TEXTS_MAX: usize = 4096;
/// Bytes of a text that are looked at: a few more than are read, so that it is seen to be cut.
const READ_MAX: usize = (64 << 10) + 4;
/// Longer texts are read every time.
const KNOWN_TEXT_MAX: usize = 16 << 10;
/// Statements that wait for whoever looks on; those that are too slow miss some.
const LIVE_MAX: usize = 256;

/// Where it is told.
pub struct Telemetry {
    /// Counters.
    pub metrics: Metrics,
    /// Statements, as they end.
    pub live: broadcast::Sender<Arc<Ended>>,
    recent: Mutex<VecDeque<Arc<Ended>>>,
    ended: AtomicU64,
    texts: Cache<(u64, usize), Arc<Normal>>,
    hasher: RandomState,
    events: Arc<Events>,
    traced: RwLock<Option<mpsc::Sender<Arc<Ended>>>>,
}

impl Telemetry {
    /// Tells the audit what it has to know by `events`.
    #[must_use]
    pub fn new(events: Arc<Events>) -> Self {
        Self {
            metrics: Metrics::default(),
            live: broadcast::channel(LIVE_MAX).0,
            recent: Mutex::default(),
            ended: AtomicU64::new(0),
            texts: Cache::new(TEXTS_MAX),
            hasher: RandomState::new(),
            events,
            traced: RwLock::default(),
        }
    }

    /// Has statements told to `traced`, too; what it has no room for is counted.
    pub fn trace(&self, traced: Option<mpsc::Sender<Arc<Ended>>>) {
        *self.traced.write().unwrap_or_else(PoisonError::into_inner) = traced;
    }

    /// Those that ended last, the last first.
    #[must_use]
    pub fn recent(&self) -> Vec<Arc<Ended>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }

    /// A text as it may be shown.
    fn text(&self, protocol: Protocol, bytes: &[u8]) -> Arc<Normal> {
        let shown = bytes.get(..READ_MAX).unwrap_or(bytes);
        let read = || Arc::new(normal(&String::from_utf8_lossy(shown), protocol == Protocol::Pg));
        if bytes.len() > KNOWN_TEXT_MAX {
            return read();
        }
        let key = (self.hasher.hash_one((protocol == Protocol::Pg, bytes)), bytes.len());
        self.texts.get(&key).unwrap_or_else(|| {
            let text = read();
            self.texts.insert(key, Arc::clone(&text));
            text
        })
    }

    fn tell(&self, ended: Ended) {
        let ended = Arc::new(ended);
        let metrics = &self.metrics;
        let protocol = ended.who.protocol.name();
        if ended.code.is_some() && ended.verdict != Verdict::Refused {
            metrics.failed.with_label_values(&[protocol]).inc();
        }
        for column in ended.columns.iter() {
            metrics.masked.with_label_values(&[column.strategy]).inc_by(ended.rows);
        }
        if ended.verdict != Verdict::Passed {
            self.events.tell(|| Event::Statement(Arc::clone(&ended)));
        }
        if let Some(traced) = &*self.traced.read().unwrap_or_else(PoisonError::into_inner)
            && traced.try_send(Arc::clone(&ended)).is_err()
        {
            metrics.spans_dropped.inc();
        }
        if self.live.receiver_count() > 0 {
            let _ = self.live.send(Arc::clone(&ended));
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() >= RECENT_MAX {
            recent.pop_front();
        }
        recent.push_back(ended);
    }
}

/// In the place of a text that nobody has seen.
fn unknown_text() -> Arc<Normal> {
    Arc::new(Normal { text: "?".to_owned(), operation: "OTHER", traceparent: None })
}

/// Classes of SQLSTATE that PostgreSQL has; others are made up by code, of whatever it likes.
const CLASSES: [&str; 44] = [
    "00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "20", "21", "22", "23", "24",
    "25", "26", "27", "28", "2B", "2D", "2F", "34", "38", "39", "3B", "3D", "3F", "40", "42", "44", "53",
    "54", "55", "57", "58", "72", "F0", "HV", "P0", "XX", "0N",
];

/// Whether a code is one of a server's: a number of MySQL, or an SQLSTATE.
fn is_code(code: &str) -> bool {
    let (class, rest) = code.split_at_checked(2).unwrap_or((code, ""));
    code.bytes().all(|byte| byte.is_ascii_digit())
        || (CLASSES.contains(&class) && rest.bytes().filter(u8::is_ascii_digit).count() >= 2)
        || (class == "22" && rest.starts_with("00"))
}

/// Tells of the statements of one session; of none where nobody is to know.
#[derive(Default)]
pub struct Teller(Option<Box<Telling>>);

struct Telling {
    telemetry: Arc<Telemetry>,
    who: Arc<Who>,
    seat: Arc<Seat>,
    metrics: OfSession,
    /// Its user sees everything, and others do not.
    exempt: bool,
    /// The counter of statements like the last one.
    like: Option<(&'static str, Verdict, IntCounter)>,
    /// When the last statement ended.
    last: Instant,
    /// What the proxy has worked since then.
    worked: Duration,
}

impl Teller {
    /// The session's user sees everything, and others do not; or that is no more so.
    pub(crate) fn set_exempt(&mut self, exempt: bool) {
        self.0.iter_mut().for_each(|telling| telling.exempt = exempt);
    }
}

/// What an engine knows of a statement that has ended.
pub(crate) struct Outcome<'a> {
    /// When it came.
    pub(crate) began: Instant,
    pub(crate) text: Option<&'a Arc<Normal>>,
    pub(crate) columns: &'a Arc<[MaskedColumn]>,
    pub(crate) unmasked: Vec<MaskedColumn>,
    pub(crate) rows: u64,
    pub(crate) refused: bool,
    pub(crate) code: Option<String>,
}

impl Teller {
    pub(crate) fn new(telemetry: &Arc<Telemetry>, seat: &Arc<Seat>, exempt: bool) -> Self {
        let who = Who {
            session: seat.number,
            protocol: seat.protocol,
            address: seat.address,
            user: seat.user.clone(),
            database: seat.database.clone(),
        };
        Self(Some(Box::new(Telling {
            metrics: telemetry.metrics.of_session(seat.protocol),
            telemetry: Arc::clone(telemetry),
            who: Arc::new(who),
            seat: Arc::clone(seat),
            exempt,
            like: None,
            last: Instant::now(),
            worked: Duration::ZERO,
        })))
    }

    /// A text as it may be shown.
    pub(crate) fn text(&self, bytes: &[u8]) -> Option<Arc<Normal>> {
        self.0.as_ref().map(|telling| telling.telemetry.text(telling.who.protocol, bytes))
    }

    /// The proxy has worked on bytes that came.
    pub(crate) fn worked(&mut self, from_client: bool, bytes: usize, since: Instant) {
        let Some(telling) = &mut self.0 else { return };
        let metrics = &telling.metrics;
        let traffic = &telling.seat.traffic;
        let (all, own) = match from_client {
            true => (&metrics.received, &traffic.received),
            false => (&metrics.answered, &traffic.answered),
        };
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        all.inc_by(bytes);
        own.fetch_add(bytes, Ordering::Relaxed);
        telling.worked += since.elapsed();
    }

    /// A value was read that a rule's function could not mask, or that was planted.
    pub(crate) fn met(&self, canaries: usize, unmaskable: usize, unclassified: usize) {
        let Some(telling) = &self.0 else { return };
        let metrics = &telling.telemetry.metrics;
        metrics.canaries.inc_by(u64::try_from(canaries).unwrap_or(u64::MAX));
        metrics.unmaskable.inc_by(u64::try_from(unmaskable).unwrap_or(u64::MAX));
        metrics.unclassified.inc_by(u64::try_from(unclassified).unwrap_or(u64::MAX));
    }

    pub(crate) fn ended(&mut self, outcome: Outcome<'_>) {
        let Some(telling) = &mut self.0 else { return };
        let Outcome { began, text, columns, unmasked, rows, refused, code } = outcome;
        let code = code.map(|code| if is_code(&code) { code } else { "?".to_owned() });
        let now = Instant::now();
        // What is pipelined runs when that before it has ended.
        let took = now.saturating_duration_since(began.max(telling.last));
        telling.last = now;
        let verdict = match () {
            () if refused => Verdict::Refused,
            () if telling.exempt => Verdict::Unmasked,
            () if !columns.is_empty() => Verdict::Masked,
            () if !unmasked.is_empty() => Verdict::Unmasked,
            () => Verdict::Passed,
        };
        let worked = std::mem::take(&mut telling.worked);
        let metrics = &telling.metrics;
        metrics.took.observe(took.as_secs_f64());
        metrics.worked.observe(worked.as_secs_f64());
        metrics.rows.inc_by(rows);
        telling.seat.traffic.statements.fetch_add(1, Ordering::Relaxed);
        let text = text.map(Arc::clone).unwrap_or_else(unknown_text);
        let telemetry = &telling.telemetry;
        if !telling.like.as_ref().is_some_and(|like| (like.0, like.1) == (text.operation, verdict)) {
            let labels = [telling.who.protocol.name(), text.operation, verdict.name()];
            let counter = telemetry.metrics.statements.with_label_values(&labels);
            telling.like = Some((text.operation, verdict, counter));
        }
        telling.like.iter().for_each(|(.., counter)| counter.inc());
        telemetry.tell(Ended {
            number: telemetry.ended.fetch_add(1, Ordering::Relaxed) + 1,
            who: Arc::clone(&telling.who),
            text,
            at: SystemTime::now(),
            took,
            worked,
            verdict,
            columns: Arc::clone(columns),
            unmasked,
            rows,
            code,
        });
    }
}
