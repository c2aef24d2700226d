//! How soon an attempt to connect may follow another: one client never makes a storm.

use std::time::{Duration, Instant};

use crate::handshake::Refusal;
use crate::timings::Timings;
use crate::{Deadline, Error};

/// The pace of attempts, given by how the last one failed.
#[derive(Default)]
pub(crate) struct Pace {
    not_before: Option<Instant>,
    /// Attempts in a row that the server turned away.
    crowded: u32,
    /// What repeating does not help against; told to everyone until the next attempt is due.
    misconfigured: Option<Error>,
}

impl Pace {
    /// Waits until an attempt is due.
    pub(crate) async fn wait(&self, deadline: Deadline) -> Result<(), Error> {
        let Some(not_before) = self.not_before.filter(|instant| *instant > Instant::now()) else {
            return Ok(());
        };
        if let Some(error) = &self.misconfigured {
            return Err(error.clone());
        }
        if not_before >= deadline.instant() {
            return Err(Error::Unavailable(
                "the next attempt to connect is due after the deadline".to_owned(),
            ));
        }
        tokio::time::sleep_until(not_before.into()).await;
        Ok(())
    }

    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Notes how an attempt failed, and gives its error.
    pub(crate) fn failed(&mut self, refusal: Refusal, timings: &Timings) -> Error {
        let (error, is_crowded) = match refusal {
            Refusal::Crowded(error) => (error, true),
            Refusal::Other(error) => (error, false),
        };
        self.crowded = if is_crowded { self.crowded.saturating_add(1) } else { 0 };
        self.misconfigured = matches!(error, Error::Config(_)).then(|| error.clone());
        let pause = if self.misconfigured.is_some() {
            timings.crowd_backoff_max
        } else if is_crowded {
            let doubled = timings.backoff_min.saturating_mul(1 << self.crowded.min(16));
            part(doubled.min(timings.crowd_backoff_max))
        } else {
            timings.backoff_min
        };
        self.not_before = Some(Instant::now() + pause);
        error
    }
}

/// A random length between these.
pub(crate) fn between(min: Duration, max: Duration) -> Duration {
    min + max.saturating_sub(min).mul_f64(random())
}

/// A random length from half of this to this.
fn part(longest: Duration) -> Duration {
    between(longest / 2, longest)
}

/// A number in `0.0..1.0` that differs between callers and processes. Not for secrets.
fn random() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let bits = RandomState::new().hash_one(std::process::id()) >> 40;
    f64::from(u32::try_from(bits).unwrap_or(0)) / f64::from(1_u32 << 24)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(pace: &Pace) -> Duration {
        pace.not_before.map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()))
    }

    #[test]
    fn a_server_that_turns_connections_away_is_asked_less_and_less_often() {
        let (timings, mut pace) = (Timings::default(), Pace::default());
        for _ in 0..20 {
            let _ = pace.failed(Refusal::Crowded(Error::Unavailable(String::new())), &timings);
        }
        assert!(pause(&pace) > timings.crowd_backoff_max / 3, "{:?}", pause(&pace));
        assert!(pause(&pace) <= timings.crowd_backoff_max);
        let _ = pace.failed(Refusal::Other(Error::Unavailable(String::new())), &timings);
        assert!(pause(&pace) <= timings.backoff_min, "a master that is only gone is looked for at once");
    }

    #[tokio::test]
    async fn a_wrong_setting_is_told_to_everyone_without_trying_again() {
        let (timings, mut pace) = (Timings::default(), Pace::default());
        let _ = pace.failed(Refusal::Other(Error::Config("wrong".to_owned())), &timings);
        for _ in 0..3 {
            let told = pace.wait(Deadline::after(Duration::from_secs(5))).await;
            assert!(matches!(told, Err(Error::Config(_))));
        }
    }
}
