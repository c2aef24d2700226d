//! A form comes from somebody who may have no session yet: the page is the same for everybody, and gives none. It is sent
//! round by `POST /sessions`, the one door where guests are made, and comes back with the cookie.

use axum::extract::Request;
use axum::http::header::LOCATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::is_form;

/// In the address of a form that comes back.
const SECOND_TIME: &str = "session=new";

/// Characters of an address that is come back to.
const NEXT_CHARS_MAX: usize = 200;

#[derive(Deserialize)]
struct Query {
    next: Option<String>,
}

/// The form once more, by way of a session. Nothing was done yet, so that a form sent twice before the first answer does
/// nothing twice. Nothing where the form comes back already: the browser keeps no cookie, or the session is refused.
pub(crate) fn by_way_of_one(parts: &Parts) -> Option<Response> {
    if parts.uri.query().is_some_and(|query| query.contains(SECOND_TIME)) {
        return None;
    }
    lead(&format!("/sessions?next={}", parts.uri.path()), HeaderMap::new())
}

/// Leads a form that wanted a session back to where it was sent; everything else of `POST /sessions` is as it was.
pub(crate) async fn pass(request: Request, next: Next) -> Response {
    let place = is_form(request.headers()).then(|| place_of(request.uri().query()?)).flatten();
    let answer = next.run(request).await;
    match place {
        Some(place) if answer.status().is_success() => {
            let mut headers = answer.into_parts().0.headers;
            headers.remove(axum::http::header::CONTENT_TYPE);
            headers.remove(axum::http::header::CONTENT_LENGTH);
            let back = lead(&format!("{place}?{SECOND_TIME}"), headers);
            back.unwrap_or_else(|| StatusCode::BAD_REQUEST.into_response())
        }
        _ => answer,
    }
}

/// The address that a query names, if it is one of a sale: never one of another site.
fn place_of(query: &str) -> Option<String> {
    let next = serde_urlencoded::from_str::<Query>(query).ok()?.next?;
    let is_plain = next.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_".contains(&byte));
    let is_own = next.starts_with("/sales/") && !next.contains("//");
    (is_plain && is_own && next.len() <= NEXT_CHARS_MAX).then_some(next)
}

/// The same method and body again, at this address.
fn lead(place: &str, headers: HeaderMap) -> Option<Response> {
    let place = HeaderValue::from_str(place).ok()?;
    let mut response = (StatusCode::TEMPORARY_REDIRECT, headers).into_response();
    response.headers_mut().insert(LOCATION, place);
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_comes_back_to_this_site_only() {
        let place = |query| place_of(query);
        assert_eq!(place("next=/sales/demo/tickets").as_deref(), Some("/sales/demo/tickets"));
        assert_eq!(place("next=%2Fsales%2Fdemo%2Ftickets").as_deref(), Some("/sales/demo/tickets"));
        for other in [
            "next=//evil.example/sales/",
            "next=https://evil.example/sales/",
            "next=/sales//evil.example",
            "next=/sales/x%0d%0aset-cookie:a",
            "next=/sales/x?y",
            "next=/admin/sales",
            "other=/sales/demo",
            "",
        ] {
            assert_eq!(place(other), None, "{other}");
        }
    }
}
