//! What a mask costs: `cargo bench -p veil-mask`.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::collections::BTreeMap;
use std::sync::Arc;

use divan::{Bencher, black_box};
use veil_mask::{ColumnMask, Masker, Param, RootKey, Strategy};
use veil_model::pgtype::oid;
use veil_model::{Format, PgType};

/// What is measured: a function with parameters, a type and a value.
struct Case {
    function: &'static str,
    params: &'static [(&'static str, &'static str)],
    oid: u32,
    value: &'static str,
}

const fn case(
    function: &'static str,
    params: &'static [(&'static str, &'static str)],
    oid: u32,
    value: &'static str,
) -> Case {
    Case { function, params, oid, value }
}

const CASES: &[Case] = &[
    case("redact", &[], oid::TEXT, "jane.doe@corp.example"),
    case("partial", &[], oid::TEXT, "4111111111111111"),
    case("truncate", &[("length", "2")], oid::TEXT, "Berlin"),
    case("regex", &[("pattern", "[0-9]")], oid::TEXT, "AB-12 C3"),
    case("hash", &[], oid::TEXT, "jane.doe@corp.example"),
    case("hash", &[], oid::INT4, "42"),
    case("fpe", &[], oid::TEXT, "AB-1234 5678c"),
    case("fpe", &[("alphabet", "digits")], oid::TEXT, "4111111111111111"),
    case("fpe", &[], oid::INT8, "12345678"),
    case("token", &[], oid::TEXT, "jane.doe@corp.example"),
    case("int_perm", &[], oid::INT4, "4711"),
    case("int_perm", &[], oid::INT8, "4711"),
    case("uuid_perm", &[], oid::UUID, "123e4567-e89b-12d3-a456-426614174000"),
    case("email", &[], oid::TEXT, "jane.doe@corp.example"),
    case("email", &[("mode", "fpe")], oid::TEXT, "jane.doe@corp.example"),
    case("name", &[], oid::TEXT, "Jane Doe"),
    case("username", &[], oid::TEXT, "jdoe42"),
    case("company", &[], oid::TEXT, "Acme Corp"),
    case("phone", &[], oid::TEXT, "+1 (212) 736-5000"),
    case("phone", &[("mode", "fpe")], oid::TEXT, "+49 30 1234567"),
    case("address", &[], oid::TEXT, "Hauptstr. 5, 53111 Bonn"),
    case("postcode", &[], oid::TEXT, "SW1A 1AA"),
    case("geo", &[], oid::FLOAT8, "52.520008"),
    case("credit_card", &[], oid::TEXT, "4111 1111 1111 1111"),
    case("credit_card", &[("mode", "fpe")], oid::TEXT, "4111 1111 1111 1111"),
    case("iban", &[], oid::TEXT, "DE89 3704 0044 0532 0130 00"),
    case("ssn", &[], oid::TEXT, "078-05-1120"),
    case("national_id", &[("kind", "pl_pesel")], oid::TEXT, "44051401359"),
    case("date_shift", &[], oid::DATE, "2024-02-29"),
    case("date_truncate", &[], oid::DATE, "2024-02-29"),
    case("number", &[], oid::NUMERIC, "1234.50"),
    case("template", &[("template", "{{first_name|lower}}.{{digits 4}}")], oid::TEXT, "x"),
    case("ip", &[], oid::INET, "10.1.2.3"),
    case("ip", &[], oid::INET, "2001:db8::1"),
    case("mac", &[], oid::MACADDR, "08:00:2b:01:02:03"),
    case("url", &[], oid::TEXT, "https://jane@corp.example/a/b?c=d"),
    case(
        "json",
        &[],
        oid::JSONB,
        r#"{"customer": {"email": "jane.doe@corp.example", "id": 7}, "total": 1.50}"#,
    ),
    case("blob", &[], oid::BYTEA, "\\x0102"),
    case("null", &[], oid::TEXT, "jane.doe@corp.example"),
    case("default", &[], oid::TEXT, "jane.doe@corp.example"),
    case("secret", &[], oid::TEXT, "hunter2"),
    case("constant", &[("value", "5")], oid::INT4, "42"),
    case("passport", &[], oid::TEXT, "C01X00T47"),
    case("boolean", &[("by", "id")], oid::BOOL, "t"),
    case("composite", &[], 0, "(jane.doe@corp.example,5)"),
    case("category", &[], oid::TEXT, "Roman Catholic"),
    case("canary", &[], oid::TEXT, "jane.doe@corp.example"),
    case("lookup", &[], oid::TEXT, "Acme Corp"),
    case("text_entities", &[], oid::TEXT, "write to jane.doe@corp.example, or call +1 212 736 5000 tomorrow"),
];

fn column(case: &Case) -> ColumnMask {
    let mut params: BTreeMap<String, Param> =
        case.params.iter().map(|(name, value)| ((*name).to_owned(), param(value))).collect();
    let texts = || ["Acme Corp", "Roman Catholic", "plant"].map(str::to_owned).to_vec();
    let email = || Strategy::parse("email", &BTreeMap::new()).unwrap();
    let of = match case.function {
        "category" | "canary" => Some(("values", Param::Texts(texts()))),
        "lookup" => {
            Some(("values", Param::Pairs(texts().into_iter().map(|text| (text, "x".to_owned())).collect())))
        }
        "text_entities" => Some(("entities", Param::Functions(vec![("email".to_owned(), email())]))),
        "composite" => Some(("fields", Param::Functions(vec![("owner".to_owned(), email())]))),
        "json" => Some(("paths", Param::Functions(vec![("$.customer.email".to_owned(), email())]))),
        _ => None,
    };
    params.extend(of.map(|(name, param)| (name.to_owned(), param)));
    let strategy = Strategy::parse_with(case.function, &params, veil_detect::finder).unwrap();
    let ty = |oid| PgType { oid, modifier: -1 };
    let masker = Masker::new(&RootKey::from_bytes([7; 32]), &strategy);
    if case.function == "composite" {
        let fields = [("owner".to_owned(), ty(oid::TEXT)), ("number".to_owned(), ty(oid::INT4))];
        return masker.of_fields(&Arc::from(fields)).column(ty(case.oid));
    }
    masker.column(ty(case.oid))
}

fn param(value: &str) -> Param {
    value.parse().map_or_else(|_| Param::Text(value.to_owned()), Param::Int)
}

fn names() -> Vec<String> {
    CASES.iter().enumerate().map(|(at, case)| format!("{at:02} {} {}", case.function, case.value)).collect()
}

#[divan::bench(args = names())]
fn mask(bencher: Bencher<'_, '_>, name: &str) {
    let case = name.get(..2).and_then(|at| CASES.get(at.parse::<usize>().ok()?)).unwrap();
    let (column, mut out) = (column(case), Vec::with_capacity(256));
    bencher.bench_local(|| {
        out.clear();
        // What masks may depend on besides the value.
        column.mask_of(Some("17"), Format::Text, black_box(case.value.as_bytes()), &mut out)
    });
}

fn main() {
    divan::main();
}
