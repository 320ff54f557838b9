//! Which upstream hosts can be reached, and which of several a session goes to.
//!
//! Decision: sessions themselves find out whether a host works, and one task asks those that no session has tried for a while. After some failures in a
//! row a host's circuit is open: nobody waits for it any more but one at a time, after times that double.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use tracing::{info, warn};
use veil_net::NetError;
use veil_net::connect::Target;

/// The role that a host has to have (libpq's `target_session_attrs`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Want {
    /// Any.
    #[default]
    Any,
    /// That of the primary.
    Primary,
    /// That of a standby.
    Standby,
    /// That of a standby, if one can be reached.
    PreferStandby,
}

/// The hosts of a database.
pub struct Hosts {
    /// In the order in which they are tried.
    pub all: Vec<Arc<Target>>,
    /// What they have to be.
    pub want: Want,
}

/// How often a host fails before its circuit opens.
const FAILURES_MAX: u32 = 5;
/// How long a circuit stays open at first, and at last.
const OPEN_FIRST: Duration = Duration::from_secs(1);
const OPEN_MAX: Duration = Duration::from_secs(30);
/// Attempts of one session on a host that refuses, and the time before the second.
const ATTEMPTS: u32 = 3;
const ATTEMPT_FIRST: Duration = Duration::from_millis(50);
/// Whoever gives up after so long has found the host silent.
const GIVEN_UP: Duration = Duration::from_secs(2);
/// A host that no session has tried for so long is asked.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Whether a host may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// It may.
    Closed,
    /// It may not, until some time.
    Open,
    /// One session tries it.
    HalfOpen,
}

/// What is known of a host.
#[derive(Clone, Debug)]
pub struct Health {
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether it may be tried.
    pub circuit: Circuit,
    /// Whether it was reached when it was tried last; `None` before that.
    pub reached: Option<bool>,
    /// How long that took.
    pub latency: Duration,
    /// What was wrong last.
    pub last_error: Option<String>,
    /// Whether it is a standby, if it has said so.
    pub standby: Option<bool>,
}

struct State {
    health: Health,
    failures: u32,
    /// How often in a row the circuit has opened.
    opened: u32,
    /// While it is open.
    not_before: Instant,
    tried_at: Option<Instant>,
}

type Place = (String, u16);

/// All hosts that have been tried.
#[derive(Default)]
pub struct Upstreams(Mutex<HashMap<Place, State>>);

fn place(target: &Target) -> Place {
    (target.host.clone(), target.port)
}

/// A time that is up to a quarter longer.
fn jittered(time: Duration) -> Duration {
    let mut byte = [0];
    let _ = rand::fill(&mut byte);
    time + time * u32::from(byte[0]) / 1024
}

impl Upstreams {
    fn all(&self) -> MutexGuard<'_, HashMap<Place, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a host.
    #[must_use]
    pub fn health(&self, target: &Target) -> Option<Health> {
        self.all().get(&place(target)).map(|state| state.health.clone())
    }

    /// A host has said what it is.
    pub(crate) fn note_standby(&self, target: &Target, standby: bool) {
        if let Some(state) = self.all().get_mut(&place(target)) {
            state.health.standby = Some(standby);
        }
    }

    /// Whether a host with this role is not what is wanted.
    pub(crate) const fn is_wrong(want: Want, standby: bool) -> bool {
        match want {
            Want::Any | Want::PreferStandby => false,
            Want::Primary => standby,
            Want::Standby => !standby,
        }
    }

    /// Hosts in the order in which they are to be tried.
    fn order(&self, hosts: &Hosts) -> Vec<Arc<Target>> {
        let all = self.all();
        let rank = |target: &Arc<Target>| {
            let Some(state) = all.get(&place(target)) else { return (0, 1) };
            let role = match (hosts.want, state.health.standby) {
                (Want::Any, _) | (_, None) => 1,
                (Want::Primary, Some(standby)) => {
                    if standby {
                        2
                    } else {
                        0
                    }
                }
                (Want::Standby | Want::PreferStandby, Some(standby)) => {
                    if standby {
                        0
                    } else {
                        2
                    }
                }
            };
            (u8::from(state.health.circuit != Circuit::Closed), role)
        };
        let mut order = hosts.all.clone();
        order.sort_by_key(rank);
        order
    }

    /// Does something with the first host that lets it.
    ///
    /// # Errors
    /// None did: what the last one said.
    pub async fn reach<T, F>(
        &self,
        hosts: &Hosts,
        attempt: impl Fn(Arc<Target>) -> F,
    ) -> Result<(Arc<Target>, T), NetError>
    where
        F: Future<Output = Result<T, NetError>>,
    {
        let mut last = NetError::Closed;
        for target in self.order(hosts) {
            match self.try_one(&target, &attempt).await {
                Ok(found) => return Ok((target, found)),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Does something with a host, if its circuit lets it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn try_one<T, F>(
        &self,
        target: &Arc<Target>,
        attempt: impl Fn(Arc<Target>) -> F,
    ) -> Result<T, NetError>
    where
        F: Future<Output = Result<T, NetError>>,
    {
        self.admit(target)?;
        // Whoever is gone before it is known leaves the next one to try.
        let began = Instant::now();
        let mut trial = Trial { upstreams: self, target, began, done: false };
        let mut pause = ATTEMPT_FIRST;
        for _ in 1..ATTEMPTS {
            match attempt(Arc::clone(target)).await {
                Err(NetError::Unreachable { source, .. })
                    if source.kind() == std::io::ErrorKind::ConnectionRefused =>
                {
                    tokio::time::sleep(jittered(pause)).await;
                    pause *= 2;
                }
                other => return trial.end(other, began),
            }
        }
        trial.end(attempt(Arc::clone(target)).await, began)
    }

    fn admit(&self, target: &Target) -> Result<(), NetError> {
        let now = Instant::now();
        let mut all = self.all();
        let state = all.entry(place(target)).or_insert_with(|| State::new(target));
        state.tried_at = Some(now);
        match state.health.circuit {
            Circuit::Closed => Ok(()),
            Circuit::Open if now >= state.not_before => {
                state.health.circuit = Circuit::HalfOpen;
                Ok(())
            }
            Circuit::Open | Circuit::HalfOpen => Err(NetError::CircuitOpen {
                host: target.host.clone(),
                port: target.port,
                last: state.health.last_error.clone().unwrap_or_default(),
            }),
        }
    }

    /// Whether nobody has tried a host for a while.
    pub(crate) fn is_due(&self, target: &Target) -> bool {
        let all = self.all();
        let tried_at = all.get(&place(target)).and_then(|state| state.tried_at);
        tried_at.is_none_or(|at| at.elapsed() >= CHECK_INTERVAL)
    }

    /// Waits until it may be time to ask hosts again.
    pub(crate) async fn rest() {
        tokio::time::sleep(jittered(CHECK_INTERVAL / 5)).await;
    }
}

impl Hosts {
    /// Whether they are these.
    pub(crate) fn are(&self, others: &Self) -> bool {
        self.want == others.want
            && self.all.iter().map(|own| place(own)).eq(others.all.iter().map(|own| place(own)))
    }

    /// How long it may take to try all of them.
    pub(crate) fn patience(&self) -> Duration {
        self.all.iter().map(|target| target.timeout).sum()
    }
}

impl State {
    fn new(target: &Target) -> Self {
        Self {
            health: Health {
                host: target.host.clone(),
                port: target.port,
                circuit: Circuit::Closed,
                reached: None,
                latency: Duration::ZERO,
                last_error: None,
                standby: None,
            },
            failures: 0,
            opened: 0,
            not_before: Instant::now(),
            tried_at: None,
        }
    }

    fn succeed(&mut self, latency: Duration) {
        if self.health.reached == Some(false) {
            info!(host = self.health.host, port = self.health.port, "the upstream is reached again");
        }
        (self.failures, self.opened) = (0, 0);
        self.health =
            Health { circuit: Circuit::Closed, reached: Some(true), latency, ..self.health.clone() };
    }

    fn fail(&mut self, error: &NetError) {
        if self.health.reached != Some(false) {
            warn!(host = self.health.host, port = self.health.port, %error, "the upstream cannot be reached");
        }
        self.failures += 1;
        let half_open = self.health.circuit == Circuit::HalfOpen;
        // Who is reached again may be something else.
        self.health = Health {
            reached: Some(false),
            last_error: Some(error.to_string()),
            standby: None,
            ..self.health.clone()
        };
        // Those that were under way when it opened say nothing new.
        if half_open || self.failures >= FAILURES_MAX && self.health.circuit == Circuit::Closed {
            let open = OPEN_FIRST * 2u32.saturating_pow(self.opened.min(10));
            self.opened += 1;
            self.not_before = Instant::now() + jittered(open.min(OPEN_MAX));
            self.health.circuit = Circuit::Open;
        }
    }
}

/// Somebody tries a host.
struct Trial<'a> {
    upstreams: &'a Upstreams,
    target: &'a Target,
    began: Instant,
    done: bool,
}

impl Trial<'_> {
    fn end<T>(&mut self, result: Result<T, NetError>, began: Instant) -> Result<T, NetError> {
        self.done = true;
        if let Some(state) = self.upstreams.all().get_mut(&place(self.target)) {
            match &result {
                // It is there, whatever it says.
                Ok(_) | Err(NetError::Refused(_) | NetError::Scram(_) | NetError::Method(_)) => {
                    state.succeed(began.elapsed());
                }
                Err(error) => state.fail(error),
            }
        }
        result
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        let mut all = self.upstreams.all();
        let (false, Some(state)) = (self.done, all.get_mut(&place(self.target))) else { return };
        if self.began.elapsed() >= GIVEN_UP {
            state.fail(&self.target.unreachable(std::io::ErrorKind::TimedOut.into()));
        } else if state.health.circuit == Circuit::HalfOpen {
            state.health.circuit = Circuit::Open;
        }
    }
}
