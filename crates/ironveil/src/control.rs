//! What operators need, as the configuration describes it: the audit, who the API lets in, its certificate, what is sent to a collector.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use tokio_rustls::TlsAcceptor;
use tracing::warn;
use veil_control::{Access, Audit, KeySource, OtlpSettings, Role, Rotation, Signer, TokenSettings, hex};
use veil_mask::RootKey;
use veil_model::Sensitive;
use veil_net::tls::ServerTls;
use veil_policy::config::operations::{self, KeySet, Otlp};
use veil_policy::config::{Config, Protocol};
use veil_store::SharedStore;

use crate::keys;

/// The key that lets the first administrator in, where nothing else is said.
const ADMIN_KEY: &str = "ironveil-admin.key";

/// HS256 is as strong as its secret (RFC 7518).
const JWT_SECRET_MIN: usize = 32;

/// What signs the audit's checkpoints.
pub(crate) fn signer(root: &RootKey) -> Result<Signer> {
    Signer::new(&*root.secret("audit")).ok_or_else(|| anyhow!("the root key makes no signing key"))
}

/// The audit that a configuration describes.
pub(crate) fn open_audit(audit: Option<&operations::Audit>, root: &RootKey) -> Result<Audit> {
    let Some(audit) = audit else { return Ok(Audit::stderr()) };
    let rotation = Rotation {
        bytes: audit.rotate_bytes,
        after: audit.rotate_after,
        keep: audit.keep,
        compress: audit.compress,
    };
    Audit::open(&audit.file, rotation, signer(root)?, audit.syslog.clone())
        .with_context(|| format!("audit.file: cannot open {}", audit.file.display()))
}

/// Who is let in, by what the configuration says now.
pub(crate) fn access(config: &Config, config_path: Option<&Path>, store: &SharedStore) -> Result<Access> {
    let Some(api) = &config.api else { return Ok(Access::default()) };
    let mut keys = Vec::new();
    if let Some(key) = &api.key {
        keys.push(("api_key", keys::read_secret(key).context("api.api_key")?));
    }
    let tokens = &api.tokens;
    let source = match &tokens.keys {
        None => None,
        Some(KeySet::Url(url)) => Some(KeySource::Url(url.clone())),
        Some(KeySet::File(path)) => {
            let text = std::fs::read_to_string(path);
            let text = text.with_context(|| format!("api.jwks_file: cannot read {}", path.display()))?;
            serde_json::from_str::<serde_json::Value>(&text)
                .with_context(|| format!("api.jwks_file: {} is no set of keys", path.display()))?;
            Some(KeySource::Text(text))
        }
    };
    let secret = tokens.secret.as_ref().map(keys::read_secret).transpose().context("api.jwt_secret")?;
    if let Some(secret) = &secret
        && secret.expose().len() < JWT_SECRET_MIN
    {
        bail!(
            "api.jwt_secret: it needs {JWT_SECRET_MIN} characters at least, since whoever guesses it may do everything"
        );
    }
    let nobody = keys.is_empty() && secret.is_none() && source.is_none();
    let named = nobody || api.admin_key_file.is_some();
    if nobody && !api.listen.ip().is_loopback() && !has_admin(store)? {
        bail!(
            "api.listen: {} is not on this machine only, so \"api_key\", \"jwt_secret\" or \"jwks_file\" is needed",
            api.listen
        );
    }
    if named {
        keys.extend(admin_key(api, config_path, store)?.map(|key| ("admin_key_file", key)));
    }
    let tokens = TokenSettings {
        secret,
        keys: source,
        issuer: tokens.issuer.clone(),
        audience: tokens.audience.clone(),
        role_claim: tokens.role_claim.clone(),
    };
    Ok(Access { keys, tokens })
}

/// Whether an administrator has a key of the store that does not expire.
fn has_admin(store: &SharedStore) -> Result<bool> {
    let holds = |key: &veil_store::Key| {
        key.role == Role::Admin.name() && key.revoked.is_none() && key.expires.is_none()
    };
    Ok(store.keys().context("store")?.iter().any(holds))
}

/// The key of the first administrator, which is made if nobody else could do anything.
fn admin_key(
    api: &operations::Api,
    config_path: Option<&Path>,
    store: &SharedStore,
) -> Result<Option<Sensitive<String>>> {
    let beside =
        || config_path.map_or_else(|| PathBuf::from(ADMIN_KEY), |path| path.with_file_name(ADMIN_KEY));
    let path = api.admin_key_file.clone().unwrap_or_else(beside);
    if !path.exists() {
        if has_admin(store)? {
            return Ok(None);
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("api.admin_key_file: cannot create {}", path.display()))?;
        writeln!(file, "{}", hex(&keys::random()?))?;
        file.sync_all()?;
        warn!(file = %path.display(), "a key for the API's first administrator was made");
    }
    let text = std::fs::read_to_string(&path);
    let text = text.with_context(|| format!("api.admin_key_file: cannot read {}", path.display()))?;
    match text.trim() {
        "" => bail!("api.admin_key_file: {} is empty", path.display()),
        key => Ok(Some(Sensitive::new(key.to_owned()))),
    }
}

/// TLS of the API's listener, if there is a certificate.
pub(crate) fn acceptor(api: &operations::Api) -> Result<Option<TlsAcceptor>> {
    let Some((certificate, key)) = &api.tls else { return Ok(None) };
    let tls = ServerTls::load(certificate, key, None, false).context("api.tls")?;
    let mut config = (*tls.config).clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

/// What is sent to a collector.
pub(crate) fn otlp(otlp: &Otlp) -> Result<OtlpSettings> {
    let header = |(name, value): &(String, _)| Ok((name.clone(), keys::read_secret(value)?));
    let headers = otlp.headers.iter().map(header).collect::<Result<_>>().context("otlp.headers")?;
    Ok(OtlpSettings {
        endpoint: otlp.endpoint.clone(),
        http: otlp.http,
        headers,
        traces: otlp.traces,
        sample_ratio: otlp.sample_ratio,
        metrics: otlp.metrics,
        logs: otlp.logs,
    })
}

/// As the API names it.
pub(crate) const fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Postgres => "postgresql",
        Protocol::MySql => "mysql",
    }
}
