//! MySQL's protocol: what is read is written back as it was, and a session's engine takes whatever comes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use veil_mask::{Cell, Masker, Strategy};
use veil_model::mysqltype::flag;
use veil_model::{Charset, Format, MySqlType};
use veil_net::connect::{Encryption, Target};
use veil_proxy::budget::Budgets;
use veil_proxy::catalogs::View;
use veil_proxy::connections::{Connections, OfServer};
use veil_proxy::engine::Engine;
use veil_proxy::engine::mysql::{self, Guarded, Judge, Slot};
use veil_proxy::out::Out;
use veil_sql::mysql::analyse::{Analyser, analyse as analyse_text};
use veil_sql::mysql::catalog::Row;
use veil_sql::mysql::{Catalog, Mode};
use veil_wire::mysql::reply::{self, Column, End, Prepared};
use veil_wire::mysql::row::{BinaryCells, BinaryRow, TextCells, put_text};
use veil_wire::mysql::startup::{self, ChangeUser, First, Greeting};
use veil_wire::mysql::value::{self, Width};
use veil_wire::mysql::{auth, capability as cap, command, frame};

/// Flags that change how packets are laid out, each chosen by a bit.
fn capabilities(bits: u8) -> u64 {
    let flags = [
        cap::DEPRECATE_EOF,
        cap::QUERY_ATTRIBUTES,
        cap::MARIADB_EXTENDED_METADATA,
        cap::PLUGIN_AUTH,
        cap::CONNECT_ATTRS,
    ];
    flags.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).fold(0, |all, (_, flag)| all | flag)
}

/// Packets before a session. The first byte chooses the capabilities.
pub fn startup(bytes: &[u8]) {
    let Some((bits, bytes)) = bytes.split_first() else { return };
    let capabilities = capabilities(*bits);
    let _ = auth::Request::decode(bytes);
    if let Ok(greeting) = Greeting::decode(bytes) {
        let mut out = Vec::new();
        greeting.put(&mut out);
        assert_eq!(Greeting::decode(&out), Ok(greeting));
    }
    if let Ok(First::Response(response)) = startup::decode(bytes)
        && response.capabilities & (cap::SECURE_CONNECTION | cap::PLUGIN_AUTH_LENENC) != 0
    {
        let mut out = Vec::new();
        response.put(&mut out);
        assert_eq!(startup::decode(&out), Ok(First::Response(response)));
    }
    if let Ok(change) = ChangeUser::decode(bytes, capabilities) {
        let mut out = Vec::new();
        change.put(capabilities, &mut out);
        assert_eq!(ChangeUser::decode(&out[1..], capabilities), Ok(change));
    }
}

/// Packets of a session. The first byte chooses the capabilities, the second the count of columns.
pub fn reply(bytes: &[u8]) {
    let Some((&[bits, count], bytes)) = bytes.split_first_chunk::<2>() else { return };
    let capabilities = capabilities(bits);
    if let Ok(Some(message)) = frame::decode(bytes, 2048) {
        let mut out = Vec::new();
        frame::write(&mut out, &mut message.sequence.clone(), |out| out.extend_from_slice(&message.payload));
        assert_eq!(out, &bytes[..message.total]);
    }
    let _ = End::decode_ok(bytes);
    let _ = End::decode_eof(bytes, capabilities);
    let _ = Prepared::decode(bytes);
    let _ = command::statement(bytes);
    if let Ok(from) = command::query_text(bytes, capabilities) {
        assert!(from <= bytes.len());
    }
    if let Ok(column) = Column::decode(bytes, capabilities) {
        assert!(column.default_at <= bytes.len());
    }
    if let Ok(error) = reply::Error::decode(bytes) {
        let mut out = Vec::new();
        error.put(&mut out);
        assert_eq!(reply::Error::decode(&out), Ok(error));
    }
    text_row(bytes);
    binary_row(bytes, usize::from(count));
}

fn text_row(payload: &[u8]) {
    let (mut cells, mut out, mut read) = (TextCells::new(payload), Vec::new(), Vec::new());
    while let Ok(cell) = cells.step() {
        put_text(&mut out, cell);
        read.push(cell);
    }
    let mut cells = TextCells::new(&out);
    read.into_iter().for_each(|cell| assert_eq!(cells.step(), Ok(cell)));
    assert_eq!(cells.end(), Ok(()));
}

/// The types of the columns stand before the row.
fn binary_row(bytes: &[u8], count: usize) {
    let Some((types, payload)) = bytes.split_at_checked(count) else { return };
    let widths: Result<Vec<Width>, _> = types.iter().map(|code| value::width(*code)).collect();
    let (Ok(widths), Ok(mut cells)) = (widths, BinaryCells::decode(payload, count)) else { return };
    let cells: Result<Vec<_>, _> = widths.iter().map(|width| cells.step(*width)).collect();
    let Ok(cells) = cells else { return };
    let mut out = Vec::new();
    let mut row = BinaryRow::begin(&mut out, count);
    widths.iter().zip(&cells).for_each(|(width, cell)| row.put(&mut out, *width, *cell));
    let mut read = BinaryCells::decode(&out, count).expect("what was written");
    widths.iter().zip(cells).for_each(|(width, cell)| assert_eq!(read.step(*width), Ok(cell)));
    assert_eq!(read.end(), Ok(()));
}

/// A whole session. The first byte chooses the capabilities, whether the catalog is known already, and whether the
/// client is read from only while the engine does not wait; then the first byte of each piece says who sends it and how
/// long it is.
pub fn engine(bytes: &[u8]) {
    let Some((bits, mut rest)) = bytes.split_first() else { return };
    let (known, patient) = (bits & 0x20 == 0, bits & 0x40 == 0);
    let mut engine = session(capabilities(*bits), known);
    let (mut unsent, mut unread) = (Vec::new(), [Vec::new(), Vec::new()]);
    while let Some((first, tail)) = rest.split_first() {
        let (piece, tail) = tail.split_at(tail.len().min(usize::from(first >> 1)));
        rest = tail;
        if first & 1 == 1 { &mut unread[1] } else { &mut unsent }.extend_from_slice(piece);
        // Client, server, and the client again: what waited may go on now.
        for from_server in [false, true, false] {
            // What the engine has seen already it sees again.
            if !patient || !engine.is_waiting() {
                unread[0].append(&mut unsent);
            }
            let input = &mut unread[usize::from(from_server)];
            let (mut up, mut down, now) = (Out::default(), Out::default(), Instant::now());
            let used = if from_server {
                engine.server(input, &mut down, now)
            } else {
                engine.client(input, &mut up, &mut down, now)
            };
            match used {
                Ok(used) => drop(input.drain(..used)),
                Err(problem) => return drop(engine.fatal(&problem)),
            }
            if engine.take_change().is_some() {
                return;
            }
        }
    }
}

fn session(capabilities: u64, catalog_known: bool) -> Engine {
    let slot = Arc::new(Slot::new("app".to_owned()));
    if catalog_known {
        slot.install(catalog(), Instant::now());
    }
    let target = Target {
        host: "fuzz".to_owned(),
        port: 3306,
        encryption: Encryption::Off,
        timeout: Duration::from_secs(1),
    };
    let server = OfServer { connections: Arc::new(Connections::default()), target: Arc::new(target) };
    let judge = Judge::new(
        Arc::new(Analyser::default()),
        View::new(slot, super::policies(), crate::signed_in()),
        Budgets::new(100).of("", "user"),
    );
    Engine::MySql(mysql::Engine::Guarded(Box::new(Guarded::new(judge, server, capabilities))))
}

/// A database `shop` with one table `users`.
fn catalog() -> Catalog {
    let row = |cells: &[&str]| -> Row { cells.iter().map(|cell| Some((*cell).to_owned())).collect() };
    let column = |name, kind| row(&["shop", "users", name, kind, ""]);
    Catalog::from_rows(&[
        vec![row(&["0", "9.7.4"])],
        vec![row(&["shop", "users", "BASE TABLE", "InnoDB"])],
        vec![column("id", "int"), column("email", "varchar"), column("note", "text")],
        Vec::new(),
        Vec::new(),
        vec![],
        Vec::new(),
    ])
}

/// Statements, by the rules of every mode. The text that is sent in a text's place means what was analysed.
pub fn analyse(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for bits in 0..32_u8 {
        let has = |bit: u8| bits >> bit & 1 == 1;
        let mode = Mode {
            high_not: false,
            ansi_quotes: has(0),
            no_backslash_escapes: has(1),
            ignore_space: has(2),
            oracle: has(3) && has(0),
            ascii_words: has(3),
            mariadb: has(4),
            version: if has(4) { 101_119 } else { 90_704 },
        };
        let Ok(analysis) = analyse_text(text, mode) else { continue };
        let Some(rewritten) = &analysis.rewritten else { continue };
        let again = analyse_text(rewritten, mode).expect("what is sent is understood");
        assert_eq!(again.statements, analysis.statements, "{rewritten:?} {mode:?}");
        assert_eq!(again.rewritten, None, "{rewritten:?} {mode:?}");
    }
}

/// Cells: the first bytes choose function, type and format. What has a width keeps it, and nothing before is touched.
pub fn mask(bytes: &[u8]) {
    let Some((&[function, code, charset, marks, length, decimals], cell)) = bytes.split_first_chunk::<6>()
    else {
        return;
    };
    let functions = Strategy::catalogue();
    let strategy = super::strategy(functions[usize::from(function) % functions.len()].name);
    let masker = Masker::new(&super::key(), &strategy);
    let flags = [flag::UNSIGNED, flag::ENUM, flag::SET];
    let ty = MySqlType {
        code,
        charset: Charset::of(u16::from(charset) | u16::from(marks >> 6) << 8),
        length: u32::from(length) * u32::from(length),
        flags: flags.iter().enumerate().filter(|(at, _)| marks >> at & 1 == 1).map(|(_, flag)| flag).sum(),
        decimals,
        declared: ["", "uuid", "inet6", "varchar"][usize::from(marks >> 4 & 3)],
    };
    let format = if marks & 8 == 0 { Format::Text } else { Format::Binary };
    let mut out = vec![1, 2, 3];
    let masked = masker.mysql_column(&ty).mask(format, cell, &mut out);
    assert_eq!(out[..3], [1, 2, 3]);
    match (masked, format, value::width(code)) {
        (Cell::Null, ..) => assert_eq!(out.len(), 3),
        (Cell::Written, Format::Binary, Ok(Width::Fixed(width))) => assert_eq!(out.len(), 3 + width),
        (Cell::Written, Format::Binary, Ok(Width::Short)) => assert!([7, 10, 14].contains(&out.len())),
        (Cell::Written, ..) => {}
    }
}
