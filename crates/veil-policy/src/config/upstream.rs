//! `postgres://host:port/database?sslmode=...`, `mysql://...`: where an upstream is and how it is spoken to.

use std::net::IpAddr;
use std::path::PathBuf;

/// TLS towards an upstream, by libpq's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    /// Never.
    Disable,
    /// If the server has it; nothing is verified.
    Prefer,
    /// Always; nothing is verified.
    Require,
    /// Always; the certificate has to come from a known authority.
    VerifyCa,
    /// Always; it has to be for this host too.
    VerifyFull,
}

/// The wire protocol of an upstream, and of its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// PostgreSQL's.
    Postgres,
    /// MySQL's and MariaDB's.
    MySql,
}

/// The role of a host, by libpq's `target_session_attrs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Any.
    #[default]
    Any,
    /// It takes writes.
    Primary,
    /// It does not.
    Standby,
    /// It does not, if there is one.
    PreferStandby,
}

/// An upstream server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// What it speaks.
    pub protocol: Protocol,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Hosts that are tried where the first cannot be reached, or has another role.
    pub others: Vec<(String, u16)>,
    /// The role that a host has to have.
    pub role: Role,
    /// Database there; the client's name for it if there is none.
    pub database: Option<String>,
    /// TLS.
    pub sslmode: SslMode,
    /// Authorities, PEM; the system's if there is none.
    pub root_cert: Option<PathBuf>,
    /// Certificate and key to show to the server, PEM.
    pub client_cert: Option<(PathBuf, PathBuf)>,
}

const SCHEMES: [(&str, Protocol); 4] = [
    ("postgres://", Protocol::Postgres),
    ("postgresql://", Protocol::Postgres),
    ("mysql://", Protocol::MySql),
    ("mariadb://", Protocol::MySql),
];

impl Protocol {
    const fn default_port(self) -> u16 {
        match self {
            Self::Postgres => 5432,
            Self::MySql => 3306,
        }
    }
}

impl Upstream {
    /// Reads a URL.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(url: &str) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let known =
            SCHEMES.iter().find_map(|(scheme, protocol)| Some((*protocol, url.strip_prefix(scheme)?)));
        let Some((protocol, rest)) = known else {
            let what = "an upstream is written postgres://host:port/database or mysql://host:port";
            return Err(vec![what.to_owned()]);
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.contains('@') {
            faults.push("user and password do not belong into the URL; see users and auth_query".to_owned());
        }
        let authority = authority.rsplit('@').next().unwrap_or(authority);
        let mut hosts =
            authority.split(',').map(|text| host_and_port(text, protocol.default_port(), &mut faults));
        let (host, port) = hosts.next().unwrap_or_default();
        let others: Vec<_> = hosts.collect();
        let database = (!path.is_empty()).then(|| path.to_owned());
        // Off the machine, an upstream has to prove who it is unless the file says otherwise.
        let here = is_loopback(&host) && others.iter().all(|(host, _)| is_loopback(host));
        let sslmode = if here { SslMode::Disable } else { SslMode::VerifyFull };
        let mut upstream = Self {
            protocol,
            host,
            port,
            others,
            role: Role::Any,
            database,
            sslmode,
            root_cert: None,
            client_cert: None,
        };
        upstream.read_options(query, &mut faults);
        if faults.is_empty() { Ok(upstream) } else { Err(faults) }
    }

    fn read_options(&mut self, query: &str, faults: &mut Vec<String>) {
        let (mut cert, mut key) = (None, None);
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            match name {
                "sslmode" => match sslmode(value) {
                    Some(mode) => self.sslmode = mode,
                    None => faults.push(format!(
                        "sslmode \"{value}\" is none of disable, prefer, require, verify-ca, verify-full"
                    )),
                },
                "sslrootcert" => self.root_cert = Some(value.into()),
                "sslcert" => cert = Some(PathBuf::from(value)),
                "sslkey" => key = Some(PathBuf::from(value)),
                "target_session_attrs" if self.protocol == Protocol::Postgres => match role(value) {
                    Some(role) => self.role = role,
                    None => faults.push(format!(
                        "target_session_attrs \"{value}\" is none of any, read-write, primary, read-only, standby, prefer-standby"
                    )),
                },
                _ => faults.push(format!(
                    "unknown option \"{name}\"; known are sslmode, sslrootcert, sslcert, sslkey, and target_session_attrs for PostgreSQL"
                )),
            }
        }
        match (cert, key) {
            (Some(cert), Some(key)) => self.client_cert = Some((cert, key)),
            (None, None) => {}
            _ => faults.push("sslcert and sslkey go together".to_owned()),
        }
    }
}

fn role(value: &str) -> Option<Role> {
    Some(match value {
        "any" => Role::Any,
        "read-write" | "primary" => Role::Primary,
        "read-only" | "standby" => Role::Standby,
        "prefer-standby" => Role::PreferStandby,
        _ => return None,
    })
}

fn sslmode(value: &str) -> Option<SslMode> {
    Some(match value {
        "disable" => SslMode::Disable,
        "prefer" => SslMode::Prefer,
        "require" => SslMode::Require,
        "verify-ca" => SslMode::VerifyCa,
        "verify-full" => SslMode::VerifyFull,
        _ => return None,
    })
}

fn host_and_port(text: &str, default_port: u16, faults: &mut Vec<String>) -> (String, u16) {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => (address, rest.strip_prefix(':')),
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() {
        faults.push("the host is missing".to_owned());
    }
    let port = match port.map(str::parse) {
        None => default_port,
        Some(Ok(port)) if port != 0 => port,
        Some(_) => {
            faults.push("the port is not a number from 1 to 65535".to_owned());
            default_port
        }
    };
    (host.to_owned(), port)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn off_loopback_the_server_has_to_prove_itself() {
        for (url, mode) in [
            ("postgres://localhost/x", SslMode::Disable),
            ("postgres://127.0.0.1:6000", SslMode::Disable),
            ("postgres://[::1]:6000/x", SslMode::Disable),
            ("postgres://db1/x", SslMode::VerifyFull),
            ("postgresql://10.0.0.7:5433/x", SslMode::VerifyFull),
            ("postgres://db1/x?sslmode=prefer", SslMode::Prefer),
            ("postgres://localhost/x?sslmode=require", SslMode::Require),
        ] {
            assert_eq!(Upstream::parse(url).unwrap().sslmode, mode, "{url}");
        }
    }

    #[test]
    fn every_fault_of_a_url_is_named() {
        let faults = Upstream::parse("postgres://u:p@:99999/x?sslmode=no&x=1&sslcert=a").unwrap_err();
        assert_eq!(faults.len(), 6, "{faults:?}");
        assert!(Upstream::parse("oracle://db").is_err());
        let mysql = Upstream::parse("mariadb://127.0.0.1/shop").unwrap();
        assert_eq!((mysql.protocol, mysql.port), (Protocol::MySql, 3306));
    }
}
