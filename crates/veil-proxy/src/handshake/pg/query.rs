//! `auth_query`: asks the upstream for a user's verifier, on a connection of its own.
//!
//! Nothing that the client sent goes into that connection but the user's name, as a parameter.

use std::sync::Arc;

use tracing::warn;
use veil_net::connect::{Connected, Target};
use veil_net::scram::Verifier;
use veil_net::{Link, NetError, login};
use veil_wire::Malformed;
use veil_wire::pg::command::{self, BindNames, Parse};
use veil_wire::pg::startup::{self, Version};
use veil_wire::pg::{limits, row};

use crate::proxy::{AuthQuery, Proxy, Route};

/// The verifier of `user`; `None` if there is none that serves.
pub(super) async fn verifier(
    proxy: &Proxy,
    route: &Route,
    database: &str,
    auth_query: &AuthQuery,
    user: &str,
) -> Result<Option<Verifier>, NetError> {
    let parameters = [
        ("user", auth_query.user.as_str()),
        ("database", database),
        ("application_name", "ironveil auth_query"),
        ("search_path", "pg_catalog"),
    ];
    let mut out = Vec::new();
    startup::write_session(&mut out, Version::V3_0, parameters.into_iter());
    let first = out.as_slice();
    let open = |target: Arc<Target>| async move { target.open(first).await };
    let (_, Connected { stream, end_point }) = proxy.upstreams.reach(&route.hosts, open).await?;
    let mut link = Link::new(stream);
    login::sign_in(&mut link, &auth_query.user, &auth_query.secret, end_point.as_deref()).await?;

    out.clear();
    Parse { name: b"", text: auth_query.query.as_bytes(), types: &[] }.write(&mut out);
    command::write_bind(&mut out, BindNames { portal: b"", statement: b"" }, &[user.as_bytes()]);
    command::write_execute(&mut out, b"");
    command::write_sync(&mut out);
    command::write_terminate(&mut out);
    link.write(&out).await?;
    read(&mut link).await
}

/// The second cell of the first row.
async fn read(link: &mut Link) -> Result<Option<Verifier>, NetError> {
    let (mut found, mut signed_in) = (None, false);
    loop {
        let message = link.read(limits::REPLY_MAX).await?;
        match message.tag {
            b'D' if found.is_none() => {
                let mut cells = row::Cells::decode(&message.body)?;
                cells.step()?;
                let cell = cells.step()?.flatten().and_then(|cell| std::str::from_utf8(cell).ok());
                found = cell.and_then(|cell| Verifier::parse(cell).ok());
                if cell.is_some() && found.is_none() {
                    warn!("auth_query answered something that is not a SCRAM verifier");
                }
            }
            b'E' => {
                warn!("auth_query failed; run it as its user to see why");
                return Err(NetError::Method("auth_query, which failed"));
            }
            // One ends the login, the second the query.
            b'Z' if signed_in => return Ok(found),
            b'Z' => signed_in = true,
            b'X' => return Err(Malformed("unexpected message").into()),
            _ => {}
        }
    }
}
