//! From PostgreSQL's trees to lineage.

mod asked;
mod chosen;
mod group;
mod met;

use std::collections::HashSet;
use std::ptr;

use pg_raw_parse::list::NodeList;
use pg_raw_parse::raw::SubLinkType;
use pg_raw_parse::{Node, nodes};

use super::source::is_system_user;
use super::{last_name, only_call, push_children, qualified, visit_plain};
use crate::lineage::{Expr, Lineage, Output};
use crate::statement::Facts;

/// What is deeper inside of other values is not followed.
const DEPTH_MAX: usize = 16;
/// Values of one statement that are followed.
const VALUES_MAX: usize = 16 << 10;

/// Of a statement that reads or writes rows; `None` if it is not followed.
pub(super) fn read(root: Node<'_>, text: &str) -> Option<Lineage> {
    let mut reader = Reader::default();
    let outputs = match root {
        Node::SelectStmt(select) => reader.result(select),
        Node::InsertStmt(insert) => reader.returning(insert.returning_clause()),
        Node::UpdateStmt(update) => reader.returning(update.returning_clause()),
        Node::DeleteStmt(delete) => reader.returning(delete.returning_clause()),
        Node::MergeStmt(merge) => reader.returning(merge.returning_clause()),
        _ => return None,
    };
    let count: usize = outputs.iter().map(Vec::len).sum();
    if count > VALUES_MAX {
        return None;
    }
    reader.inside(root)?;
    let asked::Questions { asked, computed, keeps_rows, selects } = asked::read(root);
    let met::Met { meetings, stores, nulls, proposed, replaced, elsewhere, tested, .. } =
        met::read(root, text);
    Some(Lineage {
        arms: outputs,
        named: reader.named,
        windows: reader.windows,
        asked,
        computed,
        meetings,
        stores,
        nulls,
        proposed,
        replaced,
        elsewhere,
        tested,
        counted: group::counted(root),
        selects,
        keeps_rows,
    })
}

#[derive(Default)]
struct Reader {
    /// Targets of the result itself, by where they are.
    own: HashSet<*const nodes::ResTarget>,
    /// The rows of INSERT, which go by no name.
    rows: HashSet<*const nodes::SelectStmt>,
    named: Vec<(Option<String>, Expr)>,
    windows: Vec<Expr>,
    /// Values of set operations, those inside of others again.
    in_sets: usize,
}

impl Reader {
    fn result(&mut self, select: &nodes::SelectStmt) -> Vec<Vec<Output>> {
        for arm in set_arms(select) {
            self.own.extend(arm.target_list().iter().map(ptr::from_ref));
        }
        arms(select, 0)
    }

    fn returning(&mut self, clause: Option<&nodes::ReturningClause>) -> Vec<Vec<Output>> {
        let Some(clause) = clause else { return Vec::new() };
        let targets = clause.exprs().iter().map(|target| match target {
            Node::ResTarget(target) => {
                self.own.insert(ptr::from_ref(target));
                output(target, 0)
            }
            _ => Output::Value(Expr::Unknown),
        });
        vec![targets.collect()]
    }

    /// Everything in the statement that gives a name to a value.
    fn inside(&mut self, root: Node<'_>) -> Option<()> {
        let mut stack = vec![root];
        while let Some(node) = stack.pop() {
            match node {
                Node::ResTarget(target) if !self.own.contains(&ptr::from_ref(target)) => self.target(target),
                Node::SelectStmt(select) if !ptr::eq(select, root_select(root)) => {
                    let goes_by_none = self.rows.contains(&ptr::from_ref(select));
                    let values = select.values_lists().iter().map(|value| Expr::From(parts(value, 0)));
                    let values = values.filter(|value| !(goes_by_none && value.is_constant()));
                    self.named.extend(values.map(|value| (None, value)));
                    if select.larg().is_some() {
                        self.set(select);
                    }
                }
                Node::InsertStmt(insert) => {
                    if let Node::SelectStmt(rows) = insert.select_stmt() {
                        self.rows.insert(ptr::from_ref(rows));
                    }
                }
                // What is written to goes by no name.
                Node::UpdateStmt(update) => self.own.extend(update.target_list().iter().map(ptr::from_ref)),
                Node::OnConflictClause(conflict) => {
                    self.own.extend(conflict.target_list().iter().map(ptr::from_ref));
                }
                Node::WithClause(with) => {
                    for cte in with.ctes().iter() {
                        let Node::CommonTableExpr(cte) = Node::from(cte) else { return None };
                        if cte.search_clause().is_some() || cte.cycle_clause().is_some() {
                            return None;
                        }
                        self.renamed(cte.aliascolnames(), cte.ctequery());
                        stack.push(cte.ctequery());
                    }
                    continue;
                }
                Node::RangeSubselect(source) => {
                    if let Some(alias) = source.alias() {
                        self.renamed(alias.colnames(), source.subquery());
                    }
                }
                Node::RangeVar(source) => {
                    if let Some(alias) = source.alias() {
                        let whole = Expr::Whole(alias.aliasname().map(str::to_owned));
                        self.all(alias.colnames(), &Expr::From(vec![whole]));
                    }
                }
                Node::JoinExpr(source) => {
                    if let Some(alias) = source.alias() {
                        self.all(alias.colnames(), &Expr::From(vec![Expr::Whole(None)]));
                    }
                }
                Node::RangeFunction(source) => {
                    let made =
                        Expr::From(source.functions().iter().flat_map(|call| parts(call, 0)).collect());
                    if let Some(alias) = source.alias() {
                        self.all(alias.colnames(), &made);
                        self.named.push((alias.aliasname().map(str::to_owned), made.clone()));
                    } else if let Some(name) = only_call(source) {
                        self.named.push((Some(name), made.clone()));
                    }
                    self.named.push((None, made));
                }
                Node::WindowDef(window) if window.name().is_some() => {
                    self.windows.extend(parts(node, 0));
                }
                Node::RangeTableFunc(_) | Node::JsonTable(_) => {
                    self.named.push((None, Expr::From(parts(node, 0))));
                }
                _ => {}
            }
            if self.named.len().max(self.in_sets) > VALUES_MAX {
                return None;
            }
            descend(node, &mut stack);
        }
        Some(())
    }

    fn target(&mut self, target: &nodes::ResTarget) {
        match (target.name(), target.val()) {
            // A name without a value is the target of an INSERT.
            (_, Node::None) => {}
            // A star keeps names, and so does a column without a new one. But what stands before a dot may be an
            // argument, and the name a function's.
            (None, Node::ColumnRef(column)) => {
                if let Expr::Column { of: Some(of), name } = reference(column) {
                    self.named.push((Some(name.clone()), Expr::Column { of: Some(of), name }));
                }
            }
            // The server's name for a literal that nothing says more of.
            (None, Node::A_Const(_)) => self.named.push((Some("?column?".to_owned()), Expr::Literal)),
            (name, value) => self.named.push((name.map(str::to_owned), expr(value, 0))),
        }
    }

    /// Names for the columns of a query, by their places if these can be told.
    fn renamed(&mut self, names: &NodeList, query: Node<'_>) {
        if names.is_empty() {
            return;
        }
        let arms = match query {
            Node::SelectStmt(select) => arms(select, 0),
            _ => Vec::new(),
        };
        let known = is_counted(&arms);
        for (at, name) in names.iter().enumerate() {
            let values = arms.iter().map(|arm| match arm.get(at) {
                Some(Output::Value(value)) if known => value.clone(),
                _ => Expr::Unknown,
            });
            let values: Vec<Expr> = if known { values.collect() } else { Vec::new() };
            let value = if values.is_empty() { Expr::Unknown } else { one_of(values) };
            self.named.push((name.as_str().map(str::to_owned), value));
        }
    }

    /// Columns of all queries of a set operation go by the names of the first.
    fn set(&mut self, select: &nodes::SelectStmt) {
        let arms = arms(select, 0);
        self.in_sets += arms.iter().map(Vec::len).sum::<usize>();
        if !is_counted(&arms) {
            self.named.push((None, Expr::Unknown));
            return;
        }
        let first = set_arms(select).into_iter().next();
        let names: Vec<Option<String>> =
            first.into_iter().flat_map(|first| first.target_list().iter().map(name_of)).collect();
        let mut places: Vec<Vec<Expr>> = names.iter().map(|_| Vec::new()).collect();
        for arm in arms {
            if arm.len() != names.len() {
                self.named.push((None, Expr::Unknown));
                return;
            }
            for (place, output) in places.iter_mut().zip(arm) {
                if let Output::Value(value) = output {
                    place.push(value);
                }
            }
        }
        self.named.extend(names.into_iter().zip(places.into_iter().map(one_of)));
    }

    fn all(&mut self, names: &NodeList, value: &Expr) {
        self.named.extend(names.iter().map(|name| (name.as_str().map(str::to_owned), value.clone())));
    }
}

fn root_select(root: Node<'_>) -> *const nodes::SelectStmt {
    match root {
        Node::SelectStmt(select) => ptr::from_ref(select),
        _ => ptr::null(),
    }
}

/// The name of a column, if it is written.
fn name_of(target: &nodes::ResTarget) -> Option<String> {
    match (target.name(), target.val()) {
        (Some(name), _) => Some(name.to_owned()),
        (None, Node::ColumnRef(column)) => last_name(column.fields()),
        _ => None,
    }
}

/// The queries of a set operation, in order.
fn set_arms(select: &nodes::SelectStmt) -> Vec<&nodes::SelectStmt> {
    let mut stack = vec![select];
    let mut arms = Vec::new();
    while let Some(select) = stack.pop() {
        match (select.larg(), select.rarg()) {
            (Some(left), Some(right)) => stack.extend([right, left]),
            _ => arms.push(select),
        }
    }
    arms
}

/// The columns that a query shows, once for each query of a set operation and each row that is written out.
pub(super) fn arms(select: &nodes::SelectStmt, depth: usize) -> Vec<Vec<Output>> {
    let mut found = Vec::new();
    for arm in set_arms(select) {
        let rows = arm.values_lists();
        found.extend(rows.iter().map(|values| row(values, depth)));
        if rows.is_empty() {
            found.push(arm.target_list().iter().map(|target| output(target, depth)).collect());
        }
    }
    found
}

fn row(values: Node<'_>, depth: usize) -> Vec<Output> {
    match values {
        Node::NodeList(values) => values.iter().map(|value| Output::Value(expr(value, depth))).collect(),
        _ => vec![Output::Star],
    }
}

fn output(target: &nodes::ResTarget, depth: usize) -> Output {
    match expr(target.val(), depth) {
        Expr::Whole(_) if matches!(target.val(), Node::ColumnRef(_)) => Output::Star,
        value if is_expanded(target.val()) => Output::Fields(value),
        value => Output::Value(value),
    }
}

/// Whether the columns of all arms have places that can be told, and are not too many to be followed.
fn is_counted(arms: &[Vec<Output>]) -> bool {
    let count: usize = arms.iter().map(Vec::len).sum();
    let plain = |output: &Output| matches!(output, Output::Value(_));
    count <= VALUES_MAX && arms.iter().flatten().all(plain)
}

fn is_expanded(value: Node<'_>) -> bool {
    match value {
        Node::A_Indirection(selected) => {
            selected.indirection().iter().any(|field| matches!(field, Node::A_Star(_)))
        }
        _ => false,
    }
}

fn one_of(among: Vec<Expr>) -> Expr {
    Expr::Chosen { among, by: Vec::new() }
}

pub(super) fn expr(node: Node<'_>, depth: usize) -> Expr {
    let deeper = |node| expr(node, depth + 1);
    if depth > DEPTH_MAX {
        return Expr::Unknown;
    }
    match node {
        Node::ColumnRef(column) => reference(column),
        Node::None | Node::A_Const(_) | Node::ParamRef(_) => Expr::Literal,
        Node::TypeCast(cast) if matches!(cast.arg(), Node::A_Const(_) | Node::ParamRef(_)) => Expr::Literal,
        Node::CollateClause(inner) => deeper(inner.arg()),
        Node::CoalesceExpr(inner) => one_of(inner.args().iter().map(deeper).collect()),
        Node::CaseExpr(case) => {
            let mut among = vec![deeper(case.defresult())];
            let mut by = parts(case.arg(), depth + 1);
            for when in case.args().iter() {
                let Node::CaseWhen(when) = when else { return Expr::Unknown };
                among.push(deeper(when.result()));
                by.extend(parts(when.expr(), depth + 1));
            }
            Expr::Chosen { among, by }
        }
        Node::SubLink(link) => sublink(link, depth + 1),
        Node::FuncCall(call) => match chosen::argument(call) {
            Some(argument) => one_of(vec![deeper(argument)]),
            None => match (group::aggregated(call), chosen::of_other_row(call, depth + 1)) {
                (Some(argument), _) => Expr::Aggregate(Box::new(deeper(argument))),
                (None, Some(chosen)) => chosen,
                (None, None) => Expr::From(parts(node, depth + 1)),
            },
        },
        other => Expr::From(parts(other, depth + 1)),
    }
}

fn sublink(link: &nodes::SubLink, depth: usize) -> Expr {
    if link.sub_link_type == SubLinkType::EXISTS_SUBLINK {
        return Expr::From(Vec::new());
    }
    let Node::SelectStmt(select) = link.subselect() else { return Expr::Unknown };
    if depth > DEPTH_MAX {
        return Expr::Unknown;
    }
    let outputs = arms(select, depth).into_iter().flatten();
    let mut values: Vec<Expr> = outputs
        .map(|output| match output {
            Output::Value(value) => value,
            Output::Star | Output::Fields(_) => Expr::Unknown,
        })
        .collect();
    if link.sub_link_type == SubLinkType::EXPR_SUBLINK {
        return one_of(values);
    }
    values.extend(parts(link.testexpr(), depth));
    Expr::From(values)
}

fn reference(column: &nodes::ColumnRef) -> Expr {
    let fields: Option<Vec<&str>> = column.fields().iter().map(Node::as_str).collect();
    match fields.as_deref() {
        Some([name]) => Expr::Column { of: None, name: (*name).to_owned() },
        Some([.., of, name]) => Expr::Column { of: Some((*of).to_owned()), name: (*name).to_owned() },
        Some([]) => Expr::Unknown,
        None => {
            let name = column.fields().iter().rev().find_map(Node::as_str);
            Expr::Whole(name.map(str::to_owned))
        }
    }
}

/// What depends on no value but on whether columns are NULL: counts of columns, questions whether they are NULL, and what
/// a row is grouped by. These columns.
fn null_tests(node: Node<'_>) -> Option<Vec<Expr>> {
    match node {
        Node::GroupingFunc(_) => Some(Vec::new()),
        Node::NullTest(test) if matches!(test.arg(), Node::ColumnRef(_)) && is_named(test.arg()) => {
            Some(vec![nullness(test.arg())])
        }
        Node::FuncCall(call) => {
            let counts = qualified(call.funcname()).is_some_and(|name| {
                name.name == "count" && name.schema.as_deref().is_none_or(|schema| schema == "pg_catalog")
            });
            let plain = call.over().is_none() && matches!(call.agg_filter(), Node::None);
            let free = counts && plain && call.agg_order().is_empty() && call.args().iter().all(is_named);
            free.then(|| call.args().iter().map(nullness).collect())
        }
        _ => None,
    }
}

fn nullness(node: Node<'_>) -> Expr {
    match node {
        Node::ColumnRef(column) => Expr::Nullness(Box::new(reference(column))),
        _ => Expr::From(Vec::new()),
    }
}

fn is_named(node: Node<'_>) -> bool {
    match node {
        Node::ColumnRef(column) => matches!(reference(column), Expr::Column { .. }),
        Node::A_Const(_) => true,
        _ => false,
    }
}

/// Leaves have no children to be asked for.
fn descend<'a>(node: Node<'a>, stack: &mut Vec<Node<'a>>) {
    let inner = matches!(
        node,
        Node::ColumnRef(_)
            | Node::DeleteStmt(_)
            | Node::FuncCall(_)
            | Node::InsertStmt(_)
            | Node::MergeStmt(_)
            | Node::RangeVar(_)
            | Node::SelectStmt(_)
            | Node::UpdateStmt(_)
    );
    if inner || visit_plain(node, &mut Facts::default()) {
        push_children(node, stack);
    }
}

/// All names below `root` that a value of it depends on. Queries inside count by what they show.
fn parts(root: Node<'_>, depth: usize) -> Vec<Expr> {
    let mut found = Vec::new();
    let mut stack = vec![root];
    while let Some(node) = stack.pop() {
        if let Some(tests) = null_tests(node) {
            found.extend(tests);
            continue;
        }
        match node {
            Node::ColumnRef(column) => found.push(reference(column)),
            Node::SubLink(link) => found.push(Expr::From(vec![sublink(link, depth + 1)])),
            Node::SelectStmt(_) => found.push(Expr::Unknown),
            Node::WindowDef(window) => {
                if window.name().or(window.refname()).is_some() {
                    found.push(Expr::Windows);
                }
                push_children(node, &mut stack);
            }
            // A column, for older servers.
            Node::FuncCall(_) if is_system_user(node) => found.push(Expr::Unknown),
            Node::FuncCall(call) if last_name(call.funcname()).is_none() => found.push(Expr::Unknown),
            Node::FuncCall(call) if group::aggregated(call).is_some() => found.push(expr(node, depth + 1)),
            other => descend(other, &mut stack),
        }
    }
    found
}
