//! From a checked configuration to a proxy that can run: reads keys, secrets and certificates.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use tracing::warn;
use veil_mask::RootKey;
use veil_net::connect::{Encryption, Target};
use veil_net::scram::{ClientSecret, ITERATIONS, Verifier};
use veil_net::tls::{self, ServerTls, Verify};
use veil_policy::config::{AuthQuery, Config, Database, ListenTls, Login, Proof, SslMode, Upstream, User};
use veil_policy::rule::Policy;
use veil_proxy::{Account, Proxy, Route};

use crate::keys;

/// Builds the proxy that `config` describes, with the masks of `key`.
pub(crate) fn proxy(config: &Config, key: &RootKey) -> Result<Proxy> {
    let tls = config.listen.tls.as_ref().map(server_tls).transpose()?;
    let routes = config.databases.iter().map(route).collect::<Result<_>>()?;
    let accounts = config
        .users
        .iter()
        .map(|user| account(user).with_context(|| format!("user {}", user.name)))
        .collect::<Result<HashMap<_, _>>>()?;
    let policy = Policy::new(config.rules.clone(), config.trusted_functions.clone(), key);
    Ok(Proxy::new(tls, routes, accounts, policy, keys::random()?))
}

fn server_tls(tls: &ListenTls) -> Result<ServerTls> {
    let ca = tls.client_ca.as_deref();
    ServerTls::load(&tls.certificate, &tls.key, ca, tls.optional).context("listen.tls")
}

fn route(database: &Database) -> Result<Route> {
    let upstream = &database.upstream;
    Ok(Route {
        name: database.name.clone(),
        target: Arc::new(target(upstream).with_context(|| format!("database {}", database.name))?),
        database: upstream.database.clone(),
        auth_query: database.auth_query.as_ref().map(auth_query).transpose()?,
    })
}

fn target(upstream: &Upstream) -> Result<Target> {
    let verify = match upstream.sslmode {
        // As libpq has it: who names an authority wants it to be asked.
        SslMode::Require if upstream.root_cert.is_some() => Verify::Authority,
        SslMode::Disable | SslMode::Prefer | SslMode::Require => Verify::Nothing,
        SslMode::VerifyCa => Verify::Authority,
        SslMode::VerifyFull => Verify::Host,
    };
    let client_cert = upstream.client_cert.as_ref().map(|(cert, key)| (cert.as_path(), key.as_path()));
    let config = || tls::client_config(verify, upstream.root_cert.as_deref(), client_cert);
    let encryption = match upstream.sslmode {
        SslMode::Disable => Encryption::Off,
        SslMode::Prefer => {
            warn!(host = upstream.host, "sslmode=prefer falls back to clear text when TLS is refused");
            Encryption::Prefer(config()?)
        }
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => Encryption::Demand(config()?),
    };
    Ok(Target { host: upstream.host.clone(), port: upstream.port, encryption })
}

fn auth_query(auth_query: &AuthQuery) -> Result<veil_proxy::AuthQuery> {
    let (user, secret) = login(&auth_query.login).context("auth_query")?;
    Ok(veil_proxy::AuthQuery { query: auth_query.query.clone(), user, secret })
}

fn login(login: &Login) -> Result<(String, ClientSecret)> {
    Ok((login.user.clone(), ClientSecret::password(keys::read_secret(&login.password)?.expose().clone())))
}

fn account(user: &User) -> Result<(String, Account)> {
    let verifier = match &user.proof {
        Proof::Verifier(text) => Verifier::parse(text).context("the verifier cannot be read")?,
        Proof::VerifierAt(secret) => {
            Verifier::parse(keys::read_secret(secret)?.expose()).context("the verifier cannot be read")?
        }
        Proof::Password(secret) => {
            let salt = keys::random()?;
            Verifier::from_password(
                keys::read_secret(secret)?.expose(),
                salt.get(..16).unwrap_or(&salt),
                ITERATIONS,
            )
        }
    };
    let upstream = match (&user.upstream, &user.proof) {
        (Some(own), _) => Some(login(own)?),
        // A key proven against our own salt serves nowhere else; the password does.
        (None, Proof::Password(secret)) => {
            Some((user.name.clone(), ClientSecret::password(keys::read_secret(secret)?.expose().clone())))
        }
        (None, _) => None,
    };
    Ok((user.name.clone(), Account { verifier, upstream }))
}
