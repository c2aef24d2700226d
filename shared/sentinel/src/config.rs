//! What a client must be told, and what is wrong with it, before any connection is tried.

use std::fmt;

use crate::endpoint::{Endpoint, NatMap};
use crate::error::ConfigError;
use crate::timings::Timings;
use crate::tls::Tls;

/// More sentinels than a cluster has; also the limit of what is learned from them.
pub(crate) const SENTINELS_MAX: usize = 16;

/// Everything that a [`Client`](crate::Client) must be told.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The sentinels, all of which are asked at once; others are learned from them.
    pub sentinels: Vec<Endpoint>,
    /// The name under which the sentinels know the master.
    pub master_name: String,
    /// For the data nodes.
    pub credentials: Option<Credentials>,
    /// For the sentinels.
    pub sentinel_credentials: Option<Credentials>,
    /// TLS to the data nodes; `None` is plain TCP.
    pub tls: Option<Tls>,
    /// TLS to the sentinels; `None` is plain TCP.
    pub sentinel_tls: Option<Tls>,
    /// What to dial instead of what the sentinels name.
    pub nat_map: NatMap,
    /// Whose word is taken for it.
    pub agreement: Agreement,
    /// All timeouts.
    pub timings: Timings,
}

/// When the sentinels' word is taken for who the master is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Agreement {
    /// A majority that agrees ends the search at once; without one, the answer of the newest
    /// configuration is taken when the time is over.
    #[default]
    MajorityElseNewest,
    /// Only a majority that agrees is believed. For clients that can be cut off together with a replaced
    /// master and a minority of the sentinels.
    Majority,
}

/// A user's password, and the user where it is not the default one.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The ACL user; `None` is the default user.
    pub username: Option<String>,
    /// The password; never shown by `Debug`.
    pub password: String,
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
            tls: None,
            sentinel_tls: None,
            nat_map: NatMap::default(),
            agreement: Agreement::default(),
            timings: Timings::default(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.sentinels.is_empty() {
            return Err(ConfigError::new("`sentinels` is empty"));
        }
        if self.sentinels.len() > SENTINELS_MAX {
            return Err(ConfigError::new(format!("`sentinels` has more than {SENTINELS_MAX}")));
        }
        if self.master_name.is_empty() {
            return Err(ConfigError::new("`master_name` is empty"));
        }
        self.timings.check()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config::new(vec!["h:1".parse().unwrap()], "m")
    }

    #[test]
    fn a_configuration_without_sentinels_or_name_is_refused() {
        assert_eq!(config().check(), Ok(()));
        assert!(
            Config { sentinels: vec![], ..config() }.check().unwrap_err().to_string().contains("`sentinels`")
        );
        let nameless = Config { master_name: String::new(), ..config() };
        assert!(nameless.check().unwrap_err().to_string().contains("`master_name`"));
        let many = Config { sentinels: vec!["h:1".parse().unwrap(); SENTINELS_MAX + 1], ..config() };
        assert!(many.check().is_err());
    }

    #[test]
    fn a_password_is_never_shown() {
        let credentials = Credentials { username: None, password: "hunter2".to_owned() };
        assert!(!format!("{credentials:?}").contains("hunter2"));
    }
}
