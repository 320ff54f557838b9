//! Every function with every type in both formats: what is supported, that the formats agree, and what must hold for
//! any bytes at all.

use proptest::prelude::*;
use proptest::strategy::Strategy as _;
use veil_model::pgtype::oid;
use veil_model::{Format, PgType};

use crate::fixed::Fixed;
use crate::kind::Kind;
use crate::{Cell, ColumnMask, Masker, Param, RootKey, Strategy};

mod cases;

/// A type with an array type's OID, and values that some mask takes, in the server's text form.
const TYPES: &[(&str, u32, u32, &[&str])] = &[
    ("text", oid::TEXT, 1009, TEXTS),
    ("varchar", oid::VARCHAR, 1015, TEXTS),
    ("bpchar", oid::BPCHAR, 1014, TEXTS),
    ("name", oid::NAME, 1003, TEXTS),
    ("char", oid::CHAR, 1002, &["", "a", "*", "9"]),
    ("int2", oid::INT2, 1005, &["0", "-5", "32767"]),
    ("int4", oid::INT4, 1007, &["0", "-5", "78051120", "2147483647"]),
    (
        "int8",
        oid::INT8,
        1016,
        &["0", "-5", "78051120", "12127365000", "4111111111111111", "9223372036854775807"],
    ),
    (
        "numeric",
        oid::NUMERIC,
        1231,
        &["0", "-5.50", "78051120", "12127365000.00", "4111111111111111", "0.00001"],
    ),
    ("float4", oid::FLOAT4, 1021, &["0", "-0.1", "1e+20"]),
    ("float8", oid::FLOAT8, 1022, &["0", "-0.1", "1e+200"]),
    ("date", oid::DATE, 1182, &["2024-02-29", "0001-01-01", "9999-12-31", "1970-01-01"]),
    (
        "timestamp",
        oid::TIMESTAMP,
        1115,
        &["2024-02-29 23:59:59.25", "1969-12-31 00:00:00", "0001-01-01 00:00:00"],
    ),
    ("timestamptz", oid::TIMESTAMPTZ, 1185, &["2024-02-29 23:59:59.25+02", "2024-03-01 00:30:00+05:30"]),
    ("point", oid::POINT, 1017, &["(1.5,-2)"]),
    ("cidr", oid::CIDR, 651, &["10.0.0.0/8"]),
    ("macaddr", oid::MACADDR, 1040, &["08:00:2b:01:02:03"]),
    ("macaddr8", oid::MACADDR8, 775, &["08:00:2b:ff:fe:01:02:03"]),
    ("uuid", oid::UUID, 2951, &["123e4567-e89b-12d3-a456-426614174000"]),
    ("inet", oid::INET, 1041, &["10.1.2.3", "10.0.0.0/8", "2001:db8::1"]),
    ("bool", oid::BOOL, 1000, &["t", "f"]),
    ("bytea", oid::BYTEA, 1001, &["\\x", "\\x00ff12"]),
    ("json", oid::JSON, 199, JSONS),
    ("jsonb", oid::JSONB, 3807, JSONS),
];

const TEXTS: &[&str] = &[
    "",
    "a",
    "NULL",
    "Jane \"J\" Doe",
    "jane.doe@corp.example",
    "+1 (212) 736-5000",
    "078-05-1120",
    "4111 1111 1111 1111",
    "2024-02-29",
    "2024-02-29T10:00:00Z",
    "zażółć, {gęślą} \\jaźń",
];

const JSONS: &[&str] =
    &["null", "[1, 2]", "{\"a\": \"b\"}", "\"jane@corp.example\"", "\"078-05-1120\"", "\"\""];

/// The strategies of the table.
fn strategies() -> Vec<Strategy> {
    let mut specs: Vec<&str> = cases::masks().iter().map(|case| case.strategy).collect();
    specs.dedup();
    specs.into_iter().map(cases::strategy).collect()
}

use cases::strategy;

fn column(strategy: &Strategy, oid: u32, modifier: i32) -> ColumnMask {
    Masker::new(&RootKey::from_bytes([7; 32]), strategy).column(PgType { oid, modifier })
}

fn mask(mask: &ColumnMask, format: Format, cell: &[u8]) -> Option<Vec<u8>> {
    let mut out = b"before".to_vec();
    let written = mask.mask(format, cell, &mut out);
    let masked = out.strip_prefix(b"before").unwrap().to_vec();
    match written {
        Cell::Written => Some(masked),
        Cell::Null => {
            assert!(masked.is_empty());
            None
        }
    }
}

fn masked_text(strategy: &Strategy, oid: u32, modifier: i32, cell: &str) -> Option<String> {
    mask(&column(strategy, oid, modifier), Format::Text, cell.as_bytes())
        .map(|cell| String::from_utf8(cell).unwrap())
}

/// The binary form of a cell in text.
fn binary(oid: u32, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let kind = Kind::of(PgType { oid, modifier: -1 }).unwrap();
    let fixed = Fixed::parse(kind, std::str::from_utf8(text).unwrap());
    fixed.unwrap_or_else(|| panic!("{text:?}")).write(Format::Binary, &mut out);
    out
}

/// A text array with every element in quotes, and the same array in binary.
fn arrays(oid: u32, values: &[Option<&[u8]>]) -> (Vec<u8>, Vec<u8>) {
    let mut text = b"[0:0][2:9]={{".to_vec();
    let mut sent: Vec<u8> = [2u32, 1, oid, 1, 0, u32::try_from(values.len()).unwrap(), 2]
        .iter()
        .flat_map(|n| n.to_be_bytes())
        .collect();
    for value in values {
        let Some(value) = value else {
            text.extend(b"NULL,");
            sent.extend([0xff; 4]);
            continue;
        };
        text.push(b'"');
        text.extend(value.iter().flat_map(|&byte| match byte {
            b'"' | b'\\' => vec![b'\\', byte],
            byte => vec![byte],
        }));
        text.extend(b"\",");
        let element = binary(oid, value);
        sent.extend(u32::try_from(element.len()).unwrap().to_be_bytes());
        sent.extend(element);
    }
    text.pop();
    text.extend(b"}}");
    (text, sent)
}

#[test]
fn arrays_are_masked_element_by_element() {
    for strategy in strategies() {
        for (name, oid, array, values) in TYPES {
            let element = column(&strategy, *oid, -1);
            if !element.supported() || matches!(strategy.name(), "redact" | "default" | "secret" | "null") {
                continue;
            }
            let column = column(&strategy, *array, -1);
            let masked: Vec<_> =
                values.iter().map(|value| mask(&element, Format::Text, value.as_bytes())).collect();
            let input: Vec<_> = values.iter().map(|value| Some(value.as_bytes())).chain([None]).collect();
            let expected: Vec<_> = masked.iter().map(Option::as_deref).chain([None]).collect();
            let ((text, sent), (expected_text, expected_sent)) =
                (arrays(*oid, &input), arrays(*oid, &expected));
            let masked_text = mask(&column, Format::Text, &text).unwrap();
            assert_eq!(requoted(&masked_text), expected_text, "{strategy:?} {name}");
            assert_eq!(mask(&column, Format::Binary, &sent), Some(expected_sent), "{strategy:?} {name}");
        }
    }
}

/// Puts every element of an array of two dimensions in quotes.
fn requoted(text: &[u8]) -> Vec<u8> {
    let mut elements: Vec<Option<Vec<u8>>> = Vec::new();
    let (mut quoted, mut escaped, mut was_quoted, mut element) = (false, false, false, Vec::new());
    for &byte in text.strip_prefix(b"[0:0][2:9]={{").unwrap().strip_suffix(b"}").unwrap() {
        match byte {
            _ if escaped => (element.push(byte), escaped = false).1,
            b'\\' => escaped = true,
            b'"' => (quoted, was_quoted) = (!quoted, true),
            b',' | b'}' if !quoted => {
                let element = std::mem::take(&mut element);
                elements.push(if !was_quoted && element == b"NULL" { None } else { Some(element) });
                was_quoted = false;
            }
            byte => element.push(byte),
        }
    }
    let mut out = b"[0:0][2:9]={{".to_vec();
    for element in elements {
        match element {
            None => out.extend(b"NULL,"),
            Some(element) => {
                out.push(b'"');
                out.extend(element.iter().flat_map(|&byte| match byte {
                    b'"' | b'\\' => vec![b'\\', byte],
                    byte => vec![byte],
                }));
                out.extend(b"\",");
            }
        }
    }
    out.pop();
    out.extend(b"}}");
    out
}

#[test]
fn equal_values_of_unequal_forms_hash_alike() {
    let hash = strategy("hash");
    for (oid, one, other) in [
        (oid::NUMERIC, "1.50", "1.5"),
        (oid::FLOAT8, "-0", "0"),
        (oid::UUID, "123E4567-E89B-12D3-A456-426614174000", "123e4567-e89b-12d3-a456-426614174000"),
        (oid::BYTEA, "\\xAB", "\\xab"),
        (oid::JSON, "{\"b\":1, \"a\":[ ]}", "{\"a\":[],\"b\":1}"),
    ] {
        let masked = masked_text(&hash, oid, -1, one);
        assert!(masked.is_some() && masked == masked_text(&hash, oid, -1, other), "{one}");
    }
    let uuid = masked_text(&hash, oid::UUID, -1, "123e4567-e89b-12d3-a456-426614174000").unwrap();
    assert!(uuid.as_bytes()[14] == b'8' && b"89ab".contains(&uuid.as_bytes()[19]), "{uuid}");
}

#[test]
fn high_bytes_of_char_are_the_same_in_both_formats() {
    let hash = column(&strategy("hash"), oid::CHAR, -1);
    assert_eq!(mask(&hash, Format::Text, b"\\351"), mask(&hash, Format::Binary, b"\xe9"));
    assert_eq!(mask(&hash, Format::Text, b"\\777"), None);
}

#[test]
fn unreadable_cells_become_null() {
    let hash = strategy("hash");
    let shift = strategy("date_shift");
    for (strategy, oid, format, cell) in [
        (&hash, oid::TEXT, Format::Text, &b"\xff"[..]),
        (&hash, oid::INT4, Format::Binary, b"\0\0\0"),
        (&hash, oid::NUMERIC, Format::Text, b"NaN"),
        (&hash, oid::FLOAT8, Format::Text, b"Infinity"),
        (&hash, oid::UUID, Format::Binary, b"short"),
        (&hash, oid::JSONB, Format::Binary, b"\x02{}"),
        (&hash, oid::JSONB, Format::Binary, b""),
        (&hash, oid::BYTEA, Format::Text, b"a\\\\b"),
        (&shift, oid::DATE, Format::Text, b"0044-03-15 BC"),
        (&shift, oid::DATE, Format::Binary, &i32::MAX.to_be_bytes()),
        (&shift, oid::DATE, Format::Binary, &i32::MIN.to_be_bytes()),
        (&shift, oid::TIMESTAMP, Format::Binary, &i64::MAX.to_be_bytes()),
        (&shift, oid::TIMESTAMPTZ, Format::Text, b"-infinity"),
    ] {
        assert_eq!(mask(&column(strategy, oid, -1), format, cell), None, "{oid} {cell:?}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(masked_text(&hash, oid::JSON, -1, &deep), None);
    assert_eq!(masked_text(&hash, 1009, -1, &"{".repeat(100_000)), None);
    assert_eq!(mask(&ColumnMask::null(), Format::Text, b"a"), None);
}

#[test]
fn masks_are_shared_between_threads() {
    fn assert_shared<T: Send + Sync>() {}
    assert_shared::<Masker>();
    assert_shared::<ColumnMask>();
}

fn columns() -> Vec<ColumnMask> {
    let types = TYPES.iter().flat_map(|(_, oid, array, _)| [(*oid, -1), (*array, -1), (*oid, 4 + 7)]);
    let types: Vec<_> = types.collect();
    let strategies = strategies();
    strategies.iter().flat_map(|s| types.iter().map(|&(oid, modifier)| column(s, oid, modifier))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_have_one_mask_or_none(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            "[-+{}\"\\\\,\\[\\]:=@. 0-9a-zNULżT]{0,40}".prop_map(String::into_bytes),
            prop::collection::vec(prop::sample::select(vec![0u8, 0, 0, 0, 1, 2, 25, 4, 255, 49]), 0..40),
        ]
    ) {
        for column in columns() {
            for format in [Format::Text, Format::Binary] {
                prop_assert_eq!(mask(&column, format, &bytes), mask(&column, format, &bytes));
            }
        }
    }

    /// Cyrillic letters stand in no list and no label, so that what holds one comes from the input.
    #[test]
    fn no_part_of_a_text_survives(
        text in "[а-я]{4,9}( [а-я]{4,9}|@[а-я]{4,9}\\.[а-я]{4,9}|[0-9]{5,12}|-[0-9]{2}-[0-9]{7})?"
    ) {
        let chars: Vec<char> = text.chars().collect();
        let windows = chars.windows(4).filter(|window| window.iter().any(|c| !c.is_ascii()));
        let windows: Vec<String> = windows.map(|window| window.iter().collect()).collect();
        for strategy in strategies() {
            let keeps = |name: &str| strategy.params().get(name) == Some(&Param::Bool(true));
            let kept = match strategy.name() {
                "email" if keeps("keep_domain") => text.find('@').map_or("", |at| &text[at..]),
                "partial" => text.char_indices().rev().nth(3 + usize::from(keeps("keep_punctuation"))).map_or("", |(at, _)| &text[at..]),
                // What the pattern does not find.
                "regex" => &text,
                _ => "",
            };
            for oid in [oid::TEXT, oid::VARCHAR, oid::NAME, oid::BPCHAR] {
                let masked = masked_text(&strategy, oid, -1, &text).unwrap_or_default();
                for window in windows.iter().filter(|window| !kept.contains(window.as_str())) {
                    prop_assert!(!masked.contains(window.as_str()), "{} {} {}", strategy.name(), text, masked);
                }
            }
        }
    }

    #[test]
    fn identity_numbers_stay_in_their_ranges(ssn in "[0-9]{3}-[0-9]{2}-[0-9]{4}", card in "[0-9]{12,19}") {
        let masked = masked_text(&strategy("ssn"), oid::TEXT, -1, &ssn).unwrap();
        let parts: Vec<u32> = masked.split('-').map(|part| part.parse().unwrap()).collect();
        prop_assert!((900..=999).contains(&parts[0]) && (1..=49).contains(&parts[1]) && parts[2] > 0, "{}", masked);
        prop_assert_ne!(&masked, &ssn);
        for keep in [false, true] {
            let strategy = strategy(&format!("credit_card(keep_last4={keep})"));
            let masked = masked_text(&strategy, oid::TEXT, -1, &card).unwrap();
            prop_assert!(masked.starts_with("99") && masked.len() == card.len() && masked != card, "{}", masked);
            prop_assert!(veil_model::check::luhn(masked.as_bytes()));
            prop_assert!(!keep || masked[masked.len() - 4..] == card[card.len() - 4..]);
        }
    }

    #[test]
    fn phones_are_reserved_numbers(phone in "\\+?[0-9]{5,15}") {
        let masked = masked_text(&strategy("phone"), oid::TEXT, -1, &phone).unwrap();
        let digits = masked.trim_start_matches('+');
        let from_the_end = |at: usize| &digits[digits.len() - at..];
        let american = from_the_end(7).starts_with("55501") && matches!(digits.len(), 10 | 11);
        prop_assert!(american || digits.starts_with("447700900") || digits.starts_with("3363998"), "{}", masked);
        prop_assert_ne!(masked, phone);
    }

    #[test]
    fn numbers_stay_in_their_types(number: i64) {
        for (oid, bound) in [(oid::INT2, 1 << 15), (oid::INT4, 1 << 31), (oid::NUMERIC, 1_000_000_000_000_000)] {
            let cell = if oid == oid::INT2 { (number >> 48).to_string() } else { (number >> 32).to_string() };
            let masked: i64 = masked_text(&strategy("hash"), oid, -1, &cell).unwrap().parse().unwrap();
            prop_assert!((0..bound).contains(&masked));
        }
        let masked: i64 = masked_text(&strategy("hash"), oid::INT8, -1, &number.to_string()).unwrap().parse().unwrap();
        prop_assert!(masked >= 0 && masked != number);
    }

    #[test]
    fn dates_move_by_their_days_at_most(day in crate::date::DAY_MIN..=crate::date::DAY_MAX, days in 1i64..=3650) {
        let column = column(&strategy(&format!("date_shift(days={days})")), oid::DATE, -1);
        let masked = mask(&column, Format::Binary, &i32::try_from(day).unwrap().to_be_bytes()).unwrap();
        let moved = i64::from(i32::from_be_bytes(masked.try_into().unwrap())) - day;
        prop_assert!(moved != 0 && moved.abs() <= days);
    }
}
