//! Tables of values and what their masks look like, each tried in every form in which a value can come: text and binary, inside an array and a
//! document, and as MySQL sends it.

use std::collections::BTreeMap;

use regex::Regex;
use veil_model::mysqltype::kind as code;
use veil_model::pgtype::oid;
use veil_model::{Charset, Format, MySqlType, PgType};

use super::{arrays, binary, column, mask, requoted};
use crate::kind::Kind;
use crate::{Cell, Masker, Param, RootKey, Strategy, Tag, Takes};

/// A line of the table.
pub(super) struct Case {
    pub(super) strategy: &'static str,
    ty: PgType,
    value: String,
    /// What the mask looks like; none if there is none.
    expected: Option<Regex>,
}

pub(super) fn masks() -> Vec<Case> {
    let lines = include_str!("masks.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(Case::read).collect()
}

impl Case {
    fn read(line: &'static str) -> Self {
        // A strategy may hold a bar between parentheses, and the pattern may.
        let open = line.find(" | ").map(|_| {
            line.find(") | ").map_or_else(
                || line.find(" | "),
                |at| match line.find(" | ") {
                    Some(first) if line[..first].contains('(') => Some(at + 1),
                    first => first,
                },
            )
        });
        let (strategy, rest) = line.split_at(open.flatten().unwrap_or_else(|| panic!("{line}")));
        let mut parts = rest[3..].splitn(3, " | ");
        let mut next = || parts.next().unwrap_or_else(|| panic!("{line}"));
        let (ty, value) = (ty(next()), unescaped(next()));
        let expected = parts.next().map(unescaped).or_else(|| line.ends_with(" |").then(String::new));
        let expected = expected.unwrap_or_else(|| panic!("{line}"));
        let expected = (expected != "NULL").then(|| Regex::new(&format!("^(?s:{expected})$")).unwrap());
        Self { strategy, ty, value, expected }
    }

    fn element(&self) -> Kind {
        Kind::of(self.ty).unwrap()
    }
}

/// Reads `\t` and `\u{..}`.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\u{") {
        let (code, after) = after.split_once('}').unwrap();
        out.push_str(before);
        out.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
        rest = after;
    }
    out.push_str(rest);
    out.replace("\\t", "\t")
}

/// `varchar(5)`, `numeric(10,2)`, `int4`.
fn ty(text: &str) -> PgType {
    let (name, numbers) = text.strip_suffix(')').and_then(|text| text.split_once('(')).unwrap_or((text, ""));
    let numbers: Vec<i32> = numbers.split(',').filter_map(|number| number.parse().ok()).collect();
    let modifier = match numbers.as_slice() {
        [] => -1,
        [length] => length + 4,
        [precision, scale, ..] => (precision << 16 | scale) + 4,
    };
    let oid = super::TYPES.iter().find(|(known, ..)| *known == name).unwrap_or_else(|| panic!("{text}")).1;
    PgType { oid, modifier }
}

/// `name(key=value, key=a;b, key=a:1;b:2)`.
pub(super) fn strategy(spec: &str) -> Strategy {
    let (name, params) = spec.strip_suffix(')').and_then(|spec| spec.split_once('(')).unwrap_or((spec, ""));
    let mut read = BTreeMap::new();
    for (key, value) in params.split(", ").filter_map(|param| param.split_once('=')) {
        let pairs = || value.split(';').filter_map(|pair| pair.split_once(':'));
        let param = match (key, value) {
            ("values", _) if value.contains(':') => {
                Param::Pairs(pairs().map(|(from, to)| (from.to_owned(), to.to_owned())).collect())
            }
            ("values", _) => Param::Texts(value.split(';').map(str::to_owned).collect()),
            (_, "true" | "false") => Param::Bool(value == "true"),
            ("pattern" | "replace" | "value" | "alphabet", _) => Param::Text(value.to_owned()),
            _ => value.parse().map_or_else(|_| Param::Text(value.to_owned()), Param::Int),
        };
        read.insert(key.to_owned(), param);
    }
    Strategy::parse(name, &read).unwrap_or_else(|faults| panic!("{spec}: {faults:?}"))
}

fn masker(strategy: &Strategy) -> Masker {
    Masker::new(&RootKey::from_bytes([7; 32]), strategy)
}

/// The values whose masks are written in a line of the table.
#[test]
fn masks_are_those_of_the_table() {
    for case in masks() {
        let strategy = strategy(case.strategy);
        let masked =
            mask(&column(&strategy, case.ty.oid, case.ty.modifier), Format::Text, case.value.as_bytes());
        let masked = masked.map(|masked| String::from_utf8(masked).unwrap());
        let told = format!("{} of {:?}: {masked:?}", case.strategy, case.value);
        match &case.expected {
            None => assert_eq!(masked, None, "{told}"),
            Some(expected) => {
                assert!(masked.as_ref().is_some_and(|masked| expected.is_match(masked)), "{told}")
            }
        }
    }
}

#[test]
fn a_value_has_one_mask_however_it_comes() {
    for case in masks() {
        let strategy = strategy(case.strategy);
        let plan = column(&strategy, case.ty.oid, case.ty.modifier);
        let masked = mask(&plan, Format::Text, case.value.as_bytes());
        let told = format!("{} of {:?}", case.strategy, case.value);
        let sent = mask(&plan, Format::Binary, &binary(case.ty.oid, case.value.as_bytes()));
        assert_eq!(masked.as_ref().map(|masked| binary(case.ty.oid, masked)), sent, "{told}");
        let Some(masked) = masked else { continue };
        in_an_array(&case, &strategy, &masked, &told);
        if case.ty.oid == oid::TEXT {
            in_a_document(&case, &strategy, std::str::from_utf8(&masked).unwrap(), &told);
        }
        from_mysql(&case, &strategy, &masked, &told);
    }
}

fn in_an_array(case: &Case, strategy: &Strategy, masked: &[u8], told: &str) {
    if matches!(strategy.name(), "redact" | "default" | "secret") {
        return;
    }
    let array = super::TYPES.iter().find(|(_, oid, ..)| *oid == case.ty.oid).unwrap().2;
    let plan = column(strategy, array, case.ty.modifier);
    let (text, sent) = arrays(case.ty.oid, &[Some(case.value.as_bytes()), None]);
    let (masked_text, masked_sent) = arrays(case.ty.oid, &[Some(masked), None]);
    assert_eq!(requoted(&mask(&plan, Format::Text, &text).unwrap()), masked_text, "{told}");
    assert_eq!(mask(&plan, Format::Binary, &sent), Some(masked_sent), "{told}");
}

/// As a document that is a text, and at a path of one.
fn in_a_document(case: &Case, strategy: &Strategy, masked: &str, told: &str) {
    if !strategy.function().takes.contains(&Takes::Json) {
        return;
    }
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let paths = Param::Functions(vec![("$.a".to_owned(), strategy.clone())]);
    let within = Strategy::parse("json", &BTreeMap::from([("paths".to_owned(), paths)])).unwrap();
    let parse = |document: Vec<u8>| serde_json::from_slice::<serde_json::Value>(&document).unwrap();
    for oid in [oid::JSON, oid::JSONB] {
        if strategy.name() != "constant" && strategy.name() != "json" {
            let document = mask(&column(strategy, oid, -1), Format::Text, quoted(&case.value).as_bytes());
            assert_eq!(document.map(parse), Some(masked.into()), "{told}");
        }
        let document = format!("{{\"a\": {}, \"b\": 1}}", quoted(&case.value));
        let document = mask(&column(&within, oid, -1), Format::Text, document.as_bytes());
        assert_eq!(document.map(parse), Some(serde_json::json!({ "a": masked, "b": 1 })), "{told}");
    }
}

fn from_mysql(case: &Case, strategy: &Strategy, masked: &[u8], told: &str) {
    let (code, length) = match case.element() {
        Kind::Text(limit) => (code::VAR_STRING, limit.chars.min(1 << 20) * 4),
        Kind::Int4 => (code::LONG, 11),
        Kind::Int8 => (code::LONGLONG, 20),
        Kind::Date => (code::DATE, 10),
        _ => return,
    };
    let ty = MySqlType {
        code,
        flags: 0,
        charset: Some(Charset::Utf8mb4),
        length: u32::try_from(length).unwrap(),
        decimals: 0,
        declared: "",
    };
    let mut out = Vec::new();
    let cell = masker(strategy).mysql_column(&ty).mask(Format::Text, case.value.as_bytes(), &mut out);
    assert_eq!((cell, out.as_slice()), (Cell::Written, masked), "{told}");
}

#[test]
fn the_table_has_every_type_that_a_function_takes() {
    let cases = masks();
    let mut missing = Vec::new();
    for function in Strategy::catalogue().iter().filter(|function| function.takes != Takes::ALL) {
        // Documents are tried below; a truth value has no mask without its row.
        if matches!(function.name, "json" | "boolean" | "composite" | "text_entities") {
            continue;
        }
        let of = |case: &&Case| strategy(case.strategy).name() == function.name && case.expected.is_some();
        let tried: Vec<Takes> = cases.iter().filter(of).map(|case| case.element().takes()).collect();
        for takes in function.takes.iter().filter(|takes| **takes != Takes::Json) {
            if !tried.contains(takes) {
                missing.push(format!("{} of {}", function.name, takes.name()));
            }
        }
        for (name, oid, ..) in super::TYPES {
            let kind = Kind::of(PgType { oid: *oid, modifier: -1 }).unwrap().takes();
            let tried = cases.iter().find(of).unwrap();
            let supported = column(&strategy(tried.strategy), *oid, -1).supported();
            assert!(!supported || function.takes.contains(&kind), "{} of {name}", function.name);
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

/// What a free text holds of some kinds has the masks of columns of these kinds.
#[test]
fn values_inside_texts_are_masked_as_in_columns() {
    let all = ["email", "credit_card", "iban", "phone", "ssn", "ip"];
    let functions = all.map(|name| (name.to_owned(), Strategy::parse(name, &BTreeMap::new()).unwrap()));
    let params = BTreeMap::from([("entities".to_owned(), Param::Functions(functions.to_vec()))]);
    let entities = Strategy::parse_with("text_entities", &params, veil_detect::finder).unwrap();
    let masked = |strategy: &Strategy, text: &str| {
        let mut out = Vec::new();
        let cell = column(strategy, oid::TEXT, -1).mask(Format::Text, text.as_bytes(), &mut out);
        assert_eq!(cell, Cell::Written, "{text}");
        String::from_utf8(out).unwrap()
    };
    for (text, values) in [
        (
            "Write to jane.doe@corp.example, or jörg@müller.example.",
            &[(0, "jane.doe@corp.example"), (0, "jörg@müller.example")][..],
        ),
        ("card 4111 1111 1111 1111 (not 4111 1111 1111 1112)", &[(1, "4111 1111 1111 1111")]),
        ("IBAN DE89 3704 0044 0532 0130 00 IS MINE", &[(2, "DE89 3704 0044 0532 0130 00")]),
        ("card 4111 1111 1111 1111 12/29", &[(1, "4111 1111 1111 1111")]),
        ("4111111111111111 123", &[(1, "4111111111111111")]),
        ("order 12 4111 1111 1111 1111", &[(1, "4111 1111 1111 1111")]),
        ("2026-11-27 4111-1111-1111-1111", &[(1, "4111-1111-1111-1111")]),
        ("Ref AB12 DE89 3704 0044 0532 0130 00", &[(2, "DE89 3704 0044 0532 0130 00")]),
        ("RE24 from DE89370400440532013000 paid", &[(2, "DE89370400440532013000")]),
        ("ip:2001:db8::1", &[(5, "2001:db8::1")]),
        ("+49301234567x", &[(3, "+49301234567")]),
        ("call +49 30 1234567 or +1 (212) 736-5000!", &[(3, "+49 30 1234567"), (3, "+1 (212) 736-5000")]),
        (
            "ssn=078-05-1120; from 10.1.2.3 and 2001:db8::1, at 10:11:12",
            &[(4, "078-05-1120"), (5, "10.1.2.3"), (5, "2001:db8::1")],
        ),
        ("nothing here: 12345, 2024-02-29, v1.2.3, 999.1.1.1", &[]),
        ("", &[]),
    ] {
        let expected = values.iter().fold(text.to_owned(), |text, (of, value)| {
            text.replace(value, &masked(&functions[*of].1, value))
        });
        assert_eq!(masked(&entities, text), expected);
    }
    let unknown =
        BTreeMap::from([("entities".to_owned(), Param::Functions(vec![("faces".to_owned(), entities)]))]);
    let error = Strategy::parse_with("text_entities", &unknown, veil_detect::finder).unwrap_err();
    assert!(error[0].to_string().contains("email, credit_card"));
}

/// The coin is the row's, the same in every form, and answers for as many as it should.
#[test]
fn truth_values_are_told_with_doubt() {
    let told = |spec: &str, oid: u32, format: Format, cell: &[u8], subject: Option<&str>| {
        let mut out = Vec::new();
        let cell = column(&strategy(spec), oid, -1).mask_of(subject, format, cell, &mut out);
        (cell == Cell::Written).then_some(out)
    };
    for (spec, coins) in [
        ("boolean(by=id)", 5_000),
        ("boolean(by=id, percent=100)", 10_000),
        ("boolean(by=id, percent=1)", 100),
    ] {
        let mut turned = [0; 2];
        for row in 0..10_000 {
            let subject = row.to_string();
            let tell = |oid, format, cell: &[u8]| told(spec, oid, format, cell, Some(&subject)).unwrap();
            for (truth, turned) in [false, true].into_iter().zip(&mut turned) {
                let masked = tell(oid::BOOL, Format::Binary, &[truth.into()]) == [1];
                let (letter, digit) = (if truth { b"t" } else { b"f" }, if truth { b"1" } else { b"0" });
                assert_eq!(tell(oid::BOOL, Format::Text, letter), if masked { b"t" } else { b"f" });
                assert_eq!(tell(oid::INT4, Format::Text, digit), if masked { b"1" } else { b"0" });
                *turned += i32::from(masked != truth);
            }
        }
        // Half of the coins say what is so.
        assert!(turned.iter().all(|turned| (turned - coins / 2).abs() < 200), "{spec}: {turned:?}");
    }
    for (oid, cell, subject) in
        [(oid::BOOL, "t", None), (oid::INT4, "2", Some("1")), (oid::BOOL, "x", Some("1"))]
    {
        assert_eq!(told("boolean(by=id)", oid, Format::Text, cell.as_bytes(), subject), None);
    }
    assert_eq!(told("boolean(by=id, percent=100)", 1000, Format::Text, b"{t,f}", Some("1")), None);
}

/// What has a mask that is no label and no zero is found again, if the catalogue says so; nothing else is.
#[test]
fn masks_of_reversible_functions_are_revealed() {
    for case in masks() {
        let strategy = strategy(case.strategy);
        let plan = column(&strategy, case.ty.oid, case.ty.modifier);
        for format in [Format::Text, Format::Binary] {
            let value = match format {
                Format::Text => case.value.clone().into_bytes(),
                Format::Binary => binary(case.ty.oid, case.value.as_bytes()),
            };
            let Some(masked) = mask(&plan, format, &value) else { continue };
            let mut revealed = Vec::new();
            let found = plan.reveal(format, &masked, &mut revealed) == Cell::Written;
            let other = case.expected.as_ref().is_some_and(|expected| {
                expected.is_match("[REDACTED]")
                    || expected.is_match("[REDACTE")
                    || expected.is_match("[REDAC")
                    || expected.as_str() == "^(?s:0)$"
            });
            let told = format!("{} of {:?}", case.strategy, case.value);
            match strategy.is(Tag::Reversible) && !other {
                true => assert!(found && revealed == value, "{told}: {}", String::from_utf8_lossy(&revealed)),
                false => assert!(!found, "{told}: {}", String::from_utf8_lossy(&revealed)),
            }
        }
    }
}

#[test]
fn documents_are_masked_by_path() {
    let lines = include_str!("json.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        let parts: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let [path, document, expected] = parts.as_slice() else { panic!("{line}") };
        let (path, function) = path.split_once(": ").unwrap();
        let paths = Param::Functions(vec![(path.to_owned(), strategy(function))]);
        let strategy = Strategy::parse("json", &BTreeMap::from([("paths".to_owned(), paths)])).unwrap();
        for oid in [oid::JSON, oid::JSONB, oid::TEXT] {
            let masked = mask(&column(&strategy, oid, -1), Format::Text, document.as_bytes());
            let masked = masked.map_or("NULL".to_owned(), |masked| String::from_utf8(masked).unwrap());
            assert_eq!(&masked, expected, "{line}");
        }
    }
    let deep = "[".repeat(100_000);
    let paths = Param::Functions(vec![("$..a".to_owned(), strategy("redact"))]);
    let strategy = Strategy::parse("json", &BTreeMap::from([("paths".to_owned(), paths)])).unwrap();
    assert_eq!(mask(&column(&strategy, oid::JSON, -1), Format::Text, deep.as_bytes()), None);
}

#[test]
fn there_are_as_many_masks_as_said() {
    for spec in [
        "ip(mode=reserved)",
        "name(part=first)",
        "name(part=last)",
        "address(part=country)",
        "category(values=a;b;c)",
    ] {
        let strategy = strategy(spec);
        let room = usize::try_from(masker(&strategy).room().unwrap()).unwrap();
        let plan = column(&strategy, oid::TEXT, -1);
        let of = |at: usize| {
            if spec.starts_with("ip") { format!("10.0.{}.{}", at / 256, at % 256) } else { format!("x{at}") }
        };
        let masks = (0..room * 20).map(|at| mask(&plan, Format::Text, of(at).as_bytes()).unwrap());
        assert_eq!(masks.collect::<std::collections::BTreeSet<_>>().len(), room, "{spec}");
    }
    for (spec, room) in [("ssn", 100 * 49 * 9999), ("national_id(kind=uk_nhs)", 1_000_000), ("name", 14_400)]
    {
        let said = masker(&strategy(spec)).room().unwrap();
        assert!(said == room || spec == "name" && said > 10_000, "{spec}: {said}");
    }
    assert_eq!(masker(&strategy("hash")).room(), None);
}

/// Functions that say what they keep.
const KEEPING: [&str; 6] = ["partial", "regex", "geo", "date_shift", "date_truncate", "truncate"];

#[test]
fn no_four_letters_of_a_value_stay_that_are_not_said_to() {
    let keeps = |spec: &str| spec.contains("keep_") || KEEPING.iter().any(|name| spec.contains(name));
    for case in masks().iter().filter(|case| !keeps(case.strategy)) {
        let plan = column(&strategy(case.strategy), case.ty.oid, case.ty.modifier);
        let Some(masked) = mask(&plan, Format::Text, case.value.as_bytes()) else { continue };
        let plain = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<Vec<_>>();
        let (value, masked) = (plain(&case.value), plain(std::str::from_utf8(&masked).unwrap()));
        for (at, window) in value.windows(4).enumerate() {
            // What every mask has, and where keyed digits are as many as the value's, some are the same somewhere.
            let said: String = window.iter().collect();
            let everywhere = "httpsexamplecom 0000 0016".contains(&said);
            let stays = match value.len() == masked.len() {
                true => masked.get(at..at + 4) == Some(window),
                false => masked.windows(4).any(|other| other == window),
            };
            assert!(everywhere || !stays, "{} of {:?}: {said}", case.strategy, case.value);
        }
    }
}

/// A million values a function; `IRONVEIL_MASK_VALUES` says how many.
#[test]
fn unique_masks_never_meet() {
    let values = std::env::var("IRONVEIL_MASK_VALUES").map_or(1_000_000, |text| text.parse().unwrap());
    for (spec, oid, value) in UNIQUE {
        let plan = column(&strategy(spec), *oid, -1);
        let (mut masks, mut cell) = (Vec::with_capacity(values), Vec::new());
        for at in 0..values {
            cell.clear();
            let value = value(u64::try_from(at).unwrap());
            assert_eq!(plan.mask(Format::Text, value.as_bytes(), &mut cell), Cell::Written, "{spec} {value}");
            assert!(!cell.starts_with(b"["), "{spec} {value}");
            masks.push(blake3::hash(&cell));
        }
        masks.sort_unstable_by_key(|hash| *hash.as_bytes());
        masks.dedup();
        assert_eq!(masks.len(), values, "{spec}");
    }
}

type Unique = (&'static str, u32, fn(u64) -> String);

const UNIQUE: &[Unique] = &[
    ("int_perm", oid::INT4, |at| (at + 1).to_string()),
    ("int_perm(min=1, max=1000000)", oid::INT4, |at| (at % 1_000_000 + 1).to_string()),
    ("uuid_perm", oid::UUID, |at| format!("00000000-0000-4000-8000-{at:012x}")),
    ("fpe", oid::TEXT, |at| format!("AB-{at:08}")),
    ("fpe(alphabet=digits)", oid::TEXT, |at| format!("{at:07}")),
    ("token", oid::TEXT, |at| at.to_string()),
    ("email(mode=fpe)", oid::TEXT, |at| format!("u{at}@corp.example")),
    ("phone(mode=fpe)", oid::TEXT, |at| format!("+49 30 {at:07}")),
    ("credit_card(mode=fpe)", oid::TEXT, |at| {
        let head = format!("41111111{at:07}");
        let last = (b'0'..=b'9')
            .map(char::from)
            .find(|last| veil_model::check::luhn(format!("{head}{last}").as_bytes()));
        format!("{head}{}", last.unwrap())
    }),
    ("passport", oid::TEXT, |at| format!("C{at:08}")),
    ("fpe", oid::INT8, |at| (10_000_000 + at).to_string()),
    ("fpe(alphabet=digits, keep_first=4)", oid::TEXT, |at| format!("{at:011}")),
    ("iban", oid::TEXT, |at| {
        let account = format!("3704004405{at:08}");
        let number = format!("{account}131400")
            .bytes()
            .fold(0u64, |rest, digit| (rest * 10 + u64::from(digit - b'0')) % 97);
        format!("DE{:02}{account}", 98 - number)
    }),
    ("phone(mode=fpe)", oid::INT8, |at| (4_930_000_000_u64 + at).to_string()),
    ("email(mode=fpe, keep_domain=true)", oid::TEXT, |at| format!("u{at:08}@corp.example")),
    ("ip", oid::INET, |at| format!("10.{}.{}.{}", at >> 16 & 255, at >> 8 & 255, at & 255)),
    ("mac", oid::MACADDR, |at| {
        format!("08:00:2b:{:02x}:{:02x}:{:02x}", at >> 16 & 255, at >> 8 & 255, at & 255)
    }),
];
