//! What the API may have done with a proxy that runs.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};
use tokio::runtime::Handle;
use tracing::{error, info};
use veil_control::{Drift, Operations, Reloaded, Samples, ScanControl, ScanRefusal, ScanRequest};
use veil_mask::{Cell, Masker, RootKey};
use veil_model::pgtype::NAMES;
use veil_model::{ColumnName, Format, PgType};
use veil_policy::config::{Config, Database, Protocol};
use veil_policy::explain::{Explanation, Outcome};
use veil_policy::who::Principal;
use veil_policy::{Action, Labels, Policy};
use veil_sql::mysql::Mode;
use veil_store::Scan;

use crate::control::protocol;
use crate::keys;
use crate::run::Running;
use crate::server::{Known, Server, SignIn};
use crate::wire_up;

/// One reload waits for another so long.
const RELOAD_WAIT: Duration = Duration::from_secs(10);
/// A server has so long to show its catalog.
const CATALOG_MAX: Duration = Duration::from_secs(10);
/// Keys whose texts are secrets.
const SECRETS: [&str; 6] = ["verifier", "password", "secret", "api_key", "jwt_secret", "root"];
const HIDDEN: &str = "***";

impl Operations for Running {
    fn reload(&self, by: &str) -> Reloaded {
        self.reload_if(by, || true)
    }

    fn last_reload(&self) -> Option<Reloaded> {
        self.last_reload_of()
    }

    fn stopping(&self) -> bool {
        self.is_stopping()
    }

    fn check_rules(&self, rules: &[Value]) -> Vec<String> {
        let config = match self.source.with_rules(rules) {
            Ok(config) => config,
            Err(faults) => return faults,
        };
        let checked = || -> Result<()> {
            let root = keys::read_root(&self.root(&config)?)?;
            let (_, policy) = wire_up::parts(&config, &root, Some(&self.proxy.policy()))?;
            self.test_statements(&config, &Arc::new(policy))
        };
        match checked() {
            Ok(()) => Vec::new(),
            Err(fault) => format!("{fault:#}").lines().map(str::to_owned).collect(),
        }
    }

    fn config(&self) -> Value {
        let mut document =
            self.source.document().unwrap_or_else(|fault| json!({ "fault": format!("{fault:#}") }));
        hide(&mut document);
        document
    }

    fn databases(&self) -> Vec<Value> {
        let Ok(config) = self.source.config() else { return Vec::new() };
        let one = |database: &Database| {
            let upstream = &database.upstream;
            let hosts = std::iter::once((&upstream.host, upstream.port))
                .chain(upstream.others.iter().map(|(host, port)| (host, *port)));
            json!({
                "name": database.name.to_string(),
                "protocol": protocol(upstream.protocol),
                "hosts": hosts.map(|(host, port)| json!({ "host": host, "port": port })).collect::<Vec<_>>(),
                "database": upstream.database,
                "max_connections": database.max_connections,
                "catalogs_known": self.known(database, &database.name.to_string(), "").len(),
            })
        };
        config.databases.iter().map(one).collect()
    }

    fn schema(&self, database: &str, user: &str) -> Result<Value, String> {
        let (entry, known) = self.known_or_read(database, user)?;
        Ok(json!({
            "database": database,
            "protocol": protocol(entry.upstream.protocol),
            "tables": known.first().map(|known| tables(known, database)),
        }))
    }

    fn explain(&self, database: &str, user: &str, sql: &str) -> Result<Vec<Value>, String> {
        let (entry, known) = self.known_or_read(database, user)?;
        let name = entry.upstream.database.as_deref().unwrap_or(database);
        let known = known.first().ok_or("nothing is known of this database")?;
        let told = known.explain(sql, name).map_err(|what| format!("the statement holds {what}"))?;
        Ok(told.iter().map(explained).collect())
    }

    fn start_scan(&self, request: ScanRequest, by: &str) -> Result<String, ScanRefusal> {
        let config = self.source.config().map_err(|fault| ScanRefusal::Faults(vec![format!("{fault:#}")]))?;
        self.scans.start(&config, request, by)
    }

    fn running_scans(&self) -> Vec<Value> {
        self.scans.running()
    }

    fn control_scan(&self, id: &str, control: ScanControl) -> bool {
        self.scans.control(id, control)
    }

    fn protect_scan(&self, scan: &mut Scan) -> Result<Vec<ColumnName>, String> {
        let config = self.source.config();
        config.and_then(|config| self.scans.protect(&config, scan)).map_err(|fault| format!("{fault:#}"))
    }

    fn rules_of_scan(
        &self,
        scan: &Scan,
        chosen: Option<&[ColumnName]>,
        rules: &mut Vec<Value>,
    ) -> Result<usize, String> {
        let added =
            self.source.config().and_then(|config| self.scans.add_rules(&config, scan, chosen, rules));
        added.map_err(|fault| format!("{fault:#}"))
    }

    fn drifts(&self) -> Vec<Drift> {
        self.scans.drifts()
    }

    fn mask(&self, samples: &Samples<'_>) -> Result<Vec<Option<String>>, Vec<String>> {
        let config = self.source.with_rules(std::slice::from_ref(samples.rule))?;
        let one = |what: String| vec![what];
        let rule = config.rules.first().ok_or_else(|| one("there is no rule".to_owned()))?;
        let Action::Mask(strategy) = &rule.action else {
            return Err(one("this rule masks nothing".to_owned()));
        };
        let kind = NAMES.iter().find(|(name, _)| *name == samples.kind);
        let (_, oid) = kind
            .ok_or_else(|| one(format!("\"type\" is one of {}", NAMES.map(|(name, _)| name).join(", "))))?;
        let failed = |fault: anyhow::Error| one(format!("{fault:#}"));
        let root = match samples.real_key {
            true => self.root(&config).and_then(|root| keys::read_root(&root)).map_err(failed)?,
            false => RootKey::from_bytes(keys::random().map_err(failed)?),
        };
        let masker = Masker::scoped(&root, strategy, &rule.class);
        let column = masker.column(PgType { oid: *oid, modifier: -1 });
        if !column.supported() {
            return Err(one(format!("{} has no masks for the type {}", strategy.name(), samples.kind)));
        }
        let mask = |value: &String| {
            let mut out = Vec::new();
            match column.mask(Format::Text, value.as_bytes(), &mut out) {
                Cell::Written => Some(String::from_utf8_lossy(&out).into_owned()),
                Cell::Null => None,
            }
        };
        Ok(samples.values.iter().map(mask).collect())
    }
}

impl Running {
    /// Reads the configuration again if the store has other rules than those that hold.
    pub(crate) fn reload_newer(&self, by: &str) -> Reloaded {
        self.reload_if(by, || self.source.unused().is_some())
    }

    /// Reads the configuration again if that is still wanted when nobody else does it.
    fn reload_if(&self, by: &str, wanted: impl FnOnce() -> bool) -> Reloaded {
        let since = Instant::now();
        let _one_at_a_time = loop {
            match self.reloading.try_lock() {
                Ok(lock) => break lock,
                Err(_) if since.elapsed() < RELOAD_WAIT => std::thread::sleep(Duration::from_millis(20)),
                Err(_) => {
                    let faults = vec!["it is being read already".to_owned()];
                    return Reloaded { faults, restart: Vec::new() };
                }
            }
        };
        if !wanted() {
            return Reloaded::default();
        }
        let before = self.document.lock().map(|document| document.clone()).unwrap_or_default();
        let reloaded = match self.read_again() {
            Ok(restart) => {
                info!(by, ?restart, "the configuration has been read again");
                Reloaded { faults: Vec::new(), restart }
            }
            Err(fault) => {
                let faults: Vec<String> = format!("{fault:#}").lines().map(str::to_owned).collect();
                error!(by, ?faults, "the configuration cannot be used; that of before holds");
                Reloaded { faults, restart: Vec::new() }
            }
        };
        let mut facts = vec![
            ("by", json!(by)),
            ("faults", json!(reloaded.faults.len())),
            ("restart_needed_for", json!(reloaded.restart)),
        ];
        if reloaded.faults.is_empty() {
            let after = Operations::config(self);
            facts.push(("changes", differences(&before, &after)));
            if let Ok(mut document) = self.document.lock() {
                *document = after;
            }
        }
        self.note("reload", &facts);
        self.proxy.telemetry.metrics.reload(reloaded.faults.is_empty());
        self.set_last_reload(reloaded.clone());
        reloaded
    }

    /// What is known of a database to a user, by the catalogs that sessions have read.
    fn known(&self, entry: &Database, database: &str, user: &str) -> Vec<Known> {
        let policy = self.proxy.policy();
        let rights = policy.rights(&Principal::user(user), SystemTime::now());
        self.known_by(entry, database, &policy, &rights)
    }

    /// The same; if none has, and the configuration says who may, the catalog is read.
    fn known_or_read(&self, database: &str, user: &str) -> Result<(Database, Vec<Known>), String> {
        let config = self.source.config().map_err(|fault| format!("{fault:#}"))?;
        let entry = config.database(database).cloned();
        let entry = entry.ok_or_else(|| format!("no database is called {database}"))?;
        let known = self.known(&entry, database, user);
        if !known.is_empty() {
            return Ok((entry, known));
        }
        match self.read_catalog(&config, &entry, database, user) {
            Ok(known) => Ok((entry, vec![known])),
            Err(fault) => Err(format!("the catalog of {database} is not known: {fault:#}")),
        }
    }

    fn read_catalog(&self, config: &Config, entry: &Database, database: &str, user: &str) -> Result<Known> {
        let Some(check) = &entry.check else {
            bail!("no client has used it yet, and databases.check does not say who may read it")
        };
        let sign_in =
            SignIn { user: check.user.clone(), password: Some(keys::read_secret(&check.password)?) };
        let config = Config { root_key: Some(self.root(config)?), ..config.clone() };
        let opened = tokio::time::timeout(CATALOG_MAX, Server::at(&config, entry, database, sign_in));
        let server = tokio::task::block_in_place(|| Handle::current().block_on(opened))??;
        Ok(server.known_to_user(user))
    }

    pub(crate) fn known_by(
        &self,
        entry: &Database,
        database: &str,
        policy: &Arc<Policy>,
        rights: &veil_policy::who::Rights,
    ) -> Vec<Known> {
        let upstream = &entry.upstream;
        let name = upstream.database.as_deref().unwrap_or(database);
        let Ok(target) = wire_up::target(upstream) else { return Vec::new() };
        match upstream.protocol {
            Protocol::Postgres => {
                let catalogs = self.proxy.slots.catalogs(&target, Some(name));
                let lay = |catalog| Known::Postgres(Labels::new(Arc::clone(policy), catalog, name, rights));
                catalogs.into_iter().map(lay).collect()
            }
            // What an account does not see says nothing.
            Protocol::MySql => {
                let lay = |catalog| {
                    let labels = veil_policy::mysql::Labels::new(Arc::clone(policy), catalog, rights);
                    Known::MySql(labels, Mode::default())
                };
                self.proxy.mysql_slots.catalogs(&target, None).into_iter().map(lay).collect()
            }
        }
    }
}

/// What becomes of a statement.
fn explained(explanation: &Explanation) -> Value {
    let column = |outcome: &Outcome| match outcome {
        Outcome::Shown => json!({ "outcome": "shown" }),
        Outcome::Masked(rule) => json!({ "outcome": "masked", "rule": rule }),
        Outcome::Null(because) => json!({ "outcome": "null", "because": because }),
        Outcome::Star => json!({ "outcome": "star" }),
    };
    let (verdict, columns) = match explanation {
        Explanation::Refused(_) => ("refused", None),
        Explanation::Shown => ("shown", None),
        Explanation::Closed => ("closed", None),
        Explanation::Columns(columns) => ("columns", Some(columns.iter().map(column).collect::<Vec<_>>())),
    };
    json!({ "verdict": verdict, "text": explanation.to_string(), "columns": columns })
}

/// Tables with their columns, and what masks these.
fn tables(known: &Known, database: &str) -> Vec<Value> {
    let mut tables = Map::new();
    let mut add = |schema: &str, table: &str, column: &str, kind: Option<&str>, rule: Option<Value>| {
        let entry = tables.entry(format!("{schema}.{table}"));
        let entry = entry.or_insert_with(|| json!({ "schema": schema, "name": table, "columns": [] }));
        if let Some(columns) = entry.get_mut("columns").and_then(Value::as_array_mut) {
            columns.push(json!({ "name": column, "type": kind, "rule": rule }));
        }
    };
    let masked = |label: &veil_policy::Label| json!({ "name": &*label.rule, "strategy": label.masker.strategy().name() });
    match known {
        Known::Postgres(labels) => {
            let rules: std::collections::HashMap<ColumnName, Value> =
                labels.labelled().map(|(name, label)| (name, masked(label))).collect();
            let mut relations: Vec<_> =
                labels.catalog().relations().filter(|(_, relation)| !relation.system()).collect();
            relations.sort_by(|(_, a), (_, b)| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
            for (_, relation) in relations {
                for column in relation.columns_in_order() {
                    let name = ColumnName {
                        schema: relation.schema.clone(),
                        table: relation.name.clone(),
                        column: column.name.clone(),
                    };
                    let kind = NAMES.iter().find(|(_, oid)| *oid == column.kind.oid).map(|(name, _)| *name);
                    add(&relation.schema, &relation.name, &column.name, kind, rules.get(&name).cloned());
                }
            }
        }
        Known::MySql(labels, _) => {
            let here =
                labels.catalog().tables().filter(|table| database == "*" || table.database == database);
            for table in here {
                for column in &table.columns {
                    let rule = labels.rule(&table.database, &table.name, &column.name);
                    let rule = rule.as_ref().map(masked);
                    add(&table.database, &table.name, &column.name, Some(&column.column_type), rule);
                }
            }
        }
    }
    tables.into_iter().map(|(_, table)| table).collect()
}

/// What is another from one configuration to the next: rules one by one, other keys as they were and are.
fn differences(before: &Value, after: &Value) -> Value {
    let keys = |document: &Value| {
        document.as_object().into_iter().flat_map(|map| map.keys().cloned()).collect::<Vec<_>>()
    };
    let mut all = keys(before);
    all.extend(keys(after).into_iter().filter(|key| before.get(key).is_none()));
    let none = Vec::new();
    let rules = |document: &Value| document.get("rules").and_then(Value::as_array).unwrap_or(&none).clone();
    let mut found = veil_store::document::diff(&rules(before), &rules(after));
    for key in all.iter().filter(|key| *key != "rules" && before.get(key) != after.get(key)) {
        found
            .push(json!({ "op": "replace", "key": key, "before": before.get(key), "after": after.get(key) }));
    }
    found.into()
}

/// Puts nothing in the place of secrets, and of words of commands that give them.
fn hide(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    secret if SECRETS.contains(&key.as_str()) && !secret.is_object() => {
                        *secret = HIDDEN.into()
                    }
                    Value::Array(words) if key == "command" => {
                        words.iter_mut().skip(1).for_each(|word| *word = HIDDEN.into());
                    }
                    Value::String(text) if text.contains("://") => *text = without_login(text),
                    other => hide(other),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        _ => {}
    }
}

/// An address without the name and password before its host.
fn without_login(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}
