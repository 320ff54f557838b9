//! Where the configuration comes from: the file or the command line, and the rules of a store if there is one.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;
use veil_net::connect::Target;
use veil_policy::config::operations::Store as Place;
use veil_policy::config::{Config, Protocol};
use veil_store::document::{Document, with_rules};
use veil_store::{Change, FileStore, PostgresStore, SharedStore, SqliteStore, Store, StoreError, Version};

use crate::cli::Run;
use crate::commands::config_of;
use crate::{keys, wire_up};

/// What the history is kept in where nothing is said.
const HISTORY: &str = "ironveil.db";

/// Where the configuration comes from.
pub(crate) struct Source {
    pub(crate) run: Run,
    pub(crate) store: Option<SharedStore>,
    /// The rules of the store that were read last, which hold while it is lost.
    last: Mutex<Option<Version>>,
    /// The version of them that holds.
    used: AtomicI64,
}

impl Source {
    /// With the store that the configuration names, if there is an API or another reason to have one.
    pub(crate) async fn open(run: Run) -> Result<Self> {
        let config = config_of(&run)?;
        let wanted = config.api.is_some() || config.store != Place::default();
        let store = match run.config_path().filter(|_| wanted) {
            Some(path) => Some(open(&config.store, path).await?),
            None => None,
        };
        Ok(Self { run, store, last: Mutex::default(), used: AtomicI64::new(0) })
    }

    /// Whether the store's rules stand in the place of the file's.
    fn overrides(&self) -> Option<&SharedStore> {
        self.store.as_ref().filter(|store| store.kind() != "file")
    }

    /// The file's text, with the rules of the store; `None` without a file.
    fn text(&self) -> Result<Option<String>> {
        let Some(path) = self.run.config_path() else { return Ok(None) };
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let Some(store) = self.overrides() else { return Ok(Some(text)) };
        let rules = self.newest(store.as_ref(), &text)?.rules;
        let with = with_rules(&text, &rules).map_err(|what| anyhow!("{}: {what}", path.display()))?;
        Ok(Some(with))
    }

    /// The newest rules of a store; those that are known if it is lost, and those of the file if it is new.
    fn newest(&self, store: &dyn Store, text: &str) -> Result<Version> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let found = match store.head() {
            Ok(Some(found)) => found,
            Ok(None) => first(store, text)?,
            Err(error) => {
                let known = last.clone();
                let known = known.ok_or(error).context("store")?;
                tracing::warn!(
                    version = known.number,
                    "the store cannot be used; the rules that are known hold"
                );
                return Ok(known);
            }
        };
        *last = Some(found.clone());
        Ok(found)
    }

    /// The rules that were read last are those that hold.
    pub(crate) fn note_used(&self) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        self.used.store(last.as_ref().map_or(0, |last| last.number), Ordering::Release);
    }

    /// The version of the store's rules that is to be used and is not, if there is one.
    pub(crate) fn unused(&self) -> Option<i64> {
        let newest = self.overrides()?.head().ok()??.number;
        Some(newest).filter(|newest| *newest != self.used.load(Ordering::Acquire))
    }

    /// The configuration as it is now, as the command line changes it.
    pub(crate) fn config(&self) -> Result<Config> {
        match self.text()? {
            Some(text) if self.overrides().is_some() => {
                self.changed(Config::parse(&text).map_err(|faults| anyhow!("{}", lines(&faults).join("\n")))?)
            }
            _ => self.changed(config_of(&self.run)?),
        }
    }

    /// The configuration with other rules.
    pub(crate) fn with_rules(&self, rules: &[Value]) -> Result<Config, Vec<String>> {
        let one = |fault: String| vec![fault];
        let text = self.text().map_err(|fault| one(format!("{fault:#}")))?;
        let text = text.ok_or_else(|| one("the rules of the command line cannot be changed".to_owned()))?;
        let text = with_rules(&text, rules).map_err(one)?;
        let config = Config::parse(&text).map_err(|faults| lines(&faults))?;
        self.changed(config).map_err(|fault| one(format!("{fault:#}")))
    }

    /// The configuration for people.
    pub(crate) fn document(&self) -> Result<Value> {
        let text = self.text()?.unwrap_or_default();
        Document::parse(&text).map(|document| document.json()).map_err(|what| anyhow!(what))
    }

    fn changed(&self, mut config: Config) -> Result<Config> {
        let both = config.has(Protocol::Postgres) && config.has(Protocol::MySql);
        match self.run.listen {
            Some(_) if both => {
                bail!("--listen goes together with databases of one kind; write \"listen\" into the file")
            }
            Some(address) if config.has(Protocol::MySql) => config.listen.mysql = address,
            Some(address) => config.listen.postgres = address,
            None => {}
        }
        Ok(config)
    }
}

/// Faults without lines, which are those of a file that nobody sees.
fn lines(faults: &[veil_policy::config::Fault]) -> Vec<String> {
    let told = faults.iter().map(|fault| match fault.path.as_str() {
        "" => fault.what.clone(),
        path => format!("{path}: {}", fault.what),
    });
    told.collect()
}

/// The file's rules become the first version of a store.
fn first(store: &dyn Store, text: &str) -> Result<Version> {
    let rules = Document::parse(text).map_err(|what| anyhow!(what))?.rules();
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    let (author, comment) = ("file".to_owned(), "the rules of the file".to_owned());
    let change = Change { time, author: author.clone(), comment: comment.clone(), rules: rules.clone() };
    match store.commit(0, &change) {
        Ok(number) => Ok(Version { number, time, author, comment, rules }),
        // Another proxy was faster.
        Err(StoreError::Conflict(newest)) => Ok(*newest),
        Err(error) => Err(error).context("store"),
    }
}

async fn open(place: &Place, config: PathBuf) -> Result<SharedStore> {
    Ok(match place {
        Place::File(history) => {
            let history = history.clone().unwrap_or_else(|| config.with_file_name(HISTORY));
            let kept = SqliteStore::open(&history).with_context(|| {
                format!(
                    "store: cannot keep the history of the rules in {}; name another place by \"store: {{ file: PATH }}\"",
                    history.display()
                )
            })?;
            Arc::new(FileStore::new(&config, kept).context("store")?)
        }
        Place::Sqlite(path) => {
            Arc::new(SqliteStore::open(path).with_context(|| format!("store: {}", path.display()))?)
        }
        Place::Postgres(upstream, login) => {
            let mut settings = tokio_postgres::Config::new();
            settings.user(&login.user).password(keys::read_secret(&login.password)?.expose());
            settings.dbname(upstream.database.as_deref().unwrap_or_default()).application_name("ironveil");
            let first = wire_up::target(upstream)?;
            let others = upstream.others.iter();
            let others =
                others.map(|(host, port)| Target { host: host.clone(), port: *port, ..first.clone() });
            let targets = std::iter::once(first.clone()).chain(others).collect();
            let place = veil_store::Place { targets, login: settings };
            PostgresStore::open(place).await.context("store")?
        }
    })
}
