//! Names with `*` and `?`, as rules write them.

use std::fmt;

/// A pattern over one name: `*` stands for any text, `?` for one character. Case counts, as in the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Matches every name.
    #[must_use]
    pub fn any() -> Self {
        Self("*".to_owned())
    }

    /// Takes `pattern` as it is.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        Self(pattern.to_owned())
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it matches every name.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.0 == "*"
    }

    /// Whether it matches all that `other` does, as far as that can be seen: what `other` leaves open stands for itself.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self == other || self.matches(&other.0) && !(self.0.contains('?') && other.0.contains('*'))
    }

    /// Whether `name` fits. Takes time in proportion to both lengths multiplied at most.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let mut reached = vec![false; name.chars().count() + 1];
        if let Some(start) = reached.first_mut() {
            *start = true;
        }
        for symbol in self.0.chars() {
            let mut next = vec![false; reached.len()];
            let mut any = false;
            for (at, (from, c)) in
                reached.iter().zip(std::iter::once(None).chain(name.chars().map(Some))).enumerate()
            {
                any |= *from;
                let before = at.checked_sub(1).and_then(|at| reached.get(at)).copied().unwrap_or(false);
                if let Some(slot) = next.get_mut(at) {
                    *slot = match symbol {
                        '*' => any,
                        '?' => before,
                        symbol => before && c == Some(symbol),
                    };
                }
            }
            reached = next;
        }
        reached.last().copied().unwrap_or(false)
    }
}

/// Whether case counts in a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// It does.
    Kept,
    /// It does not.
    Folded,
}

impl Glob {
    /// Whether `name` fits, with or without regard to case.
    #[must_use]
    pub fn fits(&self, name: &str, case: Case) -> bool {
        match case {
            Case::Kept => self.matches(name),
            Case::Folded => Self(self.0.to_lowercase()).matches(&name.to_lowercase()),
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("*", "users", true),
            ("users", "users", true),
            ("users", "user", false),
            ("users", "users2", false),
            ("*ssn*", "user_ssn_old", true),
            ("*ssn*", "sn", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("?", "é", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("", "", true),
            ("", "a", false),
            ("Users", "users", false),
        ] {
            assert_eq!(Glob::new(pattern).matches(name), expected, "{pattern} {name}");
        }
    }
}
