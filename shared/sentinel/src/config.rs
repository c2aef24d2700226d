//! What a client must be told, and what is wrong with it, before any connection is tried.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Everything that a [`Client`](crate::Client) must be told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The sentinels, all of which are asked at once.
    pub sentinels: Vec<Endpoint>,
    /// The name under which the sentinels know the master.
    pub master_name: String,
    /// For the data nodes.
    pub credentials: Option<Credentials>,
    /// For the sentinels.
    pub sentinel_credentials: Option<Credentials>,
    /// All timeouts.
    pub timings: Timings,
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// A user's password, and the user where it is not the default one.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The ACL user; `None` is the default user.
    pub username: Option<String>,
    /// The password; never shown by `Debug`.
    pub password: String,
}

/// All timeouts. The defaults suit a cluster within one region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// One sentinel's answer.
    pub ask: Duration,
    /// The whole search for the master.
    pub discovery: Duration,
    /// TCP connect to a data node.
    pub connect: Duration,
    /// AUTH, ROLE and INFO on a new connection.
    pub handshake: Duration,
    /// One call's answer. Shorter than `down_after`: a late answer of a stale master is never believed.
    pub response: Duration,
    /// After this pause a connection is probed before it is used.
    pub idle_before_probe: Duration,
    /// The probe's answer.
    pub probe: Duration,
    /// Shortest pause between attempts.
    pub backoff_min: Duration,
    /// Longest pause between attempts.
    pub backoff_max: Duration,
    /// `down-after-milliseconds` of the sentinels.
    pub down_after: Duration,
    /// How long the kernel keeps unacknowledged data before it gives a connection up.
    pub tcp_user_timeout: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self {
            ask: ms(150),
            discovery: ms(400),
            connect: ms(200),
            handshake: ms(200),
            response: ms(250),
            idle_before_probe: ms(5_000),
            probe: ms(100),
            backoff_min: ms(20),
            backoff_max: ms(150),
            down_after: ms(1_500),
            tcp_user_timeout: ms(2_000),
        }
    }
}

impl Config {
    /// These sentinels and this master, and the defaults for the rest.
    #[must_use]
    pub fn new(sentinels: Vec<Endpoint>, master_name: impl Into<String>) -> Self {
        Self {
            sentinels,
            master_name: master_name.into(),
            credentials: None,
            sentinel_credentials: None,
            timings: Timings::default(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let timings = &self.timings;
        if self.sentinels.is_empty() {
            return Err(ConfigError("`sentinels` is empty"));
        }
        if self.master_name.is_empty() {
            return Err(ConfigError("`master_name` is empty"));
        }
        if timings.response >= timings.down_after {
            return Err(ConfigError("`timings.response` must be shorter than `timings.down_after`"));
        }
        let bounded = [timings.ask, timings.discovery, timings.connect, timings.handshake, timings.response];
        if bounded.iter().any(Duration::is_zero) {
            return Err(ConfigError("a timeout of zero in `timings`"));
        }
        if timings.backoff_min > timings.backoff_max {
            return Err(ConfigError("`timings.backoff_min` is longer than `timings.backoff_max`"));
        }
        Ok(())
    }
}

/// A configuration that cannot work; names the setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(&'static str);

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A text that is not `host:port`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not `host:port`")]
pub struct InvalidEndpoint;

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        let (host, port) = text.rsplit_once(':').ok_or(InvalidEndpoint)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(InvalidEndpoint)?;
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err(InvalidEndpoint);
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_host_and_a_port() {
        for text in ["10.0.0.1:6379", "redis-1.internal:26379", "[::1]:6379"] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        for text in ["", "host", ":1", "host:", "host:0", "host:70000", "a b:1"] {
            assert_eq!(text.parse::<Endpoint>(), Err(InvalidEndpoint), "{text}");
        }
    }

    #[test]
    fn a_response_timeout_not_below_down_after_is_refused() {
        let mut config = Config::new(vec!["h:1".parse().unwrap()], "m");
        assert_eq!(config.check(), Ok(()));
        config.timings.response = config.timings.down_after;
        assert!(config.check().unwrap_err().to_string().contains("down_after"));
    }

    #[test]
    fn a_password_is_never_shown() {
        let credentials = Credentials { username: None, password: "hunter2".to_owned() };
        assert!(!format!("{credentials:?}").contains("hunter2"));
    }
}
