//! What a statement leaves behind in the session that runs it.

use pg_raw_parse::const_val::ConstValue;
use pg_raw_parse::raw::VariableSetKind;
use pg_raw_parse::{Node, deparse, nodes};

use super::push_children;
use crate::effect::{Change, Effect, Keeps};
use crate::statement::{Facts, Kind};

/// `relpersistence` of what is temporary.
const TEMPORARY: u8 = b't';

/// Functions whose effects stay, by the beginnings of their names.
const KEEPING: [(&str, Keeps); 16] = [
    ("pg_create_logical_replication_slot", Keeps::Temporary),
    ("pg_create_physical_replication_slot", Keeps::Temporary),
    ("pg_copy_", Keeps::Temporary),
    ("pg_backup_start", Keeps::Code),
    ("pg_start_backup", Keeps::Code),
    ("pg_advisory_lock", Keeps::AdvisoryLock),
    ("pg_try_advisory_lock", Keeps::AdvisoryLock),
    ("currval", Keeps::Sequence),
    ("lastval", Keeps::Sequence),
    ("setseed", Keeps::Setting),
    ("dblink", Keeps::Code),
    ("query_to_xml", Keeps::Code),
    ("cursor_to_xml", Keeps::Code),
    ("ts_stat", Keeps::Code),
    ("ts_rewrite", Keeps::Code),
    ("pg_replication_origin_session", Keeps::Code),
];

/// What `node` leaves behind, of which `facts` are known.
pub(super) fn read(node: Node<'_>, kind: &Kind, facts: &Facts, text: &str) -> Effect {
    let change = change(node);
    // EXPLAIN may run what it explains.
    let node = match node {
        Node::ExplainStmt(explain) => explain.query(),
        node => node,
    };
    // Whatever is made later may be temporary then.
    if !keeps_schema(node, facts) {
        return Effect { keeps: Some(Keeps::Temporary), change: None };
    }
    let keeps = if change.is_some() { None } else { keeps(node, kind, facts, text) };
    Effect { keeps, change }
}

fn keeps(node: Node<'_>, kind: &Kind, facts: &Facts, text: &str) -> Option<Keeps> {
    let own = match node {
        Node::ListenStmt(_) => Some(Keeps::Listen),
        Node::LoadStmt(_) | Node::DoStmt(_) | Node::CallStmt(_) => Some(Keeps::Code),
        Node::PrepareStmt(_) | Node::ExecuteStmt(_) => Some(Keeps::Prepared),
        Node::VariableSetStmt(set) => lasts(set).then_some(Keeps::Setting),
        Node::CopyStmt(_) if matches!(kind, Kind::Refused(_)) => Some(Keeps::Code),
        // A name may be one that is not to be seen in it.
        _ if *kind != Kind::Data && text.to_ascii_lowercase().contains("u&") => Some(Keeps::Unknown),
        _ if matches!(kind, Kind::Declare { hold: true, .. }) => Some(Keeps::HeldCursor),
        _ => None,
    };
    let called = facts.functions.iter().map(|function| &function.name);
    let called = called.chain(facts.fields.iter().map(|field| &field.name));
    let mut called = called.filter_map(|name| {
        let (_, keeps) = KEEPING.iter().find(|(start, _)| name.starts_with(start))?;
        Some(*keeps)
    });
    let sets = facts.functions.iter().any(|function| function.name == "set_config");
    own.or_else(|| called.next())
        .or_else(|| (sets && !all_local(node)).then_some(Keeps::Setting))
        .or_else(|| makes_temporary(node, kind, facts, text).then_some(Keeps::Temporary))
        .or_else(|| facts.opaque.map(|_| Keeps::Code))
}

/// Whether SET outlives the transaction.
fn lasts(set: &nodes::VariableSetStmt) -> bool {
    let name = set.name().unwrap_or_default().to_ascii_lowercase();
    !set.is_local && !OF_TRANSACTION.contains(&name.as_str())
}

/// What SET changes for the transaction only.
const OF_TRANSACTION: [&str; 5] = [
    "transaction",
    "transaction snapshot",
    "transaction_isolation",
    "transaction_read_only",
    "transaction_deferrable",
];

/// Whether the first schema of `search_path` is none of temporary tables, as far as that is changed.
fn keeps_schema(node: Node<'_>, facts: &Facts) -> bool {
    let plain =
        |value: Node<'_>| text(value).is_some_and(|value| !value.to_ascii_lowercase().contains("pg_temp"));
    let is_path = |name: &str| name.eq_ignore_ascii_case("search_path");
    match node {
        Node::VariableSetStmt(set) if set.name().is_some_and(is_path) => set.args().iter().all(plain),
        _ if facts.functions.iter().any(|function| function.name == "set_config") => {
            let harmless = |call: &&nodes::FuncCall| {
                let mut arguments = call.args().iter();
                let (name, value) = (arguments.next().and_then(text), arguments.next());
                name.is_some_and(|name| !is_path(name) || value.is_some_and(plain))
            };
            calls_of_set_config(node).is_none_or(|calls| calls.iter().all(harmless))
        }
        _ => true,
    }
}

/// A change of one setting that can be repeated elsewhere.
fn change(node: Node<'_>) -> Option<Change> {
    match node {
        Node::VariableSetStmt(set) if lasts(set) => {
            let name = set.name().unwrap_or_default().to_ascii_lowercase();
            match set.kind {
                VariableSetKind::VAR_RESET_ALL => Some(Change::ResetAll),
                _ if matches!(name.as_str(), "session_authorization" | "seed") => None,
                VariableSetKind::VAR_SET_VALUE => {
                    Some(Change::Set { name, text: deparse(node).ok()?.as_str().into() })
                }
                VariableSetKind::VAR_RESET | VariableSetKind::VAR_SET_DEFAULT => Some(Change::Reset { name }),
                _ => None,
            }
        }
        Node::SelectStmt(select) => set_alone(select),
        _ => None,
    }
}

/// `SELECT set_config('name', 'value', false)`, and nothing else.
fn set_alone(select: &nodes::SelectStmt) -> Option<Change> {
    let mut targets = select.target_list().iter();
    let (Some(target), None) = (targets.next(), targets.next()) else { return None };
    let Some(Node::FuncCall(call)) = Some(target.val()) else { return None };
    let name = call.funcname().iter().filter_map(Node::as_str).next_back()?;
    let mut arguments = call.args().iter();
    let (setting, value, local) = (arguments.next()?, arguments.next()?, arguments.next()?);
    // Whatever else there is besides the call would be longer.
    let mut parts = Vec::new();
    push_children(Node::SelectStmt(select), &mut parts);
    if name != "set_config" || parts.len() != 1 || is_true(local) != Some(false) {
        return None;
    }
    let (name, value) = (text(setting)?.to_ascii_lowercase(), text(value)?);
    if matches!(name.as_str(), "session_authorization" | "seed") || OF_TRANSACTION.contains(&name.as_str()) {
        return None;
    }
    let text = crate::effect::set_config(&name, value);
    Some(Change::Set { name, text: text.into() })
}

fn text(node: Node<'_>) -> Option<&str> {
    match node {
        Node::A_Const(constant) => match constant.val() {
            Some(ConstValue::String(text)) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn is_true(node: Node<'_>) -> Option<bool> {
    match node {
        Node::A_Const(constant) => match constant.val() {
            Some(ConstValue::Boolean(value)) => Some(value),
            _ => None,
        },
        Node::TypeCast(cast) => match text(cast.arg())? {
            "t" | "true" => Some(true),
            "f" | "false" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Whether all calls of `set_config` are for the transaction only.
fn all_local(root: Node<'_>) -> bool {
    let local = |call: &&nodes::FuncCall| call.args().iter().nth(2).and_then(is_true) == Some(true);
    calls_of_set_config(root).is_some_and(|calls| calls.iter().all(local))
}

/// The calls of `set_config` in a query; `None` for what is none.
fn calls_of_set_config(root: Node<'_>) -> Option<Vec<&nodes::FuncCall>> {
    // Nodes of other statements cannot be walked.
    let query = matches!(
        root,
        Node::SelectStmt(_)
            | Node::InsertStmt(_)
            | Node::UpdateStmt(_)
            | Node::DeleteStmt(_)
            | Node::MergeStmt(_)
    );
    let (mut stack, mut found) = (vec![root], Vec::new());
    while let Some(node) = stack.pop().filter(|_| query) {
        if let Node::FuncCall(call) = node
            && call.funcname().iter().filter_map(Node::as_str).next_back() == Some("set_config")
        {
            found.push(call);
        }
        push_children(node, &mut stack);
    }
    query.then_some(found)
}

fn names_temporary(text: &str) -> bool {
    text.to_ascii_lowercase().contains("pg_temp")
}

/// Whether something is made that ends with the session.
fn makes_temporary(node: Node<'_>, kind: &Kind, facts: &Facts, text: &str) -> bool {
    let in_schema = |schema: &str| schema.to_ascii_lowercase().starts_with("pg_temp");
    if facts.relations.iter().any(|name| name.schema.as_deref().is_some_and(in_schema)) {
        return true;
    }
    let made = match node {
        Node::CreateStmt(table) => table.relation(),
        Node::CreateTableAsStmt(table) => table.into().and_then(|into| into.rel()),
        Node::SelectStmt(select) => select.into_clause().and_then(|into| into.rel()),
        Node::ViewStmt(view) => view.view(),
        Node::CreateSeqStmt(sequence) => sequence.sequence(),
        _ => None,
    };
    made.is_some_and(|made| made.relpersistence.cast_unsigned() == TEMPORARY)
        || made.and_then(|made| made.schemaname()).is_some_and(in_schema)
        // Of what is not looked into, the words tell.
        || ((*kind != Kind::Data || facts.functions.iter().any(|function| function.name == "set_config"))
            && names_temporary(text))
}
