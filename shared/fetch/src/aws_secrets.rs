//! AWS Secrets Manager: a secret's versions read, and a new one put in the place of the current one.
//!
//! Not the AWS SDK, which would double the size of the functions that use no ledger; not Lambda's extension
//! for secrets either, which is a layer to keep up to date, a second cache whose age adds to this one's, and
//! a cold start of its own.

use std::fmt;
use std::time::{Instant, SystemTime};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::exchange::exchange;
use crate::{Address, FetchError};

/// A secret has 64 KiB at most; escaped as JSON it may be longer.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// The stage of the version that counts, and of the one that is to be the next.
const CURRENT: &str = "AWSCURRENT";
const PENDING: &str = "AWSPENDING";

/// Of what the service says about a failure.
const MESSAGE_CHARS_MAX: usize = 300;

/// Who asks.
#[derive(Clone)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_key: String,
    /// `AWS_SESSION_TOKEN`, which credentials of a role have.
    pub session_token: Option<String>,
}

/// The service in one region.
#[derive(Debug)]
pub struct SecretsManager {
    endpoint: Address,
    region: String,
    credentials: aws_credential_types::Credentials,
}

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// There was no answer.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// There is no such secret, or no such version of it; the service's own code and words.
    #[error("{0}")]
    Missing(String),
    /// The service refused; its own code and words.
    #[error("{0}")]
    Refused(String),
    /// The request could not be signed.
    #[error("cannot be asked for: {0}")]
    Unsigned(String),
    /// It is binary.
    #[error("holds no text")]
    NoText,
}

/// A version of a secret.
pub struct SecretVersion {
    /// What the service calls it.
    pub id: String,
    /// What it holds.
    pub text: String,
}

#[derive(Deserialize)]
struct Secret {
    #[serde(rename = "VersionId")]
    version: String,
    #[serde(rename = "SecretString")]
    text: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "__type")]
    code: String,
    #[serde(rename = "Message", alias = "message", default)]
    message: String,
}

impl SecretsManager {
    /// The service of this region at its own address, or at this one.
    #[must_use]
    pub fn new(region: &str, endpoint: Option<Address>, credentials: Credentials) -> Option<Self> {
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let usual = || Address::parse(&format!("https://secretsmanager.{region}.{domain}"));
        let Credentials { access_key, secret_key, session_token } = credentials;
        let credentials = aws_credential_types::Credentials::new(
            access_key,
            secret_key,
            session_token,
            None,
            "environment",
        );
        Some(Self { endpoint: endpoint.or_else(usual)?, region: region.to_owned(), credentials })
    }

    /// The current version of the secret of this name or ARN.
    pub async fn current(&self, secret: &str, deadline: Instant) -> Result<SecretVersion, SecretError> {
        self.version(json!({ "SecretId": secret, "VersionStage": CURRENT }), deadline).await
    }

    /// The version that is to be the next current one; `None` where it was not put yet.
    pub async fn pending(
        &self,
        secret: &str,
        version: &str,
        deadline: Instant,
    ) -> Result<Option<SecretVersion>, SecretError> {
        let asked = json!({ "SecretId": secret, "VersionId": version, "VersionStage": PENDING });
        match self.version(asked, deadline).await {
            Ok(version) => Ok(Some(version)),
            Err(SecretError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts a version that is to be the next current one. The same again changes nothing; another text for the
    /// same version is refused.
    pub async fn put_pending(
        &self,
        secret: &str,
        version: &SecretVersion,
        deadline: Instant,
    ) -> Result<(), SecretError> {
        let put = json!({
            "SecretId": secret,
            "ClientRequestToken": version.id,
            "SecretString": version.text,
            "VersionStages": [PENDING],
        });
        self.call("PutSecretValue", put, deadline).await.map(drop)
    }

    /// Makes a version the current one, if that one is it still.
    pub async fn make_current(
        &self,
        secret: &str,
        version: &str,
        instead_of: &str,
        deadline: Instant,
    ) -> Result<(), SecretError> {
        let moved = json!({
            "SecretId": secret,
            "VersionStage": CURRENT,
            "MoveToVersionId": version,
            "RemoveFromVersionId": instead_of,
        });
        self.call("UpdateSecretVersionStage", moved, deadline).await.map(drop)
    }

    async fn version(&self, asked: Value, deadline: Instant) -> Result<SecretVersion, SecretError> {
        let body = self.call("GetSecretValue", asked, deadline).await?;
        // The parser's own words may quote what they are about.
        let secret: Secret = serde_json::from_slice(&body)
            .map_err(|_| FetchError::Broken("it is not what the service answers".to_owned()))?;
        Ok(SecretVersion { id: secret.version, text: secret.text.ok_or(SecretError::NoText)? })
    }

    async fn call(&self, action: &str, asked: Value, deadline: Instant) -> Result<Bytes, SecretError> {
        let request = self
            .signed(action, asked.to_string())
            .map_err(|error| SecretError::Unsigned(error.to_string()))?;
        let answer = exchange(&self.endpoint, request, ANSWER_BYTES_MAX, deadline).await?;
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        let refusal: Option<Refusal> = serde_json::from_slice(&answer.body).ok();
        let refusal = refusal.ok_or(FetchError::Status(answer.status.as_u16()))?;
        let code = refusal.code.rsplit('#').next().unwrap_or_default();
        let words = format!("{code}: {}", refusal.message).chars().take(MESSAGE_CHARS_MAX).collect();
        Err(if code == "ResourceNotFoundException" {
            SecretError::Missing(words)
        } else {
            SecretError::Refused(words)
        })
    }

    fn signed(
        &self,
        action: &str,
        body: String,
    ) -> Result<Request<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("secretsmanager")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let target = format!("secretsmanager.{action}");
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", &target)];
        let uri = self.endpoint.to_string();
        let signable =
            SignableRequest::new("POST", &uri, headers.into_iter(), SignableBody::Bytes(body.as_bytes()))?;
        let (instructions, _) = sign(signable, &parameters)?.into_parts();
        let mut request = Request::post(&uri);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut request = request.body(Full::new(Bytes::from(body)))?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credentials").finish_non_exhaustive()
    }
}
