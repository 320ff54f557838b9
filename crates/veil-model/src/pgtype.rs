//! The wire type of a PostgreSQL cell: type OID, modifier and format.

/// OIDs of the built-in types that masks understand. They are fixed by PostgreSQL's `pg_type.dat`.
pub mod oid {
    #![allow(missing_docs, reason = "the names are PostgreSQL's own")]
    pub const BOOL: u32 = 16;
    pub const BYTEA: u32 = 17;
    pub const CHAR: u32 = 18;
    pub const NAME: u32 = 19;
    pub const INT8: u32 = 20;
    pub const INT2: u32 = 21;
    pub const INT4: u32 = 23;
    pub const TEXT: u32 = 25;
    pub const JSON: u32 = 114;
    pub const POINT: u32 = 600;
    pub const CIDR: u32 = 650;
    pub const FLOAT4: u32 = 700;
    pub const FLOAT8: u32 = 701;
    pub const MACADDR8: u32 = 774;
    pub const MACADDR: u32 = 829;
    pub const INET: u32 = 869;
    pub const BPCHAR: u32 = 1042;
    pub const VARCHAR: u32 = 1043;
    pub const DATE: u32 = 1082;
    pub const TIMESTAMP: u32 = 1114;
    pub const TIMESTAMPTZ: u32 = 1184;
    pub const NUMERIC: u32 = 1700;
    pub const UUID: u32 = 2950;
    pub const JSONB: u32 = 3802;
}

/// The types of cells that people name, as PostgreSQL does.
pub const NAMES: [(&str, u32); 18] = [
    ("text", oid::TEXT),
    ("int2", oid::INT2),
    ("int4", oid::INT4),
    ("int8", oid::INT8),
    ("numeric", oid::NUMERIC),
    ("float4", oid::FLOAT4),
    ("float8", oid::FLOAT8),
    ("date", oid::DATE),
    ("timestamp", oid::TIMESTAMP),
    ("timestamptz", oid::TIMESTAMPTZ),
    ("uuid", oid::UUID),
    ("inet", oid::INET),
    ("cidr", oid::CIDR),
    ("macaddr", oid::MACADDR),
    ("point", oid::POINT),
    ("bytea", oid::BYTEA),
    ("json", oid::JSON),
    ("jsonb", oid::JSONB),
];

/// The OID of a built-in type by its name, which the grammar gives to SQL's own names too.
#[must_use]
pub fn named(name: &str) -> Option<u32> {
    Some(match name {
        "bytea" => oid::BYTEA,
        "int8" => oid::INT8,
        "int2" => oid::INT2,
        "int4" => oid::INT4,
        "text" => oid::TEXT,
        "cidr" => oid::CIDR,
        "macaddr8" => oid::MACADDR8,
        "macaddr" => oid::MACADDR,
        "inet" => oid::INET,
        "bpchar" => oid::BPCHAR,
        "varchar" => oid::VARCHAR,
        "numeric" => oid::NUMERIC,
        "uuid" => oid::UUID,
        _ => return None,
    })
}

/// How a cell is written on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// The type's text form.
    Text,
    /// The type's binary form.
    Binary,
}

/// A column's type as a row description states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PgType {
    /// OID of the type; domains report their base type.
    pub oid: u32,
    /// Type modifier, -1 for none. `varchar(n)` and `bpchar(n)` have n + 4.
    pub modifier: i32,
}

impl PgType {
    /// The longest text that the type holds, in characters; `None` without a limit.
    #[must_use]
    pub fn chars_max(self) -> Option<usize> {
        match self.oid {
            oid::VARCHAR | oid::BPCHAR if self.modifier >= 4 => usize::try_from(self.modifier - 4).ok(),
            oid::NAME => Some(63),
            oid::CHAR => Some(1),
            _ => None,
        }
    }

    /// The element's type, if this is an array of a built-in type. The modifier is the element's.
    #[must_use]
    pub fn element(self) -> Option<Self> {
        let oid = match self.oid {
            1000 => oid::BOOL,
            1001 => oid::BYTEA,
            1002 => oid::CHAR,
            1003 => oid::NAME,
            1005 => oid::INT2,
            1007 => oid::INT4,
            1009 => oid::TEXT,
            1014 => oid::BPCHAR,
            1015 => oid::VARCHAR,
            1016 => oid::INT8,
            1021 => oid::FLOAT4,
            1022 => oid::FLOAT8,
            651 => oid::CIDR,
            775 => oid::MACADDR8,
            1017 => oid::POINT,
            1040 => oid::MACADDR,
            1041 => oid::INET,
            1115 => oid::TIMESTAMP,
            1182 => oid::DATE,
            1185 => oid::TIMESTAMPTZ,
            1231 => oid::NUMERIC,
            199 => oid::JSON,
            2951 => oid::UUID,
            3807 => oid::JSONB,
            _ => return None,
        };
        Some(Self { oid, modifier: self.modifier })
    }
}
