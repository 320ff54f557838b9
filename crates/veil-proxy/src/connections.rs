//! Numbers of MySQL connections: clients get the proxy's own, which stand for those of their server when they ask for
//! one to be killed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use veil_net::connect::Target;

/// The proxy's numbers begin here, far from a server's, which a client may know too.
const FIRST: u32 = 0x4000_0000;
const LAST: u32 = 0x7fff_ffff;

/// A connection on a server.
type Upstream = (Arc<Target>, u32);

/// The numbers of all sessions.
#[derive(Default)]
pub struct Connections(Mutex<Numbers>);

#[derive(Default)]
struct Numbers {
    next: u32,
    known: HashMap<u32, Option<Upstream>>,
}

/// One session's number, withdrawn when it ends.
pub struct Registered {
    connections: Arc<Connections>,
    number: u32,
}

impl Connections {
    /// Makes a number.
    pub fn register(self: &Arc<Self>) -> Registered {
        let mut numbers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let number = FIRST + numbers.next % (LAST - FIRST);
            numbers.next = numbers.next.wrapping_add(1);
            if let std::collections::hash_map::Entry::Vacant(vacant) = numbers.known.entry(number) {
                vacant.insert(None);
                return Registered { connections: Arc::clone(self), number };
            }
        }
    }

    /// The number that a server knows a connection by, if `number` is one of the proxy's on that server.
    #[must_use]
    pub fn on_server(&self, target: &Target, number: u64) -> Option<u32> {
        let numbers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, upstream) = numbers.known.get(&u32::try_from(number).ok()?)?.as_ref()?;
        ((&at.host, at.port) == (&target.host, target.port)).then_some(*upstream)
    }
}

impl Registered {
    /// The number.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Says what it stands for.
    pub fn stands_for(&self, target: Arc<Target>, upstream: u32) {
        let mut numbers = self.connections.0.lock().unwrap_or_else(PoisonError::into_inner);
        numbers.known.insert(self.number, Some((target, upstream)));
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.connections.0.lock().unwrap_or_else(PoisonError::into_inner).known.remove(&self.number);
    }
}

/// The numbers of connections to one server.
#[derive(Clone)]
pub struct OfServer {
    /// Of all servers.
    pub connections: Arc<Connections>,
    /// The server.
    pub target: Arc<Target>,
}

impl OfServer {
    /// The server's own number for a connection.
    #[must_use]
    pub fn find(&self, number: u64) -> Option<u32> {
        self.connections.on_server(&self.target, number)
    }
}
