//! Every timeout and pause of a client, in one place, because they only make sense together.

use std::time::Duration;

use crate::error::ConfigError;

/// All timeouts and pauses. The defaults suit a cluster within one region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timings {
    /// One sentinel's answer, with the connection to it. All are asked at once. Default 150 ms.
    pub ask: Duration,
    /// The whole search for the master. Default 400 ms.
    pub discovery: Duration,
    /// TCP connect to a data node. Default 200 ms.
    pub connect: Duration,
    /// TLS, AUTH, ROLE and INFO on a new connection. Default 200 ms.
    pub handshake: Duration,
    /// One call's answer. Shorter than `down_after`: a late answer of a stale master is never believed.
    /// Default 250 ms.
    pub response: Duration,
    /// After this pause, by the wall clock, a connection is probed before it is used. Default 5 s.
    pub idle_before_probe: Duration,
    /// The probe's answer. Default 100 ms.
    pub probe: Duration,
    /// Shortest pause between attempts. Default 20 ms.
    pub backoff_min: Duration,
    /// Longest pause between attempts while a new master may come any moment: half of it is what a client
    /// adds to a failover. Default 80 ms. A fleet of thousands should take a few times as long: each
    /// attempt is a question to every sentinel.
    pub backoff_max: Duration,
    /// Longest pause between attempts while no new master can be there yet, because `down_after` is not
    /// over, or when none has come for long. Default 250 ms.
    pub calm_backoff_max: Duration,
    /// Longest pause between attempts while the master turns connections away (`maxclients`); the pause
    /// doubles until then. Default 1 s.
    pub crowd_backoff_max: Duration,
    /// After a failover each client waits a random part of this before it connects to the new master, so
    /// that a fleet does not take its processor with handshakes. A TLS connection costs a master about
    /// 0.7 ms, a plain one 0.03 ms: with TLS take a millisecond for each client. Default 0.
    pub reconnect_spread: Duration,
    /// Between two looks at which sentinels there are. Default 60 s.
    pub sentinel_refresh: Duration,
    /// `down-after-milliseconds` of the sentinels. Default 1.5 s. After a pause of this less two `response`s a client
    /// cannot know whether they took the master for down, and asks them once when a replica has acknowledged.
    pub down_after: Duration,
    /// How long the kernel keeps unacknowledged data before it gives a connection up. Default 2 s.
    pub tcp_user_timeout: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        let ms = Duration::from_millis;
        let seconds = Duration::from_secs;
        Self {
            ask: ms(150),
            discovery: ms(400),
            connect: ms(200),
            handshake: ms(200),
            response: ms(250),
            idle_before_probe: seconds(5),
            probe: ms(100),
            backoff_min: ms(20),
            backoff_max: ms(80),
            calm_backoff_max: ms(250),
            crowd_backoff_max: seconds(1),
            reconnect_spread: Duration::ZERO,
            sentinel_refresh: seconds(60),
            down_after: ms(1_500),
            tcp_user_timeout: seconds(2),
        }
    }
}

/// Between two pings of a sentinel.
const PING_PERIOD: Duration = Duration::from_secs(1);

/// Longer than any of these can sensibly be.
const LONGEST: Duration = Duration::from_mins(1);

impl Timings {
    /// The pause between two answers from which on the sentinels may have taken the master for down meanwhile: the
    /// first one may have been under way for as long as an answer may take, and so may the next.
    pub(crate) fn doubtful_pause(&self) -> Duration {
        self.down_after.saturating_sub(self.response * 2)
    }

    /// For how long a sentinel's ping may be without a good answer while its next one is certain to come before the
    /// master is taken for down.
    pub(crate) fn unanswered_ping_max(&self) -> Duration {
        self.down_after.saturating_sub(PING_PERIOD + self.response)
    }

    /// What cannot work, by name.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let waits = [
            ("ask", self.ask),
            ("discovery", self.discovery),
            ("connect", self.connect),
            ("handshake", self.handshake),
            ("response", self.response),
            ("probe", self.probe),
            ("backoff_min", self.backoff_min),
            ("down_after", self.down_after),
            ("tcp_user_timeout", self.tcp_user_timeout),
        ];
        for (name, wait) in waits {
            if wait.is_zero() || wait > LONGEST {
                return Err(ConfigError::new(format!(
                    "`timings.{name}` is {wait:?}; it must be above 0 and at most {LONGEST:?}"
                )));
            }
        }
        let (backoff, crowd) = (self.backoff_max, self.crowd_backoff_max);
        let pairs = [
            ("backoff_min", self.backoff_min, "backoff_max", backoff),
            ("backoff_max", backoff, "calm_backoff_max", self.calm_backoff_max),
            ("calm_backoff_max", self.calm_backoff_max, "crowd_backoff_max", crowd),
            ("crowd_backoff_max", crowd, "the limit of a wait", LONGEST),
            ("reconnect_spread", self.reconnect_spread, "the limit of a wait", LONGEST),
            ("ask", self.ask, "discovery", self.discovery),
        ];
        for (shorter, short, longer, long) in pairs {
            if short > long {
                return Err(ConfigError::new(format!(
                    "`timings.{shorter}` ({short:?}) is longer than {longer} ({long:?})"
                )));
            }
        }
        if self.response >= self.down_after {
            return Err(ConfigError::new(format!(
                "`timings.response` ({:?}) must be shorter than `timings.down_after` ({:?})",
                self.response, self.down_after
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn fault(change: impl Fn(&mut Timings)) -> String {
        let mut timings = Timings::default();
        change(&mut timings);
        timings.check().unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_work() {
        assert_eq!(Timings::default().check(), Ok(()));
    }

    #[test]
    fn zero_and_absurd_timeouts_are_refused_by_name() {
        assert!(fault(|t| t.ask = Duration::ZERO).contains("`timings.ask`"));
        assert!(fault(|t| t.connect = Duration::from_hours(1)).contains("`timings.connect`"));
        assert!(fault(|t| t.backoff_min = t.backoff_max * 2).contains("`timings.backoff_min`"));
        assert!(fault(|t| t.ask = t.discovery * 2).contains("`timings.ask`"));
        assert!(fault(|t| t.reconnect_spread = Duration::MAX).contains("`timings.reconnect_spread`"));
    }

    #[test]
    fn a_response_timeout_not_below_down_after_is_refused() {
        assert!(fault(|t| t.response = t.down_after).contains("`timings.down_after`"));
    }
}
