//! The public door of the AWS Virtual Waiting Room on the same queue: its paths, its bodies and the claims of its tokens, so
//! that its clients need another address and nothing else. An event is a sale, and there may be any number of them.
//!
//! It stands open where there are keys that sign access tokens; else there is nothing at its addresses.
//! What differs from its model is what its users suffered from: a number is bound to an event that exists, is
//! acknowledged by a replica, stays the same however often it is asked for, and passes when nobody uses its turn.

use std::sync::Arc;

use api::{
    AccessTokens, AssignedNumber, Event, NotYet, Position, PositionExpiry, PublicKeys, QueueNumber,
    ServingCounter, WaitingNumber,
};
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use edge::{Access, Json, Problem, Query, Within};
use jiff::Timestamp;
use sale::{Deadline, RoomState, RoomView, SaleId, Ticket, Turn, TurnOutcome};

use crate::App;

/// As long as the sale's status.
const COUNTER_CACHE: &str = "public, max-age=1, s-maxage=1, stale-while-revalidate=5";
/// A key that is new signs after it was published for that long, where keys are changed as the runbook says.
const KEYS_CACHE: &str = "public, max-age=300, stale-if-error=86400";

const DRAW_TO_COME: &str = "The draw that gives this request its number is still to come.";
const OTHERS_COME_FIRST: &str = "Others come first.";

/// `POST /assign_queue_num`. Whoever says who they are has one lot in a lobby; anybody else is a new guest each time.
pub(crate) async fn assign(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Within(deadline): Within,
    Json(Event { event_id }): Json<Event>,
) -> Result<Response, Problem> {
    let shopper = app.shoppers.identify_or_new(&Method::POST, &headers, deadline).await?;
    let (limits, ticket) = app.take_ticket(&event_id, &shopper, deadline).await?;
    limits.attach(ticket.and_then(|ticket| {
        let body = AssignedNumber { api_request_id: app.tickets.sign(&ticket)?.token };
        Ok(axum::Json(body).into_response())
    }))
}

/// `GET /queue_num`
pub(crate) async fn number(
    State(app): State<Arc<App>>,
    Within(deadline): Within,
    Query(position): Query<Position>,
) -> Result<Response, Problem> {
    let (ticket, turn) = app.position(&position, deadline).await?;
    let (queue_number, status) = match turn {
        Turn::Lot => return Ok(not_yet(DRAW_TO_COME)),
        Turn::Waiting { place, .. } | Turn::Served { place, .. } => (place, 1),
        Turn::Passed { place } | Turn::Used { place } => (place, -1),
    };
    let entry_time = ticket.given_at_ms.unwrap_or_default().div_euclid(1_000);
    Ok(axum::Json(QueueNumber { entry_time, queue_number, event_id: ticket.sale, status }).into_response())
}

/// `GET /serving_num`
pub(crate) async fn serving(
    State(app): State<Arc<App>>,
    Within(deadline): Within,
    Query(Event { event_id }): Query<Event>,
) -> Result<Response, Problem> {
    let room = app.room(&event_id, deadline).await?;
    let body = ServingCounter { serving_counter: room.served_thousandths / 1_000 };
    Ok(([(CACHE_CONTROL, COUNTER_CACHE)], axum::Json(body)).into_response())
}

/// `GET /waiting_num`
pub(crate) async fn waiting(
    State(app): State<Arc<App>>,
    Within(deadline): Within,
    Query(Event { event_id }): Query<Event>,
) -> Result<Response, Problem> {
    let room = app.room(&event_id, deadline).await?;
    let waiting_num = match room.state {
        RoomState::NotOpen | RoomState::Lobby => room.lobby,
        _ => room.last_place.saturating_sub(room.served_thousandths / 1_000),
    };
    Ok(([(CACHE_CONTROL, COUNTER_CACHE)], axum::Json(WaitingNumber { waiting_num })).into_response())
}

/// `POST /generate_token`. Safe to repeat while the turn lasts.
pub(crate) async fn token(
    State(app): State<Arc<App>>,
    Within(deadline): Within,
    Json(position): Json<Position>,
) -> Result<Response, Problem> {
    let (place, left) = match app.position(&position, deadline).await?.1 {
        Turn::Lot => return Ok(not_yet(DRAW_TO_COME)),
        Turn::Waiting { .. } => return Ok(not_yet(OTHERS_COME_FIRST)),
        Turn::Served { place, left } => (place, left),
        Turn::Passed { .. } | Turn::Used { .. } => return Err(Problem::position_expired()),
    };
    let now = Timestamp::now();
    let until = now.checked_add(left).map_err(|error| Problem::internal().caused_by(&error))?;
    let (event, request) = (&position.event_id, position.request_id.as_str());
    let access = Access { event, request, place, issuer: &app.url, now, until };
    let body = AccessTokens {
        access_token: app.access_keys.sign(access, "access")?,
        refresh_token: app.access_keys.sign(access, "refresh")?,
        id_token: app.access_keys.sign(access, "id")?,
        token_type: "Bearer",
        expires_in: left.as_secs(),
    };
    Ok(axum::Json(body).into_response())
}

/// `GET /queue_pos_expiry`
pub(crate) async fn expiry(
    State(app): State<Arc<App>>,
    Within(deadline): Within,
    Query(position): Query<Position>,
) -> Result<Response, Problem> {
    match app.position(&position, deadline).await?.1 {
        Turn::Lot => Ok(not_yet(DRAW_TO_COME)),
        Turn::Waiting { .. } => Ok(not_yet(OTHERS_COME_FIRST)),
        Turn::Served { left, .. } => {
            Ok(axum::Json(PositionExpiry { expires_in: left.as_secs() }).into_response())
        }
        Turn::Passed { .. } | Turn::Used { .. } => Err(Problem::position_expired()),
    }
}

/// `GET /public_key`: the one that signs, which is the same for all events.
pub(crate) async fn public_key(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let key = app.access_keys.public().next().ok_or_else(Problem::route_not_found)?;
    Ok(([(CACHE_CONTROL, KEYS_CACHE)], axum::Json(key)).into_response())
}

/// `GET /.well-known/jwks.json`
pub(crate) async fn public_keys(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let body = PublicKeys { keys: app.access_keys.public().cloned().collect() };
    Ok(([(CACHE_CONTROL, KEYS_CACHE)], axum::Json(body)).into_response())
}

impl App {
    /// Whose turn it is by this request's id.
    async fn position(&self, position: &Position, deadline: Deadline) -> Result<(Ticket, Turn), Problem> {
        let ticket = self.tickets.of_request(&position.request_id, &position.event_id)?;
        match self.stock.turn(&ticket, deadline).await? {
            TurnOutcome::Turn(turn) => Ok((ticket, turn)),
            TurnOutcome::NoRoom => Err(Problem::no_waiting_room()),
            TurnOutcome::SaleNotFound => Err(Problem::sale_not_found()),
        }
    }

    async fn room(&self, sale: &SaleId, deadline: Deadline) -> Result<RoomView, Problem> {
        let view = self.stock.view(sale, deadline).await?.ok_or_else(Problem::sale_not_found)?;
        view.waiting_room.ok_or_else(Problem::no_waiting_room)
    }
}

fn not_yet(message: &'static str) -> Response {
    (StatusCode::ACCEPTED, axum::Json(NotYet { message })).into_response()
}
