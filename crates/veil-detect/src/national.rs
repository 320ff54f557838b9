//! Numbers by which states and tax offices know people: how they are written, and what makes one valid.

use veil_model::check;

use crate::cell::Cell;

/// A number's form.
pub(crate) struct Scheme {
    pub(crate) name: &'static str,
    /// As in [`Cell::is_like`].
    layouts: &'static [&'static str],
    is_valid: fn(&[u8]) -> bool,
    /// How often something that is written like it is valid by chance.
    pub(crate) chance: f64,
    /// How much its form alone says, in log-odds; what has marks of its own says more than bare digits.
    pub(crate) form: f64,
}

const fn scheme(
    name: &'static str,
    layouts: &'static [&'static str],
    chance: f64,
    form: f64,
    is_valid: fn(&[u8]) -> bool,
) -> Scheme {
    Scheme { name, layouts, is_valid, chance, form }
}

pub(crate) const SCHEMES: &[Scheme] = &[
    scheme("uk_nino", &["AA999999A", "AA 99 99 99 A", "AA-99-99-99-A", "AA 999999 A"], 0.1, 1.0, nino),
    scheme("uk_nhs", &["9999999999", "999 999 9999", "999-999-9999"], 0.09, -1.0, |n| last(n, check::nhs)),
    scheme("ca_sin", &["999999999", "999 999 999", "999-999-999"], 0.08, -1.0, |n| {
        !b"08".contains(&at(n, 0)) && check::luhn(n)
    }),
    scheme("in_aadhaar", &["999999999999", "9999 9999 9999", "9999-9999-9999"], 0.08, -0.5, |n| {
        at(n, 0) >= b'2' && last(n, check::verhoeff)
    }),
    scheme("in_pan", &["AAAAA9999A", "AAAAA-9999-A"], 0.35, 4.0, |n| b"PCHFATBLJG".contains(&at(n, 3))),
    scheme("br_cpf", &["99999999999", "999.999.999-99", "999999999-99"], 0.01, 0.0, |n| {
        !alike(n) && ends(n, 2, check::cpf)
    }),
    scheme("br_cnpj", &["99999999999999", "99.999.999/9999-99"], 0.01, 0.0, |n| {
        !alike(n) && ends(n, 2, check::cnpj)
    }),
    scheme(
        "fr_nir",
        &["999999999999999", "9 99 99 99 999 999 99", "99999XX99999999", "9 99 99 XX 999 999 99"],
        0.01,
        0.0,
        nir,
    ),
    // Without its check digits.
    scheme("fr_nir", &["99999XX999999", "9 99 99 99 999 999"], 0.5, -1.0, nir),
    scheme(
        "es_dni",
        &["99999999A", "99999999-A", "99.999.999-A", "A9999999A", "A-9999999-A"],
        0.05,
        1.5,
        dni,
    ),
    scheme("it_cf", &["AAAAAA99A99A999A", "AAA AAA 99A99 A999A", "AAAAAAXXAXXAXXXA"], 0.04, 4.0, |n| {
        n.len() == 16 && last(n, check::codice_fiscale)
    }),
    scheme("de_steuerid", &["99999999999", "99 999 999 999"], 0.05, -0.5, |n| {
        at(n, 0) != b'0' && repeats(n) && last(n, check::mod11_10)
    }),
    scheme("pl_pesel", &["99999999999"], 0.02, 0.0, |n| {
        is_day(num(n, 2..4) % 20, num(n, 4..6)) && last(n, check::pesel)
    }),
    scheme(
        "nl_bsn",
        &["999999999", "99999999", "9999.99.999", "999.999.999", "999 999 999", "9999 99 999"],
        0.09,
        -1.0,
        |n| {
            if n.len() == 8 {
                last(&[b"0", n].concat(), check::bsn)
            } else {
                last(n, check::bsn) && !alike(n)
            }
        },
    ),
    scheme(
        "se_pnr",
        &["9999999999", "999999-9999", "999999+9999", "999999999999", "99999999-9999"],
        0.01,
        0.0,
        |n| {
            let n = if n.len() == 12 { n.get(2..).unwrap_or_default() } else { n };
            is_day(num(n, 2..4), num(n, 4..6) % 60) && check::luhn(n)
        },
    ),
    scheme("au_tfn", &["999999999", "999 999 999"], 0.08, -1.0, |n| last(n, check::tfn)),
    scheme(
        "au_medicare",
        &["9999999999", "9999 99999 9", "99999999999", "9999 99999 9 9", "9999 99999 9/9"],
        0.05,
        -1.0,
        |n| (b'2'..=b'6').contains(&at(n, 0)) && n.get(..9).is_some_and(|n| last(n, check::medicare)),
    ),
    scheme("sg_nric", &["A9999999A"], 0.02, 1.5, nric),
    scheme("cn_rid", &["999999999999999999", "99999999999999999A"], 0.002, 1.0, |n| {
        is_birth(num(n, 6..10), num(n, 10..12), num(n, 12..14)) && last(n, check::resident)
    }),
    scheme("kr_rrn", &["9999999999999", "999999-9999999"], 0.01, 0.0, |n| {
        is_day(num(n, 2..4), num(n, 4..6)) && (b'1'..=b'8').contains(&at(n, 6)) && last(n, check::rrn)
    }),
    scheme("jp_mynumber", &["999999999999", "9999 9999 9999", "9999-9999-9999"], 0.1, -1.0, |n| {
        last(n, check::my_number)
    }),
    scheme("us_itin", &["999-99-9999", "999999999"], 0.04, 1.0, |n| {
        let group = num(n, 3..5);
        at(n, 0) == b'9' && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99)
    }),
    scheme("tr_tckn", &["99999999999"], 0.01, 0.0, tckn),
    scheme("fi_hetu", &["999999-999X", "999999+999X", "999999A999X"], 0.03, 3.0, |n| {
        let day = num(n, 0..6) * 1000 + if n.len() == 11 { num(n, 7..10) } else { num(n, 6..9) };
        is_day(num(n, 2..4), num(n, 0..2)) && b"0123456789ABCDEFHJKLMNPRSTUVWXY".get(day % 31) == n.last()
    }),
    scheme("be_nn", &["99999999999", "99.99.99-999.99", "99.99.99.999.99"], 0.01, 0.0, |n| {
        let (nine, two) = (num(n, 0..9), num(n, 9..11));
        is_day(num(n, 2..4) % 20, num(n, 4..6))
            && (97 - nine % 97 == two || 97 - (2_000_000_000 + nine) % 97 == two)
    }),
    scheme("dk_cpr", &["999999-9999"], 0.3, 2.0, |n| is_day(num(n, 2..4), num(n, 0..2))),
    scheme("no_fnr", &["99999999999", "999999 99999"], 0.005, 0.0, |n| {
        is_day(num(n, 2..4) % 40, num(n, 0..2) % 40)
            && sum(n, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]).is_multiple_of(11)
            && sum(n, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
    }),
    scheme("ch_ahv", &["756.9999.9999.99", "7569999999999"], 0.1, 5.0, ean),
    scheme("pt_nif", &["999999999", "999 999 999"], 0.08, -1.5, |n| {
        let check = 11 - sum(n, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
        b"12356789".contains(&at(n, 0)) && num(n, 8..9) == if check > 9 { 0 } else { check }
    }),
    scheme("ro_cnp", &["9999999999999"], 0.01, 0.0, |n| {
        let check = sum(n, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
        is_day(num(n, 3..5), num(n, 5..7)) && num(n, 12..13) == if check == 10 { 1 } else { check }
    }),
    scheme("cz_rc", &["999999/9999", "999999/999"], 0.05, 2.0, |n| {
        is_day(num(n, 2..4) % 50, num(n, 4..6)) && (n.len() == 9 || num(n, 0..10).is_multiple_of(11))
    }),
    scheme("mx_curp", &["AAAA999999AAAAAAX9"], 0.3, 6.0, |n| {
        is_day(num(n, 6..8), num(n, 8..10)) && b"HMX".contains(&at(n, 10))
    }),
    scheme("cl_rut", &["99.999.999-X", "9.999.999-X", "99999999-X", "9999999-X"], 0.09, 1.5, rut),
    scheme("za_id", &["9999999999999", "999999 9999 999"], 0.02, -0.5, |n| {
        is_day(num(n, 2..4), num(n, 4..6)) && num(n, 10..11) < 3 && check::luhn(n)
    }),
    scheme("ru_snils", &["999-999-999 99", "99999999999"], 0.01, 0.0, |n| {
        let sum = sum(n, &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101;
        num(n, 9..11) == if sum == 100 { 0 } else { sum } && num(n, 0..9) > 1_001_998
    }),
    scheme("ru_inn", &["999999999999"], 0.01, 0.0, |n| {
        sum(n, &[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == num(n, 10..11)
            && sum(n, &[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == num(n, 11..12)
    }),
    scheme("ee_ik", &["99999999999"], 0.01, 0.0, |n| {
        let first = sum(n, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
        let check = if first < 10 { first } else { sum(n, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10 };
        (b'1'..=b'6').contains(&at(n, 0)) && is_day(num(n, 3..5), num(n, 5..7)) && num(n, 10..11) == check
    }),
];

impl Scheme {
    /// Whether a value is written like such a number.
    pub(crate) fn is_like(&self, cell: &Cell<'_>) -> bool {
        cell.is_like(self.layouts)
    }

    /// Whether letters and digits, of something that is written like it, are one.
    pub(crate) fn is_valid(&self, compact: &[u8]) -> bool {
        (self.is_valid)(compact)
    }
}

/// Social security number of the United States, by its areas, groups and serials.
pub(crate) fn is_ssn(digits: &[u8]) -> bool {
    let (area, group, serial) = (num(digits, 0..3), num(digits, 3..5), num(digits, 5..9));
    digits.len() == 9 && (1..900).contains(&area) && area != 666 && group > 0 && serial > 0
}

/// EAN-13 and the like: weights 1 and 3 by turns.
pub(crate) fn ean(digits: &[u8]) -> bool {
    let weight = |at: usize| if at.is_multiple_of(2) { 1 } else { 3 };
    let sum: usize = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, byte)| usize::from(byte.saturating_sub(b'0')) * weight(at))
        .sum();
    sum.is_multiple_of(10)
}

fn at(n: &[u8], at: usize) -> u8 {
    n.get(at).copied().unwrap_or(0)
}

fn num(n: &[u8], range: std::ops::Range<usize>) -> usize {
    let digits = n.get(range).unwrap_or_default();
    digits.iter().fold(0, |number, byte| number * 10 + usize::from(byte.saturating_sub(b'0')))
}

pub(crate) fn sum(n: &[u8], weights: &[usize]) -> usize {
    n.iter().zip(weights).map(|(byte, weight)| usize::from(byte.saturating_sub(b'0')) * weight).sum()
}

/// Whether the last symbol is the check of the others.
fn last(n: &[u8], check: fn(&[u8]) -> Option<u8>) -> bool {
    ends(n, 1, check)
}

/// Whether the last symbols are checks, each of all before it.
fn ends(n: &[u8], checks: usize, check: fn(&[u8]) -> Option<u8>) -> bool {
    (n.len().saturating_sub(checks)..n.len()).all(|end| n.get(..end).and_then(check) == n.get(end).copied())
}

fn alike(n: &[u8]) -> bool {
    n.iter().all(|byte| *byte == at(n, 0))
}

fn is_day(month: usize, day: usize) -> bool {
    (1..=12).contains(&month) && (1..=31).contains(&day)
}

fn is_birth(year: usize, month: usize, day: usize) -> bool {
    (1900..2100).contains(&year) && is_day(month, day)
}

fn nino(n: &[u8]) -> bool {
    let bad = |letter: u8| b"DFIQUV".contains(&letter);
    let prefix = n.get(..2).unwrap_or_default();
    !bad(at(n, 0))
        && !bad(at(n, 1))
        && at(n, 1) != b'O'
        && b"ABCD".contains(&at(n, 8))
        && ![&b"BG"[..], b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"].contains(&prefix)
}

/// The two departments of Corsica, 2A and 2B, count as 19 and 18.
fn nir(n: &[u8]) -> bool {
    let mut plain = n.to_vec();
    let department: &[u8] = match n.get(5..7) {
        Some(b"2A") => b"19",
        Some(b"2B") => b"18",
        Some(department) => department,
        None => return false,
    };
    plain.splice(5..7, department.iter().copied());
    let is_like = b"1234".contains(&at(n, 0)) && matches!(num(n, 3..5), 1..=12 | 20..=42 | 50..=99);
    let checks = n.len() == 13 || (n.len() == 15 && 97 - num(&plain, 0..13) % 97 == num(&plain, 13..15));
    is_like && checks && plain.iter().all(u8::is_ascii_digit)
}

fn dni(n: &[u8]) -> bool {
    let foreign = b"XYZ".iter().position(|letter| *letter == at(n, 0));
    let digits = match foreign {
        Some(digit) => [&[b'0' + u8::try_from(digit).unwrap_or(0)], n.get(1..8).unwrap_or_default()].concat(),
        None => n.get(..8).unwrap_or_default().to_vec(),
    };
    digits.iter().all(u8::is_ascii_digit) && check::dni(&digits) == n.get(8).copied()
}

fn nric(n: &[u8]) -> bool {
    let sum = sum(n.get(1..8).unwrap_or_default(), &[2, 7, 6, 5, 4, 3, 2]);
    let (letters, more): (&[u8; 11], usize) = match at(n, 0) {
        b'S' => (b"JZIHGFEDCBA", 0),
        b'T' => (b"JZIHGFEDCBA", 4),
        b'F' => (b"XWUTRQPNMLK", 0),
        b'G' => (b"XWUTRQPNMLK", 4),
        b'M' => (b"XWUTRQPNJLK", 3),
        _ => return false,
    };
    letters.get((sum + more) % 11) == n.get(8)
}

fn tckn(n: &[u8]) -> bool {
    let (odd, even) = (sum(n, &[1, 0, 1, 0, 1, 0, 1, 0, 1]), sum(n, &[0, 1, 0, 1, 0, 1, 0, 1]));
    at(n, 0) != b'0'
        && (odd * 7 + 10 * 10 - even) % 10 == num(n, 9..10)
        && (odd + even + num(n, 9..10)) % 10 == num(n, 10..11)
}

fn rut(n: &[u8]) -> bool {
    let Some((check, digits)) = n.split_last() else { return false };
    let sum: usize = digits
        .iter()
        .rev()
        .zip([2, 3, 4, 5, 6, 7].into_iter().cycle())
        .map(|(byte, weight)| usize::from(byte.saturating_sub(b'0')) * weight)
        .sum();
    digits.iter().all(u8::is_ascii_digit) && b"0123456789K".get((11 - sum % 11) % 11) == Some(check)
}

/// Tax numbers of Germany have one digit twice or three times among the first ten.
fn repeats(n: &[u8]) -> bool {
    let times = |digit: u8| n.iter().take(10).filter(|byte| **byte == digit).count();
    let counts: Vec<usize> = (b'0'..=b'9').map(times).collect();
    counts.iter().all(|count| *count <= 3)
        && (1..=2).contains(&counts.iter().filter(|count| **count > 1).count())
}
