//! How soon an attempt to connect may follow another: one client never makes a storm.

use std::time::{Duration, Instant};

use crate::handshake::Refusal;
use crate::timings::Timings;
use crate::{Deadline, Error};

/// After the loss of a master: it may have been replaced long ago, and the next answer tells.
const FIRST_LOOKS: Duration = Duration::from_millis(200);

/// What a failover takes beyond `down_after`, with room.
const FAILOVER: Duration = Duration::from_secs(3);

/// The pace of attempts, given by how the last one failed, and for how long they have been failing.
#[derive(Default)]
pub(crate) struct Pace {
    /// How the last attempt failed, and when the next one is due.
    failed: Option<(Error, Instant)>,
    failing_since: Option<Instant>,
    /// Attempts in a row that the server turned away.
    crowded: u32,
}

impl Pace {
    /// Waits until an attempt is due, or tells how the last one failed: at once where repeating does not
    /// help, and where the deadline comes first.
    pub(crate) async fn wait(&self, deadline: Deadline) -> Result<(), Error> {
        let Some((last, not_before)) = self.failed.as_ref().filter(|(_, due)| *due > Instant::now()) else {
            return Ok(());
        };
        if matches!(last, Error::Config(_)) {
            return Err(last.clone());
        }
        tokio::time::sleep_until((*not_before).min(deadline.instant()).into()).await;
        if *not_before < deadline.instant() { Ok(()) } else { Err(last.clone()) }
    }

    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Notes how an attempt failed, and gives its error.
    pub(crate) fn failed(&mut self, refusal: Refusal, timings: &Timings) -> Error {
        let is_crowded = matches!(refusal, Refusal::Crowded(_));
        let error = refusal.into_error();
        self.crowded = if is_crowded { self.crowded.saturating_add(1) } else { 0 };
        let failing = self.failing_since.get_or_insert_with(Instant::now).elapsed();
        let pause = if matches!(error, Error::Config(_)) {
            timings.crowd_backoff_max
        } else if is_crowded {
            let doubled = timings.backoff_min.saturating_mul(1 << self.crowded.min(16));
            part(doubled.min(timings.crowd_backoff_max))
        } else if is_imminent(failing, timings) {
            between(timings.backoff_min, timings.backoff_max)
        } else {
            part(timings.calm_backoff_max)
        };
        self.failed = Some((error.clone(), Instant::now() + pause));
        error
    }
}

/// Whether a new master may be there with the next answer.
fn is_imminent(failing: Duration, timings: &Timings) -> bool {
    let earliest = timings.down_after;
    failing < FIRST_LOOKS || (earliest..earliest + FAILOVER).contains(&failing)
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
        pace.failed.as_ref().map_or(Duration::ZERO, |(_, due)| due.saturating_duration_since(Instant::now()))
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
        assert!(pause(&pace) <= timings.backoff_max, "a master that is only gone is looked for at once");
    }

    #[test]
    fn sentinels_are_asked_often_only_while_a_new_master_may_come_any_moment() {
        let timings = Timings::default();
        let is_often = |failing| is_imminent(failing, &timings);
        let later = timings.down_after + Duration::from_secs(1);
        assert!(is_often(Duration::ZERO) && is_often(timings.down_after) && is_often(later));
        assert!(!is_often(timings.down_after / 2) && !is_often(timings.down_after * 10));
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
