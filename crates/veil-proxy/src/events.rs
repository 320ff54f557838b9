//! What the data plane tells of what happens. Never a value, never a text that may hold one.

use std::net::IpAddr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};

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

/// Events that wait for whoever listens; then whoever tells of more waits too.
const WAITING_MAX: usize = 16 << 10;

/// Where events go.
#[derive(Debug, Default)]
pub struct Events(RwLock<Option<SyncSender<Event>>>);

impl Events {
    /// All events from now on, until they are closed.
    pub fn listen(&self) -> Receiver<Event> {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    /// There are no more.
    pub fn close(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Tells of something, if anybody listens. Nothing is lost: if too much waits, this does.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        let sender = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        // Without the lock: it may wait.
        if let Some(sender) = sender {
            let _ = sender.send(event());
        }
    }
}
