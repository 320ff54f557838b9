use std::fmt::Write as _;

use super::analyse::analyse;
use super::lexer::{Mode, lex};
use super::query::{Body, Expr, Item, Query};
use super::{Kind, Source, Statement};

fn mode() -> Mode {
    Mode::new("", "10.11.6-MariaDB")
}

/// What is known of the first statement, in one line.
fn summary(sql: &str) -> String {
    summary_in(sql, mode())
}

fn summary_in(sql: &str, mode: Mode) -> String {
    match analyse(sql, mode) {
        Err(what) => format!("not cut: {what}"),
        Ok(analysis) => {
            analysis.statements.first().map_or("nothing".to_owned(), |statement| describe(statement))
        }
    }
}

fn describe(statement: &Statement) -> String {
    let facts = &statement.facts;
    if let Some(what) = facts.opaque {
        return format!("opaque: {what}");
    }
    let mut out = match &statement.kind {
        Kind::Data => "data".to_owned(),
        Kind::Refused(_) => return "refused".to_owned(),
        Kind::Prepare { inner, .. } => return format!("prepare {}", describe(inner)),
        other => format!("{other:?}").to_lowercase(),
    };
    for table in &facts.tables {
        let database = table.database.as_ref().map(|d| format!("{d}.")).unwrap_or_default();
        write!(out, " {database}{}", table.name).unwrap();
    }
    for function in &facts.functions {
        let mark = if function.database.is_some() { "?" } else { "" };
        write!(out, " {mark}{}()", function.name).unwrap();
    }
    for write in &facts.writes {
        match &write.source {
            Source::Query(_) | Source::Assigned(_) => write!(out, " >{}:query", write.target.name).unwrap(),
            Source::Unknown => write!(out, " >{}:?", write.target.name).unwrap(),
            Source::Columns(columns) => {
                write!(
                    out,
                    " >{}:{}",
                    write.target.name,
                    columns.iter().cloned().collect::<Vec<_>>().join(",")
                )
                .unwrap();
            }
        }
    }
    if facts.assigns {
        out.push_str(" :=");
    }
    if let Some(Query { body: Body::Select(select), .. }) = &statement.result {
        out.push_str(if select.merged { " |~" } else { " |" });
        for item in &select.items {
            match item {
                Item::Star(of) => write!(out, " {}*", of.join(".")).unwrap(),
                Item::Value { expr: Expr::Column(parts), .. } => write!(out, " {}", parts.join(".")).unwrap(),
                Item::Value { .. } => out.push_str(" ="),
            }
        }
    }
    out
}

#[test]
fn statements_are_taken_for_what_they_are() {
    for (sql, expected) in [
        ("select id, email from users", "data users | id email"),
        ("select u.*, shop.users.id x from shop.users as u", "data shop.users | u* shop.users.id"),
        ("SELECT `a b`.`c` FROM `a b`", "data a b | a b.c"),
        ("select upper(email), 1, @v, (note) from users", "data users upper() | = = = note"),
        ("select x from (select email x from users) as items", "data users | x"),
        ("with a as (select 1) select * from a", "data a | *"),
        ("select email from users union select label from items", "data items users"),
        ("select a.id from a join b using (id) left join c on a.id = c.id", "data a b c |~ a.id"),
        ("select id from users where email like 'a%' order by note limit 3, 4", "data users | id"),
        ("select id from users where id in (select user_id from orders)", "data orders users | id"),
        (
            "select count(*), group_concat(distinct n order by n separator ';') from t",
            "data t count() group_concat() | = =",
        ),
        ("select sql_no_cache high_priority id from t lock in share mode", "data t | id"),
        ("select id into @a from t", "data t := | id"),
        ("select email, id from users into @a, @b", "data users := | email id"),
        ("select id from t into outfile '/tmp/x'", "opaque: INTO OUTFILE"),
        ("select @a := email from users", "data users := | ="),
        ("select f(1), db.g(2)", "data f() ?g() | = ="),
        ("select count (*) from t", "data t count() ?count() | ="),
        ("insert into users (id, note) values (1, 'x'), (?, default)", "data users >users:"),
        ("insert into t set a = 1, b = c", "data t >t:c"),
        ("insert into t select * from users", "data t users >t:query"),
        ("insert into t values (1) on duplicate key update n = values(n) + m", "data t values() >t:m"),
        ("replace into t values ((select email from users))", "data t users >t:?"),
        ("insert into t values (1) returning id, n", "data t >t: | id n"),
        ("update users set note = email where id = 1", "data users >users:query"),
        ("update users u join t on t.id = u.id set t.n = u.email", "data t users >users:query >t:query"),
        ("delete from users where id = 1", "data users >users:"),
        ("explain select * from users", "explain users"),
        ("describe users", "show(definitions)"),
        ("desc select 1", "explain"),
        ("explain for connection 5", "refused"),
        ("show tables", "show(definitions)"),
        ("show full columns from users", "show(definitions)"),
        ("show full processlist", "show(processes)"),
        ("show warnings limit 3", "show(warnings)"),
        ("show engine innodb status", "refused"),
        ("show tables where (select 1)", "refused"),
        ("set names utf8mb4", "set { role: false, once: false }"),
        ("set @a = upper('x'), sql_mode = ''", "set { role: false, once: false } upper()"),
        ("set @a = (select email from users)", "refused"),
        ("set transaction read only", "set { role: false, once: true }"),
        ("set @@transaction_isolation = 'serializable'", "set { role: false, once: true }"),
        ("set session transaction read only", "set { role: false, once: false }"),
        ("set role x", "set { role: true, once: false }"),
        ("use shop", "use(\"shop\")"),
        ("begin", "session"),
        ("begin not atomic select 1; end", "refused"),
        ("start transaction with consistent snapshot", "session"),
        ("rollback to savepoint a", "session"),
        ("kill query 12", "kill { connection: 12, query: true }"),
        ("prepare s from 'select email from users'", "prepare data users | email"),
        ("prepare s from @v", "refused"),
        ("prepare `é` from 'select 1'", "refused"),
        ("execute `s `", "refused"),
        ("select ran\u{212a}()", "data ran\u{212a}() | ="),
        ("execute immediate 'select id from t'", "data t | id"),
        ("execute immediate concat('a', 'b')", "refused"),
        ("execute s using @a, @b", "execute { name: \"s\" } "),
        ("call p(1, @x)", "call p()"),
        ("call shop.p()", "call ?p()"),
        ("do sleep(1)", "data sleep() | ="),
        ("handler users open", "refused"),
        ("load data local infile 'x' into table t", "refused"),
        ("create function f() returns int return 1", "refused"),
        ("table users", "opaque: what IronVeil cannot parse"),
        ("select * from users procedure analyse()", "opaque: what IronVeil cannot parse"),
        ("select * from json_table('[1]', '$[*]' columns (a int path '$')) as j", "data | *"),
        ("", "nothing"),
    ] {
        assert_eq!(summary(sql).trim_end(), expected.trim_end(), "{sql}");
    }
}

#[test]
fn nothing_is_read_twice_at_each_level() {
    for text in [
        format!("select id{} from users", " is null".repeat(60)),
        format!("select {}id{} from users", "(".repeat(40), " is null)".repeat(40)),
        format!("select {}id{} from users", "count(".repeat(40), ")".repeat(40)),
        format!("select {}1{} from users", "sum(1) over (order by ".repeat(40), ")".repeat(40)),
        format!("select {}email{} from users", "case when 1 then ".repeat(40), " end".repeat(40)),
        format!("{}select 1{}", "with a as (".repeat(40), ") select 1".repeat(40)),
        format!("select {}1{}", "(select ".repeat(40), ")".repeat(40)),
        format!("{}1{}", "select 1 from (select ".repeat(40), ") d".repeat(40)),
    ] {
        let _ = analyse(&text, mode());
    }
}

#[test]
fn quotes_and_comments_follow_the_session() {
    let ansi = Mode { ansi_quotes: true, ..mode() };
    let plain = Mode { no_backslash_escapes: true, ..mode() };
    let words = Mode { ascii_words: true, ..mode() };
    for (mode, sql, expected) in [
        (mode(), r#"select "a\" from users -- " from t"#, "data t | ="),
        (ansi, r#"select "id" from "users""#, "data users | id"),
        (mode(), r"select 'a\' from users -- ' from t", "data t | ="),
        (plain, r"select 'a\' from users -- ' from t", "data users | ="),
        (mode(), "select 'it''s' from t # from users", "data t | ="),
        (mode(), "select 1--1 from t", "data t | ="),
        (mode(), "select /* from users */ 1 from t", "data t | ="),
        (mode(), "select /*!50000 id, */ n from t", "data t | id n"),
        (mode(), "select /*!50700 id, */ n from t", "data t | n"),
        (mode(), "select /*M!50700 id, */ n from t", "data t | id n"),
        (mode(), "select /*! id, */ n from t", "data t | id n"),
        (mode(), "select /*!999999 id, */ n from t", "data t | n"),
        (mode(), "select n from t /*! where /* x */ 1 */", "not cut: a comment inside another that runs"),
        (
            mode(),
            "select --/*!50000 1*/ '\n concat(email) from users -- '",
            "not cut: a comment that runs, where it cannot be written out",
        ),
        (mode(), "select é from t", "data t | é"),
        (words, "select 'é', `é`, _latin1'é' from t", "data t | = é ="),
        (
            words,
            "select é from t",
            "not cut: a letter outside of ASCII without quotes, in this character set",
        ),
        (
            words,
            "select --\u{a0} '\n concat(email) from users -- '",
            "not cut: two minuses before a character that may be a blank",
        ),
        (mode(), "select 1 -- \0", "not cut: a NUL in a comment"),
        (mode(), "select n from t /*", "not cut: a comment without an end"),
        (mode(), "select 'a", "not cut: a string without an end"),
        (
            mode(),
            "select x'00', b'1', 0xff, n'a', _latin1'a', 1.5e-3, .5, 1e5 from t",
            "data t | = = = = = = = =",
        ),
        (mode(), "select t.1a, 2b from t", "data t | t.1a 2b"),
        (mode(), "select @`a b`, @'c', @@session.sql_mode from t", "data t | = = ="),
        (mode(), r"select \N from t", "data t | ="),
        (mode(), "select [id] from t", "not cut: a character that no statement has there"),
    ] {
        assert_eq!(summary_in(sql, mode), expected, "{sql}");
    }
}

#[test]
fn comments_that_run_are_written_out() {
    let rewritten = |sql| lex(sql, mode()).unwrap().rewritten;
    assert_eq!(rewritten("select 1 /* x */"), None);
    assert_eq!(rewritten("select/*!50000 1*/,/*!50700 2*/3").as_deref(), Some("select   1 , 3"));
    // MySQL takes a sixth digit for the version's only if a blank follows.
    let mysql = Mode::new("", "9.7.0");
    for (sql, of_mysql, of_mariadb) in [
        ("select 1/*!080000,2 */", "select 1  0,2  ", "select 1 "),
        ("select 1/*!080000 ,2 */", "select 1   ,2  ", "select 1 "),
        ("select 1/*!50000,2 */", "select 1  ,2  ", "select 1  ,2  "),
        ("select 1/*!5000,2 */", "select 1  5000,2  ", "select 1  5000,2  "),
    ] {
        assert_eq!(lex(sql, mysql).unwrap().rewritten.as_deref(), Some(of_mysql), "{sql}");
        assert_eq!(lex(sql, mode()).unwrap().rewritten.as_deref(), Some(of_mariadb), "{sql}");
    }
}

#[test]
fn a_text_may_hold_several_statements() {
    let analysis = analyse("select 1; select email from users;", mode()).unwrap();
    assert_eq!(analysis.statements.len(), 2);
    assert_eq!(analyse(" ; select 1", mode()).unwrap().statements.len(), 2);
}

#[test]
fn long_chains_are_followed_or_refused_and_never_too_deep() {
    for (first, more) in [
        ("select 1", "+1"),
        ("select 1 from t where a = 1", " or a = 1"),
        ("select 1, 2", " union select 1, 2"),
        ("select 1, 2 from t where a = (select 1", " union all select 1"),
    ] {
        let close = if first.contains('(') { ")" } else { "" };
        let text = |count: usize| format!("{first}{}{close}", more.repeat(count));
        assert!(summary(&text(1000)).starts_with("data"), "{first}");
        let long = summary(&text(200_000));
        assert!(long.starts_with("not cut: an expression of so many"), "{first}: {long}");
    }
    let rows = format!("insert into t values (1, 'x'){}", ", (1, 'x')".repeat(100_000));
    assert!(summary(&rows).starts_with("data"));
}
