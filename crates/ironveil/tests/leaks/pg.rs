//! Statements on PostgreSQL, in every way in which a client may run them.

use veil_testkit::{Postgres, PostgresOptions};
use veil_wire::pg::frame;
use veil_wire::pg::startup::Version;

use crate::compare::Outcome;
use crate::grammar::Random;
use crate::pg_raw::{Group, Raw, Reply};
use crate::proxy::Proxy;

const SCHEMA: &str = "
create table users (id int primary key, email text, name varchar(60), age int, born date, note text, score int, joined date)
    with (autovacuum_enabled = off);
insert into users select i, case when i <> 4 then 'zqcanary' || md5(i::text) || '@mail.test' end, 'zqcanary ' || md5(i::text),
    7000000 + i * 31, date '1931-01-01' + i * 17, 'note' || i, i % 3, date '2020-01-01' + i from generate_series(1, 7) i;
update users set name = email where id = 5;
create table orders (id int primary key, user_id int, amount int, memo text) with (autovacuum_enabled = off);
insert into orders select i, 1 + i % 7, i * 10, 'zqcanary' || md5((i % 4)::text) from generate_series(1, 9) i;
create table items (id int primary key, name text, label text, age int, upper text) with (autovacuum_enabled = off);
insert into items select i, 'thing' || i, 'label' || i, i, 'UP' from generate_series(1, 5) i;
create view v_users as select id, email as label, note, upper(name) as up, age + 1 as older from users;
create view leak_items as select * from items;
create view v_items as select id, label as email, age as n from items;
";

/// Other secrets in their places: each text, number and date another one, equal ones equal.
const OTHER: &str = "
update users set email = reverse(md5('b' || email)) || 'other', name = reverse(md5('b' || name)) || 'other',
    age = 1000 + id * 3, born = date '1977-05-05' - id * 11;
update orders set memo = reverse(md5('b' || memo)) || 'other';
";

/// The same history without a change.
const SAME: &str =
    "update users set email = email, name = name, age = age, born = born; update orders set memo = memo;";

pub const RULES: &str = "
  - { table: users, column: email, strategy: constant, value: EMAIL }
  - { table: users, column: name, strategy: constant, value: NAME }
  - { table: users, column: age, strategy: constant, value: '7' }
  - { table: users, column: born, strategy: constant, value: '2000-01-01' }
  - { table: orders, column: memo, strategy: 'null' }
";

const BINARY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

pub const REFUSAL: &str = "42501";

/// How a statement is run.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    Simple,
    Extended,
    Binary,
    Described,
    Portal,
    Cursor,
    Prepared,
    Copy(&'static str),
    Explain,
    Pipeline,
    Script,
    Write,
}

const WAYS: [Way; 16] = [
    Way::Simple,
    Way::Simple,
    Way::Simple,
    Way::Extended,
    Way::Extended,
    Way::Binary,
    Way::Binary,
    Way::Described,
    Way::Portal,
    Way::Cursor,
    Way::Prepared,
    Way::Copy("text"),
    Way::Copy("csv, header"),
    Way::Copy("binary"),
    Way::Explain,
    Way::Script,
];

impl Way {
    pub fn any(random: &mut Random) -> Self {
        if random.one_in(12) { Self::Pipeline } else { *random.pick(&WAYS) }
    }

    /// Whether rows come as the query makes them, for a comparison with the server's own.
    pub fn gives_rows(self) -> bool {
        !matches!(self, Self::Explain | Self::Pipeline | Self::Write)
    }
}

pub fn start() -> Postgres {
    let fixed = [("autovacuum", "off"), ("jit", "off"), ("plan_cache_mode", "force_generic_plan")];
    let settings = fixed.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let server = Postgres::start(PostgresOptions { settings, ..PostgresOptions::default() }).unwrap();
    server.psql("postgres", "create database leaka").unwrap();
    server.psql("leaka", SCHEMA).unwrap();
    for (name, change) in [("leakb", OTHER), ("leakc", SAME)] {
        server.psql("postgres", &format!("create database {name} template leaka")).unwrap();
        server.psql(name, change).unwrap();
    }
    server.psql("leaka", SAME).unwrap();
    server
}

pub fn proxy(server: &Postgres, denies: bool) -> Proxy {
    let predicates = if denies { "deny" } else { "allow" };
    Proxy::start(&format!(
        "databases:\n  - {{ name: '*', upstream: 'postgres://127.0.0.1:{}' }}\nprotection: {{ predicates: {predicates} }}\nrules:{RULES}",
        server.port()
    ))
}

pub struct Session {
    raw: Raw,
}

impl Session {
    pub fn open(port: u16, database: &str) -> Self {
        let raw =
            Raw::connect_with(port, Version::V3_0, &[("database", database), ("statement_timeout", "4000")]);
        Self { raw }
    }

    /// What came over the wire since the last call.
    pub fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.raw.seen)
    }

    pub fn run(&mut self, sql: &str, way: Way) -> Outcome {
        let replies = match way {
            Way::Simple => self.raw.query(sql),
            Way::Extended => self.raw.group(|group| group.parse("", sql).bind("", "").execute("", 0)),
            Way::Described => self.raw.group(|group| {
                group.parse("", sql).describe_statement("").bind("", "").describe_portal("").execute("", 0)
            }),
            Way::Binary => {
                self.raw.group(|group| bind_binary(group.parse("", sql)).describe_portal("").execute("", 0))
            }
            Way::Portal => self.raw.group(|group| {
                group.parse("s", sql).bind("p", "s").execute("p", 2).execute("p", 0).close_statement("s")
            }),
            Way::Pipeline => self.raw.group(|group| {
                group.parse("", "select id, label from items").bind("", "").execute("", 0);
                bind_binary(group.parse("", sql)).execute("", 0);
                group.parse("", sql).bind("", "").execute("", 0)
            }),
            Way::Cursor => self.script(&[
                "begin",
                &format!("declare c scroll cursor for {sql}"),
                "fetch all from c",
                "fetch backward all from c",
                "rollback",
            ]),
            Way::Prepared => self.script(&[&format!("prepare p as {sql}"), "execute p", "deallocate all"]),
            Way::Copy(format) => self.raw.query(&format!("copy ({sql}) to stdout with (format {format})")),
            Way::Explain => self.raw.query(&format!("explain (verbose, costs off) {sql}")),
            Way::Script => self.raw.query(&format!("select 1; {sql}; select id from items")),
            Way::Write => self.script(&[
                "begin",
                sql,
                "select * from items order by id",
                "select id, note, score, joined from users order by id",
                "select id, user_id, amount from orders order by id",
                "rollback",
            ]),
        };
        outcome(replies)
    }

    fn script(&mut self, statements: &[&str]) -> Vec<Reply> {
        statements.iter().flat_map(|sql| self.raw.query(sql)).collect()
    }
}

fn bind_binary(group: &mut Group) -> &mut Group {
    frame::write(&mut group.0, b'B', |out| {
        out.extend([0, 0, 0, 0, 0, 0, 0, 1, 0, 1]);
    });
    group
}

fn outcome(replies: Vec<Reply>) -> Outcome {
    let mut outcome = Outcome::default();
    for reply in replies {
        match reply.tag {
            // The header of binary COPY comes with the first row, whichever that is.
            'D' | 'd' => outcome
                .rows
                .push(reply.body.strip_prefix(BINARY_HEADER).map_or(reply.body.clone(), <[u8]>::to_vec)),
            'E' => {
                let code = reply.field(b'C');
                outcome.frame.push(format!("E{code}").into_bytes());
                outcome.error.get_or_insert(code);
            }
            'N' => outcome.frame.push(format!("N{}", reply.field(b'C')).into_bytes()),
            'S' => {}
            tag => outcome.frame.push([&[u8::try_from(tag).unwrap()], reply.body.as_slice()].concat()),
        }
    }
    outcome
}
