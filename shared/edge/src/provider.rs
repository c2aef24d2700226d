//! The merchant's identity provider, by its public keys (a JWK set).
//!
//! Keys are fetched when a token needs them. A `kid` that is not among them may be new: then they are fetched
//! anew, though not each time, because anybody can make one up. While the provider cannot be reached, the
//! keys that are known serve on for a day; what they cannot decide is told as undecided, not as forged.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fetch::{Address, Cached, Need, Pace, get};
use sale::{Causes, Deadline};

use crate::provider_keys::{Key, read};

const PACE: Pace = Pace {
    fresh: Duration::from_mins(10),
    stale: Duration::from_hours(24),
    floor: Duration::from_secs(30),
    retry: Duration::from_secs(5),
    first_attempt: Duration::from_secs(3),
    attempt: Duration::from_secs(1),
};

const SET_BYTES_MAX: usize = 128 * 1024;

/// Keeps the provider's keys.
pub(crate) struct Provider {
    address: Address,
    keys: Cached<Vec<Arc<Key>>>,
}

/// What became of looking for a key.
pub(crate) enum Wanted {
    Found(Arc<Key>),
    /// The provider has no such key.
    Unknown,
    /// The provider cannot be asked now.
    Undecided,
}

impl Provider {
    pub(crate) fn new(address: Address) -> Self {
        Self { address, keys: Cached::new(PACE) }
    }

    /// The key of this `kid`.
    pub(crate) async fn key(&self, id: &str, deadline: Deadline) -> Wanted {
        for need in [Need::Any, Need::Newer] {
            let Some(keys) = self.keys.get(need, deadline.instant(), |until| self.fetch(until)).await else {
                return Wanted::Undecided;
            };
            if let Some(key) = keys.iter().find(|key| key.id == id) {
                return Wanted::Found(key.clone());
            }
        }
        if self.keys.is_failing() || deadline.is_over() { Wanted::Undecided } else { Wanted::Unknown }
    }

    async fn fetch(&self, until: Instant) -> Option<Vec<Arc<Key>>> {
        let fault = match get(&self.address, SET_BYTES_MAX, until).await.map(|set| read(&set)) {
            Ok(Ok(keys)) => return Some(keys.into_iter().map(Arc::new).collect()),
            Ok(Err(fault)) => fault.to_string(),
            Err(error) => Causes(&error).to_string(),
        };
        tracing::error!(address = %self.address, fault, "the identity provider's keys cannot be had");
        None
    }
}
