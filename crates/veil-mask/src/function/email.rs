//! `email`: an invented address in a domain that RFC 2606 reserves for examples, or one that the address can be found from.
//!
//! An invented one has a given name, which makes it believable, and keyed characters, which make it rarely meet another (40 bits and more).
//! Only an address with a domain of two labels counts as one; quoted local parts with blanks and address literals do not.

use super::{At, Mask, fitted, is_label, lower, name, other_than, redacted};
use crate::ff1::Way;
use crate::key::Draws;
use crate::kind::Limit;

const DOMAINS: &[&str] = &["example.com", "example.net", "example.org"];

/// Keyed characters of an address: at most, at least with a name before them, and at least in a short column.
const TOKEN_MAX: u64 = 12;
const TOKEN_MIN: usize = 8;
const TOKEN_SHORTEST: usize = 4;

/// Octets of a local part at most (RFC 5321, section 4.5.3.1.1).
const LOCAL_MAX: usize = 64;

/// What an address is made of that is encrypted, and what stands for each in a local part: no dots, which could not stand anywhere.
const CLEAR: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+.@";
const SHOWN: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+=~";

#[derive(Debug)]
pub(crate) struct Email {
    pub(crate) mode: Mode,
    pub(crate) keep_domain: bool,
}

/// How an address is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mode {
    Fake,
    Fpe,
    Partial,
}

choice!(Mode, "fake" => Fake, "fpe" => Fpe, "partial" => Partial);

impl Mask for Email {
    /// Masks an address; another text becomes the label, and so does an address that the column is too short for.
    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        if self.mode == Mode::Fpe {
            let turned = if is_label(at, text) { None } else { self.encrypted(at, text) };
            let start = out.len();
            return match turned {
                Some(turned) => {
                    out.extend(turned.as_bytes());
                    fitted(at, start, out)
                }
                None => redacted(at, out),
            };
        }
        if at.way == Way::Reveal {
            return None;
        }
        let address = text.trim();
        let Some(domain) = domain_of(address) else { return redacted(at, out) };
        let start = out.len();
        if self.mode == Mode::Partial {
            let domain = if self.keep_domain { domain } else { "example.com" };
            // Of a name of one or two letters the first would be half.
            let local = address.strip_suffix(domain_of(address)?)?.trim_end_matches('@');
            let shown = usize::from(local.chars().count() > 2);
            out.extend(lower(local).take(shown).collect::<String>().as_bytes());
            out.extend(format!("***@{domain}").as_bytes());
            return if address == std::str::from_utf8(out.get(start..)?).ok()? {
                out.truncate(start);
                redacted(at, out)
            } else {
                fitted(at, start, out)
            };
        }
        let mut draws = at.key.prf().lower(address).draws();
        let written = other_than(address, out, |out| {
            let example = draws.pick(DOMAINS);
            if self.keep_domain {
                local_part(&mut draws, at.limit, lower(domain), out)
            } else {
                local_part(&mut draws, at.limit, example.chars(), out)
            }
        });
        if written.is_none() {
            out.truncate(start);
            return redacted(at, out);
        }
        Some(())
    }
}

impl Email {
    /// The whole address as the local part of another, or its local part before its own domain.
    fn encrypted(&self, at: &At<'_>, text: &str) -> Option<String> {
        let domain = domain_of(text)?;
        let local = text.strip_suffix(domain)?.strip_suffix('@')?;
        if self.keep_domain {
            let turned = turned(at, domain.as_bytes(), (CLEAR_LOCAL, SHOWN_LOCAL), local)?;
            return Some(format!("{turned}@{domain}"));
        }
        match at.way {
            Way::Mask => Some(format!("{}@example.com", turned(at, b"", (CLEAR, SHOWN), text)?)),
            Way::Reveal if domain == "example.com" => {
                let address = turned(at, b"", (CLEAR, SHOWN), local)?;
                // What no address encrypts to is no mask.
                domain_of(&address).map(|_| address.clone())
            }
            Way::Reveal => None,
        }
    }
}

/// A local part alone has no `@`.
const CLEAR_LOCAL: &[u8] = CLEAR.split_at(CLEAR.len() - 1).0;
const SHOWN_LOCAL: &[u8] = SHOWN.split_at(SHOWN.len() - 1).0;

fn turned(at: &At<'_>, tweak: &[u8], (clear, shown): (&[u8], &[u8]), text: &str) -> Option<String> {
    let (from, to) = match at.way {
        Way::Mask => (clear, shown),
        Way::Reveal => (shown, clear),
    };
    let radix = u32::try_from(from.len()).ok()?;
    let place =
        |byte: u8| from.iter().position(|symbol| *symbol == byte).and_then(|place| u8::try_from(place).ok());
    let mut string: Vec<u8> = text.bytes().map(place).collect::<Option<_>>()?;
    let enough =
        u128::from(radix).saturating_pow(u32::try_from(string.len()).ok()?) >= crate::permutation::SMALL;
    if !enough || string.len() > LOCAL_MAX {
        return None;
    }
    at.key.permutation().numerals(at.way, radix, tweak, &mut string)?;
    let symbols = string.iter().map(|place| to.get(usize::from(*place)).copied());
    String::from_utf8(symbols.collect::<Option<_>>()?).ok()
}

/// Writes `given.token@domain`, or what of it fits; `None` if not even a short token does.
fn local_part(
    draws: &mut Draws,
    limit: Limit,
    domain: impl Iterator<Item = char> + Clone,
    out: &mut Vec<u8>,
) -> Option<()> {
    let chars = limit.chars.checked_sub(domain.clone().count() + 1)?;
    let bytes = limit.bytes.checked_sub(domain.clone().map(char::len_utf8).sum::<usize>() + 1)?;
    let room = chars.min(bytes).min(LOCAL_MAX);
    let given = name::given(draws);
    let mut length = TOKEN_MIN + usize::try_from(draws.below(TOKEN_MAX + 1 - 8)).ok()?;
    let token = draws.bytes::<12>();
    if given.len() + 1 + TOKEN_MIN <= room {
        out.extend(given.bytes().map(|byte| byte.to_ascii_lowercase()));
        out.push(b'.');
        length = length.min(room - given.len() - 1);
    }
    length = length.min(room);
    if length < TOKEN_SHORTEST {
        return None;
    }
    out.extend(token.iter().take(length).filter_map(|byte| super::BASE32.get(usize::from(byte & 31))));
    out.push(b'@');
    let mut buffer = [0; 4];
    domain.for_each(|c| out.extend(c.encode_utf8(&mut buffer).as_bytes()));
    Some(())
}

/// The domain of an address: two labels or more of letters, digits and hyphens.
fn domain_of(address: &str) -> Option<&str> {
    let (local, domain) = address.rsplit_once('@')?;
    let label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    let valid = !local.is_empty()
        && !local.chars().any(|c| c.is_whitespace() || c.is_control())
        && domain.contains('.')
        && domain.len() <= 255
        && domain.split('.').all(label);
    valid.then_some(domain)
}
