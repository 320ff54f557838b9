//! What a server sends: tags, views of the messages that have to be understood, and writers.

mod report;

pub use report::{ErrorFields, Report};

use crate::cursor::{Cursor, Malformed, Result};
use crate::pg::{frame, limits};

/// The replies of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the protocol's own names")]
pub enum Tag {
    Authentication,
    BackendKeyData,
    BindComplete,
    CloseComplete,
    CommandComplete,
    CopyData,
    CopyDone,
    CopyInResponse,
    CopyOutResponse,
    CopyBothResponse,
    DataRow,
    EmptyQueryResponse,
    ErrorResponse,
    FunctionCallResponse,
    NegotiateProtocolVersion,
    NoData,
    NoticeResponse,
    NotificationResponse,
    ParameterDescription,
    ParameterStatus,
    ParseComplete,
    PortalSuspended,
    ReadyForQuery,
    RowDescription,
}

impl Tag {
    /// # Errors
    /// No server message has this type.
    pub const fn decode(byte: u8) -> Result<Self> {
        Ok(match byte {
            b'R' => Self::Authentication,
            b'K' => Self::BackendKeyData,
            b'2' => Self::BindComplete,
            b'3' => Self::CloseComplete,
            b'C' => Self::CommandComplete,
            b'd' => Self::CopyData,
            b'c' => Self::CopyDone,
            b'G' => Self::CopyInResponse,
            b'H' => Self::CopyOutResponse,
            b'W' => Self::CopyBothResponse,
            b'D' => Self::DataRow,
            b'I' => Self::EmptyQueryResponse,
            b'E' => Self::ErrorResponse,
            b'V' => Self::FunctionCallResponse,
            b'v' => Self::NegotiateProtocolVersion,
            b'n' => Self::NoData,
            b'N' => Self::NoticeResponse,
            b'A' => Self::NotificationResponse,
            b't' => Self::ParameterDescription,
            b'S' => Self::ParameterStatus,
            b'1' => Self::ParseComplete,
            b's' => Self::PortalSuspended,
            b'Z' => Self::ReadyForQuery,
            b'T' => Self::RowDescription,
            _ => return Err(Malformed("unknown message type from server")),
        })
    }

    /// The longest body that this reply may have where it is collected whole.
    #[must_use]
    pub const fn body_max(self) -> usize {
        match self {
            Self::DataRow | Self::CopyData => limits::ROW_MAX,
            Self::RowDescription => limits::ROW_DESCRIPTION_MAX,
            Self::ErrorResponse | Self::NoticeResponse | Self::NotificationResponse => limits::REPLY_MAX,
            Self::ParameterStatus | Self::ParameterDescription | Self::Authentication => limits::REPLY_MAX,
            _ => limits::COMMAND_MAX,
        }
    }
}

/// One column of a row description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Label that the client sees.
    pub name: &'a [u8],
    /// OID of the relation that it comes from, 0 if none.
    pub relation: u32,
    /// Attribute number there, 0 if none.
    pub attnum: i16,
    /// OID of the type.
    pub type_oid: u32,
    /// Type modifier, -1 for none.
    pub modifier: i32,
    /// Whether cells come in binary.
    pub binary: bool,
}

/// Reads a row description.
///
/// # Errors
/// Not the layout of one, or an unknown format.
pub fn decode_row_description(body: &[u8]) -> Result<Vec<Field<'_>>> {
    let mut cursor = Cursor::new(body);
    let count = cursor.count16()?;
    let mut fields = Vec::new();
    for _ in 0..count {
        let name = cursor.cstr()?;
        let (relation, attnum, type_oid) = (cursor.u32()?, cursor.i16()?, cursor.u32()?);
        let (_size, modifier, format) = (cursor.i16()?, cursor.i32()?, cursor.i16()?);
        let binary = match format {
            0 => false,
            1 => true,
            _ => return Err(Malformed("unknown result format")),
        };
        fields.push(Field { name, relation, attnum, type_oid, modifier, binary });
    }
    cursor.end().map(|()| fields)
}

/// State of the transaction that ReadyForQuery reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transaction {
    /// No transaction.
    Idle,
    /// Inside one.
    Open,
    /// Inside one that failed.
    Failed,
}

/// How many rows CommandComplete says that a statement returned or changed, as in `INSERT 0 5`.
#[must_use]
pub fn rows_of_tag(body: &[u8]) -> u64 {
    let text = body.split(|byte| *byte == 0).next().and_then(|tag| std::str::from_utf8(tag).ok());
    text.and_then(|tag| tag.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

/// Reads ReadyForQuery.
///
/// # Errors
/// Not one of the three states.
pub fn decode_ready(body: &[u8]) -> Result<Transaction> {
    match body {
        b"I" => Ok(Transaction::Idle),
        b"T" => Ok(Transaction::Open),
        b"E" => Ok(Transaction::Failed),
        _ => Err(Malformed("unknown transaction state")),
    }
}

/// Reads ParameterStatus: name and value.
///
/// # Errors
/// Not two strings.
pub fn decode_parameter(body: &[u8]) -> Result<(&[u8], &[u8])> {
    let mut cursor = Cursor::new(body);
    let pair = (cursor.cstr()?, cursor.cstr()?);
    cursor.end().map(|()| pair)
}

/// Reads BackendKeyData: process id and cancel key.
///
/// # Errors
/// Too short, or a key of an impossible length.
pub fn decode_key(body: &[u8]) -> Result<(i32, &[u8])> {
    let mut cursor = Cursor::new(body);
    let process = cursor.i32()?;
    match cursor.rest() {
        key if (4..=super::startup::CANCEL_KEY_MAX).contains(&key.len()) => Ok((process, key)),
        _ => Err(Malformed("cancel key has an impossible length")),
    }
}

/// Reads NotificationResponse: process id, channel, payload.
///
/// # Errors
/// Not the layout of one.
pub fn decode_notification(body: &[u8]) -> Result<(i32, &[u8], &[u8])> {
    let mut cursor = Cursor::new(body);
    let parts = (cursor.i32()?, cursor.cstr()?, cursor.cstr()?);
    cursor.end().map(|()| parts)
}

/// Reads NegotiateProtocolVersion: the newest minor version that the server speaks.
///
/// # Errors
/// Not the layout of one.
pub fn decode_negotiate(body: &[u8]) -> Result<u32> {
    Cursor::new(body).u32()
}

/// Appends BackendKeyData.
pub fn write_key(out: &mut Vec<u8>, process: i32, key: &[u8]) {
    frame::write(out, b'K', |out| {
        out.extend(process.to_be_bytes());
        out.extend_from_slice(key);
    });
}

/// Appends ParameterDescription, with so many types of four bytes each.
pub fn write_parameter_description(out: &mut Vec<u8>, count: &[u8], types: &[u8]) {
    frame::write(out, b't', |out| {
        out.extend_from_slice(count);
        out.extend_from_slice(types);
    });
}

/// Appends NotificationResponse.
pub fn write_notification(out: &mut Vec<u8>, process: i32, channel: &[u8], payload: &[u8]) {
    frame::write(out, b'A', |out| {
        out.extend(process.to_be_bytes());
        frame::put_cstr(out, channel);
        frame::put_cstr(out, payload);
    });
}

/// Reads the fields of ErrorResponse or NoticeResponse.
///
/// # Errors
/// Not a list of tagged strings.
pub fn decode_error(body: &[u8]) -> Result<ErrorFields<'_>> {
    ErrorFields::decode(body)
}
