//! An instant by which a call must have ended.

use std::time::{Duration, Instant};

/// An instant by which a call must have ended, on the monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// This long from now.
    #[must_use]
    pub fn after(timeout: Duration) -> Self {
        Self(Instant::now() + timeout)
    }

    /// What is left, zero when it is over.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.remaining().is_zero()
    }

    /// The instant.
    #[must_use]
    pub const fn instant(&self) -> Instant {
        self.0
    }

    /// The earlier of this and `timeout` from now.
    #[must_use]
    pub fn sooner(&self, timeout: Duration) -> Self {
        (*self).min(Self::after(timeout))
    }

    /// Awaits `future`, but not beyond this.
    pub(crate) async fn bound<F: Future>(&self, future: F) -> Option<F::Output> {
        tokio::time::timeout_at(self.0.into(), future).await.ok()
    }
}
