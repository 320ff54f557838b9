//! `json`: masks what stands at given paths of a document, each by a function of its own, and leaves the rest as it is written: order, blanks and
//! numbers.
//!
//! Paths are of JSONPath (RFC 9535): `$`, `.name`, `['name']`, `[0]`, `[*]`, `.*` and `..name`. Where a path leads to an array or an object, all values in it
//! are masked, but not the names in it. A longer path goes before a shorter one. A value has the mask that a column of it would have. What has no mask is null.

use std::sync::Arc;

use super::{At, Mask};
use crate::kind::{Kind, Limit, Precision};
use crate::masker::Bound;
use crate::strategy::Strategy;

#[derive(Debug)]
pub(crate) struct Json {
    pub(crate) paths: Vec<Path>,
    pub(crate) functions: Vec<Strategy>,
    pub(crate) otherwise: Otherwise,
}

/// What becomes of values to which no path leads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Otherwise {
    Keep,
    Null,
}

choice!(Otherwise, "keep" => Keep, "null" => Null);

/// A way through a document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Name(String),
    Index(usize),
    Any,
    /// As many steps as there are.
    Deep,
}

/// Levels of a document, and steps of a path.
const DEPTH_MAX: usize = 128;

/// JSON numbers have no limits.
const NUMBER: Kind = Kind::Numeric(Precision { integer_digits: 131_072, scale: 16_383 });

impl std::str::FromStr for Path {
    type Err = ();

    fn from_str(path: &str) -> Result<Self, ()> {
        let mut rest = path.strip_prefix('$').ok_or(())?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(deep) = rest.strip_prefix("..") {
                steps.push(Step::Deep);
                rest = if deep.starts_with('[') { deep } else { rest.get(1..).ok_or(())? };
                continue;
            }
            rest = if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let (name, after) = after.split_at_checked(end).ok_or(())?;
                steps.push(match name {
                    "" => return Err(()),
                    "*" => Step::Any,
                    name => Step::Name(name.to_owned()),
                });
                after
            } else {
                let (inside, after) =
                    rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).ok_or(())?;
                steps.push(match inside.trim() {
                    "*" => Step::Any,
                    text => match quoted(text) {
                        Some(name) => Step::Name(name.to_owned()),
                        None => Step::Index(text.parse().map_err(|_| ())?),
                    },
                });
                after
            };
        }
        let deep = |pair: &[Step]| pair == [Step::Deep, Step::Deep];
        let wrong =
            steps.len() > DEPTH_MAX || steps.last() == Some(&Step::Deep) || steps.windows(2).any(deep);
        if wrong { Err(()) } else { Ok(Self(steps)) }
    }
}

/// Whether steps lead to a place, or to what it is in.
fn leads(steps: &[Step], place: &[Step]) -> bool {
    match steps.split_first() {
        None => true,
        Some((Step::Deep, rest)) => {
            (0..=place.len()).any(|skipped| place.get(skipped..).is_some_and(|place| leads(rest, place)))
        }
        Some((step, rest)) => place
            .split_first()
            .is_some_and(|(found, place)| (*step == Step::Any || step == found) && leads(rest, place)),
    }
}

fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text.strip_prefix(quote)?.strip_suffix(quote).filter(|name| !name.contains(['\\', quote]))
}

impl Mask for Json {
    fn inner(&self) -> &[Strategy] {
        &self.functions
    }

    fn covers(&self, path: Option<&str>) -> bool {
        let path = path.and_then(|path| path.parse::<Path>().ok());
        self.otherwise == Otherwise::Null
            || path.is_some_and(|path| self.paths.iter().any(|known| leads(&known.0, &path.0)))
    }

    fn document(&self, at: &At<'_>, document: &str, out: &mut Vec<u8>) -> Option<()> {
        let ways = (0..self.paths.len()).map(|path| (path, 0)).collect();
        let mut walk = Walk { json: self, inner: at.inner, rest: document };
        walk.value(ways, None, 0, out)?;
        walk.blank(out);
        walk.rest.is_empty().then_some(())
    }

    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        let start = out.len();
        self.document(at, text, out)?;
        let fits = at.limit.fits(std::str::from_utf8(out.get(start..)?).ok()?);
        if !fits {
            out.truncate(start);
        }
        fits.then_some(())
    }
}

/// A document that is being read.
struct Walk<'a> {
    json: &'a Json,
    inner: &'a [Arc<Bound>],
    rest: &'a str,
}

/// Paths that may lead on from here, and how many of their steps have been made.
type Ways = Vec<(usize, usize)>;

impl<'a> Walk<'a> {
    /// A value; `by` masks all that is in it.
    fn value(&mut self, ways: Ways, by: Option<&'a Bound>, depth: usize, out: &mut Vec<u8>) -> Option<()> {
        self.blank(out);
        let ended = ways
            .iter()
            .find(|(path, made)| self.json.paths.get(*path).is_some_and(|path| path.0.len() == *made));
        // The longest path decides.
        let by = ended.and_then(|(path, _)| self.inner.get(*path).map(Arc::as_ref)).or(by);
        match self.rest.bytes().next()? {
            _ if depth > DEPTH_MAX => None,
            b'{' => self.members('}', &ways, by, depth, out),
            b'[' => self.members(']', &ways, by, depth, out),
            b'"' => {
                let token = self.string()?;
                let text: String = serde_json::from_str(token).ok()?;
                self.leaf(token, Kind::Text(Limit::NONE), &text, by, out)
            }
            _ => {
                let end = self.rest.find([',', ']', '}', ' ', '\t', '\n', '\r']).unwrap_or(self.rest.len());
                let token = self.take(end)?;
                match token {
                    "null" => out.extend(b"null"),
                    "true" | "false" => self.leaf(token, Kind::Bool, token, by, out)?,
                    number => {
                        serde_json::from_str::<serde_json::Number>(number).ok()?;
                        self.leaf(token, NUMBER, number, by, out)?;
                    }
                }
                Some(())
            }
        }
    }

    /// What is between brackets or braces.
    fn members(
        &mut self,
        end: char,
        ways: &Ways,
        by: Option<&'a Bound>,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        out.extend(self.take(1)?.as_bytes());
        self.blank(out);
        for index in 0.. {
            if index == 0 && self.rest.starts_with(end) {
                break;
            }
            self.blank(out);
            let name = if end == '}' {
                let token = self.string()?;
                out.extend(token.as_bytes());
                self.blank(out);
                self.punctuation(':', out)?;
                Some(serde_json::from_str::<String>(token).ok()?)
            } else {
                None
            };
            let next = self.led_on(ways, name.as_deref(), index);
            self.value(next, by, depth + 1, out)?;
            self.blank(out);
            if self.rest.starts_with(end) {
                break;
            }
            self.punctuation(',', out)?;
        }
        out.extend(self.take(1)?.as_bytes());
        Some(())
    }

    /// The paths that lead to a member.
    fn led_on(&self, ways: &Ways, name: Option<&str>, index: usize) -> Ways {
        let mut next: Ways = Vec::new();
        let mut lead = |way| {
            if !next.contains(&way) {
                next.push(way);
            }
        };
        for (path, made) in ways {
            let steps = self.json.paths.get(*path).map_or(&[][..], |path| &path.0);
            let mut made = *made;
            if steps.get(made) == Some(&Step::Deep) {
                lead((*path, made));
                made += 1;
            }
            let fits = match steps.get(made) {
                Some(Step::Name(wanted)) => name == Some(wanted),
                Some(Step::Index(wanted)) => name.is_none() && index == *wanted,
                Some(Step::Any) => true,
                Some(Step::Deep) | None => false,
            };
            if fits {
                lead((*path, made + 1));
            }
        }
        next
    }

    /// A text, number or truth value.
    fn leaf(&self, token: &str, kind: Kind, text: &str, by: Option<&Bound>, out: &mut Vec<u8>) -> Option<()> {
        let Some(bound) = by else {
            let kept = self.json.otherwise == Otherwise::Keep;
            out.extend(if kept { token } else { "null" }.as_bytes());
            return Some(());
        };
        let mut masked = Vec::new();
        match bound.value(kind, text, &mut masked) {
            None => out.extend(b"null"),
            Some(()) => match kind {
                Kind::Bool => out.extend(if masked == b"t" { &b"true"[..] } else { b"false" }),
                Kind::Numeric(_) => out.extend(masked),
                _ => serde_json::to_writer(out, std::str::from_utf8(&masked).ok()?).ok()?,
            },
        }
        Some(())
    }

    /// A string with its quotes.
    fn string(&mut self) -> Option<&'a str> {
        let mut bytes = self.rest.bytes().enumerate();
        bytes.next().filter(|(_, byte)| *byte == b'"')?;
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'"' => return self.take(at + 1),
                b'\\' => drop(bytes.next()),
                _ => {}
            }
        }
        None
    }

    fn punctuation(&mut self, wanted: char, out: &mut Vec<u8>) -> Option<()> {
        out.extend(self.take(1).filter(|found| found.starts_with(wanted))?.as_bytes());
        Some(())
    }

    fn blank(&mut self, out: &mut Vec<u8>) {
        let end = self.rest.find(|c: char| !matches!(c, ' ' | '\t' | '\n' | '\r')).unwrap_or(self.rest.len());
        out.extend(self.take(end).unwrap_or_default().as_bytes());
    }

    fn take(&mut self, end: usize) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        Some(taken)
    }
}
