//! A certificate authority for tests, which keeps what it issues as PEM files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use tempfile::TempDir;

/// A certificate authority; its files, and those of the certificates it issued, are deleted on drop.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    ca_pem: PathBuf,
    dir: TempDir,
}

/// A certificate and its private key, both PEM files.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate, without the authority's.
    pub cert: PathBuf,
    /// The private key in PKCS #8, readable by its owner only.
    pub key: PathBuf,
}

impl Authority {
    /// Makes an authority with a new key.
    ///
    /// # Errors
    /// When its certificate cannot be made or written.
    pub fn new() -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name = named("Test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;

        let dir = tempfile::Builder::new().prefix("veil-ca-").tempdir()?;
        let ca_pem = dir.path().join("ca.pem");
        fs::write(&ca_pem, certificate.pem())?;
        Ok(Self { issuer: Issuer::new(params, key), ca_pem, dir })
    }

    /// The file with the authority's certificate.
    pub fn ca_pem(&self) -> &Path {
        &self.ca_pem
    }

    /// Issues a certificate for a server or a client; `san` holds DNS names and IP addresses.
    ///
    /// # Errors
    /// When a name is not valid in a certificate, or a file cannot be written.
    pub fn issue(&self, common_name: &str, san: &[&str]) -> Result<Issued> {
        let names: Vec<String> = san.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = named(common_name);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;

        let dir = tempfile::tempdir_in(&self.dir)?.keep();
        let issued = Issued { cert: dir.join("cert.pem"), key: dir.join("key.pem") };
        fs::write(&issued.cert, certificate.pem())?;
        fs::write(&issued.key, key.serialize_pem())?;
        fs::set_permissions(&issued.key, fs::Permissions::from_mode(0o600))?;
        Ok(issued)
    }
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}
