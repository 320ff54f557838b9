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
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tracing::{error, info, warn};
use veil_control::{Api, Audit, Operations, Reloaded};
use veil_policy::config::{Config, Listen, Proof, Protocol as Speaks, Secret};
use veil_proxy::{Protocol, Proxy};

use crate::cli::Run;
use crate::commands::{config_of, runtime};
use crate::{keys, wire_up};

/// Files are looked at so often.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Sessions that were told to end have so long to tell their clients.
const GOODBYE: Duration = Duration::from_secs(2);
/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;

/// Runs the proxy.
pub(crate) fn serve(run: Run) -> Result<()> {
    // Each session takes two files.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        warn!(%error, "the limit of open files cannot be raised");
    }
    runtime()?.block_on(async {
        let running = Arc::new(Running::new(run)?);
        running.run().await
    })
}

/// A proxy that runs.
struct Running {
    run: Run,
    proxy: Arc<Proxy>,
    audit: Audit,
    began: Instant,
    /// What cannot change while it runs.
    fixed: Fixed,
    files: Mutex<Vec<PathBuf>>,
    reloading: Mutex<()>,
    last: Mutex<Option<Reloaded>>,
    stopping: AtomicBool,
}

/// What holds until the next start.
#[derive(PartialEq)]
struct Fixed {
    listen: Listen,
    api: Option<veil_policy::config::operations::Api>,
    audit: Option<veil_policy::config::operations::Audit>,
}

impl Fixed {
    fn of(config: &Config) -> Self {
        // Certificates are read again.
        let listen = Listen { tls: None, ..config.listen.clone() };
        Self { listen, api: config.api.clone(), audit: config.audit.clone() }
    }

    /// The keys in which another differs.
    fn changed(&self, other: &Self) -> Vec<&'static str> {
        let keys = [
            ("listen.postgres", self.listen.postgres == other.listen.postgres),
            ("listen.mysql", self.listen.mysql == other.listen.mysql),
            ("listen.reuse_port", self.listen.reuse_port == other.listen.reuse_port),
            ("api", self.api == other.api),
            ("audit", self.audit == other.audit),
        ];
        keys.into_iter().filter(|(_, same)| !same).map(|(key, _)| key).collect()
    }
}

impl Running {
    fn new(run: Run) -> Result<Self> {
        let config = read(&run)?;
        let root = root(&run, &config)?;
        let (settings, policy) = wire_up::parts(&config, &keys::read_root(&root)?, None)?;
        if config.rules.is_empty() {
            warn!("there are no rules: every value is shown");
        }
        let audit = match &config.audit {
            Some(audit) => Audit::open(&audit.file)
                .with_context(|| format!("audit.file: cannot open {}", audit.file.display()))?,
            None => Audit::stderr(),
        };
        Ok(Self {
            proxy: Arc::new(Proxy::new(settings, policy, keys::random()?)),
            audit,
            began: Instant::now(),
            fixed: Fixed::of(&config),
            files: Mutex::new(files(&run, &config, &root)),
            reloading: Mutex::default(),
            last: Mutex::default(),
            stopping: AtomicBool::new(false),
            run,
        })
    }

    async fn run(self: Arc<Self>) -> Result<()> {
        let mut signals = Signals::new()?;
        let mut listeners = Vec::new();
        let Listen { postgres, mysql, reuse_port, .. } = self.fixed.listen;
        let speaks: Vec<Protocol> = self.proxy.targets().into_iter().map(|(protocol, _)| protocol).collect();
        for (protocol, address) in [(Protocol::Pg, postgres), (Protocol::MySql, mysql)] {
            if speaks.contains(&protocol) {
                listeners.push((protocol, listen(address, reuse_port)?));
            }
        }
        let mut tasks = JoinSet::new();
        self.serve_api(&mut tasks).await?;
        self.look_at_upstreams().await?;
        for (protocol, listener) in &listeners {
            info!(address = %listener.local_addr()?, ?protocol, "IronVeil takes connections");
        }
        self.note("start", &[("version", json!(env!("CARGO_PKG_VERSION")))]);

        let (stop, stopped) = tokio::sync::watch::channel(false);
        let mut serving = JoinSet::new();
        for (protocol, listener) in listeners {
            let mut stopped = stopped.clone();
            serving.spawn(Arc::clone(&self.proxy).serve(protocol, listener, async move {
                let _ = stopped.wait_for(|stopped| *stopped).await;
            }));
        }
        let proxy = Arc::clone(&self.proxy);
        tasks.spawn(async move { proxy.sessions.watch().await });
        let proxy = Arc::clone(&self.proxy);
        tasks.spawn(async move { proxy.upstreams.watch(|| proxy.targets()).await });
        let running = Arc::clone(&self);
        tasks.spawn(async move { running.watch_files().await });

        while signals.next().await == Heard::Reload {
            self.reload_apart("SIGHUP").await;
        }
        self.stopping.store(true, Ordering::Release);
        info!(sessions = self.proxy.sessions.count(), "stopping; a second signal ends at once");
        let _ = stop.send(true);
        let ended = tokio::select! {
            () = self.drained(serving) => true,
            () = signals.second() => false,
        };
        self.note("stop", &[("sessions_cut", json!(self.proxy.sessions.count()))]);
        info!(ended, "stopped");
        Ok(())
    }

    /// Waits until all sessions have ended, or have been told to.
    async fn drained(&self, mut serving: JoinSet<()>) {
        self.proxy.sessions.drain(Duration::from_secs(self.run.shutdown_timeout)).await;
        let all = async { while serving.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(GOODBYE, all).await;
    }

    async fn serve_api(self: &Arc<Self>, tasks: &mut JoinSet<()>) -> Result<()> {
        let Some(config) = &self.fixed.api else { return Ok(()) };
        if config.key.is_none() && !config.listen.ip().is_loopback() {
            bail!("api.listen: {} is not on this machine only, so \"api_key\" is needed", config.listen);
        }
        let key = config.key.as_ref().map(keys::read_secret).transpose().context("api.api_key")?;
        let listener = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("api.listen: cannot listen on {}", config.listen))?;
        info!(address = %listener.local_addr()?, "the API takes requests");
        let operations: Arc<dyn Operations> = Arc::clone(self) as _;
        let api = Api { proxy: Arc::clone(&self.proxy), operations, key, began: self.began };
        tasks.spawn(async move {
            if let Err(error) = api.serve(listener).await {
                error!(%error, "the API has ended");
            }
        });
        Ok(())
    }

    /// Asks all servers whether they are there.
    async fn look_at_upstreams(&self) -> Result<()> {
        for (protocol, target) in self.proxy.targets() {
            if let Err(error) = self.proxy.upstreams.check(protocol, &target).await {
                if self.run.require_upstream {
                    bail!("an upstream cannot be reached: {error}");
                }
                warn!(%error, "an upstream cannot be reached; it is tried again");
            }
        }
        Ok(())
    }

    /// Reads the configuration again whenever one of its files has become another.
    async fn watch_files(self: Arc<Self>) {
        let look = || prints(&self.files.lock().unwrap_or_else(PoisonError::into_inner));
        let mut known = look();
        let mut seen = known.clone();
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            let now = look();
            if now != known && now == seen {
                self.reload_apart("file").await;
                known = look();
            }
            seen = now;
        }
    }

    async fn reload_apart(self: &Arc<Self>, by: &'static str) {
        let running = Arc::clone(self);
        let _ = tokio::task::spawn_blocking(move || running.reload(by)).await;
    }

    /// Goes on with the configuration as it is now; nothing changes if anything is wrong with it.
    fn read_again(&self) -> Result<Vec<&'static str>> {
        let config = read(&self.run)?;
        let root = root(&self.run, &config)?;
        let before = self.proxy.policy();
        let (settings, policy) = wire_up::parts(&config, &keys::read_root(&root)?, Some(&before))?;
        self.proxy.reload(settings, policy);
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = files(&self.run, &config, &root);
        Ok(self.fixed.changed(&Fixed::of(&config)))
    }

    fn note(&self, event: &str, facts: &[(&str, serde_json::Value)]) {
        if let Err(error) = self.audit.record(event, facts) {
            error!(%error, event, "the audit cannot be written");
        }
    }
}

impl Operations for Running {
    fn reload(&self, by: &str) -> Reloaded {
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
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

/// The files that a configuration is made of.
fn files(run: &Run, config: &Config, root: &Secret) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = run.config_path().into_iter().collect();
    let mut secret = |secret: &Secret| {
        if let Secret::File(path) = secret {
            files.push(path.clone());
        }
    };
    secret(root);
    for user in &config.users {
        match &user.proof {
            Proof::VerifierAt(at) | Proof::Password(at) => secret(at),
            Proof::Verifier(_) => {}
        }
        user.upstream.iter().for_each(|login| secret(&login.password));
    }
    for database in &config.databases {
        database.auth_query.iter().for_each(|auth_query| secret(&auth_query.login.password));
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

/// What a signal asks for.
#[derive(PartialEq)]
enum Heard {
    Reload,
    Stop,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Heard {
        tokio::select! {
            _ = self.terminate.recv() => Heard::Stop,
            _ = self.interrupt.recv() => Heard::Stop,
            _ = self.hang_up.recv() => Heard::Reload,
        }
    }

    /// Another signal to stop.
    async fn second(&mut self) {
        while self.next().await == Heard::Reload {}
    }
}
