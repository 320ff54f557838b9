//! What the end-to-end tests need around the proxy: real PostgreSQL, MySQL and MariaDB servers, certificates, and a bad
//! network.
//!
//! The decision here: everything belongs to a value. A server, a certificate or a relay lives as long as the
//! value that stands for it, and dropping that, by a panic too, removes processes, files and sockets.
//! Only tests depend on this crate; it panics or returns `anyhow` errors, and nothing else is expected of it.

mod account;
mod authority;
mod fault_proxy;
mod install;
mod mysql;
mod postgres;
mod process;

pub use authority::{Authority, Issued};
pub use fault_proxy::FaultProxy;
pub use install::{init_template, postgres_bin};
pub use mysql::{Flavour, MySql, MySqlOptions};
pub use postgres::{Auth, Postgres, PostgresOptions};

/// A TCP port of the loopback interface that nobody listens on now.
///
/// # Panics
/// When the system has no port left.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free loopback port");
    listener.local_addr().expect("a bound socket has an address").port()
}
