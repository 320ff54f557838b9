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
use veil_proxy::{Protocol, Proxy};

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

    /// The only value that a query shows.
    fn value(&self, port: u16, sql: &str) -> Result<String>;

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
    let (settings, policy) = wire_up::parts(&config, &RootKey::from_bytes(keys::random()?), None)?;
    let proxy = Proxy::new(settings, policy, keys::random()?);
    let listener = listen(demo, &config).await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(Arc::new(proxy).serve(protocol, listener, async move {
        let _ = stopped.await;
    }));

    let shown = tokio::task::block_in_place(|| {
        show(server.as_ref(), address.port())?;
        show_values(server.as_ref(), address.port())
    });
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
    let mut queries = QUERIES.split(';').map(str::trim).filter(|query| !query.is_empty());
    queries.try_for_each(|query| show_one(server, proxy_port, query))
}

fn show_one(server: &dyn Server, proxy_port: u16, query: &str) -> Result<()> {
    let direct = server.table(server.port(), query)?;
    let masked = server.table(proxy_port, query)?;
    writeln!(io::stdout(), "\n{}\n", indent(query))?;
    writeln!(io::stdout(), "{}", side_by_side(&direct, &masked))?;
    Ok(())
}

/// Masks work as values: records are found by them, real values are not, and what is written back does no damage.
fn show_values(server: &dyn Server, proxy_port: u16) -> Result<()> {
    let mut out = io::stdout();
    let one = |what: &str| {
        format!("select {what} from customers c join orders o on o.customer_id = c.id where o.id = 53")
    };
    let mask = server.value(proxy_port, &one("c.email"))?;
    let by = |email: &str| format!("select full_name, city from customers where email = '{email}'");
    writeln!(
        out,
        "Whoever is shown masks works with masks. A record is found by the address that was shown:"
    )?;
    show_one(server, proxy_port, &by(&mask))?;
    writeln!(out, "and not by the real one, so that nobody can try whether somebody is there:")?;
    show_one(server, proxy_port, &by(&server.value(server.port(), &one("c.email"))?))?;
    let write = format!("update customers set email = '{mask}', city = 'Brno' where email = '{mask}'");
    writeln!(
        out,
        "An application that reads a record, changes the city and writes all of it does no damage:"
    )?;
    writeln!(out, "\n{}", indent(&write))?;
    server.table(proxy_port, &write)?;
    show_one(server, proxy_port, &one("c.email, c.city"))
}

/// Two tables beside each other.
fn side_by_side(left: &str, right: &str) -> String {
    let (left, right) = (rows(left), rows(right));
    let width = left.iter().map(|line| line.chars().count()).max().unwrap_or(0).max("direct".len());
    let mut out = format!("  {:width$}   through IronVeil\n", "direct");
    for at in 0..left.len().max(right.len()) {
        let side = |side: &[&str]| side.get(at).copied().unwrap_or_default().to_owned();
        out.push_str(format!("  {:width$}   {}", side(&left), side(&right)).trim_end());
        out.push('\n');
    }
    out
}

/// The lines of a table.
fn rows(table: &str) -> Vec<&str> {
    let table = table.trim_end();
    if table.is_empty() { vec!["(no rows)"] } else { table.lines().collect() }
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}
