//! FF1 of NIST SP 800-38G: encryption that keeps the alphabet and the length of what it encrypts.
//!
//! The halves of a numeral string are machine numbers, which is what makes this fast; so a half has to stay below 2^120, as
//! 36 decimal digits do. Longer strings are not encrypted. FF3 is broken and not here.

use aes::Block;
use aes::cipher::BlockCipherEncrypt;

/// Whether a value becomes its mask, or a mask the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Mask,
    Reveal,
}

/// No half of a numeral string is above this.
pub(crate) const HALF_MAX: u128 = 1 << 120;

/// The feistel rounds of the standard.
const ROUNDS: u8 = 10;

/// Bytes of a numeral string's half, and of a tweak, at most.
const HALF_BYTES: usize = 15;
const TWEAK_MAX: usize = 64;

/// Numerals of a radix, so many in each half.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    radix: u32,
    first: u32,
    second: u32,
    first_bound: u128,
    second_bound: u128,
}

impl Shape {
    /// Of strings of `length` numerals; `None` where the halves are too long, or there are none.
    pub(crate) fn new(radix: u32, length: u32) -> Option<Self> {
        let (first, second) = (length / 2, length - length / 2);
        let bound = |length| u128::from(radix).checked_pow(length).filter(|bound| *bound <= HALF_MAX);
        let (first_bound, second_bound) = (bound(first)?, bound(second)?);
        (radix >= 2 && first > 0).then_some(Self { radix, first, second, first_bound, second_bound })
    }

    /// So many strings there are; the greatest number if they are more.
    #[cfg(test)]
    const fn size(&self) -> u128 {
        self.first_bound.saturating_mul(self.second_bound)
    }

    pub(crate) const fn second_bound(&self) -> u128 {
        self.second_bound
    }
}

/// Encrypts the two halves of a numeral string, which are numbers below the shape's bounds; `None` for a tweak that is too long.
pub(crate) fn halves(
    cipher: &impl BlockCipherEncrypt<BlockSize = aes::cipher::consts::U16>,
    way: Way,
    shape: &Shape,
    tweak: &[u8],
    (mut a, mut b): (u128, u128),
) -> Option<(u128, u128)> {
    let rounds = Rounds::new(cipher, shape, tweak)?;
    for round in 0..ROUNDS {
        match way {
            Way::Mask => {
                let bound = if round.is_multiple_of(2) { shape.first_bound } else { shape.second_bound };
                let sum = (a + rounds.draw(round, b, bound)) % bound;
                (a, b) = (b, sum);
            }
            Way::Reveal => {
                let round = ROUNDS - 1 - round;
                let bound = if round.is_multiple_of(2) { shape.first_bound } else { shape.second_bound };
                let difference = (b + bound - rounds.draw(round, a, bound)) % bound;
                (a, b) = (difference, a);
            }
        }
    }
    Some((a, b))
}

/// Encrypts a string of numerals below the shape's radix in place.
pub(crate) fn numerals(
    cipher: &impl BlockCipherEncrypt<BlockSize = aes::cipher::consts::U16>,
    way: Way,
    radix: u32,
    tweak: &[u8],
    numerals: &mut [u8],
) -> Option<()> {
    let shape = Shape::new(radix, u32::try_from(numerals.len()).ok()?)?;
    let (first, second) = numerals.split_at_mut_checked(usize::try_from(shape.first).ok()?)?;
    let number = |half: &[u8]| half.iter().fold(0, |n, numeral| n * u128::from(radix) + u128::from(*numeral));
    let (a, b) = halves(cipher, way, &shape, tweak, (number(first), number(second)))?;
    for (half, mut number) in [(first, a), (second, b)] {
        for numeral in half.iter_mut().rev() {
            *numeral = u8::try_from(number % u128::from(radix)).ok()?;
            number /= u128::from(radix);
        }
    }
    Some(())
}

/// What all rounds begin with.
struct Rounds<'a, C> {
    cipher: &'a C,
    /// The chained cipher after all whole blocks of what is the same in each round.
    chain: Block,
    /// What of it is left, with room for the round's number and half.
    rest: [u8; 32],
    /// Where the round's number stands in `rest`.
    at: usize,
    /// Bytes of a half, and of the number that is added to one.
    half_bytes: usize,
    sum_bytes: usize,
}

impl<'a, C: BlockCipherEncrypt<BlockSize = aes::cipher::consts::U16>> Rounds<'a, C> {
    /// Steps 1 to 5 of the standard, and what of step 6 is the same in each round.
    fn new(cipher: &'a C, shape: &Shape, tweak: &[u8]) -> Option<Self> {
        let bits = u128::BITS - (shape.second_bound - 1).leading_zeros();
        let half_bytes = usize::try_from(bits.div_ceil(8)).ok()?;
        let [_, radix @ ..] = shape.radix.to_be_bytes();
        let mut chain = Block::default();
        let length = shape.first + shape.second;
        let head = [&[1, 2, 1][..], &radix, &[ROUNDS, shape.first.to_be_bytes()[3]]];
        let tail = [length.to_be_bytes(), u32::try_from(tweak.len()).ok()?.to_be_bytes()];
        fill(&mut chain, head.into_iter().chain(tail.iter().map(<[u8; 4]>::as_slice)).flatten());
        cipher.encrypt_block(&mut chain);
        if tweak.len() > TWEAK_MAX || half_bytes > HALF_BYTES {
            return None;
        }
        // The tweak, zeros up to a whole number of blocks with what follows: the round and the half.
        let used = tweak.len() + 1 + half_bytes;
        let padded = used.next_multiple_of(16);
        let mut input = [0; TWEAK_MAX + 32];
        input.get_mut(..tweak.len())?.copy_from_slice(tweak);
        let round_at = padded - half_bytes - 1;
        let whole = round_at / 16 * 16;
        for block in input.get(..whole)?.chunks_exact(16) {
            chain.iter_mut().zip(block).for_each(|(a, b)| *a ^= b);
            cipher.encrypt_block(&mut chain);
        }
        let mut rest = [0; 32];
        let left = padded - whole;
        rest.get_mut(..left)?.copy_from_slice(input.get(whole..padded)?);
        let sum_bytes = 4 * half_bytes.div_ceil(4) + 4;
        Some(Self { cipher, chain, rest, at: round_at - whole, half_bytes, sum_bytes })
    }

    /// What is added in a round, below `bound`.
    fn draw(&self, round: u8, half: u128, bound: u128) -> u128 {
        let mut rest = self.rest;
        let half = half.to_be_bytes();
        let input = std::iter::once(&round).chain(half.iter().skip(half.len() - self.half_bytes));
        rest.iter_mut().skip(self.at).zip(input).for_each(|(to, from)| *to = *from);
        let mut block = self.chain;
        for part in rest.chunks_exact(16).take((self.at + self.half_bytes) / 16 + 1) {
            block.iter_mut().zip(part).for_each(|(a, b)| *a ^= b);
            self.cipher.encrypt_block(&mut block);
        }
        let first = u128::from_be_bytes(block.into());
        // The first bytes of the block, and of one more where these are not enough.
        if self.sum_bytes <= 16 {
            return (first >> (8 * (16 - self.sum_bytes))) % bound;
        }
        if let Some(last) = block.last_mut() {
            *last ^= 1;
        }
        self.cipher.encrypt_block(&mut block);
        let more = block.iter().take(self.sum_bytes - 16);
        more.fold(first % bound, |sum, byte| (sum << 8 | u128::from(*byte)) % bound)
    }
}

fn fill<'b>(block: &mut Block, bytes: impl Iterator<Item = &'b u8>) {
    block.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
}

#[cfg(test)]
mod tests {
    use aes::cipher::KeyInit;
    use aes::{Aes128, Aes192, Aes256};
    use fpe::ff1::{FF1, FlexibleNumeralString};
    use proptest::prelude::*;

    use super::*;
    use crate::fixed::read_hex;

    const ALPHABET: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

    fn encrypt(key: &str, way: Way, radix: u32, tweak: &str, text: &str) -> String {
        let place = |byte: u8| ALPHABET.iter().position(|c| *c == byte).unwrap();
        let mut string: Vec<u8> = text.bytes().map(|byte| u8::try_from(place(byte)).unwrap()).collect();
        let (key, tweak) = (read_hex(key.as_bytes()).unwrap(), read_hex(tweak.as_bytes()).unwrap());
        match key.len() {
            16 => numerals(&Aes128::new_from_slice(&key).unwrap(), way, radix, &tweak, &mut string),
            24 => numerals(&Aes192::new_from_slice(&key).unwrap(), way, radix, &tweak, &mut string),
            _ => numerals(&Aes256::new_from_slice(&key).unwrap(), way, radix, &tweak, &mut string),
        }
        .unwrap();
        string.iter().map(|numeral| char::from(ALPHABET[usize::from(*numeral)])).collect()
    }

    /// The nine samples that NIST publishes with SP 800-38G.
    #[test]
    fn the_samples_of_nist_come_out() {
        let keys = [
            "2b7e151628aed2a6abf7158809cf4f3c",
            "2b7e151628aed2a6abf7158809cf4f3cef4359d8d580aa4f",
            "2b7e151628aed2a6abf7158809cf4f3cef4359d8d580aa4f7f036d6f04fc6a94",
        ];
        let (tweak, long) = ("39383736353433323130", "3737373770717273373737");
        for (key, radix, tweak, clear, sample) in [
            (keys[0], 10, "", "0123456789", "2433477484"),
            (keys[0], 10, tweak, "0123456789", "6124200773"),
            (keys[0], 36, long, "0123456789abcdefghi", "a9tv40mll9kdu509eum"),
            (keys[1], 10, "", "0123456789", "2830668132"),
            (keys[1], 10, tweak, "0123456789", "2496655549"),
            (keys[1], 36, long, "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"),
            (keys[2], 10, "", "0123456789", "6657667009"),
            (keys[2], 10, tweak, "0123456789", "1001623463"),
            (keys[2], 36, long, "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"),
        ] {
            assert_eq!(encrypt(key, Way::Mask, radix, tweak, clear), sample);
            assert_eq!(encrypt(key, Way::Reveal, radix, tweak, sample), clear);
        }
    }

    #[test]
    fn what_is_too_long_or_too_short_is_not_encrypted() {
        let cipher = Aes256::new_from_slice(&[7; 32]).unwrap();
        let apply = |radix, tweak: &[u8], length| {
            numerals(&cipher, Way::Mask, radix, tweak, &mut vec![1; length]).is_some()
        };
        assert!(apply(10, b"", 72) && apply(2, b"", 240) && apply(10, &[0; 64], 2));
        assert!(!apply(10, b"", 73) && !apply(2, b"", 241) && !apply(10, &[0; 65], 2));
        assert!(!apply(10, b"", 0) && !apply(10, b"", 1) && !apply(1, b"", 9));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        /// Another implementation of the standard, for whatever length and radix.
        #[test]
        fn another_implementation_agrees(
            key: [u8; 32], radix in 2u32..=67, length in 2usize..60, tweak in prop::collection::vec(any::<u8>(), 0..40),
            seed in prop::collection::vec(any::<u8>(), 60)
        ) {
            let mut string: Vec<u8> = seed.iter().take(length).map(|byte| u8::try_from(u32::from(*byte) % radix).unwrap()).collect();
            prop_assume!(Shape::new(radix, u32::try_from(length).unwrap()).is_some_and(|shape| shape.size() >= 100));
            let clear: Vec<u16> = string.iter().map(|numeral| u16::from(*numeral)).collect();
            let cipher = Aes256::new_from_slice(&key).unwrap();
            numerals(&cipher, Way::Mask, radix, &tweak, &mut string).unwrap();
            if let Ok(oracle) = FF1::<Aes256>::new(&key, radix)
                && let Ok(expected) = oracle.encrypt(&tweak, &FlexibleNumeralString::from(clear.clone()))
            {
                let expected: Vec<u16> = expected.into();
                prop_assert_eq!(string.iter().map(|n| u16::from(*n)).collect::<Vec<_>>(), expected);
            }
            numerals(&cipher, Way::Reveal, radix, &tweak, &mut string).unwrap();
            prop_assert_eq!(string.iter().map(|n| u16::from(*n)).collect::<Vec<_>>(), clear);
        }
    }
}
