//! One case a line: what a text is taken for.

use super::*;

fn one(text: &str) -> Statement {
    let all = analyse(text).unwrap();
    assert_eq!(all.len(), 1, "{text}");
    (*all[0]).clone()
}

fn names(facts: &Facts) -> Vec<String> {
    let mut names: Vec<String> = facts.relations.iter().map(|r| r.name.clone()).collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn relations_are_found_wherever_they_stand() {
    for (text, expected) in [
        ("select 1", ""),
        ("select * from a", "a"),
        ("select (select x from b) from a", "a b"),
        ("select 1 from a where exists (select 1 from b)", "a b"),
        ("with c as (select * from b) select * from c", "b"),
        ("with c as (select * from c) select * from c", "c"),
        ("with recursive c as (select * from c) select * from c", ""),
        ("with x as (select 1), y as (select * from x) select * from y, z", "z"),
        ("with y as (select * from x), x as (select 1) select * from y", "x"),
        ("select * from c where exists (with c as (select 1) select * from c)", "c"),
        ("with c as (select 1) insert into c select * from c", "c"),
        ("with c as (select 1) select * from s.c", "c"),
        ("select * from a join b using (id) left join c on true", "a b c"),
        ("select * from a union select * from b order by 1", "a b"),
        ("select * from a, lateral (select * from b) x", "a b"),
        ("select array(select x from b), case when exists(select 1 from c) then 1 end", "b c"),
        (
            "select count(*) filter (where x in (select x from b)) over (order by (select 1 from c)) from a",
            "a b c",
        ),
        ("table a", "a"),
        ("select * from f(( select x from b)) limit (select 1 from c)", "b c"),
        ("insert into a values ((select x from b)) returning (select y from c)", "a b c"),
        ("update a set x = (select x from b) from c", "a b c"),
        ("delete from a using b where a.x = b.x", "a b"),
        ("merge into a using b on true when matched then update set x = (select 1 from c)", "a b c"),
        ("insert into a (x) values (1) on conflict (x) do update set x = (select x from b)", "a b"),
        ("copy (select * from a) to stdout", "a"),
        ("copy a to stdout", "a"),
        ("declare c cursor for select * from a", "a"),
        ("prepare p as select * from a", "a"),
        ("explain analyze select * from a", "a"),
        ("execute p((select x from a))", "a"),
        ("select * from a tablesample system (1)", "a"),
        ("select * from a as z for update of z", "a"),
        (
            "select xmlelement(name x, (select y from b)), xmlserialize(content (select z from c) as text) from a",
            "a b c",
        ),
        (
            "select * from xmltable('/r' passing (select x from b) columns y int path (select z from c))",
            "b c",
        ),
        ("select json_object('k': (select x from b)), json_array((select x from c)) from a", "a b c"),
        ("select json_array(select x from b), json_objectagg(k: (select x from c)) from a", "a b c"),
        ("select json_value((select x from b), '$' default (select y from c) on empty) from a", "a b c"),
        (
            "select * from json_table((select x from b), '$' columns (y int path '$' default (select 1 from c) on error))",
            "b c",
        ),
        ("select * from rows from (f((select x from b)), g((select x from c))) as t(a int)", "b c"),
        (
            "select sum(x) over (partition by (select 1 from b) rows (select 1 from c) preceding) from a",
            "a b c",
        ),
        ("select x[(select 1 from b)] from a", "a b"),
        ("select (select (row(y)).f1 from b) collate \"C\" from a", "a b"),
        ("select * from a group by grouping sets ((x), ((select y from b)))", "a b"),
    ] {
        assert_eq!(names(&one(text).facts).join(" "), expected, "{text}");
    }
}

#[test]
fn kinds() {
    for (text, expected) in [
        ("begin", "Session"),
        ("set search_path = x", "Session"),
        ("set client_encoding = latin1", "Refused"),
        ("set names 'latin1'", "Refused"),
        ("set Standard_Conforming_Strings = off", "Refused"),
        ("show all", "Session"),
        ("do $$ begin end $$", "Refused"),
        ("call p()", "Refused"),
        ("create table t (x int)", "Define"),
        ("create table t as select 1", "Define"),
        ("create table t as execute p", "Refused"),
        ("create table t of x", "Refused"),
        ("select 1 into t", "Define"),
        ("create view v as select 1", "Define"),
        ("create function f() returns int language sql as 'select 1'", "Refused"),
        ("create trigger t before insert on a execute function f()", "Refused"),
        ("create rule r as on insert to a do nothing", "Refused"),
        ("alter table a attach partition b default", "Refused"),
        ("alter table a enable row level security", "Refused"),
        ("alter schema a rename to b", "Refused"),
        ("drop function f", "Refused"),
        ("comment on table a is 'x'", "Session"),
        ("copy a to '/tmp/x'", "Refused"),
        ("copy a from program 'x'", "Refused"),
        ("load 'x'", "Refused"),
        ("explain create table t as select 1", "Refused"),
        ("explain execute p", "Refused"),
        ("grant all on a to b", "Refused"),
        ("values (1)", "Data"),
    ] {
        let kind = format!("{:?}", one(text).kind);
        assert!(kind.starts_with(expected), "{text}: {kind}");
    }
}

#[test]
fn written_values_are_traced_to_literals_or_columns() {
    for (text, expected) in [
        ("insert into a values (1, $1, default, lower('x'), now())", Some("")),
        ("insert into a default values", Some("")),
        ("insert into a select 1", None),
        ("insert into a values ((select 1))", None),
        ("insert into a (x) values (1) on conflict (x) do update set x = excluded.x", Some("")),
        ("insert into a (x) values (1) on conflict (x) do update set n = a.n + 1", None),
        ("update a set n = n + 1, m = coalesce($1, m)", None),
        ("update a set n = 1 from b", Some("")),
        ("update a set n = b.n from b", None),
        ("update a set n = (select 1)", None),
        ("update a set (n, m) = (select 1, 2)", None),
        ("update a set (n, m) = (1, k)", Some("k")),
        ("update a set n = a", None),
        ("update a set n = system_user", None),
        ("update a set n = a.*::text", None),
        ("update a as excluded set n = excluded.m", None),
        ("update a set n = excluded.m from b excluded", None),
        ("insert into a as excluded (x) values (1) on conflict (x) do update set n = excluded.m", None),
        ("delete from a", Some("")),
        ("merge into a using b on true when not matched then insert values (1)", None),
    ] {
        let facts = one(text).facts;
        let mut source = facts.writes[0].source.clone();
        if let Some(source) = &mut source {
            source.columns.sort();
            source.columns.dedup();
        }
        let seen = source.filter(|source| source.values.is_empty()).map(|source| source.columns.join(" "));
        assert_eq!(seen.as_deref(), expected, "{text}");
    }
}

#[test]
fn a_write_inside_a_common_table_expression_is_seen() {
    let facts = one("with x as (update a set n = (select 1) returning *) select * from x").facts;
    assert_eq!(facts.writes.len(), 1);
}

#[test]
fn fields_and_newer_syntax_are_noted_as_possible_functions() {
    for (text, field) in
        [("select (1).f from a", "f"), ("select a.f from a", "f"), ("select ('x'::text).f", "f")]
    {
        assert!(one(text).facts.fields.iter().any(|f| f.name == field), "{text}");
    }
    for (text, name) in [
        ("select json_query('1', '$')", "json_query"),
        ("select json_value('1', '$')", "json_value"),
        ("select json_scalar(1), json_serialize('1')", "json_serialize"),
        ("select json('1')", "json"),
    ] {
        assert!(one(text).facts.functions.iter().any(|f| f.name == name), "{text}");
    }
    for (text, operator) in [
        ("select 1 where a between 1 and 2", ">="),
        ("select case a when 1 then 2 end", "="),
        ("select 1 where a in (select 1)", "="),
        ("select * from a join b using (x)", "="),
        ("select * from a natural join b", "="),
    ] {
        assert!(one(text).facts.operators.contains(operator), "{text}");
    }
}

#[test]
fn select_into_is_seen_inside_a_set_operation() {
    let statement = one("select 1 into t union select 2");
    assert!(matches!(statement.kind, Kind::Refused(_)) || statement.facts.opaque.is_some());
}

#[test]
fn set_config_may_not_change_the_encoding() {
    assert_eq!(one("select set_config('search_path', '', false)").facts.opaque, None);
    for text in
        ["select set_config('client_encoding', 'x', false)", "select set_config('a' || 'b', 'x', false)"]
    {
        assert!(one(text).facts.opaque.is_some(), "{text}");
    }
}

#[test]
fn deep_and_odd_texts_do_not_panic() {
    for text in [
        format!("select {}1{}", "(".repeat(3000), ")".repeat(3000)),
        format!("select 1{}", "+1".repeat(20_000)),
        format!("select {}1", "- ".repeat(20_000)),
        format!("select 1{}", " union select 1".repeat(5_000)),
        format!("{}select 1{}", "with a as (".repeat(200), ") select 1".repeat(200)),
        "select U&'\\d800'".to_owned(),
        "select E'\\xff', 1 as \"x\"".to_owned(),
        format!("select 1 as \"{}\"", "é".repeat(70)),
        format!("select 1 from \"a{}\"", "é".repeat(70)),
    ] {
        let _ = analyse(&text);
    }
}

#[test]
fn no_statement_is_an_empty_list() {
    assert!(analyse("").unwrap().is_empty());
    assert!(analyse(" ; -- nothing").unwrap().is_empty());
    assert_eq!(analyse("select 1; select 2;").unwrap().len(), 2);
    assert!(analyse("selec").is_err());
}
