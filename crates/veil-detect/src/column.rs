//! What is known of a column before it is judged.

/// What kind of values a column's type has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Texts.
    Text,
    /// Whole numbers.
    Integer,
    /// Numbers with a fraction.
    Decimal,
    /// Days.
    Date,
    /// Moments.
    Timestamp,
    /// Truth values.
    Bool,
    /// UUIDs.
    Uuid,
    /// Addresses of networks and hosts.
    Inet,
    /// Hardware addresses.
    Mac,
    /// Points.
    Point,
    /// JSON documents.
    Json,
    /// Lists of texts, as PostgreSQL writes them: `{a,"b c"}`.
    TextArray,
    /// Words of an enumeration.
    Enum,
    /// Bytes, ranges, geometry, times and the like: only the name is looked at.
    Other,
}

/// What the table's keys say of a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Key {
    /// Nothing.
    #[default]
    None,
    /// It is the primary key, or counts rows.
    Primary,
    /// It refers to another table.
    Foreign,
    /// Its values are unique.
    Unique,
}

/// A column, and some of its values.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    /// The table's name.
    pub table: &'a str,
    /// Its own name.
    pub name: &'a str,
    /// What its type holds.
    pub kind: Kind,
    /// What is written about it in the database.
    pub comment: Option<&'a str>,
    /// What keys say of it.
    pub key: Key,
    /// The names of the table's columns.
    pub neighbours: &'a [&'a str],
    /// Sampled cells that are not NULL, in the text form of the database.
    pub samples: &'a [&'a str],
    /// The year in which they were sampled.
    pub year: i32,
}

impl Kind {
    /// What a type of PostgreSQL, MySQL or MariaDB holds, by the name that `information_schema` gives it.
    #[must_use]
    pub fn of_type(name: &str) -> Self {
        let name = name.trim().to_ascii_lowercase();
        let unsigned = name.trim_end_matches(" unsigned").trim_end_matches(" zerofill");
        if let Some(element) = unsigned.strip_suffix("[]") {
            return if Self::of_type(element) == Self::Text { Self::TextArray } else { Self::Other };
        }
        let base = unsigned.split('(').next().unwrap_or_default().trim();
        match base {
            "tinyint" if unsigned == "tinyint(1)" => Self::Bool,
            "text" | "character varying" | "varchar" | "character" | "char" | "bpchar" | "name"
            | "citext" | "tinytext" | "mediumtext" | "longtext" | "nvarchar" | "xml" => Self::Text,
            "smallint" | "integer" | "int" | "bigint" | "tinyint" | "mediumint" | "int2" | "int4"
            | "int8" | "serial" | "bigserial" | "smallserial" | "year" => Self::Integer,
            "numeric" | "decimal" if unsigned.replace(' ', "").ends_with(",0)") => Self::Integer,
            "numeric" | "decimal" | "double precision" | "double" | "float" | "real" | "float4"
            | "float8" | "money" => Self::Decimal,
            "date" => Self::Date,
            "datetime" => Self::Timestamp,
            _ if base.starts_with("timestamp") => Self::Timestamp,
            "boolean" | "bool" | "bit" => Self::Bool,
            "uuid" => Self::Uuid,
            "inet" | "cidr" | "inet4" | "inet6" => Self::Inet,
            "macaddr" | "macaddr8" => Self::Mac,
            "point" => Self::Point,
            "json" | "jsonb" => Self::Json,
            "enum" => Self::Enum,
            _ => Self::Other,
        }
    }
}
