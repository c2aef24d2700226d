//! What runs here, as `cargo spillway up` wrote it down, and the trust that its address needs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sentinel::{Config, Credentials};
use serde::{Deserialize, Serialize};

use crate::layout::default_data;
use crate::parts::Parts;
use crate::process::is_alive;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// The user of people, and of this command for them: may do everything.
pub const OPERATOR: &str = "operator";

/// The user of all functions at the sentinels.
pub(crate) const FUNCTION: &str = "function";

/// Which running system a command speaks to.
#[derive(Debug, Clone, clap::Args)]
pub struct RunningArguments {
    /// The file that `up` wrote; without it the one of this checkout.
    #[arg(long, value_name = "PATH")]
    pub up_json: Option<PathBuf>,
}

/// The running system: `up.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// What of it `up` has started.
    pub parts: Parts,
    /// The origin that shoppers see: the gateway, or what answers in its place.
    pub url: String,
    /// The merchant's bearer token.
    pub admin_token: String,
    /// HS256 secret of the shoppers' tokens, base64.
    pub shopper_secret: String,
    /// Secret behind opaque ids, base64.
    pub id_secret: String,
    /// Keys of receipts and guests, as the setting `SIGNING_KEYS`.
    pub signing_keys: String,
    /// Keys of access tokens, as the setting `ACCESS_TOKEN_KEYS`.
    pub access_token_keys: String,
    /// Passwords of the data nodes by user: one for each function that needs Redis, and [`OPERATOR`].
    pub redis_passwords: BTreeMap<String, String>,
    /// Passwords of the sentinels by user.
    pub sentinel_passwords: BTreeMap<String, String>,
    /// Name of the Redis master at the sentinels.
    pub master_name: String,
    /// Addresses of the sentinels, `host:port`.
    pub sentinels: Vec<String>,
    /// The data nodes.
    pub redis: Vec<Part>,
    /// Where the DynamoDB emulator listens.
    pub dynamodb_url: String,
    /// Name of the ledger's table.
    pub ledger_table: String,
    /// The functions that `up` has started.
    pub functions: Vec<Part>,
    /// The settings of the functions, as a file for `cargo lambda watch --env-file`.
    pub functions_env: PathBuf,
    /// Certificate authority of an `https` address that no public one vouches for.
    pub ca: Option<PathBuf>,
    /// Folder of the logs, one file per part.
    pub logs: PathBuf,
    /// The process that keeps all this running.
    pub supervisor_pid: u32,
}

/// What `up.json` says in every version of this command: enough to stop what another version started.
#[derive(Debug, Deserialize)]
pub(crate) struct Supervised {
    pub(crate) url: String,
    pub(crate) supervisor_pid: u32,
}

/// Where the system of this checkout is described while it runs.
pub(crate) fn up_json() -> PathBuf {
    default_data().join("up.json")
}

impl Supervised {
    /// The system of this checkout, if its supervisor is alive.
    pub(crate) fn find() -> Option<Self> {
        let found: Self = serde_json::from_str(&std::fs::read_to_string(up_json()).ok()?).ok()?;
        // The id may have gone to another process meanwhile; where the system tells names, that is seen.
        let name = std::fs::read_to_string(format!("/proc/{}/comm", found.supervisor_pid));
        let is_ours = name.map_or_else(|_| is_alive(found.supervisor_pid), |name| name.trim() == "spillway");
        is_ours.then_some(found)
    }
}

/// A process of the running system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Such as `redis-1` or `reserve`.
    pub name: String,
    /// Where it listens, `host:port`.
    pub address: String,
    /// Its process.
    pub pid: u32,
}

impl RunningArguments {
    /// Reads what runs, or says in one sentence what to do when nothing does.
    pub fn find(&self) -> Result<Running> {
        let path = self.up_json.clone().unwrap_or_else(up_json);
        let text = match std::fs::read_to_string(&path) {
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

/// TLS that trusts these.
pub(crate) fn trusting(roots: rustls::RootCertStore) -> Result<rustls::ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// An HTTP client that trusts this, with a deadline for each request.
pub(crate) fn http_client(tls: rustls::ClientConfig) -> Result<reqwest::Client> {
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        // An answer is what this address answers, and no other's.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ANSWER_TIMEOUT)
        .build()?;
    Ok(client)
}

impl Running {
    /// How a connection to the master is made as this user.
    pub fn connection(&self, user: &str) -> Result<Config> {
        let sentinels = self.sentinels.iter().map(|address| address.parse()).collect::<Result<_, _>>()?;
        let credentials = |username: &str, password: &str| {
            Some(Credentials { username: Some(username.to_owned()), password: password.to_owned() })
        };
        let mut config = Config::new(sentinels, self.master_name.as_str());
        config.credentials = credentials(user, self.redis_password(user)?);
        let at_sentinels = if user == OPERATOR { OPERATOR } else { FUNCTION };
        config.sentinel_credentials = credentials(at_sentinels, self.sentinel_password(at_sentinels)?);
        Ok(config)
    }

    /// A user's password at the data nodes.
    pub fn redis_password(&self, user: &str) -> Result<&str> {
        let password = self.redis_passwords.get(user);
        Ok(password.with_context(|| format!("infra/redis/users.acl has no user {user}"))?)
    }

    /// A user's password at the sentinels.
    pub fn sentinel_password(&self, user: &str) -> Result<&str> {
        let password = self.sentinel_passwords.get(user);
        Ok(password.with_context(|| format!("infra/redis/sentinel-users.acl has no user {user}"))?)
    }

    /// An HTTP client for the merchant's requests, with a deadline for each.
    pub fn http_client(&self) -> Result<reqwest::Client> {
        http_client(self.tls()?)
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
        trusting(roots)
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
