//! Whom a rule is for, and when.

use super::wrong;
use crate::glob::Glob;
use crate::rule::KeyScope;
use crate::who::{Day, Network, Who, Window};
use crate::yaml::{Faults, Map, Value};

/// Conditions on a session; `not` has those of which not all may hold.
pub(super) fn who(value: &Value<'_>, may_except: bool, faults: &mut Faults) -> Who {
    let Some(mut map) = value.map(faults) else { return Who::default() };
    // An empty list would be for everybody.
    let mut some = |name: &str, faults: &mut Faults| -> Option<(Value<'_>, Vec<String>)> {
        let value = map.take(name)?;
        let texts = value.texts(faults)?;
        if texts.is_empty() {
            faults.at(&value, "the list is empty");
        }
        Some((value, texts))
    };
    let globs = |found: Option<(Value<'_>, Vec<String>)>| -> Vec<Glob> {
        found.into_iter().flat_map(|(_, texts)| texts).map(|text| Glob::new(&text)).collect()
    };
    let (users, applications) = (globs(some("user", faults)), globs(some("application", faults)));
    let certificates = globs(some("certificate", faults));
    let roles = some("role", faults).map(|(_, roles)| roles).unwrap_or_default();
    let networks =
        some("network", faults).map(|(value, texts)| networks(&value, texts, faults)).unwrap_or_default();
    let time = window(&mut map, faults);
    let except = if may_except { map.take("not") } else { None };
    let except = except.map(|value| Box::new(who(&value, false, faults)));
    let found = Who { users, roles, networks, applications, certificates, time, except };
    map.end(faults, &["user", "role", "network", "application", "certificate", "hours", "days", "not"]);
    if found == Who::default() {
        faults.at(value, "says nothing; leave it out for everybody");
    }
    found
}

fn networks(value: &Value<'_>, texts: Vec<String>, faults: &mut Faults) -> Vec<Network> {
    let read = |text: String| match text.parse() {
        Ok(network) => Some(network),
        Err(()) => wrong(value, faults, &format!("\"{text}\" is no network, as 10.0.0.0/8")),
    };
    texts.into_iter().filter_map(read).collect()
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The minute of the day of `08:30`.
pub(super) fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

/// `hours: "08:00-18:00"` and `days: [mon, tue]`, in UTC.
fn window(map: &mut Map<'_>, faults: &mut Faults) -> Option<Window> {
    let (hours, days) = (map.take("hours"), map.take("days"));
    if hours.is_none() && days.is_none() {
        return None;
    }
    let (from, to) = match hours.as_ref().map(|value| (value, value.text(faults))) {
        None => (0, 0),
        Some((value, text)) => {
            let text = text?;
            let parts = text.split_once('-').and_then(|(from, to)| minute(from).zip(minute(to)));
            parts.or_else(|| wrong(value, faults, "hours are written \"08:00-18:00\", in UTC"))?
        }
    };
    let Some(value) = days else { return Some(Window { from, to, days: [true; 7] }) };
    let named = value.texts(faults)?;
    if named.is_empty() {
        return wrong(&value, faults, "the list is empty");
    }
    if let Some(other) = named.iter().find(|name| !DAYS.contains(&name.as_str())) {
        return wrong(&value, faults, &format!("\"{other}\" is none of {}", DAYS.join(", ")));
    }
    Some(Window { from, to, days: DAYS.map(|day| named.iter().any(|name| name == day)) })
}

pub(super) fn day(value: &Value<'_>, faults: &mut Faults) -> Option<Day> {
    let text = value.text(faults)?;
    text.parse().ok().or_else(|| wrong(value, faults, &format!("\"{text}\" is no day, as \"2026-12-31\"")))
}

pub(super) fn key_scope(value: &Value<'_>, faults: &mut Faults) -> Option<KeyScope> {
    match value.text(faults)?.as_str() {
        "global" => Some(KeyScope::Global),
        "database" => Some(KeyScope::Database),
        "column" => Some(KeyScope::Column),
        _ => wrong(value, faults, "\"scope\" is \"global\", \"database\" or \"column\""),
    }
}
