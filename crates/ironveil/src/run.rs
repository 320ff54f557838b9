//! `ironveil run`: the proxy from its start to its end, and every configuration that it has in between.
//!
//! Decision: files are looked at once a second rather than watched by events. That sees every way in which editors, package managers and Kubernetes put a
//! file in the place of another, on every file system, and costs nothing. A file that has changed is read when it has been the same for one look.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tracing::{error, info, warn};
use veil_control::{Api, Audit, Auth, Observed, Operations, Otlp, Reloaded};
use veil_policy::Policy;
use veil_policy::config::{Config, Database, Listen, Protocol as Speaks, Secret, operations};
use veil_proxy::{Protocol, Proxy};

use crate::cli::Run;
use crate::commands::runtime;
use crate::scan::jobs::Jobs;
use crate::server::{Known, Server, SignIn};
use crate::signals::{Heard, Signals};
use crate::source::Source;
use crate::watched::{Print, files, prints};
use crate::{control, keys, wire_up};

/// Files are looked at so often.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Whether a store has other rules is looked at so often, besides,
const STORE_INTERVAL: Duration = Duration::from_secs(5);
/// and rules that cannot be used are tried again after so long.
const TRY_INTERVAL: Duration = Duration::from_secs(60);
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
        let (running, config) = Running::new(run).await?;
        Arc::new(running).run(config).await
    });
    // A reload that hangs holds nothing up.
    runtime.shutdown_background();
    ended
}

/// A proxy that runs.
pub(crate) struct Running {
    pub(crate) source: Source,
    pub(crate) proxy: Arc<Proxy>,
    audit: Arc<Audit>,
    /// Who the API lets in, if there is one.
    auth: Option<Arc<Auth>>,
    began: Instant,
    /// That of the API, if it has one.
    certificate: Mutex<Option<watch::Sender<TlsAcceptor>>>,
    /// What cannot change while it runs.
    fixed: Fixed,
    files: Mutex<Vec<PathBuf>>,
    /// What the files looked like when they were read last.
    known: Mutex<Vec<Print>>,
    pub(crate) reloading: Mutex<()>,
    last: Mutex<Option<Reloaded>>,
    /// The configuration that holds, for people.
    pub(crate) document: Mutex<Value>,
    stopping: AtomicBool,
    pub(crate) scans: Arc<Jobs>,
}

/// What holds until the next start.
#[derive(PartialEq)]
struct Fixed {
    listen: Listen,
    /// Without what may change.
    api: Option<operations::Api>,
    /// Protocols that have a listener.
    speaks: Vec<Speaks>,
    audit: Option<operations::Audit>,
    store: operations::Store,
    otlp: Option<operations::Otlp>,
}

impl Fixed {
    fn of(config: &Config) -> Self {
        // Certificates are read again.
        let listen = Listen { tls: None, ..config.listen.clone() };
        let api = config.api.clone().map(|api| operations::Api {
            key: None,
            admin_key_file: None,
            tokens: operations::Tokens::default(),
            ..api
        });
        let kinds = [Speaks::Postgres, Speaks::MySql].into_iter();
        let speaks = kinds.filter(|kind| config.has(*kind)).collect();
        let (audit, store, otlp) = (config.audit.clone(), config.store.clone(), config.otlp.clone());
        Self { listen, api, speaks, audit, store, otlp }
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
            ("api", self.api == other.api),
            ("audit", self.audit == other.audit),
            ("store", self.store == other.store),
            ("otlp", self.otlp == other.otlp),
        ];
        keys.into_iter().filter(|(_, same)| !same).map(|(key, _)| key).collect()
    }
}

impl Running {
    /// With the configuration that it begins with.
    async fn new(run: Run) -> Result<(Self, Config)> {
        let source = Source::open(run).await?;
        let config = source.config()?;
        let root = root(&source.run, &config)?;
        let files = files(&source.run, &config, &root);
        let known = prints(&files);
        let root_key = keys::read_root(&root)?;
        let (settings, policy) = wire_up::parts(&config, &root_key, None)?;
        if config.rules.is_empty() {
            warn!("there are no rules: every value is shown");
        }
        let audit = control::open_audit(config.audit.as_ref(), &root_key)?;
        let auth = match &source.store {
            Some(store) if config.api.is_some() => {
                let access = control::access(&config, source.run.config_path().as_deref(), store)?;
                Some(Arc::new(Auth::new(Arc::clone(store), access)))
            }
            _ => None,
        };
        let (proxy, audit) = (Arc::new(Proxy::new(settings, policy, keys::random()?)), Arc::new(audit));
        let scans = Jobs::new(Arc::clone(&proxy), Arc::clone(&audit), source.store.clone());
        let running = Self {
            scans,
            proxy,
            audit,
            auth,
            began: Instant::now(),
            certificate: Mutex::default(),
            fixed: Fixed::of(&config),
            files: Mutex::new(files),
            known: Mutex::new(known),
            reloading: Mutex::default(),
            last: Mutex::default(),
            document: Mutex::default(),
            stopping: AtomicBool::new(false),
            source,
        };
        running.source.note_used();
        *running.document.lock().unwrap_or_else(PoisonError::into_inner) = Operations::config(&running);
        // As the command line has it.
        Ok((running, Config { root_key: Some(root), ..config }))
    }

    async fn run(self: Arc<Self>, config: Config) -> Result<()> {
        let mut signals = Signals::new()?;
        let mut tasks = JoinSet::new();
        let otlp = self.start_otlp()?;
        self.serve_api(&mut tasks)?;
        let looking = self.look_at_upstreams(config);
        tokio::select! {
            looked = looking => looked?,
            () = signals.second() => return Ok(()),
        }
        let writer = self.fixed.audit.is_some().then(|| {
            let when_full = self.fixed.audit.as_ref().map(|audit| audit.when_full).unwrap_or_default();
            let (audit, events) = (Arc::clone(&self.audit), self.proxy.events.listen(when_full));
            std::thread::spawn(move || audit.follow(&events))
        });
        let (stop, stopped) = watch::channel(false);
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
        let unsigned = self.audit.unsigned();
        self.note(
            "start",
            &[("version", json!(env!("CARGO_PKG_VERSION"))), ("unsigned_lines", json!(unsigned))],
        );
        let proxy = Arc::clone(&self.proxy);
        tasks.spawn(async move { proxy.sessions.watch().await });
        tasks.spawn(Arc::clone(&self.proxy).watch_upstreams());
        tasks.spawn(Arc::clone(&self.proxy).watch_pools());
        tasks.spawn(Arc::clone(&self).watch_files());
        tasks.spawn(Arc::clone(&self).watch_store());
        let of_scans = Arc::clone(&self);
        tasks.spawn(Arc::clone(&self.scans).watch(move || of_scans.source.config()));

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
        self.audit.checkpoint();
        let audit = Arc::clone(&self.audit);
        let _ = tokio::task::spawn_blocking(move || audit.settle()).await;
        if let Some(otlp) = otlp {
            otlp.finish().await;
        }
        info!(ended, "stopped");
        Ok(())
    }

    /// Waits until all sessions have ended, or have been told to.
    async fn drained(&self, mut serving: JoinSet<()>) {
        self.proxy.sessions.drain();
        let limit = Duration::from_secs(self.source.run.shutdown_timeout);
        let mut all = async || while serving.join_next().await.is_some() {};
        if tokio::time::timeout(limit, all()).await.is_err() {
            self.proxy.sessions.stop();
            let _ = tokio::time::timeout(GOODBYE, all()).await;
        }
        serving.shutdown().await;
    }

    /// What metrics are made of.
    fn observed(self: &Arc<Self>) -> Arc<Observed> {
        Arc::new(Observed {
            proxy: Arc::clone(&self.proxy),
            operations: Arc::clone(self) as _,
            store: self.source.store.clone(),
            audit: Arc::clone(&self.audit),
            began: self.began,
        })
    }

    fn start_otlp(self: &Arc<Self>) -> Result<Option<Otlp>> {
        let Some(otlp) = &self.fixed.otlp else { return Ok(None) };
        let observed = self.observed();
        let gather = Arc::new(move || observed.families());
        let otlp = Otlp::start(control::otlp(otlp)?, gather, &self.audit.live).map_err(anyhow::Error::msg)?;
        self.proxy.telemetry.trace(otlp.statements.clone());
        Ok(Some(otlp))
    }

    fn serve_api(self: &Arc<Self>, tasks: &mut JoinSet<()>) -> Result<()> {
        let (Some(api), Some(auth), Some(store)) = (&self.fixed.api, &self.auth, &self.source.store) else {
            return Ok(());
        };
        let tls = control::acceptor(api)?.map(|acceptor| watch::channel(acceptor).0);
        let secured = tls.as_ref().map(watch::Sender::subscribe);
        let listener = listen(api.listen, self.fixed.listen.reuse_port).context("api.listen")?;
        info!(address = %listener.local_addr()?, tls = tls.is_some(), "the API takes requests");
        let api = Api {
            observed: self.observed(),
            auth: Arc::clone(auth),
            store: Arc::clone(store),
            public_metrics: api.public_metrics,
            secure: tls.is_some(),
            changing: tokio::sync::Mutex::default(),
        };
        *self.certificate.lock().unwrap_or_else(PoisonError::into_inner) = tls;
        tasks.spawn(async move {
            if let Err(error) = api.serve(listener, secured).await {
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
            if self.source.run.require_upstream {
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
            if self.source.run.require_upstream {
                bail!("{what}");
            }
            warn!("{what}");
        }
        Ok(())
    }

    /// Reads the configuration again whenever one of its files has become another.
    async fn watch_files(self: Arc<Self>) {
        let look = || prints(&self.files.lock().unwrap_or_else(PoisonError::into_inner));
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut seen = known();
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            let now = look();
            if now != known() && now == seen {
                Arc::clone(&self).reload_apart("file").await;
            }
            seen = now;
        }
    }

    /// Reads the rules again when another proxy has changed them: as soon as it says so, and anyway from time to time.
    async fn watch_store(self: Arc<Self>) {
        let Some(store) = self.source.store.clone().filter(|store| store.kind() != "file") else { return };
        let mut state = store.watch();
        let mut tried: Option<(i64, Instant)> = None;
        loop {
            let running = Arc::clone(&self);
            let unused = tokio::task::spawn_blocking(move || running.source.unused()).await.ok().flatten();
            let again = |version: &i64| {
                tried.is_none_or(|(before, since)| before != *version || since.elapsed() >= TRY_INTERVAL)
            };
            if let Some(version) = unused.filter(again) {
                let running = Arc::clone(&self);
                let _ = tokio::task::spawn_blocking(move || running.reload_newer("store")).await;
                tried = Some((version, Instant::now()));
            }
            let changed = tokio::time::timeout(STORE_INTERVAL, state.changed()).await;
            if matches!(changed, Ok(Err(_))) {
                return;
            }
        }
    }

    async fn reload_apart(self: Arc<Self>, by: &'static str) {
        if tokio::task::spawn_blocking(move || self.reload(by)).await.is_err() {
            error!(by, "reading the configuration has failed; this is a bug of IronVeil");
        }
    }

    /// Goes on with the configuration as it is now; nothing changes if anything is wrong with it.
    pub(crate) fn read_again(&self) -> Result<Vec<&'static str>> {
        // What changes from here on is seen next time.
        let seen = || prints(&self.files.lock().unwrap_or_else(PoisonError::into_inner));
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = seen();
        let config = self.source.config()?;
        let root = self.root(&config)?;
        // A file that is missing now may come.
        let now = files(&self.source.run, &config, &root);
        let others = now != *self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if others {
            *self.files.lock().unwrap_or_else(PoisonError::into_inner) = now;
            *self.known.lock().unwrap_or_else(PoisonError::into_inner) = seen();
        }
        let before = self.proxy.policy();
        let (settings, policy) = wire_up::parts(&config, &keys::read_root(&root)?, Some(&before))?;
        let policy = Arc::new(policy);
        self.test_statements(&config, &policy)?;
        let certificate = config.api.as_ref().map(control::acceptor).transpose()?.flatten();
        if let (Some(auth), Some(store)) = (&self.auth, &self.source.store) {
            let path = self.source.run.config_path();
            // Where it listens holds until the next start.
            let api = config.api.clone().zip(self.fixed.api.as_ref());
            let api = api.map(|(api, fixed)| operations::Api { listen: fixed.listen, ..api });
            auth.set(control::access(&Config { api, ..config.clone() }, path.as_deref(), store)?);
        }
        if let (Some(certificate), Some(used)) =
            (certificate, &*self.certificate.lock().unwrap_or_else(PoisonError::into_inner))
        {
            used.send_replace(certificate);
        }
        self.proxy.reload(settings, policy);
        self.source.note_used();
        Ok(self.fixed.changed(&Fixed::of(&config)))
    }

    /// Where the root key is.
    pub(crate) fn root(&self, config: &Config) -> Result<Secret> {
        root(&self.source.run, config)
    }

    /// Runs the tests of statements, by the catalogs that have been read so far.
    pub(crate) fn test_statements(&self, config: &Config, policy: &Arc<Policy>) -> Result<()> {
        let mut failed = Vec::new();
        for (test, sql) in config.tests.iter().filter_map(|test| Some((test, test.sql()?))) {
            let served = |database: &&Database| test.database == "*" || database.name.matches(&test.database);
            for database in config.databases.iter().filter(served) {
                let asked = if test.database == "*" { database.name.as_str() } else { &test.database };
                let name = database.upstream.database.as_deref().unwrap_or(asked);
                let rights = test.rights(policy, SystemTime::now());
                let known: Vec<Known> = self.known_by(database, asked, policy, &rights);
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

    pub(crate) fn note(&self, event: &'static str, facts: &[(&'static str, serde_json::Value)]) {
        if let Err(error) = self.audit.record(event, facts) {
            error!(%error, event, "the audit cannot be written");
        }
    }

    pub(crate) fn set_last_reload(&self, reloaded: Reloaded) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(reloaded);
    }

    pub(crate) fn last_reload_of(&self) -> Option<Reloaded> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

fn root(run: &Run, config: &Config) -> Result<Secret> {
    match run.key_file.clone().map(Secret::File).or_else(|| config.root_key.clone()) {
        Some(secret) => Ok(secret),
        None => keys::default_root(),
    }
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
