//! The files that a configuration is made of, and whether they have become others.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use veil_policy::config::operations::KeySet;
use veil_policy::config::{Config, Proof, Secret};

use crate::cli::Run;

/// The files that a configuration is made of.
pub(crate) fn files(run: &Run, config: &Config, root: &Secret) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = run.config_path().into_iter().collect();
    let mut secret = |secret: &Secret| {
        if let Secret::File(path) = secret {
            files.push(path.clone());
        }
    };
    secret(root);
    config.api.iter().flat_map(|api| &api.key).for_each(&mut secret);
    config.api.iter().flat_map(|api| &api.tokens.secret).for_each(&mut secret);
    for user in &config.users {
        match &user.proof {
            Proof::VerifierAt(at) | Proof::Password(at) => secret(at),
            Proof::Verifier(_) => {}
        }
        user.upstream.iter().for_each(|login| secret(&login.password));
    }
    for database in &config.databases {
        database.auth_query.iter().for_each(|auth_query| secret(&auth_query.login.password));
        database.check.iter().for_each(|login| secret(&login.password));
    }
    for upstream in config.databases.iter().map(|database| &database.upstream) {
        files.extend(upstream.root_cert.clone());
        files.extend(upstream.client_cert.iter().flat_map(|(cert, key)| [cert.clone(), key.clone()]));
    }
    if let Some(tls) = &config.listen.tls {
        files.extend([tls.certificate.clone(), tls.key.clone()]);
        files.extend(tls.client_ca.clone());
    }
    if let Some((certificate, key)) = config.api.as_ref().and_then(|api| api.tls.as_ref()) {
        files.extend([certificate.clone(), key.clone()]);
    }
    if let Some(KeySet::File(path)) = config.api.as_ref().and_then(|api| api.tokens.keys.as_ref()) {
        files.push(path.clone());
    }
    files
}

/// What tells a file from another in its place.
pub(crate) type Print = Option<(u64, u64, SystemTime)>;

pub(crate) fn prints(files: &[PathBuf]) -> Vec<Print> {
    use std::os::unix::fs::MetadataExt;
    let one = |path: &PathBuf| -> Print {
        let found = std::fs::metadata::<&Path>(path).ok()?;
        Some((found.ino(), found.len(), found.modified().ok()?))
    };
    files.iter().map(one).collect()
}
