//! Settings that a statement must not change, because the next ones are read by them.

use pg_raw_parse::const_val::ConstValue;
use pg_raw_parse::{Node, nodes};

/// Settings on which the meaning of a text depends.
const PINNED_SETTINGS: [&str; 3] = ["client_encoding", "names", "standard_conforming_strings"];
/// A value that none of these takes.
const NO_SETTING_PINNED: &str = "view, foreign-table";

/// Whether a setting may not be changed.
pub(super) fn pinned(setting: &str) -> bool {
    PINNED_SETTINGS.iter().any(|name| name.eq_ignore_ascii_case(setting))
}

/// Whether a call of `set_config` leaves the pinned settings as they are.
pub(super) fn sets_harmless(call: &nodes::FuncCall) -> bool {
    let literal = |at| match call.args().get(at) {
        Some(Node::A_Const(constant)) => match constant.val() {
            Some(ConstValue::String(text)) => Some(text),
            _ => None,
        },
        _ => None,
    };
    match literal(0) {
        Some(name) => !pinned(name),
        // pg_dump takes the name from pg_settings, where that has it.
        None => literal(1) == Some(NO_SETTING_PINNED),
    }
}
