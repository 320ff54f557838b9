//! Check digits of numbers that people, accounts and things go by: public arithmetic, which masks are made with and values are told by.
//!
//! A function that ends in `digit`, or is named after a number, gives the check character behind the symbols of that number, or `None` if no
//! character fits; symbols are ASCII digits and capital letters where the number has them.

/// The check of ISO/IEC 7812-1, annex B.
pub fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, byte)| {
            let digit = u32::from(byte.saturating_sub(b'0'));
            if at % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Country codes with the length of an IBAN there (the SWIFT registry).
#[rustfmt::skip]
const IBAN_LENGTHS: &[(&str, usize)] = &[
    ("AD", 24), ("AE", 23), ("AL", 28), ("AT", 20), ("AZ", 28), ("BA", 20), ("BE", 16), ("BG", 22), ("BH", 22), ("BI", 27), ("BR", 29), ("BY", 28), ("CH", 21),
    ("CR", 22), ("CY", 28), ("CZ", 24), ("DE", 22), ("DJ", 27), ("DK", 18), ("DO", 28), ("EE", 20), ("EG", 29), ("ES", 24), ("FI", 18), ("FK", 18), ("FO", 18),
    ("FR", 27), ("GB", 22), ("GE", 22), ("GI", 23), ("GL", 18), ("GR", 27), ("GT", 28), ("HN", 28), ("HR", 21), ("HU", 28), ("IE", 22), ("IL", 23), ("IQ", 23),
    ("IS", 26), ("IT", 27), ("JO", 30), ("KW", 30), ("KZ", 20), ("LB", 28), ("LC", 32), ("LI", 21), ("LT", 20), ("LU", 20), ("LV", 21), ("LY", 25), ("MC", 27),
    ("MD", 24), ("ME", 22), ("MK", 19), ("MN", 20), ("MR", 27), ("MT", 31), ("MU", 30), ("NI", 28), ("NL", 18), ("NO", 15), ("OM", 23), ("PK", 24), ("PL", 28),
    ("PS", 29), ("PT", 25), ("QA", 29), ("RO", 24), ("RS", 22), ("RU", 33), ("SA", 24), ("SC", 31), ("SD", 18), ("SE", 24), ("SI", 19), ("SK", 24), ("SM", 27),
    ("SO", 23), ("ST", 25), ("SV", 28), ("TL", 23), ("TN", 24), ("TR", 26), ("UA", 29), ("VA", 22), ("VG", 24), ("XK", 20), ("YE", 30),
];

/// Whether a text without blanks, in capitals, is an IBAN: its country, length and check digits.
#[must_use]
pub fn is_iban(text: &str) -> bool {
    let (Some(country), Some(digits), Some(account)) = (text.get(..2), text.get(2..4), text.get(4..)) else {
        return false;
    };
    let is_known = IBAN_LENGTHS.iter().any(|(code, length)| *code == country && *length == text.len());
    is_known && iban_digits(country, account).is_some_and(|check| check == digits)
}

/// The check digits: 98 less the rest of all by 97, the country behind and letters as numbers from 10.
#[must_use]
pub fn iban_digits(country: &str, account: &str) -> Option<String> {
    let mut rest = 0;
    for byte in account.bytes().chain(country.bytes()).chain(*b"00") {
        rest = match byte {
            b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
            b'A'..=b'Z' => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
            _ => return None,
        };
    }
    Some(format!("{:02}", 98 - rest))
}

/// No check.
#[must_use]
pub const fn none(_: &[u8]) -> Option<u8> {
    None
}

/// National Health Service of the United Kingdom.
#[must_use]
pub fn nhs(digits: &[u8]) -> Option<u8> {
    mod11(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2])
}

/// DNI of Spain.
#[must_use]
pub fn dni(digits: &[u8]) -> Option<u8> {
    table(digits, 23, b"TRWAGMYFPDXBNJZSQVHLCKE")
}

/// PESEL of Poland.
#[must_use]
pub fn pesel(digits: &[u8]) -> Option<u8> {
    ten_minus(sum(digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]), 10)
}

/// BSN of the Netherlands.
#[must_use]
pub fn bsn(digits: &[u8]) -> Option<u8> {
    digit(sum(digits, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11)
}

/// Medicare of Australia; an issue number stands behind it.
#[must_use]
pub fn medicare(digits: &[u8]) -> Option<u8> {
    digit(sum(digits, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10)
}

/// NRIC of Singapore, of the series S; T has four more.
#[must_use]
pub fn nric(text: &[u8]) -> Option<u8> {
    let later = if text.first() == Some(&b'T') { 4 } else { 0 };
    let sum = later + sum(text.get(1..)?, &[2, 7, 6, 5, 4, 3, 2]);
    b"JZIHGFEDCBA".get(usize::try_from(sum % 11).ok()?).copied()
}

/// Resident identity number of China (GB 11643).
#[must_use]
pub fn resident(digits: &[u8]) -> Option<u8> {
    let sum = sum(digits, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
    b"10X98765432".get(usize::try_from(sum % 11).ok()?).copied()
}

/// Resident registration number of South Korea.
#[must_use]
pub fn rrn(digits: &[u8]) -> Option<u8> {
    digit((11 - sum(digits, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11) % 10)
}

/// My Number of Japan.
#[must_use]
pub fn my_number(digits: &[u8]) -> Option<u8> {
    let sum = sum(digits, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    digit(if sum <= 1 { 0 } else { 11 - sum })
}

/// ISO/IEC 7812-1, annex B.
#[must_use]
pub fn luhn_digit(digits: &[u8]) -> Option<u8> {
    (b'0'..=b'9').find(|check| luhn(&[digits, &[*check]].concat()))
}

/// The dihedral group of ten (Verhoeff 1969).
#[must_use]
pub fn verhoeff(digits: &[u8]) -> Option<u8> {
    const TIMES: [[u8; 10]; 10] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
        [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
        [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
        [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
        [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
        [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
        [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
        [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
        [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    ];
    const MOVED: [[u8; 10]; 8] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
        [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
        [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
        [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
        [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ];
    const INVERSE: [u8; 10] = [0, 4, 3, 2, 1, 5, 6, 7, 8, 9];
    let place = |table: &[u8; 10], at: u8| table.get(usize::from(at)).copied();
    let folded = digits.iter().rev().enumerate().try_fold(0, |folded, (at, byte)| {
        let moved = place(MOVED.get((at + 1) % 8)?, byte.saturating_sub(b'0'))?;
        place(TIMES.get(usize::from(folded))?, moved)
    })?;
    place(&INVERSE, folded).map(|check| b'0' + check)
}

/// CPF of Brazil; the second digit follows the first.
#[must_use]
pub fn cpf(digits: &[u8]) -> Option<u8> {
    let from = u32::try_from(digits.len()).ok()? + 1;
    let weights: Vec<u32> = (2..=from).rev().collect();
    digit(sum(digits, &weights) * 10 % 11 % 10)
}

/// CNPJ of Brazil; the second digit follows the first.
#[must_use]
pub fn cnpj(digits: &[u8]) -> Option<u8> {
    const WEIGHTS: [u32; 13] = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];
    let rest = sum(digits, WEIGHTS.get(WEIGHTS.len().checked_sub(digits.len())?..)?) % 11;
    digit(if rest < 2 { 0 } else { 11 - rest })
}

/// NIR of France: 97 less the rest of the thirteen digits, in two.
#[must_use]
pub fn nir(digits: &[u8]) -> Option<u8> {
    let key = 97 - number(digits.get(..13)?)? % 97;
    digit(u32::try_from(if digits.len() == 13 { key / 10 } else { key % 10 }).ok()?)
}

/// ISO/IEC 7064, MOD 11,10.
#[must_use]
pub fn mod11_10(digits: &[u8]) -> Option<u8> {
    let product = digits.iter().fold(10, |product, byte| {
        let sum = (u32::from(byte.saturating_sub(b'0')) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    digit((11 - product) % 10)
}

/// TFN of Australia: the last digit that makes the weighted sum divisible by 11.
#[must_use]
pub fn tfn(digits: &[u8]) -> Option<u8> {
    let weights = [1, 4, 3, 7, 5, 8, 6, 9, 10];
    (b'0'..=b'9').find(|check| sum(&[digits, &[*check]].concat(), &weights).is_multiple_of(11))
}

/// Codice fiscale of Italy: decree of 23 December 1976: letters and digits in odd places have values of their own.
#[must_use]
pub fn codice_fiscale(symbols: &[u8]) -> Option<u8> {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let sum: u32 = symbols
        .iter()
        .enumerate()
        .map(|(at, byte)| {
            let place = if byte.is_ascii_digit() { byte - b'0' } else { byte.saturating_sub(b'A') };
            if at % 2 == 0 { ODD.get(usize::from(place)).copied().unwrap_or(0) } else { place.into() }
        })
        .sum();
    u8::try_from(sum % 26).ok().map(|letter| b'A' + letter)
}

fn digit(value: u32) -> Option<u8> {
    u8::try_from(value).ok().filter(|value| *value < 10).map(|value| b'0' + value)
}

/// The digits times their weights, added up.
fn sum(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(byte, weight)| u32::from(byte.saturating_sub(b'0')) * weight).sum()
}

fn ten_minus(sum: u32, modulus: u32) -> Option<u8> {
    digit((modulus - sum % modulus) % modulus)
}

/// 11 less the rest; 10 has no digit.
fn mod11(digits: &[u8], weights: &[u32]) -> Option<u8> {
    ten_minus(sum(digits, weights), 11)
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn table(digits: &[u8], modulus: u64, letters: &[u8]) -> Option<u8> {
    letters.get(usize::try_from(number(digits)? % modulus).ok()?).copied()
}
