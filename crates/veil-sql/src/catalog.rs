//! A snapshot of a PostgreSQL database's catalog: what relations there are, what their columns are called, what
//! views read, and which functions and operators are the users' own.
//!
//! The queries name every object with its schema, operators too, so that a session's search_path cannot make
//! them mean something else.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use veil_model::{PgType, pgtype};

use crate::analyse::analyse;
use crate::statement::{Kind, QualifiedName, Statement};

/// OIDs below are PostgreSQL's own objects.
pub const FIRST_USER_OID: u32 = 16_384;

/// The queries whose rows make a catalog, in order; every result column is text.
pub const QUERIES: [&str; 10] = [
    "select c.oid, n.nspname, c.relname, c.relkind, (select r.xmin::pg_catalog.text from pg_catalog.pg_rewrite r \
     where r.ev_class operator(pg_catalog.=) c.oid \
     and r.rulename operator(pg_catalog.=) '_RETURN'::pg_catalog.name) from pg_catalog.pg_class c \
     join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.relnamespace \
     where c.relkind operator(pg_catalog.=) any ('{r,v,m,f,p,S}'::pg_catalog.\"char\"[])",
    "select a.attrelid, a.attnum, a.attname, a.attgenerated, \
     case when b.typname operator(pg_catalog.=) 'citext'::pg_catalog.name \
     and b.typcategory operator(pg_catalog.=) 'S'::pg_catalog.\"char\" then 25::pg_catalog.oid else b.oid end, \
     case when t.typtype operator(pg_catalog.=) 'd'::pg_catalog.\"char\" then t.typtypmod else a.atttypmod end, \
     case when b.typtype operator(pg_catalog.=) 'e'::pg_catalog.\"char\" then \
     (select pg_catalog.string_agg(e.enumlabel::pg_catalog.text, pg_catalog.chr(31)) from pg_catalog.pg_enum e \
     where e.enumtypid operator(pg_catalog.=) b.oid) end, \
     case when b.typtype operator(pg_catalog.=) 'c'::pg_catalog.\"char\" then \
     (select pg_catalog.string_agg(pg_catalog.concat_ws(pg_catalog.chr(30), f.attname, \
     case when u.typtype operator(pg_catalog.=) 'd'::pg_catalog.\"char\" then u.typbasetype else u.oid end, \
     case when u.typtype operator(pg_catalog.=) 'd'::pg_catalog.\"char\" then u.typtypmod else f.atttypmod end), \
     pg_catalog.chr(31) order by f.attnum) from pg_catalog.pg_attribute f \
     join pg_catalog.pg_type u on u.oid operator(pg_catalog.=) f.atttypid \
     where f.attrelid operator(pg_catalog.=) b.typrelid and f.attnum operator(pg_catalog.>) 0 and not f.attisdropped) end \
     from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid operator(pg_catalog.=) a.atttypid \
     join pg_catalog.pg_type b on b.oid operator(pg_catalog.=) \
     case when t.typtype operator(pg_catalog.=) 'd'::pg_catalog.\"char\" then t.typbasetype else t.oid end \
     where a.attnum operator(pg_catalog.>) 0 and not a.attisdropped",
    "select inhrelid, inhparent from pg_catalog.pg_inherits",
    "select oid, pg_catalog.pg_get_viewdef(oid) from pg_catalog.pg_class \
     where relkind operator(pg_catalog.=) any ('{v,m}'::pg_catalog.\"char\"[]) \
     and oid operator(pg_catalog.>=) 16384::pg_catalog.oid",
    "select p.proname, p.pronargs operator(pg_catalog.>) 0 and p.pronargs operator(pg_catalog.-) p.pronargdefaults \
     operator(pg_catalog.<) 2, case when p.oid operator(pg_catalog.<) 16384::pg_catalog.oid then '' \
     when not exists (select from pg_catalog.pg_depend d where d.objid operator(pg_catalog.=) p.oid \
     and d.classid operator(pg_catalog.=) 1255::pg_catalog.oid \
     and d.deptype operator(pg_catalog.=) 'e'::pg_catalog.\"char\") then 'user' \
     when p.provolatile operator(pg_catalog.=) 'v'::pg_catalog.\"char\" then 'volatile' else '' end \
     from pg_catalog.pg_proc p union all \
     select t.typname, t.typcategory operator(pg_catalog.=) 'C'::pg_catalog.\"char\", case when t.oid operator(pg_catalog.<) 16384::pg_catalog.oid or exists \
     (select from pg_catalog.pg_depend d where d.objid operator(pg_catalog.=) t.oid \
     and d.classid operator(pg_catalog.=) 1247::pg_catalog.oid \
     and d.deptype operator(pg_catalog.=) 'e'::pg_catalog.\"char\") then '' else 'user' end from pg_catalog.pg_type t \
     where t.typrelid operator(pg_catalog.=) 0::pg_catalog.oid \
     and t.typcategory operator(pg_catalog.<>) 'A'::pg_catalog.\"char\"",
    "select o.oprname from pg_catalog.pg_operator o where o.oid operator(pg_catalog.>=) 16384::pg_catalog.oid \
     and not exists (select from pg_catalog.pg_depend d where d.objid operator(pg_catalog.=) o.oid \
     and d.classid operator(pg_catalog.=) 2617::pg_catalog.oid \
     and d.deptype operator(pg_catalog.=) 'e'::pg_catalog.\"char\")",
    "select tgrelid, 'trigger' from pg_catalog.pg_trigger where not tgisinternal union all \
     select ev_class, 'rule' from pg_catalog.pg_rewrite where ev_type operator(pg_catalog.<>) '1'::pg_catalog.\"char\"",
    "select n.nspname, p.proname from pg_catalog.pg_cast c \
     join pg_catalog.pg_proc p on p.oid operator(pg_catalog.=) c.castfunc \
     join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) p.pronamespace \
     where c.oid operator(pg_catalog.>=) 16384::pg_catalog.oid \
     and not exists (select from pg_catalog.pg_depend d where d.objid operator(pg_catalog.=) c.oid \
     and d.classid operator(pg_catalog.=) 2605::pg_catalog.oid \
     and d.deptype operator(pg_catalog.=) 'e'::pg_catalog.\"char\")",
    "select m.rolname, r.rolname from pg_catalog.pg_auth_members a \
     join pg_catalog.pg_roles m on m.oid operator(pg_catalog.=) a.member \
     join pg_catalog.pg_roles r on r.oid operator(pg_catalog.=) a.roleid",
    "select conrelid, conkey, confrelid, confkey from pg_catalog.pg_constraint \
     where contype operator(pg_catalog.=) 'f'::pg_catalog.\"char\"",
];

/// Which of the queries waits for views that are locked.
pub const VIEWS: usize = 3;

/// What a relation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelationKind {
    /// A table, partitioned table or foreign table: rows of its own.
    Table,
    /// A view or materialised view: rows of others.
    View,
    /// A sequence.
    Sequence,
}

/// A column of a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Attribute number, from 1.
    pub attnum: i16,
    /// Name.
    pub name: String,
    /// Computed from other columns of its row.
    pub generated: bool,
    /// Its type; of a domain the type below, and `text` for `citext` and enumerations, which are sent like it.
    pub kind: PgType,
    /// The words of an enumeration.
    pub words: Option<Arc<[String]>>,
    /// The fields of a composite type.
    pub fields: Option<Arc<[(String, PgType)]>>,
}

/// A table, view or sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// Schema.
    pub schema: String,
    /// Name.
    pub name: String,
    /// What it is.
    pub kind: RelationKind,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Tables that it is a partition or child of.
    pub parents: Vec<u32>,
    /// Columns that refer to others: number, and table and number of the other.
    pub references: Vec<(i16, u32, i16)>,
    /// The query of a user's view; `None` for other relations and for views that could not be analysed.
    pub definition: Option<Arc<Statement>>,
    /// Another whenever that query is.
    version: Option<String>,
    /// It has triggers of users.
    pub triggers: bool,
    /// It has rules that turn a write into something else.
    pub rules: bool,
}

impl Relation {
    /// Its columns by their numbers.
    #[must_use]
    pub fn columns_in_order(&self) -> Vec<&Column> {
        let mut columns: Vec<&Column> = self.columns.iter().collect();
        columns.sort_unstable_by_key(|column| column.attnum);
        columns
    }

    /// Whether it is PostgreSQL's own.
    #[must_use]
    pub fn system(&self) -> bool {
        matches!(self.schema.as_str(), "pg_catalog" | "information_schema")
            || self.schema.starts_with("pg_toast")
    }
}

/// The catalog at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    relations: HashMap<u32, Relation>,
    by_name: HashMap<String, Vec<u32>>,
    /// Partitions and children.
    children: HashMap<u32, Vec<u32>>,
    /// The users' functions, and their types: `t(x)` and `x.t` may be casts.
    functions: HashSet<String>,
    /// Functions of extensions that may do more than return a value.
    volatile: HashSet<String>,
    /// Functions that take one argument, built-in ones too, and domains over rows: `a.b` may call them.
    unary: HashSet<String>,
    operators: HashSet<String>,
    /// Functions of the users' casts: schema and name.
    cast_functions: Vec<(String, String)>,
    /// The roles that each role is a member of.
    roles: HashMap<String, BTreeSet<String>>,
}

/// One result row: NULL is `None`.
pub type Row = Vec<Option<String>>;

impl Catalog {
    /// Builds a catalog from the rows of [`QUERIES`]. Rows that make no sense are left out, which closes what
    /// they would have described.
    #[must_use]
    pub fn from_rows(results: &[Vec<Row>; QUERIES.len()]) -> Self {
        let [relations, columns, parents, views, functions, operators, reactions, casts, members, keys] =
            results;
        let mut catalog = Self::default();
        for row in relations {
            catalog.add_relation(row);
        }
        for row in columns {
            catalog.add_column(row);
        }
        for row in parents {
            if let Some((child, parent)) = number(row, 0).zip(number(row, 1)) {
                catalog.relation_mut(row, 0).into_iter().for_each(|relation| relation.parents.push(parent));
                catalog.children.entry(parent).or_default().push(child);
            }
        }
        for row in views {
            let definition = cell(row, 1).and_then(definition);
            if let Some(relation) = catalog.relation_mut(row, 0) {
                relation.definition = definition;
            }
        }
        for row in reactions {
            if let Some(relation) = catalog.relation_mut(row, 0) {
                relation.triggers |= cell(row, 1) == Some("trigger");
                relation.rules |= cell(row, 1) == Some("rule");
            }
        }
        catalog.functions = first_cells(functions.iter().filter(|row| cell(row, 2) == Some("user")));
        catalog.volatile = first_cells(functions.iter().filter(|row| cell(row, 2) == Some("volatile")));
        catalog.unary = first_cells(functions.iter().filter(|row| cell(row, 1) == Some("t")));
        catalog.operators = first_cells(operators.iter());
        let name = |row: &Row| Some((cell(row, 0)?.to_owned(), cell(row, 1)?.to_owned()));
        catalog.cast_functions = casts.iter().filter_map(name).collect();
        for row in keys {
            let numbers = |at| -> Vec<i16> {
                let list = cell(row, at).and_then(|list| list.strip_prefix('{')?.strip_suffix('}'));
                list.into_iter().flat_map(|list| list.split(',')).filter_map(|n| n.parse().ok()).collect()
            };
            let (own, others) = (numbers(1), numbers(3));
            if let (Some(other), Some(relation)) = (number(row, 2), catalog.relation_mut(row, 0)) {
                let pairs = own.into_iter().zip(others);
                relation.references.extend(pairs.map(|(own, at)| (own, other, at)));
                relation.references.sort_unstable();
            }
        }
        for (member, role) in members.iter().filter_map(name) {
            catalog.roles.entry(member).or_default().insert(role);
        }
        catalog
    }

    /// With the roles that `known` has: an old snapshot may have some that were revoked.
    #[must_use]
    pub fn with_roles_of(mut self, known: &Self) -> Self {
        self.roles.clone_from(&known.roles);
        self
    }

    /// With the definitions that `known` has of views that are the same, where there is none.
    #[must_use]
    pub fn with_definitions_of(mut self, known: &Self) -> Self {
        for (oid, relation) in &mut self.relations {
            let same = |known: &&Relation| known.version.is_some() && known.version == relation.version;
            if let (None, Some(known)) = (&relation.definition, known.relations.get(oid).filter(same)) {
                relation.definition.clone_from(&known.definition);
            }
        }
        self
    }

    /// Whether a user is that role, or a member of it by whatever way.
    #[must_use]
    pub fn is_member(&self, user: &str, role: &str) -> bool {
        let mut seen = HashSet::from([user]);
        let mut of = vec![user];
        while let Some(member) = of.pop() {
            if member == role {
                return true;
            }
            let roles = self.roles.get(member).into_iter().flatten().map(String::as_str);
            of.extend(roles.filter(|role| seen.insert(role)));
        }
        false
    }

    /// The relation with this OID.
    #[must_use]
    pub fn relation(&self, oid: u32) -> Option<&Relation> {
        self.relations.get(&oid)
    }

    /// All relations.
    pub fn relations(&self) -> impl Iterator<Item = (u32, &Relation)> {
        self.relations.iter().map(|(oid, relation)| (*oid, relation))
    }

    /// Whether a relation stands above or below another that is `such`.
    pub fn is_related(&self, name: &QualifiedName, such: impl Fn(u32) -> bool) -> bool {
        let mut family: Vec<u32> =
            self.named(name.schema.as_deref(), &name.name).map(|(oid, _)| oid).collect();
        let mut known: HashSet<u32> = family.iter().copied().collect();
        while let Some(oid) = family.pop() {
            if such(oid) {
                return true;
            }
            let above = self.relation(oid).into_iter().flat_map(|relation| &relation.parents).copied();
            let below = self.children.get(&oid).into_iter().flatten().copied();
            family.extend(above.chain(below).filter(|oid| known.insert(*oid)));
        }
        false
    }

    /// Every relation that a name may mean: without a schema, those of all schemas.
    pub fn named<'a>(
        &'a self,
        schema: Option<&'a str>,
        name: &str,
    ) -> impl Iterator<Item = (u32, &'a Relation)> {
        let oids = self.by_name.get(name).map_or(&[][..], Vec::as_slice);
        oids.iter()
            .filter_map(|oid| self.relations.get(oid).map(|relation| (*oid, relation)))
            .filter(move |(_, relation)| schema.is_none_or(|schema| relation.schema == schema))
    }

    /// Whether users made a function or a type of this name (extensions aside).
    #[must_use]
    pub fn user_function(&self, name: &str) -> bool {
        self.functions.contains(name)
    }

    /// Whether users made an operator of this name (extensions aside).
    #[must_use]
    pub fn user_operator(&self, name: &str) -> bool {
        self.operators.contains(name)
    }

    /// Whether an extension made a function of this name that may do more than return a value.
    #[must_use]
    pub fn volatile_function(&self, name: &str) -> bool {
        self.volatile.contains(name)
    }

    /// Whether `x.name` may call a function of this name.
    #[must_use]
    pub fn unary_function(&self, name: &str) -> bool {
        self.unary.contains(name)
    }

    /// The functions of casts that users made (extensions aside), by schema and name. The server calls them
    /// where no statement names them.
    pub fn cast_functions(&self) -> impl Iterator<Item = (&str, &str)> {
        self.cast_functions.iter().map(|(schema, name)| (schema.as_str(), name.as_str()))
    }

    fn add_relation(&mut self, row: &Row) -> Option<()> {
        let kind = match cell(row, 3)? {
            "r" | "p" | "f" => RelationKind::Table,
            "v" | "m" => RelationKind::View,
            "S" => RelationKind::Sequence,
            _ => return None,
        };
        let (oid, name) = (number(row, 0)?, cell(row, 2)?.to_owned());
        let relation = Relation {
            schema: cell(row, 1)?.to_owned(),
            name: name.clone(),
            kind,
            columns: Vec::new(),
            parents: Vec::new(),
            references: Vec::new(),
            definition: None,
            version: cell(row, 4).map(str::to_owned),
            triggers: false,
            rules: false,
        };
        self.relations.insert(oid, relation);
        self.by_name.entry(name).or_default().push(oid);
        Some(())
    }

    fn add_column(&mut self, row: &Row) -> Option<()> {
        let words = cell(row, 6).map(|words| words.split('\u{1f}').map(str::to_owned).collect::<Arc<[_]>>());
        let oid = if words.is_some() { pgtype::oid::TEXT } else { number(row, 4).unwrap_or_default() };
        let column = Column {
            attnum: cell(row, 1)?.parse().ok()?,
            name: cell(row, 2)?.to_owned(),
            generated: !cell(row, 3)?.is_empty(),
            kind: PgType {
                oid,
                modifier: cell(row, 5).and_then(|modifier| modifier.parse().ok()).unwrap_or(-1),
            },
            words,
            fields: cell(row, 7).and_then(|fields| fields.split('\u{1f}').map(field).collect()),
        };
        self.relation_mut(row, 0)?.columns.push(column);
        Some(())
    }

    fn relation_mut(&mut self, row: &Row, index: usize) -> Option<&mut Relation> {
        self.relations.get_mut(&number(row, index)?)
    }
}

fn definition(text: &str) -> Option<Arc<Statement>> {
    match &*analyse(text).ok()? {
        [statement] if statement.kind == Kind::Data => Some(Arc::clone(statement)),
        _ => None,
    }
}

/// Name, type and modifier.
fn field(text: &str) -> Option<(String, PgType)> {
    let mut parts = text.split('\u{1e}');
    let (name, oid, modifier) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next().is_none().then(|| (name.to_owned(), PgType { oid, modifier }))
}

fn cell(row: &Row, index: usize) -> Option<&str> {
    row.get(index)?.as_deref()
}

fn number(row: &Row, index: usize) -> Option<u32> {
    cell(row, index)?.parse().ok()
}

fn first_cells<'a>(rows: impl Iterator<Item = &'a Row>) -> HashSet<String> {
    rows.filter_map(|row| cell(row, 0).map(str::to_owned)).collect()
}
