//! Permuting the digits and letters of a text among their like: digits stay digits, small letters small letters, and what stands between
//! them stays where it is.

use std::ops::Range;

use crate::ff1::Way;
use crate::key::FunctionKey;
use crate::permutation::SMALL;

/// The first of its class, and how many there are; `None` for what is no digit or letter of ASCII.
pub(super) const fn class(byte: u8) -> Option<(u8, u8)> {
    match byte {
        b'0'..=b'9' => Some((b'0', 10)),
        b'a'..=b'z' => Some((b'a', 26)),
        b'A'..=b'Z' => Some((b'A', 26)),
        _ => None,
    }
}

/// Whether a text is made of digits, letters and marks of ASCII only: others would be shown.
pub(super) fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

/// Permutes the digits and letters of a text, but for so many at its ends; `None` if there are too few to hide, unless those may be
/// as few as there are, or too many.
pub(super) fn permuted(
    key: &FunctionKey,
    (way, tweak): (Way, &[u8]),
    text: &str,
    (first, last): (usize, usize),
    may_be_few: bool,
) -> Option<Vec<u8>> {
    let mut bytes = text.as_bytes().to_vec();
    let places: Vec<usize> =
        (0..bytes.len()).filter(|at| bytes.get(*at).copied().and_then(class).is_some()).collect();
    let places = places.get(first..places.len().checked_sub(last)?)?;
    let symbols: Vec<(u8, u8, u8)> = places
        .iter()
        .filter_map(|at| {
            bytes.get(*at).and_then(|byte| class(*byte).map(|(base, count)| (*byte - base, base, count)))
        })
        .collect();
    let range = range(&symbols)?;
    let size = range.end - range.start;
    if size < SMALL && !(may_be_few && size > 1) {
        return None;
    }
    let number =
        symbols.iter().fold(0u128, |n, (digit, _, count)| n * u128::from(*count) + u128::from(*digit));
    // Texts of other shapes have other permutations.
    let shape: Vec<u8> = symbols.iter().map(|(_, base, _)| *base).collect();
    let tweak = [tweak, b"|", shape.as_slice()].concat();
    let mut number = key.permutation().number(way, &tweak, size, number - range.start)? + range.start;
    for (place, (_, base, count)) in places.iter().zip(&symbols).rev() {
        *bytes.get_mut(*place)? = base + u8::try_from(number % u128::from(*count)).ok()?;
        number /= u128::from(*count);
    }
    Some(bytes)
}

/// The numbers that symbols may make up. A number keeps a first digit that is not zero, and so its length.
fn range(symbols: &[(u8, u8, u8)]) -> Option<Range<u128>> {
    let size = |symbols: &[(u8, u8, u8)]| {
        symbols.iter().try_fold(1u128, |size, (.., count)| size.checked_mul((*count).into()))
    };
    let (first, rest) = symbols.split_first()?;
    let (all, rest) = (size(symbols)?, size(rest)?);
    let digits = symbols.iter().all(|(_, base, _)| *base == b'0');
    Some(match first {
        _ if !digits || symbols.len() == 1 => 0..all,
        (0, ..) => 0..rest,
        _ => rest..all,
    })
}
