//! What changes while the proxy runs, and has to outlive it: rules with their history, and the API's keys.
//!
//! Decision: one trait, three back ends. By default the rules stand in `proxy.yaml`, which stays a file that people edit, and SQLite keeps their history beside it;
//! or all is in SQLite; or in a PostgreSQL that several proxies share. A version of the rules is what a change is made to: whoever changes another one than the newest is told
//! of the difference, and nothing is lost.

pub mod document;
mod file;
mod postgres;
mod sqlite;

use std::sync::Arc;

use serde_json::Value;
use thiserror::Error;
use tokio::sync::watch;

pub use file::{FileStore, replace};
pub use postgres::{Place, PostgresStore};
pub use sqlite::SqliteStore;

/// The rules, as `proxy.yaml` has them.
pub type Rules = Vec<Value>;

/// A version of the rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// From 1.
    pub number: i64,
    /// When it was made, in seconds since 1970.
    pub time: i64,
    /// By whom.
    pub author: String,
    /// Why.
    pub comment: String,
    /// The rules.
    pub rules: Rules,
}

/// A change of the rules.
#[derive(Clone, Debug)]
pub struct Change {
    /// When, in seconds since 1970.
    pub time: i64,
    /// By whom.
    pub author: String,
    /// Why.
    pub comment: String,
    /// All rules from now on.
    pub rules: Rules,
}

/// A key of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// What it is found by; part of the key.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What its holder may do.
    pub role: String,
    /// Argon2 of the key.
    pub hash: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// Who made it.
    pub created_by: String,
    /// Until when it holds.
    pub expires: Option<i64>,
    /// When it was taken back.
    pub revoked: Option<i64>,
}

/// A scan of a database that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Scan {
    /// What it is found by; a later one has a greater one.
    pub id: String,
    /// The database, as clients name it.
    pub database: String,
    /// When it began, in seconds since 1970.
    pub began: i64,
    /// When it ended.
    pub ended: i64,
    /// Who wanted it.
    pub author: String,
    /// `done`, `partial`, `cancelled` or `failed`.
    pub outcome: String,
    /// What it comes to.
    pub summary: Value,
    /// All that was found; null in lists.
    pub report: Value,
}

/// Of each database and outcome, so many scans are kept.
pub const SCANS_MAX: u32 = 100;

/// Why something was not stored.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The rules have become others.
    #[error("the rules have become others: their version is {}", .0.number)]
    Conflict(Box<Version>),
    /// The file cannot be changed as wanted without losing something else in it.
    #[error("{0}")]
    Document(String),
    /// The store cannot be used.
    #[error("the store cannot be used: {0}")]
    Unavailable(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let said = error.as_db_error().map(|said| said.message().to_owned());
        Self::Unavailable(said.unwrap_or_else(|| error.to_string()))
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Unavailable(format!("what is stored cannot be read: {error}"))
    }
}

/// What a store does.
pub type Result<T> = std::result::Result<T, StoreError>;

/// How a store is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Grows whenever the rules may have become others.
    pub changes: u64,
    /// Why the store cannot be used, if it cannot: what is known holds on.
    pub lost: Option<String>,
}

/// Where rules, their history, and keys are kept. Calls wait for disks and networks: not for asynchronous code.
pub trait Store: Send + Sync {
    /// What kind it is, for people.
    fn kind(&self) -> &'static str;

    /// The newest version of the rules; none if there never was one.
    ///
    /// # Errors
    /// The store cannot be used.
    fn head(&self) -> Result<Option<Version>>;

    /// Makes a change to this version of the rules, 0 being that before the first; it is on the disk when its number is returned.
    ///
    /// # Errors
    /// The newest version is another, or the store cannot be used.
    fn commit(&self, expected: i64, change: &Change) -> Result<i64>;

    /// A version of the rules.
    ///
    /// # Errors
    /// The store cannot be used.
    fn version(&self, number: i64) -> Result<Option<Version>>;

    /// So many versions, the newest first, of those before one.
    ///
    /// # Errors
    /// The store cannot be used.
    fn history(&self, before: Option<i64>, limit: u32) -> Result<Vec<Version>>;

    /// All keys.
    ///
    /// # Errors
    /// The store cannot be used.
    fn keys(&self) -> Result<Vec<Key>>;

    /// Adds a key.
    ///
    /// # Errors
    /// The store cannot be used.
    fn add_key(&self, key: &Key) -> Result<()>;

    /// Takes a key back; says whether there was one.
    ///
    /// # Errors
    /// The store cannot be used.
    fn revoke_key(&self, id: &str, time: i64) -> Result<bool>;

    /// Adds a scan, and forgets the oldest of its database that ended like it where there are too many.
    ///
    /// # Errors
    /// The store cannot be used.
    fn add_scan(&self, scan: &Scan) -> Result<()>;

    /// A scan.
    ///
    /// # Errors
    /// The store cannot be used.
    fn scan(&self, id: &str) -> Result<Option<Scan>>;

    /// So many scans without their reports, the newest first, of a database or of all, and of those before one.
    ///
    /// # Errors
    /// The store cannot be used.
    fn scans(&self, database: Option<&str>, before: Option<&str>, limit: u32) -> Result<Vec<Scan>>;

    /// How it is, and when the rules may have become others.
    fn watch(&self) -> watch::Receiver<State>;
}

/// A store that is shared.
pub type SharedStore = Arc<dyn Store>;
