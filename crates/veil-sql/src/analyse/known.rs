//! Texts that have been analysed already.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::Cache;

use super::{Analysis, SyntaxError, analyse};
use crate::like;
use crate::statement::{Kind, Statement};

/// Texts that are longer are analysed every time.
const CACHED_TEXT_MAX: usize = 16 << 10;
const CACHED_TEXTS: usize = 4096;

/// Analyses texts and remembers the recent ones. The result depends on the text alone.
#[derive(Debug)]
pub struct Analyser {
    known: Cache<Box<str>, Analysis>,
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

    /// The statements of `text`, in order; none for an empty text.
    ///
    /// # Errors
    /// The text does not parse.
    pub fn analyse(&self, text: &str) -> Result<Arc<[Arc<Statement>]>, SyntaxError> {
        if text.len() > CACHED_TEXT_MAX {
            self.misses.fetch_add(1, Ordering::Relaxed);
            return analyse(text);
        }
        if let Some(known) = self.known.get(text) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return known;
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let fresh = analyse(text);
        self.known.insert(text.into(), fresh.clone());
        fresh
    }

    /// A statement that differs from the one of `text` at most in numbers that are compared or stored: it stands for it where nothing is done with them. `None` if that cannot be told, or the
    /// text itself is known.
    #[must_use]
    pub fn like(&self, text: &str) -> Option<Arc<Statement>> {
        if text.len() > CACHED_TEXT_MAX || self.known.peek(text).is_some() {
            return None;
        }
        match &*self.analyse(&like::like(text)?).ok()? {
            [one] if one.kind == Kind::Data => Some(Arc::clone(one)),
            _ => None,
        }
    }
}
