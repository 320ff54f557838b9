//! Reading a YAML tree with the line of every value, collecting every fault instead of stopping at the first.

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};

use crate::config::Fault;

/// A value of the file, with its path from the top.
#[derive(Clone)]
pub(crate) struct Value<'a> {
    node: &'a MarkedYaml<'a>,
    path: String,
}

/// The keys of a mapping that have not been asked for yet.
pub(crate) struct Map<'a> {
    entries: Vec<(String, usize, Value<'a>)>,
    line: usize,
    path: String,
}

/// Where faults gather.
#[derive(Default)]
pub(crate) struct Faults(pub(crate) Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, line: usize, path: &str, what: impl Into<String>) {
        self.0.push(Fault { line, path: path.to_owned(), what: what.into() });
    }

    /// Notes a fault at `value`.
    pub(crate) fn at(&mut self, value: &Value<'_>, what: impl Into<String>) {
        self.add(value.line(), &value.path, what);
    }
}

/// Parses a file of one document.
pub(crate) fn parse(text: &str) -> Result<Vec<MarkedYaml<'_>>, Fault> {
    MarkedYaml::load_from_str(text).map_err(|error| Fault {
        line: error.marker().line(),
        path: String::new(),
        what: format!("is not YAML: {}", error.info()),
    })
}

impl<'a> Value<'a> {
    pub(crate) fn root(node: &'a MarkedYaml<'a>) -> Self {
        Self { node, path: String::new() }
    }

    pub(crate) fn line(&self) -> usize {
        self.node.span.start.line()
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn scalar(&self) -> Option<&'a Scalar<'a>> {
        match &self.node.data {
            YamlData::Value(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// Text; numbers and the like have to be quoted.
    pub(crate) fn text(&self, faults: &mut Faults) -> Option<String> {
        match self.scalar() {
            Some(Scalar::String(text)) => Some(text.to_string()),
            _ => self.wrong(faults, "expected text (quote numbers and dates)"),
        }
    }

    pub(crate) fn bool(&self, faults: &mut Faults) -> Option<bool> {
        match self.scalar() {
            Some(Scalar::Boolean(value)) => Some(*value),
            _ => self.wrong(faults, "expected true or false"),
        }
    }

    /// The items of a list.
    pub(crate) fn list(&self, faults: &mut Faults) -> Option<Vec<Self>> {
        match &self.node.data {
            YamlData::Sequence(items) => Some(
                items
                    .iter()
                    .enumerate()
                    .map(|(i, node)| Self { node, path: format!("{}[{i}]", self.path) })
                    .collect(),
            ),
            _ => self.wrong(faults, "expected a list"),
        }
    }

    /// A text, or a list of texts.
    pub(crate) fn texts(&self, faults: &mut Faults) -> Option<Vec<String>> {
        match &self.node.data {
            YamlData::Sequence(_) => {
                let items = self.list(faults)?;
                Some(items.iter().filter_map(|item| item.text(faults)).collect())
            }
            _ => Some(vec![self.text(faults)?]),
        }
    }

    /// A text, whole number or truth value, or a list of such, as texts.
    pub(crate) fn scalars(&self, faults: &mut Faults) -> Option<Vec<String>> {
        let one = |value: &Self, faults: &mut Faults| match value.scalar() {
            Some(Scalar::Integer(number)) => Some(number.to_string()),
            Some(Scalar::Boolean(truth)) => Some(truth.to_string()),
            _ => value.text(faults),
        };
        match &self.node.data {
            YamlData::Sequence(_) => {
                let items = self.list(faults)?;
                Some(items.iter().filter_map(|item| one(item, faults)).collect())
            }
            _ => Some(vec![one(self, faults)?]),
        }
    }

    pub(crate) fn is_map(&self) -> bool {
        matches!(self.node.data, YamlData::Mapping(_))
    }

    pub(crate) fn map(&self, faults: &mut Faults) -> Option<Map<'a>> {
        let YamlData::Mapping(entries) = &self.node.data else {
            return self.wrong(faults, "expected keys and values");
        };
        let mut map = Map { entries: Vec::new(), line: self.line(), path: self.path.clone() };
        for (key, node) in entries {
            match &key.data {
                YamlData::Value(Scalar::String(name)) => {
                    let path =
                        if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) };
                    map.entries.push((name.to_string(), key.span.start.line(), Self { node, path }));
                }
                _ => faults.add(key.span.start.line(), &self.path, "a key is not text"),
            }
        }
        Some(map)
    }

    fn wrong<T>(&self, faults: &mut Faults, what: &str) -> Option<T> {
        faults.at(self, what);
        None
    }
}

impl<'a> Map<'a> {
    /// One without keys.
    pub(crate) const fn empty() -> Self {
        Self { entries: Vec::new(), line: 0, path: String::new() }
    }

    /// Takes a key, if it is there.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value<'a>> {
        let at = self.entries.iter().position(|(key, ..)| key == name)?;
        Some(self.entries.remove(at).2)
    }

    /// Takes a key that has to be there.
    pub(crate) fn need(&mut self, name: &str, faults: &mut Faults) -> Option<Value<'a>> {
        let value = self.take(name);
        if value.is_none() {
            faults.add(self.line, &self.path, format!("the key \"{name}\" is missing"));
        }
        value
    }

    pub(crate) fn line(&self) -> usize {
        self.line
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// What nobody took.
    pub(crate) fn rest(self) -> impl Iterator<Item = (String, Value<'a>)> {
        self.entries.into_iter().map(|(name, _, value)| (name, value))
    }

    /// Notes every key that nobody took.
    pub(crate) fn end(self, faults: &mut Faults, known: &[&str]) {
        for (name, line, value) in self.entries {
            faults.add(line, value.path(), format!("unknown key \"{name}\"; known are {}", known.join(", ")));
        }
    }
}
