//! TLS settings from PEM files, and the certificate hash that binds SCRAM to a channel.

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
};

use crate::error::NetError;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// ALPN name of the PostgreSQL protocol, which direct TLS has to agree on.
pub const ALPN: &[u8] = b"postgresql";
/// libpq's asynchronous interface stalls on records above its 8 KiB buffer.
const FRAGMENT_MAX: usize = 8 << 10;

/// TLS towards clients.
#[derive(Clone)]
pub struct ServerTls {
    /// For the handshake.
    pub config: Arc<ServerConfig>,
    /// Hash of our certificate for SCRAM-SHA-256-PLUS, where its signature algorithm defines one.
    pub end_point: Option<Vec<u8>>,
    /// Clients may go without TLS.
    pub optional: bool,
}

/// How far an upstream's certificate is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// Not at all.
    Nothing,
    /// It comes from a known authority.
    Authority,
    /// It also is for the host's name.
    Host,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

impl ServerTls {
    /// Reads certificate chain, key and, for client certificates, their authority.
    ///
    /// # Errors
    /// A file is missing or does not hold what it should; the error names it.
    pub fn load(
        certificate: &Path,
        key: &Path,
        client_ca: Option<&Path>,
        optional: bool,
    ) -> Result<Self, NetError> {
        let chain = certificates(certificate)?;
        let end_point = chain.first().and_then(|leaf| end_point_hash(leaf));
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| fault(certificate, &error))?;
        let builder = match client_ca {
            None => builder.with_no_client_auth(),
            Some(ca) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(roots(ca)?.into(), provider())
                    .build()
                    .map_err(|error| fault(ca, &error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config =
            builder.with_single_cert(chain, private_key(key)?).map_err(|error| fault(certificate, &error))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.max_fragment_size = Some(FRAGMENT_MAX);
        Ok(Self { config: Arc::new(config), end_point, optional })
    }
}

/// Builds TLS towards an upstream.
///
/// # Errors
/// A file is missing or does not hold what it should; the error names it.
pub fn client_config(
    verify: Verify,
    root_cert: Option<&Path>,
    client_cert: Option<(&Path, &Path)>,
) -> Result<Arc<ClientConfig>, NetError> {
    let place = root_cert.unwrap_or(Path::new("the system's certificates"));
    let verifier = match verify {
        Verify::Nothing => Checker { inner: None, host: false },
        Verify::Authority | Verify::Host => {
            let store = root_cert.map_or_else(system_roots, roots)?;
            let inner = WebPkiServerVerifier::builder_with_provider(store.into(), provider())
                .build()
                .map_err(|error| fault(place, &error))?;
            Checker { inner: Some(inner), host: verify == Verify::Host }
        }
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| fault(place, &error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let config = match client_cert {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => builder
            .with_client_auth_cert(certificates(cert)?, private_key(key)?)
            .map_err(|error| fault(cert, &error))?,
    };
    Ok(Arc::new(config))
}

fn fault(path: &Path, what: &dyn std::fmt::Display) -> NetError {
    NetError::TlsConfig { path: path.display().to_string(), what: what.to_string() }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, NetError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match chain {
        Ok(chain) if chain.is_empty() => Err(fault(path, &"holds no certificate")),
        Ok(chain) => Ok(chain),
        Err(error) => Err(fault(path, &error)),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, NetError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| fault(path, &error))
}

fn roots(path: &Path) -> Result<RootCertStore, NetError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        store.add(certificate).map_err(|error| fault(path, &error))?;
    }
    Ok(store)
}

fn system_roots() -> Result<RootCertStore, NetError> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() {
        return Err(fault(Path::new("the system's certificates"), &"none found; state sslrootcert"));
    }
    Ok(store)
}

/// libpq's levels of checking. What is checked is checked by webpki; the levels only leave parts out.
#[derive(Debug)]
struct Checker {
    inner: Option<Arc<WebPkiServerVerifier>>,
    host: bool,
}

impl ServerCertVerifier for Checker {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(inner) = &self.inner else { return Ok(ServerCertVerified::assertion()) };
        match inner.verify_server_cert(end_entity, intermediates, server_name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.host => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

/// The hash of a certificate by its own signature's hash function, SHA-256 for older ones (RFC 5929, section
/// 4.1). `None` where the signature algorithm has no such function (Ed25519).
#[must_use]
pub fn end_point_hash(certificate: &[u8]) -> Option<Vec<u8>> {
    let algorithm: &digest::Algorithm = match signature_oid(certificate)? {
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04 | 0x05 | 0x0b]
        | [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01]
        | [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02] => &digest::SHA256,
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c]
        | [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03] => &digest::SHA384,
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d]
        | [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04] => &digest::SHA512,
        _ => return None,
    };
    Some(digest::digest(algorithm, certificate).as_ref().to_vec())
}

/// The names in a certificate: common names, and the mail addresses, hosts and URIs that it is for as well.
pub(crate) fn names(certificate: &[u8]) -> Vec<String> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let common = parsed.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    let mut names: Vec<String> = common.map(str::to_owned).collect();
    let others = parsed.subject_alternative_name().ok().flatten();
    names.extend(others.iter().flat_map(|others| &others.value.general_names).filter_map(
        |name| match name {
            GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
                Some((*name).to_owned())
            }
            _ => None,
        },
    ));
    names
}

/// Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { OID ... } ... }
fn signature_oid(certificate: &[u8]) -> Option<&[u8]> {
    const SEQUENCE: u8 = 0x30;
    const OID: u8 = 0x06;
    let (body, _) = der(certificate, SEQUENCE)?;
    let (_, rest) = der(body, SEQUENCE)?;
    let (algorithm, _) = der(rest, SEQUENCE)?;
    der(algorithm, OID).map(|(oid, _)| oid)
}

/// One DER element with `tag`: its content, and what follows it.
fn der(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = bytes.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let count = usize::from(first & 0x7f);
    let (length, rest) = if first < 0x80 {
        (count, rest)
    } else if count <= 4 {
        let (digits, rest) = rest.split_at_checked(count)?;
        (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
    } else {
        return None;
    };
    rest.split_at_checked(length)
}
