//! Cancel requests.

use std::time::Duration;

use tokio::time::timeout;
use tracing::{debug, warn};
use veil_net::connect::Connected;
use veil_net::{Link, NetError};
use veil_wire::pg::startup;

use crate::cancel::{Asking, Running, ask};
use crate::proxy::Proxy;

/// A server has so long to take a cancel request.
const GIVE_UP_MAX: Duration = Duration::from_secs(5);

pub(super) async fn cancel(proxy: &Proxy, process: i32, key: &[u8]) {
    let Some(serving) = proxy.cancels.find(process, key) else {
        debug!("cancel request with an unknown key");
        return;
    };
    // Without a server nothing runs.
    let Some(asking) = ask(&serving) else { return };
    give_up_by(&asking).await;
}

/// The same, for a connection that others may have later.
pub(super) async fn give_up_by(asking: &Asking) {
    if !give_up(asking.running()).await {
        asking.spoil();
    }
}

/// Asks a server to give up what it runs; returns whether it has passed that on.
pub(crate) async fn give_up(running: &Running) -> bool {
    let sent = async {
        let Connected { stream, .. } = running.target.connect().await?;
        let mut link = Link::new(stream);
        let mut out = Vec::new();
        startup::write_cancel(&mut out, running.process, &running.key);
        link.write(&out).await?;
        // The server closes once it has passed the request on; so does the proxy then.
        let _ = link.read(0).await;
        Ok::<(), NetError>(())
    };
    match timeout(GIVE_UP_MAX, sent).await {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => warn!(%error, "a cancel request did not reach the upstream"),
        Err(_) => warn!("a cancel request was not answered"),
    }
    false
}
