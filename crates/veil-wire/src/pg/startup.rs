//! The packets before a session: TLS and GSS requests, cancel requests, start-up, version negotiation.

use crate::cursor::{Cursor, Malformed, Result};
use crate::pg::{frame, limits};

/// Code of a request for TLS.
pub const SSL_REQUEST: u32 = 80_877_103;
/// Code of a request for GSSAPI encryption.
pub const GSSENC_REQUEST: u32 = 80_877_104;
/// Code of a cancel request.
pub const CANCEL_REQUEST: u32 = 80_877_102;
/// The longest cancel key of protocol 3.2.
pub const CANCEL_KEY_MAX: usize = 256;

/// A protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Major, 3.
    pub major: u16,
    /// Minor, 0 or 2.
    pub minor: u16,
}

impl Version {
    /// Protocol 3.0.
    pub const V3_0: Self = Self { major: 3, minor: 0 };
    /// Protocol 3.2, of PostgreSQL 18: longer cancel keys.
    pub const V3_2: Self = Self { major: 3, minor: 2 };
}

/// What a client may open a connection with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Startup<'a> {
    /// Wants TLS.
    Ssl,
    /// Wants GSSAPI encryption.
    Gss,
    /// Wants a running statement to end.
    Cancel {
        /// Process id that the server gave.
        process: i32,
        /// Secret that the server gave: 4 bytes, or up to 256 in protocol 3.2.
        key: &'a [u8],
    },
    /// Wants a session.
    Session {
        /// Version asked for.
        version: Version,
        /// Names and values in order; names may begin with `_pq_.`.
        parameters: Vec<(&'a str, &'a str)>,
    },
}

/// Reads one packet and says how many bytes it took; `None` means not yet.
///
/// # Errors
/// A length, code or text that no client sends.
pub fn decode(bytes: &[u8]) -> Result<Option<(Startup<'_>, usize)>> {
    let Some((&field, _)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
    let body = frame::body_length(field)?;
    if !(4..=limits::STARTUP_MAX).contains(&body) {
        return Err(Malformed("start-up packet has an impossible length"));
    }
    let Some(packet) = bytes.get(4..4 + body) else { return Ok(None) };
    Ok(Some((decode_body(packet)?, 4 + body)))
}

fn decode_body(packet: &[u8]) -> Result<Startup<'_>> {
    let mut cursor = Cursor::new(packet);
    let code = cursor.u32()?;
    match code {
        SSL_REQUEST => cursor.end().map(|()| Startup::Ssl),
        GSSENC_REQUEST => cursor.end().map(|()| Startup::Gss),
        CANCEL_REQUEST => {
            let process = cursor.i32()?;
            let key = cursor.rest();
            if !(4..=CANCEL_KEY_MAX).contains(&key.len()) {
                return Err(Malformed("cancel key has an impossible length"));
            }
            Ok(Startup::Cancel { process, key })
        }
        _ => {
            let [a, b, c, d] = code.to_be_bytes();
            let version = Version { major: u16::from_be_bytes([a, b]), minor: u16::from_be_bytes([c, d]) };
            if version.major != 3 {
                return Err(Malformed("only protocol version 3 is spoken"));
            }
            Ok(Startup::Session { version, parameters: decode_parameters(cursor)? })
        }
    }
}

fn decode_parameters(mut cursor: Cursor<'_>) -> Result<Vec<(&str, &str)>> {
    let mut parameters = Vec::new();
    loop {
        let name = text(cursor.cstr()?)?;
        if name.is_empty() {
            return cursor.end().map(|()| parameters);
        }
        parameters.push((name, text(cursor.cstr()?)?));
    }
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| Malformed("start-up parameter is not UTF-8"))
}

/// Appends a request without a body: `SSL_REQUEST` or `GSSENC_REQUEST`.
pub fn write_request(out: &mut Vec<u8>, code: u32) {
    frame::write_untyped(out, |out| out.extend(code.to_be_bytes()));
}

/// Appends a cancel request.
pub fn write_cancel(out: &mut Vec<u8>, process: i32, key: &[u8]) {
    frame::write_untyped(out, |out| {
        out.extend(CANCEL_REQUEST.to_be_bytes());
        out.extend(process.to_be_bytes());
        out.extend_from_slice(key);
    });
}

/// Appends a start-up packet.
pub fn write_session<'a>(
    out: &mut Vec<u8>,
    version: Version,
    parameters: impl Iterator<Item = (&'a str, &'a str)>,
) {
    frame::write_untyped(out, |out| {
        out.extend(version.major.to_be_bytes());
        out.extend(version.minor.to_be_bytes());
        for (name, value) in parameters {
            frame::put_cstr(out, name);
            frame::put_cstr(out, value);
        }
        out.push(0);
    });
}

/// Appends NegotiateProtocolVersion: the newest minor version spoken, and the options not known.
pub fn write_negotiate(out: &mut Vec<u8>, newest: Version, unknown: &[&str]) {
    frame::write(out, b'v', |out| {
        out.extend((u32::from(newest.major) << 16 | u32::from(newest.minor)).to_be_bytes());
        out.extend(u32::try_from(unknown.len()).unwrap_or(0).to_be_bytes());
        for name in unknown {
            frame::put_cstr(out, name);
        }
    });
}
