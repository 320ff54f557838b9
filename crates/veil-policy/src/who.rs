//! Whom a rule is for, and when.
//!
//! Decision: whoever a session is of is looked at once, when it begins, and again when an hour or a day ends that a rule names. What a client says of itself
//! (its application's name) may only hide more, which the configuration checks: such a rule shows nothing at all, and nobody is left out of one by it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::glob::Glob;

/// Who a session is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The name that was signed in with.
    pub user: String,
    /// Where it comes from; `None` if that is not asked for.
    pub address: Option<IpAddr>,
    /// What the client calls itself; empty if it does not.
    pub application: String,
    /// The name by which the server knows it, whose roles it has.
    pub upstream: String,
    /// The names in the certificate that the client has shown.
    pub certificate: Vec<String>,
}

impl Principal {
    /// A user of whom nothing else is known.
    #[must_use]
    pub fn user(name: &str) -> Self {
        let (application, certificate) = (String::new(), Vec::new());
        Self { user: name.to_owned(), address: None, application, upstream: name.to_owned(), certificate }
    }
}

/// Whom a rule is for: those for whom all of this holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Who {
    /// One of these users; anybody if there are none.
    pub users: Vec<Glob>,
    /// Members of one of these roles, by the server's catalog.
    pub roles: Vec<String>,
    /// From one of these networks.
    pub networks: Vec<Network>,
    /// With one of these names of applications.
    pub applications: Vec<Glob>,
    /// With one of these names in the certificate that it has shown.
    pub certificates: Vec<Glob>,
    /// At this time.
    pub time: Option<Window>,
    /// But not those for whom all of this holds.
    pub except: Option<Box<Self>>,
}

/// Addresses that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl std::str::FromStr for Network {
    type Err = ();

    /// Reads `10.0.0.0/8`, or one address.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| ())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits: u32 = bits.map_or(Ok(most), str::parse).map_err(|_| ())?;
        if bits > most {
            return Err(());
        }
        // Clients that come by IPv6 from an address of IPv4 are taken for the latter.
        match address.to_canonical() {
            canonical if canonical == address => Ok(Self { address, bits }),
            address => Ok(Self { address, bits: bits.checked_sub(96).ok_or(())? }),
        }
    }
}

impl Network {
    fn holds(&self, address: IpAddr) -> bool {
        let (own, other, width) = match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (u128::from(own.to_bits()), u128::from(other.to_bits()), 32)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits(), other.to_bits(), 128),
            _ => return false,
        };
        let shift = width - self.bits;
        shift == 128 || own >> shift == other >> shift
    }
}

/// Hours of some days of the week, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Minute of the day with which it begins.
    pub from: u32,
    /// Minute of the day with which it ends; it goes on over midnight if that is not later.
    pub to: u32,
    /// The days on which it begins, from Monday.
    pub days: [bool; 7],
}

const DAY_MINUTES: u64 = 24 * 60;

impl Window {
    fn holds(&self, now: SystemTime) -> bool {
        let minutes = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / 60;
        // The first of January 1970 was a Thursday.
        let day =
            |days: u64| usize::try_from((days + 3) % 7).ok().and_then(|day| self.days.get(day)).copied();
        let (today, minute) = (minutes / DAY_MINUTES, minutes % DAY_MINUTES);
        let (from, to) = (u64::from(self.from), u64::from(self.to));
        let on = |day: Option<bool>| day == Some(true);
        if from < to {
            return on(day(today)) && (from..to).contains(&minute);
        }
        (minute >= from && on(day(today))) || (minute < to && on(day(today + 6)))
    }
}

/// A day, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(u64);

impl std::str::FromStr for Day {
    type Err = ();

    /// Reads `2026-12-31`, from 1970 on.
    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = |part: Option<&str>, length| {
            part.filter(|part| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|part| part.parse::<u64>().ok())
                .ok_or(())
        };
        let mut parts = text.split('-');
        let (year, month, day) =
            (digits(parts.next(), 4)?, digits(parts.next(), 2)?, digits(parts.next(), 2)?);
        let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
        let last = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        if parts.next().is_some() || year < 1970 || !(1..=12).contains(&month) || !(1..=last).contains(&day) {
            return Err(());
        }
        // Years that begin in March, so that the leap day comes last.
        let from_march = year - u64::from(month < 3);
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        Ok(Self(365 * from_march + from_march / 4 - from_march / 100 + from_march / 400 + of_year - 719_468))
    }
}

impl Day {
    /// Its first moment.
    pub(crate) fn start(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0 * 86_400)
    }

    /// Whether it is over.
    pub(crate) fn is_over(self, now: SystemTime) -> bool {
        now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / 86_400 > self.0
    }
}

/// Whether something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Holds {
    No,
    /// It depends on what is not known.
    Perhaps,
    Yes,
}

/// What conditions are looked at by.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) principal: &'a Principal,
    /// `None` if any time is meant.
    pub(crate) now: Option<SystemTime>,
    /// Whether the user is a member of a role.
    pub(crate) member: Option<&'a dyn Fn(&str) -> bool>,
}

impl Who {
    /// Whether it is for the user, as far as that is known.
    pub(crate) fn holds(&self, facts: Facts<'_>) -> Holds {
        let Facts { principal, now, member } = facts;
        let sure = |holds: bool| if holds { Holds::Yes } else { Holds::No };
        let any = |globs: &[Glob], name: &str| {
            sure(globs.is_empty() || globs.iter().any(|glob| glob.matches(name)))
        };
        let network = match principal.address {
            _ if self.networks.is_empty() => Holds::Yes,
            Some(address) => sure(self.networks.iter().any(|network| network.holds(address))),
            None => Holds::Perhaps,
        };
        let time = match (&self.time, now) {
            (None, _) => Holds::Yes,
            (Some(window), Some(now)) => sure(window.holds(now)),
            (Some(_), None) => Holds::Perhaps,
        };
        let role = match member {
            _ if self.roles.is_empty() => Holds::Yes,
            Some(member) => sure(self.roles.iter().any(|role| member(role))),
            None => Holds::Perhaps,
        };
        let except = match self.except.as_ref().map(|except| except.holds(facts)) {
            None | Some(Holds::No) => Holds::Yes,
            Some(Holds::Perhaps) => Holds::Perhaps,
            Some(Holds::Yes) => Holds::No,
        };
        let shown = |glob: &Glob| principal.certificate.iter().any(|name| glob.matches(name));
        let all = [
            sure(self.certificates.is_empty() || self.certificates.iter().any(shown)),
            any(&self.users, &principal.user),
            any(&self.applications, &principal.application),
            network,
            time,
            role,
            except,
        ];
        all.into_iter().min().unwrap_or(Holds::Yes)
    }

    /// The roles of which a user needs one, any if there are none, and those of which he may have none, if these alone decide.
    fn by_role(&self, facts: Facts<'_>) -> Option<(Vec<String>, Vec<String>)> {
        let without_roles = |who: &Self| Self { roles: Vec::new(), except: None, ..who.clone() };
        let rest = |who: &Self| without_roles(who).holds(facts);
        let none = match &self.except {
            None => Vec::new(),
            Some(except) => match rest(except) {
                Holds::No => Vec::new(),
                Holds::Yes => except.roles.clone(),
                Holds::Perhaps => return None,
            },
        };
        (rest(self) == Holds::Yes).then(|| (self.roles.clone(), none))
    }

    /// Whether a client's own word counts.
    pub(crate) fn asks_the_client(&self) -> bool {
        !self.applications.is_empty() || self.except.as_ref().is_some_and(|except| except.asks_the_client())
    }

    /// Whether nobody is left out by what a client says of itself.
    pub(crate) fn excepts_no_applications(&self) -> bool {
        self.except.as_ref().is_none_or(|except| !except.asks_the_client())
    }

    /// Whether time or the server's catalog decides as well.
    pub(crate) fn may_change(&self) -> bool {
        self.time.is_some()
            || !self.roles.is_empty()
            || self.except.as_ref().is_some_and(|except| except.may_change())
    }
}

/// Which rules are for one session, as long as nothing changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rights {
    /// The policy that they are of: what is made by them holds for no other.
    pub(crate) policy: u64,
    /// Whose roles count; empty if none do.
    pub(crate) user: Arc<str>,
    /// For each rule.
    pub(crate) rules: Arc<[InForce]>,
}

/// Whether a rule is for a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum InForce {
    No,
    Yes,
    /// If the user has one of these roles, and none of those.
    ByRole {
        one: Vec<String>,
        none: Vec<String>,
    },
}

impl InForce {
    /// What is known of a rule; what is not known masks, and does not unmask.
    pub(crate) fn new(who: &Who, holds: Holds, facts: Facts<'_>, masks: bool) -> Self {
        match holds {
            Holds::Yes => Self::Yes,
            Holds::No => Self::No,
            Holds::Perhaps => match who.by_role(facts) {
                Some((one, none)) => Self::ByRole { one, none },
                None if masks => Self::Yes,
                None => Self::No,
            },
        }
    }
}

/// Who has signed in, and when: what time it is says which rules are in force.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who it is.
    pub principal: Principal,
    /// The time at which `began` was measured.
    pub since: SystemTime,
    /// When that was.
    pub began: std::time::Instant,
}

impl SignedIn {
    /// The time at a moment.
    #[must_use]
    pub fn time(&self, now: std::time::Instant) -> SystemTime {
        self.since + now.saturating_duration_since(self.began)
    }
}

/// Rights are looked at again so often, if they may change.
pub const RIGHTS_INTERVAL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: &str, hour: u64, minute: u64) -> SystemTime {
        let Day(days) = day.parse().unwrap();
        UNIX_EPOCH + Duration::from_secs(days * 86_400 + hour * 3600 + minute * 60)
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (text, day) in
            [("1970-01-01", 0), ("1970-03-01", 59), ("2000-02-29", 11_016), ("2026-12-31", 20_818)]
        {
            assert_eq!(text.parse(), Ok(Day(day)), "{text}");
        }
        for text in [
            "2026-02-29",
            "2026-13-01",
            "2026-00-01",
            "26-01-01",
            "2026-01-01-",
            "2026-1-01",
            "1969-12-31",
            "",
        ] {
            assert_eq!(text.parse::<Day>(), Err(()), "{text}");
        }
        let day: Day = "2026-12-31".parse().unwrap();
        assert!(!day.is_over(at("2026-12-31", 23, 59)) && day.is_over(at("2027-01-01", 0, 0)));
    }

    #[test]
    fn windows_go_on_over_midnight() {
        let workdays = [true, true, true, true, true, false, false];
        let office = Window { from: 8 * 60, to: 18 * 60, days: workdays };
        let night = Window { from: 22 * 60, to: 6 * 60, days: workdays };
        // 2026-11-27 is a Friday.
        for (window, day, hour, holds) in [
            (office, "2026-11-27", 8, true),
            (office, "2026-11-27", 17, true),
            (office, "2026-11-27", 18, false),
            (office, "2026-11-28", 12, false),
            (night, "2026-11-27", 23, true),
            (night, "2026-11-28", 5, true),
            (night, "2026-11-28", 6, false),
            (night, "2026-11-28", 23, false),
            (night, "2026-11-30", 5, false),
        ] {
            assert_eq!(window.holds(at(day, hour, 0)), holds, "{day} {hour}");
        }
    }

    #[test]
    fn networks_hold_addresses() {
        for (network, address, holds) in [
            ("10.0.0.0/8", "10.200.3.4", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true),
            ("10.1.2.3", "10.1.2.3", true),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "::1", true),
            ("::/0", "1.2.3.4", false),
            ("::ffff:10.0.0.0/104", "10.1.1.1", true),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.holds(address.parse().unwrap()), holds, "{network:?} {address}");
        }
        for text in ["10.0.0.0/33", "10.0.0/8", "x", "::/129", "::ffff:10.0.0.0/90"] {
            assert_eq!(text.parse::<Network>(), Err(()), "{text}");
        }
    }

    #[test]
    fn conditions_hold_together_and_exceptions_not() {
        let glob = |text: &str| vec![Glob::new(text)];
        let bots = Who { users: glob("bot_*"), ..Who::default() };
        let who = Who {
            users: glob("*_ro"),
            networks: vec!["10.0.0.0/8".parse().unwrap()],
            except: Some(Box::new(bots)),
            ..Who::default()
        };
        let holds = |user: &str, address: Option<&str>| {
            let address = address.map(|address| address.parse().unwrap());
            let principal = Principal { address, ..Principal::user(user) };
            who.holds(Facts { principal: &principal, now: None, member: None })
        };
        assert_eq!(holds("app_ro", Some("10.1.1.1")), Holds::Yes);
        assert_eq!(holds("app_ro", Some("9.1.1.1")), Holds::No);
        assert_eq!(holds("app_ro", None), Holds::Perhaps);
        assert_eq!(holds("app", None), Holds::No);
        assert_eq!(holds("bot_ro", Some("10.1.1.1")), Holds::No);
        let roles = Who { roles: vec!["dba".to_owned()], ..Who::default() };
        let principal = Principal::user("x");
        assert_eq!(roles.holds(Facts { principal: &principal, now: None, member: None }), Holds::Perhaps);
        let member: &dyn Fn(&str) -> bool = &|role| role == "dba";
        assert_eq!(roles.holds(Facts { principal: &principal, now: None, member: Some(member) }), Holds::Yes);
    }
}
