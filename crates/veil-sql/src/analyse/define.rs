//! Statements that define objects, as far as they are understood: tables, views, indexes, sequences and types. What
//! they read and refer to is collected like that of any other statement. Code (functions, triggers, rules, casts) is not
//! among them.

use std::collections::BTreeSet;

use pg_raw_parse::list::CastNodeList;
use pg_raw_parse::raw::{AlterTableType as Change, DropBehavior, ObjectType};
use pg_raw_parse::{Node, nodes};

use super::{column_names, push_children, qualified, relation_name, walk};
use crate::statement::{Alias, AliasSource, Facts, Field, Kind, QualifiedName};

/// What is said of the others.
const OTHER: Kind = Kind::Refused("a statement that defines or changes objects of this kind");

/// Reads a definition.
pub(super) fn classify(node: Node<'_>, facts: &mut Facts) -> Kind {
    match node {
        Node::CreateStmt(table) => create_table(table, facts),
        Node::CreateTableAsStmt(table) => match table.into().and_then(|into| into.rel()) {
            Some(target) => {
                facts
                    .defines
                    .extend(table.into().map(|into| column_names(into.col_names())).unwrap_or_default());
                filled(target, table.query(), facts)
            }
            None => OTHER,
        },
        Node::ViewStmt(view) => match view.view() {
            Some(target) => {
                facts.defines.extend(column_names(view.aliases()));
                filled(target, view.query(), facts)
            }
            None => OTHER,
        },
        Node::CreateSeqStmt(sequence) => {
            facts.defines.insert("last_value".to_owned());
            made(sequence.sequence(), facts)
        }
        Node::CompositeTypeStmt(composite) => {
            let mut near: Vec<QualifiedName> = composite.typevar().map(relation_name).into_iter().collect();
            facts.made.extend(near.iter().map(|name| name.name.clone()));
            near.extend(composite.coldeflist().iter().filter_map(|column| type_name(column.type_name())));
            Kind::Define(near)
        }
        Node::AlterEnumStmt(_) => Kind::Define(Vec::new()),
        Node::CreateEnumStmt(list) => {
            facts.types.extend(parts_of(list.type_name()).map(|name| name.name));
            facts.made.extend(facts.types.iter().cloned());
            Kind::Define(Vec::new())
        }
        Node::CreateDomainStmt(domain) => {
            domain.constraints().iter().for_each(|constraint| read(constraint.into(), facts));
            facts.types.extend(parts_of(domain.domainname()).map(|name| name.name));
            facts.made.extend(facts.types.iter().cloned());
            Kind::Define(type_name(domain.type_name()).into_iter().collect())
        }
        Node::CreateSchemaStmt(schema) if schema.schema_elts().is_empty() => Kind::Define(Vec::new()),
        Node::IndexStmt(index) => {
            changed(index.relation(), facts);
            index.index_params().iter().for_each(|part| read(part.into(), facts));
            index.index_including_params().iter().for_each(|part| read(part, facts));
            read(index.where_clause(), facts);
            Kind::Define(Vec::new())
        }
        Node::AlterTableStmt(alter) => {
            changed(alter.relation(), facts);
            let known = alter.cmds().iter().all(|change| alter_table(change, facts));
            if known { Kind::Define(Vec::new()) } else { OTHER }
        }
        Node::RenameStmt(rename) if is_of_relation(rename.rename_type, rename.relation_type) => {
            changed(rename.relation(), facts);
            let name = rename.newname().map(str::to_owned);
            if rename.rename_type == ObjectType::OBJECT_COLUMN {
                gone(rename.subname(), facts);
                facts.defines.extend(name);
                return Kind::Define(Vec::new());
            }
            if rename.rename_type == ObjectType::OBJECT_TABCONSTRAINT {
                return Kind::Define(Vec::new());
            }
            let schema = rename.relation().and_then(|relation| relation.schemaname()).map(str::to_owned);
            facts.made.extend(name.clone());
            Kind::Define(name.map(|name| QualifiedName { schema, name }).into_iter().collect())
        }
        Node::DropStmt(drop) => dropped(drop).map_or(OTHER, Kind::Define),
        _ => OTHER,
    }
}

fn create_table(table: &nodes::CreateStmt, facts: &mut Facts) -> Kind {
    if table.of_typename().is_some() {
        return OTHER;
    }
    for list in [table.table_elts(), table.inh_relations()] {
        list.iter().for_each(|part| read(part, facts));
    }
    table.constraints().iter().for_each(|constraint| read(constraint.into(), facts));
    table.partbound().into_iter().for_each(|bound| read(Node::PartitionBoundSpec(bound), facts));
    let by = table.partspec().map(nodes::PartitionSpec::part_params);
    by.into_iter().flat_map(|by| by.iter()).for_each(|by| walk(by.expr(), facts));
    made(table.relation(), facts)
}

/// A table or view that is made of a query.
fn filled(target: &nodes::RangeVar, query: Node<'_>, facts: &mut Facts) -> Kind {
    match query {
        Node::SelectStmt(_) => {
            walk(query, facts);
            note_names(query, facts);
            made(Some(target), facts)
        }
        _ => OTHER,
    }
}

/// Names that the server gives to columns which the text does not name.
const UNNAMED: [&str; 39] = [
    "?column?",
    "array",
    "case",
    "coalesce",
    "column1",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "exists",
    "greatest",
    "grouping",
    "json",
    "json_array",
    "json_arrayagg",
    "json_exists",
    "json_object",
    "json_objectagg",
    "json_query",
    "json_scalar",
    "json_serialize",
    "json_value",
    "least",
    "localtime",
    "localtimestamp",
    "nullif",
    "ordinality",
    "row",
    "session_user",
    "system_user",
    "user",
    "xmlconcat",
    "xmlelement",
    "xmlforest",
    "xmlparse",
    "xmlserialize",
];

/// Notes all names that stand in a query, which those of its columns are among.
fn note_names(query: Node<'_>, facts: &mut Facts) {
    let mut names: BTreeSet<String> = UNNAMED.map(str::to_owned).into();
    for alias in &facts.aliases {
        names.insert(alias.name.clone());
        if let AliasSource::Derived(columns) | AliasSource::Function(columns) = &alias.source {
            names.extend(columns.iter().cloned());
        }
    }
    let mut stack = vec![query];
    let function = |alias: &Alias| matches!(alias.source, AliasSource::Function(_));
    let functions = facts.unnamed || facts.aliases.iter().any(function);
    while let Some(node) = stack.pop() {
        let star = |part: Node<'_>| matches!(part, Node::A_Star(_));
        match node {
            Node::ColumnRef(column) => {
                names.extend(column.fields().iter().filter_map(Node::as_str).map(str::to_owned));
            }
            Node::SelectStmt(select) => {
                let row = select.values_lists().iter().next();
                let cells = match row {
                    Some(Node::NodeList(row)) => row.iter().count(),
                    _ => 0,
                };
                names.extend((1..=cells).map(|at| format!("column{at}")));
            }
            _ => {}
        }
        facts.defines_any |= match node {
            Node::ColumnRef(column) => functions && column.fields().iter().any(star),
            Node::A_Indirection(of) => of.indirection().iter().any(star),
            _ => false,
        };
        let name = match node {
            Node::ResTarget(target) => target.name(),
            Node::ColumnDef(column) => column.colname(),
            Node::JsonTableColumn(column) => column.name(),
            Node::RangeTableFuncCol(column) => column.colname(),
            node => node.as_str(),
        };
        names.extend(name.map(str::to_owned));
        push_children(node, &mut stack);
    }
    facts.defines.extend(names);
}

/// SELECT INTO.
pub(super) fn select_into(select: &nodes::SelectStmt, facts: &mut Facts) -> Kind {
    let target = select.into_clause().and_then(|into| into.rel()).map(relation_name);
    let Some(target) = target else { return OTHER };
    // The target is a name in the tree like those that are read: it does not exist yet.
    let mut inside = Facts::default();
    let mut parts = Vec::new();
    push_children(Node::SelectStmt(select), &mut parts);
    for part in parts {
        match part {
            Node::IntoClause(_) => {}
            // Where what it defines is known, cannot be told without the whole.
            Node::WithClause(_) => return Kind::Refused("SELECT INTO with common table expressions"),
            part => walk(part, &mut inside),
        }
    }
    *facts = inside;
    note_names(Node::SelectStmt(select), facts);
    facts.made.insert(target.name.clone());
    Kind::Define(vec![target])
}

/// A type may be that of a relation's rows.
fn type_name(of: Option<&nodes::TypeName>) -> Option<QualifiedName> {
    of.and_then(|of| parts_of(of.names()))
}

fn parts_of(names: &CastNodeList<nodes::String>) -> Option<QualifiedName> {
    let mut parts = names.iter().rev().map(|part| part.sval().map(str::to_owned));
    let name = parts.next()??;
    Some(QualifiedName { schema: parts.next().flatten(), name })
}

fn made(target: Option<&nodes::RangeVar>, facts: &mut Facts) -> Kind {
    let Some(target) = target.map(relation_name) else { return OTHER };
    facts.made.insert(target.name.clone());
    Kind::Define(vec![target])
}

fn changed(target: Option<&nodes::RangeVar>, facts: &mut Facts) {
    match target {
        Some(target) => drop(facts.relations.insert(relation_name(target))),
        None => facts.opaque = Some("a change of something without a name"),
    }
}

/// Where a column was, there may be a function, which those who still know of the column would call unawares.
fn gone(column: Option<&str>, facts: &mut Facts) {
    facts.fields.extend(column.map(|name| Field { of: None, name: name.to_owned() }));
}

/// Collects what a part of a definition reads and refers to.
fn read(part: Node<'_>, facts: &mut Facts) {
    match part {
        Node::RangeVar(relation) => drop(facts.relations.insert(relation_name(relation))),
        Node::TableLikeClause(like) => changed(like.relation(), facts),
        Node::ColumnDef(column) => {
            facts.defines.extend(column.colname().map(str::to_owned));
            column.constraints().iter().for_each(|constraint| read(constraint, facts));
            walk(column.raw_default(), facts);
        }
        Node::Constraint(constraint) => read_constraint(constraint, facts),
        Node::IndexElem(element) => walk(element.expr(), facts),
        Node::PartitionBoundSpec(bound) => {
            for list in [bound.listdatums(), bound.lowerdatums(), bound.upperdatums()] {
                list.iter().for_each(|value| read(value, facts));
            }
        }
        Node::PartitionRangeDatum(bound) => walk(bound.value(), facts),
        expression => walk(expression, facts),
    }
}

fn read_constraint(constraint: &nodes::Constraint, facts: &mut Facts) {
    for option in constraint.options() {
        // The sequence of an identity column, which is a relation.
        if let Node::DefElem(option) = option
            && option.defname() == Some("sequence_name")
        {
            facts.opaque = Some("SEQUENCE NAME");
        }
    }
    facts.relations.extend(constraint.pktable().map(relation_name));
    walk(constraint.raw_expr(), facts);
    walk(constraint.where_clause(), facts);
    // Each is an element and its operator, which may be a user's.
    if !constraint.exclusions().is_empty() {
        facts.opaque = Some("EXCLUDE");
    }
}

/// Whether a change of a table is understood.
fn alter_table(change: Node<'_>, facts: &mut Facts) -> bool {
    let Node::AlterTableCmd(change) = change else { return false };
    match change.subtype {
        Change::AT_AddColumn
        | Change::AT_ColumnDefault
        | Change::AT_SetExpression
        | Change::AT_AlterColumnType
        | Change::AT_AddConstraint => read(change.def(), facts),
        Change::AT_DropColumn => gone(change.name(), facts),
        Change::AT_AlterConstraint
        | Change::AT_ChangeOwner
        | Change::AT_ClusterOn
        | Change::AT_DropCluster
        | Change::AT_DropConstraint
        | Change::AT_DropExpression
        | Change::AT_DropIdentity
        | Change::AT_DropNotNull
        | Change::AT_ReplicaIdentity
        | Change::AT_ResetOptions
        | Change::AT_ResetRelOptions
        | Change::AT_SetCompression
        | Change::AT_SetLogged
        | Change::AT_SetNotNull
        | Change::AT_SetOptions
        | Change::AT_SetRelOptions
        | Change::AT_SetStatistics
        | Change::AT_SetStorage
        | Change::AT_SetUnLogged
        | Change::AT_ValidateConstraint => {}
        _ => return false,
    }
    true
}

const fn is_of_relation(what: ObjectType::Type, of: ObjectType::Type) -> bool {
    use ObjectType as O;
    match what {
        O::OBJECT_TABLE
        | O::OBJECT_VIEW
        | O::OBJECT_MATVIEW
        | O::OBJECT_SEQUENCE
        | O::OBJECT_TABCONSTRAINT => true,
        O::OBJECT_COLUMN => matches!(of, O::OBJECT_TABLE | O::OBJECT_VIEW | O::OBJECT_MATVIEW),
        _ => false,
    }
}

/// The relations that are dropped, or other things that hold nothing.
fn dropped(drop: &nodes::DropStmt) -> Option<Vec<QualifiedName>> {
    use ObjectType as O;
    match drop.remove_type {
        O::OBJECT_TABLE | O::OBJECT_VIEW | O::OBJECT_MATVIEW | O::OBJECT_SEQUENCE => {
            let name = |object| match object {
                Node::NodeList(parts) => qualified(parts),
                _ => None,
            };
            drop.objects().iter().map(name).collect()
        }
        O::OBJECT_SCHEMA => {
            let all = |name: &str| QualifiedName { schema: Some(name.to_owned()), name: "*".to_owned() };
            drop.objects().iter().map(|object| object.as_str().map(all)).collect()
        }
        // Columns of a type would go with it.
        O::OBJECT_TYPE | O::OBJECT_DOMAIN if drop.behavior == DropBehavior::DROP_CASCADE => None,
        O::OBJECT_INDEX | O::OBJECT_TYPE | O::OBJECT_DOMAIN => Some(Vec::new()),
        _ => None,
    }
}
