//! Who shows wrong keys too often waits, by address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Wrong keys that one address may show in a while.
const FAILURES_MAX: u32 = 10;
const WHILE: Duration = Duration::from_secs(60);
/// Addresses that are remembered.
const ADDRESSES_MAX: usize = 10_000;

#[derive(Default)]
pub(super) struct Throttle(HashMap<IpAddr, (u32, Instant)>);

/// All addresses of one subscriber of IPv6 are one.
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mut parts = address.segments();
            parts.iter_mut().skip(4).for_each(|part| *part = 0);
            IpAddr::from(parts)
        }
        address => address,
    }
}

impl Throttle {
    /// Whether a key is looked at.
    ///
    /// # Errors
    /// So many seconds are to be waited.
    pub(super) fn check(&mut self, address: IpAddr) -> Result<(), u64> {
        match self.0.get(&subscriber(address)) {
            Some((failures, since)) if *failures >= FAILURES_MAX && since.elapsed() < WHILE => {
                Err(WHILE.saturating_sub(since.elapsed()).as_secs() + 1)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn failed(&mut self, address: IpAddr) {
        if self.0.len() >= ADDRESSES_MAX {
            self.0.retain(|_, (_, since)| since.elapsed() < WHILE);
        }
        let (failures, since) = self.0.entry(subscriber(address)).or_insert((0, Instant::now()));
        if since.elapsed() >= WHILE {
            (*failures, *since) = (0, Instant::now());
        }
        *failures += 1;
    }

    pub(super) fn succeeded(&mut self, address: IpAddr) {
        self.0.remove(&subscriber(address));
    }
}
