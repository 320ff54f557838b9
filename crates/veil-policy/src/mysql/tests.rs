use std::sync::Arc;

use veil_mask::{RootKey, Strategy};
use veil_sql::mysql::catalog::{QUERIES, Row};
use veil_sql::mysql::{Catalog, Mode, analyse::analyse};

use super::{Labels, judge};
use crate::glob::Glob;
use crate::judge::Untraced;
use crate::rule::{Action, Policy, Rule};

fn catalog(folds: &str) -> Catalog {
    let row = |cells: &[&str]| -> Row { cells.iter().map(|cell| Some((*cell).to_owned())).collect() };
    let columns = [
        ("users", "id", "int", ""),
        ("users", "email", "varchar", ""),
        ("users", "note", "varchar", ""),
        ("users", "twice", "varchar", "VIRTUAL GENERATED"),
        ("items", "id", "int", ""),
        ("items", "label", "varchar", ""),
        ("user_view", "label", "varchar", ""),
        ("item_view", "label", "varchar", ""),
    ];
    let tables = [
        row(&["shop", "users", "BASE TABLE", "InnoDB"]),
        row(&["shop", "items", "BASE TABLE", "InnoDB"]),
        row(&["shop", "far", "BASE TABLE", "FEDERATED"]),
        vec![Some("shop".to_owned()), Some("user_view".to_owned()), Some("VIEW".to_owned()), None],
        vec![Some("shop".to_owned()), Some("item_view".to_owned()), Some("VIEW".to_owned()), None],
    ];
    let results: [Vec<Row>; QUERIES.len()] = [
        vec![row(&[folds, "10.11.6-MariaDB"])],
        tables.to_vec(),
        columns.iter().map(|(table, name, kind, extra)| row(&["shop", table, name, kind, extra])).collect(),
        vec![
            row(&["shop", "user_view", "select `shop`.`users`.`email` AS `label` from `shop`.`users`"]),
            row(&["shop", "item_view", "select `shop`.`items`.`label` AS `label` from `shop`.`items`"]),
        ],
        vec![row(&["NVL"])],
    ];
    Catalog::from_rows(&results)
}

fn labels(folds: &str, trusted: &[&str]) -> Labels {
    let rule = Rule {
        name: "email".to_owned(),
        database: Glob::any(),
        schema: Glob::any(),
        table: Glob::new("users"),
        column: Glob::new("Email"),
        users: Vec::new(),
        action: Action::Mask(Strategy::parse("email", &std::collections::BTreeMap::new()).unwrap()),
    };
    let trusted = trusted.iter().map(|name| (*name).to_owned()).collect();
    let policy = Policy::new(vec![rule], trusted, &RootKey::from_bytes([7; 32]));
    Labels::new(Arc::new(policy), Arc::new(catalog(folds)), "app")
}

/// `show` (everything), `close` (what is computed), or `refuse`.
fn verdict(sql: &str, labels: &Labels, database: Option<&str>) -> &'static str {
    let analysis = analyse(sql, Mode::new("", "10.11.6-MariaDB")).unwrap();
    match judge(&analysis.statements[0], labels, database) {
        Err(_) => "refuse",
        Ok(run) if run.untraced == Untraced::Show => "show",
        Ok(_) => "close",
    }
}

#[test]
fn statements_are_judged_by_what_they_name() {
    let labels = labels("0", &[]);
    for (sql, expected) in [
        ("select label, upper(label) from items", "show"),
        ("select * from shop.items", "show"),
        ("select email from users", "close"),
        ("select * from user_view", "close"),
        ("select * from item_view", "show"),
        ("select * from far", "close"),
        ("select * from nowhere", "close"),
        ("select * from other.items", "close"),
        ("with users as (select label from items) select * from users", "close"),
        ("with x as (select label from items) select * from x", "show"),
        ("select 1, now(), @@version, @a", "show"),
        ("select f(1)", "close"),
        // A user's function by the name of one that other servers have.
        ("select nvl(label, 1) from items", "close"),
        ("select ifnull(label, 1) from items", "show"),
        ("select f(email) from users", "refuse"),
        ("select sleep(1) from users", "refuse"),
        ("select sleep(1) from items", "show"),
        ("select load_file('x')", "refuse"),
        ("select table_name from information_schema.tables", "show"),
        ("select info from information_schema.processlist", "close"),
        ("select * from mysql.user", "close"),
        ("insert into items select label, 1 from items", "show"),
        ("insert into items select email, 1 from users", "refuse"),
        ("insert into items values (f(1))", "refuse"),
        ("insert into users (id, email) values (1, ?)", "close"),
        ("update users set note = email", "refuse"),
        ("update users set note = twice", "refuse"),
        ("update users set note = note, email = 'x' where email = 'y'", "close"),
        ("update items set label = upper(label)", "show"),
        ("delete from users where email = 'x'", "close"),
        ("update mysql.user set x = 1", "refuse"),
        ("select email into @a from users", "refuse"),
        ("select label into @a from items", "show"),
        ("set @a = f(1)", "refuse"),
        ("set @a = upper('x')", "show"),
        ("call p()", "refuse"),
        ("explain select * from items", "show"),
        ("explain select * from users", "refuse"),
        ("show tables", "show"),
        ("create table x (a int)", "refuse"),
    ] {
        assert_eq!(verdict(sql, &labels, Some("shop")), expected, "{sql}");
    }
    assert_eq!(verdict("select * from items", &labels, None), "close");
}

#[test]
fn functions_that_users_vouch_for_are_pure() {
    let labels = labels("0", &["p", "shop.g"]);
    for (sql, expected) in
        [("call p()", "show"), ("call shop.g(1)", "show"), ("call g(1)", "refuse"), ("select p(1)", "show")]
    {
        assert_eq!(verdict(sql, &labels, Some("shop")), expected, "{sql}");
    }
}

#[test]
fn names_of_tables_have_case_where_the_server_has_it_so() {
    assert_eq!(verdict("select label from ITEMS", &labels("0", &[]), Some("shop")), "close");
    assert_eq!(verdict("select label from ITEMS", &labels("1", &[]), Some("SHOP")), "show");
    assert_eq!(verdict("select email from USERS", &labels("1", &[]), Some("Shop")), "close");
}
