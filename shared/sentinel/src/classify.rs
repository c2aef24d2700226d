//! What an error of the wire driver means: was it run, and what helps.

use redis::{ErrorKind, RedisError};

use crate::Error;

/// A failed attempt, and what helps.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) remedy: Remedy,
}

/// What helps after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Find the master anew; the connection is not to be trusted.
    Reconnect,
    /// Try to connect again, which is done at its own pace.
    Connect,
    /// Wait a little on the same connection.
    Wait,
    /// Send the script's source.
    SendSource,
    /// Nothing that this client can do.
    None,
}

/// What this error means for a command that was handed to a connection.
pub(crate) fn classify(error: &RedisError) -> Failure {
    let code = error.code().unwrap_or_default().to_owned();
    let detail = error.detail().unwrap_or_default().to_owned();
    match code.as_str() {
        "READONLY" | "MASTERDOWN" | "LOADING" => rejected(code, detail, Remedy::Reconnect),
        "NOREPLICAS" => rejected(code, detail, Remedy::Wait),
        "NOSCRIPT" => rejected(code, detail, Remedy::SendSource),
        "OOM" | "MISCONF" | "BUSY" => rejected(code, detail, Remedy::None),
        // The password may have been changed since the handshake; what a user may do is not the connection's.
        "NOAUTH" | "WRONGPASS" => {
            Failure { error: Error::Config(format!("{code} {detail}")), remedy: Remedy::Reconnect }
        }
        "NOPERM" => Failure { error: Error::Config(format!("{code} {detail}")), remedy: Remedy::None },
        "UNBLOCKED" | "UNKILLABLE" | "" => ambiguous(error),
        _ if is_from_server(error) => Failure { error: Error::Script { code, detail }, remedy: Remedy::None },
        _ => ambiguous(error),
    }
}

fn is_from_server(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

fn rejected(code: String, detail: String, remedy: Remedy) -> Failure {
    Failure { error: Error::Rejected { code, detail }, remedy }
}

pub(crate) fn ambiguous(cause: impl ToString) -> Failure {
    Failure { error: Error::Ambiguous(cause.to_string()), remedy: Remedy::Reconnect }
}

/// It was sent, and nothing came back, which says nothing of the connection.
pub(crate) fn unanswered(cause: &str) -> Failure {
    Failure { remedy: Remedy::Connect, ..ambiguous(cause) }
}
