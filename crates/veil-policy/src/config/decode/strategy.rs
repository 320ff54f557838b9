//! Masking functions with their parameters.

use std::collections::BTreeMap;

use saphyr::Scalar;
use veil_mask::{Param, ParameterKind, Strategy};

use super::wrong;
use crate::yaml::{Faults, Map, Value};

/// `strategy: email` with parameters beside it, or `strategy: { email: { keep_domain: true } }`.
pub(super) fn strategy(value: &Value<'_>, beside: Map<'_>, faults: &mut Faults) -> Option<Strategy> {
    let mut written: Vec<_> = beside.rest().collect();
    let name = if value.is_map() {
        let mut entries: Vec<_> = value.map(faults)?.rest().collect();
        let (Some((name, inner)), true) = (entries.pop(), entries.is_empty()) else {
            return wrong(value, faults, "expected one strategy, as { partial: { last: 4 } }");
        };
        written.extend(inner.map(faults)?.rest());
        name
    } else {
        strategy_name(value, faults)?
    };
    let mut parameters = BTreeMap::new();
    let mut paths = Vec::new();
    for (name_of, value) in written {
        if name_of.starts_with('$') {
            paths.extend(function_at(&value, faults).map(|function| (name_of, function)));
        } else if let Some(parameter) = parameter(&value, kind_of(&name, &name_of), faults) {
            parameters.insert(name_of, parameter);
        }
    }
    if !paths.is_empty() {
        if let Some(Param::Functions(listed)) = parameters.remove("paths") {
            paths.extend(listed);
        }
        parameters.insert("paths".to_owned(), Param::Functions(paths));
    }
    match Strategy::parse_with(&name, &parameters, veil_detect::finder) {
        Ok(strategy) => Some(strategy),
        Err(errors) => {
            errors.into_iter().for_each(|error| faults.at(value, error.to_string()));
            None
        }
    }
}

/// A function inside another.
fn function_at(value: &Value<'_>, faults: &mut Faults) -> Option<Strategy> {
    strategy(value, Map::empty(), faults)
}

fn kind_of(function: &str, parameter: &str) -> Option<ParameterKind> {
    let function = Strategy::catalogue().iter().find(|known| known.name == function)?;
    function.params.iter().find(|known| known.name == parameter).map(|known| known.kind)
}

/// A strategy's name; YAML reads a bare `null` as no value, and it is the strategy of that name.
fn strategy_name(value: &Value<'_>, faults: &mut Faults) -> Option<String> {
    match value.scalar() {
        Some(Scalar::Null) => Some("null".to_owned()),
        _ => value.text(faults),
    }
}

fn parameter(value: &Value<'_>, kind: Option<ParameterKind>, faults: &mut Faults) -> Option<Param> {
    match (value.scalar(), kind) {
        (Some(Scalar::String(text)), _) => Some(Param::Text(text.to_string())),
        (Some(Scalar::Integer(number)), _) => Some(Param::Int(*number)),
        (Some(Scalar::Boolean(flag)), _) => Some(Param::Bool(*flag)),
        (None, Some(ParameterKind::Texts)) => value.texts(faults).map(Param::Texts),
        (None, Some(ParameterKind::Pairs)) => {
            let pairs = value.map(faults)?.rest().filter_map(|(from, to)| Some((from, to.text(faults)?)));
            Some(Param::Pairs(pairs.collect()))
        }
        (None, Some(ParameterKind::Functions)) => {
            let functions =
                value.map(faults)?.rest().filter_map(|(at, to)| Some((at, function_at(&to, faults)?)));
            Some(Param::Functions(functions.collect()))
        }
        _ => wrong(value, faults, "a parameter is text, a whole number, true or false"),
    }
}
