//! Gives up a session's statement, by a connection of the proxy's own: where the proxy knows the session's password.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tracing::warn;
use veil_model::Sensitive;
use veil_net::connect::Target;
use veil_net::mysql::connect;
use veil_wire::mysql::limits::AUTH_MAX;
use veil_wire::mysql::reply;
use veil_wire::mysql::startup::Response;
use veil_wire::mysql::{capability as cap, command};

use super::account::{self, Proven};
use super::{Failure, NO_PLUGIN};
use crate::proxy::Proxy;
use crate::sessions::Cancel;

/// A server has so long to take the request.
const GIVE_UP_MAX: Duration = Duration::from_secs(5);

/// What it takes to end a statement.
pub(super) struct Killer {
    pub(super) proxy: Arc<Proxy>,
    pub(super) target: Arc<Target>,
    pub(super) user: String,
    pub(super) password: Sensitive<Vec<u8>>,
    /// The session's number on the server.
    pub(super) number: u32,
}

impl Killer {
    pub(super) fn into_cancel(self) -> Cancel {
        let killer = Arc::new(self);
        Box::new(move |giving_up| {
            let killer = Arc::clone(&killer);
            tokio::spawn(async move {
                if !matches!(timeout(GIVE_UP_MAX, killer.kill()).await, Ok(Ok(()))) {
                    warn!(host = killer.target.host, "a statement could not be given up");
                }
                drop(giving_up);
            });
        })
    }

    async fn kill(&self) -> Result<(), Failure> {
        let (mut link, greeting) = connect::connect(&self.target).await?;
        let mut response = Response {
            capabilities: cap::DEMANDED,
            packet_max: 1 << 24,
            // utf8mb4_general_ci.
            collation: 45,
            user: self.user.clone().into_bytes(),
            proof: Vec::new(),
            database: Vec::new(),
            plugin: NO_PLUGIN.to_vec(),
            attributes: Vec::new(),
        };
        if connect::secure(&mut link, &self.target, &greeting, &response).await? {
            response.capabilities |= cap::SSL;
        }
        link.write(|out| response.put(out)).await?;
        let proven = Proven::password(self.password.clone());
        account::sign_in(&self.proxy, None, &mut link, &self.user, proven, &self.target).await?;
        link.set_sequence(0);
        let mut text = vec![command::QUERY];
        text.extend(format!("KILL QUERY {}", self.number).as_bytes());
        link.write(|out| out.extend(&text)).await?;
        if link.read(AUTH_MAX).await?.first() == Some(&reply::ERR) {
            return Err(Failure::Told);
        }
        link.set_sequence(0);
        link.write(|out| out.push(command::QUIT)).await?;
        Ok(())
    }
}
