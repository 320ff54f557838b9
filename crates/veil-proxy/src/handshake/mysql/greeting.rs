//! What the proxy says it can do: what its upstreams can, as far as it can be relayed.

use std::sync::Arc;

use veil_net::connect::Target;
use veil_net::mysql::connect;
use veil_wire::mysql::capability as cap;
use veil_wire::mysql::startup::{Greeting, NONCE};

use super::Failure;
use crate::problem::Problem;
use crate::proxy::{Proxy, Settings};

/// The server's status before anybody has signed in: autocommit.
const STATUS: u16 = 2;

/// The proxy's greeting. Versions and capabilities are those of the upstreams, as far as they are known.
pub(super) async fn of_proxy(
    proxy: &Proxy,
    settings: &Settings,
    nonce: [u8; NONCE],
    connection: u32,
) -> Result<Greeting, Failure> {
    let targets = || settings.mysql_routes.iter().flat_map(|route| &route.hosts.all);
    let mut found: Option<Greeting> = None;
    for greeting in targets().filter_map(|target| proxy.greeting(target)) {
        found = Some(match found {
            None => greeting,
            // Flags in which servers differ are given up; the first one's version is shown.
            Some(first) => Greeting { capabilities: first.capabilities & greeting.capabilities, ..first },
        });
    }
    if found.is_none() {
        // One is enough to begin with.
        for route in &settings.mysql_routes {
            let connect = |target: Arc<Target>| async move { connect::connect(&target).await };
            match proxy.upstreams.reach(&route.hosts, connect).await {
                Ok((target, (_, greeting))) => {
                    remember(proxy, &target, &greeting);
                    found = Some(greeting);
                    break;
                }
                Err(error) if settings.mysql_routes.len() > 1 => {
                    tracing::warn!(%error, "an upstream could not be asked what it can do");
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    let Some(upstream) = found else {
        return Err(Problem::new("08006", "no database server can be reached", "").into());
    };
    let mut capabilities = upstream.capabilities & cap::RELAYED;
    if settings.tls.is_some() {
        capabilities |= cap::SSL;
    }
    if settings.local_files {
        capabilities |= upstream.capabilities & cap::LOCAL_FILES;
    }
    Ok(Greeting { connection, nonce, capabilities, status: STATUS, ..upstream })
}

/// Keeps what an upstream has said of itself.
pub(super) fn remember(proxy: &Proxy, target: &Target, greeting: &Greeting) {
    proxy.set_greeting(target, greeting.clone());
}
