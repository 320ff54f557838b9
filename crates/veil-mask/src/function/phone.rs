//! `phone`: numbers from ranges that regulators keep for fiction, or numbers of the same country that theirs can be found from.
//!
//! Invented ones: North America: NPA-555-01xx. United Kingdom: 07700 900xxx. France: 06 39 98 xx xx. A number of another country,
//! or one that cannot keep its form, becomes a North American number in E.164. The ranges are small, so many numbers
//! share a mask. The mask depends on the digits alone: however a number is written, it gives the same one.
//!
//! Encrypted ones keep the country code of what is written with one (E.164), and their length. They may be somebody's.

use std::io::Write;

use super::{At, CANDIDATES_MAX, Mask, Mode, is_label, redacted, shape};
use crate::digits::Digits;
use crate::ff1::Way;
use crate::key::Draws;
use crate::kind::Kind;
use crate::number::Number;

/// The greatest number written into a number column.
const NUMBER_MAX: u64 = 19_995_550_199;

/// Fewer digits than this are not a phone number.
const DIGITS_MIN: usize = 5;

/// Country codes of two digits (ITU-T E.164); 1 and 7 have one, all others have three.
const CODES_OF_TWO: &[u8] = &[
    20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58,
    60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98,
];

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

#[derive(Debug)]
pub(crate) struct Phone {
    pub(crate) mode: Mode,
}

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

impl Mask for Phone {
    fn room(&self) -> Option<u64> {
        let areas = u64::try_from(AREA_CODES.len()).ok()?;
        (self.mode == Mode::Fake).then_some(areas * 100)
    }

    fn fits(&self, kind: Kind) -> bool {
        kind.number_max().is_none_or(|max| max >= NUMBER_MAX)
    }

    /// Masks a number however it is written; a text with fewer than five digits or more than 32 becomes the label.
    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        let digits = Digits::of(text).filter(|digits| digits.len() >= DIGITS_MIN && !is_label(at, text));
        let Some(digits) = digits else { return redacted(at, out) };
        let plus = text.trim_start().trim_start_matches('(').starts_with('+');
        let plain = text.chars().all(|c| c.is_ascii_digit() || " -.()/+".contains(c));
        if self.mode == Mode::Fpe {
            let Some(turned) = encrypted(at, &digits, plus).filter(|_| plain) else {
                return redacted(at, out);
            };
            turned.refill(text, out);
            return Some(());
        }
        if at.way == Way::Reveal {
            return None;
        }
        let dialled = Dialled::of(&digits, plus)?;
        let masked = dialled.mask(at, dialled.plan)?;
        let national = dialled.plan == Plan::NorthAmerica && digits.len() == 10;
        let shown = Digits::of_number(if national { masked % 10_000_000_000 } else { masked }, 0);
        let start = out.len();
        if plain && dialled.plan != Plan::Other && shown.len() == digits.len() {
            shown.refill(text, out);
        } else {
            write!(out, "+{masked}").ok()?;
        }
        super::fitted(at, start, out)
    }

    /// Eleven North American digits, or 0 for what is not a phone number.
    fn number(&self, at: &At<'_>, number: &Number) -> Option<Number> {
        let digits = number.digits(0).filter(|digits| digits.len() >= DIGITS_MIN);
        match (digits, self.mode, at.way) {
            (Some(digits), Mode::Fpe, _) => Number::of(at.kind, encrypted(at, &digits, false)?.number()?),
            (Some(digits), Mode::Fake, Way::Mask) => {
                Number::of(at.kind, Dialled::of(&digits, false)?.mask(at, Plan::NorthAmerica)?)
            }
            (None, _, Way::Mask) => Number::of(at.kind, 0),
            (_, _, Way::Reveal) => None,
        }
    }
}

/// The same length and country code, where there is one.
fn encrypted(at: &At<'_>, digits: &Digits, plus: bool) -> Option<Digits> {
    let text = std::str::from_utf8(digits.as_bytes()).ok()?;
    let code = match text.as_bytes() {
        [b'1' | b'7', ..] if plus => 1,
        [a, b, ..] if plus && CODES_OF_TWO.contains(&((a - b'0') * 10 + (b - b'0'))) => 2,
        _ if plus => 3,
        _ => 0,
    };
    let turned = shape::permuted(at.key, (at.way, b""), text, (code, 0), false)?;
    Digits::of(std::str::from_utf8(&turned).ok()?)
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

    fn mask(&self, at: &At<'_>, plan: Plan) -> Option<u64> {
        let mut draws = at.key.draws(self.digits.as_bytes());
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
