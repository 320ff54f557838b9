//! Texts that have been analysed already.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::Cache;

use super::analyse::{Analysis, Result, analyse};
use super::lexer::Mode;
use super::statement::Kind;
use crate::like;

/// Texts that are longer are analysed every time.
const CACHED_TEXT_MAX: usize = 16 << 10;
const CACHED_TEXTS: usize = 4096;

/// Analyses texts and remembers the recent ones. The result depends on the text and the mode alone.
#[derive(Debug)]
pub struct Analyser {
    known: Cache<(Mode, Box<str>), Result>,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Default for Analyser {
    fn default() -> Self {
        Self { known: Cache::new(CACHED_TEXTS), hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }
}

impl Analyser {
    /// How many texts were known, and how many were not.
    #[must_use]
    pub fn met(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }

    /// The statements of `text`; none for an empty text.
    ///
    /// # Errors
    /// It cannot be cut into tokens.
    pub fn analyse(&self, text: &str, mode: Mode) -> Result {
        if text.len() > CACHED_TEXT_MAX {
            self.misses.fetch_add(1, Ordering::Relaxed);
            return analyse(text, mode);
        }
        let key = (mode, text.into());
        if let Some(known) = self.known.get(&key) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return known;
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let fresh = analyse(text, mode);
        self.known.insert(key, fresh.clone());
        fresh
    }

    /// The analysis of a statement that differs from `text` at most in numbers that are compared or stored: it stands for that of `text` where nothing is done with
    /// them. `None` if that cannot be told, or `text` itself is known.
    #[must_use]
    pub fn like(&self, text: &str, mode: Mode) -> Option<Arc<Analysis>> {
        if text.len() > CACHED_TEXT_MAX || self.known.peek(&(mode, text.into())).is_some() {
            return None;
        }
        let analysis = self.analyse(&like::like_mysql(text)?, mode).ok()?;
        let plain = analysis.rewritten.is_none()
            && matches!(analysis.statements.as_slice(), [one] if one.kind == Kind::Data);
        plain.then_some(analysis)
    }
}
