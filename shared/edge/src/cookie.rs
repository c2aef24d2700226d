//! Cookies: what a request brings, and what an answer sets.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

use crate::Problem;
use crate::origin::PublicOrigin;

/// What has the browser keep a cookie for so long, for requests below this path and of no script.
pub(crate) fn set_cookie(
    origin: &PublicOrigin,
    name: &str,
    value: &str,
    path: &str,
    seconds: i64,
) -> Result<HeaderValue, Problem> {
    let secure = if origin.is_https { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    cookie.parse().map_err(|error| Problem::internal().caused_by(&error))
}

/// The value of the first cookie of this name.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).find_map(|pair| {
        let (its_name, value) = pair.trim().split_once('=')?;
        (its_name == name).then_some(value)
    })
}
