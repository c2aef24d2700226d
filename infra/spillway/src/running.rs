//! What runs here, as `cargo spillway up` wrote it down, and the trust that its address needs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;

const UP_JSON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/spillway/up.json");
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Which running system a command speaks to.
#[derive(Debug, Clone, clap::Args)]
pub struct RunningArguments {
    /// The file that `up` wrote; without it the one of this checkout.
    #[arg(long, value_name = "PATH")]
    pub up_json: Option<PathBuf>,
}

/// The running system: only what the commands of this crate need of `up.json`.
#[derive(Debug, Clone, Deserialize)]
pub struct Running {
    /// The origin that shoppers see.
    pub url: String,
    /// The merchant's bearer token.
    pub admin_token: String,
    /// HS256 secret of the shoppers' tokens, base64.
    pub shopper_secret: String,
    /// Secret behind opaque ids, base64.
    pub id_secret: String,
    /// Name of the Redis master at the sentinels.
    pub master_name: String,
    /// Addresses of the sentinels, `host:port`.
    pub sentinels: Vec<String>,
    /// Certificate authority of an `https` address that no public one vouches for.
    pub ca: Option<PathBuf>,
}

impl RunningArguments {
    /// Reads what runs, or says in one sentence what to do when nothing does.
    pub fn find(&self) -> Result<Running> {
        let path = self.up_json.as_deref().unwrap_or(Path::new(UP_JSON));
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!(
                "nothing runs here: start it with `cargo spillway up` ({} does not exist)",
                path.display()
            ),
            read => read.with_context(|| format!("cannot read {}", path.display()))?,
        };
        serde_json::from_str(&text).with_context(|| {
            format!("{} is not what `cargo spillway up` writes; run `down`, then `up` again", path.display())
        })
    }
}

impl Running {
    /// An HTTP client for the merchant's requests, with a deadline for each.
    pub fn http_client(&self) -> Result<reqwest::Client> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls()?)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .build()?;
        Ok(client)
    }

    /// Trusts [`Running::ca`] and nothing else: a system of this machine has no public certificate.
    pub fn tls(&self) -> Result<rustls::ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        if let Some(path) = &self.ca {
            let unreadable = || format!("cannot read the certificate authority {}", path.display());
            for certificate in CertificateDer::pem_file_iter(path).with_context(unreadable)? {
                roots.add(certificate.with_context(unreadable)?)?;
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(config)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn when_nothing_runs_the_error_says_how_to_start_it() {
        let arguments = RunningArguments { up_json: Some("/nonexistent/up.json".into()) };
        let error = arguments.find().unwrap_err().to_string();
        assert!(error.contains("`cargo spillway up`"), "{error}");
    }
}
