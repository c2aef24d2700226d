//! How a call can fail, by what the caller may do next.

/// How a call can fail.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A setting is wrong: credentials, permissions, name of the master, version of the server.
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
            Self::Ambiguous(_) => Next::OutcomeUnknown,
            Self::Config(_) | Self::Script { .. } => Next::Broken,
        }
    }
}
