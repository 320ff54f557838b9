//! Tells which columns hold personal data, and finds such data inside of texts. Pure: it gets names and values, and gives findings.
//!
//! Decision: a class is what the name says plus what the values say, in log-odds that compete; so a failed check takes something from a clear name but does not
//! veto it, and a form that anything has finds nothing without a name. Values of real databases are often not valid.

mod cell;
mod class;
mod column;
mod date;
mod detector;
mod document;
mod evidence;
mod find;
mod finding;
mod forms;
mod lexicon;
mod list;
mod national;
mod person;
mod phone;
mod places;
mod secrets;
mod words;

pub use class::Class;
pub use column::{Column, Key, Kind};
pub use detector::Detector;
pub use find::{Care, Entity, Finder, finder};
pub use finding::{Evidence, Finding};
