//! `phone`: numbers from ranges that regulators keep for fiction.
//!
//! North America: NPA-555-01xx. United Kingdom: 07700 900xxx. France: 06 39 98 xx xx. A number of another country,
//! or one that cannot keep its form, becomes a North American number in E.164. The ranges are small, so many numbers
//! share a mask. The mask depends on the digits alone: however a number is written, it gives the same one.

use std::io::Write;

use super::{CANDIDATES_MAX, redacted};
use crate::digits::Digits;
use crate::key::{Draws, FunctionKey};
use crate::kind::Limit;
use crate::number::Number;

/// The greatest number written into a number column.
pub(crate) const NUMBER_MAX: u64 = 19_995_550_199;

/// Fewer digits than this are not a phone number.
const DIGITS_MIN: usize = 5;

const AREA_CODES: &[u64] = &[
    201, 202, 203, 205, 206, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 225, 228, 229, 231, 239,
    240, 248, 251, 253, 254, 256, 260, 262, 267, 270, 281, 301, 302, 303, 304, 305, 307, 308, 309, 310, 312,
    313, 314, 315, 316, 317, 318, 319, 320, 321, 323, 330, 334, 336, 337, 352, 360, 361, 385, 386, 401, 402,
    404, 405, 406, 407, 408, 409, 410, 412, 413, 414, 415, 416, 417, 419, 423, 425, 432, 434, 435, 440, 443,
    469, 478, 479, 480, 501, 502, 503, 504, 505, 507, 508, 509, 510, 512, 513, 514, 515, 516, 517, 518, 520,
    530, 540, 541, 559, 561, 562, 563, 570, 573, 574, 580, 585, 601, 602, 603, 604, 605, 606, 607, 608, 609,
    610, 612, 613, 614, 615, 616, 617, 618, 619, 620, 623, 626, 630, 631, 636, 641, 646, 650, 651, 660, 661,
    662, 678, 682, 701, 702, 703, 704, 706, 707, 708, 712, 713, 714, 715, 716, 717, 718, 719, 720, 724, 727,
    731, 732, 734, 740, 757, 760, 763, 765, 770, 772, 773, 774, 775, 781, 785, 786, 801, 802, 803, 804, 805,
    806, 808, 810, 812, 813, 814, 815, 816, 817, 818, 828, 830, 831, 832, 843, 845, 847, 850, 856, 857, 858,
    859, 860, 863, 864, 865, 870, 901, 903, 904, 906, 907, 908, 909, 910, 912, 913, 914, 915, 916, 918, 919,
    920, 925, 928, 931, 936, 937, 940, 941, 949, 951, 952, 954, 956, 970, 972, 973, 978, 979, 980, 985, 989,
];

/// The numbering plan whose reserved range a number gets.
#[derive(Clone, Copy, PartialEq)]
enum Plan {
    NorthAmerica,
    UnitedKingdom,
    France,
    Other,
}

/// A number as a network would dial it, with its country code where that is known.
struct Dialled {
    digits: Digits,
    plan: Plan,
}

/// Masks a number however it is written; a text with fewer than five digits or more than 32 becomes the label.
pub(crate) fn text(key: &FunctionKey, text: &str, limit: Limit, out: &mut Vec<u8>) -> Option<()> {
    let Some(digits) = Digits::of(text).filter(|digits| digits.len() >= DIGITS_MIN) else {
        redacted(limit, out);
        return Some(());
    };
    let plus = text.trim_start().trim_start_matches('(').starts_with('+');
    let dialled = Dialled::of(&digits, plus)?;
    let masked = dialled.mask(key, dialled.plan)?;
    let national = dialled.plan == Plan::NorthAmerica && digits.len() == 10;
    let shown = Digits::of_number(if national { masked % 10_000_000_000 } else { masked }, 0);
    let plain = text.chars().all(|c| c.is_ascii_digit() || " -.()/+".contains(c));
    let start = out.len();
    if plain && dialled.plan != Plan::Other && shown.len() == digits.len() {
        shown.refill(text, out);
    } else {
        write!(out, "+{masked}").ok()?;
    }
    if out.len() - start > limit.ascii() {
        out.truncate(start);
        redacted(limit, out);
    }
    Some(())
}

/// Masks a number column: eleven North American digits, or 0 for what is not a phone number.
pub(crate) fn number(key: &FunctionKey, number: &Number) -> Option<u64> {
    match number.digits(0).filter(|digits| digits.len() >= DIGITS_MIN) {
        Some(digits) => Dialled::of(&digits, false)?.mask(key, Plan::NorthAmerica),
        None => Some(0),
    }
}

impl Dialled {
    /// Reads the digits of a number. `00` before nine digits or more stands for a plus sign.
    fn of(digits: &Digits, plus: bool) -> Option<Self> {
        let (bytes, international) = match digits.as_bytes().strip_prefix(b"00") {
            Some(bytes) if !plus && bytes.len() >= 9 => (bytes, true),
            _ => (digits.as_bytes(), plus),
        };
        let domestic = !international && bytes.len() == 10;
        let plan = match bytes {
            [b'1', ..] if bytes.len() == 11 => Plan::NorthAmerica,
            [b'4', b'4', ..] if international => Plan::UnitedKingdom,
            [b'3', b'3', ..] if international => Plan::France,
            _ if domestic => Plan::NorthAmerica,
            _ => Plan::Other,
        };
        let mut digits = Digits::new();
        if domestic {
            digits.push(1)?;
        }
        bytes.iter().try_for_each(|byte| digits.push(byte - b'0'))?;
        Some(Self { digits, plan })
    }

    fn mask(&self, key: &FunctionKey, plan: Plan) -> Option<u64> {
        let mut draws = key.draws(self.digits.as_bytes());
        let mut candidates = (0..CANDIDATES_MAX).map(|_| plan.draw(&mut draws));
        candidates.find(|&candidate| self.digits.number() != Some(candidate))
    }
}

impl Plan {
    /// A number of the plan's reserved range, with its country code.
    fn draw(self, draws: &mut Draws) -> u64 {
        match self {
            Self::NorthAmerica | Self::Other => {
                10_000_000_000 + draws.pick(AREA_CODES) * 10_000_000 + 5_550_100 + draws.below(100)
            }
            Self::UnitedKingdom => 447_700_900_000 + draws.below(1000),
            Self::France => 33_639_980_000 + draws.below(10_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::RootKey;

    fn key() -> FunctionKey {
        FunctionKey::derive(&RootKey::from_bytes([7; 32]), "phone")
    }

    fn mask(text: &str) -> String {
        let mut out = Vec::new();
        super::text(&key(), text, Limit::NONE, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// `#` stands for a digit.
    fn assert_shape(text: &str, shape: &str) {
        let masked = mask(text);
        let fits = |(m, s): (char, char)| m == s || (s == '#' && m.is_ascii_digit());
        assert!(
            masked.len() == shape.len() && masked.chars().zip(shape.chars()).all(fits),
            "{text}: {masked}"
        );
    }

    #[test]
    fn numbers_keep_their_form_in_the_reserved_ranges() {
        for (text, shape) in [
            ("(212) 736-5000", "(###) 555-01##"),
            ("212.736.5000", "###.555.01##"),
            ("2127365000", "###55501##"),
            ("1-212-736-5000", "1-###-555-01##"),
            ("+1 212 736 5000", "+1 ### 555 01##"),
            ("+44 20 7946 1234", "+44 77 0090 0###"),
            ("+44 (0)20 7946 1234", "+447700900###"),
            ("0044 20 7946 1234", "+447700900###"),
            ("+33 1 42 68 53 00", "+33 6 39 98 ## ##"),
            ("0033142685300", "+3363998####"),
            ("+49 30 1234567", "+1###55501##"),
            ("+4512345678", "+1###55501##"),
            ("22 123 45", "+1###55501##"),
            ("Jan 212 736 5000", "+1###55501##"),
            ("212 736 5000 / 212 736 5001", "+1###55501##"),
            ("1234", "[REDACTED]"),
            ("n/a", "[REDACTED]"),
        ] {
            assert_shape(text, shape);
        }
    }

    #[test]
    fn every_writing_of_a_number_has_one_mask() {
        let digits = |text: &str| mask(text).replace(|c: char| !c.is_ascii_digit(), "");
        let masked = digits("+1 (212) 736-5000");
        assert_eq!(digits("12127365000"), masked);
        assert_eq!(digits("212-736-5000"), masked[1..]);
        assert_eq!(digits("0033142685300"), digits("+33 1 42 68 53 00"));
        let number = number(&key(), &Number::Int(2_127_365_000)).unwrap();
        assert_eq!(number.to_string(), masked);
    }

    #[test]
    fn a_short_column_gets_the_label() {
        let mut out = Vec::new();
        super::text(&key(), "22 12345", Limit { chars: 8, bytes: 8 }, &mut out).unwrap();
        assert_eq!(out, b"[REDACTE");
    }
}
