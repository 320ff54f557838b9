//! From the YAML tree to a [`Config`], key by key.

mod expect;
mod operations;
mod pool;
mod rows;
mod scan;
mod strategy;
mod users;
mod who;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use saphyr::Scalar;
use veil_mask::Strategy;

use super::{Config, Database, Fault, Listen, ListenTls, Protection, Secret, Upstream};
use crate::glob::Glob;
use crate::labels::UNCLASSIFIED;
use crate::protection::{Predicates, ProtectionMode};
use crate::rule::{Action, Rule};
use crate::yaml::{self, Faults, Value};

use self::expect::test;
use self::operations::{TIMEOUTS, api, audit, count, limits, otlp, store, take_timeouts, timeouts};
use self::rows::{min_group, when, writes};
use self::scan::scans;
use self::strategy::strategy;
use self::users::{auth_query, own_login, user};
use self::who::{day, key_scope, who};
use super::operations::{LOGIN_TIMEOUT, Timeouts};
use crate::config::pool::Pool;

const DEFAULT_PORT: u16 = 6543;
const DEFAULT_MYSQL_PORT: u16 = 6306;

/// Where PostgreSQL clients connect unless told otherwise.
#[must_use]
pub fn default_listen() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, DEFAULT_PORT).into()
}

/// Where MySQL clients connect unless told otherwise.
#[must_use]
pub fn default_listen_mysql() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, DEFAULT_MYSQL_PORT).into()
}

pub(super) fn decode(text: &str) -> Result<Config, Vec<Fault>> {
    let documents = yaml::parse(text).map_err(|fault| vec![fault])?;
    let mut faults = Faults::default();
    let config = match documents.as_slice() {
        [document] => config(&Value::root(document), &mut faults),
        [] => {
            faults.add(0, "", "the file is empty; it needs at least \"databases\"");
            None
        }
        _ => {
            faults.add(0, "", "the file holds more than one document");
            None
        }
    };
    faults.0.sort_by_key(|fault| fault.line);
    match config {
        Some(config) if faults.0.is_empty() => Ok(config),
        _ => Err(faults.0),
    }
}

fn config(root: &Value<'_>, faults: &mut Faults) -> Option<Config> {
    let mut map = root.map(faults)?;
    let listen = map.take("listen").map_or_else(default_listener, |value| listen(&value, faults));
    let (root_key, previous_keys) = map.take("keys").map(|value| keys(&value, faults)).unwrap_or_default();
    let timeouts = map.take("timeouts").and_then(|value| timeouts(&value, faults));
    let (timeouts, login_timeout) = timeouts.unwrap_or_else(|| (Timeouts::default(), LOGIN_TIMEOUT));
    let pool = map.take("pool").and_then(|value| pool::pool(&value, None, faults));
    let databases = list(map.need("databases", faults), faults, |value, faults| {
        database(value, (timeouts, pool.as_ref()), faults)
    });
    let users = list(map.take("users"), faults, user);
    let mut rules = list(map.take("rules"), faults, rule);
    let tests = list(map.take("tests"), faults, test);
    let protection = map.take("protection").map(|value| protection(&value, faults));
    let (protection, unclassified) = protection.unwrap_or_default();
    rules.extend(unclassified);
    let limits = map.take("limits").and_then(|value| limits(&value, faults)).unwrap_or_default();
    let api = map.take("api").and_then(|value| api(&value, faults));
    let audit = map.take("audit").and_then(|value| audit(&value, faults));
    let store = map.take("store").and_then(|value| store(&value, faults)).unwrap_or_default();
    let otlp = map.take("otlp").and_then(|value| otlp(&value, faults));
    let known = [
        "listen",
        "keys",
        "databases",
        "users",
        "rules",
        "protection",
        "tests",
        "limits",
        "timeouts",
        "pool",
        "api",
        "audit",
        "store",
        "otlp",
    ];
    map.end(faults, &known);
    Some(Config {
        listen,
        root_key,
        previous_keys,
        databases,
        users,
        rules,
        protection,
        tests,
        limits,
        login_timeout,
        api,
        audit,
        store,
        otlp,
    })
}

fn list<T>(
    value: Option<Value<'_>>,
    faults: &mut Faults,
    item: impl Fn(&Value<'_>, &mut Faults) -> Option<T>,
) -> Vec<T> {
    let items = value.and_then(|value| value.list(faults)).unwrap_or_default();
    items.iter().filter_map(|value| item(value, faults)).collect()
}

fn default_listener() -> Listen {
    Listen { postgres: default_listen(), mysql: default_listen_mysql(), tls: None, reuse_port: false }
}

fn listen(value: &Value<'_>, faults: &mut Faults) -> Listen {
    let mut listen = default_listener();
    let Some(mut map) = value.map(faults) else { return listen };
    for (key, place) in [("postgres", &mut listen.postgres), ("mysql", &mut listen.mysql)] {
        let Some(value) = map.take(key) else { continue };
        let Some(text) = value.text(faults) else { continue };
        match text.parse() {
            Ok(address) => *place = address,
            Err(_) => faults.at(&value, format!("\"{text}\" is not an address and port, as {place}")),
        }
    }
    listen.tls = map.take("tls").and_then(|value| listen_tls(&value, faults));
    listen.reuse_port = map.take("reuse_port").and_then(|value| value.bool(faults)).unwrap_or(false);
    map.end(faults, &["postgres", "mysql", "tls", "reuse_port"]);
    listen
}

fn listen_tls(value: &Value<'_>, faults: &mut Faults) -> Option<ListenTls> {
    let mut map = value.map(faults)?;
    let mode = map.need("mode", faults);
    let mode_text = mode.as_ref().and_then(|value| value.text(faults));
    let certificate = path(map.take("certificate"), faults);
    let key = path(map.take("key"), faults);
    let client_ca = path(map.take("client_ca"), faults);
    let (line, place) = (map.line(), map.path().to_owned());
    map.end(faults, &["mode", "certificate", "key", "client_ca"]);
    let optional = match mode_text.as_deref()? {
        "off" => return None,
        "optional" => true,
        "required" => false,
        other => {
            faults.add(line, &place, format!("mode \"{other}\" is none of off, optional, required"));
            return None;
        }
    };
    let (Some(certificate), Some(key)) = (certificate, key) else {
        faults.add(line, &place, "TLS needs \"certificate\" and \"key\"");
        return None;
    };
    if optional && client_ca.is_some() {
        faults.add(line, &place, "client_ca needs mode: required, or clients could go without a certificate");
    }
    Some(ListenTls { optional, certificate, key, client_ca })
}

fn path(value: Option<Value<'_>>, faults: &mut Faults) -> Option<std::path::PathBuf> {
    value?.text(faults).map(Into::into)
}

/// The root key, and those before it.
fn keys(value: &Value<'_>, faults: &mut Faults) -> (Option<Secret>, Vec<Secret>) {
    let Some(mut map) = value.map(faults) else { return Default::default() };
    let root = map.need("root", faults).and_then(|value| secret(&value, faults));
    let previous = list(map.take("previous"), faults, secret);
    map.end(faults, &["root", "previous"]);
    (root, previous)
}

fn secret(value: &Value<'_>, faults: &mut Faults) -> Option<Secret> {
    if !value.is_map() {
        faults.at(value, "a secret is not written here; use { file: PATH }, { env: NAME } or { command: [PROGRAM, ARGUMENT] }");
        return None;
    }
    let mut map = value.map(faults)?;
    let file = map.take("file").and_then(|value| value.text(faults)).map(|path| Secret::File(path.into()));
    let env = map.take("env").and_then(|value| value.text(faults)).map(Secret::Env);
    let command = map.take("command").and_then(|value| value.texts(faults)).map(Secret::Command);
    map.end(faults, &["file", "env", "command"]);
    let mut found = [file, env, command].into_iter().flatten();
    match (found.next(), found.next()) {
        (Some(secret), None) => Some(secret),
        _ => {
            wrong(value, faults, "exactly one of \"file\", \"env\" and \"command\" says where the secret is")
        }
    }
}

fn database(
    value: &Value<'_>,
    (timeouts, all): (Timeouts, Option<&Pool>),
    faults: &mut Faults,
) -> Option<Database> {
    let mut map = value.map(faults)?;
    let name = map.need("name", faults).and_then(|value| value.text(faults));
    let upstream = map.need("upstream", faults).and_then(|value| upstream(&value, faults));
    let auth_query = map.take("auth_query").and_then(|value| auth_query(&value, faults));
    let check = map.take("check").and_then(|value| own_login(&value, faults));
    let scans = map.take("scan").and_then(|value| scans(&value, faults));
    let max_connections = map.take("max_connections").and_then(|value| count(&value, faults));
    let timeouts = take_timeouts(&mut map, timeouts, faults);
    let pool = match map.take("pool") {
        Some(value)
            if upstream
                .as_ref()
                .is_some_and(|upstream| upstream.protocol == crate::config::Protocol::MySql) =>
        {
            wrong(&value, faults, "connections are shared for PostgreSQL's protocol only; leave \"pool\" out")
        }
        Some(value) => pool::pool(&value, all, faults),
        None => all.cloned(),
    };
    map.end(
        faults,
        &[
            &["name", "upstream", "auth_query", "check", "scan", "max_connections", "pool"],
            TIMEOUTS.as_slice(),
        ]
        .concat(),
    );
    let max_connections = max_connections.unwrap_or_default();
    let (name, upstream) = (name?, upstream?);
    if check.is_some() && upstream.database.is_none() && name.contains(['*', '?']) {
        return wrong(
            value,
            faults,
            "\"check\" needs a database in \"upstream\", since the name has wildcards",
        );
    }
    if scans.is_some() && check.is_none() {
        return wrong(value, faults, "\"scan\" needs \"check\", which says who reads");
    }
    let pool = pool.unwrap_or_default();
    Some(Database {
        name: Glob::new(&name),
        upstream,
        auth_query,
        check,
        scans,
        timeouts,
        max_connections,
        pool,
    })
}

fn upstream(value: &Value<'_>, faults: &mut Faults) -> Option<Upstream> {
    match Upstream::parse(&value.text(faults)?) {
        Ok(upstream) => Some(upstream),
        Err(found) => {
            found.into_iter().for_each(|what| faults.at(value, what));
            None
        }
    }
}

/// Questions that a user may ask in an hour, at most.
const BUDGET_MAX: u32 = 100_000;

/// What holds for all rules, and the rule for columns that no other is for.
fn protection(value: &Value<'_>, faults: &mut Faults) -> (Protection, Option<Rule>) {
    let Some(mut map) = value.map(faults) else { return Default::default() };
    let unclassified = map.take("unclassified").and_then(|value| unclassified(&value, faults));
    let (scan, unclassified) = match unclassified {
        Some(Unclassified::Scan) => (true, None),
        Some(Unclassified::Mask(rule)) => (false, Some(*rule)),
        None => (false, None),
    };
    let mode = map.take("mode").and_then(|value| mode(&value, faults)).unwrap_or_default();
    let predicates = map.take("predicates").and_then(|value| predicates(&value, faults));
    let budget = map.take("predicate_budget").and_then(|value| budget(&value, faults));
    let writes = map.take("writes").and_then(|value| writes(&value, faults));
    let protection = Protection {
        trusted_functions: map
            .take("trusted_functions")
            .and_then(|value| value.texts(faults))
            .unwrap_or_default(),
        scan,
        local_infile: map.take("local_infile").and_then(|value| value.bool(faults)).unwrap_or(false),
        mode: ProtectionMode {
            predicates: predicates.unwrap_or(mode.predicates),
            budget: budget.unwrap_or(mode.budget),
            writes: writes.unwrap_or(mode.writes),
            ..mode
        },
    };
    let known = [
        "mode",
        "trusted_functions",
        "local_infile",
        "predicates",
        "predicate_budget",
        "writes",
        "unclassified",
    ];
    map.end(faults, &known);
    (protection, unclassified)
}

/// What becomes of columns that no rule is for, if they are not just shown.
enum Unclassified {
    Scan,
    Mask(Box<Rule>),
}

/// `pass`, `scan`, `mask` (by `redact`) or `deny` (NULL).
fn unclassified(value: &Value<'_>, faults: &mut Faults) -> Option<Unclassified> {
    let function = match value.text(faults)?.as_str() {
        "pass" => return None,
        "scan" => return Some(Unclassified::Scan),
        "mask" => "redact",
        "deny" => "null",
        _ => return wrong(value, faults, "\"unclassified\" is \"pass\", \"scan\", \"mask\" or \"deny\""),
    };
    let strategy = Strategy::parse(function, &BTreeMap::new()).ok()?;
    Some(Unclassified::Mask(Box::new(Rule::new(UNCLASSIFIED.to_owned(), Action::Mask(strategy)))))
}

/// What a mode stands for.
fn mode(value: &Value<'_>, faults: &mut Faults) -> Option<ProtectionMode> {
    let standard = ProtectionMode::default();
    match value.text(faults)?.as_str() {
        "standard" => Some(standard),
        "strict" => Some(ProtectionMode { predicates: Predicates::Deny, ..standard }),
        "permissive" => {
            Some(ProtectionMode { predicates: Predicates::Allow, unknown_functions: true, ..standard })
        }
        "observe" => Some(ProtectionMode { observes: true, ..standard }),
        _ => wrong(value, faults, "\"mode\" is \"standard\", \"strict\", \"permissive\" or \"observe\""),
    }
}

fn predicates(value: &Value<'_>, faults: &mut Faults) -> Option<Predicates> {
    match value.text(faults)?.as_str() {
        "allow" => Some(Predicates::Allow),
        "audit" => Some(Predicates::Audit),
        "deny" => Some(Predicates::Deny),
        _ => wrong(value, faults, "\"predicates\" is \"allow\", \"audit\" or \"deny\""),
    }
}

fn budget(value: &Value<'_>, faults: &mut Faults) -> Option<u32> {
    match value.scalar() {
        Some(Scalar::Integer(number)) => u32::try_from(*number).ok().filter(|number| *number <= BUDGET_MAX),
        _ => None,
    }
    .or_else(|| {
        wrong(value, faults, &format!("\"predicate_budget\" is a whole number from 0 to {BUDGET_MAX}"))
    })
}

fn rule(value: &Value<'_>, faults: &mut Faults) -> Option<Rule> {
    let mut map = value.map(faults)?;
    let mut glob = |name: &str, faults: &mut Faults| {
        map.take(name).and_then(|value| value.text(faults)).map_or_else(Glob::any, |text| Glob::new(&text))
    };
    let (database, schema) = (glob("database", faults), glob("schema", faults));
    let (table, column) = (glob("table", faults), glob("column", faults));
    let name = map.take("name").and_then(|value| value.text(faults));
    let who = map.take("who").map(|value| who(&value, true, faults)).unwrap_or_default();
    let until = map.take("until").and_then(|value| day(&value, faults));
    let class = map.take("class").and_then(|value| value.text(faults)).unwrap_or_default();
    let scope = map.take("scope").and_then(|value| key_scope(&value, faults)).unwrap_or_default();
    let unmask = map.take("unmask").and_then(|value| value.bool(faults)).unwrap_or(false);
    let reason = map.take("reason").and_then(|value| value.text(faults));
    let min_group = map.take("min_group").and_then(|value| min_group(&value, faults));
    let writes = map.take("writes").and_then(|value| writes(&value, faults));
    let when = map.take("when").and_then(|value| when(&value, faults));
    let action = match (map.take("strategy"), unmask, reason) {
        (Some(value), false, None) => strategy(&value, map, faults).map(Action::Mask),
        (None, true, Some(reason)) => {
            let known = [
                "name", "database", "schema", "table", "column", "who", "until", "when", "class", "unmask",
                "reason",
            ];
            map.end(faults, &known);
            if who.asks_the_client() {
                let what = "\"unmask\" does not go together with \"application\", which a client may call itself as it likes";
                return wrong(value, faults, what);
            }
            if reason.trim().is_empty() {
                return wrong(value, faults, "\"reason\" says why, and is empty");
            }
            Some(Action::Unmask(reason))
        }
        (None, true, None) => wrong(value, faults, "\"unmask: true\" needs a \"reason\""),
        (None, false, _) => {
            wrong(value, faults, "a rule needs a \"strategy\", or \"unmask: true\" with a \"reason\"")
        }
        (Some(_), ..) => {
            wrong(value, faults, "\"strategy\" does not go together with \"unmask\" or \"reason\"")
        }
    };
    let name = name.unwrap_or_else(|| rule_name(&schema, &table, &column));
    if let (true, Some(Action::Mask(strategy))) = (who.asks_the_client(), &action) {
        let hides = matches!(strategy.name(), "null" | "default" | "redact" | "secret");
        if !hides || !who.excepts_no_applications() || min_group.is_some() || writes.is_some() {
            let what = "a client may call itself as it likes: \"application\" goes together with null, default, redact and secret only, without \"min_group\" and \"writes\", and not into \"not\"";
            return wrong(value, faults, what);
        }
    }
    if let (true, Some(Action::Unmask(_))) = (min_group.is_some() || writes.is_some(), &action) {
        return wrong(value, faults, "\"min_group\" and \"writes\" do not go together with \"unmask\"");
    }
    let action = action?;
    let who_for = Rule {
        name,
        database,
        schema,
        table,
        column,
        who,
        until,
        class,
        scope,
        ..Rule::new(String::new(), action)
    };
    Some(Rule { line: value.line(), when, min_group, writes, ..who_for })
}

fn rule_name(schema: &Glob, table: &Glob, column: &Glob) -> String {
    if schema.is_any() { format!("{table}.{column}") } else { format!("{schema}.{table}.{column}") }
}

fn wrong<T>(value: &Value<'_>, faults: &mut Faults, what: &str) -> Option<T> {
    faults.at(value, what);
    None
}

/// A rule as the command line takes it: `table.column=strategy` or `schema.table.column=strategy`.
///
/// # Errors
/// What is wrong with it.
pub fn rule_from_argument(text: &str) -> Result<Rule, String> {
    let (place, name) = text.split_once('=').ok_or("a rule is written table.column=strategy")?;
    let parts: Vec<&str> = place.split('.').collect();
    let (schema, table, column) = match parts.as_slice() {
        [table, column] => (Glob::any(), Glob::new(table), Glob::new(column)),
        [schema, table, column] => (Glob::new(schema), Glob::new(table), Glob::new(column)),
        _ => return Err("a rule is written table.column=strategy or schema.table.column=strategy".to_owned()),
    };
    let strategy = Strategy::parse(name, &BTreeMap::new())
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    let name = rule_name(&schema, &table, &column);
    Ok(Rule { schema, table, column, ..Rule::new(name, Action::Mask(strategy)) })
}

#[cfg(test)]
mod tests;
