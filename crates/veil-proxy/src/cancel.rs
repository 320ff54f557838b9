//! Cancel keys: clients get the proxy's own, which stand for those of their server.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

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

/// The keys of all sessions.
#[derive(Default)]
pub struct Registry(Mutex<HashMap<i32, (Vec<u8>, Running)>>);

/// One session's key, withdrawn when it ends.
pub struct Registered {
    registry: Arc<Registry>,
    /// Process id for the client.
    pub process: i32,
    /// Secret for the client.
    pub key: Vec<u8>,
}

impl Registry {
    /// Makes a key for a client that stands for `running`; `None` without randomness.
    pub fn register(self: &Arc<Self>, version: Version, running: Running) -> Option<Registered> {
        let random = SystemRandom::new();
        let mut key = vec![0; if version >= Version::V3_2 { KEY_3_2 } else { KEY_3_0 }];
        random.fill(&mut key).ok()?;
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let mut id = [0; 4];
            random.fill(&mut id).ok()?;
            let process = i32::from_be_bytes(id) & i32::MAX;
            if let Entry::Vacant(vacant) = sessions.entry(process) {
                vacant.insert((key.clone(), running));
                return Some(Registered { registry: Arc::clone(self), process, key });
            }
        }
    }

    /// What a client's cancel request means.
    #[must_use]
    pub fn find(&self, process: i32, key: &[u8]) -> Option<Running> {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, running) = sessions.get(&process)?;
        bool::from(known.ct_eq(key)).then(|| running.clone())
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.registry.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.process);
    }
}
