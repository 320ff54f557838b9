//! What becomes of statements, and why, by the catalog of the server itself.

use std::io::{self, BufRead, Write};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Row, SslOpts};
use tokio_postgres::{NoTls, SimpleQueryMessage};
use veil_policy::config::{Config, Protocol, SslMode, Upstream};
use veil_policy::explain::{Explanation, explain};
use veil_policy::{Labels, Policy, mysql};
use veil_sql::Catalog;

use crate::cli::Explain;
use crate::{commands, keys, wire_up};

/// The variable that holds the password.
const PASSWORD: &str = "IRONVEIL_PASSWORD";

/// Prints what becomes of each statement.
pub(crate) async fn run(mut args: Explain) -> Result<()> {
    let config = commands::read_config(&args.config)?;
    let root = config.root_key.clone().map_or_else(keys::default_root, Ok)?;
    let policy = wire_up::policy(&config, &keys::read_root(&root)?);
    if args.statements.is_empty() {
        args.statements = io::stdin().lock().lines().collect::<io::Result<_>>()?;
    }
    let upstream = upstream(&config, &args.database)?;
    match upstream.protocol {
        Protocol::Postgres => postgres(upstream, policy, &args).await,
        Protocol::MySql => mysql(upstream, policy, &args).await,
    }
}

fn upstream<'a>(config: &'a Config, database: &str) -> Result<&'a Upstream> {
    let mut databases = config.databases.iter();
    match databases.find(|known| known.name.matches(database)) {
        Some(found) => Ok(&found.upstream),
        None => bail!("no entry of \"databases\" in the configuration has the name {database}"),
    }
}

fn print(sql: &str, explanations: Result<Vec<Explanation>, impl std::fmt::Display>) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{sql}")?;
    match explanations {
        Ok(explanations) => explanations.iter().try_for_each(|text| writeln!(out, "    {text}"))?,
        Err(what) => writeln!(out, "    IronVeil refused: the text holds {what}")?,
    }
    Ok(())
}

async fn postgres(upstream: &Upstream, policy: Policy, args: &Explain) -> Result<()> {
    let connected = wire_up::target(upstream)?.connect().await?;
    let database = upstream.database.as_deref().unwrap_or(&args.database);
    let mut config = tokio_postgres::Config::new();
    config.user(&args.user).dbname(database);
    if let Ok(password) = std::env::var(PASSWORD) {
        config.password(password);
    }
    let (client, connection) =
        config.connect_raw(connected.stream, NoTls).await.context("cannot sign in to the server")?;
    let connection = tokio::spawn(connection);
    let mut results = <[Vec<_>; veil_sql::catalog::QUERIES.len()]>::default();
    for (rows, query) in results.iter_mut().zip(veil_sql::catalog::QUERIES) {
        let answer = client.simple_query(query).await.context("cannot read the catalog")?;
        rows.extend(answer.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect())
            }
            _ => None,
        }));
    }
    drop(client);
    connection.await??;
    let labels = Labels::new(Arc::new(policy), Arc::new(Catalog::from_rows(&results)), database, &args.user);
    args.statements.iter().try_for_each(|sql| {
        let statements = veil_sql::analyse::analyse(sql);
        print(sql, statements.map(|all| all.iter().map(|statement| explain(statement, &labels)).collect()))
    })
}

async fn mysql(upstream: &Upstream, policy: Policy, args: &Explain) -> Result<()> {
    let database = upstream.database.as_deref().unwrap_or(&args.database);
    let mut connection =
        Conn::new(options(upstream, database, &args.user)).await.context("cannot sign in to the server")?;
    let settings: Option<(String, String)> =
        connection.query_first("select @@sql_mode, version()").await.context("cannot read the settings")?;
    let (sql_mode, version) = settings.context("the server has no settings")?;
    let mut results = <[Vec<_>; veil_sql::mysql::catalog::QUERIES.len()]>::default();
    for (rows, query) in results.iter_mut().zip(veil_sql::mysql::catalog::QUERIES) {
        let answer: Vec<Row> = connection.query(query.text).await.context("cannot read the catalog")?;
        rows.extend(answer.into_iter().map(|row| {
            (0..row.len()).map(|at| row.get::<Option<Vec<u8>>, _>(at).flatten()).map(text).collect()
        }));
    }
    connection.disconnect().await?;
    let catalog = Arc::new(veil_sql::mysql::Catalog::from_rows(&results));
    let labels = mysql::Labels::new(Arc::new(policy), catalog, &args.user);
    let mode = veil_sql::mysql::Mode::new(&sql_mode, &version);
    args.statements.iter().try_for_each(|sql| {
        let analysis = veil_sql::mysql::analyse::analyse(sql, mode);
        let explained = analysis.map(|all| {
            all.statements.iter().map(|one| mysql::explain(one, &labels, Some(database))).collect()
        });
        print(sql, explained)
    })
}

fn text(cell: Option<Vec<u8>>) -> Option<String> {
    cell.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn options(upstream: &Upstream, database: &str, user: &str) -> Opts {
    let tls = (upstream.sslmode != SslMode::Disable).then(|| {
        let named =
            SslOpts::default().with_danger_skip_domain_validation(upstream.sslmode != SslMode::VerifyFull);
        let verifies = matches!(upstream.sslmode, SslMode::VerifyCa | SslMode::VerifyFull);
        let verified = named.with_danger_accept_invalid_certs(!verifies && upstream.root_cert.is_none());
        verified.with_root_certs(upstream.root_cert.iter().map(|path| path.clone().into()).collect())
    });
    OptsBuilder::default()
        .ip_or_hostname(&upstream.host)
        .tcp_port(upstream.port)
        .user(Some(user))
        .pass(std::env::var(PASSWORD).ok())
        .db_name(Some(database))
        .prefer_socket(Some(false))
        .ssl_opts(tls)
        .into()
}
