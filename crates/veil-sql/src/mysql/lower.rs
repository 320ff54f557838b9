//! From the grammar's trees to queries. What is not listed here is not followed.

mod counts;

use std::ops::ControlFlow;

use sqlparser::ast::{
    self, BinaryOperator, DataType, DuplicateTreatment, FunctionArg, FunctionArgExpr, FunctionArguments,
    JoinConstraint, JoinOperator, NamedWindowDefinition, NamedWindowExpr, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, TableFactor, TableWithJoins, TimezoneInfo, Visit, Visitor,
    WildcardAdditionalOptions, WindowType,
};

use counts::{counted, is_count, is_counted, nullness};

use super::facts::{function_name, is_dual, table_name};
use super::query::{Body, Expr, From, Item, Query, Rows, Select, With};
use super::statement::TableName;

/// A query; `None` if its columns cannot be counted.
pub(super) fn query(tree: &ast::Query) -> Option<Query> {
    let with = tree.with.as_ref();
    let tables = with.map(|with| with.cte_tables.as_slice()).unwrap_or_default();
    Some(Query {
        with: tables.iter().map(common).collect::<Option<_>>()?,
        recursive: with.is_some_and(|with| with.recursive),
        body: body(&tree.body)?,
    })
}

fn common(table: &ast::Cte) -> Option<With> {
    let columns = table.alias.columns.iter().map(|column| column.name.value.clone()).collect();
    Some(With { name: table.alias.name.value.clone(), columns, query: query(&table.query)? })
}

fn body(tree: &SetExpr) -> Option<Body> {
    match tree {
        SetExpr::Select(select) => Some(Body::Select(Select {
            from: from(&select.from)?,
            merged: is_merged(&select.from),
            items: items(&select.projection)?,
            windows: select.named_window.iter().flat_map(named_window).collect(),
            counted: counts::counted_by(select.having.as_ref()),
        })),
        SetExpr::Query(inner) => Some(Body::Query(Box::new(query(inner)?))),
        SetExpr::SetOperation { .. } => {
            let mut arms = Vec::new();
            sets(tree, &mut arms)?;
            Some(Body::Sets(arms))
        }
        SetExpr::Values(values) => {
            let rows = values.rows.iter().map(|row| row.content.iter().map(expr).collect());
            Some(Body::Values(rows.collect()))
        }
        _ => None,
    }
}

fn sets(tree: &SetExpr, arms: &mut Vec<Body>) -> Option<()> {
    match tree {
        SetExpr::SetOperation { left, right, .. } => {
            sets(left, arms)?;
            sets(right, arms)
        }
        other => {
            arms.push(body(other)?);
            Some(())
        }
    }
}

/// Sources of rows, in order.
pub(super) fn from(trees: &[TableWithJoins]) -> Option<Vec<From>> {
    let mut found = Vec::new();
    trees.iter().try_for_each(|tree| add(tree, &mut found))?;
    Some(found)
}

fn add(tree: &TableWithJoins, found: &mut Vec<From>) -> Option<()> {
    add_factor(&tree.relation, found)?;
    tree.joins.iter().try_for_each(|join| {
        constraint(&join.join_operator)?;
        add_factor(&join.relation, found)
    })
}

fn add_factor(factor: &TableFactor, found: &mut Vec<From>) -> Option<()> {
    let (rows, alias) = match factor {
        TableFactor::Table { name, .. } if is_dual(name) => return Some(()),
        TableFactor::Table { name, alias, .. } => (Rows::Table(table_name(name)?), alias),
        TableFactor::Derived { lateral, subquery, alias, .. } => {
            (Rows::Query { query: Box::new(query(subquery)?), lateral: *lateral }, alias)
        }
        TableFactor::NestedJoin { table_with_joins, alias: None } => return add(table_with_joins, found),
        TableFactor::JsonTable { alias, .. } => (Rows::Other, alias),
        _ => return None,
    };
    let columns = alias.iter().flat_map(|alias| &alias.columns).map(|column| column.name.value.clone());
    found.push(From {
        rows,
        columns: columns.collect(),
        alias: alias.as_ref().map(|alias| alias.name.value.clone()),
    });
    Some(())
}

pub(super) const fn constraint(operator: &JoinOperator) -> Option<&JoinConstraint> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::CrossJoin(constraint)
        | JoinOperator::StraightJoin(constraint) => Some(constraint),
        _ => None,
    }
}

pub(super) fn is_merged(trees: &[TableWithJoins]) -> bool {
    trees.iter().any(|tree| {
        let merges = |operator| {
            matches!(constraint(operator), None | Some(JoinConstraint::Using(_) | JoinConstraint::Natural))
        };
        let factors = std::iter::once(&tree.relation).chain(tree.joins.iter().map(|join| &join.relation));
        let mut nested = factors.filter_map(|factor| match factor {
            TableFactor::NestedJoin { table_with_joins, .. } => Some(table_with_joins.as_ref()),
            _ => None,
        });
        tree.joins.iter().any(|join| merges(&join.join_operator))
            || nested.any(|nested| is_merged(std::slice::from_ref(nested)))
    })
}

/// What is selected, in order.
pub(super) fn items(trees: &[SelectItem]) -> Option<Vec<Item>> {
    trees.iter().map(item).collect()
}

fn item(tree: &SelectItem) -> Option<Item> {
    match tree {
        SelectItem::UnnamedExpr(tree) => {
            let expr = expr(tree);
            // Anything else goes by its whole text.
            let plain = matches!(tree, ast::Expr::Identifier(_) | ast::Expr::CompoundIdentifier(_));
            let name = match &expr {
                Expr::Column(parts) if plain => parts.last().cloned(),
                _ => None,
            };
            Some(Item::Value { expr, name })
        }
        SelectItem::ExprWithAlias { expr: tree, alias } => {
            if !is_kept(&alias.value) {
                return None;
            }
            Some(Item::Value { expr: expr(tree), name: Some(alias.value.clone()) })
        }
        SelectItem::Wildcard(options) => is_bare(options).then(|| Item::Star(Vec::new())),
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
            let TableName { database, name } = table_name(name)?;
            is_bare(options).then(|| Item::Star(database.into_iter().chain([name]).collect()))
        }
        _ => None,
    }
}

/// Bytes of a name that every server keeps.
const ALIAS_MAX: usize = 250;

/// Whether the server keeps a column's new name as it was written: it cuts blanks off its beginning, and what is long or
/// comes behind a zero. And bytes that could not be read may be any.
fn is_kept(name: &str) -> bool {
    let blank = |c: char| c.is_whitespace() || c.is_control();
    name.len() <= ALIAS_MAX && !name.starts_with(blank) && !name.contains(['\0', char::REPLACEMENT_CHARACTER])
}

/// Nothing but the star.
fn is_bare(options: &WildcardAdditionalOptions) -> bool {
    let WildcardAdditionalOptions {
        wildcard_token: _,
        opt_ilike,
        opt_exclude,
        opt_except,
        opt_replace,
        opt_rename,
        opt_alias,
    } = options;
    opt_ilike.is_none()
        && opt_exclude.is_none()
        && opt_except.is_none()
        && opt_replace.is_none()
        && opt_rename.is_none()
        && opt_alias.is_none()
}

/// A value.
pub(super) fn expr(tree: &ast::Expr) -> Expr {
    match tree {
        ast::Expr::Identifier(name) if name.value.starts_with('@') => {
            let setting = name.value.starts_with("@@") && name.quote_style.is_none();
            if setting { Expr::Free } else { Expr::Unknown }
        }
        ast::Expr::Identifier(name) => Expr::Column(vec![name.value.clone()]),
        ast::Expr::CompoundIdentifier(parts) if parts.iter().any(|part| part.value.starts_with('@')) => {
            Expr::Unknown
        }
        ast::Expr::CompoundIdentifier(parts) => {
            Expr::Column(parts.iter().map(|part| part.value.clone()).collect())
        }
        ast::Expr::Value(_) => Expr::Literal,
        ast::Expr::TypedString(_) | ast::Expr::Prefixed { .. } => {
            if is_literal(tree) {
                Expr::Literal
            } else {
                Expr::Unknown
            }
        }
        ast::Expr::Nested(inner) => expr(inner),
        // Its value as it is, but no column of a table any more.
        ast::Expr::Collate { expr: inner, .. } => Expr::Chosen { among: vec![expr(inner)], by: Vec::new() },
        ast::Expr::Case { operand, conditions, else_result, .. } => Expr::Chosen {
            among: conditions
                .iter()
                .map(|when| &when.result)
                .chain(else_result.as_deref())
                .map(expr)
                .collect(),
            by: operand
                .as_deref()
                .into_iter()
                .chain(conditions.iter().map(|when| &when.condition))
                .map(expr)
                .collect(),
        },
        // Whether a row exists is asked as by any condition.
        ast::Expr::Exists { .. } => Expr::Free,
        ast::Expr::IsNull(inner) | ast::Expr::IsNotNull(inner) if is_column(inner) => nullness(inner),
        ast::Expr::Subquery(inner) => {
            query(inner).map_or(Expr::Unknown, |query| Expr::Query(Box::new(query)))
        }
        ast::Expr::Function(function) => call(function),
        other => Expr::From(parts(other)),
    }
}

/// Whether two words are one literal for the server, too: for others the first is a column and the second its alias.
fn is_literal(tree: &ast::Expr) -> bool {
    match tree {
        ast::Expr::TypedString(typed) => matches!(
            typed.data_type,
            DataType::Date
                | DataType::Time(None, TimezoneInfo::None)
                | DataType::Timestamp(None, TimezoneInfo::None)
        ),
        ast::Expr::Prefixed { prefix, .. } => {
            // Those that every server has.
            let known = ["_ascii", "_binary", "_latin1", "_utf8", "_utf8mb4"];
            prefix.quote_style.is_none() && known.contains(&prefix.value.to_ascii_lowercase().as_str())
        }
        _ => false,
    }
}

fn is_column(mut tree: &ast::Expr) -> bool {
    while let ast::Expr::Nested(inner) = tree {
        tree = inner;
    }
    match tree {
        ast::Expr::Identifier(name) => !name.value.starts_with('@'),
        ast::Expr::CompoundIdentifier(parts) => !parts.iter().any(|part| part.value.starts_with('@')),
        _ => false,
    }
}

fn call(tree: &ast::Function) -> Expr {
    let Some(function) = function_name(tree) else { return Expr::Unknown };
    let arguments = arguments(tree);
    let name = if function.database.is_none() { function.name.as_str() } else { "" };
    // What a column holds by default may be computed from others.
    if name == "default" {
        return Expr::Unknown;
    }
    let whole = |function| {
        let mut found = vec![Expr::Call(function)];
        found.extend(arguments_and_window(tree));
        Expr::From(found)
    };
    match (name, arguments.as_deref()) {
        ("count", Some([FunctionArgExpr::Wildcard])) if tree.over.is_none() => Expr::Free,
        ("count", Some(list)) if tree.over.is_none() && list.iter().all(|one| is_counted(one)) => {
            Expr::From(list.iter().map(|one| counted(one)).collect())
        }
        (_, Some([FunctionArgExpr::Expr(of)])) if counts::is_aggregate(tree) => {
            let summed = Expr::Aggregate(Box::new(expr(of)));
            Expr::From(vec![summed, Expr::Call(function)])
        }
        (
            "min" | "max" | "any_value" | "first_value" | "last_value" | "nth_value" | "lag" | "lead",
            Some([FunctionArgExpr::Expr(first), rest @ ..]),
        ) if rest.len() < 2 && (tree.over.is_none() || is_column(first)) => {
            // Beside a column in a window, and where there is no other row, there could be values of the client's own.
            let mut by = vec![Expr::Call(function)];
            by.extend(rest.iter().map(|one| argument(one)));
            by.extend(window(tree));
            Expr::Chosen { among: vec![expr(first)], by }
        }
        ("coalesce" | "ifnull" | "nvl", Some(list)) if tree.over.is_none() => Expr::Chosen {
            among: list.iter().map(|one| argument(one)).collect(),
            by: vec![Expr::Call(function)],
        },
        ("if", Some([condition, then, otherwise])) if tree.over.is_none() => Expr::Chosen {
            among: vec![argument(then), argument(otherwise)],
            by: vec![argument(condition), Expr::Call(function)],
        },
        // The first argument is a unit.
        ("timestampdiff" | "timestampadd", Some([_, rest @ ..])) => {
            let mut found = vec![Expr::Call(function)];
            found.extend(rest.iter().map(|one| argument(one)));
            Expr::From(found)
        }
        _ => whole(function),
    }
}

fn argument(argument: &FunctionArgExpr) -> Expr {
    match argument {
        FunctionArgExpr::Expr(tree) => expr(tree),
        _ => Expr::Unknown,
    }
}

/// The arguments of a call without clauses of its own.
fn arguments(tree: &ast::Function) -> Option<Vec<&FunctionArgExpr>> {
    match &tree.args {
        FunctionArguments::List(list)
            if list.clauses.is_empty() && list.duplicate_treatment != Some(DuplicateTreatment::All) =>
        {
            list.args
                .iter()
                .map(|argument| match argument {
                    FunctionArg::Unnamed(argument) => Some(argument),
                    _ => None,
                })
                .collect()
        }
        _ => None,
    }
}

/// What a window is made by.
fn window(tree: &ast::Function) -> Vec<Expr> {
    match &tree.over {
        None => Vec::new(),
        Some(WindowType::WindowSpec(spec)) => window_spec(spec),
        Some(WindowType::NamedWindow(_)) => vec![Expr::Windows],
    }
}

fn window_spec(spec: &ast::WindowSpec) -> Vec<Expr> {
    let named = |part| match part {
        Expr::Column(mut parts) if parts.len() == 1 => Expr::Named(parts.pop().unwrap_or_default()),
        other => other,
    };
    let above = spec.window_name.iter().map(|_| Expr::Windows);
    parts(spec).into_iter().map(named).chain(above).collect()
}

fn named_window(NamedWindowDefinition(_, window): &NamedWindowDefinition) -> Vec<Expr> {
    match window {
        // All windows that have names are looked at together.
        NamedWindowExpr::NamedWindow(_) => Vec::new(),
        NamedWindowExpr::WindowSpec(spec) => {
            let own = |part: &Expr| *part != Expr::Windows;
            window_spec(spec).into_iter().filter(own).collect()
        }
    }
}

fn arguments_and_window(tree: &ast::Function) -> Vec<Expr> {
    let mut found = parts(&tree.args);
    found.extend(window(tree));
    found
}

/// All that stands in `tree`: columns, functions, queries.
fn parts(tree: &impl Visit) -> Vec<Expr> {
    let mut parts = Parts::default();
    let _: ControlFlow<()> = tree.visit(&mut parts);
    parts.found
}

/// What stands for all that is inside; `None` if that counts for itself.
fn as_whole(tree: &ast::Expr) -> Option<Expr> {
    match tree {
        ast::Expr::Exists { .. } => Some(Expr::Free),
        ast::Expr::IsNull(inner) | ast::Expr::IsNotNull(inner) if is_column(inner) => Some(nullness(inner)),
        ast::Expr::Function(function)
            if function.over.is_some() || is_count(function) || counts::is_aggregate(function) =>
        {
            Some(call(function))
        }
        _ => None,
    }
}

/// Whether there is such.
fn is_whole(tree: &ast::Expr) -> bool {
    match tree {
        ast::Expr::Exists { .. } => true,
        ast::Expr::IsNull(inner) | ast::Expr::IsNotNull(inner) => is_column(inner),
        ast::Expr::Function(function) => {
            function.over.is_some() || is_count(function) || counts::is_aggregate(function)
        }
        _ => false,
    }
}

/// Collects what an expression is computed from. Queries inside are taken whole.
#[derive(Default)]
struct Parts {
    found: Vec<Expr>,
    depth: usize,
}

impl Visitor for Parts {
    type Break = ();

    fn pre_visit_query(&mut self, tree: &ast::Query) -> ControlFlow<()> {
        if self.depth == 0 {
            self.found.push(
                query(tree).map_or(Expr::Unknown, |query| Expr::From(vec![Expr::Query(Box::new(query))])),
            );
        }
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &ast::Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, tree: &ast::Expr) -> ControlFlow<()> {
        self.depth -= usize::from(is_whole(tree));
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, tree: &ast::Expr) -> ControlFlow<()> {
        if is_whole(tree) {
            if self.depth == 0 {
                self.found.extend(as_whole(tree));
            }
            self.depth += 1;
        } else if self.depth == 0 {
            match tree {
                ast::Expr::Identifier(_) | ast::Expr::CompoundIdentifier(_) => self.found.push(expr(tree)),
                ast::Expr::MatchAgainst { columns, .. } => {
                    let names = columns.iter().map(|name| name.0.iter().map(|part| part.as_ident()));
                    self.found.extend(names.map(|parts| {
                        let parts = parts.map(|part| part.map(|ident| ident.value.clone()));
                        parts.collect::<Option<_>>().map_or(Expr::Unknown, Expr::Column)
                    }));
                }
                ast::Expr::Function(function) => {
                    let name = function_name(function);
                    // What a column holds by default may be computed from others.
                    let plain = name.filter(|name| name.database.is_some() || name.name != "default");
                    self.found.push(plain.map_or(Expr::Unknown, Expr::Call));
                }
                ast::Expr::TypedString(_) | ast::Expr::Prefixed { .. } if !is_literal(tree) => {
                    self.found.push(Expr::Unknown);
                }
                ast::Expr::BinaryOp { op: BinaryOperator::Assignment, .. } => self.found.push(Expr::Unknown),
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }
}
