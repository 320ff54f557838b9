//! What a statement costs before it is sent: `cargo bench -p veil-policy`.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark")]

use std::sync::Arc;

use divan::{Bencher, black_box};
use veil_mask::RootKey;
use veil_policy::config::rule_from_argument;
use veil_policy::who::Principal;
use veil_policy::{Labels, Plan, Policy, Untraced, judge, mysql};
use veil_sql::catalog::Row;
use veil_sql::{Analyser, Catalog, analyse::analyse};
use veil_wire::pg::reply::Field;

/// As an application writes them.
const PLAIN: &str = "select i.id, i.label, i.price, i.created_at from items i where i.category_id = $1 and i.active \
    order by i.created_at desc limit 20";
const FOLLOWED: &str = "select u.id, u.email, upper(u.name) as name, count(o.id) as orders, coalesce(sum(o.total), 0) as total, \
    case when max(o.created_at) > now() - interval '30 days' then 'active' else 'idle' end as state \
    from users u left join orders o on o.user_id = u.id left join items i on i.id = o.item_id \
    where u.created_at > $1 and u.country = $2 and o.status in ('paid', 'sent', 'done') and i.category_id = $3 \
    group by u.id, u.email, u.name having count(o.id) > 1 order by total desc limit 50";
const FOLLOWED_MYSQL: &str = "select u.id, u.email, upper(u.name) as name, count(o.id) as orders, coalesce(sum(o.total), 0) as total, \
    case when max(o.created_at) > now() - interval 30 day then 'active' else 'idle' end as state \
    from users u left join orders o on o.user_id = u.id left join items i on i.id = o.item_id \
    where u.created_at > ? and u.country = ? and o.status in ('paid', 'sent') and i.category_id = ? group by u.id limit 50";

const COLUMNS: [&str; 13] = [
    "id",
    "email",
    "name",
    "label",
    "price",
    "total",
    "status",
    "country",
    "created_at",
    "user_id",
    "item_id",
    "category_id",
    "active",
];

fn row(cells: &[&str]) -> Row {
    cells.iter().map(|cell| Some((*cell).to_owned())).collect()
}

fn policy() -> Arc<Policy> {
    let rules =
        ["users.email=email", "users.name=name", "*.ssn=ssn"].map(|rule| rule_from_argument(rule).unwrap());
    Arc::new(Policy::new(rules.to_vec(), Vec::new(), &RootKey::from_bytes([1; 32])))
}

/// 200 tables, three of which the statements name.
fn labels() -> Labels {
    let named = ["users", "items", "orders"].map(str::to_owned).into_iter();
    let names: Vec<String> = named.chain((0..197).map(|at| format!("table_{at}"))).collect();
    let oid = |at: usize| (16_400 + at).to_string();
    let mut results = <[Vec<Row>; veil_sql::catalog::QUERIES.len()]>::default();
    for (at, name) in names.iter().enumerate() {
        results[0].push(row(&[&oid(at), "public", name, "r", "p"]));
        for (attnum, column) in COLUMNS.iter().enumerate() {
            results[1].push(row(&[&oid(at), &(attnum + 1).to_string(), column, ""]));
        }
    }
    let (policy, catalog) = (policy(), Arc::new(Catalog::from_rows(&results)));
    let rights = policy.rights(&Principal::user("app"), std::time::UNIX_EPOCH);
    Labels::new(policy, catalog, "shop", &rights)
}

fn mysql_labels() -> mysql::Labels {
    let mut results = <[Vec<Row>; veil_sql::mysql::catalog::QUERIES.len()]>::default();
    results[0].push(row(&["0", "10.11.6-MariaDB"]));
    let named = ["users", "items", "orders"].map(str::to_owned).into_iter();
    for name in named.chain((0..197).map(|at| format!("table_{at}"))) {
        results[1].push(row(&["shop", &name, "BASE TABLE", "InnoDB"]));
        results[2].extend(COLUMNS.map(|column| row(&["shop", &name, column, "varchar(80)", ""])));
    }
    let (policy, catalog) = (policy(), Arc::new(veil_sql::mysql::Catalog::from_rows(&results)));
    let rights = policy.rights(&Principal::user("app"), std::time::UNIX_EPOCH);
    mysql::Labels::new(policy, catalog, &rights)
}

fn fields() -> Vec<Field<'static>> {
    let field =
        |relation| Field { name: b"x", relation, attnum: 1, type_oid: 25, modifier: -1, binary: false };
    [16_400, 16_400, 0, 0, 0, 0].map(field).to_vec()
}

fn ordinary(kind: &str) -> &'static str {
    if kind == "plain" { PLAIN } else { FOLLOWED }
}

#[divan::bench(args = ["plain", "followed"])]
fn postgres_new(bencher: Bencher<'_, '_>, kind: &str) {
    let (labels, sql) = (labels(), ordinary(kind));
    bencher.bench(|| judge(&analyse(black_box(sql)).unwrap()[0], &labels).unwrap());
}

#[divan::bench(args = ["plain", "followed"])]
fn postgres_known(bencher: Bencher<'_, '_>, kind: &str) {
    let (labels, analyser, sql) = (labels(), Analyser::default(), ordinary(kind));
    bencher.bench(|| {
        let statements = analyser.analyse(black_box(sql)).unwrap();
        labels.verdict(&statements[0]).unwrap()
    });
}

#[divan::bench]
fn postgres_plan(bencher: Bencher<'_, '_>) {
    let (labels, statements, fields) = (labels(), analyse(FOLLOWED).unwrap(), fields());
    bencher.bench(|| Plan::new(black_box(&fields), Untraced::Follow, Some(&statements[0]), &labels));
}

#[divan::bench]
fn mysql_new(bencher: Bencher<'_, '_>) {
    let (labels, mode) = (mysql_labels(), veil_sql::mysql::Mode::new("", "10.11.6-MariaDB"));
    bencher.bench(|| {
        let analysis = veil_sql::mysql::analyse::analyse(black_box(FOLLOWED_MYSQL), mode).unwrap();
        mysql::judge(&analysis.statements[0], &labels, Some("shop")).unwrap()
    });
}

#[divan::bench]
fn mysql_known(bencher: Bencher<'_, '_>) {
    let (labels, mode) = (mysql_labels(), veil_sql::mysql::Mode::new("", "10.11.6-MariaDB"));
    let (analyser, database) = (veil_sql::mysql::analyse::Analyser::default(), Arc::from("shop"));
    bencher.bench(|| {
        let analysis = analyser.analyse(black_box(FOLLOWED_MYSQL), mode).unwrap();
        labels.verdict(&analysis.statements[0], Some(&database)).unwrap()
    });
}

/// Statements that are made to take long.
const HOSTILE: [&str; 7] = ["nested", "union", "windows", "case", "and", "expressions", "list"];

fn hostile(kind: &str) -> String {
    let repeated = |count: usize, part: &str| vec![part; count].join(" ");
    match kind {
        "nested" => {
            let deep = 60;
            let open = "select x, upper(x) as y from (".repeat(deep);
            format!("{open}select email as x, email as y from users{}", ") d".repeat(deep))
        }
        "union" => {
            format!("select email from users {}", repeated(5_000, "union all select label from items"))
        }
        "windows" => {
            let windows = (0..2_000).map(|at| format!("row_number() over (order by id, email) as c{at}"));
            format!("select {} from users", windows.collect::<Vec<_>>().join(", "))
        }
        "case" => format!("select case {} end from users", repeated(2_000, "when id = 1 then email")),
        "and" => format!("select id from users where id = 1 {}", repeated(2_000, "and email = 'a'")),
        "expressions" => {
            let made = (1..60).map(|at| format!(", q{at} as (select a.x from q{0} a, q{0} b)", at - 1));
            format!("with q0 as (select email as x from users){} select x from q59", made.collect::<String>())
        }
        _ => format!("select id from users where email in ('a'{})", ", 'a'".repeat(20_000)),
    }
}

/// What it costs to refuse them, too.
#[divan::bench(args = HOSTILE, sample_count = 3, sample_size = 1)]
fn postgres_hostile(bencher: Bencher<'_, '_>, kind: &str) {
    let (labels, sql) = (labels(), hostile(kind));
    bencher.bench(|| {
        let statement = Arc::clone(&analyse(black_box(&sql)).ok()?[0]);
        let run = labels.verdict(&statement).ok()?.run;
        Some(Plan::new(&fields(), run.untraced, Some(&statement), &labels))
    });
}

#[divan::bench(args = HOSTILE, sample_count = 3, sample_size = 1)]
fn mysql_hostile(bencher: Bencher<'_, '_>, kind: &str) {
    let (labels, mode) = (mysql_labels(), veil_sql::mysql::Mode::new("", "10.11.6-MariaDB"));
    let (sql, database) = (hostile(kind), Arc::from("shop"));
    bencher.bench(|| {
        let analysis = veil_sql::mysql::analyse::analyse(black_box(&sql), mode).ok()?;
        labels.verdict(&analysis.statements[0], Some(&database)).ok()
    });
}

fn main() {
    divan::main();
}
