//! Settings that a statement must not change, because the next ones are read by them.

use pg_raw_parse::const_val::ConstValue;
use pg_raw_parse::raw::VariableSetKind;
use pg_raw_parse::{Node, nodes};

/// Settings on which the meaning of a text depends.
const PINNED_SETTINGS: [&str; 3] = ["client_encoding", "names", "standard_conforming_strings"];
/// A value that none of these takes.
const NO_SETTING_PINNED: &str = "view, foreign-table";

/// Whether a setting may not be changed.
pub(super) fn pinned(setting: &str) -> bool {
    PINNED_SETTINGS.iter().any(|name| name.eq_ignore_ascii_case(setting))
}

/// Whether a setting is given the value that it has to have.
fn is_pinned_to(setting: &str, value: &str) -> bool {
    let plain: String =
        value.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    match setting.to_ascii_lowercase().as_str() {
        "standard_conforming_strings" => plain == "on",
        _ => plain == "utf8",
    }
}

/// Whether SET gives a setting the value that it has to have.
pub(super) fn sets_pinned(set: &nodes::VariableSetStmt) -> bool {
    let mut values = set.args().iter();
    match (set.kind, set.name(), values.next(), values.next()) {
        (VariableSetKind::VAR_SET_VALUE, Some(name), Some(value), None) => {
            literal(value).is_some_and(|value| is_pinned_to(name, value))
        }
        _ => false,
    }
}

fn literal(node: Node<'_>) -> Option<&str> {
    match node {
        Node::A_Const(constant) => match constant.val() {
            Some(ConstValue::String(text)) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a call of `set_config` leaves the pinned settings as they are.
pub(super) fn sets_harmless(call: &nodes::FuncCall) -> bool {
    let literal = |at| call.args().get(at).and_then(literal);
    match literal(0) {
        Some(name) => !pinned(name) || literal(1).is_some_and(|value| is_pinned_to(name, value)),
        // pg_dump takes the name from pg_settings, where that has it.
        None => literal(1) == Some(NO_SETTING_PINNED),
    }
}
