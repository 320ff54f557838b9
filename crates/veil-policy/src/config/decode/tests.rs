//! Every fault has its line and path, and all are found at once.

use super::super::*;
use crate::protection::Writes;
use crate::rule::Action;

const WHOLE: &str = "\
listen:
  postgres: 0.0.0.0:7000
  tls: { mode: optional, certificate: a.crt, key: a.key }
keys: { root: { file: ironveil.key } }
databases:
  - name: shop
    upstream: postgres://db1:5433/shop?sslmode=verify-ca&sslrootcert=ca.crt
    auth_query: { query: 'select * from f($1)', user: q, password: { env: Q } }
  - { name: '*', upstream: 'postgres://localhost' }
users:
  - { name: app, verifier: 'SCRAM-SHA-256$4096:AA==$AA==:AA==' }
  - { name: bi, password: { env: BI }, upstream: { user: ro, password: { file: ro.txt } } }
rules:
  - { name: dba, who: { user: [dba, root] }, unmask: true, reason: on call }
  - { table: users, column: email, strategy: email, keep_domain: true }
  - { column: '*ssn*', strategy: ssn }
  - { schema: hr, table: pay, column: iban, strategy: { partial: { last: 2 } } }
  - { table: users, column: note, strategy: null }
protection: { trusted_functions: [public.area], predicates: deny }
";

#[test]
fn a_whole_file_is_read() {
    let config = Config::parse(WHOLE).unwrap();
    assert_eq!(config.listen.postgres.port(), 7000);
    assert!(config.listen.tls.as_ref().unwrap().optional);
    assert_eq!(config.database("shop").unwrap().upstream.port, 5433);
    assert_eq!(config.database("other").unwrap().upstream.host, "localhost");
    let names: Vec<&str> = config.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["dba", "users.email", "*.*ssn*", "hr.pay.iban", "users.note"]);
    assert_eq!(config.rules[0].who.users, ["dba", "root"].map(Glob::new));
    assert!(matches!(&config.rules[4].action, Action::Mask(strategy) if strategy.name() == "null"));
    assert_eq!(config.protection.trusted_functions, ["public.area"]);
    assert_eq!(config.protection.mode.predicates, crate::Predicates::Deny);
}

#[test]
fn every_fault_is_found_with_its_line_and_path() {
    let text = "\
listen: { postgres: nowhere, mysql: 127.0.0.1, oracle: 127.0.0.1:1 }
keys: { root: 00ff }
databases:
  - { name: shop, upstream: 'oracle://x' }
  - { upstream: 'postgres://x?sslmode=maybe' }
rulez: []
rules:
  - { table: users, column: email, strategy: emial }
  - { table: users, column: email }
  - { column: x, unmask: true }
  - { column: x, strategy: partial, last: many, colour: red }
  - 7
users:
  - { name: a }
  - { name: b, verifier: md5123 }
";
    let faults = Config::parse(text).unwrap_err();
    let found: Vec<String> = faults.iter().map(ToString::to_string).collect();
    for expected in [
        "line 1: listen.postgres: \"nowhere\" is not an address",
        "line 1: listen.mysql: \"127.0.0.1\" is not an address",
        "line 1: listen.oracle: unknown key \"oracle\"; known are postgres, mysql, tls",
        "line 2: keys.root: a secret is not written here",
        "line 4: databases[0].upstream: an upstream is written postgres://",
        "line 5: databases[1]: the key \"name\" is missing",
        "line 5: databases[1].upstream: sslmode \"maybe\" is none of",
        "line 6: rulez: unknown key \"rulez\"",
        "line 8: rules[0].strategy: ",
        "line 9: rules[1]: a rule needs a \"strategy\"",
        "line 10: rules[2]: \"unmask: true\" needs a \"reason\"",
        "line 11: rules[3].strategy: ",
        "line 12: rules[4]: expected keys and values",
        "line 14: users[0]: a user needs exactly one of",
        "line 15: users[1].verifier: a verifier begins with SCRAM-SHA-256$, as in pg_authid.rolpassword, or with * or $A$, as in mysql.user",
    ] {
        assert!(found.iter().any(|fault| fault.starts_with(expected)), "{expected} is not in {found:#?}");
    }
}

#[test]
fn odd_files_have_one_clear_fault() {
    for (text, expected) in [
        ("", "the file is empty"),
        ("a: b: c", "is not YAML"),
        ("- 1", "expected keys and values"),
        ("rules: []", "the key \"databases\" is missing"),
        ("databases: []\n---\ndatabases: []", "more than one document"),
    ] {
        let faults = Config::parse(text).unwrap_err();
        assert!(faults[0].to_string().contains(expected), "{text}: {faults:?}");
    }
}

#[test]
fn a_rule_of_the_command_line() {
    assert_eq!(rule_from_argument("users.email=email").unwrap().name, "users.email");
    assert_eq!(rule_from_argument("*.ssn=ssn").unwrap().name, "*.ssn");
    assert_eq!(rule_from_argument("hr.users.email=email").unwrap().name, "hr.users.email");
    for wrong in ["users.email", "email=email", "a.b.c.d=email", "users.email=nothing"] {
        assert!(rule_from_argument(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_mode_stands_for_settings_that_may_be_set_alone() {
    use crate::{Predicates, ProtectionMode};
    let mode = |protection: &str| {
        let text = format!(
            "databases:\n  - {{ name: a, upstream: 'postgres://x' }}\nprotection: {{ {protection} }}\n"
        );
        Config::parse(&text).unwrap().protection.mode
    };
    let standard = ProtectionMode {
        predicates: Predicates::Audit,
        budget: 100,
        unknown_functions: false,
        writes: Writes::Guard,
        observes: false,
    };
    for (protection, expected) in [
        ("", standard),
        ("mode: standard, predicate_budget: 7", ProtectionMode { budget: 7, ..standard }),
        ("mode: strict", ProtectionMode { predicates: Predicates::Deny, ..standard }),
        ("mode: strict, predicates: audit", standard),
        (
            "mode: permissive",
            ProtectionMode { predicates: Predicates::Allow, unknown_functions: true, ..standard },
        ),
    ] {
        assert_eq!(mode(protection), expected, "{protection}");
    }
    let text = "\
databases:
  - { name: a, upstream: 'postgres://x' }
protection: { mode: lax, predicates: no, predicate_budget: -1 }
rules:
  - { column: pay, strategy: hash, min_group: 1 }
  - { column: pay, unmask: true, reason: x, min_group: 5 }
  - { column: pay, strategy: hash, min_group: 5 }
";
    let found: Vec<String> = Config::parse(text).unwrap_err().iter().map(ToString::to_string).collect();
    for expected in [
        "line 3: protection.mode: \"mode\" is \"standard\", \"strict\", \"permissive\" or \"observe\"",
        "line 3: protection.predicates: ",
        "line 3: protection.predicate_budget: \"predicate_budget\" is a whole number from 0 to 100000",
        "line 5: rules[0].min_group: \"min_group\" is a whole number from 2",
        "line 6: rules[1]: ",
    ] {
        assert!(found.iter().any(|fault| fault.starts_with(expected)), "{expected}: {found:#?}");
    }
    assert_eq!(found.len(), 5, "{found:#?}");
}

/// A fault of a rule, by a part of what is said.
#[test]
fn rules_that_would_show_more_than_they_say_are_faults() {
    for (rule, fault) in [
        ("{ who: { application: x }, unmask: true, reason: y }", "may call itself as it likes"),
        ("{ who: { application: x }, column: a, strategy: partial }", "may call itself as it likes"),
        ("{ who: { not: { application: x } }, column: a, strategy: 'null' }", "may call itself as it likes"),
        ("{ who: { user: [], hours: '08:00-18:00' }, unmask: true, reason: y }", "the list is empty"),
        ("{ who: { days: [] }, unmask: true, reason: y }", "the list is empty"),
        ("{ who: {}, column: a, strategy: email }", "says nothing"),
        ("{ who: { not: { not: { user: a } } }, column: a, strategy: email }", "not"),
        ("{ who: { network: 10.0.0.0/40 }, column: a, strategy: email }", "is no network"),
        ("{ who: { hours: '8-18' }, column: a, strategy: email }", "hours are written"),
        ("{ who: { days: [monday] }, column: a, strategy: email }", "\"monday\" is none of mon"),
        ("{ column: a, strategy: email, until: '2026-02-30' }", "is no day"),
        ("{ column: a, strategy: email, scope: table }", "\"scope\" is"),
        ("{ column: a, strategy: { json: { paths: {} } } }", "paths with a masking function for each"),
        ("{ column: a, strategy: { json: { $...a: email } } }", "paths of JSONPath"),
        ("{ column: a, strategy: { regex: { pattern: '(' } } }", "a regular expression"),
        ("{ column: a, strategy: { template: { template: x } } }", "a template with a part in it"),
        ("{ column: a, strategy: { number: { mode: round, step: 1 } } }", "a whole number from 2"),
    ] {
        let text =
            format!("databases: [ {{ name: a, upstream: 'postgres://localhost' }} ]\nrules:\n  - {rule}\n");
        let faults = Config::parse(&text).map(|_| ()).unwrap_err();
        assert!(
            faults.iter().any(|told| told.line == 3 && told.to_string().contains(fault)),
            "{rule}: {faults:?}"
        );
    }
    let both = "databases: [ { name: a, upstream: 'postgres://localhost' } ]\nrules:\n  - { column: a, strategy: { json: { paths: { $.a: 'null' }, $.b: email } } }\n";
    let config = Config::parse(both).unwrap();
    let Action::Mask(strategy) = &config.rules[0].action else { panic!("{config:?}") };
    assert!(
        matches!(strategy.params().get("paths"), Some(veil_mask::Param::Functions(all)) if all.len() == 2)
    );
}
