//! Who did what: lines of JSON that are added to a file, and are on the disk when something is said to be done.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};
use veil_model::calendar::date_of;
use veil_proxy::Protocol;
use veil_proxy::events::Event;

/// Where it is written down who did what.
pub struct Audit(Mutex<Box<dyn Write + Send>>);

impl Audit {
    /// Adds to a file, which nobody else may read if it is new.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        Ok(Self(Mutex::new(Box::new(Durable(file)))))
    }

    /// Writes to the standard error, where no file is configured.
    #[must_use]
    pub fn stderr() -> Self {
        Self(Mutex::new(Box::new(io::stderr())))
    }

    /// Adds an event, with what belongs to it; never a value of a masked column.
    ///
    /// # Errors
    /// It is not on the disk.
    pub fn record(&self, event: &str, facts: &[(&str, Value)]) -> io::Result<()> {
        self.write(&line(event, facts)?)
    }

    /// Adds lines, which are on the disk then.
    fn write(&self, lines: &[u8]) -> io::Result<()> {
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // In one piece: other processes may add to the same file.
        out.write_all(lines)?;
        out.flush()
    }

    /// Adds what the data plane tells of, until it tells of nothing more. What cannot be written is counted in the log.
    pub fn follow(&self, events: &Receiver<Event>) {
        while let Ok(first) = events.recv() {
            // As many as wait go to the disk together.
            let together = std::iter::once(first).chain(events.try_iter().take(TOGETHER_MAX));
            let (mut lines, mut count) = (Vec::new(), 0);
            for event in together {
                let (name, facts) = told(event);
                lines.extend(line(name, &facts).unwrap_or_default());
                count += 1;
            }
            if let Err(error) = self.write(&lines) {
                tracing::error!(%error, events = count, "events could not be written to the audit");
            }
        }
    }
}

/// Events that go to the disk together.
const TOGETHER_MAX: usize = 1000;

fn line(event: &str, facts: &[(&str, Value)]) -> io::Result<Vec<u8>> {
    let mut line = Map::new();
    line.insert("time".to_owned(), timestamp(SystemTime::now()).into());
    line.insert("event".to_owned(), event.into());
    line.extend(facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let mut text = serde_json::to_vec(&line)?;
    text.push(b'\n');
    Ok(text)
}

/// An event's name, and what belongs to it.
fn told(event: Event) -> (&'static str, Vec<(&'static str, Value)>) {
    let speaks = |protocol: Protocol| match protocol {
        Protocol::Pg => "postgres",
        Protocol::MySql => "mysql",
    };
    match event {
        Event::Opened { protocol, address, user, database, scope } => (
            "login",
            vec![
                ("protocol", speaks(protocol).into()),
                ("address", address.to_string().into()),
                ("user", user.into()),
                ("database", database.into()),
                ("scope", scope.to_lowercase().into()),
            ],
        ),
        Event::Denied { protocol, address, user, code } => (
            "login_denied",
            vec![
                ("protocol", speaks(protocol).into()),
                ("address", address.to_string().into()),
                ("user", user.into()),
                ("code", code.into()),
            ],
        ),
        Event::Ended { protocol, address, user, database, seconds } => (
            "logout",
            vec![
                ("protocol", speaks(protocol).into()),
                ("address", address.to_string().into()),
                ("user", user.into()),
                ("database", database.into()),
                ("seconds", seconds.into()),
            ],
        ),
        Event::Masked { user, database, columns, rows } => (
            "masked",
            vec![
                ("user", user.into()),
                ("database", database.into()),
                ("columns", columns.into()),
                ("rows", rows.into()),
            ],
        ),
        Event::Refused { user, database, code } => {
            ("refused", vec![("user", user.into()), ("database", database.into()), ("code", code.into())])
        }
    }
}

/// A file that is on the disk when it is flushed.
struct Durable(File);

impl Write for Durable {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// From 1970-01-01 to 2000-01-01.
const DAYS_TO_2000: i64 = 10_957;

/// `2026-12-31T23:59:59.123Z` (RFC 3339).
fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let days = i64::try_from(days).unwrap_or(i64::MAX);
    let (year, month, day) = date_of(days.saturating_sub(DAYS_TO_2000)).unwrap_or((9999, 12, 31));
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}.{:03}Z",
        second % 60,
        since.subsec_millis()
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_798_761_599_001, "2026-12-31T23:59:59.001Z"),
        ] {
            assert_eq!(timestamp(UNIX_EPOCH + Duration::from_millis(millis)), text);
        }
    }
}
