//! A session whose server is one of a pool: it has one while it needs one.

use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use prometheus::IntCounterVec;
use veil_net::Stream;
use veil_net::connect::Target;
use veil_sql::effect::Keeps;

use super::{End, Side, Way, write_lost};
use crate::cancel::{Gate, Serving};
use crate::engine::Engine;
use crate::handshake::pg::give_up;
use crate::out::Out;
use crate::pool::pg::courier::{After, Courier};
use crate::pool::pg::{Maker, Server};
use crate::pool::{Leased, Pool};
use crate::problem::Problem;
use crate::sessions::Seat;

type Waiting = Pin<Box<dyn Future<Output = Result<Leased<Maker>, Problem>> + Send>>;

/// What such a session has besides.
pub(crate) struct Pooled {
    courier: Courier,
    pool: Arc<Pool<Maker>>,
    /// The server's place in the pool; its connection is the session's.
    leased: Option<Leased<Maker>>,
    waiting: Option<Waiting>,
    /// The engine knows the catalog of this host.
    target: Arc<Target>,
    serving: Serving,
    /// Why the client keeps its server, as it was told of last.
    kept: Option<Keeps>,
    pins: IntCounterVec,
    /// It has said goodbye while it had none.
    left: bool,
    /// From the engine to the server, and back.
    up: Out,
    down: Out,
}

impl Pooled {
    pub(crate) fn new(
        courier: Courier,
        (leased, target): (Leased<Maker>, Arc<Target>),
        serving: Serving,
        pins: IntCounterVec,
    ) -> Self {
        let pool = Arc::clone(leased.pool());
        let (up, down) = (Out::default(), Out::default());
        Self {
            courier,
            pool,
            leased: Some(leased),
            waiting: None,
            target,
            serving,
            kept: None,
            pins,
            left: false,
            up,
            down,
        }
    }

    pub(super) const fn is_linked(&self) -> bool {
        self.leased.is_some()
    }

    /// Tells those who look at sessions why the client keeps its server.
    pub(super) fn tell_kept(&mut self, seat: &Seat) {
        let keeps = self.courier.keeps();
        if std::mem::replace(&mut self.kept, keeps) != keeps {
            seat.note_kept(keeps);
            keeps.iter().for_each(|keeps| self.pins.with_label_values(&[keeps.name()]).inc());
        }
    }

    /// Whether something of the client has not gone on yet.
    pub(super) fn is_waiting(&self) -> bool {
        let wants_more = self.is_linked() && !self.courier.is_setting_up() && self.courier.wants_more();
        !self.up.is_empty() && !wants_more
    }

    /// Whether the client has said goodbye, and has heard everything.
    pub(super) fn has_left(&self) -> bool {
        (self.left || self.courier.has_left()) && self.is_settled()
    }

    /// Whether there is something to do although the client says nothing.
    pub(super) fn is_due(&self) -> bool {
        !self.up.is_empty() && self.is_linked() && !self.courier.is_setting_up()
    }

    /// Whether nothing that the client has asked is still to be answered. What has not gone on to a server is half a message.
    pub(super) fn is_settled(&self) -> bool {
        match self.is_linked() {
            true => !self.courier.is_running(),
            false => self.up.is_empty(),
        }
    }

    /// Passes `input` from one side to the other by way of the engine; returns how much of it was used.
    pub(super) fn pass(
        &mut self,
        cx: &mut Context<'_>,
        (engine, way, now): (&mut Engine, Way, Instant),
        input: &[u8],
        (client, server): (&mut Side, &mut Side),
    ) -> Result<usize, End> {
        let used = match way {
            Way::Up => {
                let used = engine.client(input, &mut self.up, &mut client.out, now);
                self.carry_up(cx, input, server)?;
                used
            }
            Way::Down => self.courier.server(input, &mut self.down),
        };
        self.carry_down(cx, (engine, now), input, client)?;
        used.map_err(End::Broken)
    }

    /// From the engine to the server, if there is one.
    fn carry_up(&mut self, cx: &mut Context<'_>, input: &[u8], server: &mut Side) -> Result<(), End> {
        if !self.is_linked() || self.courier.is_setting_up() {
            self.up.span_written(input, 0);
            // Whoever says goodbye needs none.
            if self.up.waiting() == GOODBYE {
                self.up.take();
                self.left = true;
            }
            return Ok(());
        }
        let lost = |error: std::io::Error| write_lost(Way::Up, &error);
        if self.up.waiting().is_empty() {
            let range = self.up.range();
            let start = range.start;
            let used = self.courier.client(input, range, &mut server.out, &mut self.down);
            server.write_span(cx, input).map_err(lost)?;
            self.up.span_written(input, used.map_err(End::Broken)?.saturating_sub(start));
        } else {
            self.up.span_written(input, 0);
            let owned = self.up.take();
            let used = self.courier.client(&owned, 0..owned.len(), &mut server.out, &mut self.down);
            server.write_span(cx, &owned).map_err(lost)?;
            self.up.put_back(owned, used.map_err(End::Broken)?);
        }
        Ok(())
    }

    /// From the server to the engine, and to the client.
    fn carry_down(
        &mut self,
        cx: &mut Context<'_>,
        (engine, now): (&mut Engine, Instant),
        input: &[u8],
        client: &mut Side,
    ) -> Result<(), End> {
        let lost = |error: std::io::Error| write_lost(Way::Down, &error);
        if self.down.is_empty() {
            return Ok(());
        }
        if self.down.waiting().is_empty() {
            let span = self.down.span(input);
            let used = engine.server(span, &mut client.out, now);
            client.write_span(cx, span).map_err(lost)?;
            self.down.span_written(input, used.map_err(End::Broken)?);
        } else {
            self.down.span_written(input, 0);
            let owned = self.down.take();
            let used = engine.server(&owned, &mut client.out, now);
            client.write_span(cx, &owned).map_err(lost)?;
            self.down.put_back(owned, used.map_err(End::Broken)?);
        }
        Ok(())
    }

    /// Sees to it that there is a server if one is needed; returns whether there is one now that was not.
    pub(super) fn link(&mut self, cx: &mut Context<'_>, side: &mut Side) -> Result<bool, End> {
        if self.is_linked() || self.up.is_empty() {
            return Ok(false);
        }
        let mut leased = match self.waiting.as_mut() {
            Some(waiting) => match waiting.as_mut().poll(cx) {
                Poll::Pending => return Ok(false),
                Poll::Ready(leased) => {
                    self.waiting = None;
                    leased.map_err(End::Broken)?
                }
            },
            None => match self.pool.take() {
                Some(leased) => leased,
                None => {
                    self.waiting = Some(Box::pin(Arc::clone(&self.pool).lease()));
                    return self.link(cx, side);
                }
            },
        };
        let taken = leased.conn().and_then(|server| {
            let stream = std::mem::replace(&mut server.stream, Stream::Closed);
            server.state.take().map(|state| (stream, state))
        });
        let Some((stream, state)) = taken else { return Err(End::Broken(Problem::protocol("no server"))) };
        let at = &state.gate.running.target;
        if (&at.host, at.port) != (&self.target.host, self.target.port) {
            *side = Side::new(stream, Vec::new());
            let what = "terminating connection: another host of the database serves it now";
            return Err(End::Broken(Problem::new("57P01", what, "Connect again.")));
        }
        serve(&self.serving, Some(Arc::clone(&state.gate)));
        *side = Side::new(stream, Vec::new());
        let first = self.courier.link(state).map_err(End::Broken)?;
        side.out.owned(&[]).extend(first);
        self.leased = Some(leased);
        Ok(true)
    }

    /// Gives the server to others if nothing of the client is left on it.
    pub(super) fn unlink(&mut self, cx: &Context<'_>, side: &mut Side) {
        let quiet = self.up.is_empty() && self.down.is_empty() && side.is_quiet();
        if !quiet || self.leased.is_none() || !self.courier.is_free() {
            return;
        }
        let free = self.courier.gate().is_none_or(|gate| gate.leave(&self.serving, cx.waker()));
        if free {
            self.give_back(side);
        }
    }

    /// The session has ended.
    pub(super) fn end(&mut self, side: &mut Side) {
        serve(&self.serving, None);
        self.waiting = None;
        self.give_back(side);
    }

    fn give_back(&mut self, side: &mut Side) {
        let Some(mut leased) = self.leased.take() else { return };
        let Some((state, mut after)) = self.courier.unlink() else { return };
        if !side.is_quiet() || !self.up.is_empty() {
            after = After::Closed;
        }
        let ended = side.ended;
        let stream = std::mem::replace(side, Side::new(Stream::Closed, Vec::new())).stream;
        if ended {
            return;
        }
        let gate = Arc::clone(&state.gate);
        let Some(server) = leased.conn() else { return };
        *server = Server { stream, state: Some(state) };
        match after {
            // Whoever asks it to give up means the session that has ended.
            After::AsIs if gate.is_asked() => leased.give_back_cleaned(),
            After::AsIs => leased.give_back(),
            After::Cleaned => leased.give_back_cleaned(),
            After::Closed => close(leased, gate),
        }
    }
}

/// Terminate.
const GOODBYE: &[u8] = b"X\0\0\0\x04";

fn serve(serving: &Serving, gate: Option<Arc<Gate>>) {
    *serving.lock().unwrap_or_else(PoisonError::into_inner) = gate;
}

/// Closes a connection on which something may run; its place is free once that has been given up.
fn close(leased: Leased<Maker>, gate: Arc<Gate>) {
    tokio::spawn(async move {
        give_up(&gate.running).await;
        drop(leased);
    });
}
