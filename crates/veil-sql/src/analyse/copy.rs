//! COPY.

use pg_raw_parse::{Node, nodes};
use veil_model::CopyLayout;

use super::{lineage, relation_name, walk};
use crate::lineage::Lineage;
use crate::statement::{CopyOut, Facts, Kind, Source, Write};

pub(super) fn classify(copy: &nodes::CopyStmt, facts: &mut Facts) -> Kind {
    if copy.is_program {
        return Kind::Refused("COPY with a program");
    }
    if copy.filename().is_some() {
        return Kind::Refused("COPY with a server file");
    }
    walk(copy.query(), facts);
    walk(copy.where_clause(), facts);
    let columns: Vec<String> = copy.attlist().iter().filter_map(Node::as_str).map(str::to_owned).collect();
    let table = copy.relation().map(relation_name);
    if let Some(target) = &table {
        facts.relations.insert(target.clone());
        facts.names.extend(columns.iter().cloned());
        if columns.is_empty() {
            facts.names.insert("*".to_owned());
        }
        if copy.is_from {
            facts.writes.push(Write { target: target.clone(), source: Some(Source::default()) });
            return Kind::CopyIn;
        }
    }
    Kind::CopyOut(CopyOut { table: table.map(|table| (table, columns)), layout: layout(copy) })
}

/// Of a query that is copied.
pub(super) fn read_lineage(copy: &nodes::CopyStmt, text: &str) -> Option<Lineage> {
    lineage::read(copy.query(), text)
}

/// `None` if an option is not understood.
fn layout(copy: &nodes::CopyStmt) -> Option<CopyLayout> {
    let (mut format, mut header) = ("text", false);
    let (mut delimiter, mut quote, mut escape, mut null) = (None, b'"', None, None);
    for option in copy.options().iter() {
        let text = option.arg().as_str();
        let byte = || match text.map(str::as_bytes) {
            Some([byte]) => Some(*byte),
            _ => None,
        };
        match option.defname()? {
            "format" => format = text?,
            "delimiter" => delimiter = Some(byte()?),
            "null" => null = Some(text?.as_bytes()),
            "quote" => quote = byte()?,
            "escape" => escape = Some(byte()?),
            "header" => header = is_on(option.arg())?,
            "encoding" if text.is_some_and(is_utf8) => {}
            "force_quote" => {}
            _ => return None,
        }
    }
    match format {
        "text" => Some(CopyLayout::Text {
            delimiter: delimiter.unwrap_or(b'\t'),
            null: null.unwrap_or(b"\\N").into(),
            header,
        }),
        "csv" => Some(CopyLayout::Csv {
            delimiter: delimiter.unwrap_or(b','),
            quote,
            escape: escape.unwrap_or(quote),
            null: null.unwrap_or(b"").into(),
            header,
        }),
        "binary" => Some(CopyLayout::Binary),
        _ => None,
    }
}

fn is_utf8(encoding: &str) -> bool {
    matches!(encoding.to_ascii_lowercase().as_str(), "utf8" | "utf-8" | "unicode")
}

/// The value of a setting that is on or off; on without one.
fn is_on(value: Node<'_>) -> Option<bool> {
    match value {
        Node::None => Some(true),
        Node::Boolean(value) => Some(value.boolval),
        Node::Integer(value) => Some(value.ival != 0),
        other => match other.as_str()?.to_ascii_lowercase().as_str() {
            "true" | "on" | "1" => Some(true),
            "false" | "off" | "0" => Some(false),
            _ => None,
        },
    }
}
