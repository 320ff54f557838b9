//! What one statement gives in three databases, and what that says.

use std::collections::BTreeMap;
use std::fmt;

use memchr::memmem;

use crate::proxy::CANARY;

/// All that a client is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Everything but rows, in its order.
    pub frame: Vec<Vec<u8>>,
    pub rows: Vec<Vec<u8>>,
    /// The SQLSTATE or number of an error.
    pub error: Option<String>,
}

/// What two outcomes say about the secrets in which their databases differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Nothing: they are equal.
    Equal,
    /// Nothing: the same error.
    Error,
    /// Nothing: the proxy refused both.
    Refused,
    /// The order of rows, which an index or a hash table gave.
    Order,
    /// Whether there is an error, or which.
    ErrorBit,
    /// Two databases without a difference answered differently.
    Unstable,
    /// The server died of it, without and with a proxy.
    Crash,
    /// Data.
    Leak,
}

/// Compares what two databases that differ in secrets answered, and a third one that does not differ from the first.
pub fn classify(one: &Outcome, other: &Outcome, control: &Outcome, refusal: &str) -> Class {
    match (&one.error, &other.error) {
        _ if !alike(one, control) => Class::Unstable,
        (Some(first), Some(second)) if first == second && first == refusal => Class::Refused,
        (Some(first), Some(second)) if first == second => Class::Error,
        (Some(_), _) | (_, Some(_)) => Class::ErrorBit,
        _ if one == other => Class::Equal,
        _ if alike(one, other) => Class::Order,
        _ => Class::Leak,
    }
}

/// Whether two outcomes differ in the order of rows at most.
fn alike(one: &Outcome, other: &Outcome) -> bool {
    one == other || (one.frame == other.frame && sorted(one) == sorted(other))
}

fn sorted(outcome: &Outcome) -> Vec<&[u8]> {
    let mut rows: Vec<&[u8]> = outcome.rows.iter().map(Vec::as_slice).collect();
    rows.sort_unstable();
    rows
}

/// Whether the bytes hold the marker of a secret in any of the ways in which it may be written.
pub fn holds_canary(bytes: &[u8]) -> bool {
    let marker = CANARY.as_bytes();
    let hex: String = marker.iter().map(|byte| format!("{byte:02x}")).collect();
    let half = &hex[4..hex.len() - 4];
    let reversed: Vec<u8> = marker.iter().rev().copied().collect();
    // Between two letters in UTF-16 stands a zero, whichever byte comes first.
    let wide: Vec<u8> = marker.iter().flat_map(|byte| [0, *byte]).skip(1).collect();
    // The middle of base64 at each of the three places where a marker may begin.
    let coded = ["enFjYW5hcn", "pxY2FuYXJ5", "6cWNhbmFye"].map(str::as_bytes);
    let lower = bytes.to_ascii_lowercase();
    let has = |hay: &[u8], needle: &[u8]| memmem::find(hay, needle).is_some();
    has(&lower, marker)
        || has(&lower, half.as_bytes())
        || has(&lower, &reversed)
        || has(&lower, &wide)
        || coded.iter().any(|code| has(bytes, &code[..code.len() - 1]))
}

/// Counts, as they are printed.
#[derive(Debug, Default)]
pub struct Tally {
    pub statements: usize,
    pub touching: usize,
    pub classes: BTreeMap<Class, usize>,
    /// Of the statements that were run on the servers themselves: how many, how many did not fail, and how many answers differed.
    pub direct: usize,
    pub valid: usize,
    pub telling: usize,
    /// Of the valid ones that hold nothing sensitive: how many, and how many came as the server gave them.
    pub harmless: usize,
    pub untouched: usize,
    /// Of the valid ones that hold something sensitive: how many, and how many ran.
    pub sensitive: usize,
    pub ran: usize,
}

impl Tally {
    pub fn add(&mut self, class: Class) {
        *self.classes.entry(class).or_default() += 1;
    }

    pub fn count(&self, class: Class) -> usize {
        self.classes.get(&class).copied().unwrap_or_default()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
        writeln!(f, "{} statements, {} of them over tables with secrets", self.statements, self.touching)?;
        for (class, count) in &self.classes {
            writeln!(f, "  {class:?}: {count}")?;
        }
        let compared = self.count(Class::Equal) + self.count(Class::Order);
        writeln!(f, "  bound on the rate of leaks (95 %): {:.4} %", 300.0 / compared.max(1) as f64)?;
        writeln!(
            f,
            "  without the proxy: {} run, {} valid, {} of these answers ({:.1} %) tell secrets",
            self.direct,
            self.valid,
            self.telling,
            share(self.telling, self.valid)
        )?;
        writeln!(
            f,
            "  valid and harmless: {}, as the server gave them {:.2} %",
            self.harmless,
            share(self.untouched, self.harmless)
        )?;
        write!(f, "  valid and sensitive: {}, run {:.2} %", self.sensitive, share(self.ran, self.sensitive))
    }
}

#[test]
fn canaries_are_found_however_they_are_written() {
    for written in [
        "zqcanary",
        "ZQCanary",
        "x7a7163616e617279",
        "yranacqz",
        "enFjYW5hcnkx",
        "YXpxY2FuYXJ5MQ==",
        "YWF6cWNhbmFyeTE=",
    ] {
        assert!(holds_canary(written.as_bytes()), "{written}");
    }
    assert!(holds_canary(b"\0z\0q\0c\0a\0n\0a\0r\0y"));
    assert!(holds_canary(b"z\0q\0c\0a\0n\0a\0r\0y\0"));
    assert!(!holds_canary(b"zqcan ary"));
}
