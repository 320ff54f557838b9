//! Masks the cells of PostgreSQL's and MySQL's rows: a `Strategy` says what a value becomes, a `Masker` binds it to a key, a
//! `ColumnMask` or `MySqlColumn` rewrites the cells of one result column in the format that the client asked for.
//!
//! Decision: a mask is a pure function of key and value. There is no randomness, nothing that a cell's mask takes from another, and no
//! table of originals, so that equal values stay equal across rows, tables and sessions, in both wire formats, and
//! nothing here can be stolen but the key. What cannot be masked truthfully becomes NULL; the input is never a
//! fallback.
//!
//! Not done here: deciding which columns to mask, and any I/O. Text is expected in UTF-8; other client encodings
//! become NULL as soon as they are not valid UTF-8.

mod array;
pub mod charset;
mod date;
mod digits;
mod ff1;
mod fixed;
mod function;
mod inet;
mod key;
mod kind;
mod masker;
mod mysql;
mod number;
mod numeric;
mod other;
mod permutation;
mod point;
mod row;
mod scan;
mod shown;
mod strategy;
mod translate;
mod unmaskable;

pub use function::canaries_met;
pub use key::{KeyError, RootKey};
pub use masker::{Cell, ColumnMask, Masker};
pub use mysql::{MySqlColumn, moment_text};
pub use other::Other;
pub use scan::{Scan, unclassified_met};
pub use shown::Shown;
pub use strategy::{
    Finders, Function, Guarantee, Param, Parameter, ParameterKind, Strategy, StrategyError, Tag, Takes,
};
pub use translate::{Given, NoMask, Use};
pub use unmaskable::unmaskable_met;

#[cfg(test)]
mod tests;
