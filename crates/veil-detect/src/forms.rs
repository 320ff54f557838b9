//! Values that show by their form, or by a check inside of them, what they are.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use sha3::Keccak256;
use veil_model::check;

use crate::cell::{Cell, is_like};
use crate::national;

/// An email address: RFC 5321 lengths, the dot-atom of RFC 5322 (and its wider characters of RFC 6531), a domain with a top level of letters.
pub(crate) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let atom = |c: char| c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~-.".contains(c);
    (1..=64).contains(&local.len())
        && text.len() <= 254
        && local.chars().all(atom)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && is_domain(domain)
}

/// Email addresses, perhaps several, or with the names of their owners.
pub(crate) fn has_emails(text: &str) -> bool {
    let parts = || text.split([' ', ',', ';', '<', '>', '"', '(', ')']).filter(|part| !part.is_empty());
    text.contains('@') && (is_email(text) || (parts().any(|part| is_email(part.trim_start_matches("mailto:"))) && parts().count() <= 8))
}

/// Addresses of hosts, perhaps several, or with ports.
pub(crate) fn has_ips(text: &str) -> bool {
    let is = |part: &str| {
        let bare = part.split_once("]:").map_or(part, |(address, _)| address).trim_matches(['[', ']']);
        let host = bare.rsplit_once(':').filter(|(host, _)| host.contains('.') && !host.contains(':')).map_or(bare, |(host, _)| host);
        is_ip(host)
    };
    is_ip(text) || (text.len() >= 7 && text.split([',', ' ', ';']).filter(|part| !part.is_empty()).all(is))
}

/// Endings of files, which are no top-level domains.
const FILES: &[&str] = &["png", "jpg", "jpeg", "gif", "webp", "svg", "bmp", "tif", "tiff", "ico", "css", "js", "ts", "json", "xml", "html", "htm", "php", "pdf", "csv", "txt", "log", "gz", "tgz", "tar", "bak", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "exe", "dll", "mp4", "wav", "avi"];

/// Whether a name ends like that of a file: `logo@2x.png`.
pub(crate) fn is_file(name: &str) -> bool {
    let ending = name.rsplit('.').next().unwrap_or_default();
    FILES.iter().any(|file| ending.eq_ignore_ascii_case(file))
}

/// Names of at least two labels, the last of letters.
pub(crate) fn is_domain(domain: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let top = domain.rsplit('.').next().unwrap_or_default();
    let is_top = top.starts_with("xn--") || (top.chars().all(char::is_alphabetic) && top.chars().count() >= 2);
    domain.len() <= 253 && !is_file(domain) && domain.contains('.') && domain.split('.').all(label) && is_top
}

/// Ranges of issuers with the lengths of their numbers (ISO/IEC 7812-1 and the issuers' own publications).
const ISSUERS: &[(u32, u32, &[usize])] = &[
    (340_000, 349_999, &[15]),
    (370_000, 379_999, &[15]),
    (300_000, 305_999, &[14, 16]),
    (309_500, 309_599, &[14, 16]),
    (360_000, 369_999, &[14, 16, 19]),
    (380_000, 399_999, &[14, 16, 19]),
    (352_800, 358_999, &[16, 17, 18, 19]),
    (400_000, 499_999, &[13, 16, 19]),
    (500_000, 509_999, &[12, 13, 14, 15, 16, 17, 18, 19]),
    (510_000, 559_999, &[16]),
    (560_000, 589_999, &[12, 13, 14, 15, 16, 17, 18, 19]),
    (601_100, 601_199, &[16, 19]),
    (620_000, 629_999, &[16, 17, 18, 19]),
    (639_000, 639_999, &[12, 13, 14, 15, 16, 17, 18, 19]),
    (630_000, 638_999, &[16, 17, 18, 19]),
    (644_000, 659_999, &[16, 19]),
    (670_000, 679_999, &[12, 13, 14, 15, 16, 17, 18, 19]),
    (222_100, 272_099, &[16]),
    (220_000, 220_499, &[16, 17, 18, 19]),
    (810_000, 817_199, &[16, 17, 18, 19]),
    (979_200, 979_299, &[16]),
];

/// Whether digits are as many as an issuer of their range gives.
pub(crate) fn is_issued(digits: &[u8]) -> bool {
    let Some(head) = digits.get(..6) else { return false };
    let head = head.iter().fold(0, |number, byte| number * 10 + u32::from(byte.saturating_sub(b'0')));
    ISSUERS.iter().any(|(from, to, lengths)| (*from..=*to).contains(&head) && lengths.contains(&digits.len()))
}

/// A number of a payment card: digits in groups, of an issuer, with the check of Luhn.
pub(crate) fn is_card(digits: &[u8]) -> bool {
    let alike = digits.iter().all(|digit| Some(digit) == digits.first());
    is_issued(digits) && check::luhn(digits) && !alike
}

/// Whether digits stand in groups of three and more, between blanks or hyphens, all alike.
pub(crate) fn is_grouped(text: &str) -> bool {
    let mark = text.bytes().find(|byte| !byte.is_ascii_digit());
    let Some(mark) = mark.filter(|mark| b" -".contains(mark)) else { return mark.is_none() };
    text.split(char::from(mark)).all(|group| (3..=7).contains(&group.len()) && group.bytes().all(|byte| byte.is_ascii_digit()))
}

/// IMEI: fifteen digits with the check of Luhn; the first two say who has allocated it.
pub(crate) fn is_imei(digits: &[u8]) -> bool {
    const REPORTING: &[&[u8]] = &[b"00", b"01", b"10", b"30", b"33", b"35", b"44", b"45", b"49", b"50", b"51", b"52", b"53", b"54", b"86", b"91", b"97", b"98", b"99"];
    digits.len() == 15 && check::luhn(digits) && digits.get(..2).is_some_and(|head| REPORTING.contains(&head))
}

/// Values of letters in vehicle numbers (49 CFR 565), from A.
const VIN_VALUES: &[u8; 26] = b"12345678.12345.7.923456789";

/// Seventeen letters and digits without I, O and Q.
pub(crate) fn is_vin_like(compact: &[u8]) -> bool {
    let digits = compact.iter().filter(|byte| byte.is_ascii_digit()).count();
    compact.len() == 17 && !compact.iter().any(|byte| b"IOQ".contains(byte)) && (4..=15).contains(&digits) && compact.iter().rev().take(4).all(u8::is_ascii_digit)
}

/// The check in the ninth place, which vehicles of North America and China have.
pub(crate) fn is_vin(compact: &[u8]) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let value = |byte: &u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'Z' => VIN_VALUES.get(usize::from(byte - b'A')).map_or(0, |value| u32::from(value.saturating_sub(b'0'))),
        _ => 0,
    };
    let sum: u32 = compact.iter().zip(WEIGHTS).map(|(byte, weight)| value(byte) * weight).sum();
    let check = u8::try_from(sum % 11).unwrap_or(0);
    compact.get(8) == Some(&if check == 10 { b'X' } else { b'0' + check })
}

/// Number of a bank in the United States: weights 3, 7 and 1, and a district of the Federal Reserve.
pub(crate) fn is_routing(digits: &[u8]) -> bool {
    let district = digits.get(..2).and_then(|two| std::str::from_utf8(two).ok()?.parse::<u32>().ok());
    digits.len() == 9
        && national::sum(digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
        && matches!(district, Some(1..=12 | 21..=32 | 61..=72 | 80))
}

/// ISO 9362: a bank, a country, a place, perhaps a branch.
pub(crate) fn is_bic(text: &str) -> bool {
    (is_like(text, "AAAAAAXX") || is_like(text, "AAAAAAXXXXX"))
        && text.bytes().all(|byte| !byte.is_ascii_lowercase())
        && text.get(4..6).is_some_and(|country| COUNTRIES.split(' ').any(|known| known == country))
}

/// ISO 3166-1.
pub(crate) const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// An address of a host, of four bytes or sixteen, perhaps with the length of a prefix.
pub(crate) fn is_ip(text: &str) -> bool {
    let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let fits = |most: u8| prefix.is_none_or(|prefix| prefix.parse::<u8>().is_ok_and(|prefix| prefix <= most));
    match address.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(_)) => fits(32),
        // Bytes between colons are no address, and `::` alone is nobody's.
        Ok(std::net::IpAddr::V6(_)) => {
            let is_long = address.contains("::") || address.split(':').any(|group| group.len() > 2);
            fits(128) && address.len() > 3 && is_long
        }
        Err(_) => false,
    }
}

/// Six or eight bytes in hexadecimal, between colons, hyphens or dots.
pub(crate) fn is_mac(text: &str) -> bool {
    let hex = |group: &str, length: usize| group.len() == length && group.bytes().all(|byte| byte.is_ascii_hexdigit());
    let by = |mark: char, length: usize, groups: &[usize]| {
        groups.contains(&text.split(mark).count()) && text.split(mark).all(|group| hex(group, length))
    };
    by(':', 2, &[6, 8]) || by('-', 2, &[6, 8]) || by('.', 4, &[3])
}

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
    let signature = parts.next().is_some_and(|signature| signature.is_empty() || signature.len() >= 16 && url(signature));
    head && body && signature && parts.next().is_none()
}

/// What keys begin with that providers give out, and how many letters, digits, `-` and `_` follow at least.
pub(crate) const KEY_PREFIXES: &[(&str, usize)] = &[
    ("AKIA", 16), ("ASIA", 16), ("ghp_", 30), ("gho_", 30), ("ghu_", 30), ("ghs_", 30), ("ghr_", 30), ("github_pat_", 30), ("glpat-", 20),
    ("sk_live_", 16), ("sk_test_", 16), ("rk_live_", 16), ("rk_test_", 16), ("pk_live_", 16), ("pk_test_", 16), ("whsec_", 20), ("xoxb-", 20), ("xoxp-", 20), ("xoxa-", 20), ("xoxr-", 20),
    ("xoxs-", 20), ("xapp-", 20), ("AIza", 35), ("ya29.", 20), ("sk-", 32), ("SG.", 30), ("npm_", 30), ("pypi-", 40), ("dop_v1_", 40), ("shpat_", 30), ("hf_", 30),
    ("EAACEdEose0cBA", 10), ("sq0csp-", 30), ("sq0atp-", 20), ("key-", 30), ("AAAA", 130), ("rzp_live_", 12), ("rzp_test_", 12), ("dckr_pat_", 20), ("hvs.", 20), ("NRAK-", 20), ("lin_api_", 30), ("sntrys_", 30), ("GOCSPX-", 20),
];

/// A key of a provider that marks its keys.
pub(crate) fn is_marked_key(text: &str) -> bool {
    KEY_PREFIXES.iter().any(|(prefix, length)| {
        let rest = text.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.len() >= *length && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)))
    })
}

/// Letters of both cases and digits without order, as tokens are made.
pub(crate) fn is_random_token(cell: &Cell<'_>) -> bool {
    let apart = cell.text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+/=".contains(&byte));
    (20..=256).contains(&cell.length()) && apart && cell.upper >= 3 && cell.lower >= 3 && cell.digits >= 2 && cell.spaces == 0 && entropy(cell.text) > 3.6
}

/// Bits a character, by how often each comes.
fn entropy(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) { *count += 1 }
    }
    let total = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX));
    counts.iter().filter(|count| **count > 0).map(|count| { let share = f64::from(*count) / total; -share * share.log2() }).sum()
}

/// A digest as programs for passwords write it.
pub(crate) fn is_password_hash(text: &str) -> bool {
    const PREFIXES: &[&str] = &["$2a$", "$2b$", "$2y$", "$2x$", "$argon2", "$1$", "$5$", "$6$", "$y$", "$7$", "$P$", "$H$", "$S$", "$apr1$", "$scrypt$", "$pbkdf2", "pbkdf2_sha", "pbkdf2:", "scrypt:", "bcrypt$", "bcrypt_sha256$", "argon2$", "SCRAM-SHA-256$", "{SSHA}", "{SHA}", "{MD5}", "{bcrypt}", "{noop}", "sha1$", "md5$"];
    PREFIXES.iter().any(|prefix| text.starts_with(prefix)) && text.len() >= 20
        || (text.len() == 41 && text.starts_with('*') && text.get(1..).is_some_and(is_hex))
}

pub(crate) fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// An address that is checked by two rounds of SHA-256 (base58), by its checksum (bech32), or is forty hexadecimal digits behind `0x`.
pub(crate) fn is_wallet(text: &str) -> bool {
    if let Some(hex) = text.strip_prefix("0x") {
        return hex.len() == 40 && is_hex(hex) && is_cased(hex);
    }
    if ["bc1", "tb1", "ltc1"].iter().any(|human| text.get(..human.len()).is_some_and(|head| head.eq_ignore_ascii_case(human))) {
        return is_bech32(text);
    }
    (25..=36).contains(&text.len()) && text.starts_with(['1', '3', 'D', 'L', 'M', 'T', 'r']) && is_base58(text)
}

/// Letters of both cases are a checksum (ERC-55): the digest of the small ones says which are large.
fn is_cased(hex: &str) -> bool {
    let (upper, lower) = (hex.bytes().any(|byte| byte.is_ascii_uppercase()), hex.bytes().any(|byte| byte.is_ascii_lowercase()));
    let digest = Keccak256::digest(hex.to_ascii_lowercase());
    let is_large = |at: usize| digest.get(at / 2).is_some_and(|byte| (if at.is_multiple_of(2) { byte >> 4 } else { byte & 15 }) >= 8);
    !(upper && lower) || hex.bytes().enumerate().all(|(at, byte)| !byte.is_ascii_alphabetic() || byte.is_ascii_uppercase() == is_large(at))
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
    let values = data.bytes().map(|byte| ALPHABET.iter().position(|known| *known == byte).and_then(|value| u32::try_from(value).ok()));
    let Some(values) = values.collect::<Option<Vec<_>>>() else { return false };
    let human = human.bytes().map(|byte| u32::from(byte >> 5)).chain([0]).chain(human.bytes().map(|byte| u32::from(byte & 31)));
    let rest = human.chain(values).fold(1_u32, |rest, value| {
        let top = rest >> 25;
        let next = (rest & 0x01ff_ffff) << 5 ^ value;
        GENERATOR.iter().enumerate().fold(next, |next, (at, generator)| if top >> at & 1 == 1 { next ^ generator } else { next })
    });
    data.len() >= 6 && matches!(rest, 1 | 0x2bc8_30a3)
}

/// A text with personal data in a URL: who signs in, an email address, a token, or a page that is about a person.
pub(crate) fn is_personal_url(text: &str) -> bool {
    const KEYS: &[&str] = &["email=", "mail=", "e-mail=", "token=", "user=", "username=", "phone=", "name=", "login=", "key=", "sig=", "signature=", "auth=", "password=", "pwd=", "session=", "sid=", "uid=", "user_id=", "userid=", "access_token=", "api_key=", "apikey=", "code=", "reset="];
    const PAGES: &[&str] = &["/in/", "/user/", "/users/", "/u/", "/profile/", "/profiles/", "/people/", "/~", "/@", "/members/", "/member/", "/account/", "/profil/"];
    const HOSTS: &[&str] = &["facebook.com/", "twitter.com/", "instagram.com/", "linkedin.com/in", "github.com/", "t.me/", "x.com/"];
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    if !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+') { return false }
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let lower = path.to_ascii_lowercase();
    let query = lower.split_once(['?', '#']).map_or("", |(_, query)| query);
    authority.contains('@')
        || lower.contains("%40")
        || path.split(['/', '?', '&', '=', '#']).any(is_email)
        || query.split('&').any(|pair| KEYS.iter().any(|key| pair.starts_with(key) && pair.len() > key.len() + 3))
        || PAGES.iter().any(|page| lower.contains(page))
        || HOSTS.iter().any(|host| rest.trim_start_matches("www.").starts_with(host))
}

pub(crate) fn is_url(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, rest)| (2..=32).contains(&scheme.len()) && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+') && !rest.is_empty())
}

pub(crate) fn is_uuid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    text.len() == 36 && text.split('-').count() == 5 && text.split('-').zip(lengths).all(|(group, length)| group.len() == length && is_hex(group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wallets_are_checked() {
        for good in ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr", "0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe"] {
            assert!(is_wallet(good), "{good}");
            let last = if good.ends_with('a') { "b" } else { "a" };
            assert!(!is_wallet(&format!("{}{last}", &good[..good.len() - 1])) || good.starts_with("0x"), "{good}");
        }
    }

    #[test]
    fn vehicles_are_checked() {
        assert!(is_vin(b"1M8GDM9AXKP042788") && is_vin(b"11111111111111111"));
        assert!(!is_vin(b"1M8GDM9AXKP042789"));
    }
}
