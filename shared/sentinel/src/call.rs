//! How a call is to be made, and what it brings back.

use std::time::Duration;

use crate::{Deadline, Error, Lineage, Value};

/// How a call is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// By when it must have ended.
    pub deadline: Deadline,
    /// Whether it may be sent again when it is not known to have run.
    pub idempotency: Idempotency,
    /// What it waits for.
    pub durability: Durability,
}

/// Whether a call may be sent again when it is not known to have run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idempotency {
    /// It changes nothing.
    ReadOnly,
    /// Running it twice is running it once.
    Idempotent,
    /// It must not run twice.
    NonIdempotent,
}

/// What a call waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The master's answer.
    Master,
    /// The acknowledgement of replicas as well, for at most `timeout`; others wait behind it.
    Replicas {
        /// Replicas to wait for.
        count: u8,
        /// How long the master waits for them.
        timeout: Duration,
    },
}

/// What an attempt takes beside waiting for replicas, on a busy network.
const ROUND_TRIP_MAX: Duration = Duration::from_millis(50);

/// Less than this and nothing is sent.
const ATTEMPT_MIN: Duration = Duration::from_millis(5);

impl Durability {
    /// Time without which an attempt is not begun.
    pub(crate) const fn attempt_min(self) -> Duration {
        match self {
            Self::Master => ATTEMPT_MIN,
            Self::Replicas { timeout, .. } => timeout.saturating_add(ROUND_TRIP_MAX),
        }
    }

    /// Replicas to wait for.
    pub(crate) const fn replicas(self) -> u64 {
        match self {
            Self::Master => 0,
            Self::Replicas { count, .. } => count as u64,
        }
    }
}

/// What a call brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reply {
    /// The answer.
    pub value: Value,
    /// Replicas that have acknowledged everything that was *written on this connection* before the
    /// answer; 0 for [`Durability::Master`], and where the master is being replaced. Fewer than asked for
    /// is no error here: what the answer means decides. A call that wrote nothing proves nothing, so a
    /// repeat must write, too.
    pub replicas: u64,
    /// The history that the answering server's dataset belongs to.
    pub lineage: Lineage,
}

impl Reply {
    /// The answer, where at least this many replicas have acknowledged it.
    pub fn require(self, required: u64) -> Result<Value, Error> {
        if self.replicas >= required {
            return Ok(self.value);
        }
        Err(Error::Unreplicated { value: self.value, replicas: self.replicas, required })
    }
}
