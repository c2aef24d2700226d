//! Where requests may come from: the site's own origin, for requests that a cookie speaks for.

use axum::http::header::ORIGIN;
use axum::http::{HeaderMap, Method, Uri};

use crate::Problem;

/// The origin that shoppers see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicOrigin {
    /// Scheme, host and port, without a slash at the end.
    pub(crate) text: String,
    /// Whether it is https.
    pub(crate) is_https: bool,
}

impl PublicOrigin {
    /// Parses https, or plain http on loopback: over anything else a cookie could be read by others.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let authority = uri.authority()?;
        let host = authority.host();
        let is_loopback = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        let is_https = match uri.scheme_str()? {
            "https" => true,
            "http" if is_loopback => false,
            _ => return None,
        };
        let is_bare =
            uri.path_and_query().is_none_or(|path| path == "/") && !authority.as_str().contains('@');
        let text = format!("{}://{}", if is_https { "https" } else { "http" }, authority);
        is_bare.then_some(Self { text, is_https })
    }

    /// Refuses a request that changes something and may have been made by another site's page.
    pub(crate) fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        if method.is_safe() {
            return Ok(());
        }
        let is_own = match headers.get(ORIGIN) {
            Some(origin) => origin.as_bytes() == self.text.as_bytes(),
            None => headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin"),
        };
        if is_own { Ok(()) } else { Err(Problem::origin_refused()) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_only() {
        for url in ["https://shop.example", "https://shop.example:8443/", "http://127.0.0.1:8080"] {
            assert!(PublicOrigin::parse(url).is_some(), "{url}");
        }
        for url in
            ["http://shop.example", "ftp://127.0.0.1", "shop.example", "", "https://u@h", "https://h/p"]
        {
            assert!(PublicOrigin::parse(url).is_none(), "{url}");
        }
    }

    #[test]
    fn a_change_by_cookie_comes_from_the_own_origin() {
        let own = PublicOrigin::parse("https://shop.example/").unwrap();
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
        };
        let check = |method: Method, pairs: &[_]| own.check(&method, &headers(pairs)).is_ok();
        assert!(check(Method::GET, &[]));
        assert!(check(Method::POST, &[("origin", "https://shop.example")]));
        assert!(check(Method::POST, &[("sec-fetch-site", "same-origin")]));
        assert!(!check(Method::POST, &[]));
        assert!(!check(Method::DELETE, &[("origin", "https://evil.example")]));
        assert!(!check(Method::POST, &[("origin", "null"), ("sec-fetch-site", "same-origin")]));
    }
}
