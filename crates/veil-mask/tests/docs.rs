//! `docs/masking.md` is printed from the catalogue. `UPDATE_GOLDEN=1 cargo test -p veil-mask --test docs` renews it.

use std::fmt::Write;
use std::path::Path;

use veil_mask::{Function, ParameterKind, Strategy};

const INTRODUCTION: &str = "# Masking functions

A rule's `strategy` names one of these; its parameters stand beside it in the rule. NULL stays NULL. Masks have the column's type, in text
and binary: a cell that a function cannot handle is NULL, never the value. Equal values have equal masks under one key, in every table,
database and format. Values are normalised first (case and spaces of emails and names, digits of phones and cards).

Arrays are masked element by element (`redact` empties them). In `json` and `jsonb`, `null`, `redact`, `constant` and `hash` replace the document; the functions for
text mask a document that is a text, and make any other NULL. Text that does not have the form that a function expects (an email, a phone
number ...) becomes `[REDACTED]`.

";

fn values(kind: ParameterKind) -> String {
    match kind {
        ParameterKind::Text => "text".to_owned(),
        ParameterKind::Character => "one character".to_owned(),
        ParameterKind::Int { min, max } => format!("{min} to {max}"),
        ParameterKind::Bool => "`true`, `false`".to_owned(),
        ParameterKind::Choice(words) => {
            words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
        }
        ParameterKind::Any => "a value of the column's type".to_owned(),
    }
}

fn section(function: &Function, out: &mut String) -> std::fmt::Result {
    writeln!(out, "## `{}`\n\n{}\n", function.name, function.summary)?;
    if function.params.is_empty() {
        return Ok(());
    }
    writeln!(out, "| parameter | values | default | meaning |\n|---|---|---|---|")?;
    for parameter in function.params {
        let default = parameter.default.map_or("required".to_owned(), |default| format!("`{default}`"));
        writeln!(
            out,
            "| `{}` | {} | {default} | {} |",
            parameter.name,
            values(parameter.kind),
            parameter.what
        )?;
    }
    writeln!(out)
}

#[test]
fn the_documentation_is_that_of_the_catalogue() {
    let mut text = INTRODUCTION.to_owned();
    for function in Strategy::catalogue() {
        section(function, &mut text).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/masking.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, text, "docs/masking.md is out of date; UPDATE_GOLDEN=1 renews it");
}
