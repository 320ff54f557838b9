//! `iban`: another account in the same country, with check digits that are right (ISO 13616, ISO/IEC 7064 MOD 97-10).
//!
//! Letters of the account number stay letters and digits digits, so the bank's form is kept; check digits that countries have inside of it are
//! not made. No range is reserved for invented accounts: one may be somebody's.

use veil_model::check;

use super::{At, Mask, is_label, redacted, shape};

#[derive(Debug)]
pub(crate) struct Iban {
    /// Characters of the account number that are kept at its beginning: the bank.
    pub(crate) keep_bank: usize,
}

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
        if !check::is_iban(iban) {
            return None;
        }
        let turned =
            shape::permuted(at.key, (at.way, country.as_bytes()), account, (self.keep_bank, 0), false)?;
        let turned = String::from_utf8(turned).ok()?;
        Some(format!("{country}{}{turned}", check::iban_digits(country, &turned)?))
    }
}
