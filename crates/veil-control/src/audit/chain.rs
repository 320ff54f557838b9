//! What makes it show that a line was changed, removed or moved: each has the hash of the one before, and from time to time one is signed.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::hex;

/// Before the first line.
pub(crate) const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// The event of a line that is signed.
pub(crate) const CHECKPOINT: &str = "checkpoint";

/// Keys of a line that is signed: number, time, event, signature, and two hashes.
const CHECKPOINT_KEYS: usize = 6;

/// Where a chain is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Number of the last line.
    pub(crate) seq: u64,
    /// Its hash.
    pub(crate) hash: String,
}

impl Default for Head {
    fn default() -> Self {
        Self { seq: 0, hash: BEGINNING.to_owned() }
    }
}

/// Signs checkpoints.
pub struct Signer(Ed25519KeyPair);

impl Signer {
    /// From 32 secret bytes; `None` if they are fewer or more.
    #[must_use]
    pub fn new(seed: &[u8]) -> Option<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed).ok().map(Self)
    }

    /// What its signatures are verified by, in hexadecimal digits.
    #[must_use]
    pub fn public_key(&self) -> String {
        hex(self.0.public_key().as_ref())
    }
}

/// A line: what it holds, in order; then its hash.
pub(crate) fn seal(head: &mut Head, line: &Map<String, Value>, signer: Option<&Signer>) -> String {
    let seq = head.seq + 1;
    let held = serde_json::to_string(line).unwrap_or_default();
    let held = held.strip_prefix('{').and_then(|held| held.strip_suffix('}')).unwrap_or_default();
    let signs = line.get("event").is_some_and(|event| event == CHECKPOINT);
    let signature = match signer.filter(|_| signs) {
        Some(signer) => {
            let signature = signer.0.sign(signed(seq, &head.hash, line.get("time")).as_bytes());
            format!(r#","signature":"{}""#, hex(signature.as_ref()))
        }
        None => String::new(),
    };
    let prev = &head.hash;
    let mut text = format!(r#"{{"seq":{seq},{held}{signature},"prev":"{prev}"}}"#);
    let hash = hash(&text);
    text.pop();
    text.push_str(&format!(r#","hash":"{hash}"}}"#));
    *head = Head { seq, hash };
    text
}

fn hash(text: &str) -> String {
    hex(&Sha256::digest(text))
}

/// What a checkpoint signs: all lines before it, and when.
fn signed(seq: u64, prev: &str, time: Option<&Value>) -> String {
    format!("ironveil audit checkpoint {seq} {prev} {}", time.and_then(Value::as_str).unwrap_or_default())
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is none that was written.
    Unreadable,
    /// It is another than was written.
    Changed,
    /// That before it is another, or does not follow it.
    Broken { expected: u64, found: u64 },
    /// It is signed by somebody else.
    Signature,
    /// It is the first, and no checkpoint.
    Beginning,
    /// So many lines before it are not signed.
    Unsigned(u64),
}

/// A line that was read.
pub(crate) struct Line {
    pub(crate) seq: u64,
    pub(crate) prev: String,
    pub(crate) hash: String,
    pub(crate) checkpoint: bool,
    pub(crate) all: Map<String, Value>,
}

impl Line {
    /// Reads a line, and whether it is what was written.
    pub(crate) fn read(text: &str) -> Result<Self, Fault> {
        let Ok(Value::Object(all)) = serde_json::from_str(text) else { return Err(Fault::Unreadable) };
        let word = |name: &str| all.get(name).and_then(Value::as_str).map(str::to_owned);
        let seq = all.get("seq").and_then(Value::as_u64);
        let (Some(seq), Some(prev), Some(own)) = (seq, word("prev"), word("hash")) else {
            return Err(Fault::Unreadable);
        };
        let body = text.strip_suffix(&format!(r#","hash":"{own}"}}"#)).ok_or(Fault::Unreadable)?;
        if hash(&format!("{body}}}")) != own {
            return Err(Fault::Changed);
        }
        let checkpoint = all.get("event").is_some_and(|event| event == CHECKPOINT);
        // There is nothing else in what is signed, and nothing twice.
        let written = || serde_json::to_string(&all).unwrap_or_default();
        if checkpoint && (all.len() > CHECKPOINT_KEYS || written() != text) {
            return Err(Fault::Unreadable);
        }
        Ok(Self { seq, prev, hash: own, checkpoint, all })
    }

    /// Whether it follows one that ended so, and is signed by one of these keys if it is signed.
    pub(crate) fn follows(&self, head: &Head, public_keys: &[Vec<u8>]) -> Result<(), Fault> {
        if self.seq != head.seq + 1 || self.prev != head.hash {
            return Err(Fault::Broken { expected: head.seq + 1, found: self.seq });
        }
        self.is_signed(public_keys)
    }

    /// Whether it is signed by one of these keys, if it is one that is signed and there are any.
    pub(crate) fn is_signed(&self, public_keys: &[Vec<u8>]) -> Result<(), Fault> {
        if !self.checkpoint || public_keys.is_empty() {
            return Ok(());
        }
        let signature = self.all.get("signature").and_then(Value::as_str).and_then(crate::unhex);
        let signature = signature.ok_or(Fault::Signature)?;
        let signed = signed(self.seq, &self.prev, self.all.get("time"));
        let by = |key: &Vec<u8>| {
            UnparsedPublicKey::new(&ED25519, key).verify(signed.as_bytes(), &signature).is_ok()
        };
        if public_keys.iter().any(by) { Ok(()) } else { Err(Fault::Signature) }
    }
}
