//! What is fuzzed: one function a target, on any bytes. None may panic; some check more.

pub mod mysql;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use veil_mask::{Cell, Masker, Param, Parameter, ParameterKind, RootKey, Strategy};
use veil_model::{Format, PgType};
use veil_policy::glob::Glob;
use veil_policy::rule::{Action, Policy, Rule};
use veil_policy::who::{Principal, SignedIn};
use veil_proxy::budget::Budgets;
use veil_proxy::catalogs::View;
use veil_proxy::engine::Engine;
use veil_proxy::engine::pg::{self, Guarded, Judge, Slot};
use veil_proxy::out::Out;
use veil_proxy::policies::Policies;
use veil_wire::pg::{auth, command, frame, reply, row, startup};

/// A target: what it does with any bytes.
type Target = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: [(&str, Target); 11] = [
    ("startup", startup),
    ("command", command),
    ("reply", reply),
    ("engine", engine),
    ("analyse", analyse),
    ("mask", mask),
    ("mysql_startup", mysql::startup),
    ("mysql_reply", mysql::reply),
    ("mysql_engine", mysql::engine),
    ("mysql_analyse", mysql::analyse),
    ("mysql_mask", mysql::mask),
];

/// Packets before a session, and SCRAM.
pub fn startup(bytes: &[u8]) {
    if let Ok(Some((_, length))) = startup::decode(bytes) {
        assert!(length <= bytes.len());
    }
    let verifier = veil_net::scram::Verifier::from_password("pencil", b"salt", 1);
    if let Ok(server) = veil_net::scram::ServerFirst::new(verifier, bytes, false, None, "nonce") {
        assert!(server.verify(bytes).is_err());
    }
}

/// What clients send.
pub fn command(bytes: &[u8]) {
    let _ = frame::Header::decode(bytes);
    let _ = command::decode_query(bytes);
    let _ = command::decode_execute(bytes);
    let _ = command::Target::decode(bytes);
    let _ = command::BindNames::decode(bytes, bytes.len());
    let _ = auth::decode_sasl_initial(bytes);
    if let Ok(parse) = command::Parse::decode(bytes) {
        let mut out = Vec::new();
        parse.write(&mut out);
        assert_eq!(&out[frame::HEADER..], bytes);
    }
}

/// What servers send.
pub fn reply(bytes: &[u8]) {
    let _ = reply::decode_row_description(bytes);
    let _ = reply::decode_error(bytes).map(|fields| fields.iter().count());
    let _ = reply::decode_key(bytes);
    let _ = reply::decode_notification(bytes);
    let _ = reply::decode_parameter(bytes);
    let _ = auth::Request::decode(bytes);
    if let Ok(mut cells) = row::Cells::decode(bytes) {
        while let Ok(Some(_)) = cells.step() {}
    }
}

/// A whole session: the first byte of each piece says who sends it and how long it is.
pub fn engine(bytes: &[u8]) {
    let slot = Arc::new(Slot::new("shop".to_owned()));
    let settings = [(&b"client_encoding"[..], &b"UTF8"[..])];
    let judge = Judge::new(
        Arc::default(),
        View::new(slot, policies(), signed_in()),
        Budgets::new(100).of("db", "user"),
    );
    let Ok(engine) = Guarded::new(judge, settings.into_iter()) else {
        return;
    };
    let mut engine = Engine::Pg(pg::Engine::Guarded(Box::new(engine)));
    let (mut unread, mut rest) = ([Vec::new(), Vec::new()], bytes);
    while let Some((first, tail)) = rest.split_first() {
        let (piece, tail) = tail.split_at(tail.len().min(usize::from(first >> 1)));
        rest = tail;
        let from_server = first & 1 == 1;
        let input = &mut unread[usize::from(from_server)];
        input.extend_from_slice(piece);
        let mut out = Out::default();
        let now = Instant::now();
        let used = if from_server {
            engine.server(input, &mut out, now)
        } else {
            engine.client(input, &mut out, &mut Out::default(), now)
        };
        let Ok(used) = used else { return };
        input.drain(..used);
    }
}

/// Statements.
pub fn analyse(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = veil_sql::analyse::analyse(text);
        let _ = veil_policy::Config::parse(text);
    }
}

/// Cells: the first bytes choose function, type and format; the output never holds the input.
pub fn mask(bytes: &[u8]) {
    let Some((&[function, kind, format, modifier], cell)) = bytes.split_first_chunk::<4>() else { return };
    const OIDS: [u32; 28] = [
        16, 17, 18, 19, 20, 21, 23, 25, 114, 700, 701, 869, 1042, 1043, 1082, 1114, 1184, 1700, 2950, 3802,
        1009, 1007, 1182, 3807, 600, 650, 774, 829,
    ];
    let functions = Strategy::catalogue();
    let masker = Masker::new(&key(), &strategy(functions[usize::from(function) % functions.len()].name));
    let oid = OIDS[usize::from(kind) % OIDS.len()];
    let column = masker.column(PgType { oid, modifier: i32::from(modifier) - 1 });
    let mut out = vec![1, 2, 3];
    let format = if format & 1 == 1 { Format::Binary } else { Format::Text };
    if column.mask(format, cell, &mut out) == Cell::Written {
        let _ = column.reveal(format, &out.split_off(3), &mut out);
    }
    let _ = column.reveal(format, cell, &mut out);
    assert_eq!(out[..3], [1, 2, 3]);
}

/// Somebody.
fn signed_in() -> SignedIn {
    SignedIn { principal: Principal::user("user"), since: SystemTime::UNIX_EPOCH, began: Instant::now() }
}

/// Masks every column `email`.
fn policies() -> Arc<Policies> {
    let action = Action::Mask(strategy("email"));
    let rule = Rule { column: Glob::new("email"), ..Rule::new("fuzz".to_owned(), action) };
    Arc::new(Policies::new(Policy::new(vec![rule], Vec::new(), &key())))
}

fn key() -> RootKey {
    RootKey::from_bytes([7; 32])
}

/// A function, with something for what it needs.
fn strategy(name: &str) -> Strategy {
    let function = Strategy::catalogue().iter().find(|function| function.name == name);
    let needed = function
        .into_iter()
        .flat_map(|function| function.params)
        .filter(|parameter| parameter.default.is_none());
    let value = |parameter: &Parameter| match parameter.kind {
        ParameterKind::Int { min, .. } => Param::Int(min),
        ParameterKind::Choice(words) => Param::Text(words.last().copied().unwrap_or_default().to_owned()),
        ParameterKind::Texts => Param::Texts(vec!["x".to_owned()]),
        ParameterKind::Pairs => Param::Pairs(vec![("a".to_owned(), "x".to_owned())]),
        ParameterKind::Functions => Param::Functions(vec![("$..a".to_owned(), strategy("hash"))]),
        _ if parameter.name == "template" => Param::Text("{{digits 3}}".to_owned()),
        _ => Param::Text("1".to_owned()),
    };
    let parameters = needed.map(|parameter| (parameter.name.to_owned(), value(parameter))).collect();
    Strategy::parse(name, &parameters).expect("the catalogue's own names parse")
}
