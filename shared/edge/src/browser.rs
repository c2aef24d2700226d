//! What a browser that opens an address is told apart by, and when it asks again.

use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};

/// A browser that opens an address names pages first; a script asks for anything, or for JSON.
#[must_use]
pub fn prefers_pages(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    accepted.split([',', ';']).next().unwrap_or_default().trim().eq_ignore_ascii_case("text/html")
}

/// The same request may be taken in a moment: too many came, or something is not there for now.
#[must_use]
pub fn is_for_the_moment(status: StatusCode) -> bool {
    [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status)
}
