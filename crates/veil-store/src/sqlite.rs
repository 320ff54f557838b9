//! In a file of SQLite.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use tokio::sync::watch;

use crate::{Change, Key, Result, SCANS_MAX, Scan, State, Store, StoreError, Version};

/// Another process may hold the file so long.
const BUSY_MAX: Duration = Duration::from_secs(10);

/// What makes each version of the schema of the one before.
const MIGRATIONS: [&str; 2] = [
    "
    create table versions (
        number integer primary key, time integer not null, author text not null, comment text not null,
        rules text not null, pending integer not null default 0
    ) strict;
    create table keys (
        id text primary key, name text not null, role text not null, hash text not null, created integer not null,
        created_by text not null, expires integer, revoked integer
    ) strict;
",
    "
    create table scans (
        id text primary key, database text not null, began integer not null, ended integer not null, author text not null,
        outcome text not null, summary text not null, report text not null
    ) strict;
    create index scans_of on scans (database, id);
",
];

const VERSION: &str = "select number, time, author, comment, rules from versions where pending = 0";

/// A file of SQLite.
pub struct SqliteStore {
    path: PathBuf,
    connection: Mutex<Connection>,
    state: watch::Sender<State>,
}

impl SqliteStore {
    /// Opens a file, or makes one that nobody else may read.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn open(path: &Path) -> Result<Self> {
        let unavailable =
            |error: std::io::Error| StoreError::Unavailable(format!("{}: {error}", path.display()));
        private(path).map_err(unavailable)?;
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_MAX)?;
        // What is said to be stored is on the disk.
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        migrate(&mut connection)?;
        let state = watch::channel(State::default()).0;
        Ok(Self { path: path.to_owned(), connection: Mutex::new(connection), state })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a version that becomes one with [`Self::settle`].
    pub(crate) fn prepare(&self, expected: i64, change: &Change) -> Result<i64> {
        self.insert(expected, change, true)
    }

    /// A version that was noted becomes one, or is forgotten.
    pub(crate) fn settle(&self, number: i64, happened: bool) -> Result<()> {
        let connection = self.connection();
        let sql = match happened {
            true => "update versions set pending = 0 where number = ?1",
            false => "delete from versions where number = ?1 and pending = 1",
        };
        connection.execute(sql, [number])?;
        Ok(())
    }

    /// The version that was noted and not settled.
    pub(crate) fn pending(&self) -> Result<Option<Version>> {
        let sql = "select number, time, author, comment, rules from versions where pending = 1";
        self.connection().query_row(sql, [], version).optional()?.transpose()
    }

    fn insert(&self, expected: i64, change: &Change, pending: bool) -> Result<i64> {
        let rules = serde_json::to_string(&change.rules)?;
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let sql = format!("{VERSION} order by number desc limit 1");
        let head: Option<Version> = transaction.query_row(&sql, [], version).optional()?.transpose()?;
        let number = head.as_ref().map_or(0, |head| head.number);
        if number != expected {
            return Err(head.map_or_else(
                || StoreError::Unavailable("the store has lost its history".to_owned()),
                |head| StoreError::Conflict(Box::new(head)),
            ));
        }
        transaction.execute("delete from versions where pending = 1", [])?;
        transaction.execute(
            "insert into versions (number, time, author, comment, rules, pending) values (?1, ?2, ?3, ?4, ?5, ?6)",
            params![number + 1, change.time, change.author, change.comment, rules, pending],
        )?;
        transaction.commit()?;
        Ok(number + 1)
    }

    pub(crate) fn changed(&self) {
        self.state.send_modify(|state| state.changes += 1);
    }
}

/// Makes a file that nobody else may read, if there is none.
fn private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path).map(drop)
}

fn migrate(connection: &mut Connection) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let Some(missing) = usize::try_from(found).ok().and_then(|found| MIGRATIONS.get(found..)) else {
        return Err(StoreError::Unavailable("its schema is of a newer version of IronVeil".to_owned()));
    };
    for migration in missing {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX))?;
    Ok(transaction.commit()?)
}

fn version(row: &Row<'_>) -> rusqlite::Result<Result<Version>> {
    let rules: String = row.get(4)?;
    let (number, time, author, comment) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
    Ok(serde_json::from_str(&rules)
        .map(|rules| Version { number, time, author, comment, rules })
        .map_err(Into::into))
}

fn key(row: &Row<'_>) -> rusqlite::Result<Key> {
    Ok(Key {
        id: row.get(0)?,
        name: row.get(1)?,
        role: row.get(2)?,
        hash: row.get(3)?,
        created: row.get(4)?,
        created_by: row.get(5)?,
        expires: row.get(6)?,
        revoked: row.get(7)?,
    })
}

fn scan(row: &Row<'_>) -> rusqlite::Result<Result<Scan>> {
    let (summary, report): (String, Option<String>) = (row.get(6)?, row.get(7)?);
    let read = || -> Result<_> {
        let report = report.as_deref().map(serde_json::from_str).transpose()?;
        Ok((serde_json::from_str(&summary)?, report.unwrap_or_default()))
    };
    let (id, database, began, ended) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
    let (author, outcome) = (row.get(4)?, row.get(5)?);
    Ok(read().map(|(summary, report)| Scan { id, database, began, ended, author, outcome, summary, report }))
}

impl Store for SqliteStore {
    fn kind(&self) -> &'static str {
        "sqlite"
    }

    fn head(&self) -> Result<Option<Version>> {
        let sql = format!("{VERSION} order by number desc limit 1");
        self.connection().query_row(&sql, [], version).optional()?.transpose()
    }

    fn commit(&self, expected: i64, change: &Change) -> Result<i64> {
        let number = self.insert(expected, change, false)?;
        self.changed();
        Ok(number)
    }

    fn version(&self, number: i64) -> Result<Option<Version>> {
        let sql = format!("{VERSION} and number = ?1");
        self.connection().query_row(&sql, [number], version).optional()?.transpose()
    }

    fn history(&self, before: Option<i64>, limit: u32) -> Result<Vec<Version>> {
        let sql = format!("{VERSION} and number < ?1 order by number desc limit ?2");
        let before = before.unwrap_or(i64::MAX);
        let connection = self.connection();
        let mut statement = connection.prepare(&sql)?;
        let found = statement.query_map(params![before, limit], version)?;
        found.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().collect()
    }

    fn keys(&self) -> Result<Vec<Key>> {
        let connection = self.connection();
        let mut statement = connection.prepare(
            "select id, name, role, hash, created, created_by, expires, revoked from keys order by created, id",
        )?;
        let found = statement.query_map([], key)?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    fn add_key(&self, key: &Key) -> Result<()> {
        self.connection().execute(
            "insert into keys (id, name, role, hash, created, created_by, expires) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![key.id, key.name, key.role, key.hash, key.created, key.created_by, key.expires],
        )?;
        Ok(())
    }

    fn revoke_key(&self, id: &str, time: i64) -> Result<bool> {
        let sql = "update keys set revoked = coalesce(revoked, ?2) where id = ?1";
        Ok(self.connection().execute(sql, params![id, time])? > 0)
    }

    fn add_scan(&self, scan: &Scan) -> Result<()> {
        let Scan { id, database, began, ended, author, outcome, summary, report } = scan;
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute(
            "insert into scans (id, database, began, ended, author, outcome, summary, report) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![id, database, began, ended, author, outcome, summary.to_string(), report.to_string()],
        )?;
        transaction.execute(
            "delete from scans where database = ?1 and outcome = ?2 and id not in \
             (select id from scans where database = ?1 and outcome = ?2 order by id desc limit ?3)",
            params![database, outcome, SCANS_MAX],
        )?;
        Ok(transaction.commit()?)
    }

    fn scan(&self, id: &str) -> Result<Option<Scan>> {
        let sql =
            "select id, database, began, ended, author, outcome, summary, report from scans where id = ?1";
        self.connection().query_row(sql, [id], scan).optional()?.transpose()
    }

    fn scans(&self, database: Option<&str>, before: Option<&str>, limit: u32) -> Result<Vec<Scan>> {
        let connection = self.connection();
        let mut statement = connection.prepare(
            "select id, database, began, ended, author, outcome, summary, null from scans \
             where (?1 is null or database = ?1) and (?2 is null or id < ?2) order by id desc limit ?3",
        )?;
        let found = statement.query_map(params![database, before, limit], scan)?;
        found.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().collect()
    }

    fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }
}
