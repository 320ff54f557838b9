//! Values of composite types, field by field: the text form `(a,"b "" c",)` (`record_out`) and the binary form
//! (`record_send`, src/backend/utils/adt/rowtypes.c).

use veil_model::Format;

use crate::masker::{Cell, ColumnMask};

/// Rewrites a value with so many fields, each by what is there for it; `None` if it is malformed.
pub(crate) fn mask(format: Format, fields: &[ColumnMask], cell: &[u8], out: &mut Vec<u8>) -> Option<()> {
    match format {
        Format::Text => text(fields, cell, out),
        Format::Binary => binary(fields, cell, out),
    }
}

fn text(fields: &[ColumnMask], cell: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = cell.strip_prefix(b"(")?;
    let mut masked = Vec::new();
    for (at, field) in fields.iter().enumerate() {
        out.push(if at == 0 { b'(' } else { b',' });
        if let Some(value) = field_of(&mut rest)? {
            masked.clear();
            if field.mask(Format::Text, &value, &mut masked) == Cell::Written {
                quote(&masked, out);
            }
        }
        let last = at + 1 == fields.len();
        rest = rest.strip_prefix(if last { b")" } else { b"," })?;
    }
    out.push(b')');
    (rest.is_empty() && !fields.is_empty()).then_some(())
}

/// Takes a field; one that is empty without quotes is NULL.
fn field_of(rest: &mut &[u8]) -> Option<Option<Vec<u8>>> {
    let (mut value, mut quoted, mut given) = (Vec::new(), false, false);
    loop {
        match **rest {
            [b'"', b'"', ref after @ ..] if quoted => {
                value.push(b'"');
                *rest = after;
            }
            [b'"', ref after @ ..] => {
                (quoted, given) = (!quoted, true);
                *rest = after;
            }
            [b'\\', byte, ref after @ ..] => {
                value.push(byte);
                *rest = after;
            }
            [b',' | b')', ..] if !quoted => return Some((given || !value.is_empty()).then_some(value)),
            [byte, ref after @ ..] => {
                value.push(byte);
                *rest = after;
            }
            [] => return None,
        }
    }
}

fn quote(value: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in value {
        if matches!(byte, b'"' | b'\\') {
            out.push(byte);
        }
        out.push(byte);
    }
    out.push(b'"');
}

fn binary(fields: &[ColumnMask], cell: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (count, mut rest) = cell.split_first_chunk()?;
    if usize::try_from(u32::from_be_bytes(*count)).ok()? != fields.len() {
        return None;
    }
    out.extend(count);
    for field in fields {
        let (oid, after) = rest.split_first_chunk::<4>()?;
        let (length, after) = after.split_first_chunk()?;
        out.extend(oid);
        let at = out.len();
        out.extend((-1_i32).to_be_bytes());
        rest = after;
        // NULL has no length.
        if let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) {
            let (value, after) = rest.split_at_checked(length)?;
            if field.mask(Format::Binary, value, out) == Cell::Written {
                let length = u32::try_from(out.len() - at - 4).ok()?;
                out.get_mut(at..at + 4)?.copy_from_slice(&length.to_be_bytes());
            }
            rest = after;
        }
    }
    rest.is_empty().then_some(())
}
