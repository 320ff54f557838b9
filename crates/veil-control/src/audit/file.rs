//! The audit's file: added to by one process or several, put aside when it is long or old, removed when it is older.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::chain::{Head, Line};

/// When a file is put aside, and how long it is kept.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// When it is as long.
    pub bytes: u64,
    /// When it is as old.
    pub after: Option<Duration>,
    /// How long what was put aside is kept.
    pub keep: Option<Duration>,
    /// What was put aside is compressed.
    pub compress: bool,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { bytes: u64::MAX, after: None, keep: None, compress: false }
    }
}

/// The last lines of a file are looked for in so many bytes of its end.
const TAIL: u64 = 1 << 20;

/// A file that lines are added to.
pub(super) struct Log {
    path: PathBuf,
    rotation: Rotation,
    file: File,
    /// How long it was when this process wrote to it last.
    length: u64,
    /// When its first line was written.
    begun: Option<SystemTime>,
    head: Head,
    /// Lines behind the last checkpoint when it was opened.
    unsigned: u64,
}

impl Log {
    /// Opens a file, or makes one that nobody else may read.
    pub(super) fn open(path: &Path, rotation: Rotation) -> io::Result<Self> {
        let mut log = Self {
            path: path.to_owned(),
            rotation,
            file: append(path)?,
            length: 0,
            begun: None,
            head: Head::default(),
            unsigned: 0,
        };
        log.file.lock()?;
        log.catch_up()?;
        log.file.unlock()?;
        Ok(log)
    }

    /// Adds what `lines` makes of the chain's head, and of whether the file is new; it is on the disk then. What fails leaves the file as it was.
    pub(super) fn add(&mut self, lines: impl FnOnce(&mut Head, bool) -> Vec<u8>) -> io::Result<()> {
        self.lock()?;
        let added = self.add_locked(lines);
        self.file.unlock()?;
        added
    }

    fn add_locked(&mut self, lines: impl FnOnce(&mut Head, bool) -> Vec<u8>) -> io::Result<()> {
        // Another process may have added something.
        if self.file.metadata()?.len() != self.length && !self.goes_on()? {
            // The chain is gone on with as it was, so that the break stays to be seen.
            tracing::error!("the audit is not what was written: somebody else has changed it");
            let head = self.head.clone();
            self.catch_up()?;
            self.head = head;
        }
        if self.is_due()? {
            self.rotate()?;
        }
        let before = self.head.clone();
        let lines = lines(&mut self.head, self.length == 0);
        let written = self.file.write_all(&lines).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => self.length += u64::try_from(lines.len()).unwrap_or(u64::MAX),
            Err(_) => {
                self.head = before;
                self.file.set_len(self.length)?;
            }
        }
        written
    }

    /// Takes the lock of the file that has the name.
    fn lock(&mut self) -> io::Result<()> {
        loop {
            self.file.lock()?;
            let (here, there) = (self.file.metadata()?, fs::metadata(&self.path));
            if there.is_ok_and(|there| (there.ino(), there.dev()) == (here.ino(), here.dev())) {
                return Ok(());
            }
            // Another process has put it aside, or somebody has taken it away.
            let fresh = append(&self.path)?;
            (self.file, self.length, self.begun) = (fresh, u64::MAX, None);
        }
    }

    /// Whether what was added since this process wrote last follows what it wrote.
    fn goes_on(&mut self) -> io::Result<bool> {
        // Another file: that of before ends it, or has been put aside.
        let (from, mut head) = match self.length {
            u64::MAX => (0, last_of(&self.path)?.unwrap_or_default()),
            length => (length, self.head.clone()),
        };
        if self.length == u64::MAX && head.seq < self.head.seq {
            return Ok(false);
        }
        let length = self.file.metadata()?.len();
        let mut file = File::open(&self.path)?;
        if length < from {
            return Ok(false);
        }
        file.seek(SeekFrom::Start(from))?;
        for line in BufReader::new(file).lines() {
            let Ok(line) = Line::read(&line?) else { return Ok(false) };
            if line.follows(&head, &[]).is_err() {
                return Ok(false);
            }
            head = Head { seq: line.seq, hash: line.hash };
        }
        (self.head, self.length) = (head, length);
        Ok(true)
    }

    /// Lines behind the last checkpoint, as far as the end of the file shows them.
    pub(super) fn unsigned(&self) -> u64 {
        self.unsigned
    }

    /// Finds the last line, and cuts off one that was not written to its end, which nobody was told of.
    fn catch_up(&mut self) -> io::Result<()> {
        self.length = self.file.metadata()?.len();
        let mut end = self.tail(TAIL)?;
        let whole = end.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if whole < end.len() {
            tracing::warn!("the audit's last line was cut short, by a crash perhaps; it is removed");
            self.length -= u64::try_from(end.len() - whole).unwrap_or(0);
            self.file.set_len(self.length)?;
            end = self.tail(TAIL)?;
        }
        let read = |line: &[u8]| std::str::from_utf8(line).ok().and_then(|text| Line::read(text).ok());
        let mut lines = end.split(|byte| *byte == b'\n').rev().filter(|line| !line.is_empty()).map(read);
        let last = lines.next();
        let signed = |line: &Option<Line>| line.as_ref().is_some_and(|line| line.checkpoint);
        self.unsigned = match &last {
            Some(last) if !signed(last) => {
                1 + u64::try_from(lines.take_while(|line| !signed(line)).count()).unwrap_or(u64::MAX)
            }
            _ => 0,
        };
        match last {
            Some(Some(line)) => self.head = Head { seq: line.seq, hash: line.hash },
            // What was put aside goes on here.
            None => self.head = last_of(&self.path)?.unwrap_or_default(),
            Some(None) => {
                let what = "its last line is none of the audit's; put the file aside and start again";
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
        }
        Ok(())
    }

    /// The end of the file, from the beginning of a line on; at least so much, if there is as much.
    fn tail(&self, at_least: u64) -> io::Result<Vec<u8>> {
        let mut wanted = at_least;
        loop {
            let from = self.length.saturating_sub(wanted);
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(from))?;
            let mut end = Vec::new();
            file.take(self.length - from).read_to_end(&mut end)?;
            // What comes before the first line is of one that is not whole here.
            let first =
                if from == 0 { Some(0) } else { end.iter().position(|byte| *byte == b'\n').map(|at| at + 1) };
            match first.filter(|first| from == 0 || *first < end.len()) {
                Some(first) => return Ok(end.split_off(first)),
                None => wanted = wanted.saturating_mul(4),
            }
        }
    }

    fn is_due(&mut self) -> io::Result<bool> {
        let old = match self.rotation.after.filter(|_| self.length > 0) {
            None => false,
            Some(after) => {
                if self.begun.is_none() {
                    let mut first = String::new();
                    BufReader::new(File::open(&self.path)?.take(TAIL)).read_line(&mut first)?;
                    let line = Line::read(first.trim_end()).ok();
                    let begun = line.and_then(|line| super::time::read(line.all.get("time")?.as_str()?));
                    self.begun = begun.or_else(|| Some(SystemTime::now()));
                }
                self.begun.is_some_and(|begun| begun.elapsed().is_ok_and(|age| age >= after))
            }
        };
        Ok(old || self.length > 0 && self.length >= self.rotation.bytes)
    }

    /// Puts the file aside under the number of its last line.
    fn rotate(&mut self) -> io::Result<()> {
        let aside = with_suffix(&self.path, &format!(".{:012}", self.head.seq));
        fs::rename(&self.path, &aside)?;
        let fresh = append(&self.path)?;
        fresh.lock()?;
        File::open(self.path.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new(".")))?
            .sync_all()?;
        (self.file, self.begun) = (fresh, None);
        // Another process may have been faster.
        self.catch_up()?;
        let (path, rotation) = (self.path.clone(), self.rotation.clone());
        std::thread::spawn(move || {
            if let Err(error) = tidy(&path, &rotation) {
                tracing::warn!(%error, "the audit's old files could not be compressed or removed");
            }
        });
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Compresses what was put aside, and removes what is too old.
fn tidy(path: &Path, rotation: &Rotation) -> io::Result<()> {
    for aside in asides(path)? {
        let is_new = aside.extension().is_none_or(|extension| extension != "gz");
        if rotation.compress && is_new {
            // One at a time, of all processes; who was slower finds it gone.
            let locked = File::open(&aside)?;
            locked.lock()?;
            if !aside.exists() {
                continue;
            }
            let (fresh, packed) = (with_suffix(&aside, ".gz.new"), with_suffix(&aside, ".gz"));
            let out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
            let modified = fs::metadata(&aside)?.modified()?;
            let mut out = GzEncoder::new(out, Compression::default());
            io::copy(&mut File::open(&aside)?, &mut out)?;
            let out = out.finish()?;
            out.set_modified(modified)?;
            out.sync_all()?;
            fs::rename(&fresh, &packed)?;
            fs::remove_file(&aside)?;
        }
    }
    let Some(keep) = rotation.keep else { return Ok(()) };
    for aside in asides(path)? {
        let age = fs::metadata(&aside)?.modified()?.elapsed().unwrap_or_default();
        if age > keep {
            fs::remove_file(&aside)?;
        }
    }
    Ok(())
}

/// The files that were put aside, the oldest first.
pub(super) fn asides(path: &Path) -> io::Result<Vec<PathBuf>> {
    let directory = path.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = format!("{}.", path.file_name().unwrap_or_default().to_string_lossy());
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let Ok(own) = entry.file_name().into_string() else { continue };
        let Some(rest) = own.strip_prefix(&name) else { continue };
        let number = rest.strip_suffix(".gz").unwrap_or(rest);
        if number.len() >= 12 && number.bytes().all(|byte| byte.is_ascii_digit()) {
            found.push((number.to_owned(), entry.path()));
        }
    }
    found.sort();
    // While one is being compressed, it is there twice.
    found.dedup_by(|(a, _), (b, _)| a == b);
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// The lines of a file.
pub(super) fn lines(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let file = File::open(path)?;
    Ok(match path.extension().is_some_and(|extension| extension == "gz") {
        true => Box::new(BufReader::new(MultiGzDecoder::new(file))),
        false => Box::new(BufReader::new(file)),
    })
}

/// Where what was put aside last ends.
fn last_of(path: &Path) -> io::Result<Option<Head>> {
    let Some(aside) = asides(path)?.pop() else { return Ok(None) };
    let mut last = None;
    for line in lines(&aside)?.lines() {
        let line = line?;
        if !line.is_empty() {
            last = Some(line);
        }
    }
    let line = last.and_then(|text| Line::read(&text).ok());
    Ok(line.map(|line| Head { seq: line.seq, hash: line.hash }))
}
