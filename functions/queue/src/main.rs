//! `POST /sales/{sale}/tickets`: a place in the waiting room, and whose turn it is; `GET`, the ticket that one has.
//!
//! Safe to repeat: whoever brings a ticket keeps its place; whoever brings none gets the same lot in the lobby, and
//! afterwards a later place. Beside it stands the door of the AWS Virtual Waiting Room, where it is wanted.

mod virtual_waiting_room;

use std::process::ExitCode;
use std::sync::Arc;

use api::{TicketAnswer, TicketProof, TurnAnswer};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use edge::{
    AccessKeys, Json, Problem, RateLimitHeaders, SalePath, Shoppers, Tickets, Within, invalid_fields,
};
use forms::{with_forms, with_sale};
use jiff::Timestamp;
use sale::{
    Deadline, JoinAnswer, JoinOutcome, RateLimit, SaleId, SaleState, Shopper, Stock, Ticket, Turn,
    TurnOutcome,
};

use crate::virtual_waiting_room as vwr;

struct App {
    stock: Stock,
    shoppers: Shoppers,
    tickets: Tickets,
    rate_limit: RateLimit,
    access_keys: AccessKeys,
    /// Origin that shoppers see.
    url: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    edge::serve("queue", |settings| {
        let (stock, shoppers, tickets) = (settings.stock(), settings.shoppers(), settings.tickets());
        let (rate_limit, access_keys, url) =
            (settings.rate_limit(), settings.access_keys(), settings.public_url());
        let app = App {
            stock: stock?,
            shoppers: shoppers?,
            tickets: tickets?,
            rate_limit: rate_limit?,
            access_keys: access_keys?,
            url: url?,
        };
        let tickets = with_forms(Router::new().route("/sales/{sale}/tickets", post(join).get(find)));
        let has_door = app.access_keys.public().next().is_some();
        let door = Router::new()
            .route("/assign_queue_num", post(vwr::assign))
            .route("/queue_num", get(vwr::number))
            .route("/serving_num", get(vwr::serving))
            .route("/waiting_num", get(vwr::waiting))
            .route("/generate_token", post(vwr::token))
            .route("/queue_pos_expiry", get(vwr::expiry))
            .route("/public_key", get(vwr::public_key))
            .route("/.well-known/jwks.json", get(vwr::public_keys));
        let routes = if has_door { tickets.merge(door) } else { tickets };
        Some(routes.with_state(Arc::new(app)))
    })
    .await
}

async fn join(
    State(app): State<Arc<App>>,
    SalePath(sale): SalePath,
    headers: HeaderMap,
    Within(deadline): Within,
    proof: Option<Json<TicketProof>>,
) -> Result<Response, Problem> {
    let shopper = app.shoppers.identify(&Method::POST, &headers, deadline).await?;
    let TicketProof { ticket, another } = proof.map(|Json(proof)| proof).unwrap_or_default();
    if another && ticket.is_some() {
        return Err(invalid_fields("/another", "cannot be wanted with a ticket that is to be renewed"));
    }
    let known =
        if another { None } else { app.tickets.find(ticket.as_deref(), &headers, &sale, &shopper.id)? };
    if let Some(ticket) = known {
        return app.renew(&ticket, deadline).await;
    }
    let (limits, ticket) = app.take_ticket(&sale, &shopper, deadline).await?;
    limits.attach(ticket.and_then(|ticket| app.answer(StatusCode::CREATED, &ticket, None)))
}

/// Changes nothing but that the ticket is renewed.
async fn find(
    State(app): State<Arc<App>>,
    SalePath(sale): SalePath,
    headers: HeaderMap,
    Within(deadline): Within,
) -> Result<Response, Problem> {
    let shopper = app.shoppers.identify(&Method::GET, &headers, deadline).await?;
    let view = app.stock.view(&sale, deadline).await?.ok_or_else(Problem::sale_not_found)?;
    if view.waiting_room.is_none() {
        return Err(Problem::no_waiting_room());
    }
    if view.state == SaleState::Ended {
        return Err(Problem::sale_ended());
    }
    let ticket = app.tickets.find(None, &headers, &sale, &shopper.id)?;
    let ticket = ticket.ok_or_else(|| Problem::ticket_missing(&sale))?;
    Ok(with_sale(app.renew(&ticket, deadline).await?, view))
}

impl App {
    /// This ticket once more, and whose turn it is.
    async fn renew(&self, ticket: &Ticket, deadline: Deadline) -> Result<Response, Problem> {
        match self.stock.turn(ticket, deadline).await? {
            TurnOutcome::Turn(turn) => self.answer(StatusCode::OK, ticket, Some(turn)),
            TurnOutcome::NoRoom => Err(Problem::no_waiting_room()),
            TurnOutcome::SaleNotFound => Err(Problem::sale_not_found()),
        }
    }

    /// A new ticket, or why there is none; with what is left of the shopper's quota.
    async fn take_ticket(
        &self,
        sale: &SaleId,
        shopper: &Shopper,
        deadline: Deadline,
    ) -> Result<(RateLimitHeaders, Result<Ticket, Problem>), Problem> {
        let JoinAnswer { outcome, quota, now } =
            self.stock.join(sale, shopper, self.rate_limit, deadline).await?;
        let ticket = match outcome {
            JoinOutcome::Joined(ticket) => Ok(ticket),
            JoinOutcome::Throttled { retry_after } => Err(Problem::quota_exceeded(retry_after)),
            JoinOutcome::NoRoom => Err(Problem::no_waiting_room()),
            JoinOutcome::KindRefused => Err(Problem::kind_refused()),
            JoinOutcome::NotOpen(opens_at) => Err(Problem::lobby_not_open(opens_at, now)),
            JoinOutcome::Paused => Err(Problem::sale_paused()),
            JoinOutcome::Ended => Err(Problem::sale_ended()),
            JoinOutcome::DoorClosed => Err(Problem::waiting_room_closed()),
            JoinOutcome::SoldOut => Err(Problem::sold_out(false)),
            JoinOutcome::SaleNotFound => Err(Problem::sale_not_found()),
        };
        Ok((RateLimitHeaders::new(self.rate_limit, quota), ticket))
    }

    fn answer(&self, status: StatusCode, ticket: &Ticket, turn: Option<Turn>) -> Result<Response, Problem> {
        let signed = self.tickets.sign(ticket)?;
        let body = TicketAnswer {
            sale: ticket.sale.clone(),
            ticket: signed.token,
            expires_at: signed.expires_at,
            lot: ticket.shopper,
            number: ticket.number,
            turn: turn.map(TurnAnswer::from),
            server_time: Timestamp::now(),
        };
        Ok((status, [signed.cookie], axum::Json(body)).into_response())
    }
}
