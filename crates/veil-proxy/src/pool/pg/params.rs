//! Parameters that a server reports.

/// Names and values, in the order in which they were reported first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Params(Vec<Param>);

type Param = (Box<[u8]>, Box<[u8]>);

/// Parameters that no client can set.
const FIXED: [&[u8]; 7] = [
    b"server_version",
    b"server_encoding",
    b"is_superuser",
    b"session_authorization",
    b"in_hot_standby",
    b"integer_datetimes",
    b"system_user",
];

impl Params {
    /// Notes a value.
    pub(crate) fn set(&mut self, name: &[u8], value: &[u8]) {
        match self.0.iter_mut().find(|(own, _)| **own == *name) {
            Some((_, own)) => *own = value.into(),
            None => self.0.push((name.into(), value.into())),
        }
    }

    /// The value of a name, however that is written.
    pub(crate) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.0.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Settings by which literals in statements are read.
    pub(crate) fn reads_by(&self) -> Vec<u8> {
        let value = |name: &str| self.get(name.as_bytes()).unwrap_or_default();
        ["TimeZone", "DateStyle", "IntervalStyle"].map(value).join(&0)
    }

    /// Those of these that `other` has otherwise.
    pub(crate) fn but<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        // They mostly stand in the same order.
        let others = self.0.iter().enumerate().filter(move |(at, entry)| other.0.get(*at) != Some(entry));
        others
            .map(|(_, (name, value))| (&**name, &**value))
            .filter(|(name, value)| other.get(name) != Some(value))
    }
}

/// Whether a client can set it.
pub(crate) fn is_settable(name: &[u8]) -> bool {
    !FIXED.contains(&name)
}
