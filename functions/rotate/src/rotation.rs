//! The steps of one rotation.

use std::time::{Duration, Instant};

use edge::{NoRotation, RotatedSecret, SigningKeys};
use fetch::{SecretError, SecretVersion};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// For all calls of one step.
const STEP_DEADLINE: Duration = Duration::from_secs(10);

/// One rotation of the secret.
pub(crate) struct Rotation<'a> {
    secret: &'a RotatedSecret,
    /// The version that it makes.
    version: &'a str,
    deadline: Instant,
}

/// Why a step was not done. No key is in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RotationError {
    #[error("{0:.200} is not the secret that this function rotates, {1}")]
    AnotherSecret(String, String),
    #[error("Secrets Manager did not do it")]
    Secret(#[from] SecretError),
    #[error("the {0} version of the secret is not the JSON object of SIGNING_KEYS alone")]
    NoSigningKeys(&'static str),
    #[error("SIGNING_KEYS in the {0} version of the secret {1}")]
    NoRing(&'static str, &'static str),
    #[error(transparent)]
    NoRotation(#[from] NoRotation),
    #[error("version {0} is not there: the step createSecret comes first")]
    NothingPending(String),
    #[error(
        "the keys were changed by somebody else meanwhile: take the stage AWSPENDING from version {0}, and rotate again"
    )]
    Changed(String),
}

/// The secret's text.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    #[serde(rename = "SIGNING_KEYS")]
    signing_keys: String,
}

impl<'a> Rotation<'a> {
    pub(crate) fn of(
        secret: &'a RotatedSecret,
        secret_id: &str,
        version: &'a str,
    ) -> Result<Self, RotationError> {
        if secret_id != secret.id {
            return Err(RotationError::AnotherSecret(secret_id.to_owned(), secret.id.clone()));
        }
        Ok(Self { secret, version, deadline: Instant::now() + STEP_DEADLINE })
    }

    /// Puts the ring that follows the current one beside it, unless that was done before.
    pub(crate) async fn create(&self) -> Result<(), RotationError> {
        if self.pending().await?.is_some() {
            return Ok(());
        }
        let keys = ring("current", &self.current().await?)?.rotated(Timestamp::now())?;
        let text = Text { signing_keys: keys.to_setting() };
        let text = serde_json::to_string(&text).map_err(|_| RotationError::NoSigningKeys("new"))?;
        let version = SecretVersion { id: self.version.to_owned(), text };
        Ok(self.secret.service.put_pending(&self.secret.id, &version, self.deadline).await?)
    }

    /// Whether the functions could use the new ring. Secrets Manager also asks this by itself, to see whether
    /// a rotation would work: then the new version is the current one again, or there is none.
    pub(crate) async fn test(&self) -> Result<(), RotationError> {
        match self.pending().await? {
            Some(pending) => ring("new", &pending)?,
            None => ring("current", &self.current().await?)?,
        };
        Ok(())
    }

    /// Makes the new ring the current one, if it still follows that.
    pub(crate) async fn finish(&self) -> Result<(), RotationError> {
        let current = self.current().await?;
        if current.id == self.version {
            return Ok(());
        }
        let pending = self.pending().await?;
        let pending = pending.ok_or_else(|| RotationError::NothingPending(self.version.to_owned()))?;
        let keys = ring("new", &pending)?;
        if !keys.follows(&ring("current", &current)?) {
            return Err(RotationError::Changed(self.version.to_owned()));
        }
        let service = &self.secret.service;
        service.make_current(&self.secret.id, self.version, &current.id, self.deadline).await?;
        let names: Vec<_> = keys.names().collect();
        tracing::info!(function = "rotate", keys = names.join(","), "signing keys rotated");
        Ok(())
    }

    async fn current(&self) -> Result<SecretVersion, SecretError> {
        self.secret.service.current(&self.secret.id, self.deadline).await
    }

    async fn pending(&self) -> Result<Option<SecretVersion>, SecretError> {
        self.secret.service.pending(&self.secret.id, self.version, self.deadline).await
    }
}

/// The keys of a version. What the parser says might quote them.
fn ring(which: &'static str, version: &SecretVersion) -> Result<SigningKeys, RotationError> {
    let text: Text = serde_json::from_str(&version.text).map_err(|_| RotationError::NoSigningKeys(which))?;
    text.signing_keys.parse().map_err(|fault| RotationError::NoRing(which, fault))
}
