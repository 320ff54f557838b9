//! What a scan has found, as a document, and the rules that protect it.

use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use veil_detect::Finding;
use veil_model::ColumnName;
use veil_policy::Policy;
use veil_policy::config::Protocol;
use veil_policy::rule::Masking;
use veil_policy::who::{Principal, Rights};
use veil_scan::{Report, TableReport, rule};
use veil_store::document::name_of;

/// The document of a scan: evidence is counts and patterns.
pub(crate) fn document(report: &Report) -> Value {
    let finding = |finding: &Finding| {
        json!({
            "class": finding.class.id(), "scheme": finding.scheme, "path": finding.path, "confidence": (finding.confidence * 1000.0).round() / 1000.0, "personal": (finding.personal * 1000.0).round() / 1000.0,
            "share": (finding.share * 1000.0).round() / 1000.0, "contains": finding.contains.iter().map(|class| class.id()).collect::<Vec<_>>(),
            "evidence": finding.evidence.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    };
    let table = |table: &TableReport| {
        let columns = table.columns.iter().map(|column| {
            json!({
                "column": column.column, "type": column.type_name, "findings": column.findings.iter().map(finding).collect::<Vec<_>>(),
                "patterns": column.patterns, "rule": rule(&table.name, column), "refers": column.refers.iter().map(named).collect::<Vec<_>>(),
            })
        });
        json!({
            "schema": table.name.schema, "table": table.name.table, "kind": table.kind.name(), "rows_estimated": table.rows_estimated,
            "rows_read": table.rows_read, "unread": table.unread, "columns": columns.collect::<Vec<_>>(),
        })
    };
    json!({ "tables": report.tables.iter().map(table).collect::<Vec<_>>() })
}

/// A column of a document.
pub(crate) struct Found<'a> {
    of_view: bool,
    pub(crate) name: ColumnName,
    pub(crate) column: &'a Value,
}

impl Found<'_> {
    pub(crate) fn is_protected(&self) -> bool {
        self.column.get("protected").and_then(Value::as_bool).unwrap_or(false)
    }
}

/// The columns with personal data, in order.
pub(crate) fn columns(document: &Value) -> impl Iterator<Item = Found<'_>> {
    list(document, "tables").flat_map(|table| {
        list(table, "columns").map(move |column| {
            let name = ColumnName {
                schema: text(table, "schema"),
                table: text(table, "table"),
                column: text(column, "column"),
            };
            Found { of_view: text(table, "kind") == "view", name, column }
        })
    })
}

pub(crate) fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

pub(crate) fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// What masks columns for whoever has no rights of his own.
pub(crate) struct Protection {
    policy: Arc<Policy>,
    rights: Rights,
    /// Its name on the server.
    database: String,
    protocol: Protocol,
}

/// Whether a rule protects what was found in a column.
enum Covered {
    /// Or says that it is shown.
    Yes,
    No,
    /// This one masks parts of it.
    Partly(Arc<str>),
}

/// Keys that refer to keys are followed so far.
const REFERENCES_MAX: usize = 8;

impl Protection {
    pub(crate) fn new(policy: Arc<Policy>, database: &str, protocol: Protocol) -> Self {
        let rights = policy.settled(&policy.rights(&Principal::user(""), SystemTime::now()), None);
        Self { policy, rights, database: database.to_owned(), protocol }
    }

    /// As where the case of names counts, which says too little where it does not.
    fn masking(&self, name: &ColumnName) -> Option<Masking> {
        let masking = match self.protocol {
            Protocol::Postgres => self.policy.mask(&self.database, &self.rights, name),
            Protocol::MySql => self.policy.mask_mysql(&self.rights, name, false),
        };
        masking.filter(Masking::masks_all_rows)
    }

    fn shows(&self, name: &ColumnName) -> bool {
        match self.protocol {
            Protocol::Postgres => self.policy.shows(&self.database, &self.rights, name),
            Protocol::MySql => self.policy.shows_mysql(&self.rights, name, false),
        }
    }

    fn covers(&self, found: &Found<'_>) -> Covered {
        // What is behind a view is found there; a key has the mask of what it refers to.
        if found.of_view || self.shows(&found.name) {
            return Covered::Yes;
        }
        let refers = found.column.get("refers").and_then(Value::as_array).into_iter().flatten();
        let referred = refers.take(REFERENCES_MAX).filter_map(column);
        let masked = referred.filter_map(|name| self.masking(&name)).next();
        let Some(masking) = self.masking(&found.name).or(masked) else { return Covered::No };
        let covered =
            |finding: &Value| masking.masker.strategy().covers(finding.get("path").and_then(Value::as_str));
        match list(found.column, "findings").all(covered) {
            true => Covered::Yes,
            false => Covered::Partly(masking.rule),
        }
    }

    /// The columns that are not protected.
    pub(crate) fn open(&self, document: &Value) -> Vec<ColumnName> {
        columns(document)
            .filter(|found| !matches!(self.covers(found), Covered::Yes))
            .map(|found| found.name)
            .collect()
    }

    /// Notes of each column whether it is protected, and returns those that are not.
    pub(crate) fn note(&self, document: &mut Value) -> Vec<ColumnName> {
        let noted: Vec<(ColumnName, bool)> = columns(document)
            .map(|found| (found.name.clone(), matches!(self.covers(&found), Covered::Yes)))
            .collect();
        let mut each = noted.iter().map(|(_, protected)| *protected);
        let tables = document.get_mut("tables").and_then(Value::as_array_mut).into_iter().flatten();
        let columns = tables.filter_map(|table| table.get_mut("columns")?.as_array_mut()).flatten();
        for column in columns.filter_map(Value::as_object_mut) {
            column.insert("protected".to_owned(), each.next().into());
        }
        noted.into_iter().filter(|(_, protected)| !protected).map(|(name, _)| name).collect()
    }

    /// Adds rules for what no rule protects, of all columns or of those that were chosen, and says for how many columns. They stand behind
    /// those that are there, which go first; but where one of these masks a part of a document, before it.
    ///
    /// # Errors
    /// A rule that holds is not among those that are there.
    pub(crate) fn add_rules(
        &self,
        document: &Value,
        chosen: Option<&[ColumnName]>,
        rules: &mut Vec<Value>,
    ) -> Result<usize> {
        let wanted =
            columns(document).filter(|found| chosen.is_none_or(|chosen| chosen.contains(&found.name)));
        let mut added = 0;
        for found in wanted {
            let Some(rule) = found.column.get("rule").cloned() else { continue };
            match self.covers(&found) {
                Covered::Yes => continue,
                Covered::No => rules.push(rule),
                Covered::Partly(by) => {
                    let known = rules.iter().enumerate().find(|(_, known)| name_of(known) == *by);
                    let (at, known) = known.with_context(|| {
                        format!("the rule {by} holds and is not in the store; reload first")
                    })?;
                    let rule = with_paths(known, &rule, &found.name);
                    rules.insert(at, rule);
                }
            }
            added += 1;
        }
        Ok(added)
    }
}

/// A rule for a column like one that masks some paths of it, with those of another; where that has none, the other.
fn with_paths(known: &Value, other: &Value, name: &ColumnName) -> Value {
    let Some(more) = other.pointer("/strategy/json").and_then(Value::as_object) else { return other.clone() };
    let mut rule = known.clone();
    let places = ["/paths", "/strategy/json/paths", "/strategy/json"];
    let place = places.into_iter().find(|place| rule.pointer(place).is_some_and(Value::is_object));
    let Some(paths) = place.and_then(|place| rule.pointer_mut(place)).and_then(Value::as_object_mut) else {
        return other.clone();
    };
    for (path, strategy) in more {
        paths.entry(path).or_insert_with(|| strategy.clone());
    }
    if let Some(rule) = rule.as_object_mut() {
        // Two rules of one name could not be told apart.
        rule.shift_remove("name");
        for (key, part) in [("schema", &name.schema), ("table", &name.table), ("column", &name.column)] {
            rule.insert(key.to_owned(), part.as_str().into());
        }
    }
    rule
}

pub(crate) fn named(name: &ColumnName) -> Value {
    json!({ "schema": name.schema, "table": name.table, "column": name.column })
}

pub(crate) fn column(value: &Value) -> Option<ColumnName> {
    let part = |key: &str| value.get(key)?.as_str().map(str::to_owned);
    Some(ColumnName { schema: part("schema")?, table: part("table")?, column: part("column")? })
}
