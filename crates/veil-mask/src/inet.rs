//! Network addresses: `inet` and `cidr` (`network_out` and `network_send`, src/backend/utils/adt/network.c), and hardware addresses of
//! six or eight bytes.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use veil_model::Format;

use crate::fixed::read_hex;
use crate::kind::Kind;

/// An address, and how many of its bits name the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inet {
    pub(crate) address: IpAddr,
    pub(crate) bits: u8,
}

/// `PGSQL_AF_INET` and `PGSQL_AF_INET6`.
const IPV4: u8 = 2;
const IPV6: u8 = 3;

impl Inet {
    /// Reads `10.1.2.3` and `10.0.0.0/8`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = bits_of(address);
        Some(Self { address, bits: bits.unwrap_or(most) }).filter(|inet| inet.bits <= most)
    }

    pub(crate) fn read(format: Format, cell: &[u8]) -> Option<Self> {
        if format == Format::Text {
            return Self::parse(std::str::from_utf8(cell).ok()?);
        }
        // Family, bits, whether it is a network, length, address.
        let (&[family, bits, _, length], octets) = cell.split_first_chunk()?;
        let address: IpAddr = match (family, length) {
            (IPV4, 4) => Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?).into(),
            (IPV6, 16) => Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?).into(),
            _ => return None,
        };
        (bits <= bits_of(address)).then_some(Self { address, bits })
    }

    /// An `inet` shows how many bits there are only if these are not all.
    pub(crate) fn write(&self, kind: Kind, format: Format, out: &mut Vec<u8>) {
        let all = bits_of(self.address);
        if format == Format::Text {
            out.extend(self.address.to_string().as_bytes());
            if kind == Kind::Cidr || self.bits != all {
                out.extend(format!("/{}", self.bits).as_bytes());
            }
            return;
        }
        let family = if self.address.is_ipv4() { IPV4 } else { IPV6 };
        out.extend([family, self.bits, u8::from(kind == Kind::Cidr), all / 8]);
        match self.address {
            IpAddr::V4(address) => out.extend(address.octets()),
            IpAddr::V6(address) => out.extend(address.octets()),
        }
    }
}

/// The bits of an address.
pub(crate) const fn bits_of(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// A hardware address: its bytes in the lowest of the number, and how many they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hardware {
    pub(crate) bytes: u8,
    pub(crate) address: u64,
}

impl Hardware {
    /// Reads the binary form, or hexadecimal digits in pairs with any separators.
    pub(crate) fn read(bytes: u8, format: Format, cell: &[u8]) -> Option<Self> {
        let digits;
        let octets = match format {
            Format::Binary => cell,
            Format::Text => {
                digits = cell.iter().copied().filter(|byte| !b":-. ".contains(byte)).collect::<Vec<u8>>();
                &read_hex(&digits)?
            }
        };
        let address = octets.iter().fold(0, |number, octet| number << 8 | u64::from(*octet));
        (octets.len() == usize::from(bytes)).then_some(Self { bytes, address })
    }

    /// Writes the binary form, or pairs of digits with colons between them.
    pub(crate) fn write(&self, format: Format, out: &mut Vec<u8>) {
        let octets = self.address.to_be_bytes();
        let octets = octets.iter().skip(octets.len() - usize::from(self.bytes));
        if format == Format::Binary {
            return out.extend(octets);
        }
        for (at, octet) in octets.enumerate() {
            if at > 0 {
                out.push(b':');
            }
            let _ = write!(out, "{octet:02x}");
        }
    }
}
