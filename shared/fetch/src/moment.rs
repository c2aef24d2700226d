//! When something happened, by two clocks: the monotonic one may stand still while an environment is frozen,
//! and the other may be set. Whichever says that more time has passed is believed.

use std::time::{Duration, Instant, SystemTime};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    monotonic: Instant,
    wall: SystemTime,
}

impl Moment {
    pub(crate) fn now() -> Self {
        Self { monotonic: Instant::now(), wall: SystemTime::now() }
    }

    pub(crate) fn age(&self) -> Duration {
        self.monotonic.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_that_says_more_is_believed() {
        let hour = Duration::from_hours(1);
        let now = Moment::now();
        assert!(Moment { wall: now.wall - hour, ..now }.age() >= hour, "a freeze");
        assert!(Moment { wall: now.wall + hour, ..now }.age() < hour, "a clock that was set back");
    }
}
