//! The rules inside the text of `proxy.yaml`: read, and replaced without touching what else is there.
//!
//! Decision: rules that stay keep their very lines, with the comments above them; new ones are written on one line each. The result is read again before it is
//! used: if anything but the rules has become something else, the file is left to people.

use std::ops::Range;

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use serde_json::{Map, Value};

use crate::Rules;

const KEY: &str = "rules";
/// Blocks in blocks.
const DEPTH_MAX: usize = 100;
/// How far rules are indented in a file that has none.
const INDENT: usize = 2;

/// A text that was read.
pub struct Document<'a> {
    keys: Vec<(String, usize, MarkedYaml<'a>)>,
}

impl<'a> Document<'a> {
    /// Reads a text.
    ///
    /// # Errors
    /// It is not one mapping.
    pub fn parse(text: &'a str) -> Result<Self, String> {
        check_depth(text)?;
        let documents = MarkedYaml::load_from_str(text)
            .map_err(|error| format!("line {}: is not YAML: {}", error.marker().line(), error.info()))?;
        match <[MarkedYaml<'a>; 1]>::try_from(documents).map(|[document]| document.data) {
            Ok(YamlData::Mapping(map)) => {
                let keys = map.into_iter().map(|(key, value)| (text_of(&key), key.span.start.line(), value));
                Ok(Self { keys: keys.collect() })
            }
            _ => Err("the file is not one mapping".to_owned()),
        }
    }

    fn found(&self) -> Option<(usize, &(String, usize, MarkedYaml<'a>))> {
        self.keys.iter().enumerate().find(|(_, (key, ..))| key == KEY)
    }

    /// Its rules; none where there are none, or something else is in their place.
    #[must_use]
    pub fn rules(&self) -> Rules {
        match self.found().map(|(_, (.., value))| &value.data) {
            Some(YamlData::Sequence(items)) => items.iter().map(json).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether there is a list of rules.
    #[must_use]
    pub fn has_rules(&self) -> bool {
        self.found().is_some_and(|(_, (.., value))| matches!(value.data, YamlData::Sequence(_)))
    }

    /// All of it.
    #[must_use]
    pub fn json(&self) -> Value {
        let entries = self.keys.iter().map(|(key, _, value)| (key.clone(), json(value)));
        Value::Object(entries.collect())
    }

    fn others(&self) -> Vec<(&str, Value)> {
        let others = self.keys.iter().filter(|(key, ..)| key != KEY);
        others.map(|(key, _, value)| (key.as_str(), json(value))).collect()
    }
}

/// Whether blocks stand in blocks no deeper than the parser, which recurses, can go.
///
/// # Errors
/// They stand deeper.
fn check_depth(text: &str) -> Result<(), String> {
    let mut open: Vec<usize> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let mut at = 0;
        let mut rest = line;
        let mut first = true;
        loop {
            let inside = rest.trim_start();
            if inside.is_empty() {
                break;
            }
            at += rest.len() - inside.len();
            if std::mem::take(&mut first) {
                open.retain(|column| *column < at);
            }
            open.push(at);
            let mut chars = inside.chars();
            let marks = chars.next().is_some_and(|mark| matches!(mark, '-' | '?' | ':'));
            if !marks || chars.next().is_some_and(|behind| !behind.is_whitespace()) {
                break;
            }
            (at, rest) = (at + 1, inside.get(1..).unwrap_or_default());
        }
        if open.len() > DEPTH_MAX {
            return Err(format!("line {number}: is nested too deep"));
        }
    }
    Ok(())
}

/// The text with other rules.
///
/// # Errors
/// That cannot be done without a loss.
pub fn with_rules(text: &str, rules: &[Value]) -> Result<String, String> {
    let before = Document::parse(text)?;
    let changed = replaced(text, &before, rules);
    let after = Document::parse(&changed)
        .map_err(|_| "the rules cannot be replaced where they stand; edit the file")?;
    let same = after.rules() == rules && after.others() == before.others();
    drop(after);
    if !same {
        return Err("the rules cannot be replaced where they stand, as in a file in one line or with anchors; edit the file"
            .to_owned());
    }
    Ok(changed)
}

/// Rules as a text of their own.
#[must_use]
pub fn text_of_rules(rules: &[Value]) -> String {
    written(rules, INDENT)
}

/// What a rule is called: its name, or the column that it is for.
#[must_use]
pub fn name_of(rule: &Value) -> String {
    let text = |key: &str| rule.get(key).and_then(Value::as_str);
    if let Some(name) = text("name") {
        return name.to_owned();
    }
    let column = format!("{}.{}", text("table").unwrap_or("*"), text("column").unwrap_or("*"));
    match text("schema") {
        Some(schema) if schema != "*" => format!("{schema}.{column}"),
        _ => column,
    }
}

/// The lines of one rule, with the comments above it.
struct Chunk<'a> {
    value: Value,
    /// Comments and empty lines.
    above: Range<usize>,
    lines: Range<usize>,
    text: &'a [&'a str],
}

impl Chunk<'_> {
    fn put(&self, lines: Range<usize>, out: &mut String) {
        for line in self.text.get(lines).unwrap_or_default() {
            out.push_str(line);
            if !line.ends_with('\n') {
                out.push('\n');
            }
        }
    }
}

fn replaced(text: &str, document: &Document<'_>, rules: &[Value]) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let Some((at, (_, line, value))) = document.found() else {
        let mut out = text.to_owned();
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        out.push_str(&written(rules, INDENT));
        return out;
    };
    let key = line - 1;
    let end = end_of(&lines, key, document.keys.get(at + 1).map(|(_, line, _)| line - 1));
    let mut out: String = lines.get(..key).unwrap_or_default().concat();
    match chunks(&lines, key, end, value) {
        Some((indent, chunks)) if !rules.is_empty() => {
            let till = chunks.last().map_or(end, |last| last.lines.end);
            out.push_str(lines.get(key).copied().unwrap_or_default());
            put_rules(rules, indent, chunks, &mut out);
            // Comments behind the last.
            out.push_str(&lines.get(till..end).unwrap_or_default().concat());
        }
        _ => out.push_str(&written(rules, INDENT)),
    }
    out.push_str(&lines.get(end..).unwrap_or_default().concat());
    out
}

/// Where the lines of the rules end: before the next key and the comments above it.
fn end_of(lines: &[&str], key: usize, next: Option<usize>) -> usize {
    let marker = |line: &&str| line.starts_with("---") || line.starts_with("...");
    let mut end = next.unwrap_or(lines.len());
    if let Some(found) = lines.get(key + 1..end).and_then(|lines| lines.iter().position(marker)) {
        end = key + 1 + found;
    }
    let loose = |line: &str| line.starts_with('#') || line.trim().is_empty();
    while end > key + 1 && lines.get(end - 1).is_some_and(|line| loose(line)) {
        end -= 1;
    }
    end
}

/// The lines of each rule, and how far they are indented; `None` if they do not stand on lines of their own.
fn chunks<'a>(
    lines: &'a [&'a str],
    key: usize,
    end: usize,
    value: &MarkedYaml<'_>,
) -> Option<(usize, Vec<Chunk<'a>>)> {
    let YamlData::Sequence(items) = &value.data else { return None };
    let rest = lines.get(key)?.trim_end().split_once(':')?.1.trim();
    if items.is_empty() || !(rest.is_empty() || rest.starts_with('#')) {
        return None;
    }
    let indent_of = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let is_dash = |at: usize| lines.get(at).is_some_and(|line| line.trim_start_matches(' ').starts_with('-'));
    let mut starts = Vec::new();
    for item in items {
        let line = item.span.start.line() - 1;
        let start = (key + 1..=line).rev().find(|at| is_dash(*at))?;
        starts.push(start);
    }
    let indent = indent_of(lines.get(*starts.first()?)?);
    let mut chunks = Vec::new();
    let mut from = key + 1;
    for (at, (start, item)) in starts.iter().zip(items).enumerate() {
        let next = starts.get(at + 1).copied().unwrap_or(end);
        // What stands above the next rule is the next rule's.
        let belongs = |line: &str| {
            line.trim().is_empty() || (line.trim_start().starts_with('#') && indent_of(line) <= indent)
        };
        let mut till = next;
        while till > start + 1 && lines.get(till - 1).is_some_and(|line| belongs(line)) {
            till -= 1;
        }
        if indent_of(lines.get(*start)?) != indent || from > *start {
            return None;
        }
        chunks.push(Chunk { value: json(item), above: from..*start, lines: *start..till, text: lines });
        from = till;
    }
    Some((indent, chunks))
}

/// Rules that stay go as they are; one that has become another keeps the comments above it.
fn put_rules(rules: &[Value], indent: usize, chunks: Vec<Chunk<'_>>, out: &mut String) {
    let mut left: Vec<Option<Chunk<'_>>> = chunks.into_iter().map(Some).collect();
    let mut take = |fits: &dyn Fn(&Chunk<'_>) -> bool| {
        left.iter_mut().find(|chunk| chunk.as_ref().is_some_and(fits)).and_then(Option::take)
    };
    let same: Vec<_> = rules.iter().map(|rule| take(&|chunk| chunk.value == *rule)).collect();
    for (rule, same) in rules.iter().zip(same) {
        match same {
            Some(chunk) => chunk.put(chunk.above.start..chunk.lines.end, out),
            None => {
                if let Some(other) = take(&|chunk| name_of(&chunk.value) == name_of(rule)) {
                    other.put(other.above.clone(), out);
                }
                put_rule(rule, indent, out);
            }
        }
    }
}

fn written(rules: &[Value], indent: usize) -> String {
    if rules.is_empty() {
        return format!("{KEY}: []\n");
    }
    let mut out = format!("{KEY}:\n");
    rules.iter().for_each(|rule| put_rule(rule, indent, &mut out));
    out
}

fn put_rule(rule: &Value, indent: usize, out: &mut String) {
    out.push_str(&" ".repeat(indent));
    out.push_str("- ");
    put(rule, out);
    out.push('\n');
}

/// On one line.
fn put(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) if map.is_empty() => out.push_str("{}"),
        Value::Object(map) => {
            let mut before = "{ ";
            for (key, value) in map {
                out.push_str(before);
                put_text(key, out);
                out.push_str(": ");
                put(value, out);
                before = ", ";
            }
            out.push_str(" }");
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                put(item, out);
            }
            out.push(']');
        }
        Value::String(text) => put_text(text, out),
        other => out.push_str(&other.to_string()),
    }
}

/// Words that are no text without quotes.
const RESERVED: [&str; 10] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan"];

fn put_text(text: &str, out: &mut String) {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(word)
        && !RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(text));
    match plain {
        true => out.push_str(text),
        false => out.push_str(&Value::from(text).to_string()),
    }
}

fn text_of(node: &MarkedYaml<'_>) -> String {
    match json(node) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// The same in JSON.
fn json(node: &MarkedYaml<'_>) -> Value {
    match &node.data {
        YamlData::Value(Scalar::Null) => Value::Null,
        YamlData::Value(Scalar::Boolean(value)) => (*value).into(),
        YamlData::Value(Scalar::Integer(value)) => (*value).into(),
        YamlData::Value(Scalar::FloatingPoint(value)) => value.into_inner().into(),
        YamlData::Value(Scalar::String(text)) => text.as_ref().into(),
        YamlData::Sequence(items) => items.iter().map(json).collect(),
        YamlData::Mapping(map) => {
            let entries = map.iter().map(|(key, value)| (text_of(key), json(value)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
        YamlData::Tagged(_, inner) => json(inner),
        _ => Value::Null,
    }
}

/// What is another from one list of rules to the next.
#[must_use]
pub fn diff(before: &[Value], after: &[Value]) -> Vec<Value> {
    let mut left: Vec<Option<(usize, &Value)>> = before.iter().enumerate().map(Some).collect();
    let mut take = |fits: &dyn Fn(&Value) -> bool| {
        left.iter_mut().find(|old| old.is_some_and(|(_, old)| fits(old))).and_then(Option::take)
    };
    let same: Vec<_> = after.iter().map(|rule| take(&|old| old == rule)).collect();
    let mut found = Vec::new();
    let mut reached = 0;
    for ((at, rule), same) in after.iter().enumerate().zip(same) {
        match same {
            Some((from, _)) if from < reached => {
                found.push(serde_json::json!({ "op": "move", "rule": name_of(rule), "from": from, "to": at }));
            }
            Some((from, _)) => reached = from,
            None => match take(&|old| name_of(old) == name_of(rule)) {
                Some((_, old)) => found.push(
                    serde_json::json!({ "op": "replace", "rule": name_of(rule), "before": old, "after": rule }),
                ),
                None => found
                    .push(serde_json::json!({ "op": "add", "rule": name_of(rule), "to": at, "after": rule })),
            },
        }
    }
    let gone = left.into_iter().flatten();
    found.extend(
        gone.map(|(_, old)| serde_json::json!({ "op": "remove", "rule": name_of(old), "before": old })),
    );
    found
}

#[cfg(test)]
mod tests;
