//! `token`: the value itself, encrypted by AES-SIV (RFC 5297), which is the same for equal values and cannot be forged.
//!
//! `iv1:` and, in base64 for URLs, two bytes that name the key, and what AES-SIV makes of the value. A column that is too short for it
//! gets the label.

use aes_siv::KeyInit;
use aes_siv::siv::Aes256Siv;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{At, Mask, fitted, redacted};
use crate::ff1::Way;

#[derive(Debug)]
pub(crate) struct Token;

/// What a token begins with, in a text and in bytes.
const TEXT: &str = "iv1:";
const BYTES: &[u8] = b"iv1:";

/// Longer values have no token.
const LENGTH_MAX: usize = 1 << 20;

impl Mask for Token {
    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        if at.way == Way::Reveal {
            let sealed = URL_SAFE_NO_PAD.decode(text.strip_prefix(TEXT)?).ok()?;
            out.extend(String::from_utf8(open(at, &sealed)?).ok()?.as_bytes());
            return Some(());
        }
        let Some(sealed) = seal(at, text.as_bytes()) else { return redacted(at, out) };
        let start = out.len();
        out.extend(TEXT.as_bytes());
        out.extend(URL_SAFE_NO_PAD.encode(sealed).as_bytes());
        fitted(at, start, out)
    }

    fn bytes(&self, at: &At<'_>, bytes: &[u8]) -> Option<Vec<u8>> {
        match at.way {
            Way::Mask => Some([BYTES, &seal(at, bytes)?].concat()),
            Way::Reveal => open(at, bytes.strip_prefix(BYTES)?),
        }
    }
}

fn seal(at: &At<'_>, value: &[u8]) -> Option<Vec<u8>> {
    if value.len() > LENGTH_MAX {
        return None;
    }
    let id = at.key.id();
    let sealed = Aes256Siv::new(at.key.token().into()).encrypt([id], value).ok()?;
    Some([&id[..], &sealed].concat())
}

fn open(at: &At<'_>, sealed: &[u8]) -> Option<Vec<u8>> {
    let sealed = sealed.strip_prefix(&at.key.id())?;
    Aes256Siv::new(at.key.token().into()).decrypt([at.key.id()], sealed).ok()
}
