//! `email`: an invented address in a domain that RFC 2606 reserves for examples.
//!
//! A given name makes it believable and keyed characters make it rarely meet another (40 bits and more). Only
//! an address with a domain of two labels counts as one; quoted local parts with blanks and address literals do not.

use super::{CANDIDATES_MAX, given_name, redacted};
use crate::key::{Draws, FunctionKey};
use crate::kind::Limit;

const DOMAINS: &[&str] = &["example.com", "example.net", "example.org"];
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Keyed characters of an address: at most, at least with a name before them, and at least in a short column.
const TOKEN_MAX: usize = 12;
const TOKEN_MIN: usize = 8;
const TOKEN_SHORTEST: usize = 4;

/// Masks an address; another text becomes the label, and so does an address that the column is too short for.
pub(crate) fn text(
    key: &FunctionKey,
    keep_domain: bool,
    text: &str,
    limit: Limit,
    out: &mut Vec<u8>,
) -> Option<()> {
    let address = text.trim();
    let Some(domain) = domain_of(address) else {
        redacted(limit, out);
        return Some(());
    };
    let mut draws = key.prf().chars(lower(address)).draws();
    let start = out.len();
    for _ in 0..CANDIDATES_MAX {
        let example = draws.pick(DOMAINS);
        let written = if keep_domain {
            local_part(&mut draws, limit, lower(domain), out)
        } else {
            local_part(&mut draws, limit, example.chars(), out)
        };
        if written.is_none() {
            out.truncate(start);
            redacted(limit, out);
            return Some(());
        }
        let candidate = std::str::from_utf8(out.get(start..)?).ok()?;
        if !lower(address).eq(candidate.chars()) {
            return Some(());
        }
        out.truncate(start);
    }
    None
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
    let room = chars.min(bytes);
    let given = given_name(draws);
    let mut length = TOKEN_MIN + usize::try_from(draws.below(5)).ok()?;
    let token = draws.bytes::<TOKEN_MAX>();
    if given.len() + 1 + TOKEN_MIN <= room {
        out.extend(given.bytes().map(|byte| byte.to_ascii_lowercase()));
        out.push(b'.');
        length = length.min(room - given.len() - 1);
    }
    length = length.min(room);
    if length < TOKEN_SHORTEST {
        return None;
    }
    out.extend(token.iter().take(length).filter_map(|byte| BASE32.get(usize::from(byte & 31))));
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

fn lower(text: &str) -> impl Iterator<Item = char> + Clone {
    text.chars().flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::RootKey;

    fn mask(keep_domain: bool, text: &str, chars: usize) -> String {
        let key = FunctionKey::derive(&RootKey::from_bytes([7; 32]), "email");
        let mut out = Vec::new();
        super::text(&key, keep_domain, text, Limit { chars, bytes: usize::MAX }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn addresses_get_a_name_a_token_and_a_reserved_domain() {
        let masked = mask(false, "jane.doe@corp.pl", 99);
        let (local, domain) = masked.split_once('@').unwrap();
        let (given, token) = local.split_once('.').unwrap();
        assert!(DOMAINS.contains(&domain) && given.bytes().all(|byte| byte.is_ascii_lowercase()), "{masked}");
        assert!((8..=12).contains(&token.len()) && token.bytes().all(|byte| BASE32.contains(&byte)));
        assert_eq!(mask(false, " Jane.DOE@corp.PL\n", 99), masked);
        assert_ne!(mask(false, "john.doe@corp.pl", 99), masked);
    }

    #[test]
    fn the_domain_stays_on_request() {
        assert!(mask(true, "Jane@Corp.PL", 99).ends_with("@corp.pl"));
        assert!(mask(true, "jane@bücher.example", 99).ends_with("@bücher.example"));
    }

    #[test]
    fn addresses_are_shortened_to_the_column() {
        for chars in 16..60 {
            let masked = mask(false, "jane.doe@corp.pl", chars);
            assert!(masked.len() <= chars && domain_of(&masked).is_some(), "{masked}");
        }
        assert_eq!(mask(false, "jane.doe@corp.pl", 15), "[REDACTED]");
        assert_eq!(mask(false, "a@b.pl", 6), "[REDAC");
    }

    #[test]
    fn other_texts_are_redacted() {
        for text in
            ["", "n/a", "@corp.pl", "jane@", "jane@localhost", "ja ne@corp.pl", "j@corp..pl", "j@a b.pl"]
        {
            assert_eq!(mask(true, text, 99), "[REDACTED]", "{text}");
        }
    }
}
