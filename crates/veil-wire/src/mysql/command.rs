//! What a client sends in a session. Only what the proxy has to understand is decoded.

use crate::cursor::{Cursor, Malformed, Result};
use crate::mysql::capability as cap;
use crate::mysql::value;

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
            23 => Self::StmtExecute,
            24 => Self::StmtSendLongData,
            25 => Self::StmtClose,
            26 => Self::StmtReset,
            27 => Self::SetOption,
            28 => Self::StmtFetch,
            31 => Self::ResetConnection,
            0xfa => Self::StmtBulkExecute,
            other => Self::Other(other),
        }
    }

    /// Whether the server answers nothing.
    #[must_use]
    pub const fn is_silent(self) -> bool {
        matches!(self, Self::Quit | Self::StmtSendLongData | Self::StmtClose)
    }
}

/// Byte of COM_QUERY.
pub const QUERY: u8 = 3;
/// Byte of COM_QUIT.
pub const QUIT: u8 = 1;

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
        types.push(cursor.u16_le()?.to_le_bytes()[0]);
        cursor.lenenc_bytes()?;
    }
    for (at, code) in types.into_iter().enumerate() {
        let null = nulls.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1);
        if !null {
            value::width(code)?.take(cursor)?;
        }
    }
    Ok(())
}

/// The number of a statement, with which the commands on prepared statements begin.
///
/// # Errors
/// Too short.
pub fn statement(body: &[u8]) -> Result<u32> {
    Cursor::new(body).u32_le()
}

/// Whether COM_STMT_EXECUTE asks for a cursor.
///
/// # Errors
/// Too short.
pub fn wants_cursor(body: &[u8]) -> Result<bool> {
    let mut cursor = Cursor::new(body);
    cursor.u32_le()?;
    Ok(cursor.u8()? & 0x0f != 0)
}
