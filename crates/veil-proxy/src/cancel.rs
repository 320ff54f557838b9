//! Cancel keys: clients get the proxy's own, which stand for those of their server.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq;
use veil_net::connect::Target;
use veil_wire::pg::startup::Version;

/// Key length of protocol 3.0, which clients insist on.
const KEY_3_0: usize = 4;
/// Key length of protocol 3.2, as PostgreSQL 18 has it.
const KEY_3_2: usize = 32;

/// A statement that can be cancelled.
#[derive(Clone)]
pub struct Running {
    /// Its server.
    pub target: Arc<Target>,
    /// Process id there.
    pub process: i32,
    /// Secret there.
    pub key: Vec<u8>,
}

/// A connection that may be asked to give up what it runs. While it is being asked, nobody else may have it.
pub struct Gate {
    /// What it runs.
    pub running: Running,
    asked: AtomicU32,
    /// A request may still be on its way.
    spoilt: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

/// Somebody asks a connection to give up what it runs.
pub struct Asking(Arc<Gate>);

/// The connection that serves a session at the moment.
pub type Serving = Arc<Mutex<Option<Arc<Gate>>>>;

/// Asks whatever serves a session at the moment to give up what it runs.
#[must_use]
pub fn ask(serving: &Serving) -> Option<Asking> {
    let serving = serving.lock().unwrap_or_else(PoisonError::into_inner);
    let gate = serving.as_ref()?;
    gate.asked.fetch_add(1, Ordering::SeqCst);
    Some(Asking(Arc::clone(gate)))
}

impl Gate {
    /// For a connection that runs this.
    #[must_use]
    pub const fn new(running: Running) -> Self {
        Self { running, asked: AtomicU32::new(0), spoilt: AtomicBool::new(false), waker: Mutex::new(None) }
    }

    /// Whether somebody asks it.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst) > 0
    }

    /// Whether a request may still be on its way.
    #[must_use]
    pub fn is_spoilt(&self) -> bool {
        self.spoilt.load(Ordering::SeqCst)
    }

    /// Takes a connection from the session that it serves, unless it is being asked: then `waker` is woken once that is over.
    pub(crate) fn leave(&self, serving: &Serving, waker: &Waker) -> bool {
        let mut serving = serving.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody begins to ask meanwhile; who asks may have done by the time that the waker is there.
        if self.is_asked() {
            *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
        }
        let free = !self.is_asked();
        if free {
            *serving = None;
        }
        free
    }
}

impl Asking {
    /// The server has not said that it has passed the request on.
    pub(crate) fn spoil(&self) {
        self.0.spoilt.store(true, Ordering::SeqCst);
    }

    /// What is to be given up.
    #[must_use]
    pub fn running(&self) -> &Running {
        &self.0.running
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.asked.fetch_sub(1, Ordering::SeqCst);
        if let Some(waker) = self.0.waker.lock().unwrap_or_else(PoisonError::into_inner).take() {
            waker.wake();
        }
    }
}

/// The keys of all sessions.
#[derive(Default)]
pub struct Registry(Mutex<HashMap<i32, (Vec<u8>, Serving)>>);

/// One session's key, withdrawn when it ends.
pub struct Registered {
    registry: Arc<Registry>,
    /// Process id for the client.
    pub process: i32,
    /// Secret for the client.
    pub key: Vec<u8>,
}

impl Registry {
    /// Makes a key for a client that stands for whatever serves it; `None` without randomness.
    pub fn register(self: &Arc<Self>, version: Version, serving: Serving) -> Option<Registered> {
        let random = SystemRandom::new();
        let mut key = vec![0; if version >= Version::V3_2 { KEY_3_2 } else { KEY_3_0 }];
        random.fill(&mut key).ok()?;
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let mut id = [0; 4];
            random.fill(&mut id).ok()?;
            let process = i32::from_be_bytes(id) & i32::MAX;
            if let Entry::Vacant(vacant) = sessions.entry(process) {
                vacant.insert((key.clone(), serving));
                return Some(Registered { registry: Arc::clone(self), process, key });
            }
        }
    }

    /// What a client's cancel request means.
    #[must_use]
    pub fn find(&self, process: i32, key: &[u8]) -> Option<Serving> {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, serving) = sessions.get(&process)?;
        bool::from(known.ct_eq(key)).then(|| Arc::clone(serving))
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.registry.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.process);
    }
}
