//! Who shows wrong keys too often waits, by address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Wrong keys that one address may show in a while.
const FAILURES_MAX: u32 = 20;
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
    /// A key is looked at, which counts as a wrong one.
    ///
    /// # Errors
    /// It is not looked at; so many seconds are to be waited.
    pub(super) fn begin(&mut self, address: IpAddr) -> Result<(), u64> {
        if self.0.len() >= ADDRESSES_MAX {
            self.0.retain(|_, (_, since)| since.elapsed() < WHILE);
        }
        let (failures, since) = self.0.entry(subscriber(address)).or_insert((0, Instant::now()));
        if since.elapsed() >= WHILE {
            (*failures, *since) = (0, Instant::now());
        }
        if *failures >= FAILURES_MAX {
            return Err(WHILE.saturating_sub(since.elapsed()).as_secs() + 1);
        }
        *failures += 1;
        Ok(())
    }

    /// It was none.
    pub(super) fn was_none(&mut self, address: IpAddr) {
        if let Some((failures, _)) = self.0.get_mut(&subscriber(address)) {
            *failures = failures.saturating_sub(1);
        }
    }
}
