//! Connections to servers that clients take by turns.
//!
//! Decision: whoever needs a connection and finds none that is idle stands in a queue, and a connection that is given back or has just been made
//! goes to whoever has waited longest. So nothing is decided twice: connections are made by tasks of their own, which do not care who waits.

mod all;
mod leased;
pub(crate) mod pg;
mod settings;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use tokio::sync::oneshot;
use tracing::debug;

use crate::problem::Problem;
pub(crate) use leased::Leased;
use leased::{Lost, Place, Waiting};
pub use settings::{Mode, PoolSettings};
pub use veil_sql::effect::Keeps;

/// Connections that are made at the same time.
const CONNECTING_MAX: u32 = 4;
/// Pools are looked at so often.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// Who has waited so long is given a connection of the reserve.
const RESERVE_AFTER: Duration = Duration::from_secs(5);

/// How connections of one kind are made and looked after.
pub(crate) trait Backend: Send + Sync + 'static {
    /// A connection.
    type Conn: Send + 'static;

    /// Makes one.
    fn connect(&self) -> impl Future<Output = Result<Self::Conn, Problem>> + Send;

    /// Makes one as it was when it was new; `None` if that cannot be told for sure.
    fn clean(&self, conn: Self::Conn) -> impl Future<Output = Option<Self::Conn>> + Send;

    /// Asks whether the server is still there.
    fn check(&self, conn: Self::Conn) -> impl Future<Output = Option<Self::Conn>> + Send;

    /// Whether nothing has come from the server that speaks against using it.
    fn is_usable(conn: &mut Self::Conn) -> bool;
}

/// Whose connections they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The entry of the configuration.
    pub route: String,
    /// The database on the server.
    pub database: String,
    /// The user on the server.
    pub user: String,
}

/// A connection with what the pool notes of it.
struct Slot<C> {
    conn: C,
    /// It is not used any more then.
    dies: Instant,
    /// Since when it has been idle.
    idle: Instant,
    /// When the server was heard last.
    heard: Instant,
    generation: u64,
}

struct Waiter<B: Backend> {
    since: Instant,
    give: oneshot::Sender<Result<Leased<B>, Problem>>,
}

struct State<B: Backend> {
    /// The one that was used last is the last.
    idle: Vec<Slot<B::Conn>>,
    waiters: VecDeque<Waiter<B>>,
    /// All that there are, those that are being made included.
    total: u32,
    connecting: u32,
    /// Connections of an older one are not used any more.
    generation: u64,
    settings: PoolSettings,
    backend: Arc<B>,
    used: Instant,
}

/// What has happened in a pool.
#[derive(Debug, Default)]
pub struct Counts {
    /// Connections that have been made.
    pub made: AtomicU64,
    /// Connections that were given to clients.
    pub leased: AtomicU64,
    /// Times that clients have waited, in microseconds, summed up.
    pub waited: AtomicU64,
    /// Connections that were closed since they could not be given on.
    pub spoilt: AtomicU64,
    /// Who has waited in vain.
    pub refused: AtomicU64,
}

/// Connections of one user to one database.
pub(crate) struct Pool<B: Backend> {
    /// Whose they are.
    pub(crate) key: Key,
    pub(crate) counts: Counts,
    state: Mutex<State<B>>,
}

/// How a pool is, for those who look.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Whose it is.
    pub key: Key,
    /// How clients share.
    pub mode: Mode,
    /// Most connections there may be.
    pub size: u32,
    /// Those that wait for a client.
    pub idle: usize,
    /// Those that serve one, or are being made as new.
    pub used: usize,
    /// Those that are being made.
    pub connecting: usize,
    /// Clients that wait.
    pub waiting: usize,
    /// How long the first of these has.
    pub longest: Duration,
    /// Connections made, given to clients, spoilt, and clients that waited in vain.
    pub counted: [u64; 4],
    /// How long clients have waited, summed up.
    pub waited: Duration,
}

impl<B: Backend> Pool<B> {
    fn new(key: Key, settings: PoolSettings, backend: Arc<B>) -> Self {
        let state = State {
            idle: Vec::new(),
            waiters: VecDeque::new(),
            total: 0,
            connecting: 0,
            generation: 0,
            settings,
            backend,
            used: Instant::now(),
        };
        Self { key, counts: Counts::default(), state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it is used now.
    pub(crate) fn settings(&self) -> PoolSettings {
        self.state().settings
    }

    /// A connection, if one is idle and nobody waits.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Leased<B>> {
        let mut spoilt = Vec::new();
        let found = {
            let mut state = self.state();
            if !state.waiters.is_empty() {
                return None;
            }
            loop {
                let Some(mut slot) = state.idle.pop() else { break None };
                if slot.generation == state.generation && B::is_usable(&mut slot.conn) {
                    state.used = Instant::now();
                    break Some(slot);
                }
                state.total -= 1;
                spoilt.push(slot);
            }
        };
        self.counts.spoilt.fetch_add(spoilt.len() as u64, Ordering::Relaxed);
        let slot = found?;
        self.counts.leased.fetch_add(1, Ordering::Relaxed);
        Some(Leased { slot: Some(slot), pool: Arc::clone(self) })
    }

    /// A connection, as soon as it is one's turn.
    ///
    /// # Errors
    /// None can be had, or not in time.
    pub(crate) async fn lease(self: Arc<Self>) -> Result<Leased<B>, Problem> {
        if let Some(leased) = self.take() {
            return Ok(leased);
        }
        let (give, waiting) = oneshot::channel();
        let (since, patience) = {
            let mut state = self.state();
            let since = Instant::now();
            state.waiters.push_back(Waiter { since, give });
            state.used = since;
            (since, state.settings.queue_timeout)
        };
        let mut waiting = Waiting(waiting);
        // One may have been given back in between.
        self.hand_out();
        self.grow();
        let given = tokio::time::timeout(patience, &mut waiting.0).await;
        let waited = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.counts.waited.fetch_add(waited, Ordering::Relaxed);
        match given {
            Ok(Ok(Ok(leased))) => {
                self.counts.leased.fetch_add(1, Ordering::Relaxed);
                Ok(leased)
            }
            Ok(Ok(Err(problem))) => Err(problem),
            Ok(Err(_)) => Err(Problem::new("57P01", "the pool of connections was closed", "Connect again.")),
            Err(_) => {
                self.counts.refused.fetch_add(1, Ordering::Relaxed);
                let hint = "pool.queue_timeout says how long, pool.size how many there are.";
                Err(Problem::new("53300", "no connection to the database has become free in time", hint))
            }
        }
    }

    /// Gives idle connections to those who wait.
    fn hand_out(self: &Arc<Self>) {
        let mut spoilt = Vec::new();
        let mut state = self.state();
        while !state.waiters.is_empty() {
            let Some(mut slot) = state.idle.pop() else { break };
            if !B::is_usable(&mut slot.conn) {
                state.total -= 1;
                spoilt.push(slot);
                continue;
            }
            drop(state);
            self.put(slot);
            state = self.state();
        }
        drop(state);
        self.counts.spoilt.fetch_add(spoilt.len() as u64, Ordering::Relaxed);
    }

    /// Has connections made for those who wait, as far as there may be more.
    fn grow(self: &Arc<Self>) {
        let mut state = self.state();
        let now = Instant::now();
        let old = state.waiters.front().is_some_and(|first| now - first.since >= RESERVE_AFTER);
        let most = state.settings.size + if old { state.settings.reserve } else { 0 };
        let wanted = u32::try_from(state.waiters.len()).unwrap_or(u32::MAX);
        let wanted = wanted.max(state.settings.min_idle.min(state.settings.size).saturating_sub(
            // Those that are used are none that wait.
            u32::try_from(state.idle.len()).unwrap_or(u32::MAX),
        ));
        while state.connecting < CONNECTING_MAX.min(wanted) && state.total < most {
            state.total += 1;
            state.connecting += 1;
            let (pool, backend, generation) =
                (Arc::clone(self), Arc::clone(&state.backend), state.generation);
            tokio::spawn(async move { pool.connect(backend, generation).await });
        }
    }

    async fn connect(self: Arc<Self>, backend: Arc<B>, generation: u64) {
        // Whatever happens inside, the place is given back.
        let mut place = Place { pool: &self, kept: false };
        let made = backend.connect().await;
        match made {
            Ok(conn) => {
                self.counts.made.fetch_add(1, Ordering::Relaxed);
                place.kept = true;
                let now = Instant::now();
                let lifetime = self.settings().max_lifetime;
                let dies = now + jittered(lifetime);
                drop(place);
                self.put(Slot { conn, dies, idle: now, heard: now, generation });
            }
            Err(problem) => {
                debug!(user = self.key.user, code = problem.code, "a pooled connection could not be made");
                drop(place);
                let waiter = self.state().waiters.pop_front();
                if let Some(waiter) = waiter {
                    let _ = waiter.give.send(Err(problem));
                }
            }
        }
        // Whatever else is wanted is tried again later.
        if !self.state().waiters.is_empty() {
            self.grow();
        }
    }

    /// Gives a connection to whoever has waited longest, or keeps it.
    fn put(self: &Arc<Self>, mut slot: Slot<B::Conn>) {
        slot.idle = Instant::now();
        let mut state = self.state();
        let spoilt = slot.generation != state.generation
            || slot.idle >= slot.dies
            || state.total > state.settings.size + state.settings.reserve;
        // The reserve is for those who wait.
        let needless = state.total > state.settings.size && state.waiters.is_empty();
        if spoilt || needless {
            state.total -= 1;
            drop(state);
            drop(slot);
            self.grow();
            return;
        }
        let mut leased = Leased { slot: Some(slot), pool: Arc::clone(self) };
        while let Some(waiter) = state.waiters.pop_front() {
            match waiter.give.send(Ok(leased)) {
                Ok(()) => return,
                Err(Ok(back)) => leased = back,
                Err(Err(_)) => return,
            }
        }
        state.idle.extend(leased.slot.take());
    }

    /// Looks after connections that wait, as time goes on.
    fn look(self: &Arc<Self>, now: Instant) {
        let mut gone = Vec::new();
        {
            let mut state = self.state();
            let PoolSettings { min_idle, idle_timeout, server_check, .. } = state.settings;
            let generation = state.generation;
            let mut spare = state.idle.len().saturating_sub(min_idle as usize);
            let (mut at, mut checked) = (0, Vec::new());
            // Those that have waited longest come first.
            while at < state.idle.len() {
                let Some(slot) = state.idle.get_mut(at) else { break };
                let idle_for = now.saturating_duration_since(slot.idle);
                let idle = spare > 0 && idle_timeout.is_some_and(|limit| idle_for >= limit);
                let over = slot.generation != generation || now >= slot.dies || !B::is_usable(&mut slot.conn);
                if idle || over {
                    spare = spare.saturating_sub(1);
                    gone.push(state.idle.remove(at));
                    state.total -= 1;
                } else if server_check.is_some_and(|limit| now.saturating_duration_since(slot.heard) >= limit)
                {
                    checked.push(state.idle.remove(at));
                } else {
                    at += 1;
                }
            }
            for slot in checked {
                let (pool, backend) = (Arc::clone(self), Arc::clone(&state.backend));
                tokio::spawn(async move { pool.check(backend, slot).await });
            }
        }
        drop(gone);
        self.grow();
    }

    async fn check(self: Arc<Self>, backend: Arc<B>, slot: Slot<B::Conn>) {
        let Slot { conn, dies, idle, generation, .. } = slot;
        let mut lost = Lost { pool: &self, armed: true };
        if let Some(conn) = backend.check(conn).await {
            lost.armed = false;
            // It has been idle since it was.
            let slot = Slot { conn, dies, idle, heard: Instant::now(), generation };
            let mut state = self.state();
            if state.waiters.is_empty() {
                state.idle.insert(0, slot);
            } else {
                drop(state);
                self.put(slot);
            }
        }
    }

    /// Connections of now are not used any more once they are given back.
    pub(crate) fn renew(self: &Arc<Self>) {
        let old = {
            let mut state = self.state();
            state.generation += 1;
            state.total -= u32::try_from(state.idle.len()).unwrap_or(0);
            std::mem::take(&mut state.idle)
        };
        drop(old);
        self.grow();
    }

    /// Goes by other settings.
    pub(crate) fn configure(&self, settings: PoolSettings) {
        self.state().settings = settings;
    }

    /// Makes connections in another way from now on.
    fn set_backend(&self, backend: Arc<B>) {
        self.state().backend = backend;
    }

    /// The same, by what it is now.
    pub(crate) fn change(&self, change: impl FnOnce(&B) -> B) {
        let mut state = self.state();
        state.backend = Arc::new(change(&state.backend));
    }

    pub(crate) fn backend(&self) -> Arc<B> {
        Arc::clone(&self.state().backend)
    }

    /// How it is.
    pub(crate) fn standing(&self) -> Standing {
        let state = self.state();
        let (total, connecting) = (state.total as usize, state.connecting as usize);
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts { made, leased, waited, spoilt, refused } = &self.counts;
        Standing {
            key: self.key.clone(),
            mode: state.settings.mode,
            size: state.settings.size,
            idle: state.idle.len(),
            used: total.saturating_sub(state.idle.len() + connecting),
            connecting,
            waiting: state.waiters.len(),
            longest: state.waiters.front().map(|first| first.since.elapsed()).unwrap_or_default(),
            counted: [made, leased, spoilt, refused].map(count),
            waited: Duration::from_micros(count(waited)),
        }
    }
}

/// A time that is up to a fifth shorter.
fn jittered(time: Duration) -> Duration {
    let mut byte = [0];
    let _ = rand::fill(&mut byte);
    time - time * u32::from(byte[0]) / 1280
}

/// All pools of one kind.
pub(crate) struct Pools<B: Backend>(Mutex<HashMap<Key, Arc<Pool<B>>>>);

impl<B: Backend> Default for Pools<B> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<B: Backend> Pools<B> {
    fn all(&self) -> MutexGuard<'_, HashMap<Key, Arc<Pool<B>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pool of a key, which makes connections by `backend` from now on.
    pub(crate) fn of(&self, key: Key, settings: PoolSettings, backend: B) -> Arc<Pool<B>> {
        let mut all = self.all();
        let backend = Arc::new(backend);
        if let Some(pool) = all.get(&key) {
            pool.configure(settings);
            pool.set_backend(backend);
            return Arc::clone(pool);
        }
        let pool = Arc::new(Pool::new(key.clone(), settings, backend));
        all.insert(key, Arc::clone(&pool));
        pool
    }

    /// Those of now.
    pub(crate) fn list(&self) -> Vec<Arc<Pool<B>>> {
        self.all().values().cloned().collect()
    }

    /// Looks after all of them, for as long as it runs.
    pub(crate) async fn watch(&self) {
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            let now = Instant::now();
            self.list().iter().for_each(|pool| pool.look(now));
            // Nobody knows those that are in the map only, and that have nothing.
            self.all().retain(|_, pool| Arc::strong_count(pool) > 1 || !pool.is_forgotten(now));
        }
    }
}

impl<B: Backend> Pool<B> {
    /// Whether it has nothing, and nobody has wanted anything for a while.
    fn is_forgotten(&self, now: Instant) -> bool {
        let state = self.state();
        state.total == 0
            && state.waiters.is_empty()
            && now.saturating_duration_since(state.used) > Duration::from_secs(600)
    }
}
