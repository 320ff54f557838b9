//! What the data plane tells of what happens. Never a value, never a text that may hold one.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
pub use veil_policy::config::operations::WhenFull;

use crate::problem::Problem;
use crate::proxy::Protocol;
use crate::statements::Ended;

/// Something that has happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A session has begun.
    Opened {
        /// What it speaks.
        protocol: Protocol,
        /// Where the client is.
        address: IpAddr,
        /// Who it is.
        user: String,
        /// Where it is, as the client names it.
        database: String,
        /// Whether something is masked for it: `Guarded`, `Exempt`, `Unprotected`.
        scope: String,
    },
    /// A client has not been let in.
    Denied {
        /// What it speaks.
        protocol: Protocol,
        /// Where it is.
        address: IpAddr,
        /// Who it says it is, if it has said so.
        user: Option<String>,
        /// SQLSTATE, if it was the proxy that denied it and not the server.
        code: Option<&'static str>,
    },
    /// A session has ended.
    Ended {
        /// What it spoke.
        protocol: Protocol,
        /// Where the client was.
        address: IpAddr,
        /// Who it was.
        user: String,
        /// Where it was.
        database: String,
        /// How long it has lasted.
        seconds: f64,
    },
    /// A statement has ended that touched what is masked for others or for its user.
    Statement(Arc<Ended>),
}

/// Events that wait for whoever listens.
const WAITING_MAX: usize = 16 << 10;

/// Where events go.
#[derive(Debug, Default)]
pub struct Events {
    out: RwLock<Option<(SyncSender<Event>, WhenFull)>>,
    waiting: AtomicUsize,
    dropped: AtomicU64,
}

/// What comes from there.
pub struct Listener {
    events: Arc<Events>,
    receiver: Receiver<Event>,
    when_full: WhenFull,
}

impl Listener {
    /// Whether events may be lost.
    #[must_use]
    pub const fn may_lose(&self) -> bool {
        matches!(self.when_full, WhenFull::Drop)
    }

    /// The next event, when there is one; none if there are no more.
    #[must_use]
    pub fn next(&self) -> Option<Event> {
        self.took(self.receiver.recv().ok())
    }

    /// The next event, if one waits.
    #[must_use]
    pub fn waiting(&self) -> Option<Event> {
        self.took(self.receiver.try_recv().ok())
    }

    /// The next event, if there is one within this time; an error if there are no more.
    ///
    /// # Errors
    /// There are no more.
    pub fn within(&self, time: Duration) -> Result<Option<Event>, Closed> {
        match self.receiver.recv_timeout(time) {
            Ok(event) => Ok(self.took(Some(event))),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Closed),
        }
    }

    fn took(&self, event: Option<Event>) -> Option<Event> {
        if event.is_some() {
            self.events.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        event
    }
}

/// There are no more events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl Events {
    /// All events from now on, until they are closed.
    pub fn listen(self: &Arc<Self>, when_full: WhenFull) -> Listener {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        *self.out.write().unwrap_or_else(PoisonError::into_inner) = Some((sender, when_full));
        Listener { events: Arc::clone(self), receiver, when_full }
    }

    /// There are no more.
    pub fn close(&self) {
        *self.out.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// How many were lost.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Whether anything may go on that would have to be told.
    ///
    /// # Errors
    /// Too many events wait, and nothing is to happen that is not written down.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        if self.waiting() < WAITING_MAX {
            return Ok(());
        }
        match &*self.out.read().unwrap_or_else(PoisonError::into_inner) {
            Some((_, WhenFull::Refuse)) => Err(Problem::new(
                "53000",
                "the audit cannot be written fast enough, so nothing that has to be written down is done",
                "Try again later; audit.when_full says what happens then.",
            )),
            _ => Ok(()),
        }
    }

    /// Tells of something, if anybody listens. Unless that is allowed nothing is lost: if too much waits, this does.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        let out = self.out.read().unwrap_or_else(PoisonError::into_inner).clone();
        // Without the lock: it may wait.
        let Some((sender, when_full)) = out else { return };
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let told = match when_full {
            WhenFull::Drop => sender.try_send(event()).is_ok(),
            WhenFull::Block | WhenFull::Refuse => match sender.try_send(event()) {
                Ok(()) => true,
                // Other sessions go on meanwhile.
                Err(TrySendError::Full(event)) => wait(|| sender.send(event).is_ok()),
                Err(TrySendError::Disconnected(_)) => false,
            },
        };
        if !told {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Waits, and leaves the thread's other tasks to others where there are any.
fn wait<T>(for_it: impl FnOnce() -> T) -> T {
    let several = Handle::try_current().is_ok_and(|here| here.runtime_flavor() == RuntimeFlavor::MultiThread);
    if several { tokio::task::block_in_place(for_it) } else { for_it() }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn event() -> Event {
        Event::Denied { protocol: Protocol::Pg, address: Ipv4Addr::LOCALHOST.into(), user: None, code: None }
    }

    #[test]
    fn what_does_not_fit_waits_is_refused_or_is_lost() {
        // Nobody listens.
        let events = Arc::<Events>::default();
        events.tell(event);
        assert!(events.check().is_ok() && events.waiting() == 0 && events.dropped() == 0);
        let listener = events.listen(WhenFull::Drop);
        (0..WAITING_MAX + 5).for_each(|_| events.tell(event));
        assert_eq!((events.waiting(), events.dropped()), (WAITING_MAX, 5));
        assert!(events.check().is_ok());
        while listener.waiting().is_some() {}
        assert_eq!(events.waiting(), 0);
        let listener = events.listen(WhenFull::Refuse);
        (0..WAITING_MAX).for_each(|_| events.tell(event));
        assert_eq!(events.check().map_err(|problem| problem.code), Err("53000"));
        assert!(listener.waiting().is_some() && events.check().is_ok());
        // Who tells of one more waits until there is room.
        let telling = Arc::clone(&events);
        let told = std::thread::spawn(move || (0..2).for_each(|_| telling.tell(event)));
        let mut taken = 0;
        while taken < WAITING_MAX + 1 {
            taken += usize::from(listener.within(Duration::from_secs(20)).unwrap().is_some());
        }
        told.join().unwrap();
        assert_eq!((events.waiting(), events.dropped()), (0, 5));
        events.close();
        assert_eq!(listener.within(Duration::from_secs(20)).map(|event| event.is_some()), Err(Closed));
    }
}
