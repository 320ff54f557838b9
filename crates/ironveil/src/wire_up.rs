//! From a checked configuration to a proxy that can run: reads keys, secrets and certificates.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use tracing::warn;
use veil_mask::RootKey;
use veil_model::Sensitive;
use veil_net::connect::{Encryption, Target};
use veil_net::mysql::password::{native, sha2};
use veil_net::scram::{ClientSecret, ITERATIONS, Verifier};
use veil_net::tls::{self, ServerTls, Verify};
use veil_policy::config::pool::{Pool, PoolMode};
use veil_policy::config::{
    self, AuthQuery, Config, Database, ListenTls, Login, Proof, Protocol, Role, SslMode, Upstream, User,
};
use veil_policy::rule::Policy;
use veil_proxy::limits::{Limits, Rate};
use veil_proxy::pool::{Mode, PoolSettings};
use veil_proxy::sessions::Timeouts;
use veil_proxy::upstreams::{Hosts, Want};
use veil_proxy::{Account, MySqlAccount, MySqlProof, MySqlRoute, Route, Settings};

use crate::keys;

/// PostgreSQL's verifiers begin so.
const SCRAM: &str = "SCRAM-SHA-256$";

/// What is wrong, all of it.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|fault| self.0.push(format!("{fault:#}"))).ok()
    }
}

/// What `config` describes, with the masks of `key`; after another policy, if there was one.
pub(crate) fn parts(config: &Config, key: &RootKey, before: Option<&Policy>) -> Result<(Settings, Policy)> {
    let mut faults = Faults::default();
    let tls = config.listen.tls.as_ref().and_then(|tls| faults.note(server_tls(tls)));
    let (mut accounts, mut mysql_accounts) = (HashMap::new(), HashMap::new());
    for user in &config.users {
        let context = || format!("user {}", user.name);
        let Some(proof) = faults.note(read_proof(user).with_context(context)) else { continue };
        let found = faults.note(account(user, &proof).with_context(context)).flatten();
        accounts.extend(found.map(|account| (user.name.clone(), account)));
        let found = faults.note(mysql_account(user, &proof).with_context(context)).flatten();
        mysql_accounts.extend(found.map(|account| (user.name.clone(), account)));
    }
    let (mut routes, mut mysql_routes) = (Vec::new(), Vec::new());
    for database in &config.databases {
        match database.upstream.protocol {
            Protocol::Postgres => routes.extend(faults.note(route(database))),
            Protocol::MySql => mysql_routes.extend(faults.note(mysql_route(database))),
        }
    }
    let policy = policy(config, key, before);
    faults.note(run_tests(config, &policy));
    if !faults.0.is_empty() {
        bail!("{}", faults.0.join("\n"));
    }
    if config.protection.mode.unknown_functions {
        warn!("protection.mode is permissive: functions that are not known run over masked columns");
    }
    if config.protection.mode.observes {
        warn!("protection.mode is observe: nothing is masked or refused; the log says what would be");
    }
    let settings = Settings {
        tls,
        routes,
        accounts,
        mysql_routes,
        mysql_accounts,
        local_files: config.protection.local_infile,
        limits: limits(&config.limits),
        login_timeout: config.login_timeout,
    };
    Ok((settings, policy))
}

fn limits(limits: &config::operations::Limits) -> Limits {
    let rate = |per_second, burst| Rate { per_second, burst: if burst == 0 { per_second } else { burst } };
    Limits {
        connections: limits.max_connections,
        per_user: limits.max_connections_per_user,
        reserved: limits.reserved_connections,
        admins: limits.admins.clone(),
        rate: rate(limits.connections_per_second, limits.burst),
        rate_per_address: rate(limits.connections_per_second_per_address, limits.burst_per_address),
        queue_timeout: limits.queue_timeout,
    }
}

fn timeouts(timeouts: &config::operations::Timeouts) -> Timeouts {
    Timeouts {
        idle: timeouts.idle,
        idle_in_transaction: timeouts.idle_in_transaction,
        query: timeouts.query,
        lifetime: timeouts.max_lifetime,
    }
}

/// Runs the tests of a configuration that need no database.
fn run_tests(config: &Config, policy: &Policy) -> Result<()> {
    let now = SystemTime::now();
    let mut failed = Vec::new();
    for test in &config.tests {
        let served = |database: &Database| test.database == "*" || database.name.matches(&test.database);
        if !config.databases.iter().any(served) {
            failed.push(format!("line {}: no database is called \"{}\"", test.line, test.database));
        }
        // One that names no database is for all.
        let of = config
            .databases
            .iter()
            .filter(|database| test.database == "*" || database.name.matches(&test.database));
        for Database { name, upstream, .. } in of.take(if test.database == "*" { usize::MAX } else { 1 }) {
            let mysql = upstream.protocol == Protocol::MySql;
            let name = name.to_string();
            let asked = if test.database == "*" { &name } else { &test.database };
            let database = upstream.database.as_deref().unwrap_or(asked);
            if let Err(what) = test.check(policy, database, mysql, now) {
                failed.push(format!("line {}: {what}", test.line));
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    // One that is for several databases fails once.
    failed.dedup();
    bail!("tests of the configuration fail, of {}:\n{}", config.tests.len(), failed.join("\n"))
}

/// The rules of a configuration, with the masks of `key`.
pub(crate) fn policy(config: &Config, key: &RootKey, before: Option<&Policy>) -> Policy {
    let (rules, trusted) = (config.rules.clone(), config.protection.trusted_functions.clone());
    let policy = match before {
        Some(before) => Policy::after(before, rules, trusted, key),
        None => Policy::new(rules, trusted, key),
    };
    let policy = policy.with_mode(config.protection.mode);
    if config.protection.scan { policy.scanning() } else { policy }
}

fn server_tls(tls: &ListenTls) -> Result<ServerTls> {
    let ca = tls.client_ca.as_deref();
    ServerTls::load(&tls.certificate, &tls.key, ca, tls.optional).context("listen.tls")
}

fn route(database: &Database) -> Result<Arc<Route>> {
    let upstream = &database.upstream;
    Ok(Arc::new(Route {
        name: database.name.clone(),
        hosts: hosts(database)?,
        database: upstream.database.clone(),
        auth_query: database.auth_query.as_ref().map(auth_query).transpose()?,
        timeouts: timeouts(&database.timeouts),
        connections: database.max_connections,
        pool: pool(&database.pool),
        pool_sizes: database.pool.users.iter().cloned().collect(),
    }))
}

fn pool(pool: &Pool) -> PoolSettings {
    PoolSettings {
        mode: match pool.mode {
            PoolMode::Off => Mode::Off,
            PoolMode::Session => Mode::Session,
            PoolMode::Transaction => Mode::Transaction,
            PoolMode::Statement => Mode::Statement,
        },
        size: pool.size,
        min_idle: pool.min_idle,
        reserve: pool.reserve,
        max_lifetime: pool.max_lifetime,
        idle_timeout: pool.idle_timeout,
        queue_timeout: pool.queue_timeout,
        server_check: pool.server_check,
        prepared: pool.max_prepared_statements as usize,
    }
}

fn mysql_route(database: &Database) -> Result<Arc<MySqlRoute>> {
    Ok(Arc::new(MySqlRoute {
        name: database.name.clone(),
        hosts: hosts(database)?,
        database: database.upstream.database.clone(),
        timeouts: timeouts(&database.timeouts),
        connections: database.max_connections,
    }))
}

fn hosts(database: &Database) -> Result<Hosts> {
    let upstream = &database.upstream;
    let first = target(upstream).with_context(|| format!("database {}", database.name))?;
    let first = Target { timeout: database.timeouts.connect, ..first };
    let others = upstream.others.iter();
    let others = others.map(|(host, port)| Target { host: host.clone(), port: *port, ..first.clone() });
    let others: Vec<_> = others.collect();
    let want = match upstream.role {
        Role::Any => Want::Any,
        Role::Primary => Want::Primary,
        Role::Standby => Want::Standby,
        Role::PreferStandby => Want::PreferStandby,
    };
    Ok(Hosts { all: std::iter::once(first).chain(others).map(Arc::new).collect(), want })
}

/// Where an upstream is, and how it is spoken to.
pub(crate) fn target(upstream: &Upstream) -> Result<Target> {
    let verify = match upstream.sslmode {
        // As libpq has it: who names an authority wants it to be asked.
        SslMode::Require if upstream.root_cert.is_some() => Verify::Authority,
        SslMode::Disable | SslMode::Prefer | SslMode::Require => Verify::Nothing,
        SslMode::VerifyCa => Verify::Authority,
        SslMode::VerifyFull => Verify::Host,
    };
    let client_cert = upstream.client_cert.as_ref().map(|(cert, key)| (cert.as_path(), key.as_path()));
    let config = || tls::client_config(verify, upstream.root_cert.as_deref(), client_cert);
    let encryption = match upstream.sslmode {
        SslMode::Disable => Encryption::Off,
        SslMode::Prefer => {
            warn!(host = upstream.host, "sslmode=prefer falls back to clear text when TLS is refused");
            Encryption::Prefer(config()?)
        }
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => Encryption::Demand(config()?),
    };
    Ok(Target {
        host: upstream.host.clone(),
        port: upstream.port,
        encryption,
        timeout: config::operations::Timeouts::default().connect,
    })
}

fn auth_query(auth_query: &AuthQuery) -> Result<veil_proxy::AuthQuery> {
    let (user, secret) = login(&auth_query.login).context("auth_query")?;
    Ok(veil_proxy::AuthQuery { query: auth_query.query.clone(), user, secret })
}

fn login(login: &Login) -> Result<(String, ClientSecret)> {
    Ok((login.user.clone(), ClientSecret::password(keys::read_secret(&login.password)?.expose().clone())))
}

/// What a user has to prove, as it was read from where it is.
enum ReadProof {
    Verifier(Sensitive<String>),
    Password(Sensitive<String>),
}

fn read_proof(user: &User) -> Result<ReadProof> {
    Ok(match &user.proof {
        Proof::Verifier(text) => ReadProof::Verifier(Sensitive::new(text.clone())),
        Proof::VerifierAt(secret) => ReadProof::Verifier(keys::read_secret(secret)?),
        Proof::Password(secret) => ReadProof::Password(keys::read_secret(secret)?),
    })
}

/// The account for PostgreSQL's protocol, if what the user proves serves there.
fn account(user: &User, proof: &ReadProof) -> Result<Option<Account>> {
    let own = user.upstream.as_ref().map(login).transpose()?;
    Ok(match proof {
        ReadProof::Verifier(text) if !text.expose().starts_with(SCRAM) => None,
        ReadProof::Verifier(text) => {
            let verifier = Verifier::parse(text.expose()).context("the verifier cannot be read")?;
            Some(Account { verifier, upstream: own })
        }
        ReadProof::Password(password) => {
            let salt = keys::random()?;
            let salt = salt.get(..16).unwrap_or(&salt);
            let verifier = Verifier::from_password(password.expose(), salt, ITERATIONS);
            // A key proven against our own salt serves nowhere else; the password does.
            let same = || (user.name.clone(), ClientSecret::password(password.expose().clone()));
            Some(Account { verifier, upstream: Some(own.unwrap_or_else(same)) })
        }
    })
}

/// The account for MySQL's protocol, if what the user proves serves there.
fn mysql_account(user: &User, proof: &ReadProof) -> Result<Option<MySqlAccount>> {
    let bytes = |text: &Sensitive<String>| Sensitive::new(text.expose().clone().into_bytes());
    let proof = match proof {
        ReadProof::Password(password) => MySqlProof::Password(bytes(password)),
        ReadProof::Verifier(text) if text.expose().starts_with(SCRAM) => return Ok(None),
        ReadProof::Verifier(text) if text.expose().starts_with('*') => MySqlProof::Native(
            native::Verifier::parse(text.expose().as_bytes()).context("the verifier cannot be read")?,
        ),
        ReadProof::Verifier(text) => MySqlProof::Sha2(
            sha2::Verifier::parse(text.expose().as_bytes()).context("the verifier cannot be read")?,
        ),
    };
    let own = |login: &Login| {
        Ok::<_, anyhow::Error>((login.user.clone(), bytes(&keys::read_secret(&login.password)?)))
    };
    let upstream = user.upstream.as_ref().map(own).transpose()?;
    Ok(Some(MySqlAccount { proof, upstream }))
}
