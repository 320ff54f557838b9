//! Connections that are somebody's, and places of those that are being made: whatever happens, the pool knows how many there are.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::sync::oneshot;

use super::{Backend, Pool, Slot};
use crate::problem::Problem;

/// A connection that is somebody's until it is given back; dropped, it is closed.
pub(crate) struct Leased<B: Backend> {
    pub(super) slot: Option<Slot<B::Conn>>,
    pub(super) pool: Arc<Pool<B>>,
}

/// The place of a connection that is being made or looked at.
pub(super) struct Place<'a, B: Backend> {
    pub(super) pool: &'a Arc<Pool<B>>,
    pub(super) kept: bool,
}

impl<B: Backend> Drop for Place<'_, B> {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        state.connecting = state.connecting.saturating_sub(1);
        if !self.kept {
            state.total -= 1;
        }
    }
}

/// Somebody who waits; what came too late for him goes to the next.
pub(super) struct Waiting<B: Backend>(pub(super) oneshot::Receiver<Result<Leased<B>, Problem>>);

impl<B: Backend> Drop for Waiting<B> {
    fn drop(&mut self) {
        self.0.close();
        if let Ok(Ok(leased)) = self.0.try_recv() {
            leased.give_back();
        }
    }
}

impl<B: Backend> Leased<B> {
    /// The connection.
    pub(crate) fn conn(&mut self) -> Option<&mut B::Conn> {
        self.slot.as_mut().map(|slot| &mut slot.conn)
    }

    /// It is as it was, and whoever waits longest gets it.
    pub(crate) fn give_back(mut self) {
        if let Some(slot) = self.slot.take() {
            self.pool.put(slot);
        }
    }

    /// It is given back once it is known to be as it was.
    pub(crate) fn give_back_cleaned(mut self) {
        let backend = self.pool.backend();
        tokio::spawn(async move {
            let Some(Slot { conn, dies, idle, generation, .. }) = self.slot.take() else { return };
            // Dropped on the way, the place is given back.
            let cleaned = {
                let mut lost = Lost { pool: &self.pool, armed: true };
                let cleaned = backend.clean(conn).await;
                lost.armed = cleaned.is_none();
                cleaned
            };
            if let Some(conn) = cleaned {
                let slot = Slot { conn, dies, idle, heard: Instant::now(), generation };
                self.pool.put(slot);
            }
        });
    }

    /// The pool that it is of.
    pub(crate) fn pool(&self) -> &Arc<Pool<B>> {
        &self.pool
    }
}

/// A connection that is gone if nothing else is said.
pub(super) struct Lost<'a, B: Backend> {
    pub(super) pool: &'a Arc<Pool<B>>,
    pub(super) armed: bool,
}

impl<B: Backend> Drop for Lost<'_, B> {
    fn drop(&mut self) {
        if self.armed {
            self.pool.state().total -= 1;
            self.pool.counts.spoilt.fetch_add(1, Ordering::Relaxed);
            self.pool.grow();
        }
    }
}

impl<B: Backend> Drop for Leased<B> {
    fn drop(&mut self) {
        if self.slot.take().is_some() {
            drop(Lost { pool: &self.pool, armed: true });
        }
    }
}
