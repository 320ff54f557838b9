//! Finding events in the audit, the newest first.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;

use super::file::{asides, lines};
use super::{Audit, time};

/// What is wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this kind.
    pub event: Option<String>,
    /// By this user or operator.
    pub user: Option<String>,
    /// In this database.
    pub database: Option<String>,
    /// Not earlier.
    pub from: Option<SystemTime>,
    /// Earlier.
    pub to: Option<SystemTime>,
    /// With smaller numbers.
    pub before: Option<u64>,
    /// So many at most.
    pub limit: usize,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Events, the newest first.
    pub events: Vec<Value>,
    /// There may be more with smaller numbers than this.
    pub next: Option<u64>,
}

/// Lines that are looked at for one page.
const LOOKED_MAX: usize = 1_000_000;
/// Bytes that are read at once.
const PIECE: u64 = 256 << 10;

impl Filter {
    fn fits(&self, event: &Value) -> bool {
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        let is = |wanted: &Option<String>, names: &[&str]| match wanted {
            Some(wanted) => names.iter().any(|name| text(name) == Some(wanted)),
            None => true,
        };
        let when = || text("time").and_then(time::read);
        is(&self.event, &["event"])
            && is(&self.user, &["user", "by"])
            && is(&self.database, &["database"])
            && (self.from.is_none() || when().is_some_and(|when| self.from <= Some(when)))
            && self.to.is_none_or(|to| when().is_some_and(|when| when < to))
            && self.before.is_none_or(|before| seq(event).is_some_and(|seq| seq < before))
    }

    /// Whether lines before this one are of no interest.
    fn is_past(&self, event: &Value) -> bool {
        let when = event.get("time").and_then(Value::as_str).and_then(time::read);
        self.from.is_some_and(|from| when.is_some_and(|when| when < from))
    }
}

fn seq(event: &Value) -> Option<u64> {
    event.get("seq")?.as_u64()
}

/// The number of a line, which stands at its beginning.
fn seq_of(line: &str) -> Option<u64> {
    let digits = line.strip_prefix(r#"{"seq":"#)?;
    digits.get(..digits.find(',')?)?.parse().ok()
}

impl Audit {
    /// Events that fit, the newest first.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn find(&self, filter: &Filter) -> io::Result<Page> {
        let Some(path) = &self.path else { return Ok(Page::default()) };
        let mut page = Page::default();
        let mut looked = 0;
        let mut take = |line: &str| -> bool {
            // Those of the pages before are passed over.
            if filter.before.is_some_and(|before| seq_of(line).is_some_and(|seq| seq >= before)) {
                return true;
            }
            looked += 1;
            let Ok(event) = serde_json::from_str::<Value>(line) else { return true };
            if filter.is_past(&event) {
                return false;
            }
            if page.events.len() >= filter.limit || looked > LOOKED_MAX {
                page.next = seq(&event).map(|seq| seq + 1);
                return false;
            }
            if filter.fits(&event) {
                page.events.push(event);
            }
            true
        };
        if !backwards(path, &mut take)? {
            return Ok(page);
        }
        for aside in asides(path)?.iter().rev() {
            // Each is named by its last line; what is wanted may be in older ones only.
            let mut last: VecDeque<String> = VecDeque::new();
            for line in lines(aside)?.lines() {
                let line = line?;
                let event = serde_json::from_str::<Value>(&line);
                if event.is_ok_and(|event| filter.fits(&event)) {
                    // One more, to tell that there are more.
                    if last.len() > filter.limit {
                        last.pop_front();
                    }
                    last.push_back(line);
                }
            }
            if !last.iter().rev().all(|line| take(line)) {
                return Ok(page);
            }
        }
        Ok(page)
    }
}

/// Reads a file's lines from its end; says whether all were wanted.
fn backwards(path: &Path, mut take: impl FnMut(&str) -> bool) -> io::Result<bool> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        file => file?,
    };
    let mut end = file.metadata()?.len();
    let mut rest: Vec<u8> = Vec::new();
    while end > 0 {
        let from = end.saturating_sub(PIECE);
        file.seek(SeekFrom::Start(from))?;
        let mut piece = Vec::new();
        file.by_ref().take(end - from).read_to_end(&mut piece)?;
        piece.append(&mut rest);
        // The first line may begin in the piece before.
        let whole = match piece.iter().position(|byte| *byte == b'\n') {
            _ if from == 0 => 0,
            Some(at) => at + 1,
            None => piece.len(),
        };
        let (begun, lines) = piece.split_at(whole);
        for line in lines.split(|byte| *byte == b'\n').rev().filter(|line| !line.is_empty()) {
            if std::str::from_utf8(line).is_ok_and(|line| !take(line)) {
                return Ok(false);
            }
        }
        rest = begun.to_vec();
        end = from;
    }
    Ok(true)
}
