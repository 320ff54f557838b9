//! The one loop, for both protocols: both sockets of a session in one task.
//!
//! Each direction reads only while what it has to send is below a mark, so that a peer that does not read
//! stops its other side from being read, and neither direction ever waits for the other. Reads go to a buffer
//! on the stack; an idle session holds none.

mod pooled;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use veil_net::Stream;
use veil_wire::mysql::startup::ChangeUser;

use crate::engine::Engine;
use crate::out::Out;
use crate::problem::Problem;
use crate::sessions::{Activity, Ask, Seat};
use crate::standing::Standing;
pub(crate) use pooled::Pooled;

/// Bytes taken from a socket at once.
const READ: usize = 16 << 10;
/// Above this many bytes that wait for a peer, nothing more is read for it.
const WAITING_MAX: usize = 64 << 10;
/// While the proxy stops, a client that has just been let in has so long for its first statement.
const FIRST_STATEMENT: std::time::Duration = std::time::Duration::from_secs(1);
/// Turns before other tasks get theirs.
const TURNS: usize = 16;

/// Why a session ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The client left.
    Client,
    /// The server left after it had said why, or while nothing was asked.
    Server,
    /// Something broke.
    Broken(Problem),
    /// The client signs in anew.
    Change(Box<ChangeUser>),
}

/// One side: its socket, what was read but not used yet, and what waits to be written.
pub(crate) struct Side {
    stream: Stream,
    unread: Vec<u8>,
    out: Out,
    /// It has sent its last byte.
    ended: bool,
    /// It has been told that there is no more.
    told: bool,
    unflushed: bool,
}

impl Side {
    /// A side with bytes that were read ahead.
    pub(crate) fn new(stream: Stream, unread: Vec<u8>) -> Self {
        Self { stream, unread, out: Out::default(), ended: false, told: false, unflushed: false }
    }

    /// Writes what waits; returns the stream, and what was read ahead.
    async fn into_parts(mut self) -> io::Result<(Stream, Vec<u8>)> {
        self.stream.write_all(self.out.waiting()).await?;
        self.stream.flush().await?;
        Ok((self.stream, self.unread))
    }

    /// Reads into `buffer` if there is something; `None` means that it would wait.
    fn read<'a>(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &'a mut ReadBuf<'_>,
    ) -> io::Result<Option<&'a [u8]>> {
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Pending => Ok(None),
            Poll::Ready(result) => {
                result?;
                self.ended = buffer.filled().is_empty();
                Ok(Some(buffer.filled()))
            }
        }
    }

    /// Writes what waits; returns whether anything moved.
    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut moved = false;
        while !self.out.waiting().is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, self.out.waiting()) {
                Poll::Pending => return Ok(moved),
                Poll::Ready(count) => {
                    self.out.advance(written(count)?);
                    self.unflushed = true;
                    moved = true;
                }
            }
        }
        if self.unflushed && Pin::new(&mut self.stream).poll_flush(cx)?.is_ready() {
            self.unflushed = false;
        }
        Ok(moved)
    }

    /// Writes the span of `input` that can go as it is, before `input` goes away.
    fn write_span(&mut self, cx: &mut Context<'_>, input: &[u8]) -> io::Result<()> {
        loop {
            let span = self.out.span(input);
            if span.is_empty() {
                return Ok(());
            }
            match Pin::new(&mut self.stream).poll_write(cx, span) {
                Poll::Pending => {
                    self.out.span_written(input, 0);
                    return Ok(());
                }
                Poll::Ready(count) => {
                    self.unflushed = true;
                    let count = written(count)?;
                    self.out.span_written(input, count);
                }
            }
        }
    }

    /// Says that there is no more to come.
    fn tell_end(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if !self.told && Pin::new(&mut self.stream).poll_shutdown(cx)?.is_ready() {
            self.told = true;
        }
        Ok(())
    }

    /// Whether nothing waits, in either direction.
    fn is_quiet(&self) -> bool {
        self.unread.is_empty() && self.out.is_empty() && !self.unflushed
    }

    fn full(&self) -> bool {
        self.out.waiting().len() > WAITING_MAX
    }
}

fn written(count: io::Result<usize>) -> io::Result<usize> {
    match count {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        other => other,
    }
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

/// A session after login.
pub(crate) struct Relay {
    client: Side,
    server: Side,
    engine: Engine,
    standing: Standing,
    seat: Arc<Seat>,
    /// Its server is one of a pool.
    pooled: Option<Box<Pooled>>,
    /// Answers that had been given when it was noted last how busy the session is.
    answers: u32,
}

impl Relay {
    pub(crate) fn new(
        client: Side,
        server: Side,
        mut engine: Engine,
        standing: Standing,
        seat: Arc<Seat>,
    ) -> Self {
        *engine.teller() = standing.teller(&seat);
        Self { client, server, engine, standing, seat, pooled: None, answers: 0 }
    }

    /// The same, with a server that is one of a pool.
    pub(crate) fn pooled(self, pooled: Box<Pooled>) -> Self {
        Self { pooled: Some(pooled), ..self }
    }

    /// Relays until one side has ended, and tells the client why if it was not the client.
    pub(crate) async fn run(&mut self) -> End {
        let end = poll_fn(|cx| self.poll(cx)).await;
        match &end {
            End::Change(_) => return end,
            End::Broken(problem) => {
                let fatal = self.engine.fatal(problem).unwrap_or_default();
                self.client.out.owned(&[]).extend(fatal);
            }
            End::Client | End::Server => {}
        }
        self.finish().await;
        end
    }

    /// Both connections, client first, with what was read ahead.
    ///
    /// # Errors
    /// One of them takes nothing any more.
    pub(crate) async fn into_parts(self) -> io::Result<[(Stream, Vec<u8>); 2]> {
        Ok([self.client.into_parts().await?, self.server.into_parts().await?])
    }

    /// Sends what waits and says goodbye. A peer that takes nothing is left at once.
    async fn finish(&mut self) {
        if let Some(pooled) = &mut self.pooled {
            pooled.end(&mut self.server);
        }
        let own = self.pooled.is_none().then_some(&mut self.server);
        for side in std::iter::once(&mut self.client).chain(own) {
            let _ =
                poll_fn(|cx| side.write(cx).map_or_else(|e| Poll::Ready(Err(e)), |_| Poll::Ready(Ok(()))))
                    .await;
            let goodbye = tokio::time::timeout(std::time::Duration::from_secs(1), async {
                side.stream.write_all(side.out.waiting()).await?;
                side.stream.shutdown().await
            });
            let _ = goodbye.await;
        }
    }

    /// Notes how busy the session is, and ends it if that is asked of it.
    fn look_up(&mut self) -> Option<End> {
        if let Some(pooled) = &mut self.pooled {
            pooled.tell_kept(&self.seat);
        }
        let (activity, answers) = (self.engine.activity(), self.engine.answers());
        let anew = answers != std::mem::replace(&mut self.answers, answers);
        self.seat.note(activity, anew);
        // What it says last is delivered first.
        let delivered = self.client.out.waiting().is_empty();
        let activity = if delivered { activity } else { Activity::Running };
        for ask in self.seat.asked() {
            // Who has been let in may ask something.
            if ask == Ask::Drain && answers == 0 && self.seat.began.elapsed() < FIRST_STATEMENT {
                continue;
            }
            match ask.ends(activity) {
                Some(problem) => return Some(End::Broken(problem)),
                None if ask.passes() => self.seat.withdraw(ask),
                None => {}
            }
        }
        None
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.seat.listen(cx.waker());
        if let Err(problem) = self.standing.look() {
            return Poll::Ready(End::Broken(problem));
        }
        self.engine.teller().set_exempt(self.standing.is_exempt());
        for _ in 0..TURNS {
            let up = self.turn(cx, Way::Up).and_then(|moved| Ok(self.link(cx)? || moved));
            let down = self.turn(cx, Way::Down);
            if let (Some(pooled), Ok(_), Ok(_)) = (&mut self.pooled, &up, &down) {
                pooled.unlink(cx, &mut self.server);
            }
            if let Some(change) = self.engine.take_change() {
                return Poll::Ready(End::Change(Box::new(change)));
            }
            match (up, down) {
                (Err(end), _) | (_, Err(end)) => return Poll::Ready(end),
                (Ok(false), Ok(false)) => {
                    if let Some(end) = self.look_up() {
                        return Poll::Ready(end);
                    }
                    self.client.out.rest();
                    self.server.out.rest();
                    return Poll::Pending;
                }
                _ => {}
            }
        }
        if let Some(end) = self.look_up() {
            return Poll::Ready(end);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Sees to it that a session that shares servers has one, if it needs one.
    fn link(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        match &mut self.pooled {
            Some(pooled) if pooled.has_left() && self.client.out.is_empty() => Err(End::Client),
            Some(pooled) => pooled.link(cx, &mut self.server),
            None => Ok(false),
        }
    }

    /// Whether there is something to do in one direction although nothing has come.
    fn is_due(&self, way: Way) -> bool {
        way == Way::Up
            && (self.engine.owes_server() || self.pooled.as_ref().is_some_and(|pooled| pooled.is_due()))
    }

    /// Gives the engine bytes, and lets go what it lets through; returns how many were used.
    fn pass(&mut self, cx: &mut Context<'_>, way: Way, input: &[u8]) -> Result<usize, End> {
        if input.is_empty() && !self.is_due(way) {
            return Ok(0);
        }
        let now = Instant::now();
        let (client, server) = (&mut self.client, &mut self.server);
        let used = match (&mut self.pooled, way) {
            (Some(pooled), _) => pooled.pass(cx, (&mut self.engine, way, now), input, (client, server)),
            (None, Way::Up) => {
                self.engine.client(input, &mut server.out, &mut client.out, now).map_err(End::Broken)
            }
            (None, Way::Down) => self.engine.server(input, &mut client.out, now).map_err(End::Broken),
        };
        self.engine.teller().worked(way == Way::Up, used.as_ref().copied().unwrap_or_default(), now);
        // What was let through before an error goes first.
        if self.pooled.is_none() {
            let to = if way == Way::Up { server } else { client };
            to.write_span(cx, input).map_err(|error| write_lost(way, &error))?;
        }
        used
    }

    fn sides(&mut self, way: Way) -> (&mut Side, &mut Side) {
        match way {
            Way::Up => (&mut self.client, &mut self.server),
            Way::Down => (&mut self.server, &mut self.client),
        }
    }

    /// One turn in one direction: write, use what was kept, read. Returns whether anything moved.
    fn turn(&mut self, cx: &mut Context<'_>, way: Way) -> Result<bool, End> {
        let giving_up = way == Way::Up && self.seat.is_giving_up();
        let unlinked = self.pooled.as_ref().is_some_and(|pooled| !pooled.is_linked());
        let (from, to) = self.sides(way);
        let mut moved = to.write(cx).map_err(|error| write_lost(way, &error))?;
        if to.full() || giving_up || way == Way::Down && unlinked {
            return Ok(moved);
        }
        let kept = std::mem::take(&mut from.unread);
        let used = self.pass(cx, way, &kept)?;
        // The engine may have things to say of its own, whatever it used.
        let (from, to) = self.sides(way);
        moved |= to.write(cx).map_err(|error| write_lost(way, &error))? || used > 0;
        from.unread = keep(kept, used);
        if from.ended {
            return self.after_end(cx, way, moved);
        }
        // What is kept waits for the engine, not for more of it, once it is longer than a read.
        if to.full() || (way == Way::Up && self.is_waiting()) {
            return Ok(moved);
        }
        let (from, _) = self.sides(way);
        let mut space = [std::mem::MaybeUninit::<u8>::uninit(); READ];
        let mut buffer = ReadBuf::uninit(&mut space);
        let fresh = from.read(cx, &mut buffer).map_err(|error| lost(way, &error))?;
        let Some(fresh) = fresh else { return Ok(moved) };
        if fresh.is_empty() {
            return Ok(true);
        }
        if !from.unread.is_empty() {
            from.unread.extend_from_slice(fresh);
            return Ok(true);
        }
        if way == Way::Up {
            self.standing.look().map_err(End::Broken)?;
        }
        let used = self.pass(cx, way, fresh)?;
        self.sides(way).0.unread = fresh.get(used..).unwrap_or_default().to_vec();
        Ok(true)
    }

    /// One side has sent its last byte: what it said last is delivered first.
    fn after_end(&mut self, cx: &mut Context<'_>, way: Way, moved: bool) -> Result<bool, End> {
        let settled = self.pooled.as_ref().map(|pooled| pooled.is_settled());
        let (from, to) = self.sides(way);
        if !to.out.waiting().is_empty() || (!from.unread.is_empty() && moved) {
            return Ok(moved);
        }
        match (way, settled) {
            (Way::Up, Some(true)) => Err(End::Client),
            (Way::Up, Some(false)) => Ok(moved),
            // The server still answers what it was asked.
            (Way::Up, None) => to.tell_end(cx).map(|()| moved).map_err(|error| write_lost(way, &error)),
            (Way::Down, _) if to.ended => Err(End::Client),
            (Way::Down, _) => Err(ended(&self.engine)),
        }
    }

    /// Whether the client's next command has to wait.
    fn is_waiting(&self) -> bool {
        self.engine.is_waiting() || self.pooled.as_ref().is_some_and(|pooled| pooled.is_waiting())
    }
}

/// The rest of a buffer; an empty rest holds no memory.
fn keep(mut bytes: Vec<u8>, used: usize) -> Vec<u8> {
    if used >= bytes.len() {
        return Vec::new();
    }
    bytes.drain(..used);
    bytes
}

fn ended(engine: &Engine) -> End {
    if engine.expects_end() {
        return End::Server;
    }
    End::Broken(Problem::new("08006", "the server closed the connection unexpectedly", ""))
}

fn lost(way: Way, error: &io::Error) -> End {
    match way {
        Way::Up => End::Client,
        Way::Down => server_lost(error),
    }
}

fn write_lost(way: Way, error: &io::Error) -> End {
    match way {
        Way::Up => server_lost(error),
        Way::Down => End::Client,
    }
}

fn server_lost(error: &io::Error) -> End {
    End::Broken(Problem::new("08006", format!("the connection to the database was lost: {error}"), ""))
}

/// Writes an error to a client that has no session, and closes its connection.
pub(crate) async fn reject(client: &mut Stream, fatal: &[u8]) {
    let _ = client.write_all(fatal).await;
    let _ = client.shutdown().await;
}
