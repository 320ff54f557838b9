//! JSON documents and arrays, of which each path is looked at like a column.

use std::collections::BTreeMap;

use serde_json::Value;

/// Documents that are walked, how deep, and how many paths and values are kept.
const DOCUMENTS_MAX: usize = 500;
const DEPTH_MAX: usize = 12;
const PATHS_MAX: usize = 300;
const VALUES_MAX: usize = 500;

/// What stands at one path of many documents.
#[derive(Debug, Default)]
pub(crate) struct Path {
    /// `$.customer.phones[*].number`.
    pub(crate) path: String,
    /// The last name in it, and the one before.
    pub(crate) name: String,
    pub(crate) parent: String,
    pub(crate) values: Vec<String>,
}

/// Whether texts are documents.
pub(crate) fn is_mostly(samples: &[&str]) -> bool {
    let looked: Vec<&&str> = samples.iter().filter(|text| !text.trim().is_empty()).take(20).collect();
    let is = |text: &&&&str| {
        let text = text.trim();
        text.starts_with(['{', '['])
            && serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object() || value.is_array())
    };
    !looked.is_empty() && looked.iter().filter(is).count() * 10 >= looked.len() * 8
}

pub(crate) fn paths(samples: &[&str]) -> Vec<Path> {
    let mut paths = BTreeMap::new();
    for document in
        samples.iter().take(DOCUMENTS_MAX).filter_map(|text| serde_json::from_str::<Value>(text).ok())
    {
        walk(&document, Path { path: "$".to_owned(), ..Path::default() }, 0, &mut paths);
    }
    paths.into_values().collect()
}

fn walk(value: &Value, at: Path, depth: usize, paths: &mut BTreeMap<String, Path>) {
    if depth > DEPTH_MAX {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                // A name that is none of a field is data: `{"jane@example.com": ...}`.
                let step = if is_plain(name) {
                    format!("{}.{name}", at.path)
                } else {
                    format!("{}[\"?\"]", at.path)
                };
                walk(
                    inner,
                    Path { path: step, name: name.clone(), parent: at.name.clone(), ..Path::default() },
                    depth + 1,
                    paths,
                );
            }
        }
        Value::Array(elements) => {
            for inner in elements {
                let path = Path {
                    path: format!("{}[*]", at.path),
                    name: at.name.clone(),
                    parent: at.parent.clone(),
                    ..Path::default()
                };
                walk(inner, path, depth + 1, paths);
            }
        }
        Value::Null | Value::Bool(_) => {}
        Value::String(_) | Value::Number(_) => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let room = paths.len() < PATHS_MAX;
            let known = match paths.get_mut(&at.path) {
                Some(known) => Some(known),
                None if room => Some(paths.entry(at.path.clone()).or_insert(at)),
                None => None,
            };
            if let Some(known) = known.filter(|known| known.values.len() < VALUES_MAX) {
                known.values.push(text);
            }
        }
    }
}

/// Whether a name may stand behind a dot.
fn is_plain(name: &str) -> bool {
    name.chars().all(|c| c.is_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.len() <= 64
}

/// The elements of an array in PostgreSQL's text form, without those that are NULL.
pub(crate) fn elements(array: &str) -> Vec<String> {
    let mut elements = Vec::new();
    let (mut element, mut quoted, mut was_quoted, mut chars) = (String::new(), false, false, array.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => element.extend(chars.next()),
            '"' => (quoted, was_quoted) = (!quoted, true),
            '{' if !quoted => {}
            ',' | '}' if !quoted => {
                let taken = std::mem::take(&mut element);
                if was_quoted || !(taken.is_empty() || taken == "NULL") {
                    elements.push(taken);
                }
                was_quoted = false;
            }
            c => element.push(c),
        }
    }
    elements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_and_documents_are_taken_apart() {
        assert_eq!(elements(r#"{a,"b \"c\", d",NULL,{x,y}}"#), ["a", "b \"c\", d", "x", "y"]);
        let found = paths(&[r#"{"a":{"b":[{"c":"x"},{"c":2}]},"d e":null}"#, "no json"]);
        assert_eq!(found.iter().map(|path| path.path.as_str()).collect::<Vec<_>>(), ["$.a.b[*].c"]);
        assert_eq!(found[0].values, ["x", "2"]);
    }
}
