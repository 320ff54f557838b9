//! Keys, tokens, digests of passwords and addresses of crypto currencies, by the checks that are inside of them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use sha3::Keccak256;

use crate::cell::Cell;
use crate::forms::is_hex;

/// Three parts in base64url, the first of which is a JSON object (RFC 7519).
pub(crate) fn is_jwt(text: &str) -> bool {
    let mut parts = text.split('.');
    let url = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let object = |part: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
        serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes).ok()
    };
    if !text.starts_with("ey") {
        return false;
    }
    let head = parts.next().and_then(object).is_some_and(|head| head.contains_key("alg"));
    // What is encrypted is no object (RFC 7516).
    let body = parts.next().is_some_and(|body| object(body).is_some());
    let signature =
        parts.next().is_some_and(|signature| signature.is_empty() || signature.len() >= 16 && url(signature));
    head && body && signature && parts.next().is_none()
}

/// What keys begin with that providers give out, and how many letters, digits, `-` and `_` follow at least.
pub(crate) const KEY_PREFIXES: &[(&str, usize)] = &[
    ("AKIA", 16),
    ("ASIA", 16),
    ("ghp_", 30),
    ("gho_", 30),
    ("ghu_", 30),
    ("ghs_", 30),
    ("ghr_", 30),
    ("github_pat_", 30),
    ("glpat-", 20),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("rk_test_", 16),
    ("pk_live_", 16),
    ("pk_test_", 16),
    ("whsec_", 20),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("xoxa-", 20),
    ("xoxr-", 20),
    ("xoxs-", 20),
    ("xapp-", 20),
    ("AIza", 35),
    ("ya29.", 20),
    ("sk-", 32),
    ("SG.", 30),
    ("npm_", 30),
    ("pypi-", 40),
    ("dop_v1_", 40),
    ("shpat_", 30),
    ("hf_", 30),
    ("EAACEdEose0cBA", 10),
    ("sq0csp-", 30),
    ("sq0atp-", 20),
    ("key-", 30),
    ("AAAA", 130),
    ("rzp_live_", 12),
    ("rzp_test_", 12),
    ("dckr_pat_", 20),
    ("hvs.", 20),
    ("NRAK-", 20),
    ("lin_api_", 30),
    ("sntrys_", 30),
    ("GOCSPX-", 20),
];

/// A key of a provider that marks its keys.
pub(crate) fn is_marked_key(text: &str) -> bool {
    KEY_PREFIXES.iter().any(|(prefix, length)| {
        let rest = text.strip_prefix(prefix);
        rest.is_some_and(|rest| {
            rest.len() >= *length
                && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        })
    })
}

/// Letters of both cases and digits without order, as tokens are made.
pub(crate) fn is_random_token(cell: &Cell<'_>) -> bool {
    let apart = cell.text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+/=".contains(&byte));
    (20..=256).contains(&cell.length())
        && apart
        && cell.upper >= 3
        && cell.lower >= 3
        && cell.digits >= 2
        && cell.spaces == 0
        && entropy(cell.text) > 3.6
}

/// Bits a character, by how often each comes.
fn entropy(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1
        }
    }
    let total = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX));
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / total;
            -share * share.log2()
        })
        .sum()
}

/// A digest as programs for passwords write it.
pub(crate) fn is_password_hash(text: &str) -> bool {
    const PREFIXES: &[&str] = &[
        "$2a$",
        "$2b$",
        "$2y$",
        "$2x$",
        "$argon2",
        "$1$",
        "$5$",
        "$6$",
        "$y$",
        "$7$",
        "$P$",
        "$H$",
        "$S$",
        "$apr1$",
        "$scrypt$",
        "$pbkdf2",
        "pbkdf2_sha",
        "pbkdf2:",
        "scrypt:",
        "bcrypt$",
        "bcrypt_sha256$",
        "argon2$",
        "SCRAM-SHA-256$",
        "{SSHA}",
        "{SHA}",
        "{MD5}",
        "{bcrypt}",
        "{noop}",
        "sha1$",
        "md5$",
    ];
    PREFIXES.iter().any(|prefix| text.starts_with(prefix)) && text.len() >= 20
        || (text.len() == 41 && text.starts_with('*') && text.get(1..).is_some_and(is_hex))
}

/// An address that is checked by two rounds of SHA-256 (base58), by its checksum (bech32), or is forty hexadecimal digits behind `0x`.
pub(crate) fn is_wallet(text: &str) -> bool {
    if let Some(hex) = text.strip_prefix("0x") {
        return hex.len() == 40 && is_hex(hex) && is_cased(hex);
    }
    if ["bc1", "tb1", "ltc1"]
        .iter()
        .any(|human| text.get(..human.len()).is_some_and(|head| head.eq_ignore_ascii_case(human)))
    {
        return is_bech32(text);
    }
    (25..=36).contains(&text.len())
        && text.starts_with(['1', '3', 'D', 'L', 'M', 'T', 'r'])
        && is_base58(text)
}

/// Letters of both cases are a checksum (ERC-55): the digest of the small ones says which are large.
fn is_cased(hex: &str) -> bool {
    let (upper, lower) = (
        hex.bytes().any(|byte| byte.is_ascii_uppercase()),
        hex.bytes().any(|byte| byte.is_ascii_lowercase()),
    );
    let digest = Keccak256::digest(hex.to_ascii_lowercase());
    let is_large = |at: usize| {
        digest.get(at / 2).is_some_and(|byte| (if at.is_multiple_of(2) { byte >> 4 } else { byte & 15 }) >= 8)
    };
    !(upper && lower)
        || hex
            .bytes()
            .enumerate()
            .all(|(at, byte)| !byte.is_ascii_alphabetic() || byte.is_ascii_uppercase() == is_large(at))
}

/// Base58Check: a version, twenty bytes, and the first four of the double digest.
fn is_base58(text: &str) -> bool {
    const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    const RIPPLE: &[u8; 58] = b"rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz";
    let alphabet = if text.starts_with('r') { RIPPLE } else { ALPHABET };
    let mut bytes = [0_u8; 25];
    for symbol in text.bytes() {
        let Some(digit) = alphabet.iter().position(|known| *known == symbol) else { return false };
        let mut carry = u32::try_from(digit).unwrap_or(0);
        for byte in bytes.iter_mut().rev() {
            carry += u32::from(*byte) * 58;
            *byte = u8::try_from(carry % 256).unwrap_or(0);
            carry /= 256;
        }
        if carry > 0 {
            return false;
        }
    }
    let (body, check) = bytes.split_at(21);
    Sha256::digest(Sha256::digest(body)).get(..4) == Some(check)
}

/// BIP 173 and 350.
fn is_bech32(text: &str) -> bool {
    const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let text = text.to_ascii_lowercase();
    let Some((human, data)) = text.rsplit_once('1') else { return false };
    let values = data.bytes().map(|byte| {
        ALPHABET.iter().position(|known| *known == byte).and_then(|value| u32::try_from(value).ok())
    });
    let Some(values) = values.collect::<Option<Vec<_>>>() else { return false };
    let human = human
        .bytes()
        .map(|byte| u32::from(byte >> 5))
        .chain([0])
        .chain(human.bytes().map(|byte| u32::from(byte & 31)));
    let rest = human.chain(values).fold(1_u32, |rest, value| {
        let top = rest >> 25;
        let next = (rest & 0x01ff_ffff) << 5 ^ value;
        GENERATOR
            .iter()
            .enumerate()
            .fold(next, |next, (at, generator)| if top >> at & 1 == 1 { next ^ generator } else { next })
    });
    data.len() >= 6 && matches!(rest, 1 | 0x2bc8_30a3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wallets_are_checked() {
        for good in [
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
            "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
            "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
            "0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe",
        ] {
            assert!(is_wallet(good), "{good}");
            let last = if good.ends_with('a') { "b" } else { "a" };
            assert!(
                !is_wallet(&format!("{}{last}", &good[..good.len() - 1])) || good.starts_with("0x"),
                "{good}"
            );
        }
    }
}
