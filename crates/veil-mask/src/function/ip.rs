//! `ip`: another network address: one that shares its beginning with another exactly where the values do (Crypto-PAn, Xu et al. 2002), one that
//! is cut to its network, or one that is reserved for documentation.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{At, Mask, fitted, is_label, redacted};
use crate::ff1::Way;
use crate::inet::{Inet, bits_of};
use crate::kind::Kind;

#[derive(Debug)]
pub(crate) struct Ip {
    pub(crate) mode: Mode,
    /// Bits of an address that are kept where it is cut.
    pub(crate) ipv4_bits: u8,
    pub(crate) ipv6_bits: u8,
}

/// How an address is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mode {
    Prefix,
    Truncate,
    Reserved,
}

choice!(Mode, "prefix" => Prefix, "truncate" => Truncate, "reserved" => Reserved);

/// RFC 5737 and RFC 3849.
const RESERVED_V4: &[[u8; 3]] = &[[192, 0, 2], [198, 51, 100], [203, 0, 113]];
const RESERVED_V6: u128 = 0x2001_0db8 << 96;

impl Mask for Ip {
    /// Of IPv4, which has the fewer.
    fn room(&self) -> Option<u64> {
        (self.mode == Mode::Reserved).then_some(u64::try_from(RESERVED_V4.len()).ok()? * 256)
    }

    fn inet(&self, at: &At<'_>, inet: Inet) -> Option<Inet> {
        let width = bits_of(inet.address);
        let bits = match inet.address {
            IpAddr::V4(address) => u128::from(u32::from(address)) << 96,
            IpAddr::V6(address) => u128::from(address),
        };
        // A network has no bits behind those that name it.
        let used = if at.kind == Kind::Cidr { inet.bits } else { width };
        let turned = match (self.mode, at.way) {
            (Mode::Prefix, way) => prefix_preserved(at, way, bits, used, width),
            (_, Way::Reveal) => return None,
            (Mode::Truncate, _) => {
                let kept = if width == 32 { self.ipv4_bits } else { self.ipv6_bits };
                bits & first_bits(kept)
            }
            (Mode::Reserved, _) => reserved(at, bits, width) & first_bits(used),
        };
        let address = match inet.address {
            IpAddr::V4(_) => Ipv4Addr::from(u32::try_from(turned >> 96).ok()?).into(),
            IpAddr::V6(_) => Ipv6Addr::from(turned).into(),
        };
        Some(Inet { address, bits: inet.bits })
    }

    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        let Some(inet) = Inet::parse(text.trim()).filter(|_| !is_label(at, text)) else {
            return redacted(at, out);
        };
        let start = out.len();
        self.inet(at, inet)?.write(Kind::Inet, veil_model::Format::Text, out);
        fitted(at, start, out)
    }
}

/// Turns each bit or not by a keyed function of those before it.
fn prefix_preserved(at: &At<'_>, way: Way, bits: u128, used: u8, width: u8) -> u128 {
    let (mut before, mut out) = (0, 0);
    for place in 0..used {
        let mask = 1 << (127 - place);
        let turn = if at.key.permutation().bit(width, place, before) { mask } else { 0 };
        out |= bits & mask ^ turn;
        before |= if way == Way::Mask { bits & mask } else { out & mask };
    }
    out
}

fn reserved(at: &At<'_>, bits: u128, width: u8) -> u128 {
    let mut draws = at.key.draws(&bits.to_be_bytes());
    let mut candidates = (0..super::CANDIDATES_MAX).map(|_| {
        if width == 32 {
            let [a, b, c] = draws.pick(RESERVED_V4);
            u128::from(u32::from_be_bytes([a, b, c, draws.bytes::<1>()[0]])) << 96
        } else {
            RESERVED_V6 | u128::from_be_bytes(draws.bytes()) >> 32
        }
    });
    candidates.find(|candidate| *candidate != bits).unwrap_or(0)
}

const fn first_bits(count: u8) -> u128 {
    match count {
        0 => 0,
        count if count >= 128 => u128::MAX,
        count => u128::MAX << (128 - count),
    }
}
