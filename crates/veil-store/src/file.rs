//! The rules stand in `proxy.yaml`; their history and the keys in SQLite beside it.
//!
//! The file is what counts: people edit it, and what they have done becomes a version of its own. A change is noted first, then the file is replaced, then the note becomes a version.
//! So at any moment a crash leaves either the file of before, or that of after with who made it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio::sync::watch;

use crate::document::{Document, with_rules};
use crate::{Change, Key, Result, Rules, Scan, SqliteStore, State, Store, StoreError, Version};

/// Who changes the file without the API.
const EDITOR: &str = "file";

/// `proxy.yaml` and its history.
pub struct FileStore {
    path: PathBuf,
    kept: SqliteStore,
    /// One change at a time, of this process and of others.
    changing: Mutex<File>,
}

/// The right to look at the file and to change it.
struct Turn<'a>(MutexGuard<'a, File>);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

impl FileStore {
    /// The rules in `path`, and their history in `kept`.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub fn new(path: &Path, kept: SqliteStore) -> Result<Self> {
        let lock = kept.path().with_extension("lock");
        let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(&lock);
        let opened =
            opened.map_err(|error| StoreError::Unavailable(format!("{}: {error}", lock.display())))?;
        let store = Self { path: path.to_owned(), kept, changing: Mutex::new(opened) };
        store.head()?;
        Ok(store)
    }

    fn turn(&self) -> Result<Turn<'_>> {
        let file = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        file.lock().map_err(|error| self.unavailable(&error))?;
        Ok(Turn(file))
    }

    /// What was noted becomes a version if it has happened: whoever noted it has died, or could not say so.
    fn recover(&self, rules: &[Value]) -> Result<()> {
        match self.kept.pending()? {
            Some(noted) => self.kept.settle(noted.number, noted.rules == rules),
            None => Ok(()),
        }
    }

    fn read(&self) -> Result<(String, Rules)> {
        let text = fs::read_to_string(&self.path).map_err(|error| self.unavailable(&error))?;
        let rules = Document::parse(&text).map_err(StoreError::Document)?.rules();
        Ok((text, rules))
    }

    fn unavailable(&self, error: &io::Error) -> StoreError {
        StoreError::Unavailable(format!("{}: {error}", self.path.display()))
    }

    /// The newest version, which is one of its own if the file was edited.
    fn newest(&self) -> Result<(String, Version)> {
        let (text, rules) = self.read()?;
        self.recover(&rules)?;
        let known = self.kept.head()?;
        if let Some(known) = known.as_ref().filter(|known| known.rules == rules) {
            return Ok((text, known.clone()));
        }
        let comment = if known.is_some() { "the file was edited" } else { "the rules of the file" };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let change = Change {
            time: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            author: EDITOR.to_owned(),
            comment: comment.to_owned(),
            rules,
        };
        let number = self.kept.commit(known.map_or(0, |known| known.number), &change)?;
        let Change { time, author, comment, rules } = change;
        Ok((text, Version { number, time, author, comment, rules }))
    }
}

/// Puts a file in the place of another: who reads it sees one of them, whole, also after a crash.
///
/// # Errors
/// It cannot be written; then the other stays.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    // A link stays one.
    let path = &fs::canonicalize(path)?;
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let fresh = directory.join(format!(".{name}.new"));
    let permissions = fs::metadata(path)?.permissions();
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&fresh)?;
    file.set_permissions(permissions)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    File::open(directory)?.sync_all()
}

impl Store for FileStore {
    fn kind(&self) -> &'static str {
        "file"
    }

    fn head(&self) -> Result<Option<Version>> {
        let _turn = self.turn()?;
        self.newest().map(|(_, version)| Some(version))
    }

    fn commit(&self, expected: i64, change: &Change) -> Result<i64> {
        let _turn = self.turn()?;
        let (text, newest) = self.newest()?;
        if newest.number != expected {
            return Err(StoreError::Conflict(Box::new(newest)));
        }
        let changed = with_rules(&text, &change.rules).map_err(StoreError::Document)?;
        let number = self.kept.prepare(expected, change)?;
        // An editor may have written it since.
        if self.read().is_ok_and(|(now, _)| now != text) {
            self.kept.settle(number, false)?;
            return Err(StoreError::Conflict(Box::new(self.newest()?.1)));
        }
        if let Err(error) = replace(&self.path, &changed) {
            self.kept.settle(number, false)?;
            return Err(self.unavailable(&error));
        }
        if let Err(error) = self.kept.settle(number, true) {
            // It has happened, and is made up for when the file is looked at next.
            tracing::warn!(%error, "the history of the rules cannot be written");
        }
        self.kept.changed();
        Ok(number)
    }

    fn version(&self, number: i64) -> Result<Option<Version>> {
        self.kept.version(number)
    }

    fn history(&self, before: Option<i64>, limit: u32) -> Result<Vec<Version>> {
        self.kept.history(before, limit)
    }

    fn keys(&self) -> Result<Vec<Key>> {
        self.kept.keys()
    }

    fn add_key(&self, key: &Key) -> Result<()> {
        self.kept.add_key(key)
    }

    fn revoke_key(&self, id: &str, time: i64) -> Result<bool> {
        self.kept.revoke_key(id, time)
    }

    fn add_scan(&self, scan: &Scan) -> Result<()> {
        self.kept.add_scan(scan)
    }

    fn scan(&self, id: &str) -> Result<Option<Scan>> {
        self.kept.scan(id)
    }

    fn scans(&self, database: Option<&str>, before: Option<&str>, limit: u32) -> Result<Vec<Scan>> {
        self.kept.scans(database, before, limit)
    }

    fn watch(&self) -> watch::Receiver<State> {
        self.kept.watch()
    }
}
