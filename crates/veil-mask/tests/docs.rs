//! `docs/masking.md` is printed from the catalogue. `UPDATE_GOLDEN=1 cargo test -p veil-mask --test docs` renews it.

use std::fmt::Write;
use std::path::Path;

use veil_mask::{Function, Guarantee, ParameterKind, Strategy, Takes};

const INTRODUCTION: &str = "# Masking functions

A rule's `strategy` names one of these; its parameters stand beside it in the rule. NULL stays NULL. Masks have the column's type, in text
and binary: a cell that a function cannot handle is NULL, never the value. Equal values have equal masks under one key, in every table,
database and format, but for `boolean` and `date_shift` with `by`, whose masks depend on another column too. Functions that invent normalise first (case and spaces of
emails and names, digits of phones and cards); those that encrypt do not, since every spelling has to be found again.

The mask of an enumeration's word is a word of the same enumeration: `category`, `lookup` with `otherwise: \'null\'` and `constant` fit if theirs are.
Arrays are masked element by element (`default`, `redact` and `secret` empty them). In `json` and `jsonb`, `json` masks what stands at given paths;
`null`, `default`, `redact`, `secret`, `constant` and `hash` replace the document; the functions for text mask a document that is a text, and make any other
NULL. Text that does not have the form that a function expects (an email, a phone number ...) becomes `[REDACTED]`.

What is said of the masks of a function, for values of the form that it is for:

| | |
|---|---|
| deterministic | equal values have equal masks |
| unique | no two values have one mask |
| probable | two values rarely have one mask, where the column is wide |
| lossy | many values share a mask |
| format | a mask looks like the value: its length, alphabet and separators |
| valid | a mask passes the checks that values of its kind pass |
| safe | masks come from ranges that are reserved, or say of themselves what they are: no mask is anybody's |
| reversible | whoever has the key can find the value; what clients give is taken for masks |
| order | order, or distances, are kept |

Whoever sees masks always sees which values are equal. All functions but `null`, `default`, `redact`, `secret`, `constant`, `partial`, `truncate`, `regex`, `geo`, `date_truncate`,
`lookup`, and the modes of others that say so, depend on the key.

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
        ParameterKind::Texts => "a list of texts".to_owned(),
        ParameterKind::Pairs => "texts with a text for each".to_owned(),
        ParameterKind::Functions => "paths with a function for each".to_owned(),
    }
}

fn told(Guarantee { tag, with }: &Guarantee) -> String {
    match with {
        None => tag.name().to_owned(),
        Some((parameter, [""])) => format!("{} (without `{parameter}`)", tag.name()),
        Some((parameter, words)) => format!("{} (`{parameter}`: {})", tag.name(), words.join(" or ")),
    }
}

fn section(function: &Function, out: &mut String) -> std::fmt::Result {
    writeln!(out, "## `{}`\n\n{}\n", function.name, function.summary)?;
    let takes = match function.takes {
        all if all.len() == Takes::ALL.len() => "any".to_owned(),
        takes => takes.iter().map(|takes| takes.name()).collect::<Vec<_>>().join(", "),
    };
    let tags = match function.tags {
        [] => "as those of the other function, but not reversible".to_owned(),
        tags => tags.iter().map(told).collect::<Vec<_>>().join(", "),
    };
    writeln!(out, "Types: {takes}. Masks are: {tags}. They say: {}.\n", function.leaks)?;
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
