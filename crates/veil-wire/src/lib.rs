//! Wire codecs without input or output: bytes in, views and bytes out.
//!
//! Decision: no message objects for data. A header says what a message is; only messages that the proxy has
//! to understand are decoded, as views into the bytes that arrived. What a client sends and what a server
//! sends are different types (`command`, `reply`), so that one cannot be taken for the other.

pub mod cursor;
pub mod mysql;
pub mod pg;

pub use cursor::{Cursor, Malformed};
