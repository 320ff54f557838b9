//! What a statement costs before it is sent: `cargo bench -p veil-policy`.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark")]

use std::sync::Arc;

use divan::{Bencher, black_box};
use veil_mask::RootKey;
use veil_policy::config::rule_from_argument;
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

const COLUMNS: [&str; 10] =
    ["id", "email", "name", "label", "price", "total", "status", "country", "created_at", "user_id"];

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
    let mut results = <[Vec<Row>; 8]>::default();
    for (at, name) in names.iter().enumerate() {
        results[0].push(row(&[&oid(at), "public", name, "r", "p"]));
        for (attnum, column) in COLUMNS.iter().enumerate() {
            results[1].push(row(&[&oid(at), &(attnum + 1).to_string(), column, ""]));
        }
    }
    Labels::new(policy(), Arc::new(Catalog::from_rows(&results)), "shop", "app")
}

fn mysql_labels() -> mysql::Labels {
    let mut results = <[Vec<Row>; 5]>::default();
    results[0].push(row(&["0", "10.11.6-MariaDB"]));
    let named = ["users", "items", "orders"].map(str::to_owned).into_iter();
    for name in named.chain((0..197).map(|at| format!("table_{at}"))) {
        results[1].push(row(&["shop", &name, "BASE TABLE", "InnoDB"]));
        results[2].extend(COLUMNS.map(|column| row(&["shop", &name, column, "varchar(80)", ""])));
    }
    mysql::Labels::new(policy(), Arc::new(veil_sql::mysql::Catalog::from_rows(&results)), "app")
}

fn fields() -> Vec<Field<'static>> {
    let field =
        |relation| Field { name: b"x", relation, attnum: 1, type_oid: 25, modifier: -1, binary: false };
    [16_400, 16_400, 0, 0, 0, 0].map(field).to_vec()
}

#[divan::bench(args = [PLAIN, FOLLOWED])]
fn postgres_new(bencher: Bencher<'_, '_>, sql: &str) {
    let labels = labels();
    bencher.bench(|| judge(&analyse(black_box(sql)).unwrap()[0], &labels).unwrap());
}

#[divan::bench(args = [PLAIN, FOLLOWED])]
fn postgres_known(bencher: Bencher<'_, '_>, sql: &str) {
    let (labels, analyser) = (labels(), Analyser::default());
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

fn main() {
    divan::main();
}
