//! What a server says while a client signs in, up to OK or an error.

use crate::cursor::{Cursor, Result};

/// Names of authentication plugins, as both sides write them.
pub mod plugin {
    #![allow(missing_docs, reason = "the names are the protocol's own")]
    pub const NATIVE: &[u8] = b"mysql_native_password";
    pub const CACHING_SHA2: &[u8] = b"caching_sha2_password";
    pub const SHA256: &[u8] = b"sha256_password";
    pub const CLEAR: &[u8] = b"mysql_clear_password";
    pub const OLD: &[u8] = b"mysql_old_password";
    pub const ED25519: &[u8] = b"client_ed25519";
    pub const PARSEC: &[u8] = b"parsec";
}

/// Further exchanges of `caching_sha2_password`.
pub mod sha2 {
    /// The client asks for the server's public key.
    pub const KEY_REQUEST: u8 = 2;
    /// `sha256_password`'s byte for the same.
    pub const KEY_REQUEST_SHA256: u8 = 1;
    /// The server knows the password: OK follows.
    pub const FAST_OK: u8 = 3;
    /// The server wants the password itself.
    pub const FULL: u8 = 4;
}

/// One message of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Signed in.
    Ok,
    /// Refused; the body of an error packet, its first byte included.
    Err(&'a [u8]),
    /// The client is to answer by another plugin.
    Switch {
        /// Its name.
        plugin: &'a [u8],
        /// Its challenge; of some plugins with a NUL behind it.
        data: &'a [u8],
    },
    /// Data for the plugin.
    More(&'a [u8]),
    /// A second factor is wanted.
    NextFactor,
    /// Data for the plugin, without the mark that most data have.
    Other(&'a [u8]),
}

impl<'a> Request<'a> {
    /// Reads a message.
    ///
    /// # Errors
    /// It is empty, or a name has no end.
    pub fn decode(payload: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new(payload);
        Ok(match cursor.u8()? {
            0 => Self::Ok,
            1 => Self::More(cursor.rest()),
            2 => Self::NextFactor,
            0xff => Self::Err(payload),
            // A switch without a name is to the oldest plugin, which knows no names.
            0xfe if cursor.rest().is_empty() => Self::Switch { plugin: plugin::OLD, data: &[] },
            0xfe => {
                let plugin = cursor.cstr()?;
                Self::Switch { plugin, data: cursor.rest() }
            }
            _ => Self::Other(payload),
        })
    }
}

/// Appends the payload of a switch to `plugin`.
pub fn put_switch(out: &mut Vec<u8>, plugin: &[u8], data: &[u8]) {
    out.push(0xfe);
    out.extend_from_slice(plugin);
    out.push(0);
    out.extend_from_slice(data);
}

/// Appends the payload of data for the plugin.
pub fn put_more(out: &mut Vec<u8>, data: &[u8]) {
    out.push(1);
    out.extend_from_slice(data);
}
