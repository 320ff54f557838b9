//! Whether the audit is what was written.

use std::fmt;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::chain::{Fault, Head, Line};
use super::file::{asides, lines};
use super::{CHECKPOINT_INTERVAL, CHECKPOINT_LINES, time};

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Lines that were read.
    pub lines: u64,
    /// Number of the first line that is still there.
    pub first: u64,
    /// Number of the last line.
    pub last: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// Lines behind the last checkpoint, which nothing signs.
    pub unsigned: u64,
    /// What is wrong, with the file and the line in it.
    pub faults: Vec<(PathBuf, usize, String)>,
    /// More is wrong than is listed.
    pub more: bool,
}

/// The proxy signs more often than after so many lines.
const UNSIGNED_MAX: u64 = 2 * CHECKPOINT_LINES + 1000;
/// A checkpoint that is so old is followed by another with the next line.
const LATE: Duration = Duration::from_secs(2 * CHECKPOINT_INTERVAL.as_secs());
/// Faults that are listed.
const FAULTS_MAX: usize = 100;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lines, first, last, checkpoints, unsigned, faults, more } = self;
        writeln!(
            f,
            "lines {lines}, numbers {first} to {last}, checkpoints {checkpoints}, not signed yet {unsigned}"
        )?;
        for (path, line, what) in faults {
            writeln!(f, "{}: line {line}: {what}", path.display())?;
        }
        if *more {
            writeln!(f, "and more")?;
        }
        write!(
            f,
            "{}",
            if faults.is_empty() {
                "the audit is what was written"
            } else {
                "the audit is NOT what was written"
            }
        )
    }
}

/// Reads the audit of `path` and what was put aside, and finds each line that was changed, removed or moved.
///
/// # Errors
/// A file cannot be read.
pub fn verify(path: &Path, public_keys: &[Vec<u8>]) -> io::Result<Report> {
    let mut report = Report::default();
    let mut head: Option<Head> = None;
    let (mut signed, mut late) = (None, None);
    for file in asides(path)?.into_iter().chain([path.to_owned()]) {
        for (at, text) in (1..).zip(lines(&file)?.split(b'\n')) {
            let text = String::from_utf8_lossy(&text?).into_owned();
            report.lines += 1;
            let line = match Line::read(&text) {
                Ok(line) => line,
                Err(fault) => {
                    report.add(&file, at, &fault);
                    continue;
                }
            };
            // Older files may have been removed.
            let checked = match &head {
                Some(head) => line.follows(head, public_keys),
                None => line.is_signed(public_keys),
            };
            if let Err(fault) = checked {
                report.add(&file, at, &fault);
            }
            if head.is_none() {
                report.first = line.seq;
                if !line.checkpoint {
                    report.add(&file, at, &Fault::Beginning);
                }
            }
            // The proxy signs behind what it writes when the last checkpoint is older.
            let time = line.all.get("time").and_then(serde_json::Value::as_str).and_then(time::read);
            if line.checkpoint {
                (signed, late) = (time, None);
            } else if time > signed.map(|signed| signed + LATE) {
                if late.is_some() && late != time {
                    report.add(&file, at, &Fault::Unsigned(report.unsigned));
                }
                late = time;
            }
            report.last = line.seq;
            report.checkpoints += u64::from(line.checkpoint);
            report.unsigned = if line.checkpoint { 0 } else { report.unsigned + 1 };
            if report.unsigned == UNSIGNED_MAX {
                report.add(&file, at, &Fault::Unsigned(report.unsigned));
            }
            head = Some(Head { seq: line.seq, hash: line.hash });
        }
    }
    Ok(report)
}

impl Report {
    fn add(&mut self, file: &Path, at: usize, fault: &Fault) {
        let what = match fault {
            Fault::Unreadable => "this is no line of the audit".to_owned(),
            Fault::Changed => "the line was changed".to_owned(),
            Fault::Broken { expected, found } if expected == found => {
                "the line before it was changed or replaced".to_owned()
            }
            Fault::Broken { expected, found } => {
                format!("number {expected} should stand here, and {found} does: lines were removed or moved")
            }
            Fault::Beginning => {
                "files begin with a checkpoint: lines before this one were removed".to_owned()
            }
            Fault::Unsigned(lines) => {
                format!("{lines} lines up to here without a checkpoint: they were not written by the proxy")
            }
            Fault::Signature => "the checkpoint is not signed by this key or those before it".to_owned(),
        };
        match self.faults.len() {
            0..FAULTS_MAX => self.faults.push((file.to_owned(), at, what)),
            _ => self.more = true,
        }
    }
}
