//! `iban`: another account in the same country, with check digits that are right (ISO 13616, ISO/IEC 7064 MOD 97-10).
//!
//! Letters of the account number stay letters and digits digits, so the bank's form is kept; check digits that countries have inside of it are
//! not made. No range is reserved for invented accounts: one may be somebody's.

use super::{At, Mask, is_label, redacted, shape};

#[derive(Debug)]
pub(crate) struct Iban {
    /// Characters of the account number that are kept at its beginning: the bank.
    pub(crate) keep_bank: usize,
}

/// Country codes with the length of an IBAN there (the SWIFT registry).
#[rustfmt::skip]
const LENGTHS: &[(&str, usize)] = &[
    ("AD", 24), ("AE", 23), ("AL", 28), ("AT", 20), ("AZ", 28), ("BA", 20), ("BE", 16), ("BG", 22), ("BH", 22), ("BI", 27), ("BR", 29), ("BY", 28), ("CH", 21),
    ("CR", 22), ("CY", 28), ("CZ", 24), ("DE", 22), ("DJ", 27), ("DK", 18), ("DO", 28), ("EE", 20), ("EG", 29), ("ES", 24), ("FI", 18), ("FK", 18), ("FO", 18),
    ("FR", 27), ("GB", 22), ("GE", 22), ("GI", 23), ("GL", 18), ("GR", 27), ("GT", 28), ("HN", 28), ("HR", 21), ("HU", 28), ("IE", 22), ("IL", 23), ("IQ", 23),
    ("IS", 26), ("IT", 27), ("JO", 30), ("KW", 30), ("KZ", 20), ("LB", 28), ("LC", 32), ("LI", 21), ("LT", 20), ("LU", 20), ("LV", 21), ("LY", 25), ("MC", 27),
    ("MD", 24), ("ME", 22), ("MK", 19), ("MN", 20), ("MR", 27), ("MT", 31), ("MU", 30), ("NI", 28), ("NL", 18), ("NO", 15), ("OM", 23), ("PK", 24), ("PL", 28),
    ("PS", 29), ("PT", 25), ("QA", 29), ("RO", 24), ("RS", 22), ("RU", 33), ("SA", 24), ("SC", 31), ("SD", 18), ("SE", 24), ("SI", 19), ("SK", 24), ("SM", 27),
    ("SO", 23), ("ST", 25), ("SV", 28), ("TL", 23), ("TN", 24), ("TR", 26), ("UA", 29), ("VA", 22), ("VG", 24), ("XK", 20), ("YE", 30),
];

impl Mask for Iban {
    /// Blanks stay where they are. What is no IBAN, by its country, length and check digits, becomes the label.
    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        let iban: String = text.chars().filter(|c| *c != ' ').collect();
        match self.turned(at, &iban.to_ascii_uppercase()) {
            Some(turned) if !is_label(at, text) => {
                let mut turned = turned.bytes();
                out.extend(
                    text.bytes().filter_map(|byte| if byte == b' ' { Some(byte) } else { turned.next() }),
                );
            }
            _ => redacted(at, out)?,
        }
        Some(())
    }
}

impl Iban {
    fn turned(&self, at: &At<'_>, iban: &str) -> Option<String> {
        let (country, account) = (iban.get(..2)?, iban.get(4..)?);
        let known = LENGTHS.iter().any(|(code, length)| *code == country && *length == iban.len());
        if !known || check(country, account)? != iban.get(2..4)? {
            return None;
        }
        let turned =
            shape::permuted(at.key, (at.way, country.as_bytes()), account, (self.keep_bank, 0), false)?;
        let turned = String::from_utf8(turned).ok()?;
        Some(format!("{country}{}{turned}", check(country, &turned)?))
    }
}

/// Whether a text is one, with its check digits right; blanks do not count.
pub(super) fn is_valid(text: &str) -> bool {
    let iban: String = text.chars().filter(|c| *c != ' ').map(|c| c.to_ascii_uppercase()).collect();
    let (Some(country), Some(digits), Some(account)) = (iban.get(..2), iban.get(2..4), iban.get(4..)) else {
        return false;
    };
    (11..=30).contains(&account.len()) && check(country, account).is_some_and(|check| check == digits)
}

/// The check digits: 98 less the rest of all by 97, the country behind and letters as numbers from 10.
fn check(country: &str, account: &str) -> Option<String> {
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
