//! The sessions that run: who they are, how busy they are, and what is asked of them.
//!
//! Decision: sessions have no timers. Each writes down when it became busy or idle; one task looks at all of them several times a second and asks those
//! to end that have been so for too long. So an idle session costs no timer, and everything that ends sessions (time, shutdown, somebody) takes one way.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::events::{Event, Events};
use crate::pool::Keeps;
use crate::problem::Problem;
use crate::proxy::Protocol;

/// How busy a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Something is asked that has not been answered.
    Running,
    /// Nothing is asked, and no transaction is open.
    Idle,
    /// Nothing is asked, and a transaction is open.
    InTransaction,
}

/// What a session is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// To end if it is idle.
    EndIdle,
    /// To end if a transaction is open and nothing is asked.
    EndTransaction,
    /// To end as soon as it is idle, for it has lasted long enough.
    EndOld,
    /// To end as soon as it is idle, for the proxy stops.
    Drain,
    /// To give up its statement, which has run for too long.
    Cancel,
    /// To end now, for the proxy stops.
    Stop,
    /// To end now, for somebody wants it.
    Kill,
}

/// The stronger first.
const ASKS: [Ask; 7] =
    [Ask::Stop, Ask::Kill, Ask::Cancel, Ask::Drain, Ask::EndOld, Ask::EndTransaction, Ask::EndIdle];

impl Ask {
    fn bit(self) -> u8 {
        1 << ASKS.iter().position(|ask| *ask == self).unwrap_or(0)
    }

    /// Whether it is over once it did not concern a session.
    pub(crate) const fn passes(self) -> bool {
        matches!(self, Self::EndIdle | Self::EndTransaction | Self::EndOld | Self::Cancel)
    }

    /// What the client is told, if a session that is so busy has to end.
    pub(crate) fn ends(self, activity: Activity) -> Option<Problem> {
        let (code, message, hint) = match (self, activity) {
            (Self::EndIdle, Activity::Idle) => (
                "57P05",
                "terminating connection due to idle-session timeout",
                "The proxy's idle_timeout says how long.",
            ),
            (Self::EndTransaction, Activity::InTransaction) => (
                "25P03",
                "terminating connection due to idle-in-transaction timeout",
                "The proxy's idle_in_transaction_timeout says how long.",
            ),
            (Self::EndOld, Activity::Idle) => {
                ("57P01", "terminating connection: it has lasted for max_lifetime", "Connect again.")
            }
            (Self::Drain, Activity::Idle) | (Self::Stop, _) => {
                ("57P01", "terminating connection: the proxy is shutting down", "Connect again.")
            }
            (Self::Kill, _) => ("57P01", "terminating connection due to administrator command", ""),
            (Self::Cancel, Activity::Running) => (
                "57014",
                "canceling statement due to statement timeout, and the connection with it",
                "The proxy's query_timeout says how long.",
            ),
            _ => return None,
        };
        Some(Problem::new(code, message, hint))
    }
}

/// How long sessions may be what they are; none means forever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// Without a statement and a transaction.
    pub idle: Option<Duration>,
    /// Without a statement in a transaction.
    pub idle_in_transaction: Option<Duration>,
    /// With one statement.
    pub query: Option<Duration>,
    /// At all.
    pub lifetime: Option<Duration>,
}

/// What has passed in a session.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Statements that have ended.
    pub statements: AtomicU64,
    /// Bytes from the client.
    pub received: AtomicU64,
    /// Bytes from the server.
    pub answered: AtomicU64,
}

/// One session.
pub struct Seat {
    /// Number.
    pub number: u64,
    /// What it speaks.
    pub protocol: Protocol,
    /// Where the client is.
    pub address: IpAddr,
    /// Who it is, as clients name themselves.
    pub user: String,
    /// Where it is, as clients name it.
    pub database: String,
    /// The client speaks by TLS.
    pub tls: bool,
    /// When it began.
    pub began: Instant,
    /// What has passed.
    pub traffic: Traffic,
    timeouts: Timeouts,
    /// When it became so busy, in milliseconds since it began, and how busy in the lowest bits.
    since: AtomicU64,
    asked: AtomicU8,
    /// Why it keeps a connection that others could use as well.
    kept: Mutex<Option<Keeps>>,
    waker: Mutex<Option<Waker>>,
    /// Gives up the statement.
    cancel: Option<Cancel>,
    cancelled: AtomicBool,
    /// A cancel request is under way: it must not meet the next statement.
    giving_up: AtomicBool,
}

/// What gives up a session's statement on its server.
pub type Cancel = Box<dyn Fn(GivingUp) + Send + Sync>;

/// A session whose client has to wait until its statement has been given up, or that has failed.
pub struct GivingUp(Arc<Seat>);

impl Drop for GivingUp {
    fn drop(&mut self) {
        self.0.has_given_up();
    }
}

/// Bits for how busy a session is.
const ACTIVITY_BITS: u32 = 2;

/// After a cancel request the server has so long to answer.
const CANCEL_GRACE: Duration = Duration::from_secs(5);

impl Seat {
    /// Notes how busy the session is now; `anew` if it has become so since it was noted last.
    pub(crate) fn note(&self, activity: Activity, anew: bool) {
        let bits = match activity {
            Activity::Running => 0,
            Activity::Idle => 1,
            Activity::InTransaction => 2,
        };
        let before = self.since.load(Ordering::Relaxed);
        if anew || before & 3 != bits {
            let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX >> ACTIVITY_BITS);
            self.since.store(millis << ACTIVITY_BITS | bits, Ordering::Relaxed);
            self.cancelled.store(false, Ordering::Relaxed);
        }
    }

    /// How busy it is, and since when.
    #[must_use]
    pub fn activity(&self) -> (Activity, Instant) {
        let since = self.since.load(Ordering::Relaxed);
        let activity = match since & 3 {
            0 => Activity::Running,
            1 => Activity::Idle,
            _ => Activity::InTransaction,
        };
        (activity, self.began + Duration::from_millis(since >> ACTIVITY_BITS))
    }

    /// Notes why it keeps its connection.
    pub(crate) fn note_kept(&self, keeps: Option<Keeps>) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = keeps;
    }

    /// Why it keeps a connection that others could use as well, if it does.
    #[must_use]
    pub fn kept(&self) -> Option<Keeps> {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server has taken the cancel request.
    fn has_given_up(&self) {
        self.giving_up.store(false, Ordering::Release);
        self.wake();
    }

    /// Whether the client's next statement has to wait.
    pub(crate) fn is_giving_up(&self) -> bool {
        self.giving_up.load(Ordering::Acquire)
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take() {
            waker.wake();
        }
    }

    /// Asks something of it.
    pub fn ask(&self, what: Ask) {
        self.asked.fetch_or(what.bit(), Ordering::AcqRel);
        self.wake();
    }

    /// What is asked of it, the stronger first.
    pub(crate) fn asked(&self) -> impl Iterator<Item = Ask> {
        let asked = self.asked.load(Ordering::Acquire);
        ASKS.into_iter().filter(move |ask| asked & ask.bit() != 0)
    }

    /// What was asked did not concern it any more.
    pub(crate) fn withdraw(&self, what: Ask) {
        self.asked.fetch_and(!what.bit(), Ordering::AcqRel);
    }

    /// Has `waker` woken when something is asked.
    pub(crate) fn listen(&self, waker: &Waker) {
        let mut known = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    /// Asks what the time says.
    fn look(self: &Arc<Self>, now: Instant) {
        if self.asked.load(Ordering::Acquire) != 0 {
            self.wake();
        }
        let (activity, since) = self.activity();
        let lasted = now.saturating_duration_since(since);
        let over = |limit: Option<Duration>| limit.is_some_and(|limit| lasted >= limit);
        match activity {
            Activity::Idle if over(self.timeouts.idle) => self.ask(Ask::EndIdle),
            Activity::InTransaction if over(self.timeouts.idle_in_transaction) => {
                self.ask(Ask::EndTransaction)
            }
            Activity::Running if over(self.timeouts.query) => match &self.cancel {
                // The server says that it has given it up.
                Some(cancel) if !over(self.timeouts.query.map(|limit| limit + CANCEL_GRACE)) => {
                    if !self.cancelled.swap(true, Ordering::Relaxed) {
                        self.giving_up.store(true, Ordering::SeqCst);
                        // What has been answered in between is not what runs now.
                        if self.activity() == (activity, since) {
                            cancel(GivingUp(Arc::clone(self)));
                        } else {
                            self.has_given_up();
                        }
                    }
                }
                _ => self.ask(Ask::Cancel),
            },
            Activity::Idle | Activity::InTransaction | Activity::Running => {}
        }
        let old = |limit| now.saturating_duration_since(self.began) >= limit;
        if activity == Activity::Idle && self.timeouts.lifetime.is_some_and(old) {
            self.ask(Ask::EndOld);
        }
    }
}

/// All sessions.
#[derive(Default)]
pub struct Sessions {
    known: Mutex<HashMap<u64, Arc<Seat>>>,
    next: AtomicU64,
    /// The proxy stops: sessions that begin now end as soon as they are idle.
    draining: AtomicBool,
}

/// A session's place among all; it is given up when the session ends.
pub struct Seated {
    sessions: Arc<Sessions>,
    events: Arc<Events>,
    /// The session.
    pub seat: Arc<Seat>,
}

/// Who begins a session.
pub struct Guest {
    /// What it speaks.
    pub protocol: Protocol,
    /// Where the client is.
    pub address: IpAddr,
    /// Who it is.
    pub user: String,
    /// Where it wants to be.
    pub database: String,
    /// It speaks by TLS.
    pub tls: bool,
}

/// Sessions are looked at so often.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

impl Sessions {
    /// Gives a session its place.
    pub fn seat(
        self: &Arc<Self>,
        events: &Arc<Events>,
        guest: Guest,
        timeouts: Timeouts,
        cancel: Option<Cancel>,
    ) -> Seated {
        let Guest { protocol, address, user, database, tls } = guest;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let seat = Arc::new(Seat {
            number,
            protocol,
            address,
            user,
            database,
            tls,
            began: Instant::now(),
            traffic: Traffic::default(),
            timeouts,
            since: AtomicU64::new(1),
            asked: AtomicU8::new(0),
            kept: Mutex::default(),
            waker: Mutex::default(),
            cancel,
            cancelled: AtomicBool::new(false),
            giving_up: AtomicBool::new(false),
        });
        self.all().insert(number, Arc::clone(&seat));
        if self.draining.load(Ordering::Acquire) {
            seat.ask(Ask::Drain);
        }
        Seated { sessions: Arc::clone(self), events: Arc::clone(events), seat }
    }

    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<Seat>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those of now.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Seat>> {
        self.all().values().cloned().collect()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.all().len()
    }

    /// Asks all of them, and those that begin later, to end when they are idle.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.list().iter().for_each(|seat| seat.ask(Ask::Drain));
    }

    /// Asks all of them to end at once.
    pub fn stop(&self) {
        self.list().iter().for_each(|seat| seat.ask(Ask::Stop));
    }

    /// Has all of them look up.
    pub(crate) fn wake(&self) {
        self.list().iter().for_each(|seat| seat.wake());
    }

    /// Ends sessions that have been what they are for too long.
    pub async fn watch(&self) {
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            let now = Instant::now();
            self.list().iter().for_each(|seat| seat.look(now));
        }
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.sessions.all().remove(&self.seat.number);
        let seat = &self.seat;
        self.events.tell(|| Event::Ended {
            protocol: seat.protocol,
            address: seat.address,
            user: seat.user.clone(),
            database: seat.database.clone(),
            seconds: seat.began.elapsed().as_secs_f64(),
        });
    }
}
