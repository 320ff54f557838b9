//! `url`: an address on a host in a domain that is reserved for examples. Equal hosts get equal hosts, and parts of paths keyed texts; who signs in, the
//! query and what follows are dropped.

use super::{At, Mask, base32, fitted, lower, redacted};

#[derive(Debug)]
pub(crate) struct Url {
    pub(crate) keep_path: bool,
}

/// Parts of a path that are shown.
const PARTS_MAX: usize = 16;

impl Mask for Url {
    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        let Some((scheme, rest)) = text.trim().split_once("://").filter(|(scheme, _)| is_scheme(scheme))
        else {
            return redacted(at, out);
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        let host = authority.rsplit('@').next().unwrap_or_default();
        if host.is_empty() {
            return redacted(at, out);
        }
        let start = out.len();
        out.extend(lower(scheme).collect::<String>().as_bytes());
        out.extend(b"://");
        base32(&mut at.key.prf().bytes(b"host|").lower(host).draws(), 10, out);
        out.extend(b".example.com");
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let parts = path.split('/').skip(1).take(if self.keep_path { PARTS_MAX } else { 0 });
        for part in parts {
            out.push(b'/');
            if !part.is_empty() {
                base32(&mut at.key.prf().bytes(b"path|").bytes(part.as_bytes()).draws(), 8, out);
            }
        }
        fitted(at, start, out)
    }
}

/// Schemes that tell nothing.
const SCHEMES: [&str; 8] = ["http", "https", "ftp", "ftps", "sftp", "ssh", "ws", "wss"];

fn is_scheme(scheme: &str) -> bool {
    SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme))
}
