//! Addresses: what the sentinels name, and what a client dials instead.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
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

/// What to dial instead of the addresses that sentinels name, where those are not reachable from here.
///
/// Empty, it changes nothing. Otherwise every data node must be in it; a sentinel that others name and
/// that is not in it is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NatMap(BTreeMap<Endpoint, Endpoint>);

impl NatMap {
    /// Pairs of what sentinels name, and what to dial for it.
    #[must_use]
    pub fn new(pairs: impl IntoIterator<Item = (Endpoint, Endpoint)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// What to dial; `None` where the map has a gap.
    #[must_use]
    pub fn dialled(&self, named: &Endpoint) -> Option<Endpoint> {
        if self.0.is_empty() { Some(named.clone()) } else { self.0.get(named).cloned() }
    }
}

/// A text that is not `named=dialled,…`, each side `host:port`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not `host:port=host:port,…`")]
pub struct InvalidNatMap;

impl FromStr for NatMap {
    type Err = InvalidNatMap;

    fn from_str(text: &str) -> Result<Self, InvalidNatMap> {
        let pair = |part: &str| {
            let (named, dialled) = part.trim().split_once('=')?;
            Some((named.trim().parse().ok()?, dialled.trim().parse().ok()?))
        };
        let pairs: Option<BTreeMap<_, _>> = text.split(',').map(pair).collect();
        pairs.map(Self).ok_or(InvalidNatMap)
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
    fn a_map_answers_for_what_is_in_it_and_an_empty_one_for_everything() {
        let (inside, outside) = ("10.0.0.1:6379".parse().unwrap(), "shop.example:7001".parse().unwrap());
        let map: NatMap = "10.0.0.1:6379=shop.example:7001, 10.0.0.2:6379=shop.example:7002".parse().unwrap();
        assert_eq!(map.dialled(&inside), Some(outside));
        assert_eq!(map.dialled(&"10.0.0.3:6379".parse().unwrap()), None);
        assert_eq!(NatMap::default().dialled(&inside), Some(inside));
        for text in ["", "a:1", "a:1=b", "a:1=b:2,"] {
            assert_eq!(text.parse::<NatMap>(), Err(InvalidNatMap), "{text}");
        }
    }
}
