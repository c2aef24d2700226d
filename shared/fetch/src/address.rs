//! Where something is fetched from: https anywhere, plain http on this machine only.

use std::fmt;
use std::net::IpAddr;

use hyper::Uri;

/// An address that may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub(crate) is_https: bool,
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    uri: Uri,
}

impl Address {
    /// Parses https, or plain http on loopback: over anything else others could read or replace the answer.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let is_loopback = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        let is_https = match uri.scheme_str()? {
            "https" => true,
            "http" if is_loopback => false,
            _ => return None,
        };
        // What stands behind the host; the parser passes over a port that is none.
        let port = match authority.as_str().strip_prefix(authority.host())?.strip_prefix(':') {
            None if is_https => 443,
            None => 80,
            Some(port) => port.parse().ok().filter(|port| *port > 0)?,
        };
        (!host.is_empty()).then_some(Self { is_https, host, port, uri })
    }

    /// Host and port, as the header says them.
    pub(crate) fn authority(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }

    /// Path and query.
    pub(crate) fn path(&self) -> &str {
        self.uri.path_and_query().map_or("/", |path| path.as_str())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(formatter)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_only() {
        for text in
            ["https://a.example", "https://a.example:8443/k?v=1", "http://127.0.0.2:1", "http://[::1]/"]
        {
            assert!(Address::parse(text).is_some(), "{text}");
        }
        for text in ["http://a.example", "http://10.0.0.1", "ftp://localhost", "a.example", "", "https://u@h"]
        {
            assert!(Address::parse(text).is_none(), "{text}");
        }
        assert!(Address::parse("https://h:0").is_none() && Address::parse("https://h:99999").is_none());
    }

    #[test]
    fn an_address_knows_what_to_dial_and_what_to_ask_for() {
        let address = Address::parse("https://[2001:db8::1]/keys?v=1").unwrap();
        assert_eq!((address.host.as_str(), address.port), ("2001:db8::1", 443));
        assert_eq!((address.authority(), address.path()), ("[2001:db8::1]", "/keys?v=1"));
        assert_eq!(Address::parse("http://localhost:81").unwrap().path(), "/");
    }
}
