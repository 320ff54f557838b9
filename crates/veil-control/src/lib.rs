//! For operators: the HTTP API, the audit, metrics and traces.

pub mod api;
mod audit;
pub mod auth;
mod gauges;
mod http;
mod otlp;
mod scans;

pub use api::{Api, Operations, Reloaded, Samples};
pub use audit::{Audit, Receiver, Report, Rotation, Signer, time, verify};
pub use auth::{Access, Auth, Caller, KeySource, Role, TokenSettings};
pub use gauges::Observed;
pub use otlp::{Gather, Otlp, OtlpSettings};
pub use scans::{Drift, ScanControl, ScanRefusal, ScanRequest};

/// Bytes in hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that hexadecimal digits write.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()));
    let digits: Vec<u8> = digits.collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}
