//! Properties of the PostgreSQL codecs: what is written reads back, every prefix is "not yet", and no bytes
//! make a decoder panic.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;
use veil_wire::pg::command::{self, BindNames, Parse, Target};
use veil_wire::pg::frame::{self, Header};
use veil_wire::pg::reply::{self, Report};
use veil_wire::pg::startup::{self, Startup, Version};
use veil_wire::pg::{auth, row};

fn name() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(1_u8..=255, 0..40)
}

/// The body of the one message in `bytes`, after checking that every prefix is not yet a message.
fn body(bytes: &[u8]) -> &[u8] {
    for end in 0..frame::HEADER {
        assert_eq!(Header::decode(&bytes[..end]), Ok(None));
    }
    let header = Header::decode(bytes).unwrap().unwrap();
    assert_eq!(header.total(), bytes.len());
    &bytes[frame::HEADER..]
}

proptest! {
    #[test]
    fn parse_reads_back(name in name(), text in name(), types in proptest::collection::vec(any::<[u8; 4]>(), 0..9)) {
        let types = types.concat();
        let parse = Parse { name: &name, text: &text, types: &types };
        let mut out = Vec::new();
        parse.write(&mut out);
        prop_assert_eq!(Parse::decode(body(&out)), Ok(parse));
    }

    #[test]
    fn bind_names_read_back_from_every_prefix(portal in name(), statement in name(), value in name()) {
        let names = BindNames { portal: &portal, statement: &statement };
        let mut out = Vec::new();
        command::write_bind(&mut out, names, &[&value]);
        let whole = body(&out);
        let enough = portal.len() + statement.len() + 2;
        for end in 0..=whole.len() {
            let read = BindNames::decode(&whole[..end], whole.len());
            prop_assert_eq!(read, Ok((end >= enough).then_some(names)));
        }
    }

    #[test]
    fn targets_read_back(name in name(), portal in any::<bool>()) {
        let target = if portal { Target::Portal(&name) } else { Target::Statement(&name) };
        let mut out = Vec::new();
        command::write_describe(&mut out, target);
        prop_assert_eq!(Target::decode(body(&out)), Ok(target));
    }

    #[test]
    fn startup_reads_back_and_prefixes_wait(pairs in proptest::collection::vec(("[a-z_]{1,9}", "[^\0]{0,20}"), 0..5)) {
        let mut out = Vec::new();
        startup::write_session(&mut out, Version::V3_2, pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        for end in 0..out.len() {
            prop_assert_eq!(startup::decode(&out[..end]), Ok(None));
        }
        let (read, length) = startup::decode(&out).unwrap().unwrap();
        prop_assert_eq!(length, out.len());
        let parameters = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        prop_assert_eq!(read, Startup::Session { version: Version::V3_2, parameters });
    }

    #[test]
    fn rows_read_back(cells in proptest::collection::vec(proptest::option::of(name()), 0..20)) {
        let mut out = Vec::new();
        frame::write(&mut out, b'D', |out| {
            out.extend((cells.len() as u16).to_be_bytes());
            cells.iter().for_each(|cell| row::write_cell(out, cell.as_deref()));
        });
        let mut read = row::Cells::decode(body(&out)).unwrap();
        for cell in &cells {
            prop_assert_eq!(read.step().unwrap().unwrap(), cell.as_deref());
        }
        prop_assert_eq!(read.step(), Ok(None));
    }

    #[test]
    fn reports_read_back(message in "[^\0]{1,30}", hint in "[^\0]{0,30}") {
        let mut out = Vec::new();
        Report { severity: "ERROR", code: "42501", message: &message, hint: &hint }.write_error(&mut out);
        let fields = reply::decode_error(body(&out)).unwrap();
        prop_assert_eq!(fields.field(b'M'), Some(message.as_bytes()));
        prop_assert_eq!(fields.field(b'C'), Some(b"42501".as_slice()));
        prop_assert_eq!(fields.field(b'H').unwrap_or_default(), hint.as_bytes());
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), length in 0_usize..400) {
        decode_everything(&bytes, length);
    }
}

/// Every decoder, on anything.
fn decode_everything(bytes: &[u8], length: usize) {
    let _ = Header::decode(bytes);
    let _ = startup::decode(bytes);
    let _ = command::decode_query(bytes);
    let _ = command::decode_execute(bytes);
    let _ = Parse::decode(bytes);
    let _ = BindNames::decode(bytes, length);
    let _ = Target::decode(bytes);
    let _ = reply::decode_row_description(bytes);
    let _ = reply::decode_error(bytes);
    let _ = reply::decode_key(bytes);
    let _ = reply::decode_notification(bytes);
    let _ = reply::decode_parameter(bytes);
    let _ = reply::decode_ready(bytes);
    let _ = auth::Request::decode(bytes);
    let _ = auth::decode_sasl_initial(bytes);
    if let Ok(mut cells) = row::Cells::decode(bytes) {
        while let Ok(Some(_)) = cells.step() {}
    }
}

#[test]
fn lengths_below_four_are_refused() {
    for length in [i32::MIN, -1, 0, 3] {
        let mut bytes = vec![b'Q'];
        bytes.extend(length.to_be_bytes());
        assert!(Header::decode(&bytes).is_err(), "{length}");
    }
}

#[test]
fn lengths_beyond_the_protocol_are_refused_before_anything_is_reserved() {
    assert!(Header::decode(&[b'D', 0x7f, 0xff, 0xff, 0xff]).is_err());
    assert!(startup::decode(&[0x7f, 0, 0, 0]).is_err());
}
