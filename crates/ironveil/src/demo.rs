//! `ironveil demo`: a throw-away PostgreSQL or MariaDB with a sample shop, the same queries direct and through the proxy.

mod mariadb;
mod postgres;
mod server;

use std::io::{self, Write};
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use veil_mask::RootKey;
use veil_policy::Config;
use veil_proxy::Protocol;

use crate::cli::Demo;
use crate::{keys, wire_up};

const DATA: &str = include_str!("demo/shop.sql");
const CONFIG: &str = include_str!("demo/proxy.yaml");
const QUERIES: &str = include_str!("demo/queries.sql");

/// A throw-away server.
trait Server {
    fn port(&self) -> u16;

    /// Runs SQL in a new database `shop`.
    fn load(&self, sql: &str) -> Result<()>;

    /// Runs a query in `shop`, through `port`, and returns it as a table.
    fn table(&self, port: u16, sql: &str) -> Result<String>;

    /// How a person does the same.
    fn by_hand(&self, port: u16) -> String;
}

/// Shows the queries, and keeps running until Ctrl-C.
pub(crate) async fn run(demo: &Demo) -> Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut hangup = signal(SignalKind::hangup())?;
    let (name, scheme, protocol) = match demo.mysql {
        true => ("MariaDB", "mysql", Protocol::MySql),
        false => ("PostgreSQL", "postgres", Protocol::Pg),
    };
    writeln!(io::stdout(), "Starting a throw-away {name} with a sample shop ...")?;
    let server: Box<dyn Server> = match demo.mysql {
        true => Box::new(again(mariadb::Server::start)?),
        false => Box::new(again(postgres::Server::start)?),
    };
    server.load(DATA)?;

    let text = CONFIG.replace("SCHEME", scheme).replace("PORT", &server.port().to_string());
    let config = Config::parse(&text)
        .map_err(|faults| anyhow::anyhow!("{}", faults.first().map_or(String::new(), ToString::to_string)))?;
    let proxy = wire_up::proxy(&config, &RootKey::from_bytes(keys::random()?))?;
    let listener = listen(demo, &config).await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(Arc::new(proxy).serve(protocol, listener, async move {
        let _ = stopped.await;
    }));

    let shown = tokio::task::block_in_place(|| show(server.as_ref(), address.port()));
    if shown.is_ok() && !demo.once {
        writeln!(
            io::stdout(),
            "The rules are these; the key was made for this demo and is gone with it:\n\n{}",
            indent(&text)
        )?;
        writeln!(io::stdout(), "Try it yourself, masked and direct:\n")?;
        writeln!(io::stdout(), "    {}", server.by_hand(address.port()))?;
        writeln!(io::stdout(), "    {}\n", server.by_hand(server.port()))?;
        writeln!(io::stdout(), "Ctrl-C ends the demo and removes everything.")?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
    let _ = stop.send(());
    let _ = serving.await;
    drop(server);
    writeln!(io::stdout(), "\nThe demo has ended and left nothing behind.")?;
    shown
}

/// A port that was free may be taken by the time a server asks for it.
fn again<S>(start: impl Fn() -> Result<S>) -> Result<S> {
    start().or_else(|_| start())
}

async fn listen(demo: &Demo, config: &Config) -> Result<TcpListener> {
    let usual = if demo.mysql { config.listen.mysql } else { config.listen.postgres };
    match demo.listen {
        Some(address) => {
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
        }
        None => match TcpListener::bind(usual).await {
            Ok(listener) => Ok(listener),
            Err(_) => Ok(TcpListener::bind("127.0.0.1:0").await?),
        },
    }
}

fn show(server: &dyn Server, proxy_port: u16) -> Result<()> {
    for query in QUERIES.split(';').map(str::trim).filter(|query| !query.is_empty()) {
        let direct = server.table(server.port(), query)?;
        let masked = server.table(proxy_port, query)?;
        writeln!(io::stdout(), "\n{}\n", indent(query))?;
        writeln!(io::stdout(), "{}", side_by_side(&direct, &masked))?;
    }
    Ok(())
}

/// Two tables beside each other.
fn side_by_side(left: &str, right: &str) -> String {
    let width = left.lines().map(|line| line.chars().count()).max().unwrap_or(0).max("direct".len());
    let mut out = format!("  {:width$}   through IronVeil\n", "direct");
    let (mut left, mut right) = (left.lines(), right.lines());
    loop {
        let (a, b) = (left.next(), right.next());
        if a.is_none() && b.is_none() {
            return out;
        }
        out.push_str(&format!("  {:width$}   {}\n", a.unwrap_or_default(), b.unwrap_or_default()));
    }
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}
