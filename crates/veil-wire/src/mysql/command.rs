//! What a client sends in a session. Only what the proxy has to understand is decoded.

use veil_model::mysqltype::kind;

use crate::cursor::{Cursor, Malformed, Result};
use crate::mysql::capability as cap;
use crate::mysql::value::{self, Width};

/// A command, by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the protocol's own")]
pub enum Command {
    Quit,
    InitDb,
    Query,
    FieldList,
    Statistics,
    ProcessInfo,
    ProcessKill,
    Debug,
    Ping,
    ChangeUser,
    StmtPrepare,
    StmtExecute,
    StmtSendLongData,
    StmtClose,
    StmtReset,
    SetOption,
    StmtFetch,
    ResetConnection,
    StmtBulkExecute,
    /// Refused: replication, shutdown, creating and dropping databases, and what nobody knows.
    Other(u8),
}

impl Command {
    /// What the byte means.
    #[must_use]
    pub const fn decode(byte: u8) -> Self {
        match byte {
            1 => Self::Quit,
            2 => Self::InitDb,
            3 => Self::Query,
            4 => Self::FieldList,
            9 => Self::Statistics,
            10 => Self::ProcessInfo,
            12 => Self::ProcessKill,
            13 => Self::Debug,
            14 => Self::Ping,
            17 => Self::ChangeUser,
            22 => Self::StmtPrepare,
            STMT_EXECUTE => Self::StmtExecute,
            24 => Self::StmtSendLongData,
            25 => Self::StmtClose,
            26 => Self::StmtReset,
            27 => Self::SetOption,
            28 => Self::StmtFetch,
            31 => Self::ResetConnection,
            STMT_BULK_EXECUTE => Self::StmtBulkExecute,
            other => Self::Other(other),
        }
    }
}

/// Byte of COM_QUERY.
pub const QUERY: u8 = 3;
/// Byte of COM_QUIT.
pub const QUIT: u8 = 1;
/// Flags of COM_STMT_EXECUTE that ask for a cursor.
pub const CURSOR_TYPES: u8 = 7;
/// Byte of COM_PROCESS_KILL.
pub const PROCESS_KILL: u8 = 12;
/// Byte of COM_STMT_PREPARE.
pub const STMT_PREPARE: u8 = 22;
/// Byte of COM_STMT_EXECUTE.
pub const STMT_EXECUTE: u8 = 23;
/// Byte of COM_STMT_BULK_EXECUTE.
pub const STMT_BULK_EXECUTE: u8 = 0xfa;
/// The flag of a query attribute's type: a number without a sign.
const UNSIGNED: u8 = 0x80;

/// The text of COM_QUERY, which stands behind query attributes if the client sends such. Returns where it begins.
///
/// # Errors
/// Not the layout of one.
pub fn query_text(body: &[u8], capabilities: u64) -> Result<usize> {
    if capabilities & cap::QUERY_ATTRIBUTES == 0 {
        return Ok(0);
    }
    let mut cursor = Cursor::new(body);
    let count = usize::try_from(cursor.lenenc()?).map_err(|_| Malformed("impossible count"))?;
    if cursor.lenenc()? != 1 {
        return Err(Malformed("several sets of query attributes"));
    }
    if count > 0 {
        skip_attributes(&mut cursor, count)?;
    }
    Ok(body.len() - cursor.rest().len())
}

fn skip_attributes(cursor: &mut Cursor<'_>, count: usize) -> Result<()> {
    let nulls = cursor.take(count.div_ceil(8))?;
    if cursor.u8()? != 1 {
        return Err(Malformed("query attributes without types"));
    }
    let mut types = Vec::new();
    for _ in 0..count {
        types.push((cursor.u8()?, cursor.u8()?));
        cursor.lenenc_bytes()?;
    }
    for (at, (code, flags)) in types.into_iter().enumerate() {
        let null = nulls.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1);
        if !null {
            attribute_width(code, flags)?.take(cursor)?;
        }
    }
    Ok(())
}

/// How the value of an attribute is delimited. Servers go by other rules than for rows: what they have no length for
/// is bytes behind a count, and a flag that they do not know makes it another type. Whoever reads that otherwise takes
/// another text for the statement, so what is not clear is refused.
fn attribute_width(code: u8, flags: u8) -> Result<Width> {
    if flags & !UNSIGNED != 0 {
        return Err(Malformed("unknown flag of a query attribute"));
    }
    match (code, value::width(code)?) {
        (kind::NULL | kind::INT24 | kind::YEAR | kind::NEWDATE, _) => {
            Err(Malformed("a type that no query attribute has"))
        }
        (_, Width::Short) => Ok(Width::Counted),
        (_, width) => Ok(width),
    }
}

/// The number of a statement, with which the commands on prepared statements begin.
///
/// # Errors
/// Too short.
pub fn statement(body: &[u8]) -> Result<u32> {
    Cursor::new(body).u32_le()
}
