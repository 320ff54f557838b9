//! The packets before a session: the server's greeting, the client's request for TLS and its response.

use crate::cursor::{Cursor, Malformed, Result};
use crate::mysql::capability as cap;
use crate::mysql::frame;

/// The only protocol version there is.
const VERSION: u8 = 10;
/// Bytes of the challenge.
pub const NONCE: usize = 20;
/// Bytes of a request for TLS, which is the beginning of a response.
const TLS_REQUEST: usize = 32;

/// The server's first packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Version of the server, as text.
    pub version: Vec<u8>,
    /// Number of the connection, by which it can be killed.
    pub connection: u32,
    /// The challenge.
    pub nonce: [u8; NONCE],
    /// What the server can do.
    pub capabilities: u64,
    /// Its default collation.
    pub collation: u8,
    /// Status flags.
    pub status: u16,
    /// Its default authentication plugin.
    pub plugin: Vec<u8>,
}

impl Greeting {
    /// Reads a greeting.
    ///
    /// # Errors
    /// Another protocol, or not the layout of a greeting.
    pub fn decode(payload: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(payload);
        if cursor.u8()? != VERSION {
            return Err(Malformed("the server does not speak protocol version 10"));
        }
        let version = cursor.cstr()?.to_vec();
        let connection = cursor.u32_le()?;
        let first = cursor.take(8)?;
        cursor.u8()?;
        let low = cursor.u16_le()?;
        let collation = cursor.u8()?;
        let status = cursor.u16_le()?;
        let high = cursor.u16_le()?;
        let length = usize::from(cursor.u8()?);
        cursor.take(6)?;
        let extended = cursor.u32_le()?;
        let mut capabilities = u64::from(low) | u64::from(high) << 16;
        if capabilities & cap::MYSQL == 0 {
            capabilities |= u64::from(extended) << 32;
        }
        let second = cursor.take(length.saturating_sub(8).max(13))?;
        let mut nonce = [0; NONCE];
        for (to, from) in nonce.iter_mut().zip(first.iter().chain(second)) {
            *to = *from;
        }
        let plugin = if capabilities & cap::PLUGIN_AUTH == 0 {
            Vec::new()
        } else {
            // Some servers leave out the last NUL.
            cursor.cstr().unwrap_or(cursor.rest()).to_vec()
        };
        Ok(Self { version, connection, nonce, capabilities, collation, status, plugin })
    }

    /// Appends the payload.
    pub fn put(&self, out: &mut Vec<u8>) {
        let (first, second) = self.nonce.split_at(8);
        out.push(VERSION);
        out.extend_from_slice(&self.version);
        out.push(0);
        out.extend(self.connection.to_le_bytes());
        out.extend_from_slice(first);
        out.push(0);
        let [a, b, c, d, extended @ ..] = self.capabilities.to_le_bytes();
        out.extend([a, b, self.collation]);
        out.extend(self.status.to_le_bytes());
        out.extend([c, d, 21]);
        out.extend([0; 6]);
        out.extend(if self.capabilities & cap::MYSQL == 0 { extended } else { [0; 4] });
        out.extend_from_slice(second);
        out.push(0);
        out.extend_from_slice(&self.plugin);
        out.push(0);
    }
}

/// The client's answer to a greeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// What the client can do and wants.
    pub capabilities: u64,
    /// The longest packet it takes.
    pub packet_max: u32,
    /// Its collation, by number.
    pub collation: u8,
    /// Who it is.
    pub user: Vec<u8>,
    /// Its proof, by its plugin.
    pub proof: Vec<u8>,
    /// The database it wants to begin in; empty for none.
    pub database: Vec<u8>,
    /// Its authentication plugin.
    pub plugin: Vec<u8>,
    /// Connection attributes, as they were written: each a name and a value behind its length.
    pub attributes: Vec<u8>,
}

/// The client's first packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum First {
    /// It wants TLS, and answers inside it.
    Tls,
    /// It answers at once.
    Response(Response),
}

/// Reads the client's first packet.
///
/// # Errors
/// Not the layout of one, or a client that is too old.
pub fn decode(payload: &[u8]) -> Result<First> {
    let mut cursor = Cursor::new(payload);
    if u64::from(Cursor::new(payload).u16_le()?) & cap::PROTOCOL_41 == 0 {
        return Err(Malformed("the client speaks a protocol older than 4.1"));
    }
    let mut capabilities = u64::from(cursor.u32_le()?);
    let packet_max = cursor.u32_le()?;
    let collation = cursor.u8()?;
    cursor.take(19)?;
    let extended = cursor.u32_le()?;
    if capabilities & cap::MYSQL == 0 {
        capabilities |= u64::from(extended) << 32;
    }
    if payload.len() == TLS_REQUEST && capabilities & cap::SSL != 0 {
        return Ok(First::Tls);
    }
    let user = cursor.cstr()?.to_vec();
    let proof = if capabilities & cap::PLUGIN_AUTH_LENENC != 0 {
        cursor.lenenc_bytes()?
    } else if capabilities & cap::SECURE_CONNECTION != 0 {
        let length = cursor.u8()?;
        cursor.take(usize::from(length))?
    } else {
        cursor.cstr()?
    };
    let proof = proof.to_vec();
    let database = if capabilities & cap::CONNECT_WITH_DB == 0 { &[] } else { text_or_rest(&mut cursor) };
    let plugin = if capabilities & cap::PLUGIN_AUTH == 0 { &[] } else { text_or_rest(&mut cursor) };
    let attributes = if capabilities & cap::CONNECT_ATTRS == 0 || cursor.rest().is_empty() {
        &[]
    } else {
        cursor.lenenc_bytes()?
    };
    Ok(First::Response(Response {
        capabilities,
        packet_max,
        collation,
        user,
        proof,
        database: database.to_vec(),
        plugin: plugin.to_vec(),
        attributes: attributes.to_vec(),
    }))
}

/// The value of the last connection attribute of this name; a client states them as it likes.
#[must_use]
pub fn attribute<'a>(attributes: &'a [u8], name: &[u8]) -> Option<&'a str> {
    let mut cursor = Cursor::new(attributes);
    let mut found = None;
    while let (Ok(key), Ok(value)) = (cursor.lenenc_bytes(), cursor.lenenc_bytes()) {
        if key == name {
            found = std::str::from_utf8(value).ok();
        }
    }
    found
}

/// A text up to its NUL; some clients leave the last one out.
fn text_or_rest<'a>(cursor: &mut Cursor<'a>) -> &'a [u8] {
    let mut ahead = *cursor;
    match ahead.cstr() {
        Ok(text) => {
            *cursor = ahead;
            text
        }
        Err(_) => {
            let rest = cursor.rest();
            *cursor = Cursor::new(&[]);
            rest
        }
    }
}

impl Response {
    /// Appends the payload of the request for TLS that goes before this response.
    pub fn put_tls_request(&self, out: &mut Vec<u8>) {
        let [a, b, c, d, extended @ ..] = self.capabilities.to_le_bytes();
        out.extend([a, b, c, d]);
        out.extend(self.packet_max.to_le_bytes());
        out.push(self.collation);
        out.extend([0; 19]);
        out.extend(if self.capabilities & cap::MYSQL == 0 { extended } else { [0; 4] });
    }

    /// Appends the payload.
    pub fn put(&self, out: &mut Vec<u8>) {
        self.put_tls_request(out);
        out.extend_from_slice(&self.user);
        out.push(0);
        if self.capabilities & cap::PLUGIN_AUTH_LENENC == 0 {
            out.push(u8::try_from(self.proof.len()).unwrap_or(u8::MAX));
            out.extend(self.proof.iter().take(usize::from(u8::MAX)));
        } else {
            frame::put_lenenc_bytes(out, &self.proof);
        }
        if self.capabilities & cap::CONNECT_WITH_DB != 0 {
            out.extend_from_slice(&self.database);
            out.push(0);
        }
        if self.capabilities & cap::PLUGIN_AUTH != 0 {
            out.extend_from_slice(&self.plugin);
            out.push(0);
        }
        if self.capabilities & cap::CONNECT_ATTRS != 0 {
            frame::put_lenenc_bytes(out, &self.attributes);
        }
    }
}

/// COM_CHANGE_USER: another user on the same connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeUser {
    /// Who the client is now.
    pub user: Vec<u8>,
    /// Its proof.
    pub proof: Vec<u8>,
    /// The database it wants; empty for none.
    pub database: Vec<u8>,
    /// Its collation, by number.
    pub collation: u16,
    /// Its authentication plugin.
    pub plugin: Vec<u8>,
    /// Connection attributes, as they were written.
    pub attributes: Vec<u8>,
}

impl ChangeUser {
    /// Reads what follows the command's byte.
    ///
    /// # Errors
    /// Not the layout of one.
    pub fn decode(body: &[u8], capabilities: u64) -> Result<Self> {
        let mut cursor = Cursor::new(body);
        let user = cursor.cstr()?.to_vec();
        let length = cursor.u8()?;
        let proof = cursor.take(usize::from(length))?.to_vec();
        let database = cursor.cstr()?.to_vec();
        let collation = if cursor.rest().len() < 2 { 0 } else { cursor.u16_le()? };
        let has = |flag: u64, cursor: &Cursor<'_>| capabilities & flag != 0 && !cursor.rest().is_empty();
        let plugin =
            if has(cap::PLUGIN_AUTH, &cursor) { text_or_rest(&mut cursor).to_vec() } else { Vec::new() };
        let attributes =
            if has(cap::CONNECT_ATTRS, &cursor) { cursor.lenenc_bytes()?.to_vec() } else { Vec::new() };
        Ok(Self { user, proof, database, collation, plugin, attributes })
    }

    /// Appends the payload, the command's byte included.
    pub fn put(&self, capabilities: u64, out: &mut Vec<u8>) {
        out.push(0x11);
        out.extend_from_slice(&self.user);
        out.push(0);
        out.push(u8::try_from(self.proof.len()).unwrap_or(u8::MAX));
        out.extend(self.proof.iter().take(usize::from(u8::MAX)));
        out.extend_from_slice(&self.database);
        out.push(0);
        out.extend(self.collation.to_le_bytes());
        if capabilities & cap::PLUGIN_AUTH != 0 {
            out.extend_from_slice(&self.plugin);
            out.push(0);
        }
        if capabilities & cap::CONNECT_ATTRS != 0 {
            frame::put_lenenc_bytes(out, &self.attributes);
        }
    }
}
