//! `ironveil run`: the proxy from its start to its end, and every configuration that it has in between.
//!
//! Decision: files are looked at once a second rather than watched by events. That sees every way in which editors, package managers and Kubernetes put a
//! file in the place of another, on every file system, and costs nothing. A file that has changed is read when it has been the same for one look.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use serde_json::json;
use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tracing::{error, info, warn};
use veil_control::{Api, Audit, Operations, Reloaded};
use veil_model::Sensitive;
use veil_policy::config::{Config, Database, Listen, Proof, Protocol as Speaks, Secret};
use veil_policy::{Labels, Policy};
use veil_proxy::{Protocol, Proxy};
use veil_sql::mysql::Mode;

use crate::cli::Run;
use crate::commands::{config_of, runtime};
use crate::server::{Known, Server, SignIn};
use crate::signals::{Heard, Signals};
use crate::{keys, wire_up};

/// Files are looked at so often.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Sessions that were told to end have so long to tell their clients.
const GOODBYE: Duration = Duration::from_secs(2);
/// A server has so long to show its catalog at the start.
const CHECK_MAX: Duration = Duration::from_secs(30);
/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;

/// Runs the proxy.
pub(crate) fn serve(run: Run) -> Result<()> {
    // Each session takes two files.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        warn!(%error, "the limit of open files cannot be raised");
    }
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        let (running, config) = Running::new(run)?;
        Arc::new(running).run(config).await
    });
    // A reload that hangs holds nothing up.
    runtime.shutdown_background();
    ended
}

/// A proxy that runs.
struct Running {
    run: Run,
    proxy: Arc<Proxy>,
    audit: Arc<Audit>,
    began: Instant,
    /// What cannot change while it runs.
    fixed: Fixed,
    files: Mutex<Vec<PathBuf>>,
    api_key: Mutex<Option<Sensitive<String>>>,
    /// What the files looked like when they were read first.
    known: Mutex<Vec<Print>>,
    reloading: Mutex<()>,
    last: Mutex<Option<Reloaded>>,
    stopping: AtomicBool,
}

/// What holds until the next start.
#[derive(PartialEq)]
struct Fixed {
    listen: Listen,
    api: Option<SocketAddr>,
    /// Protocols that have a listener.
    speaks: Vec<Speaks>,
    audit: Option<veil_policy::config::operations::Audit>,
}

impl Fixed {
    fn of(config: &Config) -> Self {
        // Certificates are read again.
        let listen = Listen { tls: None, ..config.listen.clone() };
        let api = config.api.as_ref().map(|api| api.listen);
        let kinds = [Speaks::Postgres, Speaks::MySql].into_iter();
        let speaks = kinds.filter(|kind| config.has(*kind)).collect();
        Self { listen, api, speaks, audit: config.audit.clone() }
    }

    /// Whether there is a listener for the databases of another configuration.
    fn hears(&self, other: &Self, kind: Speaks) -> bool {
        self.speaks.contains(&kind) || !other.speaks.contains(&kind)
    }

    /// The keys in which another differs.
    fn changed(&self, other: &Self) -> Vec<&'static str> {
        let keys = [
            (
                "listen.postgres",
                self.listen.postgres == other.listen.postgres && self.hears(other, Speaks::Postgres),
            ),
            ("listen.mysql", self.listen.mysql == other.listen.mysql && self.hears(other, Speaks::MySql)),
            ("listen.reuse_port", self.listen.reuse_port == other.listen.reuse_port),
            ("api.listen", self.api == other.api),
            ("audit", self.audit == other.audit),
        ];
        keys.into_iter().filter(|(_, same)| !same).map(|(key, _)| key).collect()
    }
}

impl Running {
    /// With the configuration that it begins with.
    fn new(run: Run) -> Result<(Self, Config)> {
        let config = read(&run)?;
        let root = root(&run, &config)?;
        let files = files(&run, &config, &root);
        let known = prints(&files);
        let (settings, policy) = wire_up::parts(&config, &keys::read_root(&root)?, None)?;
        if config.rules.is_empty() {
            warn!("there are no rules: every value is shown");
        }
        let audit = match &config.audit {
            Some(audit) => Audit::open(&audit.file)
                .with_context(|| format!("audit.file: cannot open {}", audit.file.display()))?,
            None => Audit::stderr(),
        };
        let running = Self {
            proxy: Arc::new(Proxy::new(settings, policy, keys::random()?)),
            audit: Arc::new(audit),
            began: Instant::now(),
            fixed: Fixed::of(&config),
            files: Mutex::new(files),
            known: Mutex::new(known),
            api_key: Mutex::new(api_key(&config)?),
            reloading: Mutex::default(),
            last: Mutex::default(),
            stopping: AtomicBool::new(false),
            run,
        };
        // As the command line has it.
        Ok((running, Config { root_key: Some(root), ..config }))
    }

    async fn run(self: Arc<Self>, config: Config) -> Result<()> {
        let mut signals = Signals::new()?;
        let mut tasks = JoinSet::new();
        self.serve_api(&mut tasks).await?;
        let looking = self.look_at_upstreams(config);
        tokio::select! {
            looked = looking => looked?,
            () = signals.second() => return Ok(()),
        }
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let mut serving = JoinSet::new();
        let Listen { postgres, mysql, reuse_port, .. } = self.fixed.listen;
        for (kind, protocol, address) in
            [(Speaks::Postgres, Protocol::Pg, postgres), (Speaks::MySql, Protocol::MySql, mysql)]
        {
            if self.fixed.speaks.contains(&kind) {
                let listener = listen(address, reuse_port)?;
                info!(address = %listener.local_addr()?, ?protocol, "IronVeil takes connections");
                let mut stopped = stopped.clone();
                serving.spawn(Arc::clone(&self.proxy).serve(protocol, listener, async move {
                    let _ = stopped.wait_for(|stopped| *stopped).await;
                }));
            }
        }
        let writer = self.fixed.audit.is_some().then(|| {
            let (audit, events) = (Arc::clone(&self.audit), self.proxy.events.listen());
            std::thread::spawn(move || audit.follow(&events))
        });
        self.note("start", &[("version", json!(env!("CARGO_PKG_VERSION")))]);
        let proxy = Arc::clone(&self.proxy);
        tasks.spawn(async move { proxy.sessions.watch().await });
        tasks.spawn(Arc::clone(&self.proxy).watch_upstreams());
        tasks.spawn(Arc::clone(&self).watch_files());

        while signals.next().await == Heard::Reload {
            tokio::spawn(Arc::clone(&self).reload_apart("SIGHUP"));
        }
        self.stopping.store(true, Ordering::Release);
        info!(sessions = self.proxy.sessions.count(), "stopping; a second signal ends at once");
        let _ = stop.send(true);
        let ended = tokio::select! {
            () = self.drained(serving) => true,
            () = signals.second() => false,
        };
        // What was told of last is on the disk before the end is.
        self.proxy.events.close();
        if let Some(writer) = writer {
            let _ = tokio::time::timeout(GOODBYE, tokio::task::spawn_blocking(|| drop(writer.join()))).await;
        }
        self.note("stop", &[("sessions_cut", json!(self.proxy.sessions.count()))]);
        info!(ended, "stopped");
        Ok(())
    }

    /// Waits until all sessions have ended, or have been told to.
    async fn drained(&self, mut serving: JoinSet<()>) {
        self.proxy.sessions.drain();
        let limit = Duration::from_secs(self.run.shutdown_timeout);
        let mut all = async || while serving.join_next().await.is_some() {};
        if tokio::time::timeout(limit, all()).await.is_err() {
            self.proxy.sessions.stop();
            let _ = tokio::time::timeout(GOODBYE, all()).await;
        }
        serving.shutdown().await;
    }

    async fn serve_api(self: &Arc<Self>, tasks: &mut JoinSet<()>) -> Result<()> {
        let Some(address) = self.fixed.api else { return Ok(()) };
        if self.api_key().is_none() && !address.ip().is_loopback() {
            bail!("api.listen: {address} is not on this machine only, so \"api_key\" is needed");
        }
        let listener = listen(address, self.fixed.listen.reuse_port).context("api.listen")?;
        info!(address = %listener.local_addr()?, "the API takes requests");
        let operations: Arc<dyn Operations> = Arc::clone(self) as _;
        let api = Api { proxy: Arc::clone(&self.proxy), operations, began: self.began };
        tasks.spawn(async move {
            if let Err(error) = api.serve(listener).await {
                error!(%error, "the API has ended");
            }
        });
        Ok(())
    }

    /// Asks all servers whether they are there, and signs in where the configuration says as whom.
    async fn look_at_upstreams(&self, config: Config) -> Result<()> {
        let mut checks = JoinSet::new();
        for (protocol, target) in self.proxy.targets() {
            let proxy = Arc::clone(&self.proxy);
            checks.spawn(async move { proxy.check(protocol, &target).await });
        }
        while let Some(checked) = checks.join_next().await {
            let Ok(Err(error)) = checked else { continue };
            if self.run.require_upstream {
                bail!("an upstream cannot be reached: {error}");
            }
            warn!(%error, "an upstream cannot be reached; it is tried again");
        }
        for database in &config.databases {
            let Some(check) = &database.check else { continue };
            let sign_in =
                SignIn { user: check.user.clone(), password: Some(keys::read_secret(&check.password)?) };
            let opened = tokio::time::timeout(
                CHECK_MAX,
                Server::at(&config, database, database.name.as_str(), sign_in),
            );
            let error = match opened.await {
                Ok(Ok(_)) => continue,
                Ok(Err(error)) => error,
                Err(late) => late.into(),
            };
            let what = format!("databases, {}: the check fails: {error:#}", database.name);
            if self.run.require_upstream {
                bail!("{what}");
            }
            warn!("{what}");
        }
        Ok(())
    }

    /// Reads the configuration again whenever one of its files has become another.
    async fn watch_files(self: Arc<Self>) {
        let look = || prints(&self.files.lock().unwrap_or_else(PoisonError::into_inner));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut seen = known.clone();
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            let now = look();
            if now != known && now == seen {
                // What changes from here on is seen next time.
                known = now.clone();
                Arc::clone(&self).reload_apart("file").await;
                if look().len() != known.len() {
                    known = look();
                }
            }
            seen = now;
        }
    }

    async fn reload_apart(self: Arc<Self>, by: &'static str) {
        if tokio::task::spawn_blocking(move || self.reload(by)).await.is_err() {
            error!(by, "reading the configuration has failed; this is a bug of IronVeil");
        }
    }

    /// Goes on with the configuration as it is now; nothing changes if anything is wrong with it.
    fn read_again(&self) -> Result<Vec<&'static str>> {
        let config = read(&self.run)?;
        let root = root(&self.run, &config)?;
        // A file that is missing now may come.
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = files(&self.run, &config, &root);
        let before = self.proxy.policy();
        let (settings, policy) = wire_up::parts(&config, &keys::read_root(&root)?, Some(&before))?;
        let policy = Arc::new(policy);
        self.test_statements(&config, &policy)?;
        let api_key = api_key(&config)?;
        if api_key.is_none() && self.fixed.api.is_some_and(|api| !api.ip().is_loopback()) {
            bail!("api.api_key: it is needed, since the API is not on this machine only");
        }
        *self.api_key.lock().unwrap_or_else(PoisonError::into_inner) = api_key;
        self.proxy.reload(settings, policy);
        Ok(self.fixed.changed(&Fixed::of(&config)))
    }

    /// Runs the tests of statements, by the catalogs that have been read so far.
    fn test_statements(&self, config: &Config, policy: &Arc<Policy>) -> Result<()> {
        let mut failed = Vec::new();
        for (test, sql) in config.tests.iter().filter_map(|test| Some((test, test.sql()?))) {
            let served = |database: &&Database| test.database == "*" || database.name.matches(&test.database);
            for database in config.databases.iter().filter(served) {
                let upstream = &database.upstream;
                let asked = if test.database == "*" { database.name.as_str() } else { &test.database };
                let name = upstream.database.as_deref().unwrap_or(asked);
                let target = wire_up::target(upstream)?;
                let rights = test.rights(policy, SystemTime::now());
                let lay = |catalog| Labels::new(Arc::clone(policy), catalog, name, &rights);
                let lay_mysql = |catalog| {
                    let labels = veil_policy::mysql::Labels::new(Arc::clone(policy), catalog, &rights);
                    Known::MySql(labels, Mode::default())
                };
                let known: Vec<Known> = match upstream.protocol {
                    Speaks::Postgres => {
                        let catalogs = self.proxy.slots.catalogs(&target, Some(name));
                        catalogs.into_iter().map(|catalog| Known::Postgres(lay(catalog))).collect()
                    }
                    // What an account does not see says nothing.
                    Speaks::MySql => {
                        self.proxy.mysql_slots.catalogs(&target, None).into_iter().map(lay_mysql).collect()
                    }
                };
                let all = known.iter().map(|known| known.check(test, sql, name));
                let checked = all.reduce(Result::or).unwrap_or(Ok(()));
                failed.extend(checked.err().map(|what| format!("line {}: {what}", test.line)));
            }
        }
        failed.dedup();
        if !failed.is_empty() {
            bail!("tests of the configuration fail:\n{}", failed.join("\n"));
        }
        Ok(())
    }

    fn note(&self, event: &str, facts: &[(&str, serde_json::Value)]) {
        if let Err(error) = self.audit.record(event, facts) {
            error!(%error, event, "the audit cannot be written");
        }
    }
}

impl Operations for Running {
    fn reload(&self, by: &str) -> Reloaded {
        let Ok(_one_at_a_time) = self.reloading.try_lock() else {
            return Reloaded { faults: vec!["it is being read already".to_owned()], restart: Vec::new() };
        };
        let reloaded = match self.read_again() {
            Ok(restart) => {
                info!(by, ?restart, "the configuration has been read again");
                Reloaded { faults: Vec::new(), restart }
            }
            Err(fault) => {
                let faults: Vec<String> = format!("{fault:#}").lines().map(str::to_owned).collect();
                error!(by, ?faults, "the configuration cannot be used; that of before holds");
                Reloaded { faults, restart: Vec::new() }
            }
        };
        let facts = [
            ("by", json!(by)),
            ("faults", json!(reloaded.faults.len())),
            ("restart_needed_for", json!(reloaded.restart)),
        ];
        self.note("reload", &facts);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(reloaded.clone());
        reloaded
    }

    fn api_key(&self) -> Option<Sensitive<String>> {
        self.api_key.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn last_reload(&self) -> Option<Reloaded> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

/// The configuration as the command line changes it.
fn read(run: &Run) -> Result<Config> {
    let mut config = config_of(run)?;
    let both = config.has(Speaks::Postgres) && config.has(Speaks::MySql);
    match run.listen {
        Some(_) if both => {
            bail!("--listen goes together with databases of one kind; write \"listen\" into the file")
        }
        Some(address) if config.has(Speaks::MySql) => config.listen.mysql = address,
        Some(address) => config.listen.postgres = address,
        None => {}
    }
    Ok(config)
}

fn root(run: &Run, config: &Config) -> Result<Secret> {
    match run.key_file.clone().map(Secret::File).or_else(|| config.root_key.clone()) {
        Some(secret) => Ok(secret),
        None => keys::default_root(),
    }
}

/// What whoever uses the API has to know.
fn api_key(config: &Config) -> Result<Option<Sensitive<String>>> {
    let key = config.api.as_ref().and_then(|api| api.key.as_ref());
    key.map(keys::read_secret).transpose().context("api.api_key")
}

/// The files that a configuration is made of.
fn files(run: &Run, config: &Config, root: &Secret) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = run.config_path().into_iter().collect();
    let mut secret = |secret: &Secret| {
        if let Secret::File(path) = secret {
            files.push(path.clone());
        }
    };
    secret(root);
    config.api.iter().flat_map(|api| &api.key).for_each(&mut secret);
    for user in &config.users {
        match &user.proof {
            Proof::VerifierAt(at) | Proof::Password(at) => secret(at),
            Proof::Verifier(_) => {}
        }
        user.upstream.iter().for_each(|login| secret(&login.password));
    }
    for database in &config.databases {
        database.auth_query.iter().for_each(|auth_query| secret(&auth_query.login.password));
        database.check.iter().for_each(|login| secret(&login.password));
    }
    for upstream in config.databases.iter().map(|database| &database.upstream) {
        files.extend(upstream.root_cert.clone());
        files.extend(upstream.client_cert.iter().flat_map(|(cert, key)| [cert.clone(), key.clone()]));
    }
    if let Some(tls) = &config.listen.tls {
        files.extend([tls.certificate.clone(), tls.key.clone()]);
        files.extend(tls.client_ca.clone());
    }
    files
}

/// What tells a file from another in its place.
type Print = Option<(u64, u64, SystemTime)>;

fn prints(files: &[PathBuf]) -> Vec<Print> {
    use std::os::unix::fs::MetadataExt;
    let one = |path: &PathBuf| -> Print {
        let found = std::fs::metadata::<&Path>(path).ok()?;
        Some((found.ino(), found.len(), found.modified().ok()?))
    };
    files.iter().map(one).collect()
}

/// A listener; with `reuse_port` another process may have one at the same address, to take over.
fn listen(address: SocketAddr, reuse_port: bool) -> Result<TcpListener> {
    let bound = || -> std::io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(reuse_port)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    bound().with_context(|| format!("cannot listen on {address}"))
}
