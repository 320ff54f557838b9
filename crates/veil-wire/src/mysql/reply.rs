//! What a server sends: OK, EOF, errors, column definitions.

use veil_model::mysqltype::kind;

use crate::cursor::{Cursor, Malformed, Result};
use crate::mysql::capability as cap;
use crate::mysql::frame;

/// Status flags of OK and EOF packets.
pub mod status {
    /// A transaction is open.
    pub const IN_TRANSACTION: u16 = 1;
    /// Another result follows.
    pub const MORE_RESULTS: u16 = 8;
    /// A cursor was opened: its rows have to be fetched.
    pub const CURSOR_EXISTS: u16 = 0x40;
    /// Session state follows in an OK packet.
    pub const SESSION_CHANGED: u16 = 0x4000;
    /// The result holds OUT parameters.
    pub const OUT_PARAMETERS: u16 = 0x1000;
    /// No good index was used, or none, or it took long: plans follow from values.
    pub const OF_PLAN: u16 = 0x10 | 0x20 | 0x800;
}

/// First byte of an OK packet.
pub const OK: u8 = 0;
/// First byte of an EOF packet, and of an OK packet in its place.
pub const EOF: u8 = 0xfe;
/// First byte of an error packet.
pub const ERR: u8 = 0xff;
/// First byte of a request for a file of the client.
pub const LOCAL_FILE: u8 = 0xfb;
/// From this length on a packet that begins like EOF is a row.
const EOF_LENGTH_MAX: usize = 9;

/// How rows and commands end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Status flags.
    pub status: u16,
}

impl End {
    /// Reads an OK packet; its first byte may be that of EOF.
    ///
    /// # Errors
    /// Not the layout of one.
    pub fn decode_ok(payload: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(payload);
        cursor.u8()?;
        cursor.lenenc()?;
        cursor.lenenc()?;
        Ok(Self { status: cursor.u16_le()? })
    }

    /// Reads the packet that ends rows or definitions: EOF, or OK in its place.
    ///
    /// # Errors
    /// Not the layout of one.
    pub fn decode_eof(payload: &[u8], capabilities: u64) -> Result<Self> {
        if capabilities & cap::DEPRECATE_EOF != 0 {
            return Self::decode_ok(payload);
        }
        let mut cursor = Cursor::new(payload);
        cursor.take(3)?;
        Ok(Self { status: cursor.u16_le()? })
    }

    /// The same packet, in which no warnings are counted and nothing is said of the plan: OK, or EOF of five bytes. The number of an
    /// inserted row becomes what `number` makes of it.
    ///
    /// # Errors
    /// Not the layout of one.
    pub fn without_warnings(
        payload: &[u8],
        capabilities: u64,
        number: impl Fn(u64) -> u64,
    ) -> Result<Vec<u8>> {
        let mut cursor = Cursor::new(payload);
        let eof = cursor.u8()? == EOF && capabilities & cap::DEPRECATE_EOF == 0;
        let mut out = Vec::with_capacity(payload.len());
        let status = |cursor: &mut Cursor<'_>| Ok((cursor.u16_le()? & !status::OF_PLAN).to_le_bytes());
        if eof {
            cursor.take(2)?;
            out.extend([EOF, 0, 0]);
            out.extend(status(&mut cursor)?);
        } else {
            cursor.lenenc()?;
            out.extend(payload.get(..payload.len() - cursor.rest().len()).unwrap_or_default());
            frame::put_lenenc(&mut out, number(cursor.lenenc()?));
            out.extend(status(&mut cursor)?);
            cursor.take(2)?;
            out.extend([0, 0]);
        }
        if eof || cursor.rest().is_empty() {
            out.extend(cursor.rest());
            return Ok(out);
        }
        let framed = capabilities & cap::SESSION_TRACK != 0;
        let info = if framed { cursor.lenenc_bytes()? } else { cursor.take(cursor.rest().len())? };
        // They are counted in words, too, at the end.
        let told = info.windows(WARNINGS.len()).position(|part| part == WARNINGS);
        let info = match told.and_then(|told| info.get(..told + WARNINGS.len())) {
            Some(told) => [told, b"0"].concat(),
            None => info.to_vec(),
        };
        if framed {
            frame::put_lenenc_bytes(&mut out, &info);
        } else {
            out.extend(info);
        }
        out.extend(cursor.rest());
        Ok(out)
    }

    /// Whether another result follows.
    #[must_use]
    pub const fn more(self) -> bool {
        self.status & status::MORE_RESULTS != 0
    }
}

/// Whether a packet in the place of a row ends the rows. A row may begin with the same byte, if its first text is
/// longer than 16 MiB; then the packet is longer too.
#[must_use]
pub fn ends_rows(first: u8, length: usize, capabilities: u64) -> bool {
    let max = if capabilities & cap::DEPRECATE_EOF == 0 { EOF_LENGTH_MAX } else { frame::PART_MAX };
    first == EOF && length < max
}

/// An error packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error<'a> {
    /// MySQL's number.
    pub number: u16,
    /// SQLSTATE; "HY000" where the packet has none.
    pub state: &'a [u8],
    /// What is wrong.
    pub message: &'a [u8],
}

impl<'a> Error<'a> {
    /// Reads one, its first byte included.
    ///
    /// # Errors
    /// Not the layout of one.
    pub fn decode(payload: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new(payload);
        if cursor.u8()? != ERR {
            return Err(Malformed("not an error packet"));
        }
        let number = cursor.u16_le()?;
        if cursor.rest().first() != Some(&b'#') {
            return Ok(Self { number, state: b"HY000", message: cursor.rest() });
        }
        cursor.u8()?;
        let state = cursor.take(5)?;
        Ok(Self { number, state, message: cursor.rest() })
    }

    /// Appends the payload.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.push(ERR);
        out.extend(self.number.to_le_bytes());
        out.push(b'#');
        out.extend_from_slice(self.state);
        out.extend_from_slice(self.message);
    }
}

/// Appends the payload of an OK packet that says nothing but `status`.
pub fn put_ok(out: &mut Vec<u8>, status: u16) {
    out.extend([OK, 0, 0]);
    out.extend(status.to_le_bytes());
    out.extend([0, 0]);
}

/// A column as its definition describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column<'a> {
    /// Database.
    pub database: &'a [u8],
    /// Table, by the name that the statement gives it.
    pub table: &'a [u8],
    /// Table, by its own name; empty for what is computed.
    pub org_table: &'a [u8],
    /// Column, by the name that the statement gives it.
    pub name: &'a [u8],
    /// Column, by its own name.
    pub org_name: &'a [u8],
    /// Character set and collation, by number.
    pub collation: u16,
    /// The longest value, in bytes.
    pub length: u32,
    /// Type.
    pub kind: u8,
    /// Flags of the type.
    pub flags: u16,
    /// Digits after the point.
    pub decimals: u8,
    /// Where the default value of COM_FIELD_LIST begins.
    pub default_at: usize,
}

impl<'a> Column<'a> {
    /// Reads one that has nothing behind it.
    ///
    /// # Errors
    /// Not the layout of one.
    pub fn decode_whole(payload: &'a [u8], capabilities: u64) -> Result<Self> {
        let column = Self::decode(payload, capabilities)?;
        let whole = column.default_at == payload.len();
        whole.then_some(column).ok_or(Malformed("column definition is too long"))
    }

    /// Reads a definition.
    ///
    /// # Errors
    /// Not the layout of one.
    pub fn decode(payload: &'a [u8], capabilities: u64) -> Result<Self> {
        let mut cursor = Cursor::new(payload);
        // The catalog: always "def", but written in the session's character set for results.
        cursor.lenenc_bytes()?;
        let database = cursor.lenenc_bytes()?;
        let table = cursor.lenenc_bytes()?;
        let org_table = cursor.lenenc_bytes()?;
        let name = cursor.lenenc_bytes()?;
        let org_name = cursor.lenenc_bytes()?;
        if capabilities & cap::MARIADB_EXTENDED_METADATA != 0 {
            cursor.lenenc_bytes()?;
        }
        if cursor.lenenc()? != FIXED as u64 {
            return Err(Malformed("column definition of another layout"));
        }
        let collation = cursor.u16_le()?;
        let length = cursor.u32_le()?;
        let kind = cursor.u8()?;
        let flags = cursor.u16_le()?;
        let decimals = cursor.u8()?;
        cursor.take(2)?;
        let default_at = payload.len() - cursor.rest().len();
        Ok(Self {
            database,
            table,
            org_table,
            name,
            org_name,
            collation,
            length,
            kind,
            flags,
            decimals,
            default_at,
        })
    }
}

/// Appends the definition in `payload` as that of a column of NULLs: length, type and decimals may follow from values.
///
/// # Errors
/// Not the layout of one.
pub fn put_null_column(out: &mut Vec<u8>, payload: &[u8], capabilities: u64) -> Result<()> {
    let column = Column::decode(payload, capabilities)?;
    let fixed = column.default_at.checked_sub(FIXED).ok_or(Malformed("column definition is too short"))?;
    out.extend_from_slice(payload.get(..fixed).unwrap_or_default());
    out.extend_from_slice(&BINARY.to_le_bytes());
    out.extend_from_slice(&0_u32.to_le_bytes());
    out.push(kind::NULL);
    out.extend_from_slice(&[0; 5]);
    Ok(())
}

/// What stands before the count of warnings in what is said of a change.
const WARNINGS: &[u8] = b"Warnings: ";

/// Bytes of a definition behind its names: character set, length, type, flags, decimals, and two that mean nothing.
const FIXED: usize = 12;
/// The character set of what is no text.
const BINARY: u16 = 63;

/// The answer to COM_STMT_PREPARE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Number of the statement.
    pub statement: u32,
    /// Columns of its result.
    pub columns: u16,
    /// Its parameters.
    pub parameters: u16,
}

impl Prepared {
    /// Reads one, its first byte included.
    ///
    /// # Errors
    /// Not the layout of one.
    pub fn decode(payload: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(payload);
        cursor.u8()?;
        Ok(Self { statement: cursor.u32_le()?, columns: cursor.u16_le()?, parameters: cursor.u16_le()? })
    }
}

/// How many rows an OK packet says that a statement changed.
#[must_use]
pub fn rows_of_ok(payload: &[u8]) -> u64 {
    let mut cursor = Cursor::new(payload.get(1..).unwrap_or_default());
    cursor.lenenc().unwrap_or(0)
}
