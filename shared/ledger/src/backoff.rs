//! Pauses between attempts at a transaction that met another one, or a throttle.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use sale::Deadline;

use crate::LedgerError;

const FIRST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_millis(320);

/// Pauses that double, each spread over its upper half, so that those who met do not meet again.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Backoff {
    /// Waits, or says that the time is over: nothing was written.
    pub(crate) async fn wait(&mut self, deadline: Deadline) -> Result<(), LedgerError> {
        let spread = RandomState::new().hash_one(()) % 1_000;
        let pause = self.0.mul_f64(0.5 + f64::from(u32::try_from(spread).unwrap_or(0)) / 2_000.0);
        if deadline.remaining() <= pause {
            return Err(LedgerError::Refused {
                code: "busy".to_owned(),
                cause: "other transactions on the same items, or too many, until the deadline".into(),
            });
        }
        tokio::time::sleep(pause).await;
        self.0 = (self.0 * 2).min(LONGEST);
        Ok(())
    }
}
