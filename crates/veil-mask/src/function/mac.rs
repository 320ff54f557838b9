//! `mac`: another hardware address for each, of the same kind (RFC 9542: group and local bits stay), perhaps of the same vendor.

use super::{At, Mask, is_label, redacted};
use crate::inet::Hardware;

#[derive(Debug)]
pub(crate) struct Mac {
    /// The first three bytes, which name the vendor, stay.
    pub(crate) keep_oui: bool,
}

impl Mask for Mac {
    fn hardware(&self, at: &At<'_>, Hardware { bytes, address }: Hardware) -> Option<Hardware> {
        let bits = u32::from(bytes) * 8;
        // What is kept besides is the group bit and the local bit, the lowest of the first byte.
        let kept = if self.keep_oui { 24 } else { 8 };
        let low = bits - kept;
        let mask = (1u64 << low) - 1;
        let first = address >> (bits - 8);
        let (place, size, tweak) = match self.keep_oui {
            true => (address & mask, 1u128 << low, address >> low),
            false => (first >> 2 << low | address & mask, 1u128 << (low + 6), first & 3),
        };
        let turned = at.key.permutation().number(at.way, &tweak.to_be_bytes(), size, place.into())?;
        let turned = u64::try_from(turned).ok()?;
        let address = match self.keep_oui {
            true => address & !mask | turned,
            false => (turned >> low << 2 | first & 3) << low | turned & mask,
        };
        Some(Hardware { bytes, address })
    }

    /// Separators and case stay.
    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        let plain = text.bytes().all(|byte| byte.is_ascii_hexdigit() || b":-.".contains(&byte));
        let read = |bytes| Hardware::read(bytes, veil_model::Format::Text, text.as_bytes());
        let Some(address) = read(6).or_else(|| read(8)).filter(|_| plain && !is_label(at, text)) else {
            return redacted(at, out);
        };
        let turned = self.hardware(at, address)?;
        let digits = format!("{:0width$x}", turned.address, width = usize::from(turned.bytes) * 2);
        let capitals = text.bytes().any(|byte| byte.is_ascii_uppercase());
        let mut digits = digits.bytes();
        out.extend(text.bytes().filter_map(|byte| match byte {
            b':' | b'-' | b'.' => Some(byte),
            _ => digits.next().map(|digit| if capitals { digit.to_ascii_uppercase() } else { digit }),
        }));
        Some(())
    }
}
