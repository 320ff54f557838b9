//! Cells of MySQL's text and binary rows, without the bytes that delimit them.
//!
//! A cell is written as PostgreSQL would write it, masked, and written back, so that a value has one mask whatever
//! server and protocol it comes by.

use std::borrow::Cow;
use std::io::Write;

use veil_model::mysqltype::{flag, kind as code};
use veil_model::{Charset, Format, MySqlType};

use crate::charset;
use crate::date::Iso;
use crate::kind::{Kind, Limit, Precision};
use crate::masker::{Cell, ColumnMask, Masker};

/// What to do with the cells of one column of one result.
#[derive(Clone)]
pub struct MySqlColumn {
    mask: ColumnMask,
    form: Form,
}

/// How cells of a type are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A text in this character set, in both forms of rows.
    Text(Charset),
    /// Digits, in both forms of rows.
    Digits,
    /// Bytes, in both forms of rows; at most so many.
    Bytes(usize),
    /// An integer of so many bytes.
    Int {
        bytes: usize,
        unsigned: bool,
    },
    Float,
    Double,
    Moment,
}

impl Masker {
    /// What the strategy does to a column of type `ty`.
    #[must_use]
    pub fn mysql_column(&self, ty: &MySqlType<'_>) -> MySqlColumn {
        // Of an enumeration, only words of its own are masks.
        let form = form_of(ty).filter(|_| self.has_words() || ty.flags & flag::ENUM == 0);
        let Some((kind, form)) = form else {
            return MySqlColumn { mask: ColumnMask::null(), form: Form::Digits };
        };
        MySqlColumn { mask: self.of_kind(kind), form }
    }
}

impl Masker {
    /// Whether there are masks of a column's type, as it is declared.
    #[must_use]
    pub fn suits(&self, ty: &str) -> bool {
        let kind = match ty.split(['(', ' ']).next().unwrap_or_default() {
            "enum" if self.has_words() => Some(Kind::Text(Limit::NONE)),
            name if name.ends_with("blob") || name.ends_with("binary") => Some(Kind::Bytea),
            _ => kind_of(ty),
        };
        kind.map_or_else(|| self.is_null(), |kind| self.of_kind(kind).supported())
    }

    /// What the strategy does to a column's values as texts, by the type that is declared; `None` if they have no such form.
    #[must_use]
    pub fn declared(&self, ty: &str) -> Option<ColumnMask> {
        kind_of(ty).map(|kind| self.of_kind(kind))
    }
}

/// The cells of a type as it is declared: `varchar(50)`, `int(10) unsigned`.
fn kind_of(declared: &str) -> Option<Kind> {
    let name = declared.split(['(', ' ']).next()?;
    let inside = declared.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    let mut numbers =
        inside.map_or("", |(inside, _)| inside).split(',').map(|number| number.trim().parse().ok());
    let unsigned = ["unsigned", "zerofill"].iter().any(|word| declared.contains(word));
    let signed = |signed, other| Some(if unsigned { other } else { signed });
    match name {
        "tinyint" => signed(Kind::Ranged(127), Kind::Ranged(255)),
        "smallint" => signed(Kind::Int2, Kind::Ranged(65_535)),
        "mediumint" => signed(Kind::Ranged(8_388_607), Kind::Ranged(16_777_215)),
        "int" => signed(Kind::Int4, Kind::Ranged(u32::MAX.into())),
        "bigint" => signed(Kind::Int8, Kind::Numeric(Precision { integer_digits: 19, scale: 0 })),
        "decimal" => {
            let (digits, scale): (u32, u32) = (numbers.next()??, numbers.next().flatten().unwrap_or(0));
            Some(Kind::Numeric(Precision { integer_digits: digits.checked_sub(scale)?, scale }))
        }
        "char" | "varchar" => {
            let chars = usize::try_from(numbers.next()??).ok()?;
            Some(Kind::Text(Limit { chars, bytes: usize::MAX }))
        }
        "tinytext" | "text" | "mediumtext" | "longtext" => Some(Kind::Text(Limit::NONE)),
        "uuid" => Some(Kind::Uuid),
        "inet4" | "inet6" => Some(Kind::Inet),
        "date" => Some(Kind::Date),
        "datetime" | "timestamp" => Some(Kind::Timestamp),
        "float" => Some(Kind::Float4),
        "double" => Some(Kind::Float8),
        "json" => Some(Kind::Json),
        _ => None,
    }
}

pub(crate) fn form_of(ty: &MySqlType<'_>) -> Option<(Kind, Form)> {
    let int = |bytes, signed, unsigned| {
        let kind = if ty.is_unsigned() { unsigned } else { signed };
        Some((kind, Form::Int { bytes, unsigned: ty.is_unsigned() }))
    };
    match ty.code {
        code::TINY => int(1, Kind::Ranged(127), Kind::Ranged(255)),
        code::SHORT => int(2, Kind::Int2, Kind::Ranged(65_535)),
        code::INT24 => int(4, Kind::Ranged(8_388_607), Kind::Ranged(16_777_215)),
        code::LONG => int(4, Kind::Int4, Kind::Ranged(u32::MAX.into())),
        code::LONGLONG => int(8, Kind::Int8, Kind::Numeric(Precision { integer_digits: 19, scale: 0 })),
        code::FLOAT => Some((Kind::Float4, Form::Float)),
        code::DOUBLE => Some((Kind::Float8, Form::Double)),
        code::DECIMAL | code::NEWDECIMAL => Some((Kind::Numeric(precision(ty)), Form::Digits)),
        code::DATE | code::NEWDATE => Some((Kind::Date, Form::Moment)),
        code::DATETIME | code::TIMESTAMP => Some((Kind::Timestamp, Form::Moment)),
        code::JSON => Some((Kind::Json, Form::Text(Charset::Utf8mb4))),
        code::VARCHAR | code::VAR_STRING | code::STRING | code::TINY_BLOB..=code::BLOB
            if ty.flags & flag::SET == 0 =>
        {
            text(ty)
        }
        _ => None,
    }
}

fn text(ty: &MySqlType<'_>) -> Option<(Kind, Form)> {
    let chars = ty.chars_max();
    match (ty.charset?, ty.declared) {
        (Charset::Binary, _) => Some((Kind::Bytea, Form::Bytes(chars))),
        (charset, "uuid") => Some((Kind::Uuid, Form::Text(charset))),
        (charset, "inet4" | "inet6") => Some((Kind::Inet, Form::Text(charset))),
        (charset, _) => Some((Kind::Text(Limit { chars, bytes: usize::MAX }), Form::Text(charset))),
    }
}

/// The length of `decimal(p, s)` counts the point and, where there may be one, the sign.
fn precision(ty: &MySqlType<'_>) -> Precision {
    let marks = u32::from(ty.decimals > 0) + u32::from(!ty.is_unsigned());
    let digits = ty.length.saturating_sub(marks);
    Precision { integer_digits: digits.saturating_sub(ty.decimals.into()), scale: ty.decimals.into() }
}

impl MySqlColumn {
    /// Makes every cell NULL.
    #[must_use]
    pub const fn null() -> Self {
        Self { mask: ColumnMask::null(), form: Form::Digits }
    }

    /// Masks one cell that is not NULL, appending the new cell to `out`. `format` is the row's.
    ///
    /// A cell that cannot be read, or has no mask of its type, becomes NULL and leaves `out` as it was.
    pub fn mask(&self, format: Format, cell: &[u8], out: &mut Vec<u8>) -> Cell {
        self.mask_of(None, format, cell, out)
    }

    /// The same, with what the cell is of.
    pub fn mask_of(&self, subject: Option<&str>, format: Format, cell: &[u8], out: &mut Vec<u8>) -> Cell {
        let start = out.len();
        if self.mask_cell(subject, format, cell, out).is_some() {
            return Cell::Written;
        }
        out.truncate(start);
        Cell::Null
    }

    fn mask_cell(&self, subject: Option<&str>, format: Format, cell: &[u8], out: &mut Vec<u8>) -> Option<()> {
        match (self.form, format) {
            (Form::Text(Charset::Utf8mb4), _)
            | (Form::Digits, _)
            | (Form::Int { .. } | Form::Float | Form::Double | Form::Moment, Format::Text) => {
                self.written(subject, Format::Text, cell, out)
            }
            (Form::Text(charset), _) => {
                let text = charset::decode(charset, cell)?;
                let mut masked = Vec::new();
                self.written(subject, Format::Text, text.as_bytes(), &mut masked)?;
                charset::encode(charset, std::str::from_utf8(&masked).ok()?, out)
            }
            (Form::Bytes(max), _) => {
                let start = out.len();
                self.written(subject, Format::Binary, cell, out)?;
                let fits = out.len() - start <= max;
                out.truncate(start.saturating_add(max));
                // What is cut could not be opened.
                (fits || !self.mask.is_reversible()).then_some(())
            }
            (form, Format::Binary) => {
                let text = form.read(cell)?;
                let mut masked = Vec::new();
                self.written(subject, Format::Text, text.as_bytes(), &mut masked)?;
                form.write(std::str::from_utf8(&masked).ok()?, out)
            }
        }
    }

    fn written(&self, subject: Option<&str>, format: Format, cell: &[u8], out: &mut Vec<u8>) -> Option<()> {
        match self.mask.mask_of(subject, format, cell, out) {
            Cell::Written => Some(()),
            Cell::Null => None,
        }
    }
}

impl Form {
    /// The text of a cell, in UTF-8.
    pub(crate) fn text(self, format: Format, cell: &[u8]) -> Option<String> {
        match (self, format) {
            (Self::Text(charset), _) => charset::decode(charset, cell).map(Cow::into_owned),
            (Self::Digits, _) | (_, Format::Text) => std::str::from_utf8(cell).ok().map(str::to_owned),
            (form, Format::Binary) => form.read(cell).map(Cow::into_owned),
        }
    }

    /// A binary cell as text.
    fn read(self, cell: &[u8]) -> Option<Cow<'_, str>> {
        Some(Cow::Owned(match self {
            Self::Int { bytes, unsigned } => {
                let cell = cell.get(..bytes).filter(|_| cell.len() == bytes)?;
                let negative = !unsigned && cell.last().is_some_and(|byte| byte & 0x80 != 0);
                let mut wide = [if negative { 0xff } else { 0 }; 8];
                wide.get_mut(..bytes)?.copy_from_slice(cell);
                if unsigned {
                    u64::from_le_bytes(wide).to_string()
                } else {
                    i64::from_le_bytes(wide).to_string()
                }
            }
            Self::Float => f32::from_le_bytes(cell.try_into().ok()?).to_string(),
            Self::Double => f64::from_le_bytes(cell.try_into().ok()?).to_string(),
            Self::Moment => moment_text(cell)?,
            Self::Text(_) | Self::Digits | Self::Bytes(_) => return None,
        }))
    }

    /// Appends a text as a binary cell.
    fn write(self, text: &str, out: &mut Vec<u8>) -> Option<()> {
        match self {
            Self::Int { bytes, unsigned } => {
                let wide = if unsigned {
                    text.parse::<u64>().ok()?.to_le_bytes()
                } else {
                    text.parse::<i64>().ok()?.to_le_bytes()
                };
                out.extend(wide.get(..bytes)?);
            }
            Self::Float => out.extend(text.parse::<f32>().ok()?.to_le_bytes()),
            Self::Double => out.extend(text.parse::<f64>().ok()?.to_le_bytes()),
            Self::Moment => put_moment(text, out)?,
            Self::Text(_) | Self::Digits | Self::Bytes(_) => return None,
        }
        Some(())
    }
}

/// A binary date or time as text: year, month, day; hour, minute, second; microseconds. Parts that are zero may be left out.
#[must_use]
pub fn moment_text(cell: &[u8]) -> Option<String> {
    let byte = |at: usize| cell.get(at).copied().unwrap_or_default();
    let mut out = Vec::new();
    let year = u16::from_le_bytes([byte(0), byte(1)]);
    write!(out, "{year:04}-{:02}-{:02}", byte(2), byte(3)).ok()?;
    if cell.len() > 4 {
        write!(out, " {:02}:{:02}:{:02}", byte(4), byte(5), byte(6)).ok()?;
    }
    if cell.len() > 7 {
        write!(out, ".{:06}", u32::from_le_bytes([byte(7), byte(8), byte(9), byte(10)])).ok()?;
    }
    String::from_utf8(out).ok()
}

fn put_moment(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let iso = Iso::parse(text)?;
    let mut parts = text.split(['-', ' ', 'T', ':', '.']);
    let mut number = || parts.next().unwrap_or("0").parse::<u32>().ok();
    out.extend(u16::try_from(number()?).ok()?.to_le_bytes());
    for _ in 0..2 {
        out.push(u8::try_from(number()?).ok()?);
    }
    if iso.tail.is_empty() {
        return Some(());
    }
    for _ in 0..3 {
        out.push(u8::try_from(number()?).ok()?);
    }
    let micros = iso.micros.rem_euclid(1_000_000);
    if micros != 0 {
        out.extend(u32::try_from(micros).ok()?.to_le_bytes());
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{Param, RootKey, Strategy};

    fn ty(code: u8) -> MySqlType<'static> {
        MySqlType { code, charset: Some(Charset::Utf8mb4), length: 400, flags: 0, decimals: 0, declared: "" }
    }

    fn masked(name: &str, ty: &MySqlType<'_>, format: Format, cell: &[u8]) -> Option<Vec<u8>> {
        let mut parameters = BTreeMap::new();
        if name == "constant" {
            parameters.insert("value".to_owned(), Param::Int(7));
        }
        let masker = Masker::new(&RootKey::from_bytes([7; 32]), &Strategy::parse(name, &parameters).unwrap());
        let mut out = b"before".to_vec();
        let written = masker.mysql_column(ty).mask(format, cell, &mut out);
        assert!(out.starts_with(b"before"));
        (written == Cell::Written).then(|| out.split_off(6))
    }

    /// A type, a value in a text row, and the same in a binary row.
    const SAME: &[(&str, u8, u16, &str, &[u8])] = &[
        ("hash", code::TINY, 0, "-5", &[0xfb]),
        ("hash", code::TINY, flag::UNSIGNED, "200", &[200]),
        ("hash", code::SHORT, 0, "300", &[0x2c, 1]),
        ("hash", code::INT24, 0, "-2", &[0xfe, 0xff, 0xff, 0xff]),
        ("hash", code::LONG, flag::UNSIGNED, "4294967295", &[0xff; 4]),
        ("hash", code::LONGLONG, 0, "-1", &[0xff; 8]),
        ("hash", code::LONGLONG, flag::UNSIGNED, "18446744073709551615", &[0xff; 8]),
        ("hash", code::DOUBLE, 0, "1.5", &[0, 0, 0, 0, 0, 0, 0xf8, 0x3f]),
        ("hash", code::FLOAT, 0, "1.5", &[0, 0, 0xc0, 0x3f]),
        ("date_shift", code::DATE, 0, "2024-02-29", &[0xe8, 7, 2, 29]),
        ("date_shift", code::DATETIME, 0, "2024-02-29 01:02:03", &[0xe8, 7, 2, 29, 1, 2, 3]),
        (
            "date_shift",
            code::TIMESTAMP,
            0,
            "2024-02-29 01:02:03.000500",
            &[0xe8, 7, 2, 29, 1, 2, 3, 0xf4, 1, 0, 0],
        ),
        ("redact", code::DATETIME, 0, "2024-02-29 01:02:03", &[0xe8, 7, 2, 29, 1, 2, 3]),
        ("constant", code::LONG, 0, "5", &[5, 0, 0, 0]),
    ];

    #[test]
    fn both_forms_of_rows_have_the_same_mask() {
        for (name, code, flags, text, binary) in SAME {
            let ty = MySqlType { flags: *flags, ..ty(*code) };
            let (_, form) = form_of(&ty).unwrap();
            assert_eq!(form.read(binary).as_deref(), Some(*text));
            let by_text = masked(name, &ty, Format::Text, text.as_bytes()).unwrap();
            let by_binary = masked(name, &ty, Format::Binary, binary).unwrap();
            assert_ne!(by_text, text.as_bytes(), "{name} {text}");
            let shown = form.read(&by_binary).unwrap().into_owned();
            assert_eq!(
                shown.trim_end_matches(" 00:00:00"),
                std::str::from_utf8(&by_text).unwrap().trim_end_matches(" 00:00:00"),
                "{name} {text}"
            );
        }
    }

    #[test]
    fn texts_have_one_mask_in_every_character_set() {
        let plain = masked("email", &ty(code::VAR_STRING), Format::Text, b"a@b.test").unwrap();
        for charset in [Charset::Latin1, Charset::Gbk, Charset::Utf16, Charset::Utf32, Charset::Utf8mb3] {
            let ty = MySqlType { charset: Some(charset), ..ty(code::VAR_STRING) };
            let mut cell = Vec::new();
            charset::encode(charset, "a@b.test", &mut cell).unwrap();
            let masked = masked("email", &ty, Format::Binary, &cell).unwrap();
            assert_eq!(charset::decode(charset, &masked).unwrap().as_bytes(), plain, "{charset:?}");
        }
    }

    #[test]
    fn what_has_no_mask_is_null() {
        for (name, code, flags, cell) in [
            ("email", code::LONG, 0, &b"5"[..]),
            ("hash", code::TIME, 0, b"01:02:03"),
            ("hash", code::GEOMETRY, 0, b"x"),
            ("redact", code::STRING, flag::ENUM, b"a"),
            ("date_shift", code::DATE, 0, b"0000-00-00"),
            ("null", code::VAR_STRING, 0, b"a"),
        ] {
            let ty = MySqlType { flags, ..ty(code) };
            assert_eq!(masked(name, &ty, Format::Text, cell), None, "{name} {code}");
        }
        let unknown = MySqlType { charset: None, ..ty(code::VAR_STRING) };
        assert_eq!(masked("email", &unknown, Format::Text, b"a@b.test"), None);
    }

    #[test]
    fn masks_fit_the_column() {
        let short = MySqlType { length: 8 * 4, ..ty(code::VAR_STRING) };
        assert_eq!(masked("hash", &short, Format::Text, b"abc").unwrap().len(), 8);
        let bytes = MySqlType { charset: Some(Charset::Binary), length: 16, ..ty(code::STRING) };
        assert_eq!(masked("hash", &bytes, Format::Text, b"abc").unwrap().len(), 16);
    }
}
