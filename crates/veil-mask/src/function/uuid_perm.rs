//! `uuid_perm`: another uuid of the same version and variant for each; 122 bits are permuted.

use super::{At, Mask, is_label, redacted};
use crate::fixed::{read_uuid, write_uuid};

#[derive(Debug)]
pub(crate) struct UuidPerm;

/// Bits of the version and the variant (RFC 9562, section 4).
const KEPT: u128 = 0xf000_c000_0000_0000_0000;

impl Mask for UuidPerm {
    fn uuid(&self, at: &At<'_>, uuid: [u8; 16]) -> Option<[u8; 16]> {
        let bits = u128::from_be_bytes(uuid);
        let (high, middle, low) = (bits >> 80, bits >> 64 & 0xfff, bits & ((1 << 62) - 1));
        let number = high << 74 | middle << 62 | low;
        // Each version has a permutation of its own.
        let tweak = (bits & KEPT).to_be_bytes();
        let turned = at.key.permutation().number(at.way, &tweak, 1 << 122, number)?;
        let (high, middle, low) = (turned >> 74, turned >> 62 & 0xfff, turned & ((1 << 62) - 1));
        Some((bits & KEPT | high << 80 | middle << 64 | low).to_be_bytes())
    }

    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        match read_uuid(text.trim().as_bytes()) {
            Some(uuid) if !is_label(at, text) => write_uuid(&self.uuid(at, uuid)?, out),
            _ => redacted(at, out)?,
        }
        Some(())
    }
}
