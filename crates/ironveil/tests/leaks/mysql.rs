//! Statements on MariaDB and MySQL, in every way in which a client may run them.

use veil_testkit::{Flavour, MySql, MySqlOptions};

use crate::compare::Outcome;
use crate::grammar::Random;
use crate::mysql_raw::{Answer, Raw};
use crate::proxy::Proxy;

const SCHEMA: &str = "
create table users (id int primary key, email varchar(80), name varchar(60), age int, born date, note varchar(80), score int,
    joined date);
insert into users with recursive n(i) as (select 1 union all select i + 1 from n where i < 7)
    select i, if(i <> 4, concat('zqcanary', left(sha2(i, 256), 32), '@mail.test'), null), concat('zqcanary ', left(sha2(i, 256), 32)), 7000000 + i * 31,
    date '1931-01-01' + interval i * 17 day, concat('note', i), i % 3, date '2020-01-01' + interval i day from n;
update users set name = left(email, 60) where id = 5;
create table orders (id int primary key, user_id int, amount int, memo varchar(60));
insert into orders with recursive n(i) as (select 1 union all select i + 1 from n where i < 9)
    select i, 1 + i % 7, i * 10, concat('zqcanary', left(sha2(i % 4, 256), 32)) from n;
create table items (id int primary key, name varchar(60), label varchar(60), age int, upper varchar(60));
insert into items with recursive n(i) as (select 1 union all select i + 1 from n where i < 5)
    select i, concat('thing', i), concat('label', i), i, 'UP' from n;
create view v_users as select id, email as label, note, upper(name) as up, age + 1 as older from users;
create view leak_items as select * from items;
create view v_items as select id, label as email, age as n from items;
";

/// Other secrets in their places: each text, number and date another one, equal ones equal.
const OTHER: &str = "
update users set email = concat(reverse(left(sha2(concat('b', email), 256), 32)), 'other'), name = concat(reverse(left(sha2(concat('b', name), 256), 32)), 'other'),
    age = 1000 + id * 3, born = date '1977-05-05' - interval id * 11 day;
update orders set memo = concat(reverse(left(sha2(concat('b', memo), 256), 32)), 'other');
";

pub const RULES: &str = "
  - { table: users, column: email, strategy: constant, value: EMAIL }
  - { table: users, column: name, strategy: constant, value: NAME }
  - { table: users, column: age, strategy: constant, value: '7' }
  - { table: users, column: born, strategy: constant, value: '2000-01-01' }
  - { table: orders, column: memo, strategy: 'null' }
";

pub const REFUSAL: &str = "1227";

/// How a statement is run.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    Text,
    Prepared,
    Cursor,
    Named,
    Variable,
    Explain,
    Write,
}

/// Those in which statements are run again.
pub const FOUND: [Way; 3] = [Way::Text, Way::Prepared, Way::Cursor];

const WAYS: [Way; 10] = [
    Way::Text,
    Way::Text,
    Way::Text,
    Way::Text,
    Way::Prepared,
    Way::Prepared,
    Way::Cursor,
    Way::Named,
    Way::Variable,
    Way::Explain,
];

impl Way {
    pub fn any(random: &mut Random) -> Self {
        *random.pick(&WAYS)
    }

    /// Whether rows come as the query makes them, for a comparison with the server's own.
    pub fn gives_rows(self) -> bool {
        matches!(self, Self::Text | Self::Prepared | Self::Named | Self::Cursor)
    }
}

pub fn start(flavour: Flavour) -> MySql {
    let settings = vec![("innodb-stats-auto-recalc".to_owned(), "0".to_owned())];
    let server =
        MySql::start(MySqlOptions { flavour: Some(flavour), settings, ..MySqlOptions::default() }).unwrap();
    // A client signs in to a database of this name.
    server.sql("", "create database shop").unwrap();
    for (name, change) in [("leaka", ""), ("leakb", OTHER), ("leakc", "")] {
        server.sql("", &format!("create database {name} character set utf8mb4")).unwrap();
        server.sql(name, SCHEMA).unwrap();
        server.sql(name, &format!("{change} analyze table users, orders, items;")).unwrap();
    }
    server
}

pub fn proxy(server: &MySql, denies: bool) -> Proxy {
    let predicates = if denies { "deny" } else { "allow" };
    Proxy::start(&format!(
        "databases:\n  - {{ name: '*', upstream: 'mysql://127.0.0.1:{}' }}\nprotection: {{ predicates: {predicates} }}\nrules:{RULES}",
        server.port()
    ))
}

pub struct Session {
    raw: Raw,
}

impl Session {
    /// A session with the capabilities that the proxy on port `proxy` offers.
    pub fn open(port: u16, proxy: u16, database: &str) -> Self {
        let capabilities = Raw::open(proxy).greeting.capabilities;
        let mut session = Self { raw: Raw::connect(port, !capabilities) };
        session.raw.query(&format!("use {database}"));
        session.raw.query("set session group_concat_max_len = 10000");
        for limit in ["max_execution_time = 4000", "max_statement_time = 4"] {
            session.raw.query(&format!("set session {limit}"));
        }
        session
    }

    /// What came over the wire since the last call.
    pub fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.raw.seen)
    }

    pub fn run(&mut self, sql: &str, way: Way) -> Outcome {
        let answers = match way {
            Way::Text => self.raw.query(sql),
            Way::Prepared => self.prepared(sql, false),
            Way::Cursor => self.prepared(sql, true),
            Way::Named => {
                let quoted = sql.replace('\\', "\\\\").replace('\'', "''");
                self.script(&[&format!("prepare p from '{quoted}'"), "execute p", "deallocate prepare p"])
            }
            Way::Variable => self.script(&[
                &format!("set @v = (select x from (select 1 as x) q, ({sql}) r limit 1)"),
                &format!("select * from ({sql}) r limit 1 into @v"),
                "select @v, concat(@v, 'x')",
                "set @v = null",
            ]),
            Way::Explain => self.script(&[&format!("explain {sql}"), "show warnings"]),
            Way::Write => self.script(&[
                "begin",
                sql,
                "show warnings",
                "select * from items order by id",
                "select id, note, score, joined from users order by id",
                "select id, user_id, amount from orders order by id",
                "rollback",
            ]),
        };
        outcome(answers)
    }

    fn prepared(&mut self, sql: &str, cursor: bool) -> Vec<Answer> {
        let prepared = match self.raw.prepare(sql) {
            Ok(prepared) => prepared,
            Err(error) => return vec![Answer { error: Some(error), ..Answer::default() }],
        };
        let mut answers = vec![self.raw.execute(prepared.statement, cursor)];
        let open = answers[0].status & veil_wire::mysql::reply::status::CURSOR_EXISTS != 0;
        while open && answers[0].error.is_none() {
            let mut fetch = vec![28];
            fetch.extend(prepared.statement.to_le_bytes());
            fetch.extend(2_u32.to_le_bytes());
            self.raw.send(&fetch);
            let mut fetched = Answer::default();
            self.raw.rows(&mut fetched);
            let done = fetched.rows.is_empty() || fetched.error.is_some();
            answers.push(fetched);
            if done {
                break;
            }
        }
        let mut close = vec![25];
        close.extend(prepared.statement.to_le_bytes());
        self.raw.send(&close);
        answers
    }

    fn script(&mut self, statements: &[&str]) -> Vec<Answer> {
        statements.iter().flat_map(|sql| self.raw.query(sql)).collect()
    }
}

fn outcome(answers: Vec<Answer>) -> Outcome {
    let mut outcome = Outcome::default();
    for answer in answers {
        outcome.frame.extend(answer.definitions.iter().map(|definition| without_name(definition)));
        outcome.frame.push(answer.status.to_le_bytes().to_vec());
        outcome.rows.extend(answer.rows);
        if let Some((number, _)) = answer.error {
            outcome.frame.push(number.to_le_bytes().to_vec());
            outcome.error.get_or_insert(number.to_string());
        }
    }
    outcome
}

/// The bytes with the databases' names made one.
fn without_name(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for at in 0..out.len().saturating_sub(4) {
        if out[at..].starts_with(b"leak") {
            out[at + 4] = b'_';
        }
    }
    out
}
