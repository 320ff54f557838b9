//! A session begins on a server of a pool.

use std::sync::{Arc, Mutex};

use veil_net::scram::ClientSecret;
use veil_net::{Link, Stream};
use veil_wire::pg::auth::Request;
use veil_wire::pg::{command, frame, limits, reply};

use super::{Asked, Failure, Ready, Server};
use crate::cancel::Serving;
use crate::pool::pg::courier::{Begun, Courier};
use crate::pool::pg::{Held, Maker};
use crate::pool::{Key, Mode};
use crate::problem::Problem;
use crate::proxy::Proxy;
use crate::relay::{Pooled, Side};

/// What a session that shares its server begins with; `None` if it has one of its own.
pub(super) fn shares(asked: &Asked<'_>) -> Option<Begun> {
    let shares = asked.route.pool.mode != Mode::Off && !asked.replicates;
    shares.then(|| Begun::new(&asked.parameters)).flatten()
}

/// Has a server of the pool begin the session.
pub(super) async fn begin(
    proxy: &Proxy,
    client: &mut Link,
    asked: &Asked<'_>,
    (user, secret): (&str, &ClientSecret),
    begun: &Begun,
) -> Result<Ready, Failure> {
    let database = asked.server_database().to_owned();
    let key = Key { route: asked.route.name.to_string(), database: database.clone(), user: user.to_owned() };
    let maker = Maker {
        upstreams: Arc::clone(&proxy.upstreams),
        route: Arc::clone(asked.route),
        database,
        user: user.to_owned(),
        secret: secret.clone(),
    };
    let settings = asked.route.pool_of(user);
    let pool = proxy.pools.of(key, settings, maker);
    let mut leased = pool.lease().await?;
    let taken = leased.conn().and_then(|server| {
        let stream = std::mem::replace(&mut server.stream, Stream::Closed);
        server.state.take().map(|state| (stream, state))
    });
    let (stream, mut state) = taken.ok_or_else(|| Problem::protocol("no server"))?;
    let mut link = Link::new(stream);
    if let Some(error) = set_up(&mut link, &mut state, begun).await? {
        let mut out = Vec::new();
        frame::write(&mut out, b'E', |out| out.extend(error));
        client.write(&out).await?;
        return Err(Failure::Told);
    }
    let serving: Serving = Arc::new(Mutex::new(Some(Arc::clone(&state.gate))));
    let cancel = proxy.cancels.register(asked.spoken(), Arc::clone(&serving));
    let mut out = Vec::new();
    Request::Ok.write(&mut out);
    for (name, value) in state.reported.iter() {
        frame::write(&mut out, b'S', |out| {
            frame::put_cstr(out, name);
            frame::put_cstr(out, value);
        });
    }
    if let Some(registered) = &cancel {
        reply::write_key(&mut out, registered.process, &registered.key);
    }
    frame::write(&mut out, b'Z', |out| out.push(b'I'));
    let target = Arc::clone(&state.gate.running.target);
    let reported: Vec<_> =
        state.reported.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
    let engine = super::engine(proxy, asked, (&target, true), &reported)?;
    client.write(&out).await?;
    let (stream, unread) = link.into_parts();
    let modes = (settings.mode, settings.prepared);
    let (analyser, texts) = (Arc::clone(&proxy.analyser), Arc::clone(&proxy.texts));
    let courier = Courier::new(modes, analyser, texts, (begun, state));
    let pins = proxy.telemetry.metrics.pins.clone();
    let pooled = Pooled::new(courier, (leased, target), Arc::clone(&serving), pins);
    let server = Server::Pooled(Box::new(pooled), Side::new(stream, unread));
    Ok(Ready { server, engine, cancel, serving: Some(serving) })
}

/// Makes the settings that a client begins with, on a server that has had other clients; returns the server's error, if it does not take them.
async fn set_up(link: &mut Link, state: &mut Held, begun: &Begun) -> Result<Option<Vec<u8>>, Problem> {
    let mut texts = Vec::new();
    if !state.clean {
        texts.push("RESET ALL".to_owned());
        let own = state.applied.iter();
        texts.extend(own.map(|(name, _)| format!("RESET \"{}\"", name.replace('"', "\"\""))));
    }
    texts.extend(begun.text());
    if texts.is_empty() {
        return Ok(None);
    }
    let mut out = Vec::new();
    command::write_query(&mut out, texts.join(";").as_bytes());
    link.write(&out).await?;
    let mut error = None;
    loop {
        let message = link.read(limits::REPLY_MAX).await?;
        match message.tag {
            b'S' => {
                let (name, value) = reply::decode_parameter(&message.body)?;
                Arc::make_mut(&mut state.reported).set(name, value);
            }
            b'E' => error = Some(message.body),
            b'Z' => break,
            b'C' | b'D' | b'N' | b'T' => {}
            _ => return Err(Problem::protocol("unexpected message during login")),
        }
    }
    state.applied = Arc::new(begun.unreported(&state.reported));
    (state.unnamed, state.clean) = (None, false);
    Ok(error)
}
