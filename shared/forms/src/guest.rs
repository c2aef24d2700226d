//! A form comes from somebody who may have no session yet: the page is the same for everybody, and gives none.

use axum::http::header::LOCATION;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use edge::Guests;

/// In the address of a form that is sent again with the new session.
const SECOND_TIME: &str = "session=new";

/// The same form once more, as a new guest. Nothing was done yet, so that a form sent twice before the first answer does
/// nothing twice. Nothing where the browser has not kept the session, or where the form is another site's.
pub(crate) fn become_one(guests: &Guests, parts: &Parts) -> Option<Response> {
    if parts.uri.query().is_some_and(|query| query.contains(SECOND_TIME)) {
        return None;
    }
    let session = guests.open(&parts.headers).ok()?;
    let place = HeaderValue::from_str(&format!("{}?{SECOND_TIME}", parts.uri.path())).ok()?;
    let cookies = session.into_response().headers().clone();
    let mut response = StatusCode::TEMPORARY_REDIRECT.into_response();
    response.headers_mut().extend(
        cookies
            .into_iter()
            .filter(|(name, _)| name.as_ref().is_some_and(|name| name == axum::http::header::SET_COOKIE)),
    );
    response.headers_mut().insert(LOCATION, place);
    Some(response)
}
