//! How a call can fail, by what the caller may do next. The one table of it:
//!
//! | error | such as | was it run? | what this client does | what the caller may do |
//! |---|---|---|---|---|
//! | [`Error::Config`] | unknown master name, WRONGPASS, NOPERM, a certificate for another name, no sentinel | no | nothing more; one that is found when connecting is told to every call for a while | alarm |
//! | [`Error::Unavailable`] | no sentinel reachable, connect refused, no master yet, `maxclients` | no | tries again until the deadline | try again |
//! | [`Error::Rejected`] | READONLY, LOADING, MASTERDOWN | no | finds the master anew, tries again | try again |
//! | | NOREPLICAS | no | waits a little, tries again | try again |
//! | | NOSCRIPT | no | sends the source | never seen |
//! | | OOM, MISCONF, BUSY | no | tells it at once, and asks the sentinels before the next call | alarm |
//! | [`Error::Ambiguous`] | no answer in time, connection lost, an answer that cannot be read | unknown | tries again what is idempotent | the same request again |
//! | [`Error::Unreplicated`] | fewer replicas than required, from [`Reply::require`](crate::Reply::require) | on the master | asks the sentinels before the next call | the same request again |
//! | [`Error::Script`] | WRONGTYPE, an error of the script's own | perhaps partly | tells it at once | alarm |
//! | [`Error::DeadlineExceeded`] | the deadline was over before anything was sent | no | | try again |
//!
//! A call whose future is dropped is ambiguous as well. That a dataset belongs to another history is no
//! error here: each [`Reply`](crate::Reply) names its [`Lineage`](crate::Lineage), and a script that is
//! given it can refuse.

use crate::Value;

/// How a call can fail.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is wrong: credentials, permissions, TLS, name of the master, version of the server.
    /// Nothing was done, and repeating does not help.
    #[error("misconfigured: {0}")]
    Config(String),
    /// No master could be reached. Nothing was done.
    #[error("no master within reach: {0}")]
    Unavailable(String),
    /// The server refused before it ran anything.
    #[error("refused by the server: {code} {detail}")]
    Rejected {
        /// The server's code, such as `NOREPLICAS`.
        code: String,
        /// What it said.
        detail: String,
    },
    /// It was sent, and what became of it is not known.
    #[error("sent without an answer: {0}")]
    Ambiguous(String),
    /// It was run on the master, and too few replicas have it: it may be lost with the master.
    #[error("known to {replicas} replicas, {required} are required")]
    Unreplicated {
        /// The answer.
        value: Value,
        /// Replicas that acknowledged.
        replicas: u64,
        /// Replicas that were required.
        required: u64,
    },
    /// The script or command itself failed, possibly halfway.
    #[error("failed on the server: {code} {detail}")]
    Script {
        /// The server's or the script's code.
        code: String,
        /// What it said.
        detail: String,
    },
    /// The deadline was over before it was sent. Nothing was done.
    #[error("no time was left to send it")]
    DeadlineExceeded,
}

/// What a caller may do after an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing was done: try again.
    NotDone,
    /// It may have been done: only the same request again, if it is idempotent, tells.
    OutcomeUnknown,
    /// Trying again does not help: wake someone.
    Broken,
}

impl Error {
    /// What the caller may do next.
    #[must_use]
    pub const fn next(&self) -> Next {
        match self {
            Self::Unavailable(_) | Self::Rejected { .. } | Self::DeadlineExceeded => Next::NotDone,
            Self::Ambiguous(_) | Self::Unreplicated { .. } => Next::OutcomeUnknown,
            Self::Config(_) | Self::Script { .. } => Next::Broken,
        }
    }

    /// Whether a password was refused: WRONGPASS, NOAUTH. Another one may have been set meanwhile.
    #[must_use]
    pub fn is_refused_password(&self) -> bool {
        // The server's own words are kept in the text of every such error.
        matches!(self, Self::Config(told) if ["WRONGPASS", "NOAUTH"].iter().any(|code| told.contains(code)))
    }
}

/// A configuration that cannot work; names the setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl ConfigError {
    pub(crate) fn new(fault: impl Into<String>) -> Self {
        Self(fault.into())
    }
}
