//! Random statements over two tables with secrets, a clean one, and views of them.
//!
//! What is selected may be made of anything. What decides which rows come (conditions, joins, grouping, ordering) is made of
//! columns without secrets, or compares secrets for equality only: databases that differ in the secrets, but not in which
//! of them are equal, must then answer alike. Where questions about masked columns are refused, anything may decide.

use std::fmt::Write as _;

/// A small generator of random numbers: the same seed makes the same statements.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Pg,
    MySql { mariadb: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Int,
    Date,
}

/// How a value depends on secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Taint {
    /// Not at all.
    Clean,
    /// It is one, as it is.
    Verbatim,
    /// Somehow.
    Derived,
}

#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
    pub taint: Taint,
}

/// What stands in FROM.
#[derive(Clone, Debug)]
struct Source {
    alias: String,
    columns: Vec<Column>,
}

/// A statement and what its columns hold.
pub struct Query {
    pub sql: String,
    pub columns: Vec<Column>,
}

pub struct Grammar<'a> {
    pub random: &'a mut Random,
    pub dialect: Dialect,
    /// Conditions, joins and orders are made of anything, too.
    asks: bool,
    scopes: Vec<Vec<Source>>,
    /// The window with a name of each SELECT that may have one, and how many scopes that sees.
    windows: Vec<(usize, Option<(String, Taint)>)>,
    expressions: Vec<Source>,
    aliases: usize,
    depth: usize,
    /// Names stand with what they belong to.
    qualifies: bool,
}

const NAMES: [&str; 9] = ["email", "note", "label", "name", "age", "x", "y", "born", "memo"];
const TABLES: [&str; 5] = ["users", "orders", "items", "v_users", "v_items"];
const ALIASES: [&str; 8] = ["a", "b", "users", "items", "orders", "u", "v_users", "d"];

fn tables() -> Vec<(&'static str, Vec<Column>)> {
    use Kind::{Date, Int, Text};
    use Taint::{Clean, Derived, Verbatim};
    let columns = |columns: &[(&str, Kind, Taint)]| {
        columns
            .iter()
            .map(|(name, kind, taint)| Column { name: (*name).into(), kind: *kind, taint: *taint })
            .collect()
    };
    vec![
        (
            "users",
            columns(&[
                ("id", Int, Clean),
                ("email", Text, Verbatim),
                ("name", Text, Verbatim),
                ("age", Int, Verbatim),
                ("born", Date, Verbatim),
                ("note", Text, Clean),
                ("score", Int, Clean),
                ("joined", Date, Clean),
            ]),
        ),
        (
            "orders",
            columns(&[
                ("id", Int, Clean),
                ("user_id", Int, Clean),
                ("amount", Int, Clean),
                ("memo", Text, Verbatim),
            ]),
        ),
        (
            "items",
            columns(&[
                ("id", Int, Clean),
                ("name", Text, Clean),
                ("label", Text, Clean),
                ("age", Int, Clean),
            ]),
        ),
        (
            "v_users",
            columns(&[
                ("id", Int, Clean),
                ("label", Text, Verbatim),
                ("note", Text, Clean),
                ("up", Text, Derived),
                ("older", Int, Derived),
            ]),
        ),
        ("v_items", columns(&[("id", Int, Clean), ("email", Text, Clean), ("n", Int, Clean)])),
    ]
}

impl<'a> Grammar<'a> {
    pub fn new(random: &'a mut Random, dialect: Dialect, asks: bool) -> Self {
        Self {
            random,
            dialect,
            asks,
            scopes: Vec::new(),
            windows: Vec::new(),
            expressions: Vec::new(),
            aliases: 0,
            depth: 0,
            qualifies: false,
        }
    }

    fn is_pg(&self) -> bool {
        self.dialect == Dialect::Pg
    }

    /// A whole query.
    pub fn query(&mut self) -> Query {
        let before = self.expressions.len();
        let mut with = String::new();
        if self.depth < 2 && self.random.one_in(4) {
            let inner = self.deeper(Self::unnamed_query);
            let name = match self.random.below(6) {
                0..3 => (*self.random.pick(&TABLES)).to_owned(),
                _ => {
                    format!("{}{}", self.random.pick(&["w", "users_", "items_", "q"]), self.expressions.len())
                }
            };
            let renamed = self.random.one_in(2);
            let columns = if renamed { self.rename(&inner.columns) } else { unique(&inner.columns) };
            if let Some(columns) = columns {
                let list = names(&columns);
                let hint = match self.is_pg() && self.random.one_in(3) {
                    true => *self.random.pick(&["materialized ", "not materialized "]),
                    false => "",
                };
                let list = if renamed { format!(" ({list})") } else { String::new() };
                with = format!("with {name}{list} as {hint}({}) ", inner.sql);
                self.expressions.push(Source { alias: name, columns });
            }
        }
        let Query { mut sql, columns } = self.unnamed_query();
        let told = columns.iter().position(|column| column.taint != Taint::Clean);
        if let Some(at) = told.filter(|_| self.asks && self.random.one_in(4)) {
            write!(sql, " order by {} limit 2", at + 1).unwrap();
        }
        self.expressions.truncate(before);
        Query { sql: format!("{with}{sql}"), columns }
    }

    /// A statement that writes, and what it returns.
    pub fn write(&mut self) -> Query {
        let query = self.query();
        let (value, _) = self.deeper(|grammar| {
            let from = grammar.from();
            let (value, taint) = grammar.expr(Kind::Text, 1);
            let id = grammar.clean_int();
            grammar.scopes.pop();
            (format!("(select max({value}) from {from} where {id} = 2)"), taint)
        });
        let table = *self.random.pick(&["users", "items"]);
        let (_, columns) = tables().into_iter().find(|(name, _)| *name == table).unwrap();
        self.scopes.push(vec![Source { alias: table.into(), columns: columns.clone() }]);
        let (own, _) = self.expr(Kind::Text, 1);
        let (list, columns, _) = self.outputs(|grammar, kind| grammar.expr(kind, 1));
        self.scopes.pop();
        let text =
            *self.random.pick(if table == "users" { &["email", "name", "note"] } else { &["name", "label"] });
        let returning = match self.dialect {
            Dialect::MySql { mariadb: false } => String::new(),
            // MariaDB crashes on window functions there.
            Dialect::MySql { .. } if list.contains(" over (") => String::new(),
            _ if self.random.one_in(3) => String::new(),
            _ => format!(" returning {list}"),
        };
        let sql = match self.random.below(5) {
            0 if query.columns.len() == 1 => format!("insert into {table} ({text}) {}{returning}", query.sql),
            0 | 1 => format!("insert into {table} (id, {text}) values (99, {value}){returning}"),
            2 => format!(
                "update {table} set {text} = {value} where id = 3{}",
                if self.is_pg() { &returning } else { "" }
            ),
            3 => format!(
                "update {table} set {text} = {own} where id = 3{}",
                if self.is_pg() { &returning } else { "" }
            ),
            _ => format!("delete from {table} where id = 3{returning}"),
        };
        let columns = if sql.contains(" returning ") { columns } else { Vec::new() };
        Query { sql, columns }
    }

    fn unnamed_query(&mut self) -> Query {
        match self.random.below(8) {
            0 => self.union(),
            1 | 2 => self.grouped(),
            _ => self.select(),
        }
    }

    fn deeper<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> T {
        self.depth += 1;
        let made = make(self);
        self.depth -= 1;
        made
    }

    fn rename(&mut self, columns: &[Column]) -> Option<Vec<Column>> {
        let mut pool: Vec<&str> = NAMES.to_vec();
        columns
            .iter()
            .map(|column| {
                (!pool.is_empty()).then(|| {
                    let name = pool.remove(self.random.below(pool.len()));
                    Column { name: name.into(), ..column.clone() }
                })
            })
            .collect()
    }

    fn select(&mut self) -> Query {
        let from = self.from();
        let condition = self.condition();
        if self.random.one_in(8) {
            return self.star(&from, &condition);
        }
        self.windows.push((self.scopes.len(), None));
        let (list, columns, distinct) = self.outputs(|grammar, kind| grammar.expr(kind, 2));
        let window = self.windows.pop().and_then(|(_, window)| window);
        let window = window.map_or(String::new(), |(window, _)| format!(" window w as ({window})"));
        self.scopes.pop();
        Query { sql: format!("select {distinct}{list} from {from}{condition}{window}"), columns }
    }

    /// All columns of everything, or of one thing.
    fn star(&mut self, from: &str, condition: &str) -> Query {
        let sources = self.scopes.pop().unwrap();
        let one = self.random.pick(&sources).clone();
        let (list, columns) = if self.random.one_in(2) {
            ("*".to_owned(), sources.into_iter().flat_map(|source| source.columns).collect())
        } else {
            (format!("{}.*", one.alias), one.columns)
        };
        Query { sql: format!("select {list} from {from}{condition}"), columns }
    }

    fn outputs(
        &mut self,
        mut make: impl FnMut(&mut Self, Kind) -> (String, Taint),
    ) -> (String, Vec<Column>, &'static str) {
        let (mut list, mut columns): (Vec<String>, Vec<Column>) = (Vec::new(), Vec::new());
        for _ in 0..=self.random.below(3) {
            let kind = self.kind();
            let (expression, taint) = make(self, kind);
            let mut name = (*self.random.pick(&NAMES)).to_owned();
            let word = if self.random.one_in(4) && !self.is_pg() { "" } else { "as " };
            match called(&expression).filter(|_| self.is_pg() && self.random.one_in(3)) {
                // The server names it after its function.
                Some(function) => {
                    name = function.to_owned();
                    list.push(expression);
                }
                None => list.push(format!("{expression} {word}{name}")),
            }
            columns.push(Column { name, kind, taint });
        }
        let equal = columns.iter().all(|column| column.taint <= Taint::Verbatim);
        let distinct = if equal && self.random.one_in(6) { "distinct " } else { "" };
        (list.join(", "), columns, distinct)
    }

    fn kind(&mut self) -> Kind {
        *self.random.pick(&[Kind::Text, Kind::Text, Kind::Text, Kind::Int, Kind::Int, Kind::Date])
    }

    fn union(&mut self) -> Query {
        let from = self.from();
        let (list, columns, _) = self.outputs(|grammar, kind| grammar.expr(kind, 1));
        self.scopes.pop();
        let from_second = self.from();
        let mut merged = Vec::new();
        let second: Vec<String> = columns
            .iter()
            .map(|column| {
                let (expression, taint) = self.expr(column.kind, 1);
                let taint = match (column.taint, taint) {
                    // Two secrets may be equal or not by chance.
                    (Taint::Verbatim, Taint::Verbatim) => Taint::Derived,
                    (one, other) => one.max(other),
                };
                merged.push(Column { taint, ..column.clone() });
                expression
            })
            .collect();
        self.scopes.pop();
        let clean = merged.iter().all(|column| column.taint == Taint::Clean);
        let word = match (clean, self.random.below(4)) {
            (true, 0) => "union",
            (true, 1) => "except",
            (true, 2) if self.is_pg() => "intersect",
            _ => "union all",
        };
        Query {
            sql: format!("select {list} from {from} {word} select {} from {from_second}", second.join(", ")),
            columns: merged,
        }
    }

    fn grouped(&mut self) -> Query {
        let from = self.from();
        let condition = self.condition();
        let key = self.equal_column();
        let (list, mut columns, _) = self.outputs(Self::aggregate);
        let (key_sql, key_taint, key_kind) = key;
        let name = (*self.random.pick(&NAMES)).to_owned();
        let having = match self.random.below(4) {
            0 if self.asks => " having max(email) > 'n'",
            0 => " having count(*) > 0",
            _ => "",
        };
        self.scopes.pop();
        if self.random.one_in(3) {
            return Query { sql: format!("select {list} from {from}{condition}"), columns };
        }
        columns.insert(0, Column { name: name.clone(), kind: key_kind, taint: key_taint });
        Query {
            sql: format!(
                "select {key_sql} as {name}, {list} from {from}{condition} group by {key_sql}{having}"
            ),
            columns,
        }
    }

    fn aggregate(&mut self, kind: Kind) -> (String, Taint) {
        let (value, taint) = self.expr(kind, 1);
        let by = self.clean_order();
        match (kind, self.random.below(5)) {
            (Kind::Int, 0) => ("count(*)".into(), Taint::Clean),
            (Kind::Int, 1) => {
                let column = self.column(None, |_| true);
                column.map_or(("count(*)".into(), Taint::Clean), |(sql, ..)| {
                    (format!("count({sql})"), Taint::Clean)
                })
            }
            (Kind::Int, 2) => (format!("sum({value})"), derived(taint)),
            (Kind::Int, 3) => {
                let (column, ..) = self.equal_column();
                (format!("count(distinct {column})"), Taint::Clean)
            }
            (Kind::Text, 0 | 1) if self.is_pg() => {
                (format!("string_agg({value}, ',' order by {by})"), derived(taint))
            }
            (Kind::Text, 2) if self.is_pg() => {
                (format!("array_agg({value} order by {by})::text"), derived(taint))
            }
            (Kind::Text, 3) if self.is_pg() => {
                (format!("json_agg({value} order by {by})::text"), derived(taint))
            }
            (Kind::Text, 0 | 1) => (format!("group_concat({value} order by {by})"), derived(taint)),
            // The greatest of the secrets is another one elsewhere.
            _ => (format!("{}({value})", self.random.pick(&["max", "min"])), derived(taint)),
        }
    }

    fn from(&mut self) -> String {
        let mut sql = String::new();
        self.scopes.push(Vec::new());
        for at in 0..=self.random.below(3).saturating_sub(self.depth) {
            let lateral = at > 0 && self.random.one_in(4) && self.dialect != Dialect::MySql { mariadb: true };
            if at > 0 && self.random.one_in(8) {
                let (text, source) = self.function();
                write!(sql, " cross join {text}").unwrap();
                self.scopes.last_mut().unwrap().push(source);
                continue;
            }
            let (text, source) = self.source(lateral);
            let Some(source) = source else { continue };
            if sql.is_empty() {
                sql = text;
            } else if lateral {
                write!(sql, " cross join lateral {text}").unwrap();
            } else {
                let on = self.join(&source);
                write!(sql, "{}", on.replace("{}", &text)).unwrap();
            }
            self.scopes.last_mut().unwrap().push(source);
        }
        if sql.is_empty() {
            self.scopes
                .last_mut()
                .unwrap()
                .push(Source { alias: "items".into(), columns: tables()[2].1.clone() });
            sql = "items".into();
        }
        sql
    }

    fn join(&mut self, source: &Source) -> String {
        if self.asks && self.random.one_in(3) {
            self.scopes.last_mut().unwrap().push(source.clone());
            let (condition, _) = self.predicate();
            self.scopes.last_mut().unwrap().pop();
            return format!(" join {{}} on {condition}");
        }
        let has_id = |source: &Source| {
            source.columns.iter().any(|c| c.name == "id" && c.kind == Kind::Int && c.taint == Taint::Clean)
        };
        let left: Vec<String> =
            self.scopes.last().unwrap().iter().filter(|s| has_id(s)).map(|s| s.alias.clone()).collect();
        let word = *self.random.pick(&["join", "left join", "inner join"]);
        match (left.first(), has_id(source), self.random.below(3)) {
            (Some(left), true, 0 | 1) => format!(" {word} {{}} on {left}.id = {}.id", source.alias),
            (Some(_), true, _) if left.len() == 1 && self.scopes.last().unwrap().len() == 1 => {
                format!(" {word} {{}} using (id)")
            }
            _ => " cross join {}".into(),
        }
    }

    /// A table, view, subquery, common table expression or function, with an alias that is not taken.
    fn source(&mut self, lateral: bool) -> (String, Option<Source>) {
        self.aliases += 1;
        let wanted = *self.random.pick(&ALIASES);
        let taken = self.scopes.last().unwrap().iter().any(|source| source.alias == wanted);
        let alias = if taken { format!("t{}", self.aliases) } else { wanted.to_owned() };
        if lateral || (self.depth < 2 && self.random.one_in(4)) {
            let outer = if lateral { Vec::new() } else { std::mem::take(&mut self.scopes) };
            let query = self.deeper(Self::query);
            if !lateral {
                self.scopes = outer;
            }
            let renamed = self.random.one_in(3) && self.dialect != Dialect::MySql { mariadb: true };
            let columns = if renamed { self.rename(&query.columns) } else { unique(&query.columns) };
            let Some(columns) = columns else { return (String::new(), None) };
            let list = if renamed { format!(" ({})", names(&columns)) } else { String::new() };
            return (format!("({}) as {alias}{list}", query.sql), Some(Source { alias, columns }));
        }
        let seen = |source: &&Source| !self.may_be_hidden(&source.alias);
        let expressions: Vec<Source> = self.expressions.iter().filter(seen).cloned().collect();
        if !expressions.is_empty() && self.random.one_in(2) {
            let source = self.random.pick(&expressions).clone();
            return (format!("{} as {alias}", source.alias), Some(Source { alias, columns: source.columns }));
        }
        self.table(alias, taken)
    }

    /// Whether the server may read a table instead of the common table expression of its name: MariaDB does inside another WITH.
    fn may_be_hidden(&self, name: &str) -> bool {
        self.dialect == (Dialect::MySql { mariadb: true }) && self.depth > 0 && TABLES.contains(&name)
    }

    fn table(&mut self, alias: String, taken: bool) -> (String, Option<Source>) {
        let (mut name, mut columns) = self.random.pick(&tables()).clone();
        // A common table expression hides the table of its name.
        if let Some(hiding) = self.expressions.iter().rev().find(|source| source.alias == name) {
            columns = hiding.columns.clone();
            if self.may_be_hidden(name) {
                (name, columns) = ("leak_items", tables()[2].1.clone());
            }
        }
        if self.is_pg() && self.random.one_in(8) {
            let renamed: Vec<Column> = columns
                .iter()
                .enumerate()
                .map(|(at, column)| Column { name: format!("c{at}"), ..column.clone() })
                .collect();
            return (
                format!("{name} as {alias} ({})", names(&renamed)),
                Some(Source { alias, columns: renamed }),
            );
        }
        if !taken && self.random.one_in(3) && !self.scopes.last().unwrap().iter().any(|s| s.alias == name) {
            return (name.to_owned(), Some(Source { alias: name.to_owned(), columns }));
        }
        (format!("{name} as {alias}"), Some(Source { alias, columns }))
    }

    /// A function or a list of values over what stands before it.
    fn function(&mut self) -> (String, Source) {
        self.aliases += 1;
        let alias = format!("f{}", self.aliases);
        let (value, taint) = self.expr(Kind::Text, 1);
        let (other, second) = self.expr(Kind::Text, 0);
        let (name, more) = (*self.random.pick(&NAMES), "z");
        let row = self.row();
        let column =
            |name: &str, taint| Column { name: name.into(), kind: Kind::Text, taint: derived(taint) };
        let (sql, columns) = match (self.dialect, self.random.below(4)) {
            (Dialect::Pg, 0) => (
                format!("lateral unnest(array[{value}, {other}]) as {alias} ({name})"),
                vec![column(name, taint.max(second))],
            ),
            (Dialect::Pg, 1) => (
                format!("lateral (values ({value}, {other})) as {alias} ({name}, {more})"),
                vec![column(name, taint), column(more, second)],
            ),
            (Dialect::Pg, 2) => (
                format!(
                    "lateral json_each_text(json_build_object('k', {value})) as {alias} ({name}, {more})"
                ),
                vec![column(name, Taint::Clean), column(more, taint)],
            ),
            (Dialect::Pg, _) => {
                let (value, taint) = row;
                (format!("lateral substr({value}, 1, 99) as {alias} ({name})"), vec![column(name, taint)])
            }
            // MariaDB 10.11 crashes on window functions in such a place.
            (Dialect::MySql { mariadb: true }, _) if value.contains(" over (") => return self.function(),
            (Dialect::MySql { .. }, _) => (
                format!(
                    "json_table(json_array({value}), '$[*]' columns ({name} varchar(90) path '$')) as {alias}"
                ),
                vec![column(name, taint)],
            ),
        };
        (sql, Source { alias, columns })
    }

    fn condition(&mut self) -> String {
        if self.asks && self.random.one_in(3) {
            return format!(" where {}", self.predicate().0);
        }
        match self.random.below(4) {
            0 => format!(" where {} > 2", self.clean_int()),
            1 => format!(" where {} is not null", self.clean_column()),
            2 if self.random.one_in(3) => {
                format!(" where exists (select 1 from users z where z.id = {})", self.clean_int())
            }
            _ => String::new(),
        }
    }

    fn clean_int(&mut self) -> String {
        self.column(Some(Kind::Int), |taint| taint == Taint::Clean).map_or("3".into(), |(sql, ..)| sql)
    }

    fn clean_column(&mut self) -> String {
        self.column(None, |taint| taint == Taint::Clean).map_or("(select 1)".into(), |(sql, ..)| sql)
    }

    /// All columns without secrets, one of them first: rows that it leaves in any order differ in secrets at most.
    fn clean_order(&mut self) -> String {
        let first = self.clean_column();
        let sources = self.scopes.last().into_iter().flatten();
        let columns = sources.flat_map(|source| source.columns.iter().map(move |column| (source, column)));
        let clean = columns.filter(|(_, column)| column.taint == Taint::Clean);
        let rest = clean.map(|(source, column)| format!(", {}.{}", source.alias, column.name));
        first + &rest.collect::<String>()
    }

    /// A column that may be compared for equality.
    fn equal_column(&mut self) -> (String, Taint, Kind) {
        let found = self.column(None, |taint| taint <= Taint::Verbatim);
        found.unwrap_or(("'1'".into(), Taint::Clean, Kind::Text))
    }

    fn column(&mut self, kind: Option<Kind>, fits: impl Fn(Taint) -> bool) -> Option<(String, Taint, Kind)> {
        // Mostly of the query itself, sometimes of one around it.
        let scope = if self.scopes.len() > 1 && self.random.one_in(5) {
            self.scopes.len() - 2
        } else {
            self.scopes.len().checked_sub(1)?
        };
        let inner = scope + 1 == self.scopes.len();
        let sources = self.scopes[scope].clone();
        let hidden: Vec<String> =
            self.scopes[scope + 1..].iter().flatten().map(|s| s.alias.clone()).collect();
        let mut found = Vec::new();
        for source in sources.iter().filter(|source| !hidden.contains(&source.alias)) {
            for column in &source.columns {
                if kind.is_none_or(|kind| kind == column.kind) && fits(column.taint) {
                    found.push((source.alias.clone(), column.clone()));
                }
            }
        }
        if found.is_empty() {
            return None;
        }
        let (alias, column) = self.random.pick(&found).clone();
        let count = sources.iter().flat_map(|s| &s.columns).filter(|c| c.name == column.name).count();
        let bare = inner && count == 1 && !self.qualifies && self.random.one_in(2);
        let sql = if bare { column.name.clone() } else { format!("{alias}.{}", column.name) };
        Some((sql, column.taint, column.kind))
    }

    fn expr(&mut self, kind: Kind, depth: usize) -> (String, Taint) {
        if depth == 0 || self.random.one_in(3) {
            return match self.column(Some(kind), |_| true) {
                Some((sql, taint, _)) if !self.random.one_in(6) => (sql, taint),
                _ => (self.literal(kind), Taint::Clean),
            };
        }
        match kind {
            Kind::Text => self.text(depth - 1),
            Kind::Int => self.int(depth - 1),
            Kind::Date => self.date(depth - 1),
        }
    }

    /// Some of these stand between the secrets of one database and those of the other.
    fn literal(&mut self, kind: Kind) -> String {
        match kind {
            Kind::Text => self.random.pick(&["'lit'", "'a,b'", "''", "'n'", "'n'"]).to_string(),
            Kind::Int => (*self.random.pick(&["0", "1", "2", "3", "4", "5000", "5000"])).to_owned(),
            Kind::Date => (*self.random.pick(&["date '2001-02-03'", "date '1950-01-01'"])).to_owned(),
        }
    }

    /// Values that are the same on both sides of a choice.
    fn chosen(&mut self, kind: Kind, depth: usize) -> (String, Taint) {
        let (one, first) = self.expr(kind, depth);
        let (other, second) = self.expr(kind, depth);
        match self.random.below(6) {
            0 => (format!("coalesce({one}, {other})"), mixed(first, second)),
            1 => (format!("nullif({one}, {other})"), derived(first.max(second))),
            2 => {
                let (test, taint) = self.predicate();
                let taint = if taint == Taint::Clean { mixed(first, second) } else { Taint::Derived };
                (format!("case when {test} then {one} else {other} end"), taint)
            }
            3 if self.depth < 2 => {
                let (inner, taint) = self.deeper(|grammar| {
                    let from = grammar.from();
                    let (value, taint) = grammar.expr(kind, 1);
                    let id = grammar.clean_int();
                    // What is all around would be summed up there: one row of it comes, and none says which.
                    let own = grammar.scopes.pop().unwrap();
                    let clean =
                        |source: &&Source| source.columns.iter().any(|column| column.taint == Taint::Clean);
                    let own = own.iter().find(clean).map(|source| {
                        let column =
                            source.columns.iter().find(|column| column.taint == Taint::Clean).unwrap();
                        format!(
                            "case when {}.{} is null then {value} else {value} end",
                            source.alias, column.name
                        )
                    });
                    let value = own.unwrap_or_else(|| "'no'".to_owned());
                    (format!("(select max({value}) from {from} where {id} = 2)"), taint)
                });
                (inner, derived(taint))
            }
            4 => {
                let (window, by) = self.window();
                let name = self.random.pick(&["lag", "first_value", "last_value", "lead"]).to_string();
                (format!("{name}({one}) over ({window})"), derived(first.max(by)))
            }
            _ => (format!("greatest({one}, {other})"), derived(first.max(second))),
        }
    }

    /// What a window is made by.
    fn window(&mut self) -> (String, Taint) {
        let here = self.windows.last().is_some_and(|(scopes, _)| *scopes == self.scopes.len());
        if here && self.random.one_in(3) {
            let window = match self.windows.last().and_then(|(_, window)| window.clone()) {
                Some(window) => window,
                None => self.new_window(),
            };
            let taint = window.1;
            self.windows.last_mut().unwrap().1 = Some(window);
            return ("w".into(), taint);
        }
        self.new_window()
    }

    /// MariaDB takes a bare name in a window for that of a selected column.
    fn new_window(&mut self) -> (String, Taint) {
        self.qualifies = self.dialect == (Dialect::MySql { mariadb: true });
        let window = self.any_window();
        self.qualifies = false;
        window
    }

    fn any_window(&mut self) -> (String, Taint) {
        if self.random.one_in(3)
            && let Some((by, taint, _)) = self.column(None, |_| true)
        {
            let (word, then) = *self.random.pick(&[("order by", ","), ("partition by", " order by")]);
            let rest = self.clean_order();
            return (format!("{word} {by}{then} {rest}"), taint);
        }
        (format!("order by {}", self.clean_order()), Taint::Clean)
    }

    fn predicate(&mut self) -> (String, Taint) {
        let kind = self.kind();
        let (one, first) = self.expr(kind, 1);
        let (other, second) = self.expr(kind, 0);
        let taint = derived(first.max(second));
        match self.random.below(4) {
            0 => (format!("{one} < {other}"), taint),
            1 => (format!("{one} = {other}"), taint),
            2 => (format!("{one} in ({other})"), taint),
            _ if first <= Taint::Verbatim => (format!("{one} is null"), Taint::Derived.min(taint)),
            _ => (format!("{one} is null"), taint),
        }
    }

    fn text(&mut self, depth: usize) -> (String, Taint) {
        if self.random.one_in(3) {
            return self.chosen(Kind::Text, depth);
        }
        let (value, taint) = self.expr(Kind::Text, depth);
        let (other, second) = self.expr(Kind::Text, depth);
        let (number, third) = self.expr(Kind::Int, depth);
        let both = derived(taint.max(second));
        let common = self.random.below(9);
        match (common, self.dialect) {
            (0, _) => (format!("concat({value}, {other})"), both),
            (1, _) => (format!("upper({value})"), derived(taint)),
            (2, _) => (format!("substr({value}, 1, 5)"), derived(taint)),
            (3, _) => (format!("replace({value}, 'a', {other})"), both),
            (4, Dialect::Pg) => (format!("({number})::text"), derived(third)),
            (4, _) => (format!("cast({number} as char)"), derived(third)),
            (5, Dialect::Pg) => (format!("md5({value})"), derived(taint)),
            (5, _) => (format!("sha2({value}, 256)"), derived(taint)),
            (6, _) => (format!("trim({value})"), derived(taint)),
            (_, Dialect::Pg) => self.text_of_pg(&value, taint, &other, second),
            (_, Dialect::MySql { .. }) => self.text_of_mysql(&value, taint, &other, second),
        }
    }

    fn text_of_pg(&mut self, value: &str, taint: Taint, other: &str, second: Taint) -> (String, Taint) {
        let both = derived(taint.max(second));
        match self.random.below(12) {
            0 => (format!("{value} || {other}"), both),
            1 => (format!("json_build_object('k', {value})::text"), derived(taint)),
            2 => (format!("(array[{value}, {other}])[1]"), both),
            3 => (format!("array[{value}]::text"), derived(taint)),
            4 => (format!("row({value}, {other})::text"), both),
            5 => (format!("encode(convert_to({value}, 'UTF8'), 'hex')"), derived(taint)),
            6 => (format!("format('%s-%s', {value}, {other})"), both),
            7 => (format!("({value})::varchar"), derived(taint)),
            8 => (format!("{value} collate \"C\""), taint),
            9 => (format!("reverse({value})"), derived(taint)),
            10 => self.row(),
            _ => (format!("quote_literal({value})"), derived(taint)),
        }
    }

    /// A whole row, as text.
    fn row(&mut self) -> (String, Taint) {
        let Some(source) = self.scopes.last().and_then(|scope| scope.first()).cloned() else {
            return ("'no'".into(), Taint::Clean);
        };
        let taint = source.columns.iter().map(|column| column.taint).max().unwrap_or(Taint::Clean);
        let alias = &source.alias;
        if !self.is_pg() {
            return ("'no'".into(), Taint::Clean);
        }
        let column = &self.random.pick(&source.columns).name;
        let forms = [
            format!("({alias}.*)::text"),
            format!("to_jsonb({alias})::text"),
            format!("row_to_json({alias})::text"),
            format!("({alias}).{column}::text"),
            format!("{column}({alias})::text"),
            format!("to_jsonb({alias}) ->> '{column}'"),
        ];
        (self.random.pick(&forms).clone(), derived(taint))
    }

    fn text_of_mysql(&mut self, value: &str, taint: Taint, other: &str, second: Taint) -> (String, Taint) {
        let both = derived(taint.max(second));
        match self.random.below(13) {
            0 => (format!("concat_ws(',', {value}, {other})"), both),
            1 => (format!("json_object('k', {value})"), derived(taint)),
            2 => (format!("hex({value})"), derived(taint)),
            3 => (format!("to_base64({value})"), derived(taint)),
            4 => (format!("elt(1, {value}, {other})"), both),
            5 => (format!("insert({value}, 1, 1, {other})"), both),
            6 => (format!("if({value} is null, {other}, {value})"), both),
            7 => (format!("ifnull({value}, {other})"), mixed(taint, second)),
            8 => (format!("convert({value} using latin1)"), derived(taint)),
            9 => (format!("{value} collate utf8mb4_bin"), derived(taint)),
            10 => (format!("cast({value} as char(4))"), derived(taint)),
            11 => (format!("json_quote({value})"), derived(taint)),
            _ => (format!("reverse({value})"), derived(taint)),
        }
    }

    fn int(&mut self, depth: usize) -> (String, Taint) {
        if self.random.one_in(3) {
            return self.chosen(Kind::Int, depth);
        }
        let (value, taint) = self.expr(Kind::Int, depth);
        let (other, second) = self.expr(Kind::Int, depth);
        let (text, third) = self.expr(Kind::Text, depth);
        match self.random.below(8) {
            0 => (format!("({value} + {other})"), derived(taint.max(second))),
            1 => (format!("({value} - 1)"), derived(taint)),
            2 => (format!("length({text})"), derived(third)),
            3 => (format!("abs({value})"), derived(taint)),
            4 if self.is_pg() => (format!("position('a' in {text})"), derived(third)),
            4 => (format!("locate('a', {text})"), derived(third)),
            5 => {
                let (window, by) = self.window();
                // Of rows that are alike in all that may be seen, it numbers none.
                (format!("rank() over ({window})"), derived(by))
            }
            6 => (format!("ascii({text})"), derived(third)),
            _ => (format!("sum({value}) over (order by {})", self.clean_order()), derived(taint)),
        }
    }

    fn date(&mut self, depth: usize) -> (String, Taint) {
        if self.random.one_in(2) {
            return self.chosen(Kind::Date, depth);
        }
        let (value, taint) = self.expr(Kind::Date, depth);
        match self.dialect {
            Dialect::Pg => (format!("({value} + 1)"), derived(taint)),
            Dialect::MySql { .. } => (format!("({value} + interval 1 day)"), derived(taint)),
        }
    }
}

/// The same text to the server, written otherwise: case, quotes, comments.
pub fn dress(random: &mut Random, dialect: Dialect, sql: &str) -> String {
    let quote = if dialect == Dialect::Pg { '"' } else { '`' };
    let mut out = String::with_capacity(sql.len());
    for (at, part) in sql.split('\'').enumerate() {
        if at > 0 {
            out.push('\'');
        }
        if at % 2 == 1 {
            out.push_str(part);
            continue;
        }
        for word in part.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            let (name, end) = word.split_at(
                word.len() - usize::from(!word.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_')),
            );
            let calls = end == "(";
            match random.below(40) {
                0 if (NAMES.contains(&name) || TABLES.contains(&name)) && !calls => {
                    write!(out, "{quote}{name}{quote}").unwrap()
                }
                1 if dialect == Dialect::Pg || !TABLES.contains(&name) => out.push_str(&name.to_uppercase()),
                _ => out.push_str(name),
            }
            match (end, random.below(60)) {
                (" ", 0) => out.push_str("/* ' */ "),
                (" ", 1) => out.push_str(" -- it's\n"),
                (" ", 2) => out.push_str("\n\t"),
                _ => out.push_str(end),
            }
        }
    }
    out
}

/// The function that an expression calls, if it is nothing but that call.
fn called(expression: &str) -> Option<&str> {
    let (name, rest) = expression.split_once('(')?;
    let mut depth = 1;
    let end = rest.find(|c| {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        depth == 0
    });
    (["upper", "md5", "concat", "replace", "substr", "reverse", "abs", "greatest"].contains(&name)
        && end? + 1 == rest.len())
    .then_some(name)
}

const fn derived(taint: Taint) -> Taint {
    match taint {
        Taint::Clean => Taint::Clean,
        _ => Taint::Derived,
    }
}

/// One of two values.
fn mixed(one: Taint, other: Taint) -> Taint {
    if one == Taint::Clean && other == Taint::Clean { Taint::Clean } else { Taint::Derived }
}

fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// The columns, if their names differ.
fn unique(columns: &[Column]) -> Option<Vec<Column>> {
    let mut seen = std::collections::HashSet::new();
    columns.iter().all(|column| seen.insert(column.name.clone())).then(|| columns.to_vec())
}
