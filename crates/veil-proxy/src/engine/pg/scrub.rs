//! Errors and notices without what may quote data.
//!
//! Kept are severity, SQLSTATE and, unless code of a user ran, which can state them as it likes, the names of
//! schema, table, column, type and constraint. Message, detail,
//! hint, context and query texts may quote values. A message is kept where it comes from a source file of
//! PostgreSQL whose messages name only what the client wrote, and no function was running.

use veil_mask::Scan;
use veil_model::Format;
use veil_wire::pg::frame;
use veil_wire::pg::reply::ErrorFields;

/// Fields that never hold a value.
const KEPT: &[u8] = b"SVC";
/// Names, which only the server itself states truthfully.
const NAMES: &[u8] = b"stcdn";

/// Source files whose messages quote the statement and names of objects, never a row.
#[rustfmt::skip]
const FILES: &[&[u8]] = &[
    b"aclchk.c", b"analyze.c", b"gram.y", b"guc.c", b"guc_funcs.c", b"lockcmds.c", b"miscinit.c", b"parse_agg.c",
    b"parse_clause.c", b"parse_coerce.c", b"parse_collate.c", b"parse_cte.c", b"parse_expr.c", b"parse_func.c",
    b"parse_merge.c", b"parse_node.c", b"parse_oper.c", b"parse_param.c", b"parse_relation.c", b"parse_target.c",
    b"parse_utilcmd.c", b"portalcmds.c", b"portalmem.c", b"postgres.c", b"prepare.c", b"scan.l", b"user.c",
    b"variable.c", b"xact.c",
];

/// Of these, those whose code functions call as well, with what they are given. What is said of the statement's own text
/// comes with a place in it.
#[rustfmt::skip]
const CALLED: &[&[u8]] = &[
    b"aclchk.c", b"gram.y", b"guc.c", b"guc_funcs.c", b"miscinit.c", b"parse_func.c", b"parse_node.c", b"parse_oper.c",
    b"parse_relation.c", b"parse_target.c", b"scan.l", b"user.c", b"variable.c",
];

/// Whether the text of an error or notice can be shown: of a statement that reads rows, or of one that does not.
pub(super) fn is_harmless(fields: &ErrorFields<'_>, reads: bool) -> bool {
    let file = fields.field(b'F').unwrap_or_default();
    let called = reads && CALLED.contains(&file) && fields.field(b'P').is_none();
    !quotes_context(fields) && FILES.contains(&file) && !called
}

/// Whether something ran inside the statement that its text does not show: a function, a cascade, a query of
/// the server's own. COPY's line of its own data is not that.
pub(super) fn quotes_context(fields: &ErrorFields<'_>) -> bool {
    let context = fields.field(b'W').unwrap_or_default();
    let own = context.is_empty() || (context.starts_with(b"COPY ") && !context.contains(&b'\n'));
    !own || fields.field(b'q').is_some()
}

/// Whether it is written for the server's log, and shown to clients who ask for that.
pub(super) fn is_log(fields: &ErrorFields<'_>) -> bool {
    fields.field(b'V').is_none_or(|severity| severity == b"LOG" || severity.starts_with(b"DEBUG"))
}

/// Appends the message `tag` with all of `fields`, but the place in the text if that is another, and but what is found in them.
pub(super) fn write_shown(
    tag: u8,
    fields: &ErrorFields<'_>,
    placed: bool,
    scan: Option<&Scan>,
    out: &mut Vec<u8>,
) {
    let mut scratch = Vec::new();
    frame::write(out, tag, |out| {
        for (field, value) in fields.iter().filter(|(field, _)| placed || *field != b'P') {
            out.push(field);
            let shown = scan.map_or(Some(value), |scan| scan.cell(Format::Text, value, &mut scratch));
            frame::put_cstr(out, shown.unwrap_or_default());
        }
        out.push(0);
    });
}

/// Appends the message `tag` with what may be kept of `fields`.
pub(super) fn write(tag: u8, fields: &ErrorFields<'_>, out: &mut Vec<u8>) {
    let code = fields.field(b'C').unwrap_or_default();
    let message = format!("{} (IronVeil withheld the message: it may quote masked data)", describe(code));
    let names = if quotes_context(fields) { &[] } else { NAMES };
    frame::write(out, tag, |out| {
        let kept = |field: &u8| KEPT.contains(field) || names.contains(field);
        for (field, value) in fields.iter().filter(|(field, _)| kept(field)) {
            out.push(field);
            frame::put_cstr(out, value);
        }
        out.push(b'M');
        frame::put_cstr(out, message);
        out.push(0);
    });
}

/// What a SQLSTATE means, in words.
fn describe(code: &[u8]) -> &'static str {
    match code {
        b"23502" => "a column may not be null",
        b"23503" => "a foreign key constraint is violated",
        b"23505" => "a unique constraint is violated",
        b"23514" => "a check constraint is violated",
        b"22P02" => "a text is not valid for its type",
        b"22001" => "a value is too long for its type",
        b"22003" => "a number is out of range",
        b"22012" => "division by zero",
        b"40001" => "the transaction could not be serialised",
        b"40P01" => "deadlock detected",
        b"57014" => "the statement was cancelled",
        _ => match code.get(..2) {
            Some(b"00" | b"01") => "notice",
            Some(b"22") => "a value is not valid",
            Some(b"23") => "an integrity constraint is violated",
            Some(b"42") => "the statement is not valid",
            Some(b"57" | b"53") => "the server ended or refused the statement",
            _ => "the statement failed",
        },
    }
}
