//! From an accepted connection to a session that can be relayed.

pub(crate) mod mysql;
pub(crate) mod pg;

use std::time::{Instant, SystemTime};

use veil_policy::who::{Principal, SignedIn};

use crate::problem::Problem;

/// Why there is no session.
enum Failure {
    /// The client has been told, or is gone.
    Told,
    /// The client has to be told.
    Problem(Problem),
    /// The server has not the role that is wanted.
    WrongRole(Problem),
}

impl<E: Into<Problem>> From<E> for Failure {
    fn from(problem: E) -> Self {
        Self::Problem(problem.into())
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Somebody who signs in now.
fn signed_in(principal: Principal) -> SignedIn {
    SignedIn { principal, since: SystemTime::now(), began: Instant::now() }
}
