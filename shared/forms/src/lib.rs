//! Buying without JavaScript: a layer around the routes of the API. A form is turned into the request that a script
//! would have sent, and its answer into the next page; what a person opens in a browser is answered as a page.
//!
//! Invariants:
//! - Nothing is decided here. Whatever a form does goes through the same handler as the JSON request, with the same
//!   identity, origin, limits and problems.
//! - A page that answers a form is one that can be loaded again: a form that did something is answered with 303.
//! - Whoever sends a form twice gets one hold. Its key is made of what is wished and of how many holds of the same
//!   wish have ended; the reservation's id is that of shopper, sale and key.

mod answer;
mod choice;
mod fields;
mod line;
mod reserve;
mod session;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use edge::prefers_pages;
use sale::View;

pub use crate::choice::Choice;

use crate::answer::Answer;
use crate::fields::Fields;

const FORM: &str = "application/x-www-form-urlencoded";

/// These routes, for scripts as before, for forms, and for a person who opens them: what is not a page becomes one.
pub fn with_forms<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes.layer(from_fn(pass))
}

/// These routes, whose answers are pages: so are their problems, but for a script that asks for anything. A CDN that keeps
/// the pages leaves out what its readers accept.
pub fn with_problem_pages<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes.layer(from_fn(tell))
}

/// The route of `POST /sessions`, for scripts as before and for forms that need a session first.
pub fn with_way_back<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes.layer(from_fn(session::pass))
}

/// This answer, and for the page that a person reads instead of it how the sale stands: what can be chosen.
#[must_use]
pub fn with_sale(mut answer: Response, view: View) -> Response {
    answer.extensions_mut().insert(Arc::new(view));
    answer
}

async fn pass(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if parts.method == Method::POST && is_form(&parts.headers) {
        return match Fields::read(body, &parts).await {
            Ok(fields) => send(parts, fields, next).await,
            Err(problem) => {
                let language = fields::language_of_address(&parts);
                Answer::of(problem.into_response()).await.page(language, &parts, None)
            }
        };
    }
    let is_read = parts.method == Method::GET && prefers_pages(&parts.headers);
    answer(parts, body, next, is_read).await
}

async fn tell(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let is_read = !parts.headers.contains_key(ACCEPT) || prefers_pages(&parts.headers);
    answer(parts, body, next, is_read).await
}

/// The answer; where a person reads it, as a page if it is not one.
async fn answer(parts: Parts, body: Body, next: Next, is_read: bool) -> Response {
    let answered = next.run(Request::from_parts(parts.clone(), body)).await;
    if !is_read || !is_json(answered.headers()) {
        return answered;
    }
    Answer::of(answered).await.page(fields::language_of_address(&parts), &parts, None)
}

/// Does what the form says, and leads on.
async fn send(parts: Parts, mut fields: Fields, next: Next) -> Response {
    let path = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let answer = if path.ends_with("/reservations") {
        let (answer, ended) = reserve::reserve(&parts, &fields, &next).await;
        fields.ended = ended;
        answer
    } else {
        let body = if fields.wants_another { r#"{"another":true}"# } else { "" };
        Answer::of(next.run(request(&parts, None, body)).await).await
    };
    if answer.is_of_nobody()
        && let Some(again) = session::by_way_of_one(&parts)
    {
        return again;
    }
    match answer.place(&path, &fields) {
        Some(place) => answer.lead_to(&place),
        None => answer.page(fields.language, &parts, Some(&fields)),
    }
}

/// The request that a script would have sent: without a body, or with this one.
fn request(parts: &Parts, key: Option<&str>, body: &str) -> Request {
    let mut parts = parts.clone();
    parts.headers.remove(CONTENT_TYPE);
    parts.headers.remove(CONTENT_LENGTH);
    if !body.is_empty() {
        parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Some(Ok(key)) = key.map(HeaderValue::from_str) {
        parts.headers.insert("idempotency-key", key);
    }
    Request::from_parts(parts, Body::from(body.to_owned()))
}

fn is_form(headers: &HeaderMap) -> bool {
    content_type(headers).eq_ignore_ascii_case(FORM)
}

/// An answer of the API, a problem included.
fn is_json(headers: &HeaderMap) -> bool {
    content_type(headers).ends_with("json")
}

fn content_type(headers: &HeaderMap) -> &str {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim()
}
