//! What every request passes: limits, deadline, identity of the request, and one line in the log.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, REFERRER_POLICY, REFRESH, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use data_encoding::BASE32_DNSSEC;
use futures_util::FutureExt;
use tokio::sync::Semaphore;

use crate::Problem;
use crate::browser::{is_for_the_moment, prefers_pages};
use crate::deadline::{BACKSTOP, deadline_of};
use crate::problem::ProblemNote;

const HEADER_BYTES_MAX: usize = 8 * 1024;

/// After how many seconds a browser asks again.
const REFRESH_SECONDS: &str = "10";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the gate needs to know.
pub(crate) struct Gate {
    pub(crate) function: &'static str,
    pub(crate) deadline: Duration,
    pub(crate) in_flight: Semaphore,
}

pub(crate) async fn pass(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = request_id(request.headers());
    let method = request.method().clone();
    let is_read_by_a_person = method == Method::GET && prefers_pages(request.headers());
    let route = Route::default();
    request.extensions_mut().insert(route.clone());
    let path = request.uri().path().chars().take(200).collect::<String>();
    let deadline = deadline_of(request.extensions(), gate.deadline);
    request.extensions_mut().insert(deadline);

    let mut response = match admit(&gate, request.headers()) {
        Ok(_permit) => {
            let answered = AssertUnwindSafe(next.run(request)).catch_unwind();
            match tokio::time::timeout(deadline.remaining() + BACKSTOP, answered).await {
                Ok(Ok(response)) => response,
                Ok(Err(panic)) => Problem::internal().caused_by(&Panic(text_of(&*panic))).into_response(),
                Err(_) => Problem::outcome_unknown().into_response(),
            }
        }
        Err(problem) => problem.into_response(),
    };
    // Not every such answer is a page that loads itself again, which somebody who waits in line depends on.
    if is_read_by_a_person && is_for_the_moment(response.status()) {
        response.headers_mut().insert(REFRESH, HeaderValue::from_static(REFRESH_SECONDS));
    }
    add_headers(response.headers_mut(), &id);
    let note = response.extensions_mut().remove::<ProblemNote>();
    let (slug, cause) = note.map_or((None, None), |note| (Some(note.slug), note.cause));
    tracing::info!(
        function = gate.function,
        request_id = id,
        method = method.as_str(),
        route = route.0.get(),
        path,
        status = response.status().as_u16(),
        problem = slug,
        cause,
        duration_ms = began.elapsed().as_secs_f64() * 1_000.0,
        "request"
    );
    response
}

/// The route that a request has met, which is found further in than it is logged.
#[derive(Clone, Default)]
struct Route(Arc<OnceLock<String>>);

/// Notes the route for the log.
pub(crate) async fn note_route(request: Request, next: Next) -> Response {
    let extensions = request.extensions();
    if let (Some(route), Some(path)) = (extensions.get::<Route>(), extensions.get::<MatchedPath>()) {
        let _ = route.0.set(path.as_str().to_owned());
    }
    next.run(request).await
}

fn admit<'a>(gate: &'a Gate, headers: &HeaderMap) -> Result<tokio::sync::SemaphorePermit<'a>, Problem> {
    let permit = gate.in_flight.try_acquire().map_err(|_| Problem::overloaded())?;
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > HEADER_BYTES_MAX { Err(Problem::headers_too_large(HEADER_BYTES_MAX)) } else { Ok(permit) }
}

/// The caller's own id where it is sane, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(&REQUEST_ID).and_then(|id| id.to_str().ok());
    let is_sane = |id: &&str| (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
    given.filter(is_sane).map_or_else(new_request_id, str::to_owned)
}

fn new_request_id() -> String {
    let mut random = [0; 10];
    // Without randomness the id is merely not unique, which no rule depends on.
    let _ = getrandom::fill(&mut random);
    BASE32_DNSSEC.encode(&random)
}

fn add_headers(headers: &mut HeaderMap, id: &str) {
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
}

#[derive(Debug)]
struct Panic(String);

impl std::fmt::Display for Panic {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "panic: {}", self.0)
    }
}

impl std::error::Error for Panic {}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// Refuses what no route answers to.
pub(crate) async fn route_not_found(_: axum::http::Request<Body>) -> Problem {
    Problem::route_not_found()
}

pub(crate) async fn method_not_allowed(_: axum::http::Request<Body>) -> Problem {
    Problem::method_not_allowed()
}
