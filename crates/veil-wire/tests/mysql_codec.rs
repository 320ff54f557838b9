//! Properties of the MySQL codecs: what is written reads back, every prefix is "not yet", no bytes make a decoder
//! panic, and what real servers sent is read as what it means.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::borrow::Cow;

use proptest::prelude::*;
use veil_wire::mysql::command::{self, Command};
use veil_wire::mysql::frame::{self, HEADER, Header, PART_MAX};
use veil_wire::mysql::reply::{self, Column, End, Prepared, status};
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
        let [_, database, table, org_table, name, org_name] = names.each_slice();
        let column = Column {
            database, table, org_table, name, org_name, collation, length, kind, flags, decimals, default_at,
        };
        prop_assert_eq!(Column::decode(&out, capabilities), Ok(column));
        for end in 0..default_at {
            prop_assert!(Column::decode(&out[..end], capabilities).is_err(), "{}", end);
        }
    }

    #[test]
    fn statements_read_back(number in any::<u32>(), columns in any::<u16>(), parameters in any::<u16>(), flags in any::<u8>()) {
        let mut out = vec![0];
        out.extend(number.to_le_bytes());
        out.extend(columns.to_le_bytes());
        out.extend(parameters.to_le_bytes());
        prop_assert_eq!(Prepared::decode(&out), Ok(Prepared { statement: number, columns, parameters }));
        let mut body = number.to_le_bytes().to_vec();
        prop_assert_eq!(command::statement(&body), Ok(number));
        prop_assert!(command::wants_cursor(&body).is_err());
        body.push(flags);
        prop_assert_eq!(command::wants_cursor(&body), Ok(flags & 0x0f != 0));
    }

    #[test]
    fn texts_are_found_behind_attributes(
        attributes in proptest::collection::vec((name(), proptest::option::of(value())), 0..20),
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
    let _ = command::wants_cursor(bytes);
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

/// Names of a column definition, in its order.
trait EachSlice {
    fn each_slice(&self) -> [&[u8]; 6];
}

impl EachSlice for Vec<Vec<u8>> {
    fn each_slice(&self) -> [&[u8]; 6] {
        std::array::from_fn(|at| self[at].as_slice())
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
fn value() -> impl Strategy<Value = (u8, Vec<u8>)> {
    (code(), bytes(300)).prop_map(|(code, mut value)| {
        match value::width(code).unwrap() {
            Width::Fixed(length) => value.resize(length, 7),
            Width::Short => value.truncate(255),
            Width::Counted => {}
        }
        (code, value)
    })
}

/// Appends a set of attributes, each a name, a type and a value; what is NULL has type 6.
fn put_attributes(out: &mut Vec<u8>, attributes: &[(Vec<u8>, Option<(u8, Vec<u8>)>)]) {
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
            Width::Counted => frame::put_lenenc_bytes(out, value),
            Width::Short => {
                out.push(u8::try_from(value.len()).unwrap());
                out.extend_from_slice(value);
            }
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
