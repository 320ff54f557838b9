//! The columns that an expression names, and its constants.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    InTarget, Query, Select, SelectItem, SetExpr, Value, Visit, Visitor,
};

use crate::mysql::statement::Named;
use crate::question::{self, Asks, Given};

/// A name for what cannot be told.
pub(super) const ANY: &str = "*";

/// What it may tell that something is computed.
pub(super) fn cost(tree: &Expr) -> Asks {
    struct Total(bool);
    impl Visitor for Total {
        type Break = ();

        fn pre_visit_expr(&mut self, tree: &Expr) -> ControlFlow<()> {
            self.0 &= match tree {
                Expr::Function(function) => match function.name.to_string().to_lowercase().as_str() {
                    "avg" | "sum" => arguments(function).all(is_column),
                    name => question::is_total(name),
                },
                Expr::BinaryOp { op, .. } => matches!(
                    op,
                    BinaryOperator::And
                        | BinaryOperator::Or
                        | BinaryOperator::Eq
                        | BinaryOperator::NotEq
                        | BinaryOperator::Lt
                        | BinaryOperator::LtEq
                        | BinaryOperator::Gt
                        | BinaryOperator::GtEq
                ),
                Expr::Identifier(_)
                | Expr::CompoundIdentifier(_)
                | Expr::Value(_)
                | Expr::Nested(_)
                | Expr::Case { .. }
                | Expr::IsNull(_)
                | Expr::IsNotNull(_)
                | Expr::Collate { .. } => true,
                _ => false,
            };
            ControlFlow::Continue(())
        }
    }
    let mut total = Total(true);
    let _: ControlFlow<()> = tree.visit(&mut total);
    if total.0 { Asks::Total } else { Asks::Computed }
}

/// Whether a condition compares a column as it is with constants or another column, by equality.
pub(super) fn is_equality(condition: &Expr) -> bool {
    let plain = |tree: &Expr| is_column(tree) || matches!(tree, Expr::Value(_));
    match condition {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Eq | BinaryOperator::NotEq | BinaryOperator::Spaceship,
            right,
        } => plain(left) && plain(right),
        Expr::In { expr, target: InTarget::List(list), .. } => is_column(expr) && list.iter().all(plain),
        _ => false,
    }
}

pub(super) const fn is_column(tree: &Expr) -> bool {
    matches!(tree, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
}

pub(super) const fn value(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. } => Some(value),
        _ => None,
    }
}

pub(super) fn cells<'b>(body: &'b SetExpr, each: &mut impl FnMut(&'b Expr)) {
    match body {
        SetExpr::Values(values) => values.rows.iter().flat_map(|row| &row.content).for_each(each),
        SetExpr::SetOperation { left, right, .. } => {
            cells(left, each);
            cells(right, each);
        }
        _ => {}
    }
}

/// All columns in an expression, those of queries in it too.
pub(super) fn named(tree: &Expr) -> Named {
    let mut names = Names::default();
    names.visit(tree);
    names.columns += u32::try_from(names.nulls.len()).unwrap_or(u32::MAX);
    names.found.extend(names.nulls);
    let constant = names.columns == 0;
    Named {
        names: names.found,
        columns: names.columns,
        constant,
        computed: !is_column(tree),
        many: names.given.many,
        sides: None,
    }
}

/// Whether a call gives any number of values, without a column.
fn makes_many(function: &Function) -> bool {
    let name = function.name.to_string().to_lowercase();
    let aggregate = question::AGGREGATES.contains(&name.as_str())
        || name.starts_with("bit_")
        || matches!(name.as_str(), "max" | "min" | "any_value" | "group_concat");
    let made_up = aggregate && {
        let mut names = Names { nested: true, ..Names::default() };
        arguments(function).for_each(|argument| names.visit(argument));
        names.columns == 0
    };
    question::is_many(&name) || made_up
}

pub(super) fn star() -> Named {
    Named { names: BTreeSet::from([ANY.to_owned()]), columns: 2, computed: true, ..Named::default() }
}

/// A name in lower case; one that may be the text of an expression, which the server makes a name, can be any.
pub(super) fn written(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    if name.chars().all(plain) { name.to_lowercase() } else { ANY.to_owned() }
}

#[derive(Default)]
pub(super) struct Names {
    pub(super) found: BTreeSet<String>,
    /// Of columns that are asked only whether they are NULL.
    pub(super) nulls: BTreeSet<String>,
    inside: usize,
    /// How many columns there are.
    pub(super) columns: u32,
    pub(super) given: Given,
    /// Something has been visited.
    nested: bool,
}

impl Names {
    fn column(&mut self, name: String) {
        self.found.insert(name);
        self.columns += 1;
    }

    /// Whether a column is NULL is asked.
    fn null(&mut self, column: &Expr) {
        let name = match column {
            Expr::Identifier(name) => Some(name),
            Expr::CompoundIdentifier(parts) => parts.last(),
            _ => None,
        };
        self.nulls.extend(name.map(|name| name.value.to_lowercase()));
    }

    /// Adds what an expression names.
    pub(super) fn visit(&mut self, tree: &Expr) {
        let _: ControlFlow<()> = tree.visit(self);
    }

    /// What a query shows; its conditions are read for themselves.
    fn query(&mut self, query: &Query) {
        cells(&query.body, &mut |cell| self.visit(cell));
        let mut stack = vec![query.body.as_ref()];
        while let Some(body) = stack.pop() {
            match body {
                SetExpr::Select(select) => {
                    for item in &select.projection {
                        match value(item) {
                            Some(value) => {
                                let columns = self.columns;
                                self.visit(value);
                                // A count, or a row that may be there or not.
                                self.given.many |= self.columns == columns;
                            }
                            None => self.any(),
                        }
                    }
                }
                SetExpr::Query(query) => stack.push(&query.body),
                SetExpr::SetOperation { left, right, .. } => stack.extend([left.as_ref(), right.as_ref()]),
                SetExpr::Values(_) => {}
                _ => self.any(),
            }
        }
    }

    fn any(&mut self) {
        self.column(ANY.to_owned());
        self.column(ANY.to_owned());
    }

    fn is_free(tree: &Expr) -> bool {
        match tree {
            // Their own conditions are read for themselves.
            Expr::Exists { .. } | Expr::Subquery(_) | Expr::In { target: InTarget::Subquery(_), .. } => true,
            Expr::Function(function) => counted(function).is_some(),
            Expr::IsNull(inner) | Expr::IsNotNull(inner) => is_column(inner),
            _ => false,
        }
    }
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_expr(&mut self, tree: &Expr) -> ControlFlow<()> {
        if let (0, Expr::IsNull(column) | Expr::IsNotNull(column)) = (self.inside, tree) {
            self.null(column);
        }
        if let (0, Expr::Function(function)) = (self.inside, tree)
            && let Some(column) = counted(function)
        {
            self.given.many |= self.nested;
            self.null(column);
        }
        match tree {
            // Whether there are rows is a value like any other, unless it is the whole question.
            Expr::Exists { .. } if self.inside == 0 => self.given.many |= self.nested,
            Expr::IsNull(inner) | Expr::IsNotNull(inner) if self.inside == 0 && is_column(inner) => {
                self.given.many |= self.nested;
            }
            Expr::Subquery(query) if self.inside == 0 => self.query(query),
            Expr::In { expr, target: InTarget::Subquery(query), .. } if self.inside == 0 => {
                self.visit(expr);
                self.query(query);
            }
            _ => {}
        }
        self.nested = true;
        self.inside += usize::from(Self::is_free(tree));
        if self.inside > 0 {
            return ControlFlow::Continue(());
        }
        match tree {
            Expr::Identifier(name) if name.quote_style.is_none() && name.value.starts_with('@') => {
                self.given.constants += 1;
            }
            Expr::Identifier(name) => self.column(written(&name.value)),
            Expr::CompoundIdentifier(parts) => {
                parts.last().into_iter().for_each(|part| self.column(written(&part.value)));
            }
            Expr::MatchAgainst { columns, .. } => {
                self.given.constants += 1;
                for name in columns {
                    let last = name.0.last().and_then(|part| part.as_ident());
                    self.column(last.map_or_else(|| ANY.to_owned(), |ident| ident.value.to_lowercase()));
                }
            }
            Expr::Value(_) | Expr::TypedString(_) => {
                self.given.constants = self.given.constants.saturating_add(1);
            }
            Expr::Function(function) => self.given.many |= makes_many(function),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, tree: &Expr) -> ControlFlow<()> {
        self.inside -= usize::from(Self::is_free(tree));
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        if self.inside == 0 && select.projection.iter().any(|item| value(item).is_none()) {
            self.any();
        }
        ControlFlow::Continue(())
    }
}

pub(super) fn is_distinct(function: &Function) -> bool {
    match &function.args {
        FunctionArguments::List(list) => list.duplicate_treatment == Some(DuplicateTreatment::Distinct),
        _ => false,
    }
}

/// The arguments of a function that gives one of them as it is, or counts them: those that decide, and those that are given.
pub(super) fn chosen(function: &Function) -> Option<(Vec<&Expr>, Vec<&Expr>)> {
    const CHOOSING: [&str; 6] = ["any_value", "coalesce", "count", "if", "ifnull", "nvl"];
    let name = function.name.to_string().to_lowercase();
    let FunctionArguments::List(list) = &function.args else { return None };
    if function.over.is_some() || !list.clauses.is_empty() || !CHOOSING.contains(&name.as_str()) {
        return None;
    }
    let mut arguments = Vec::new();
    for argument in &list.args {
        match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(tree)) => arguments.push(tree),
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => {}
            _ => return None,
        }
    }
    let results = if name == "if" {
        arguments.split_off(1.min(arguments.len()))
    } else {
        std::mem::take(&mut arguments)
    };
    Some((arguments, results))
}

/// The first query of a set operation.
pub(super) fn first(body: &SetExpr) -> Option<&SetExpr> {
    match body {
        SetExpr::SetOperation { left, .. } => first(left),
        SetExpr::Query(query) => first(&query.body),
        other => Some(other),
    }
}

/// What the queries of a set operation show, and the rows that are written out; `None` for what is a star.
pub(super) fn rows<'b>(body: &'b SetExpr, each: &mut impl FnMut(&[Option<&'b Expr>])) {
    match body {
        SetExpr::Select(select) => each(&select.projection.iter().map(value).collect::<Vec<_>>()),
        SetExpr::Query(query) => rows(&query.body, each),
        SetExpr::SetOperation { left, right, .. } => {
            rows(left, each);
            rows(right, each);
        }
        SetExpr::Values(values) => {
            for row in &values.rows {
                each(&row.content.iter().map(Some).collect::<Vec<_>>());
            }
        }
        _ => each(&[None]),
    }
}

/// Literals and parameters that may stand in the place of a value.
pub(super) fn guesses(tree: &Expr) -> u32 {
    match tree {
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => guesses(inner),
        Expr::Value(value) => match &value.value {
            Value::Null => 0,
            Value::SingleQuotedString(text) => u32::from(!text.is_empty()),
            _ => 1,
        },
        Expr::Case { conditions, else_result, .. } => {
            let results = conditions.iter().map(|when| &when.result).chain(else_result.as_deref());
            results.map(guesses).fold(0, u32::saturating_add)
        }
        Expr::Function(function) => match chosen(function) {
            Some((_, results)) => results.into_iter().map(guesses).fold(0, u32::saturating_add),
            None => 0,
        },
        Expr::TypedString(_) | Expr::Prefixed { .. } => 1,
        // What else is not labelled is not masked beside what is.
        _ => 0,
    }
}

fn arguments(function: &Function) -> impl Iterator<Item = &Expr> {
    let list = match &function.args {
        FunctionArguments::List(list) => list.args.as_slice(),
        _ => &[],
    };
    list.iter().filter_map(argument)
}

fn argument(argument: &FunctionArg) -> Option<&Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(tree)) => Some(tree),
        _ => None,
    }
}

/// Whether a function picks one of many values by comparing them.
pub(super) fn is_extreme(function: &Function) -> bool {
    matches!(function.name.to_string().to_lowercase().as_str(), "max" | "min")
}

/// The column whose values a call counts, whatever they are.
fn counted(function: &Function) -> Option<&Expr> {
    let name = function.name.to_string();
    let plain = name.eq_ignore_ascii_case("count") && function.over.is_none() && !is_distinct(function);
    let mut arguments = arguments(function);
    arguments.next().filter(|column| plain && is_column(column) && arguments.next().is_none())
}
