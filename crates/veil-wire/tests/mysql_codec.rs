//! Properties of the MySQL codecs: what is written reads back, every prefix is "not yet", no bytes make a decoder
//! panic, and what real servers sent is read as what it means.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::borrow::Cow;

use proptest::prelude::*;
use veil_wire::mysql::command::{self, Command};
use veil_wire::mysql::frame::{self, HEADER, Header, PART_MAX};
use veil_wire::mysql::reply::{self, Column, End, Prepared};
use veil_wire::mysql::row::{self, BinaryCells, BinaryRow, TextCells};
use veil_wire::mysql::startup::{self, ChangeUser, First, Greeting, Response};
use veil_wire::mysql::value::{self, Width};
use veil_wire::mysql::{auth, capability as cap};
use veil_wire::{Cursor, Malformed};

/// No NUL.
fn name() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(1_u8..=255, 0..40)
}

fn bytes(length_max: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..length_max)
}

/// What a peer may say: the flags that change the layout, of MySQL's kind or of MariaDB's.
fn capabilities() -> impl Strategy<Value = u64> {
    (any::<u64>(), any::<bool>()).prop_map(|(any, mysql)| {
        let demanded = (any | cap::DEMANDED) & !cap::SSL;
        // Only MariaDB has the high flags, and it says so by leaving MySQL's out.
        if mysql { (demanded | cap::MYSQL) & 0xffff_ffff } else { demanded & !cap::MYSQL }
    })
}

/// The flag's text, or nothing if the flag is not set.
fn only_with(capabilities: u64, flag: u64, text: Vec<u8>) -> Vec<u8> {
    if capabilities & flag == 0 { Vec::new() } else { text }
}

/// One message with `payload`, and the number after its last part.
fn message(payload: &[u8], mut sequence: u8) -> (Vec<u8>, u8) {
    let mut out = Vec::new();
    frame::write(&mut out, &mut sequence, |out| out.extend_from_slice(payload));
    (out, sequence)
}

/// The payload of the message that was captured.
fn payload(bytes: &[u8]) -> Vec<u8> {
    let message = frame::decode(bytes, bytes.len()).unwrap().unwrap();
    assert_eq!(message.total, bytes.len());
    message.payload.into_owned()
}

proptest! {
    #[test]
    fn messages_read_back_and_prefixes_wait(payload in bytes(60), behind in bytes(9), sequence in any::<u8>()) {
        let (mut out, next) = message(&payload, sequence);
        prop_assert_eq!(next, sequence.wrapping_add(1));
        for end in 0..out.len() {
            prop_assert_eq!(frame::decode(&out[..end], payload.len()), Ok(None));
        }
        let total = out.len();
        out.extend(behind);
        let read = frame::decode(&out, payload.len()).unwrap().unwrap();
        prop_assert_eq!((read.payload, read.total, read.sequence), (Cow::Borrowed(&payload[..]), total, sequence));
    }

    #[test]
    fn headers_read_back(body in 0..=PART_MAX, sequence in any::<u8>()) {
        let mut out = Vec::new();
        let header = Header { body, sequence };
        header.write(&mut out);
        prop_assert_eq!(out.len(), HEADER);
        prop_assert_eq!(Header::decode(&out), Some(header));
        prop_assert_eq!(Header::decode(&out[..HEADER - 1]), None);
    }

    #[test]
    fn length_encoded_integers_read_back(number in any::<u64>(), shift in 0_u32..64, behind in bytes(4)) {
        let number = number >> shift;
        let mut out = Vec::new();
        frame::put_lenenc(&mut out, number);
        for end in 0..out.len() {
            prop_assert!(Cursor::new(&out[..end]).lenenc().is_err());
        }
        out.extend_from_slice(&behind);
        let mut cursor = Cursor::new(&out);
        prop_assert_eq!(cursor.lenenc(), Ok(number));
        prop_assert_eq!(cursor.rest(), &behind[..]);
    }

    #[test]
    fn greetings_read_back(
        capabilities in capabilities(),
        (version, plugin) in (name(), name()),
        (connection, collation, status) in any::<(u32, u8, u16)>(),
        nonce in any::<[u8; startup::NONCE]>(),
    ) {
        let greeting = Greeting { version, connection, nonce, capabilities, collation, status, plugin };
        let mut out = Vec::new();
        greeting.put(&mut out);
        prop_assert_eq!(Greeting::decode(&out), Ok(greeting.clone()));
        // Some servers leave out the last NUL.
        prop_assert_eq!(Greeting::decode(&out[..out.len() - 1]), Ok(greeting.clone()));
        let needed = out.len() - greeting.plugin.len() - 1;
        for end in 0..needed {
            prop_assert!(Greeting::decode(&out[..end]).is_err(), "{}", end);
        }
    }

    #[test]
    fn responses_read_back(
        capabilities in capabilities(),
        (packet_max, collation) in any::<(u32, u8)>(),
        (user, database, plugin) in (name(), name(), name()),
        // The longest without PLUGIN_AUTH_LENENC.
        proof in bytes(256),
        attributes in bytes(300),
    ) {
        let response = Response {
            capabilities,
            packet_max,
            collation,
            user,
            proof,
            database: only_with(capabilities, cap::CONNECT_WITH_DB, database),
            plugin,
            attributes: only_with(capabilities, cap::CONNECT_ATTRS, attributes),
        };
        let mut out = Vec::new();
        response.put(&mut out);
        prop_assert_eq!(startup::decode(&out), Ok(First::Response(response.clone())));
        let needed = 32 + response.user.len() + 1 + response.proof.len();
        for end in 0..needed {
            prop_assert!(startup::decode(&out[..end]).is_err(), "{}", end);
        }
    }

    #[test]
    fn long_proofs_read_back(proof in bytes(70_000)) {
        let capabilities = cap::DEMANDED | cap::PLUGIN_AUTH_LENENC;
        let response = Response { capabilities, proof, ..nobody() };
        let mut out = Vec::new();
        response.put(&mut out);
        prop_assert_eq!(startup::decode(&out), Ok(First::Response(response)));
    }

    #[test]
    fn requests_for_tls_are_recognised(capabilities in capabilities(), user in name()) {
        let response = Response { capabilities: capabilities | cap::SSL, user, ..nobody() };
        let mut request = Vec::new();
        response.put_tls_request(&mut request);
        prop_assert_eq!(startup::decode(&request), Ok(First::Tls));
        // With something behind it, it is an answer.
        let mut out = Vec::new();
        response.put(&mut out);
        prop_assert!(out.starts_with(&request));
        let First::Response(read) = startup::decode(&out).unwrap() else { panic!("not a response") };
        prop_assert_eq!(read.user, response.user);
    }

    #[test]
    fn changes_of_user_read_back(
        capabilities in capabilities(),
        (user, database, plugin) in (name(), name(), name()),
        proof in bytes(256),
        attributes in bytes(300),
        collation in any::<u16>(),
    ) {
        let change = ChangeUser {
            user,
            proof,
            database,
            collation,
            plugin: only_with(capabilities, cap::PLUGIN_AUTH, plugin),
            attributes: only_with(capabilities, cap::CONNECT_ATTRS, attributes),
        };
        let mut out = Vec::new();
        change.put(capabilities, &mut out);
        prop_assert_eq!(Command::decode(out[0]), Command::ChangeUser);
        prop_assert_eq!(ChangeUser::decode(&out[1..], capabilities), Ok(change.clone()));
        let needed = change.user.len() + change.proof.len() + change.database.len() + 3;
        for end in 0..needed {
            prop_assert!(ChangeUser::decode(&out[1..][..end], capabilities).is_err(), "{}", end);
        }
    }

    #[test]
    fn requests_of_plugins_read_back(plugin in "[a-z0-9_]{1,30}", data in bytes(60)) {
        let mut out = Vec::new();
        auth::put_switch(&mut out, plugin.as_bytes(), &data);
        let switch = auth::Request::Switch { plugin: plugin.as_bytes(), data: &data };
        prop_assert_eq!(auth::Request::decode(&out), Ok(switch));
        let mut out = Vec::new();
        auth::put_more(&mut out, &data);
        prop_assert_eq!(auth::Request::decode(&out), Ok(auth::Request::More(&data)));
    }

    #[test]
    fn errors_and_ok_read_back(number in any::<u16>(), state in "[0-9A-Z]{5}", text in bytes(60), flags in any::<u16>()) {
        let error = reply::Error { number, state: state.as_bytes(), message: &text };
        let mut out = Vec::new();
        error.put(&mut out);
        prop_assert_eq!(reply::Error::decode(&out), Ok(error));
        for end in 0..3 {
            prop_assert!(reply::Error::decode(&out[..end]).is_err());
        }
        let mut out = Vec::new();
        reply::put_ok(&mut out, flags);
        prop_assert_eq!(End::decode_ok(&out), Ok(End { status: flags }));
        prop_assert_eq!(End::decode_eof(&out, cap::DEPRECATE_EOF), Ok(End { status: flags }));
    }

    #[test]
    fn definitions_read_back(
        names in proptest::collection::vec(bytes(60), 6..=6),
        extended in proptest::option::of(bytes(20)),
        (collation, length, kind) in any::<(u16, u32, u8)>(),
        (flags, decimals) in any::<(u16, u8)>(),
        default in bytes(9),
    ) {
        let mut out = Vec::new();
        names.iter().chain(&extended).for_each(|name| frame::put_lenenc_bytes(&mut out, name));
        out.push(12);
        out.extend(collation.to_le_bytes());
        out.extend(length.to_le_bytes());
        out.push(kind);
        out.extend(flags.to_le_bytes());
        out.extend([decimals, 0, 0]);
        let default_at = out.len();
        out.extend(default);
        let capabilities = if extended.is_some() { cap::MARIADB_EXTENDED_METADATA } else { 0 };
        let [_, database, table, org_table, name, org_name] = std::array::from_fn(|at| names[at].as_slice());
        let column = Column {
            database, table, org_table, name, org_name, collation, length, kind, flags, decimals, default_at,
        };
        prop_assert_eq!(Column::decode(&out, capabilities), Ok(column));
        for end in 0..default_at {
            prop_assert!(Column::decode(&out[..end], capabilities).is_err(), "{}", end);
        }
    }

    #[test]
    fn statements_read_back(number in any::<u32>(), columns in any::<u16>(), parameters in any::<u16>()) {
        let mut out = vec![0];
        out.extend(number.to_le_bytes());
        out.extend(columns.to_le_bytes());
        out.extend(parameters.to_le_bytes());
        prop_assert_eq!(Prepared::decode(&out), Ok(Prepared { statement: number, columns, parameters }));
        let body = number.to_le_bytes();
        prop_assert_eq!(command::statement(&body), Ok(number));
    }

    #[test]
    fn texts_are_found_behind_attributes(
        attributes in proptest::collection::vec((name(), proptest::option::of(attribute())), 0..20),
        text in bytes(60),
    ) {
        let mut body = Vec::new();
        put_attributes(&mut body, &attributes);
        let from = body.len();
        body.extend_from_slice(&text);
        prop_assert_eq!(command::query_text(&body, cap::QUERY_ATTRIBUTES), Ok(from));
        prop_assert_eq!(command::query_text(&body, 0), Ok(0));
        for end in 0..from {
            prop_assert!(command::query_text(&body[..end], cap::QUERY_ATTRIBUTES).is_err(), "{}", end);
        }
    }

    #[test]
    fn text_rows_read_back(cells in proptest::collection::vec(proptest::option::of(bytes(300)), 0..20)) {
        let mut out = Vec::new();
        cells.iter().for_each(|cell| row::put_text(&mut out, cell.as_deref()));
        let mut read = TextCells::new(&out);
        for cell in &cells {
            prop_assert!(read.end().is_err());
            prop_assert_eq!(read.step(), Ok(cell.as_deref()));
        }
        prop_assert_eq!(read.end(), Ok(()));
        prop_assert!(read.step().is_err());
    }

    #[test]
    fn binary_rows_read_back(
        cells in proptest::collection::vec((proptest::option::of(value()), code()), 0..40),
        before in bytes(9),
    ) {
        let cells: Vec<(Width, Option<Vec<u8>>)> = cells
            .into_iter()
            .map(|(value, code)| {
                let (code, value) = value.map_or((code, None), |(code, value)| (code, Some(value)));
                (value::width(code).unwrap(), value)
            })
            .collect();
        let mut out = before.clone();
        let mut row = BinaryRow::begin(&mut out, cells.len());
        cells.iter().for_each(|(width, cell)| row.put(&mut out, *width, cell.as_deref()));
        prop_assert!(out.starts_with(&before));
        let mut read = BinaryCells::decode(&out[before.len()..], cells.len()).unwrap();
        for (width, cell) in &cells {
            prop_assert_eq!(read.step(*width), Ok(cell.as_deref()));
        }
        prop_assert_eq!(read.end(), Ok(()));
    }

    #[test]
    fn no_bytes_panic(bytes in bytes(300), count in 0_usize..5000, widths in proptest::collection::vec(width(), 1..9)) {
        decode_everything(&bytes, count, &widths);
    }

    #[test]
    fn no_bytes_behind_an_honest_beginning_panic(bytes in bytes(300), capabilities in capabilities()) {
        let mut response = Vec::new();
        Response { capabilities, ..nobody() }.put_tls_request(&mut response);
        response.extend_from_slice(&bytes);
        let _ = startup::decode(&response);
        let mut greeting = vec![10];
        greeting.extend_from_slice(&bytes);
        let _ = Greeting::decode(&greeting);
        let mut query = vec![u8::try_from(bytes.len() % 20).unwrap(), 1];
        query.extend_from_slice(&bytes);
        let _ = command::query_text(&query, capabilities);
    }
}

/// Every decoder, on anything.
fn decode_everything(bytes: &[u8], count: usize, widths: &[Width]) {
    let _ = Header::decode(bytes);
    let _ = frame::decode(bytes, count);
    let _ = startup::decode(bytes);
    let _ = Greeting::decode(bytes);
    let _ = auth::Request::decode(bytes);
    let _ = reply::Error::decode(bytes);
    let _ = Prepared::decode(bytes);
    let _ = command::statement(bytes);
    let _ = End::decode_ok(bytes);
    for capabilities in [0, u64::MAX, cap::DEPRECATE_EOF, cap::QUERY_ATTRIBUTES, cap::PLUGIN_AUTH] {
        let _ = ChangeUser::decode(bytes, capabilities);
        let _ = End::decode_eof(bytes, capabilities);
        let _ = Column::decode(bytes, capabilities);
        if let Ok(from) = command::query_text(bytes, capabilities) {
            assert!(from <= bytes.len());
        }
    }
    let mut cells = TextCells::new(bytes);
    while cells.step().is_ok() {}
    if let Ok(mut cells) = BinaryCells::decode(bytes, count) {
        for width in widths.iter().cycle().take(count + 16) {
            let _ = cells.step(*width);
        }
    }
}

fn nobody() -> Response {
    Response {
        capabilities: cap::DEMANDED,
        packet_max: 0,
        collation: 0,
        user: Vec::new(),
        proof: Vec::new(),
        database: Vec::new(),
        plugin: Vec::new(),
        attributes: Vec::new(),
    }
}

/// Codes of all types.
fn code() -> impl Strategy<Value = u8> {
    proptest::sample::select((0..=u8::MAX).filter(|code| value::width(*code).is_ok()).collect::<Vec<_>>())
}

fn width() -> impl Strategy<Value = Width> {
    prop_oneof![Just(Width::Counted), Just(Width::Short), (0_usize..=300).prop_map(Width::Fixed)]
}

/// A type and a value of it that is not NULL.
type Value = (u8, Vec<u8>);

fn value() -> impl Strategy<Value = Value> {
    (code(), bytes(300)).prop_map(|(code, mut value)| {
        match value::width(code).unwrap() {
            Width::Fixed(length) => value.resize(length, 7),
            Width::Short => value.truncate(255),
            Width::Counted => {}
        }
        (code, value)
    })
}

/// A type that servers know the length of, and a value of it.
fn attribute() -> impl Strategy<Value = Value> {
    value().prop_filter("no type of an attribute", |(code, _)| !matches!(code, 6 | 9 | 13 | 14))
}

/// Appends a set of attributes, each a name, a type and a value; what is NULL has type 6.
fn put_attributes(out: &mut Vec<u8>, attributes: &[(Vec<u8>, Option<Value>)]) {
    frame::put_lenenc(out, u64::try_from(attributes.len()).unwrap());
    out.push(1);
    if attributes.is_empty() {
        return;
    }
    let mut nulls = vec![0; attributes.len().div_ceil(8)];
    for (at, _) in attributes.iter().enumerate().filter(|(_, (_, value))| value.is_none()) {
        nulls[at / 8] |= 1 << (at % 8);
    }
    out.extend(nulls);
    out.push(1);
    for (name, value) in attributes {
        out.extend([value.as_ref().map_or(6, |(code, _)| *code), 0x80]);
        frame::put_lenenc_bytes(out, name);
    }
    for (code, value) in attributes.iter().filter_map(|(_, value)| value.as_ref()) {
        match value::width(*code).unwrap() {
            Width::Fixed(_) => out.extend_from_slice(value),
            Width::Counted | Width::Short => frame::put_lenenc_bytes(out, value),
        }
    }
}

/// Bodies of the parts of a message of so many bytes.
const PARTS: [(usize, &[usize]); 6] = [
    (0, &[0]),
    (PART_MAX - 1, &[PART_MAX - 1]),
    (PART_MAX, &[PART_MAX, 0]),
    (PART_MAX + 1, &[PART_MAX, 1]),
    (2 * PART_MAX, &[PART_MAX, PART_MAX, 0]),
    (2 * PART_MAX + 7, &[PART_MAX, PART_MAX, 7]),
];

#[test]
fn long_messages_come_in_parts() {
    for (length, parts) in PARTS {
        let payload: Vec<u8> = (0..=250).cycle().take(length).collect();
        // The second part has number 0 again.
        let (out, next) = message(&payload, 255);
        let count = u8::try_from(parts.len()).unwrap();
        assert_eq!(next, 255_u8.wrapping_add(count), "{length}");
        let mut at = 0;
        for (sequence, body) in (0..count).map(|n| 255_u8.wrapping_add(n)).zip(parts) {
            let header = Header::decode(&out[at..]).unwrap();
            assert_eq!(header, Header { body: *body, sequence }, "{length}");
            for end in [at, at + 1, at + HEADER - 1, at + HEADER, at + header.total() - 1] {
                assert_eq!(frame::decode(&out[..end.min(out.len() - 1)], length), Ok(None), "{length} {end}");
            }
            at += header.total();
        }
        assert_eq!(at, out.len(), "{length}");
        let read = frame::decode(&out, length).unwrap().unwrap();
        assert!(read.payload == payload, "{length}");
        assert_eq!((read.total, read.sequence), (out.len(), 254_u8.wrapping_add(count)));
        let copied = matches!(read.payload, Cow::Owned(_));
        assert_eq!(copied, parts.len() > 1, "{length}");
    }
}

#[test]
fn a_message_is_sealed_behind_what_stands_there() {
    for length in [0, 5, PART_MAX, PART_MAX + 1] {
        let mut out = b"before".to_vec();
        out.extend([0; HEADER]);
        out.resize(out.len() + length, 7);
        let mut sequence = 3;
        frame::seal(&mut out, 6, &mut sequence);
        assert!(out.starts_with(b"before"));
        assert!(out[6..] == message(&vec![7; length], 3).0, "{length}");
        assert_eq!(sequence, if length < PART_MAX { 4 } else { 5 });
    }
}

#[test]
fn messages_that_are_too_long_are_refused_by_their_headers() {
    // Nothing of the body has come: what says so is the header.
    assert!(frame::decode(&[1, 1, 0, 0], 256).is_err());
    assert_eq!(frame::decode(&[0, 1, 0, 0], 256), Ok(None));
    assert!(frame::decode(&[0xfe, 0xff, 0xff, 0], 256).is_err());
    assert!(frame::decode(&[0xff, 0xff, 0xff, 0], 256).is_err());
    let mut parts = vec![0; HEADER + PART_MAX];
    parts[..3].fill(0xff);
    parts.extend([2, 0, 0, 1]);
    assert!(frame::decode(&parts, PART_MAX + 1).is_err());
    assert_eq!(frame::decode(&parts, PART_MAX + 2), Ok(None));
}

#[test]
fn counts_beyond_a_message_reserve_nothing() {
    let huge = |rest: &[u8]| [&[0xfe][..], &u64::MAX.to_le_bytes(), rest].concat();
    assert!(TextCells::new(&huge(b"abc")).step().is_err());
    assert!(command::query_text(&huge(b"\x01abc"), cap::QUERY_ATTRIBUTES).is_err());
    assert!(Column::decode(&huge(b"abc"), 0).is_err());
    assert!(BinaryCells::decode(&[0, 0, 0], usize::MAX / 2).is_err());
    assert!(Cursor::new(&huge(b"abc")).lenenc_bytes().is_err());
}

/// Numbers around every change of width, and how they are written.
const LENENC: [(u64, &[u8]); 10] = [
    (0, &[0]),
    (0xfa, &[0xfa]),
    (0xfb, &[0xfc, 0xfb, 0]),
    (0xff, &[0xfc, 0xff, 0]),
    (0xffff, &[0xfc, 0xff, 0xff]),
    (0x1_0000, &[0xfd, 0, 0, 1]),
    (0xff_ffff, &[0xfd, 0xff, 0xff, 0xff]),
    (0x100_0000, &[0xfe, 0, 0, 0, 1, 0, 0, 0, 0]),
    (u64::MAX - 1, &[0xfe, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    (u64::MAX, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
];

#[test]
fn length_encoded_integers_are_as_short_as_can_be() {
    for (number, bytes) in LENENC {
        let mut out = Vec::new();
        frame::put_lenenc(&mut out, number);
        assert_eq!(out, bytes, "{number}");
        assert_eq!(Cursor::new(bytes).lenenc(), Ok(number));
    }
    // Longer than need be is read as well.
    assert_eq!(Cursor::new(&[0xfc, 5, 0]).lenenc(), Ok(5));
    assert_eq!(Cursor::new(&[0xfb]).lenenc_or_null(), Ok(None));
    assert!(Cursor::new(&[0xfb]).lenenc().is_err());
    assert!(Cursor::new(&[0xff]).lenenc().is_err());
}

#[test]
fn bitmaps_are_right_at_the_borders_of_bytes() {
    // Two bits stand before the first cell's.
    for count in [0, 1, 5, 6, 7, 8, 13, 14, 15, 16, 22, 23, 4096] {
        let mut out = Vec::new();
        let mut row = BinaryRow::begin(&mut out, count);
        let bitmap = (count + 9) / 8;
        assert_eq!(out.len(), 1 + bitmap, "{count}");
        let null = |at: usize| at == 0 || at % 6 == 5 || at + 1 == count;
        (0..count).for_each(|at| row.put(&mut out, Width::Fixed(1), (!null(at)).then_some(&[9])));
        assert_eq!(out[1..][..bitmap].iter().map(|byte| byte.count_ones()).sum::<u32>() as usize, {
            (0..count).filter(|at| null(*at)).count()
        });
        let mut read = BinaryCells::decode(&out, count).unwrap();
        for at in 0..count {
            assert_eq!(read.step(Width::Fixed(1)), Ok((!null(at)).then_some(&[9][..])), "{count} {at}");
        }
        assert_eq!(read.end(), Ok(()));
        assert!(BinaryCells::decode(&out[..bitmap], count).is_err(), "{count}");
    }
}

#[test]
fn binary_rows_with_too_few_or_too_many_cells_are_refused() {
    let row = [0, 0, 1, 2];
    let mut cells = BinaryCells::decode(&row, 1).unwrap();
    assert_eq!(cells.step(Width::Fixed(1)), Ok(Some(&[1][..])));
    assert!(cells.end().is_err());
    assert!(BinaryCells::decode(&row, 1).unwrap().step(Width::Fixed(3)).is_err());
    assert!(BinaryCells::decode(&[1, 0], 1).is_err());
    // Six cells have bits in the first byte; the seventh has not.
    let mut cells = BinaryCells::decode(&[0, 0xff], 6).unwrap();
    (0..6).for_each(|_| assert_eq!(cells.step(Width::Counted), Ok(None)));
    assert_eq!(cells.step(Width::Counted), Err(Malformed("row has more cells than columns")));
}

/// First byte and length of a packet in the place of a row; whether it ends the rows without and with DEPRECATE_EOF.
const ENDS: [(u8, usize, bool, bool); 9] = [
    (0xfe, 1, true, true),
    (0xfe, 5, true, true),
    (0xfe, 8, true, true),
    (0xfe, 9, false, true),
    (0xfe, PART_MAX - 1, false, true),
    // A row whose first text is longer than 16 MiB, by its first part.
    (0xfe, PART_MAX, false, false),
    (0x00, 7, false, false),
    (0xfb, 1, false, false),
    (0xff, 9, false, false),
];

#[test]
fn rows_are_told_from_their_end() {
    for (first, length, old, new) in ENDS {
        assert_eq!(reply::ends_rows(first, length, 0), old, "{first:#x} {length}");
        assert_eq!(reply::ends_rows(first, length, cap::DEPRECATE_EOF), new, "{first:#x} {length}");
    }
}

#[test]
fn all_types_that_servers_send_have_a_width() {
    let widths = |of: Width| (0..=u8::MAX).filter(|code| value::width(*code) == Ok(of)).collect::<Vec<_>>();
    assert_eq!(widths(Width::Fixed(0)), [6]);
    assert_eq!(widths(Width::Fixed(1)), [1]);
    assert_eq!(widths(Width::Fixed(2)), [2, 13]);
    assert_eq!(widths(Width::Fixed(4)), [3, 4, 9]);
    assert_eq!(widths(Width::Fixed(8)), [5, 8]);
    assert_eq!(widths(Width::Short), [7, 10, 11, 12, 14]);
    assert_eq!(
        widths(Width::Counted),
        [0, 15, 16, 242, 245, 246, 247, 248, 249, 250, 251, 252, 253, 254, 255]
    );
}

#[test]
fn attributes_without_types_or_in_several_sets_are_refused() {
    for body in [&b"\x01\x02\0\x01select 1"[..], b"\x01\x01\0\0select 1", b"\x01\x01\0\x01\xaa\0\0select 1"] {
        assert!(command::query_text(body, cap::QUERY_ATTRIBUTES).is_err(), "{body:?}");
    }
}

/// A type with flags and a value, and where MySQL 9.7 was seen to begin the statement. If it is not where the proxy
/// does, a client could have another text run than the one that is judged.
const ATTRIBUTES: [(&[u8], &[u8], Option<usize>); 19] = [
    (b"\x01\0", b"\x04abcdefgh", Some(1)),
    (b"\x02\0", b"\x04abcdefgh", Some(2)),
    (b"\x03\0", b"\x04abcdefgh", Some(4)),
    (b"\x03\x80", b"\x04abcdefgh", Some(4)),
    (b"\x04\0", b"\x04abcdefgh", Some(4)),
    (b"\x05\0", b"\x04abcdefgh", Some(8)),
    (b"\x08\0", b"\x04abcdefgh", Some(8)),
    (b"\x0a\0", b"\x04abcdefgh", Some(5)),
    (b"\x0c\0", b"\x04abcdefgh", Some(5)),
    (b"\xfe\0", b"\x04abcdefgh", Some(5)),
    // Dates have counts as texts do.
    (b"\x0c\0", b"\xfc\x04\0abcdefgh", Some(7)),
    // The server reads these as bytes behind a count: NULL, INT24, YEAR, NEWDATE, and what has a flag.
    (b"\x06\0", b"\x04abcdefgh", None),
    (b"\x09\0", b"\x04abcdefgh", None),
    (b"\x0d\0", b"\x04abcdefgh", None),
    (b"\x0e\0", b"\x04abcdefgh", None),
    (b"\x03\x01", b"\x04abcdefgh", None),
    (b"\x08\x40", b"\x04abcdefgh", None),
    // It takes these for other lengths than they say.
    (b"\xfe\0", b"\xfbabcdefgh", None),
    (b"\xfe\0", b"\xfe\x04\0\0\0\x01\0\0\0abcdefgh", None),
];

#[test]
fn statements_begin_behind_attributes_where_the_server_says() {
    for (ty, value, length) in ATTRIBUTES {
        let body = [b"\x01\x01\0\x01", ty, b"\x01a", value].concat();
        let begins = command::query_text(&body, cap::QUERY_ATTRIBUTES).ok();
        assert_eq!(begins, length.map(|length| 8 + length), "{ty:?} {value:?}");
        // NULL has no value, whatever its type.
        let body = [b"\x01\x01\x01\x01", ty, b"\x01a", value].concat();
        assert_eq!(command::query_text(&body, cap::QUERY_ATTRIBUTES), Ok(8), "{ty:?} {value:?}");
    }
}

#[test]
fn old_clients_are_refused() {
    let mut out = Vec::new();
    Response { capabilities: cap::SECURE_CONNECTION, ..nobody() }.put(&mut out);
    assert!(startup::decode(&out).is_err());
    assert!(startup::decode(b"\x85\xa2").is_err());
    assert!(startup::decode(b"").is_err());
}

#[test]
fn messages_of_plugins_are_told_apart() {
    use auth::{Request, plugin};
    for (payload, request) in [
        (&b"\0\0\0\x02\0\0\0"[..], Request::Ok),
        (b"\x01\x03", Request::More(&[auth::sha2::FAST_OK])),
        (b"\x01\x04", Request::More(&[auth::sha2::FULL])),
        (b"\x02", Request::NextFactor),
        (b"\xff\x15\x04#28000no", Request::Err(b"\xff\x15\x04#28000no")),
        (b"\xfe", Request::Switch { plugin: plugin::OLD, data: b"" }),
        (b"\xfemysql_clear_password\0", Request::Switch { plugin: plugin::CLEAR, data: b"" }),
        (b"\xfeclient_ed25519\0abc", Request::Switch { plugin: plugin::ED25519, data: b"abc" }),
        (b"-----BEGIN", Request::Other(b"-----BEGIN")),
    ] {
        assert_eq!(Request::decode(payload), Ok(request));
    }
    assert!(Request::decode(b"").is_err());
    assert!(Request::decode(b"\xfename").is_err());
}

// What follows was captured from MariaDB 10.11.19 and MySQL 9.7.4, and from PyMySQL 1.2.4.

#[test]
fn greetings_of_real_servers() {
    let mariadb = b"\
        d\0\0\0\x0a5.5.5-10.11.19-MariaDB-0+deb12u1\0\xae\x01\0\0z+b/`xZ8\0\xfe\xf7-\x02\0\xff\x81\
        \x15\0\0\0\0\0\0\x1d\0\0\0JIoty%I}^<P]\0mysql_native_password\0";
    let read = Greeting {
        version: b"5.5.5-10.11.19-MariaDB-0+deb12u1".to_vec(),
        connection: 430,
        nonce: *b"z+b/`xZ8JIoty%I}^<P]",
        capabilities: 0x1d_81ff_f7fe,
        collation: 45,
        status: 2,
        plugin: auth::plugin::NATIVE.to_vec(),
    };
    check_greeting(mariadb, read);
    let mysql = b"\
        K\0\0\0\x0a9.7.4-2\x007\x01\0\0Q5 \x0e(~b\x03\0\xff\xff\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\
        \0\0\0g- vWsdA\x05\x18sW\0caching_sha2_password\0";
    let read = Greeting {
        version: b"9.7.4-2".to_vec(),
        connection: 311,
        nonce: *b"Q5 \x0e(~b\x03g- vWsdA\x05\x18sW",
        capabilities: 0xdfff_ffff,
        collation: 255,
        status: 2,
        plugin: auth::plugin::CACHING_SHA2.to_vec(),
    };
    check_greeting(mysql, read);
}

fn check_greeting(captured: &[u8], read: Greeting) {
    assert_eq!(Greeting::decode(&payload(captured)), Ok(read.clone()));
    let (mut out, mut sequence) = (Vec::new(), 0);
    frame::write(&mut out, &mut sequence, |out| read.put(out));
    assert_eq!(out, captured);
}

#[test]
fn a_response_of_a_real_client() {
    let captured = b"\
        \x8a\0\0\x01\x0d\xa2:\0\xff\xff\xff\0-\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0app\0\
        \x14\xea\xca\xa6\xc9\xa1Y\xa2$\xf0\x81\xe5\xb0OP\x01a\xa0p\0*shop\0mysql_native_password\x00\
        5\x0c_client_name\x07pymysql\x0f_client_version\x051.2.4\x04_pid\x043558";
    let read = Response {
        capabilities: 0x3a_a20d,
        packet_max: 0xff_ffff,
        collation: 45,
        user: b"app".to_vec(),
        proof: b"\xea\xca\xa6\xc9\xa1Y\xa2$\xf0\x81\xe5\xb0OP\x01a\xa0p\0*".to_vec(),
        database: b"shop".to_vec(),
        plugin: auth::plugin::NATIVE.to_vec(),
        attributes: b"\x0c_client_name\x07pymysql\x0f_client_version\x051.2.4\x04_pid\x043558".to_vec(),
    };
    assert_eq!(startup::decode(&payload(captured)), Ok(First::Response(read.clone())));
    let (mut out, mut sequence) = (Vec::new(), 1);
    frame::write(&mut out, &mut sequence, |out| read.put(out));
    assert_eq!(out, captured);
}

#[test]
fn definitions_of_real_servers() {
    let email = Column {
        database: b"shop",
        table: b"users",
        org_table: b"users",
        name: b"email",
        org_name: b"email",
        collation: 45,
        length: 320,
        kind: 253,
        flags: 0x4004,
        decimals: 0,
        default_at: 46,
    };
    let mariadb =
        b".\0\0\x03\x03def\x04shop\x05users\x05users\x05email\x05email\x0c-\0@\x01\0\0\xfd\x04@\0\0\0";
    assert_eq!(Column::decode(&payload(mariadb), 0), Ok(email));
    let mysql =
        b".\0\0\x03\x03def\x04shop\x05users\x05users\x05email\x05email\x0c\xff\0@\x01\0\0\xfd\0\0\0\0\0";
    assert_eq!(Column::decode(&payload(mysql), 0), Ok(Column { collation: 255, flags: 0, ..email }));
    let moment = b"\x17\0\0\x06\x03def\0\0\0\x01m\0\x0c?\0\x15\0\0\0\x0c\x80\0\x01\0\0";
    let computed = Column {
        database: b"",
        table: b"",
        org_table: b"",
        name: b"m",
        org_name: b"",
        collation: 63,
        length: 21,
        kind: 12,
        flags: 0x80,
        decimals: 1,
        default_at: 23,
    };
    assert_eq!(Column::decode(&payload(moment), 0), Ok(computed));
}

/// Packets that end something, by what their flags say, without and with DEPRECATE_EOF.
const REAL_ENDS: [(&[u8], u64, u16); 8] = [
    (b"\x07\0\0\x02\0\0\0\x02\0\0\0", cap::DEPRECATE_EOF, 2),
    (b"\x07\0\0\x01\0\0\0\x01\0\0\0", cap::DEPRECATE_EOF, 1),
    (b"\x05\0\0\x0a\xfe\0\0!\0", 0, 0x21),
    // The rows of a cursor have to be fetched.
    (b"\x05\0\0\x07\xfe\0\0A\0", 0, 1 | reply::status::CURSOR_EXISTS),
    (b"\x07\0\0\x05\xfe\0\0\x02\0\0\0", cap::DEPRECATE_EOF, 2),
    (b"\x07\0\0\x04\xfe\0\0\x0a\0\0\0", cap::DEPRECATE_EOF, 2 | reply::status::MORE_RESULTS),
    (b"\x07\0\0\x05\0\0\0\x0a\0\0\0", cap::DEPRECATE_EOF, 2 | reply::status::MORE_RESULTS),
    // USE, with the session's new database behind.
    (
        b"\x10\0\0\x01\0\0\0\x02@\0\0\0\x07\x01\x05\x04shop",
        cap::DEPRECATE_EOF,
        2 | reply::status::SESSION_CHANGED,
    ),
];

#[test]
fn ends_of_real_servers() {
    for (captured, capabilities, status) in REAL_ENDS {
        let payload = payload(captured);
        let end = End::decode_eof(&payload, capabilities);
        assert_eq!(end, Ok(End { status }), "{captured:?}");
        assert_eq!(end.unwrap().more(), status & reply::status::MORE_RESULTS != 0);
        assert_eq!(reply::ends_rows(payload[0], payload.len(), capabilities), payload[0] == reply::EOF);
    }
}

#[test]
fn an_error_of_a_real_server() {
    let captured = b"0\0\0\x01\xffz\x04#42S02Table 'shop.nothing_here' doesn't exist";
    let read =
        reply::Error { number: 1146, state: b"42S02", message: b"Table 'shop.nothing_here' doesn't exist" };
    assert_eq!(reply::Error::decode(&payload(captured)), Ok(read));
    let (mut out, mut sequence) = (Vec::new(), 1);
    frame::write(&mut out, &mut sequence, |out| read.put(out));
    assert_eq!(out, captured);
    // Before a client has signed in there is no SQLSTATE.
    let early = reply::Error { number: 1040, state: b"HY000", message: b"Too many connections" };
    assert_eq!(reply::Error::decode(b"\xff\x10\x04Too many connections"), Ok(early));
}

#[test]
fn a_statement_that_a_real_server_prepared() {
    let captured = b"\x0c\0\0\x01\0\x01\0\0\0\x05\0\x01\0\0\0\0";
    let read = Prepared { statement: 1, columns: 5, parameters: 1 };
    assert_eq!(Prepared::decode(&payload(captured)), Ok(read));
}

#[test]
fn commands_of_real_clients() {
    let execute = payload(b"\x12\0\0\0\x17\x01\0\0\0\x01\x01\0\0\0\0\x01\x03\0\x03\0\0\0");
    assert_eq!(Command::decode(execute[0]), Command::StmtExecute);
    assert_eq!(command::statement(&execute[1..]), Ok(1));
    let query = b"\x03\x01\x01\0\x01\xfe\0\x05trace\x03abcselect 1";
    let from = command::query_text(&query[1..], cap::QUERY_ATTRIBUTES).unwrap();
    assert_eq!(&query[1..][from..], b"select 1");
}

#[test]
fn rows_of_real_servers() {
    let text = payload(b"$\0\0\x08\x011\x08a@b.test\xfb\x01x\x152024-02-29 01:02:03.5");
    let mut cells = TextCells::new(&text);
    let read = [Some(&b"1"[..]), Some(b"a@b.test"), None, Some(b"x"), Some(b"2024-02-29 01:02:03.5")];
    read.iter().for_each(|cell| assert_eq!(cells.step(), Ok(*cell)));
    assert_eq!(cells.end(), Ok(()));

    let binary = payload(
        b"#\0\0\x08\0\x10\x01\0\0\0\x08a@b.test\0\0\0\0\0\0\xf8?\x0b\xe8\x07\x02\x1d\x01\x02\x03 \xa1\x07\0",
    );
    let read = [
        (3, Some(&b"\x01\0\0\0"[..])),
        (253, Some(b"a@b.test")),
        (6, None),
        (5, Some(b"\0\0\0\0\0\0\xf8?")),
        (12, Some(b"\xe8\x07\x02\x1d\x01\x02\x03 \xa1\x07\0")),
    ];
    let mut cells = BinaryCells::decode(&binary, read.len()).unwrap();
    let mut out = Vec::new();
    let mut row = BinaryRow::begin(&mut out, read.len());
    for (code, cell) in read {
        let width = value::width(code).unwrap();
        assert_eq!(cells.step(width), Ok(cell));
        row.put(&mut out, width, cell);
    }
    assert_eq!(cells.end(), Ok(()));
    assert_eq!(out, binary);
}

#[test]
fn the_end_of_a_result_may_tell_nothing_of_values() {
    let end = |payload: &[u8], capabilities| {
        End::without_warnings(payload, capabilities, |number| number * 2).unwrap()
    };
    // Status: autocommit, no index used, slow.
    assert_eq!(end(b"\xfe\x05\x00\x22\x08", 0), b"\xfe\x00\x00\x02\x00");
    let told = b"\x00\x01\x07\x22\x00\x0c\x00Records: 1  Warnings: 12";
    assert_eq!(end(told, 0), b"\x00\x01\x0e\x02\x00\x00\x00Records: 1  Warnings: 0");
    let framed = b"\x00\x01\x00\x02\x40\x0c\x00\x19Records: 1  Warnings: 123\x02\x01x";
    let plain = b"\x00\x01\x00\x02\x40\x00\x00\x17Records: 1  Warnings: 0\x02\x01x";
    assert_eq!(end(framed, cap::SESSION_TRACK), plain);
}
