//! TLS to data nodes and sentinels: whom to trust, and who the client is.
//!
//! The settings are read once and shared by all connections, so that a reconnect resumes the session
//! instead of paying for a whole handshake.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::error::ConfigError;

/// Whom to trust, and who the client is. Cheap to clone.
#[derive(Clone)]
pub struct Tls(pub(crate) Arc<ClientConfig>);

impl Tls {
    /// Trusts the certificates that these authorities have signed, for the names that the sentinels give:
    /// have them announce host names, or put addresses into the certificates. `roots` is PEM.
    pub fn new(roots: &[u8]) -> Result<Self, ConfigError> {
        Self::build(roots, None)
    }

    /// The same, and shows a certificate of its own. `certificates` and `key` are PEM.
    pub fn with_identity(roots: &[u8], certificates: &[u8], key: &[u8]) -> Result<Self, ConfigError> {
        Self::build(roots, Some((certificates, key)))
    }

    fn build(roots: &[u8], identity: Option<(&[u8], &[u8])>) -> Result<Self, ConfigError> {
        let mut store = RootCertStore::empty();
        for certificate in read("`tls` roots", roots)? {
            store.add(certificate).map_err(|error| ConfigError::new(format!("`tls` roots: {error}")))?;
        }
        let fault = |error: rustls::Error| ConfigError::new(format!("`tls`: {error}"));
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(fault)?
            .with_root_certificates(store);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some((certificates, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key)
                    .map_err(|error| ConfigError::new(format!("`tls` key: {error}")))?;
                builder
                    .with_client_auth_cert(read("`tls` certificates", certificates)?, key)
                    .map_err(fault)?
            }
        };
        Ok(Self(Arc::new(config)))
    }
}

/// All certificates of a PEM text; one without any is refused.
fn read(what: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(ConfigError::new(format!("{what}: there is no certificate in it"))),
        Err(error) => Err(ConfigError::new(format!("{what}: {error}"))),
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tls").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_refused_by_name() {
        for roots in [&b""[..], b"hello", b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
            assert!(Tls::new(roots).unwrap_err().to_string().contains("`tls` roots"));
        }
    }
}
