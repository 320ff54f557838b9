//! Keyed permutations of whole numbers and of strings over an alphabet: FF1 where there are a million values or more, and
//! swap-or-not (Hoang, Morris, Rogaway 2012) where there are fewer.
//!
//! A permutation has no two values with one mask and can be undone. It may leave single values where they are, as any may: that tells
//! nothing, because nobody can see which.

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes256, Block};

use crate::ff1::{self, Shape, Way};

/// Fewer values than these can be tried one by one (SP 800-38G revision 1 sets the bound).
pub(crate) const SMALL: u128 = 1_000_000;

/// No more values than these are permuted.
const SIZE_MAX: u128 = 1 << 122;

/// Rounds of swap-or-not: more than six times the bits of any size that it is used for.
const ROUNDS: u8 = 128;

/// Tries before a number that does not come to lie among the values is given up: each fails for less than one half.
const WALK_MAX: usize = 1000;

/// The permutations under one key.
pub(crate) struct Permutation(Aes256);

impl Permutation {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(Aes256::new(key.into()))
    }

    /// Permutes the numbers below `size`; each tweak has a permutation of its own.
    pub(crate) fn number(&self, way: Way, tweak: &[u8], size: u128, number: u128) -> Option<u128> {
        if number >= size || size > SIZE_MAX {
            return None;
        }
        if size < SMALL {
            return self.swap_or_not(way, tweak, size, number);
        }
        let bits = u128::BITS - (size - 1).leading_zeros();
        let shape = Shape::new(2, bits)?;
        let tweak = &[tweak, &size.to_be_bytes()].concat();
        let second_bound = shape.second_bound();
        let mut number = number;
        for _ in 0..WALK_MAX {
            let halves = (number / second_bound, number % second_bound);
            let (a, b) = ff1::halves(&self.0, way, &shape, tweak, halves)?;
            number = a * second_bound + b;
            if number < size {
                return Some(number);
            }
        }
        None
    }

    /// Permutes strings of numerals below `radix`. Strings that are too long for FF1 are permuted in two passes, each of which depends
    /// on what the other leaves out.
    pub(crate) fn numerals(&self, way: Way, radix: u32, tweak: &[u8], string: &mut [u8]) -> Option<()> {
        let length = string.len();
        let longest = longest(radix)?;
        if length <= longest {
            return ff1::numerals(&self.0, way, radix, tweak, string);
        }
        let left_out = length - longest;
        if left_out > longest {
            return None;
        }
        let first = |string: &mut [u8]| {
            let (part, rest) = string.split_at_mut_checked(longest)?;
            ff1::numerals(&self.0, way, radix, &[tweak, &[1], &*rest].concat(), part)
        };
        let second = |string: &mut [u8]| {
            let (rest, part) = string.split_at_mut_checked(left_out)?;
            ff1::numerals(&self.0, way, radix, &[tweak, &[2], &*rest].concat(), part)
        };
        match way {
            Way::Mask => first(string).and_then(|()| second(string)),
            Way::Reveal => second(string).and_then(|()| first(string)),
        }
    }

    /// A bit that depends on the bits before it in a number of so many.
    pub(crate) fn bit(&self, width: u8, place: u8, before: u128) -> bool {
        let mut block = Block::from(before.to_be_bytes());
        self.0.encrypt_block(&mut block);
        block.iter_mut().zip([width, place, 0xfe]).for_each(|(to, from)| *to ^= from);
        self.0.encrypt_block(&mut block);
        block.first().is_some_and(|byte| byte & 1 == 1)
    }

    fn swap_or_not(&self, way: Way, tweak: &[u8], size: u128, number: u128) -> Option<u128> {
        let (size, mut number) = (u32::try_from(size).ok()?, u32::try_from(number).ok()?);
        let tweak = self.digest(tweak);
        for round in 0..ROUNDS {
            let round = if way == Way::Mask { round } else { ROUNDS - 1 - round };
            let pivot = self.draw(tweak, [round, 0], size, 0) % u64::from(size);
            let partner =
                u32::try_from((pivot + u64::from(size) - u64::from(number)) % u64::from(size)).ok()?;
            if self.draw(tweak, [round, 1], size, number.max(partner)) & 1 == 1 {
                number = partner;
            }
        }
        Some(number.into())
    }

    fn draw(&self, [a, b, c, d, e, f]: [u8; 6], [round, what]: [u8; 2], size: u32, number: u32) -> u64 {
        let ([_, s1, s2, s3], [_, n1, n2, n3]) = (size.to_be_bytes(), number.to_be_bytes());
        let mut block = Block::from([round, what, s1, s2, s3, n1, n2, n3, a, b, c, d, e, f, 0, 0xff]);
        self.0.encrypt_block(&mut block);
        let drawn = u128::from_be_bytes(block.into());
        u64::try_from(drawn >> 64).unwrap_or_default()
    }

    /// Six bytes that stand for a tweak.
    fn digest(&self, tweak: &[u8]) -> [u8; 6] {
        let mut block = Block::default();
        let length = u64::try_from(tweak.len()).unwrap_or(u64::MAX).to_be_bytes();
        block.iter_mut().zip(length).for_each(|(a, b)| *a = b);
        self.0.encrypt_block(&mut block);
        for part in tweak.chunks(16) {
            block.iter_mut().zip(part).for_each(|(a, b)| *a ^= b);
            self.0.encrypt_block(&mut block);
        }
        let [a, b, c, d, e, f, ..]: [u8; 16] = block.into();
        [a, b, c, d, e, f]
    }
}

/// The longest string that FF1 takes in one pass.
fn longest(radix: u32) -> Option<usize> {
    let longer = |bound: &u128| bound.checked_mul(radix.into()).filter(|bound| *bound <= ff1::HALF_MAX);
    let halves = std::iter::successors(Some(u128::from(radix)), longer);
    (radix >= 2).then(|| 2 * halves.count())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn permutation() -> Permutation {
        Permutation::new(&[7; 32])
    }

    #[test]
    fn every_number_of_a_small_set_has_one_mask() {
        let permutation = permutation();
        for size in [1, 2, 3, 10, 97, 1000, 65_537] {
            let mut seen = vec![false; usize::try_from(size).unwrap()];
            for number in 0..size {
                let masked = permutation.number(Way::Mask, b"t", size, number).unwrap();
                assert!(
                    !std::mem::replace(&mut seen[usize::try_from(masked).unwrap()], true),
                    "{size} {number}"
                );
                assert_eq!(permutation.number(Way::Reveal, b"t", size, masked), Some(number));
            }
        }
    }

    #[test]
    fn tweaks_and_sizes_have_permutations_of_their_own() {
        let permutation = permutation();
        let masked = |tweak: &[u8], size| {
            (0..20)
                .map(|number| permutation.number(Way::Mask, tweak, size, number).unwrap())
                .collect::<Vec<_>>()
        };
        for size in [500, 5_000_000] {
            assert_ne!(masked(b"a", size), masked(b"b", size));
            assert_ne!(masked(b"a", size), masked(b"a", size + 1));
        }
        assert_eq!(permutation.number(Way::Mask, b"", 10, 10), None);
        assert_eq!(permutation.number(Way::Mask, b"", SIZE_MAX + 1, 1), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn numbers_come_back(size in 1u128..=SIZE_MAX, number: u128) {
            let (permutation, number) = (permutation(), number % size);
            let masked = permutation.number(Way::Mask, b"", size, number).unwrap();
            prop_assert!(masked < size);
            prop_assert_eq!(permutation.number(Way::Reveal, b"", size, masked), Some(number));
        }

        #[test]
        fn strings_come_back(radix in 2u32..=67, seed in prop::collection::vec(any::<u8>(), 2..70)) {
            let clear: Vec<u8> = seed.iter().map(|byte| u8::try_from(u32::from(*byte) % radix).unwrap()).collect();
            let mut string = clear.clone();
            permutation().numerals(Way::Mask, radix, b"t", &mut string).unwrap();
            permutation().numerals(Way::Reveal, radix, b"t", &mut string).unwrap();
            prop_assert_eq!(string, clear);
        }
    }
}
