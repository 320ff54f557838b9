//! Prepared statements that clients share, by what they say.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use veil_sql::{Analyser, Statement, effect};

/// Names on servers begin so.
const PREFIX: &str = "ironveil_";

/// What a text leaves behind: nothing, what its statements do, or nobody knows what.
#[derive(Clone, Debug)]
pub(crate) enum Leaves {
    Nothing,
    What(Arc<[Arc<Statement>]>),
    Unknown,
}

/// A text that clients have prepared.
#[derive(Debug)]
pub(crate) struct Text {
    /// Its number, by which servers call it.
    pub(crate) number: u64,
    pub(crate) text: Box<[u8]>,
    pub(crate) types: Box<[u8]>,
    /// Settings by which the server reads its literals.
    reads_by: Box<[u8]>,
    pub(crate) leaves: Leaves,
}

impl Text {
    /// Its name on servers.
    pub(crate) fn name(&self) -> String {
        format!("{PREFIX}{}", self.number)
    }
}

impl Leaves {
    /// Of a text.
    pub(crate) fn of(analyser: &Analyser, text: &[u8]) -> Self {
        if effect::is_plain(text) {
            return Self::Nothing;
        }
        let Ok(text) = std::str::from_utf8(text) else { return Self::Unknown };
        if analyser.like(text).is_some_and(|like| like.effect == effect::Effect::default()) {
            return Self::Nothing;
        }
        analyser.analyse(text).map_or(Self::Unknown, Self::What)
    }
}

/// Whether a name is one of those that statements have on servers.
pub(crate) fn is_own(name: &[u8]) -> bool {
    name.starts_with(PREFIX.as_bytes())
}

/// All texts of a pool that a client or a server has.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    next: AtomicU64,
    hasher: RandomState,
    known: Mutex<HashMap<u64, Vec<Weak<Text>>>>,
}

/// Text, types of parameters, and settings by which the server reads its literals.
type Asked<'a> = (&'a [u8], &'a [u8], &'a [u8]);

fn find(known: &HashMap<u64, Vec<Weak<Text>>>, hash: u64, asked: Asked<'_>) -> Option<Arc<Text>> {
    let mut same = known.get(&hash)?.iter().filter_map(Weak::upgrade);
    same.find(|known| (&*known.text, &*known.types, &*known.reads_by) == asked)
}

impl Texts {
    /// The text.
    pub(crate) fn of(&self, analyser: &Analyser, asked: Asked<'_>) -> Arc<Text> {
        let hash = self.hasher.hash_one(asked);
        let (text, types, reads_by) = asked;
        let all = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = find(&all(), hash, asked) {
            return known;
        }
        let leaves = Leaves::of(analyser, text);
        let mut known = all();
        if let Some(known) = find(&known, hash, asked) {
            return known;
        }
        if known.len() == known.capacity() {
            known.retain(|_, same| {
                same.retain(|text| text.strong_count() > 0);
                !same.is_empty()
            });
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let text = Arc::new(Text {
            number,
            text: text.into(),
            types: types.into(),
            reads_by: reads_by.into(),
            leaves,
        });
        known.entry(hash).or_default().push(Arc::downgrade(&text));
        text
    }
}

/// What a server has prepared.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    known: HashMap<u64, Known>,
    clock: u64,
}

#[derive(Debug)]
struct Known {
    text: Arc<Text>,
    used: u64,
    /// The server has said that it has it.
    confirmed: bool,
    /// It has to be prepared anew.
    stale: bool,
}

/// How a statement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Has {
    Yes,
    /// It has one of that name that does not serve any more.
    Stale,
    No,
}

impl Prepared {
    /// Whether the server has a text, which is used now.
    pub(crate) fn has(&mut self, number: u64) -> Has {
        self.clock += 1;
        match self.known.get_mut(&number) {
            None => Has::No,
            Some(known) => {
                known.used = self.clock;
                if known.stale { Has::Stale } else { Has::Yes }
            }
        }
    }

    /// It has been sent.
    pub(crate) fn sent(&mut self, text: &Arc<Text>) {
        self.clock += 1;
        let known = Known { text: Arc::clone(text), used: self.clock, confirmed: false, stale: false };
        self.known.insert(text.number, known);
    }

    /// The server has it.
    pub(crate) fn confirm(&mut self, number: u64) {
        if let Some(known) = self.known.get_mut(&number) {
            known.confirmed = true;
        }
    }

    /// It serves no more.
    pub(crate) fn spoil(&mut self, number: u64) {
        if let Some(known) = self.known.get_mut(&number) {
            known.stale = true;
        }
    }

    /// Those that were sent and are not known to be there are not, but those that `still` says.
    pub(crate) fn fail(&mut self, still: impl Fn(u64) -> bool) {
        self.known.retain(|number, known| known.confirmed || still(*number));
    }

    /// All are gone, but those that `still` says.
    pub(crate) fn clear(&mut self, still: impl Fn(u64) -> bool) {
        self.known.retain(|number, _| still(*number));
    }

    /// Forgets the one that was used longest ago, if there are so many.
    pub(crate) fn evict(&mut self, most: usize) -> Option<Arc<Text>> {
        if self.known.len() < most.max(1) {
            return None;
        }
        let confirmed = self.known.iter().filter(|(_, known)| known.confirmed);
        let (number, _) = confirmed.min_by_key(|(_, known)| known.used)?;
        let number = *number;
        self.known.remove(&number).map(|known| known.text)
    }
}
