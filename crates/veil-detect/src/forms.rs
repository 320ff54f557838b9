//! Values that show by their form, or by a check inside of them, what they are.

use veil_model::check;

use crate::cell::is_like;
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
    text.contains('@')
        && (is_email(text)
            || (parts().any(|part| is_email(part.trim_start_matches("mailto:"))) && parts().count() <= 8))
}

/// Addresses of hosts, perhaps several, or with ports.
pub(crate) fn has_ips(text: &str) -> bool {
    let is = |part: &str| {
        let bare = part.split_once("]:").map_or(part, |(address, _)| address).trim_matches(['[', ']']);
        let host = bare
            .rsplit_once(':')
            .filter(|(host, _)| host.contains('.') && !host.contains(':'))
            .map_or(bare, |(host, _)| host);
        is_ip(host)
    };
    is_ip(text) || (text.len() >= 7 && text.split([',', ' ', ';']).filter(|part| !part.is_empty()).all(is))
}

/// Endings of files, which are no top-level domains.
const FILES: &[&str] = &[
    "png", "jpg", "jpeg", "gif", "webp", "svg", "bmp", "tif", "tiff", "ico", "css", "js", "ts", "json",
    "xml", "html", "htm", "php", "pdf", "csv", "txt", "log", "gz", "tgz", "tar", "bak", "doc", "docx", "xls",
    "xlsx", "ppt", "pptx", "exe", "dll", "mp4", "wav", "avi",
];

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
    let is_top =
        top.starts_with("xn--") || (top.chars().all(char::is_alphabetic) && top.chars().count() >= 2);
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
    text.split(char::from(mark))
        .all(|group| (3..=7).contains(&group.len()) && group.bytes().all(|byte| byte.is_ascii_digit()))
}

/// IMEI: fifteen digits with the check of Luhn; the first two say who has allocated it.
pub(crate) fn is_imei(digits: &[u8]) -> bool {
    const REPORTING: &[&[u8]] = &[
        b"00", b"01", b"10", b"30", b"33", b"35", b"44", b"45", b"49", b"50", b"51", b"52", b"53", b"54",
        b"86", b"91", b"97", b"98", b"99",
    ];
    digits.len() == 15 && check::luhn(digits) && digits.get(..2).is_some_and(|head| REPORTING.contains(&head))
}

/// Values of letters in vehicle numbers (49 CFR 565), from A.
const VIN_VALUES: &[u8; 26] = b"12345678.12345.7.923456789";

/// Seventeen letters and digits without I, O and Q.
pub(crate) fn is_vin_like(compact: &[u8]) -> bool {
    let digits = compact.iter().filter(|byte| byte.is_ascii_digit()).count();
    compact.len() == 17
        && !compact.iter().any(|byte| b"IOQ".contains(byte))
        && (4..=15).contains(&digits)
        && compact.iter().rev().take(4).all(u8::is_ascii_digit)
}

/// The check in the ninth place, which vehicles of North America and China have.
pub(crate) fn is_vin(compact: &[u8]) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let value = |byte: &u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'Z' => {
            VIN_VALUES.get(usize::from(byte - b'A')).map_or(0, |value| u32::from(value.saturating_sub(b'0')))
        }
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
    let (address, prefix) =
        text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
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
    let hex = |group: &str, length: usize| {
        group.len() == length && group.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let by = |mark: char, length: usize, groups: &[usize]| {
        groups.contains(&text.split(mark).count()) && text.split(mark).all(|group| hex(group, length))
    };
    by(':', 2, &[6, 8]) || by('-', 2, &[6, 8]) || by('.', 4, &[3])
}

pub(crate) fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A text with personal data in a URL: who signs in, an email address, a token, or a page that is about a person.
pub(crate) fn is_personal_url(text: &str) -> bool {
    const KEYS: &[&str] = &[
        "email=",
        "mail=",
        "e-mail=",
        "token=",
        "user=",
        "username=",
        "phone=",
        "name=",
        "login=",
        "key=",
        "sig=",
        "signature=",
        "auth=",
        "password=",
        "pwd=",
        "session=",
        "sid=",
        "uid=",
        "user_id=",
        "userid=",
        "access_token=",
        "api_key=",
        "apikey=",
        "code=",
        "reset=",
    ];
    const PAGES: &[&str] = &[
        "/in/",
        "/user/",
        "/users/",
        "/u/",
        "/profile/",
        "/profiles/",
        "/people/",
        "/~",
        "/@",
        "/members/",
        "/member/",
        "/account/",
        "/profil/",
    ];
    const HOSTS: &[&str] = &[
        "facebook.com/",
        "twitter.com/",
        "instagram.com/",
        "linkedin.com/in",
        "github.com/",
        "t.me/",
        "x.com/",
    ];
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    if !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+') {
        return false;
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let lower = path.to_ascii_lowercase();
    let query = lower.split_once(['?', '#']).map_or("", |(_, query)| query);
    authority.contains('@')
        || lower.contains("%40")
        || path.split(['/', '?', '&', '=', '#']).any(is_email)
        || query
            .split('&')
            .any(|pair| KEYS.iter().any(|key| pair.starts_with(key) && pair.len() > key.len() + 3))
        || PAGES.iter().any(|page| lower.contains(page))
        || HOSTS.iter().any(|host| rest.trim_start_matches("www.").starts_with(host))
}

pub(crate) fn is_url(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, rest)| {
        (2..=32).contains(&scheme.len())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+')
            && !rest.is_empty()
    })
}

pub(crate) fn is_uuid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    text.len() == 36
        && text.split('-').count() == 5
        && text.split('-').zip(lengths).all(|(group, length)| group.len() == length && is_hex(group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vehicles_are_checked() {
        assert!(is_vin(b"1M8GDM9AXKP042788") && is_vin(b"11111111111111111"));
        assert!(!is_vin(b"1M8GDM9AXKP042789"));
    }
}
