//! How TCP treats the connections of both sides: at once, and not for ever.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// A peer that is silent for so long is asked whether it is there,
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
/// so often,
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// and so many times.
const KEEPALIVE_RETRIES: u32 = 3;
/// A peer that does not acknowledge what it was sent for so long is gone.
const USER_TIMEOUT: Duration = Duration::from_secs(600);

/// Small messages go at once; a peer that is gone without a word is found out after a minute and a half, or ten minutes if something was on its way to it. A window
/// that stays closed for so long counts as well, so it must not be short.
///
/// # Errors
/// The connection is closed already.
pub fn tune(tcp: &TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let socket = SockRef::from(tcp);
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(KEEPALIVE_AFTER)
            .with_interval(KEEPALIVE_INTERVAL)
            .with_retries(KEEPALIVE_RETRIES),
    )?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))
}
