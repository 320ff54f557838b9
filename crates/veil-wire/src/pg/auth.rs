//! Authentication requests and answers. What is in a SASL message is `veil-net`'s business.

use crate::cursor::{Cursor, Malformed, Result};
use crate::pg::frame;

/// What a server asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Nothing more: signed in.
    Ok,
    /// The password in clear.
    Cleartext,
    /// The password's MD5 with this salt.
    Md5([u8; 4]),
    /// SASL, with the mechanisms offered.
    Sasl(Vec<&'a str>),
    /// A SASL challenge.
    SaslContinue(&'a [u8]),
    /// The server's last SASL message.
    SaslFinal(&'a [u8]),
    /// Kerberos, GSSAPI, SSPI and others, by number.
    Other(u32),
}

impl<'a> Request<'a> {
    /// Reads the body of an Authentication message.
    ///
    /// # Errors
    /// Not the layout of one.
    pub fn decode(body: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new(body);
        Ok(match cursor.u32()? {
            0 => Self::Ok,
            3 => Self::Cleartext,
            5 => {
                let salt = cursor.take(4)?.try_into().map_err(|_| Malformed("salt is not 4 bytes"))?;
                cursor.end()?;
                Self::Md5(salt)
            }
            10 => Self::Sasl(mechanisms(cursor)?),
            11 => Self::SaslContinue(cursor.rest()),
            12 => Self::SaslFinal(cursor.rest()),
            other => Self::Other(other),
        })
    }

    /// Appends this request.
    pub fn write(&self, out: &mut Vec<u8>) {
        frame::write(out, b'R', |out| match self {
            Self::Ok => out.extend(0_u32.to_be_bytes()),
            Self::Cleartext => out.extend(3_u32.to_be_bytes()),
            Self::Md5(salt) => {
                out.extend(5_u32.to_be_bytes());
                out.extend(salt);
            }
            Self::Sasl(names) => {
                out.extend(10_u32.to_be_bytes());
                names.iter().for_each(|name| frame::put_cstr(out, name));
                out.push(0);
            }
            Self::SaslContinue(data) => {
                out.extend(11_u32.to_be_bytes());
                out.extend_from_slice(data);
            }
            Self::SaslFinal(data) => {
                out.extend(12_u32.to_be_bytes());
                out.extend_from_slice(data);
            }
            Self::Other(code) => out.extend(code.to_be_bytes()),
        });
    }
}

fn mechanisms(mut cursor: Cursor<'_>) -> Result<Vec<&str>> {
    let mut names = Vec::new();
    loop {
        let name = std::str::from_utf8(cursor.cstr()?).map_err(|_| Malformed("mechanism is not text"))?;
        if name.is_empty() {
            return cursor.end().map(|()| names);
        }
        names.push(name);
    }
}

/// A client's first SASL message: mechanism and data.
///
/// # Errors
/// Not the layout of SASLInitialResponse.
pub fn decode_sasl_initial(body: &[u8]) -> Result<(&[u8], &[u8])> {
    let mut cursor = Cursor::new(body);
    let mechanism = cursor.cstr()?;
    let data = match cursor.i32()? {
        -1 => &[],
        length => cursor.take(usize::try_from(length).map_err(|_| Malformed("negative length"))?)?,
    };
    cursor.end().map(|()| (mechanism, data))
}

/// Appends SASLInitialResponse.
pub fn write_sasl_initial(out: &mut Vec<u8>, mechanism: &str, data: &[u8]) {
    frame::write(out, b'p', |out| {
        frame::put_cstr(out, mechanism);
        out.extend(u32::try_from(data.len()).unwrap_or(0).to_be_bytes());
        out.extend_from_slice(data);
    });
}

/// Appends a later SASL answer.
pub fn write_sasl(out: &mut Vec<u8>, data: &[u8]) {
    frame::write(out, b'p', |out| out.extend_from_slice(data));
}

/// Appends a password, in clear or hashed.
pub fn write_password(out: &mut Vec<u8>, password: &[u8]) {
    frame::write(out, b'p', |out| frame::put_cstr(out, password));
}
