//! What a client sends after login: tags, views of the messages that have to be understood, and writers for
//! those that the proxy sends itself.

use crate::cursor::{Cursor, Malformed, Result};
use crate::pg::{frame, limits};

/// The commands of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// Values for a statement's parameters.
    Bind,
    /// Forget a statement or portal.
    Close,
    /// A piece of COPY data.
    CopyData,
    /// End of COPY data.
    CopyDone,
    /// COPY given up by the client.
    CopyFail,
    /// Ask for the shape of a statement or portal.
    Describe,
    /// Run a portal.
    Execute,
    /// Send what is pending.
    Flush,
    /// Call a function by OID.
    FunctionCall,
    /// Prepare a statement.
    Parse,
    /// Run statements given as text.
    Query,
    /// End of a pipelined group.
    Sync,
    /// Goodbye.
    Terminate,
    /// Answer to an authentication request; after login it is an error.
    Password,
}

impl Tag {
    /// # Errors
    /// No client message has this type.
    pub const fn decode(byte: u8) -> Result<Self> {
        Ok(match byte {
            b'B' => Self::Bind,
            b'C' => Self::Close,
            b'd' => Self::CopyData,
            b'c' => Self::CopyDone,
            b'f' => Self::CopyFail,
            b'D' => Self::Describe,
            b'E' => Self::Execute,
            b'H' => Self::Flush,
            b'F' => Self::FunctionCall,
            b'P' => Self::Parse,
            b'Q' => Self::Query,
            b'S' => Self::Sync,
            b'X' => Self::Terminate,
            b'p' => Self::Password,
            _ => return Err(Malformed("unknown message type from client")),
        })
    }

    /// The longest body that this command may have.
    #[must_use]
    pub const fn body_max(self) -> usize {
        match self {
            Self::Parse | Self::Query => limits::STATEMENT_MAX,
            Self::Close | Self::CopyFail | Self::Describe | Self::Execute | Self::Password => {
                limits::COMMAND_MAX
            }
            Self::CopyDone | Self::Flush | Self::Sync | Self::Terminate => 0,
            Self::Bind | Self::CopyData | Self::FunctionCall => limits::MESSAGE_MAX,
        }
    }
}

/// A statement or a portal, by name; the empty name is the unnamed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// A prepared statement.
    Statement(&'a [u8]),
    /// A portal.
    Portal(&'a [u8]),
}

impl<'a> Target<'a> {
    /// Body of Describe and Close.
    ///
    /// # Errors
    /// Not the layout of such a body.
    pub fn decode(body: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new(body);
        let kind = cursor.u8()?;
        let name = cursor.cstr()?;
        cursor.end()?;
        match kind {
            b'S' => Ok(Self::Statement(name)),
            b'P' => Ok(Self::Portal(name)),
            _ => Err(Malformed("neither a statement nor a portal")),
        }
    }

    fn write(self, out: &mut Vec<u8>, tag: u8) {
        let (kind, name) = match self {
            Self::Statement(name) => (b'S', name),
            Self::Portal(name) => (b'P', name),
        };
        frame::write(out, tag, |out| {
            out.push(kind);
            frame::put_cstr(out, name);
        });
    }
}

/// Body of Query: the text.
///
/// # Errors
/// Not exactly one string.
pub fn decode_query(body: &[u8]) -> Result<&[u8]> {
    let mut cursor = Cursor::new(body);
    let text = cursor.cstr()?;
    cursor.end().map(|()| text)
}

/// Body of Parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parse<'a> {
    /// Name of the new statement.
    pub name: &'a [u8],
    /// Its text.
    pub text: &'a [u8],
    /// OIDs of parameter types, four bytes each.
    pub types: &'a [u8],
}

impl<'a> Parse<'a> {
    /// # Errors
    /// Not the layout of Parse.
    pub fn decode(body: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new(body);
        let (name, text) = (cursor.cstr()?, cursor.cstr()?);
        let count = cursor.count16()?;
        let types = cursor.take(count * 4)?;
        cursor.end().map(|()| Self { name, text, types })
    }

    /// Appends this message.
    pub fn write(&self, out: &mut Vec<u8>) {
        frame::write(out, b'P', |out| {
            frame::put_cstr(out, self.name);
            frame::put_cstr(out, self.text);
            out.extend(u16::try_from(self.types.len() / 4).unwrap_or(0).to_be_bytes());
            out.extend_from_slice(self.types);
        });
    }
}

/// The names at the start of Bind. The values behind them are the server's business and may be large, so
/// that a Bind is understood before it has arrived whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindNames<'a> {
    /// Portal to make.
    pub portal: &'a [u8],
    /// Statement that it runs.
    pub statement: &'a [u8],
}

impl<'a> BindNames<'a> {
    /// Reads the names from what is there of the body; `None` means not yet.
    ///
    /// # Errors
    /// The body ends before the names do, or they are too long.
    pub fn decode(available: &'a [u8], body: usize) -> Result<Option<Self>> {
        let available = available.get(..body).unwrap_or(available);
        let mut cursor = Cursor::new(available);
        match (cursor.cstr(), cursor.cstr()) {
            (Ok(portal), Ok(statement)) => Ok(Some(Self { portal, statement })),
            _ if available.len() == body => Err(Malformed("Bind ends inside its names")),
            _ if available.len() > limits::COMMAND_MAX => Err(Malformed("names in Bind are too long")),
            _ => Ok(None),
        }
    }
}

/// Body of Execute: the portal. The row limit stays with the server.
///
/// # Errors
/// Not the layout of Execute.
pub fn decode_execute(body: &[u8]) -> Result<&[u8]> {
    let mut cursor = Cursor::new(body);
    let portal = cursor.cstr()?;
    cursor.i32()?;
    cursor.end().map(|()| portal)
}

/// Appends Query.
pub fn write_query(out: &mut Vec<u8>, text: &[u8]) {
    frame::write(out, b'Q', |out| frame::put_cstr(out, text));
}

/// Appends Bind without parameters, with text results.
pub fn write_bind(out: &mut Vec<u8>, names: BindNames<'_>, values: &[&[u8]]) {
    frame::write(out, b'B', |out| {
        frame::put_cstr(out, names.portal);
        frame::put_cstr(out, names.statement);
        out.extend(0_u16.to_be_bytes());
        out.extend(u16::try_from(values.len()).unwrap_or(0).to_be_bytes());
        for value in values {
            out.extend(u32::try_from(value.len()).unwrap_or(0).to_be_bytes());
            out.extend_from_slice(value);
        }
        out.extend(0_u16.to_be_bytes());
    });
}

/// Appends Execute for all rows.
pub fn write_execute(out: &mut Vec<u8>, portal: &[u8]) {
    frame::write(out, b'E', |out| {
        frame::put_cstr(out, portal);
        out.extend(0_u32.to_be_bytes());
    });
}

/// Appends Describe.
pub fn write_describe(out: &mut Vec<u8>, target: Target<'_>) {
    target.write(out, b'D');
}

/// Appends Close.
pub fn write_close(out: &mut Vec<u8>, target: Target<'_>) {
    target.write(out, b'C');
}

/// Appends Sync.
pub fn write_sync(out: &mut Vec<u8>) {
    frame::write(out, b'S', |_| ());
}

/// Appends Terminate.
pub fn write_terminate(out: &mut Vec<u8>) {
    frame::write(out, b'X', |_| ());
}
