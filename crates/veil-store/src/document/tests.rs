use proptest::prelude::*;
use serde_json::json;

use super::*;

const FILE: &str = "\
# The head.
databases:
  - { name: shop, upstream: 'postgres://h' } # a comment

rules: # in order
  # Emails of users.
  # In two lines.
  - { table: users, column: email, strategy: email }

  - table: users     # a rule in a block
    column: \"*ssn*\"
    strategy: ssn
    # inside

  # On call.
  - name: dba
    who: { role: dba }
    unmask: true
    reason: |
      long
      # no comment

# What clients may do.
protection: { mode: strict }
";

#[test]
fn untouched_parts_keep_their_lines() {
    let rules = Document::parse(FILE).unwrap().rules();
    assert_eq!(rules.len(), 3);
    assert_eq!(with_rules(FILE, &rules).unwrap(), FILE);
    let mut changed = rules.clone();
    changed[1]["strategy"] = json!("redact");
    changed.push(
        json!({ "table": "t", "column": "c", "strategy": { "partial": { "first": 1, "note": "yes" } } }),
    );
    let text = with_rules(FILE, &changed).unwrap();
    let expected = FILE
        .replace(
            "  - table: users     # a rule in a block\n    column: \"*ssn*\"\n    strategy: ssn\n    # inside\n",
            "  - { table: users, column: \"*ssn*\", strategy: redact }\n",
        )
        .replace(
            "      # no comment\n",
            "      # no comment\n  - { table: t, column: c, strategy: { partial: { first: 1, note: \"yes\" } } }\n",
        );
    assert_eq!(text, expected);
}

#[test]
fn rules_move_with_their_comments() {
    let rules = Document::parse(FILE).unwrap().rules();
    let turned: Vec<Value> = rules.iter().rev().cloned().collect();
    let text = with_rules(FILE, &turned).unwrap();
    assert!(text.find("# On call.").unwrap() < text.find("# Emails of users.").unwrap(), "{text}");
    assert!(text.starts_with("# The head.") && text.ends_with("protection: { mode: strict }\n"), "{text}");
    assert_eq!(with_rules(FILE, &rules[..1]).unwrap().matches("- ").count(), 2);
    let none = with_rules(FILE, &[]).unwrap();
    assert!(none.contains("rules: []\n") && none.contains("# What clients may do."), "{none}");
    let back = with_rules(&none, &rules).unwrap();
    assert_eq!(Document::parse(&back).unwrap().rules(), rules);
}

#[test]
fn other_forms_are_rewritten_or_refused() {
    let one = [json!({ "table": "t", "column": "c", "strategy": "null" })];
    for (text, expected) in [
        ("databases: []", "databases: []\nrules:\n  - { table: t, column: c, strategy: \"null\" }\n"),
        (
            "rules: [ { table: a } ]\nx: 1\n",
            "rules:\n  - { table: t, column: c, strategy: \"null\" }\nx: 1\n",
        ),
        ("rules:\nx: 1\n", "rules:\n  - { table: t, column: c, strategy: \"null\" }\nx: 1\n"),
        ("rules:\n- { table: a }\n", "rules:\n- { table: t, column: c, strategy: \"null\" }\n"),
        ("x: 1\nrules: []\n...\n", "x: 1\nrules:\n  - { table: t, column: c, strategy: \"null\" }\n...\n"),
    ] {
        assert_eq!(with_rules(text, &one).unwrap(), expected, "{text}");
    }
    let behind = "rules:\n  - { table: a }\n  # behind\n\nx: 1\n";
    let expected = "rules:\n  - { table: t, column: c, strategy: \"null\" }\n  # behind\n\nx: 1\n";
    assert_eq!(with_rules(behind, &one).unwrap(), expected);
    assert!(with_rules("{ databases: [], rules: [] }", &one).is_err());
    let deep: String = (0..2000).map(|at| format!("{}a:\n", " ".repeat(at))).collect();
    for text in [
        "- ".repeat(6000),
        format!("rules:\n{}", "? ".repeat(6000)),
        deep,
        "[".repeat(6000),
        "-\t".repeat(6000),
    ] {
        assert!(Document::parse(&text).is_err());
    }
    assert!(with_rules("rules:\n  - &a { table: t }\nx: *a\n", &one).is_err());
    assert!(with_rules("- a", &one).is_err());
}

#[test]
fn differences_are_told() {
    let [a, b, c] =
        ["a", "b", "c"].map(|table| json!({ "table": table, "column": "x", "strategy": "email" }));
    let other = json!({ "table": "b", "column": "x", "strategy": "redact" });
    let ops = |before: &[Value], after: &[Value]| {
        diff(before, after).iter().map(|one| format!("{} {}", one["op"], one["rule"])).collect::<Vec<_>>()
    };
    assert_eq!(ops(&[a.clone(), b.clone()], &[a.clone(), other]), [r#""replace" "b.x""#]);
    assert_eq!(ops(&[a.clone(), b.clone()], &[b.clone(), a.clone()]), [r#""move" "a.x""#]);
    assert_eq!(ops(&[a.clone(), b.clone()], &[b, c]), [r#""add" "c.x""#, r#""remove" "a.x""#]);
    assert!(diff(std::slice::from_ref(&a), std::slice::from_ref(&a)).is_empty());
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "[a-z*.#:'\" -]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec(("[a-z#: '*-]{1,8}", inner), 0..3)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_again(values in prop::collection::vec(value(), 0..4)) {
        let rules: Rules = values.into_iter().map(|value| json!({ "table": "t", "x": value })).collect();
        if let Ok(text) = with_rules(FILE, &rules) {
            prop_assert_eq!(Document::parse(&text).unwrap().rules(), rules);
        } else {
            // Only what YAML has no sign for.
            let odd = |c: char| c.is_control() || ('\u{7f}'..='\u{a0}').contains(&c) || "\u{2028}\u{2029}\u{feff}\u{fffe}\u{ffff}".contains(c);
            prop_assert!(serde_json::to_string(&rules).unwrap().contains(|c| odd(c) || c == '\\'), "{:?}", rules);
        }
    }
}
