//! Values that show by their form what they are, and those that nothing but their disorder tells.

use std::collections::HashSet;

use super::places::{coordinates, is_pair};
use super::{CHECK_MAX, Is, NEVER, Weights, checked, form, odds, ratio};
use crate::cell::Cell;
use crate::class::Class;
use crate::forms;
use crate::secrets;

/// Values that show by their form what they are.
pub(super) fn marked(cells: &[Cell<'_>], weights: &mut Weights) {
    let of = cells.len();
    let count = |is: &dyn Fn(&Cell<'_>) -> bool| cells.iter().filter(|cell| is(cell)).count();
    let forms: [(Class, f64, Is<'_>); 10] = [
        (Class::Email, 11.0, &|cell| cell.marks > 0 && forms::has_emails(cell.text)),
        (Class::MacAddress, 9.0, &|cell| (14..=17).contains(&cell.length()) && forms::is_mac(cell.text)),
        (Class::Jwt, 11.0, &|cell| {
            cell.length() > 30 && secrets::is_jwt(cell.text.trim_start_matches("Bearer "))
        }),
        (Class::CryptoWallet, 9.0, &|cell| {
            cell.length() >= 25 && cell.spaces == 0 && secrets::is_wallet(cell.text)
        }),
        (Class::PrivateKey, 11.0, &|cell| {
            cell.text.contains("-----BEGIN") && cell.text.contains("PRIVATE KEY")
        }),
        (Class::PasswordHash, 9.0, &|cell| secrets::is_password_hash(cell.text)),
        (Class::Url, 7.0, &|cell| forms::is_personal_url(cell.text)),
        (Class::Vin, 5.0, &|cell| cell.length() == 17 && forms::is_vin_like(cell.compact())),
        (Class::ApiKey, 9.0, &|cell| cell.length() >= 20 && secrets::is_marked_key(cell.text)),
        (Class::IpAddress, 8.0, &|cell| cell.digits + cell.marks >= 4 && forms::has_ips(cell.text)),
    ];
    for (class, weight, is) in forms {
        let alike = count(is);
        weights.set(class, form(alike, of, weight), alike);
    }
    let opaque = count(&|cell| {
        (25..=90).contains(&cell.length()) && cell.spaces + cell.wide + cell.marks == 0 && cell.digits > 0
    });
    if ratio(opaque, of) > 0.75 {
        weights.at_least(Class::CryptoWallet, -1.5, opaque);
    }
    let urls = count(&|cell| forms::is_url(cell.text));
    if ratio(urls, of) > 0.8 && weights.share(Class::Url) < 0.3 {
        weights.none += 6.0;
    } else if weights.share(Class::Url) >= 0.3 && ratio(urls, of) > 0.8 {
        weights.only(Class::Url, 6.0);
    }
    let vins = count(&|cell| cell.length() == 17 && forms::is_vin_like(cell.compact()));
    if ratio(vins, of) > 0.75 {
        let valid = count(&|cell| {
            cell.length() == 17 && forms::is_vin_like(cell.compact()) && forms::is_vin(cell.compact())
        });
        let check = odds(valid, vins, 0.9, 0.09).clamp(-0.5, CHECK_MAX);
        weights.set(Class::Vin, form(vins, of, 4.0) + check, vins.max(valid));
    }
    // Numbers of versions and sections lie close together.
    let first: HashSet<&str> = cells.iter().filter_map(|cell| cell.text.split('.').next()).collect();
    if weights.score(Class::IpAddress) > 0.0
        && cells.iter().all(|cell| !cell.text.contains(':'))
        && (first.len() < 4 || first.iter().all(|octet| octet.len() < 3 && *octet < "32"))
        && of > 12
    {
        let inside =
            |cell: &&Cell<'_>| ["10.", "192.168.", "172."].iter().any(|net| cell.text.starts_with(net));
        let weight = if ratio(cells.iter().filter(inside).count(), of) > 0.8 { 4.0 } else { -1.0 };
        weights.only(Class::IpAddress, weight);
    }
    let bare = count(&|cell| {
        (cell.length() == 12 && forms::is_hex(cell.text)) || (cell.length() > 17 && forms::is_mac(cell.text))
    });
    if ratio(bare, of) > 0.75 {
        weights.at_least(Class::MacAddress, 0.0, bare);
    }
    let masks = count(&|cell| cell.text.starts_with("255.") || cell.text.starts_with("0."));
    if ratio(masks, of) > 0.6 {
        weights.only(Class::IpAddress, NEVER);
    }
    let zones = count(&|cell| cell.text.starts_with("P<"));
    weights.set(Class::Passport, form(zones, of, 9.0), zones);
    let bics = cells.iter().filter(|cell| {
        matches!(cell.length(), 8 | 11) && cell.lower + cell.marks + cell.spaces == 0 && cell.upper >= 6
    });
    let (mut alike, mut valid) = (0, 0);
    for cell in bics {
        alike += 1;
        valid += usize::from(forms::is_bic(cell.text));
    }
    weights.set(Class::Bic, checked(alike, valid, of, 0.5, 0.3), valid);
    let (mut alike, mut valid) = (0, 0);
    for cell in cells.iter().filter(|cell| cell.digits >= 2 && cell.length() >= 15) {
        let iban = std::str::from_utf8(cell.compact()).unwrap_or_default();
        let is_like = iban.len() >= 15
            && iban.get(..2).is_some_and(|country| country.bytes().all(|byte| byte.is_ascii_uppercase()))
            && iban.get(2..4).is_some_and(|two| two.bytes().all(|byte| byte.is_ascii_digit()));
        alike += usize::from(is_like);
        valid += usize::from(is_like && veil_model::check::is_iban(iban));
    }
    weights.set(Class::Iban, checked(alike, valid, of, 2.0, 0.01), valid);
    let pairs = count(&|cell| is_pair(cell.text));
    weights.set(Class::Geo, form(pairs, of, 6.0), pairs);
    if pairs == 0 {
        coordinates(cells, weights);
    }
}

/// Tokens, passwords and digests, which nothing but their disorder tells.
pub(super) fn opaque(cells: &[Cell<'_>], weights: &mut Weights) {
    let of = cells.len();
    let count = |is: &dyn Fn(&Cell<'_>) -> bool| cells.iter().filter(|cell| is(cell)).count();
    let hex = count(&|cell| cell.length() >= 32 && forms::is_hex(cell.text));
    let marked = cells.iter().filter(|cell| secrets::is_password_hash(cell.text)).count();
    weights.is_digest = ratio(hex + marked, of) > 0.6;
    if ratio(marked, of) < 0.3 {
        let long = count(&|cell| cell.length() >= 16 && cell.spaces == 0);
        weights.set(Class::PasswordHash, if ratio(hex.max(long), of) > 0.8 { 0.0 } else { NEVER }, hex);
    }
    if weights.share(Class::ApiKey) < 0.3 {
        let random = count(&secrets::is_random_token);
        let opaque = count(&|cell| cell.length() >= 8 && cell.spaces == 0 && cell.wide == 0);
        let score = if ratio(random, of) > 0.85 {
            1.5
        } else if ratio(opaque, of) > 0.8 {
            0.0
        } else {
            NEVER
        };
        weights.set(Class::ApiKey, score, random.max(opaque));
    }
    let mixed = count(&|cell| {
        (6..=24).contains(&cell.length())
            && cell.spaces == 0
            && cell.wide == 0
            && cell.marks > 0
            && cell.marks * 2 < cell.length()
            && cell.digits > 0
            && cell.letters() > 2
            && !cell.text.contains(['@', '/', ':'])
            && !cell.text.starts_with('#')
    });
    let possible = count(&|cell| (4..=64).contains(&cell.length()) && cell.spaces <= 4);
    let odd = count(&|cell| cell.text.bytes().any(|byte| b"!#$%^&*()+=?<>~".contains(&byte)));
    let score = if ratio(mixed, of) > 0.5 && ratio(odd, of) > 0.4 {
        2.2
    } else if ratio(possible, of) > 0.7 {
        0.0
    } else {
        NEVER
    };
    weights.set(Class::Password, if weights.is_digest { NEVER } else { score }, possible);
    for class in [Class::Jwt, Class::PrivateKey] {
        if weights.share(class) < 0.3 {
            let opaque = count(&|cell| cell.length() >= 16 && cell.spaces * 6 <= cell.length());
            weights.only(class, if ratio(opaque, of) > 0.8 { -1.5 } else { NEVER });
        }
    }
}
