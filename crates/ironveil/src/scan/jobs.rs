//! Scans that run beside the proxy: wanted through the API, or when their time has come. What they have found goes to the store and is compared
//! with what was found before.
//!
//! Decision: a column drifts when it is found, no rule protects it, and the scan before had not found it; and it drifts until a rule does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tracing::{info, warn};
use veil_control::{Audit, Drift, ScanControl, ScanRefusal, ScanRequest, hex};
use veil_model::ColumnName;
use veil_policy::config::operations::Scans;
use veil_policy::config::{Config, Database, Protocol, Upstream};
use veil_proxy::Proxy;
use veil_scan::{Options, Progress, scan};
use veil_store::{SCANS_MAX, Scan, SharedStore};

use super::report::{Protection, column, columns, document, list, named};
use super::{now, people, seconds_left, sessions, year};
use crate::control::protocol;
use crate::keys;
use crate::server::SignIn;

/// Scans that run at one time.
const RUNNING_MAX: usize = 4;
/// Servers have so long to let a scan in.
const SIGN_IN_MAX: Duration = Duration::from_secs(30);
/// Where the store is lost, it is tried so often, and after so long.
const STORE_TRIES: u32 = 720;
const STORE_WAIT: Duration = Duration::from_secs(5);
/// Names that are longer are none.
const NAME_MAX: usize = 256;
/// Whether the time of a scan has come is looked at so often.
const LOOK_INTERVAL: Duration = Duration::from_secs(20);
/// How a scan may end: that many of each are kept.
const OUTCOMES: u32 = 4;
/// So many columns are named in an event.
const NAMED_MAX: usize = 100;

/// The scans of a proxy.
pub(crate) struct Jobs {
    proxy: Arc<Proxy>,
    audit: Arc<Audit>,
    store: Option<SharedStore>,
    running: Mutex<Vec<Arc<Job>>>,
    /// What was found last in each database, by its protocol and as clients name it.
    last: Mutex<BTreeMap<(&'static str, String), Last>>,
}

/// A scan that runs.
struct Job {
    id: String,
    database: String,
    author: String,
    protocol: Protocol,
    began: (u64, Instant),
    progress: Arc<Progress>,
    how: Scans,
    /// It looks at what is looked at when nothing is said.
    is_standard: bool,
}

/// What the newest scan of a database has found.
#[derive(Clone)]
struct Last {
    place: Place,
    ended: i64,
    /// With what is only what names say.
    document: Arc<Value>,
    /// Columns that were new, and that no rule protected.
    drift: Vec<ColumnName>,
}

/// Where a database is.
#[derive(Clone)]
struct Place {
    /// By its name on the server.
    database: String,
    protocol: Protocol,
}

/// What is read, by whom and how.
struct Wanted {
    database: String,
    upstream: Upstream,
    sign_in: SignIn,
    how: Scans,
    is_standard: bool,
}

impl Place {
    fn of(upstream: &Upstream, database: &str) -> Self {
        let database = upstream.database.as_deref().unwrap_or(database).to_owned();
        Self { database, protocol: upstream.protocol }
    }
}

impl Jobs {
    pub(crate) fn new(proxy: Arc<Proxy>, audit: Arc<Audit>, store: Option<SharedStore>) -> Arc<Self> {
        let (running, last) = (Mutex::default(), Mutex::default());
        Arc::new(Self { proxy, audit, store, running, last })
    }

    /// Begins a scan; returns what it is found by.
    pub(crate) fn start(
        self: &Arc<Self>,
        config: &Config,
        request: ScanRequest,
        author: &str,
    ) -> Result<String, ScanRefusal> {
        let wanted = wanted(config, request).map_err(ScanRefusal::Faults)?;
        self.begin(wanted, author)
    }

    fn begin(self: &Arc<Self>, wanted: Wanted, author: &str) -> Result<String, ScanRefusal> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let milliseconds = since.as_millis();
        let random = keys::random().map_err(|error| ScanRefusal::Faults(vec![format!("{error:#}")]))?;
        let job = Arc::new(Job {
            id: format!("{milliseconds:012x}{}", hex(random.get(..4).unwrap_or_default())),
            database: wanted.database.clone(),
            author: author.to_owned(),
            protocol: wanted.upstream.protocol,
            began: (since.as_secs(), Instant::now()),
            progress: Arc::default(),
            how: wanted.how.clone(),
            is_standard: wanted.is_standard,
        });
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.iter().any(|known| known.database == job.database && known.protocol == job.protocol) {
            return Err(ScanRefusal::Busy("a scan of this database runs already".to_owned()));
        }
        if running.len() >= RUNNING_MAX {
            return Err(ScanRefusal::Busy(format!("{RUNNING_MAX} scans run already")));
        }
        running.push(Arc::clone(&job));
        drop(running);
        let (jobs, id) = (Arc::clone(self), job.id.clone());
        tokio::spawn(async move { jobs.run(job, wanted).await });
        Ok(id)
    }

    async fn run(self: Arc<Self>, job: Arc<Job>, wanted: Wanted) {
        info!(id = job.id, database = job.database, by = job.author, "a scan begins");
        let place = Place::of(&wanted.upstream, &wanted.database);
        let found = tokio::spawn(read(Arc::clone(&job), wanted, place.clone()));
        let found =
            found.await.unwrap_or_else(|_| Err(anyhow::anyhow!("the scan has failed; the log says more")));
        let found = Arc::new(found);
        for _ in 0..STORE_TRIES {
            let (jobs, ended, place, found) =
                (Arc::clone(&self), Arc::clone(&job), place.clone(), Arc::clone(&found));
            let kept = spawn_blocking(move || jobs.keep(&ended, place, &found)).await;
            let error = match kept {
                Ok(Ok(())) => break,
                Ok(Err(error)) => format!("{error:#}"),
                Err(error) => error.to_string(),
            };
            warn!(id = job.id, error, "what a scan has found cannot be stored; it is tried again");
            tokio::time::sleep(STORE_WAIT).await;
        }
        self.running.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| known.id != job.id);
    }

    /// Stores what was found, and tells what is another than before.
    fn keep(&self, job: &Job, place: Place, found: &Result<(Value, &'static str)>) -> Result<()> {
        let ended = i64::try_from(now()).unwrap_or(i64::MAX);
        let (mut document, outcome, error) = match found {
            Ok((document, outcome)) => (document.clone(), *outcome, None),
            Err(error) => (Value::Null, "failed", Some(format!("{error:#}"))),
        };
        let protection = Protection::new(self.proxy.policy(), &place.database, place.protocol);
        let open = protection.note(&mut document);
        let settings = settings(&job.how, job.protocol);
        let before = if outcome == "done" { self.newest(&job.database, &settings)? } else { None };
        let drift = before.map(|(before, report)| drift(&before, &report, &open)).unwrap_or_default();
        let rows: u64 = list(&document, "tables")
            .filter_map(|table| table.get("rows_read").and_then(Value::as_u64))
            .sum();
        let summary = json!({
            "tables": list(&document, "tables").count(), "rows": rows, "columns": columns(&document).count(),
            "unprotected": open.len(), "drift": drift.iter().map(named).collect::<Vec<_>>(), "error": error, "settings": settings,
        });
        info!(id = job.id, database = job.database, outcome, %summary, "a scan has ended");
        // Whoever sees that it has ended finds what it comes to.
        if outcome == "done" && job.is_standard {
            let last = Last { place, ended, document: Arc::new(document.clone()), drift: drift.clone() };
            let key = (protocol(job.protocol), job.database.clone());
            self.last.lock().unwrap_or_else(PoisonError::into_inner).insert(key, last);
        }
        if let Some(store) = &self.store {
            store.add_scan(&Scan {
                id: job.id.clone(),
                database: job.database.clone(),
                began: i64::try_from(job.began.0).unwrap_or(i64::MAX),
                ended,
                author: job.author.clone(),
                outcome: outcome.to_owned(),
                summary: summary.clone(),
                report: document,
            })?;
        }
        let facts = [
            ("by", json!(job.author)),
            ("database", json!(job.database)),
            ("scan", json!(job.id)),
            ("outcome", json!(outcome)),
            ("columns", summary.get("columns").cloned().unwrap_or_default()),
            ("unprotected", json!(open.len())),
        ];
        self.note("scan", &facts);
        if !drift.is_empty() {
            let columns: Vec<Value> = drift.iter().take(NAMED_MAX).map(named).collect();
            let facts = [
                ("database", json!(job.database)),
                ("scan", json!(job.id)),
                ("count", json!(drift.len())),
                ("columns", columns.into()),
            ];
            self.note("scan_drift", &facts);
        }
        Ok(())
    }

    /// The newest scan of a database that was done to its end, with these settings.
    fn newest(&self, database: &str, settings: &Value) -> Result<Option<(Scan, Value)>> {
        let Some(store) = &self.store else { return Ok(None) };
        let scans = store.scans(Some(database), None, SCANS_MAX * OUTCOMES)?;
        let like = |scan: &Scan| scan.outcome == "done" && scan.summary.get("settings") == Some(settings);
        let Some(newest) = scans.into_iter().find(like) else { return Ok(None) };
        let report = store.scan(&newest.id)?.map(|scan| scan.report).unwrap_or_default();
        Ok(Some((newest, report)))
    }

    fn note(&self, event: &'static str, facts: &[(&'static str, Value)]) {
        if let Err(error) = self.audit.record(event, facts) {
            warn!(%error, event, "the audit cannot be written");
        }
    }

    /// How far those are that run.
    pub(crate) fn running(&self) -> Vec<Value> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let one = |job: &Arc<Job>| {
            let Progress { tables, done, rows, cancelled, paused } = &*job.progress;
            let state = match (cancelled.load(Ordering::Relaxed), paused.load(Ordering::Relaxed)) {
                (true, _) => "cancelling",
                (false, true) => "paused",
                (false, false) => "running",
            };
            json!({
                "id": job.id, "database": job.database, "protocol": protocol(job.protocol), "by": job.author, "began": job.began.0, "state": state,
                "progress": {
                    "tables": tables.load(Ordering::Relaxed), "done": done.load(Ordering::Relaxed),
                    "rows": rows.load(Ordering::Relaxed), "seconds_left": seconds_left(&job.progress, job.began.1),
                },
            })
        };
        running.iter().map(one).collect()
    }

    /// Ends a scan, or has it wait; says whether it runs.
    pub(crate) fn control(&self, id: &str, control: ScanControl) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(job) = running.iter().find(|job| job.id == id) else { return false };
        match control {
            ScanControl::Cancel => job.progress.cancelled.store(true, Ordering::Relaxed),
            ScanControl::Pause => job.progress.paused.store(true, Ordering::Relaxed),
            ScanControl::Resume => job.progress.paused.store(false, Ordering::Relaxed),
        }
        true
    }

    /// Notes in a scan's report which columns rules protect now; returns those that none does.
    pub(crate) fn protect(&self, config: &Config, scan: &mut Scan) -> Result<Vec<ColumnName>> {
        Ok(self.protection(config, scan)?.note(&mut scan.report))
    }

    /// Adds rules for what a scan has found.
    pub(crate) fn add_rules(
        &self,
        config: &Config,
        scan: &Scan,
        chosen: Option<&[ColumnName]>,
        rules: &mut Vec<Value>,
    ) -> Result<usize> {
        self.protection(config, scan)?.add_rules(&scan.report, chosen, rules)
    }

    fn protection(&self, config: &Config, scan: &Scan) -> Result<Protection> {
        let spoken = scan.summary.pointer("/settings/protocol").and_then(Value::as_str);
        let Some(entry) = entries(config, &scan.database, spoken).next() else {
            bail!("no entry of \"databases\" has the name {} any more", scan.database)
        };
        let Place { database, protocol } = Place::of(&entry.upstream, &scan.database);
        Ok(Protection::new(self.proxy.policy(), &database, protocol))
    }

    /// What is unprotected, by the rules of now, of what was found last.
    pub(crate) fn drifts(&self) -> Vec<Drift> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let one = |((protocol, database), last): ((&'static str, String), Last)| {
            let protection = Protection::new(self.proxy.policy(), &last.place.database, last.place.protocol);
            let open = protection.open(&last.document);
            let drifted = last.drift.iter().filter(|name| open.contains(name)).count();
            Drift { protocol, database, ended: last.ended, unprotected: open.len(), drifted }
        };
        last.into_iter().map(one).collect()
    }

    /// Begins scans whose time has come, for as long as it runs.
    pub(crate) async fn watch(self: Arc<Self>, source: impl Fn() -> Result<Config> + Send + Sync + 'static) {
        let source = Arc::new(source);
        let mut remembered = false;
        loop {
            let (jobs, read) = (Arc::clone(&self), Arc::clone(&source));
            let due = spawn_blocking(move || -> Result<Vec<Wanted>> {
                let config = read()?;
                if !remembered {
                    jobs.remember(&config)?;
                    if jobs.store.is_none() && config.databases.iter().any(|entry| entry.scans.is_some()) {
                        warn!(
                            "databases.scan does nothing without \"api\" or \"store\": nobody knows when the last scan was"
                        );
                    }
                }
                jobs.due(&config)
            });
            match due.await {
                Ok(Ok(due)) => {
                    remembered = true;
                    for wanted in due {
                        let database = wanted.database.clone();
                        if let Err(ScanRefusal::Faults(faults)) = self.begin(wanted, "schedule") {
                            warn!(database, ?faults, "a scan cannot begin");
                        }
                    }
                }
                Ok(Err(error)) => warn!(error = format!("{error:#}"), "whether scans are due cannot be told"),
                Err(error) => warn!(%error, "whether scans are due cannot be told"),
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// What was found before the proxy began.
    fn remember(&self, config: &Config) -> Result<()> {
        let Some(store) = &self.store else { return Ok(()) };
        let names: BTreeSet<String> =
            store.scans(None, None, 1000)?.into_iter().map(|scan| scan.database).collect();
        for name in names {
            for kind in [Protocol::Postgres, Protocol::MySql] {
                let Some(entry) = entries(config, &name, Some(protocol(kind))).next() else { continue };
                let how = entry.scans.clone().unwrap_or_default();
                let Some((scan, report)) = self.newest(&name, &settings(&how, kind))? else { continue };
                let drift = list(&scan.summary, "drift").filter_map(column).collect();
                let place = Place::of(&entry.upstream, &name);
                let last = Last { place, ended: scan.ended, document: Arc::new(report), drift };
                let key = (protocol(kind), name.clone());
                self.last.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert(last);
            }
        }
        Ok(())
    }

    /// The scans whose time has come. Where there is no store, nobody knows when the last was.
    fn due(&self, config: &Config) -> Result<Vec<Wanted>> {
        let mut due = Vec::new();
        let Some(store) = &self.store else { return Ok(due) };
        for entry in &config.databases {
            let Some(how) = &entry.scans else { continue };
            let name = scheduled(entry);
            let spoken = protocol(entry.upstream.protocol);
            let like = |scan: &Scan| scan.summary.pointer("/settings/protocol") == Some(&json!(spoken));
            let last = store.scans(Some(&name), None, SCANS_MAX * OUTCOMES)?.into_iter().find(like);
            let next = last.map_or(0, |scan| u64::try_from(scan.began).unwrap_or(0) + how.every.as_secs());
            if next > now() {
                continue;
            }
            let request = ScanRequest {
                database: name.clone(),
                protocol: Some(spoken.to_owned()),
                ..ScanRequest::default()
            };
            match wanted(config, request) {
                Ok(wanted) => due.push(Wanted { how: how.clone(), is_standard: true, ..wanted }),
                // Others can be scanned all the same.
                Err(faults) => warn!(database = name, ?faults, "a scan cannot begin"),
            }
        }
        Ok(due)
    }
}

/// Which of the columns that no rule protects are new since a scan, or were then and still are.
fn drift(before: &Scan, report: &Value, open: &[ColumnName]) -> Vec<ColumnName> {
    let known: BTreeSet<ColumnName> = columns(report).map(|found| found.name).collect();
    let drifted: BTreeSet<ColumnName> = list(&before.summary, "drift").filter_map(column).collect();
    open.iter().filter(|name| !known.contains(name) || drifted.contains(name)).cloned().collect()
}

/// The name by which an entry is scanned: where that is any name, the one on the server.
fn scheduled(entry: &Database) -> String {
    let name = entry.name.to_string();
    match &entry.upstream.database {
        Some(database) if name.contains(['*', '?']) => database.clone(),
        _ => name,
    }
}

/// The entries for a database, of a protocol or of all.
fn entries<'a>(
    config: &'a Config,
    name: &'a str,
    spoken: Option<&'a str>,
) -> impl Iterator<Item = &'a Database> {
    let fits = move |entry: &&Database| {
        entry.name.matches(name) && spoken.is_none_or(|spoken| spoken == protocol(entry.upstream.protocol))
    };
    config.databases.iter().filter(fits)
}

fn wanted(config: &Config, request: ScanRequest) -> Result<Wanted, Vec<String>> {
    let one = |what: String| vec![what];
    let ScanRequest { database, user, password, .. } = request;
    if database.len().max(user.as_deref().map_or(0, str::len)) > NAME_MAX {
        return Err(one(format!("a name has {NAME_MAX} bytes at most")));
    }
    let mut known = entries(config, &database, request.protocol.as_deref());
    let Some(entry) = known.next() else {
        return Err(one(format!("no entry of \"databases\" has the name {database}")));
    };
    if known.any(|other| other.upstream.protocol != entry.upstream.protocol) {
        return Err(one(format!(
            "\"protocol\" says whether the {database} of PostgreSQL is meant (postgresql) or that of MySQL (mysql)"
        )));
    }
    let sign_in = match (user, &entry.check) {
        (Some(user), _) => SignIn { user, password },
        (None, Some(check)) => {
            let password = keys::read_secret(&check.password).map_err(|error| one(format!("{error:#}")))?;
            SignIn { user: check.user.clone(), password: Some(password) }
        }
        (None, None) => {
            return Err(one(
                "\"user\" says who reads, as databases.check of this database does not".to_owned()
            ));
        }
    };
    let standard = Scans::default();
    let how = Scans {
        sessions: request.sessions.unwrap_or(standard.sessions),
        rest: request.rest.unwrap_or(standard.rest),
        confidence_min: request.min_confidence.unwrap_or(standard.confidence_min),
        schemas: request.schemas,
        ..standard
    };
    let standard = entry.scans.clone().unwrap_or_default();
    let is_standard = settings(&how, entry.upstream.protocol) == settings(&standard, entry.upstream.protocol);
    Ok(Wanted { is_standard, upstream: entry.upstream.clone(), database: database.clone(), sign_in, how })
}

/// Signs in and reads; says what came of it.
async fn read(job: Arc<Job>, wanted: Wanted, place: Place) -> Result<(Value, &'static str)> {
    let Wanted { upstream, sign_in, how, .. } = wanted;
    let opened = sessions(&upstream, &place.database, &sign_in, how.sessions);
    let sessions =
        tokio::time::timeout(SIGN_IN_MAX, opened).await.context("the server does not answer")??;
    drop(sign_in);
    let options = Options {
        confidence_min: how.confidence_min,
        year: year(job.began.0),
        seed: job.began.0,
        rest: how.rest,
        schemas: how.schemas,
        people: people()?,
    };
    let report = scan(sessions, options, Arc::clone(&job.progress)).await?;
    let outcome = match (job.progress.cancelled.load(Ordering::Relaxed), report.is_partial) {
        (true, true) => "cancelled",
        (false, true) => "partial",
        (_, false) => "done",
    };
    Ok((document(&report), outcome))
}

/// What has to be the same for two scans to be compared.
fn settings(how: &Scans, kind: Protocol) -> Value {
    json!({ "protocol": protocol(kind), "schemas": how.schemas, "min_confidence": how.confidence_min })
}
