//! A session of the commands' own on a server, with the labels that a policy lays over its catalog.

use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Row, SslOpts};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use veil_model::Sensitive;
use veil_policy::config::{Config, Database, Protocol, SslMode, Upstream};
use veil_policy::expect::Test;
use veil_policy::explain::{Explanation, explain, meetings};
use veil_policy::who::{Principal, Rights};
use veil_policy::{Labels, Policy, mysql};
use veil_sql::Catalog;
use veil_sql::mysql::Mode;

use crate::{keys, wire_up};

/// The variable that holds the password.
const PASSWORD: &str = "IRONVEIL_PASSWORD";

/// Rows of text; NULL is `None`.
pub(crate) type Rows = Vec<Vec<Option<String>>>;

/// What is known of a server.
pub(crate) enum Known {
    /// Of one database of PostgreSQL.
    Postgres(Labels),
    /// Of a MySQL or MariaDB server; and how its sessions read texts.
    MySql(mysql::Labels, Mode),
}

impl Known {
    /// What becomes of the statements of a text in a database.
    ///
    /// # Errors
    /// What it holds that cannot be read.
    pub(crate) fn explain(&self, sql: &str, database: &str) -> Result<Vec<Explanation>, String> {
        match self {
            Self::Postgres(labels) => veil_sql::analyse::analyse(sql)
                .map(|all| all.iter().map(|one| explain(one, labels)).collect())
                .map_err(|what| what.to_string()),
            Self::MySql(labels, mode) => veil_sql::mysql::analyse::analyse(sql, *mode)
                .map(|all| {
                    let each = all.statements.iter();
                    each.map(|one| mysql::explain(one, labels, Some(database))).collect()
                })
                .map_err(|what| what.to_string()),
        }
    }

    /// What is wrong with what becomes of a test's statement in a database.
    ///
    /// # Errors
    /// What was expected, and what is.
    pub(crate) fn check(&self, test: &Test, sql: &str, database: &str) -> Result<(), String> {
        match self.explain(sql, database).as_deref() {
            Ok([one]) => test.check_statement(one),
            Ok(_) => Err("it is not one statement".to_owned()),
            Err(what) => Err(format!("it holds {what}")),
        }
    }
}

/// Who signs in.
pub(crate) struct SignIn {
    pub(crate) user: String,
    pub(crate) password: Option<Sensitive<String>>,
}

impl SignIn {
    /// With the password that is in the environment.
    pub(crate) fn of_environment(user: &str) -> Self {
        Self { user: user.to_owned(), password: std::env::var(PASSWORD).ok().map(Sensitive::new) }
    }
}

/// A session in a database, by its name on the server.
pub(crate) struct Server {
    pub(crate) known: Known,
    pub(crate) database: String,
    policy: Arc<Policy>,
    catalog: Catalogs,
    session: Session,
}

enum Catalogs {
    Postgres(Arc<Catalog>),
    MySql(Arc<veil_sql::mysql::Catalog>, Mode),
}

enum Session {
    Postgres(Client),
    MySql(Box<Conn>),
}

impl Server {
    /// Signs in to the server of `database`, and reads its catalog.
    pub(crate) async fn open(config: &Config, database: &str, sign_in: SignIn) -> Result<Self> {
        let Some(found) = config.databases.iter().find(|known| known.name.matches(database)) else {
            bail!("no entry of \"databases\" in the configuration has the name {database}")
        };
        Self::at(config, found, database, sign_in).await
    }

    /// The same, of an entry of the configuration.
    pub(crate) async fn at(
        config: &Config,
        entry: &Database,
        database: &str,
        sign_in: SignIn,
    ) -> Result<Self> {
        let root = config.root_key.clone().map_or_else(keys::default_root, Ok)?;
        let policy = Arc::new(wire_up::policy(config, &keys::read_root(&root)?, None));
        let upstream = &entry.upstream;
        let database = upstream.database.as_deref().unwrap_or(database);
        match upstream.protocol {
            Protocol::Postgres => postgres(upstream, policy, database, &sign_in).await,
            Protocol::MySql => mysql(upstream, policy, database, &sign_in).await,
        }
    }

    /// What the policy makes of the server for whom a test is about.
    pub(crate) fn known_to(&self, test: &Test) -> Known {
        known(&self.policy, &self.catalog, &self.database, &test.rights(&self.policy, SystemTime::now()))
    }

    /// What the policy makes of the server for a user.
    pub(crate) fn known_to_user(&self, user: &str) -> Known {
        let rights = self.policy.rights(&Principal::user(user), SystemTime::now());
        known(&self.policy, &self.catalog, &self.database, &rights)
    }

    /// What becomes of the statements of a text.
    ///
    /// # Errors
    /// What it holds that cannot be read.
    pub(crate) fn explain(&self, sql: &str, known: &Known) -> Result<Vec<Explanation>, String> {
        known.explain(sql, &self.database)
    }

    /// What is said of literals and parameters in a text.
    pub(crate) fn meetings(&self, sql: &str) -> Vec<String> {
        let Known::Postgres(labels) = &self.known else { return Vec::new() };
        let statements = veil_sql::analyse::analyse(sql).unwrap_or_else(|_| [].into());
        statements.iter().flat_map(|one| meetings(one, labels)).map(|met| met.to_string()).collect()
    }

    /// The rows of a query.
    pub(crate) async fn rows(&mut self, query: &str) -> Result<Rows> {
        match &mut self.session {
            Session::Postgres(client) => postgres_rows(client, query).await,
            Session::MySql(connection) => mysql_rows(connection, query).await,
        }
    }
}

/// What a policy makes of a catalog for somebody.
fn known(policy: &Arc<Policy>, catalog: &Catalogs, database: &str, rights: &Rights) -> Known {
    let policy = Arc::clone(policy);
    match catalog {
        Catalogs::Postgres(catalog) => {
            Known::Postgres(Labels::new(policy, Arc::clone(catalog), database, rights))
        }
        Catalogs::MySql(catalog, mode) => {
            Known::MySql(mysql::Labels::new(policy, Arc::clone(catalog), rights), *mode)
        }
    }
}

async fn postgres_rows(client: &Client, query: &str) -> Result<Rows> {
    let answer = client.simple_query(query).await.context("cannot read the catalog")?;
    let cells = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect())
        }
        _ => None,
    };
    Ok(answer.iter().filter_map(cells).collect())
}

async fn mysql_rows(connection: &mut Conn, query: &str) -> Result<Rows> {
    let answer: Vec<Row> = connection.query(query).await.context("cannot read the catalog")?;
    let text = |cell: Option<Vec<u8>>| cell.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let cells =
        |row: Row| (0..row.len()).map(|at| text(row.get::<Option<Vec<u8>>, _>(at).flatten())).collect();
    Ok(answer.into_iter().map(cells).collect())
}

/// Signs in to a database of PostgreSQL, by its name on the server.
pub(crate) async fn sign_in_postgres(
    upstream: &Upstream,
    database: &str,
    SignIn { user, password }: &SignIn,
) -> Result<Client> {
    let connected = wire_up::target(upstream)?.connect().await?;
    let mut config = tokio_postgres::Config::new();
    config.user(user).dbname(database);
    if let Some(password) = password {
        config.password(password.expose());
    }
    let (client, connection) =
        config.connect_raw(connected.stream, NoTls).await.context("cannot sign in to the server")?;
    // It ends with the client.
    tokio::spawn(connection);
    Ok(client)
}

/// Signs in to a database of MySQL or MariaDB.
pub(crate) async fn sign_in_mysql(
    upstream: &Upstream,
    database: &str,
    sign_in: &SignIn,
) -> Result<Box<Conn>> {
    Ok(Box::new(
        Conn::new(options(upstream, database, sign_in)).await.context("cannot sign in to the server")?,
    ))
}

async fn postgres(
    upstream: &Upstream,
    policy: Arc<Policy>,
    database: &str,
    sign_in: &SignIn,
) -> Result<Server> {
    let (client, user) = (sign_in_postgres(upstream, database, sign_in).await?, &sign_in.user);
    let mut results = <[Vec<_>; veil_sql::catalog::QUERIES.len()]>::default();
    for (rows, query) in results.iter_mut().zip(veil_sql::catalog::QUERIES) {
        *rows = postgres_rows(&client, query).await?;
    }
    let catalog = Catalogs::Postgres(Arc::new(Catalog::from_rows(&results)));
    let known = known(&policy, &catalog, database, &policy.rights(&Principal::user(user), SystemTime::now()));
    let session = Session::Postgres(client);
    Ok(Server { known, database: database.to_owned(), policy, catalog, session })
}

async fn mysql(upstream: &Upstream, policy: Arc<Policy>, database: &str, sign_in: &SignIn) -> Result<Server> {
    let (user, mut connection) = (&sign_in.user, sign_in_mysql(upstream, database, sign_in).await?);
    let settings: Option<(String, String)> =
        connection.query_first("select @@sql_mode, version()").await.context("cannot read the settings")?;
    let (sql_mode, version) = settings.context("the server has no settings")?;
    let mut results = <[Vec<_>; veil_sql::mysql::catalog::QUERIES.len()]>::default();
    for (rows, query) in results.iter_mut().zip(veil_sql::mysql::catalog::QUERIES) {
        *rows = mysql_rows(&mut connection, query.text).await?;
    }
    let catalog = Arc::new(veil_sql::mysql::Catalog::from_rows(&results));
    let catalog = Catalogs::MySql(catalog, Mode::new(&sql_mode, &version));
    let known = known(&policy, &catalog, database, &policy.rights(&Principal::user(user), SystemTime::now()));
    let session = Session::MySql(connection);
    Ok(Server { known, database: database.to_owned(), policy, catalog, session })
}

fn options(upstream: &Upstream, database: &str, SignIn { user, password }: &SignIn) -> Opts {
    let tls = (upstream.sslmode != SslMode::Disable).then(|| {
        let named = upstream.sslmode == SslMode::VerifyFull;
        let verifies = named || upstream.sslmode == SslMode::VerifyCa || upstream.root_cert.is_some();
        SslOpts::default()
            .with_danger_skip_domain_validation(!named)
            .with_danger_accept_invalid_certs(!verifies)
            .with_root_certs(upstream.root_cert.iter().map(|path| path.clone().into()).collect())
    });
    OptsBuilder::default()
        .ip_or_hostname(&upstream.host)
        .tcp_port(upstream.port)
        .user(Some(user))
        .pass(password.as_ref().map(|password| password.expose().clone()))
        .db_name(Some(database))
        .prefer_socket(Some(false))
        .ssl_opts(tls)
        .into()
}
