//! `POST /sessions`: a guest's signed cookie.
//!
//! Safe to repeat: who brings a valid cookie keeps it.

use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use edge::{Guests, Problem};
use forms::with_way_back;

#[tokio::main]
async fn main() -> ExitCode {
    edge::serve("session", |settings| {
        let guests = settings.guests();
        let routes = Router::new().route("/sessions", post(session));
        Some(with_way_back(routes).with_state(Arc::new(guests?)))
    })
    .await
}

async fn session(State(guests): State<Arc<Guests>>, headers: HeaderMap) -> Result<Response, Problem> {
    let session = guests.open(&headers)?;
    let status = if session.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, session).into_response())
}
