//! The rule that protects what was found: the function that suits its class and type.

use serde_json::{Value, json};
use veil_detect::{Class, Finding, Kind};

use crate::scan::ColumnFinding;
use crate::tables::TableName;

/// Schemes that masks know; others keep their form.
const SCHEMES: &[&str] = &[
    "us_itin",
    "uk_nino",
    "uk_nhs",
    "ca_sin",
    "in_aadhaar",
    "in_pan",
    "br_cpf",
    "br_cnpj",
    "fr_nir",
    "es_dni",
    "it_cf",
    "de_steuerid",
    "pl_pesel",
    "nl_bsn",
    "se_pnr",
    "au_tfn",
    "au_medicare",
    "sg_nric",
    "cn_rid",
    "kr_rrn",
    "jp_mynumber",
];

/// A rule for a column, as `proxy.yaml` has it. It has no class, so that a value has one mask wherever it is: in a column, a document or a text.
#[must_use]
pub fn rule(table: &TableName, column: &ColumnFinding) -> Value {
    let mut rule = json!({ "schema": table.schema, "table": table.table, "column": column.column });
    let strategy = match column.findings.as_slice() {
        // A document that holds one value, or none that was seen, is hidden as a whole.
        [_] if column.kind == Kind::Json && column.findings.iter().all(|finding| finding.path.is_none()) => {
            "redact".into()
        }
        [one] if one.path.is_none() => strategy(one, column.kind),
        // Names of fields that are data themselves are in no rule.
        of_paths
            if of_paths.iter().any(|finding| finding.path.as_ref().is_none_or(|path| path.contains('"'))) =>
        {
            "redact".into()
        }
        of_paths => {
            let paths = of_paths
                .iter()
                .filter_map(|finding| Some((finding.path.clone()?, strategy(finding, Kind::Text))));
            json!({ "json": paths.collect::<serde_json::Map<_, _>>() })
        }
    };
    if let Some(rule) = rule.as_object_mut() {
        rule.insert("strategy".to_owned(), strategy);
    }
    rule
}

fn strategy(finding: &Finding, kind: Kind) -> Value {
    let text = matches!(kind, Kind::Text | Kind::TextArray);
    if kind == Kind::Enum {
        return "null".into();
    }
    let number = matches!(kind, Kind::Integer | Kind::Decimal);
    match finding.class {
        Class::Email if text => "email".into(),
        Class::Phone if text || kind == Kind::Integer => "phone".into(),
        Class::CreditCard if text || kind == Kind::Integer => "credit_card".into(),
        Class::Iban if text => "iban".into(),
        Class::Ssn if text || kind == Kind::Integer => "ssn".into(),
        Class::NationalId if text || kind == Kind::Integer => {
            match finding.scheme.filter(|scheme| SCHEMES.contains(scheme)) {
                Some(scheme) => json!({ "national_id": { "kind": scheme } }),
                None => "fpe".into(),
            }
        }
        Class::Passport if text => "passport".into(),
        Class::DriverLicence
        | Class::LicencePlate
        | Class::BankAccount
        | Class::MedicalRecord
        | Class::Imei
        | Class::Vin
            if text || kind == Kind::Integer =>
        {
            "fpe".into()
        }
        Class::GivenName if text => json!({ "name": { "part": "first" } }),
        Class::FamilyName if text => json!({ "name": { "part": "last" } }),
        Class::FullName if text => "name".into(),
        Class::Username if text => "username".into(),
        Class::Address if text => "address".into(),
        Class::City if text => json!({ "address": { "part": "city" } }),
        Class::Postcode if text => "postcode".into(),
        Class::IpAddress if text || kind == Kind::Inet => "ip".into(),
        Class::MacAddress if text || kind == Kind::Mac => "mac".into(),
        Class::Url if text => "url".into(),
        Class::Geo if text || number || kind == Kind::Point => "geo".into(),
        Class::DateOfBirth if matches!(kind, Kind::Date | Kind::Timestamp) || text => {
            json!({ "date_truncate": { "unit": "year" } })
        }
        Class::Salary if number => "number".into(),
        Class::FreeText if text => {
            let known = [
                ("email", "email"),
                ("phone", "phone"),
                ("credit_card", "credit_card"),
                ("iban", "iban"),
                ("ssn", "ssn"),
                ("ip", "ip"),
                ("name", "name"),
                ("secret", "secret"),
                ("jwt", "secret"),
                ("wallet", "secret"),
            ];
            json!({ "text_entities": { "entities": known.iter().map(|(entity, function)| ((*entity).to_owned(), Value::from(*function))).collect::<serde_json::Map<_, _>>() } })
        }
        Class::Jwt
        | Class::ApiKey
        | Class::PrivateKey
        | Class::Password
        | Class::PasswordHash
        | Class::CryptoWallet => "secret".into(),
        _ => "redact".into(),
    }
}
