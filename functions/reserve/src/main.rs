//! `/sales/{sale}/reservations`: hold units of a sale for one shopper, see the hold, give it back.
//!
//! Safe to repeat with the same idempotency key: the shopper gets the first answer again.

mod answer;

use std::process::ExitCode;
use std::sync::Arc;

use api::{QUANTITY_MAX, Wish};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use edge::{
    Json, Problem, RateLimitHeaders, Receipts, RequestKey, ReservationPath, SalePath, Shoppers, Tickets,
    Within, invalid_fields,
};
use forms::with_forms;
use sale::{
    FindOutcome, RateLimit, ReleaseOutcome, ReservationState, ReserveAnswer, ReserveOutcome, ReserveRequest,
    Stock,
};

use crate::answer::answer;

struct App {
    stock: Stock,
    shoppers: Shoppers,
    receipts: Receipts,
    tickets: Tickets,
    rate_limit: RateLimit,
}

#[tokio::main]
async fn main() -> ExitCode {
    edge::serve("reserve", |settings| {
        let (stock, shoppers, receipts) = (settings.stock(), settings.shoppers(), settings.receipts());
        let (tickets, rate_limit) = (settings.tickets(), settings.rate_limit());
        let app = App {
            stock: stock?,
            shoppers: shoppers?,
            receipts: receipts?,
            tickets: tickets?,
            rate_limit: rate_limit?,
        };
        let routes = Router::new()
            .route("/sales/{sale}/reservations", post(reserve))
            .route("/sales/{sale}/reservations/{id}", get(find).delete(release))
            // A form knows no DELETE.
            .route("/sales/{sale}/reservations/{id}/release", post(release));
        Some(with_forms(routes).with_state(Arc::new(app)))
    })
    .await
}

async fn reserve(
    State(app): State<Arc<App>>,
    SalePath(sale): SalePath,
    headers: HeaderMap,
    RequestKey(key): RequestKey,
    Within(deadline): Within,
    Json(wish): Json<Wish>,
) -> Result<Response, Problem> {
    let shopper = app.shoppers.identify(&Method::POST, &headers, deadline).await?;
    if !(1..=QUANTITY_MAX).contains(&wish.quantity) {
        return Err(invalid_fields("/quantity", "must be 1 to 10"));
    }
    let id = app.shoppers.reservation(&sale, &shopper, &key);
    let ticket = app.tickets.find(wish.ticket.as_deref(), &headers, &sale, &shopper.id)?;
    let Wish { sku, quantity, .. } = wish;
    let rate_limit = app.rate_limit;
    let request = ReserveRequest { id, sale: sale.clone(), sku, quantity, shopper, ticket, rate_limit };
    let ReserveAnswer { outcome, quota, now } = app.stock.reserve(&request, deadline).await?;
    let limits = RateLimitHeaders::new(app.rate_limit, quota);
    let answered = match outcome {
        ReserveOutcome::Held(held) => answer(StatusCode::CREATED, held, now, Some(&app.receipts)),
        ReserveOutcome::Repeated(known) => match known.state {
            ReservationState::Expired => Err(Problem::reservation_expired()),
            ReservationState::Released => Err(Problem::reservation_released()),
            ReservationState::Cancelled => Err(Problem::order_cancelled()),
            ReservationState::Held | ReservationState::Confirming | ReservationState::Ordered => {
                answer(StatusCode::OK, known, now, Some(&app.receipts))
            }
        },
        ReserveOutcome::KeyReused => Err(Problem::idempotency_key_reused()),
        ReserveOutcome::Throttled { retry_after } => Err(Problem::quota_exceeded(retry_after)),
        ReserveOutcome::KindRefused => Err(Problem::kind_refused()),
        ReserveOutcome::NotOpen(opens_at) => Err(Problem::sale_not_open(opens_at, now)),
        ReserveOutcome::Paused => Err(Problem::sale_paused()),
        ReserveOutcome::Ended => Err(Problem::sale_ended()),
        ReserveOutcome::TicketMissing => Err(Problem::ticket_missing(&sale)),
        ReserveOutcome::NotYourTurn { place, ahead } => Err(Problem::not_your_turn(place, ahead)),
        ReserveOutcome::TurnPassed => Err(Problem::turn_passed()),
        ReserveOutcome::TicketUsed => Err(Problem::ticket_used()),
        ReserveOutcome::LimitReached { limit, reservation } => {
            Err(Problem::limit_reached(Some(limit), &sale, reservation.as_ref()))
        }
        ReserveOutcome::SoldOut { may_return } => Err(Problem::sold_out(may_return)),
        ReserveOutcome::SaleNotFound => Err(Problem::sale_not_found()),
        ReserveOutcome::SkuNotFound => Err(Problem::sku_not_found()),
    };
    limits.attach(answered)
}

async fn find(
    State(app): State<Arc<App>>,
    ReservationPath(sale, id): ReservationPath,
    headers: HeaderMap,
    Within(deadline): Within,
) -> Result<Response, Problem> {
    let shopper = app.shoppers.identify(&Method::GET, &headers, deadline).await?;
    match app.stock.find(&sale, &id, &shopper.id, deadline).await? {
        FindOutcome::Found(found, now) => answer(StatusCode::OK, found, now, None),
        FindOutcome::ReservationNotFound => Err(Problem::reservation_not_found()),
        FindOutcome::SaleNotFound => Err(Problem::sale_not_found()),
    }
}

async fn release(
    State(app): State<Arc<App>>,
    ReservationPath(sale, id): ReservationPath,
    headers: HeaderMap,
    Within(deadline): Within,
) -> Result<Response, Problem> {
    let shopper = app.shoppers.identify(&Method::DELETE, &headers, deadline).await?;
    match app.stock.release(&sale, &id, &shopper.id, deadline).await? {
        ReleaseOutcome::Released(released, now) => answer(StatusCode::OK, released, now, None),
        ReleaseOutcome::Expired => Err(Problem::reservation_expired()),
        ReleaseOutcome::Confirming => Err(Problem::confirm_in_progress()),
        ReleaseOutcome::Ordered => Err(Problem::already_ordered(&id.order())),
        ReleaseOutcome::Cancelled => Err(Problem::order_cancelled()),
        ReleaseOutcome::ReservationNotFound => Err(Problem::reservation_not_found()),
        ReleaseOutcome::SaleNotFound => Err(Problem::sale_not_found()),
    }
}
