//! `POST /sales/{sale}/reservations/{id}/order`: a hold becomes an order. `GET /orders/{id}`: own order.
//!
//! Safe to repeat: the shopper gets the same order again, also when the first answer was lost. The receipt, where
//! it is sent, stands in for a hold that a takeover has lost.

use std::process::ExitCode;
use std::sync::Arc;

use api::Proof;
use axum::Router;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use edge::{Json, OrderPath, Problem, Receipts, ReservationPath, Shoppers, Within};
use forms::with_forms;
use ledger::{ConfirmOutcome, Ledger, Order, PurchaseError};
use sale::Stock;

struct App {
    stock: Stock,
    shoppers: Shoppers,
    receipts: Receipts,
    ledger: Ledger,
}

#[tokio::main]
async fn main() -> ExitCode {
    let ledger = Ledger::from_environment();
    edge::serve("confirm", move |settings| {
        let (stock, shoppers, table) = (settings.stock(), settings.shoppers(), settings.ledger_table());
        let (receipts, ledger) = (settings.receipts(), ledger.with_table(table?));
        let app = App { stock: stock?, shoppers: shoppers?, receipts: receipts?, ledger };
        let routes = Router::new()
            .route("/sales/{sale}/reservations/{id}/order", post(confirm))
            .route("/orders/{id}", get(find));
        Some(with_forms(routes).with_state(Arc::new(app)))
    })
    .await
}

async fn confirm(
    State(app): State<Arc<App>>,
    ReservationPath(sale, id): ReservationPath,
    headers: HeaderMap,
    Within(deadline): Within,
    proof: Option<Json<Proof>>,
) -> Result<Response, Problem> {
    let shopper = app.shoppers.identify(&Method::POST, &headers, deadline).await?;
    let receipt = proof.map(|Json(proof)| app.receipts.verify(&proof.receipt, &sale, &id, &shopper.id));
    let receipt = receipt.transpose()?;
    let outcome = app.ledger.confirm(&app.stock, &sale, &id, &shopper.id, receipt.as_ref(), deadline).await;
    match outcome.map_err(problem)? {
        ConfirmOutcome::Confirmed(order) => {
            let location = [(LOCATION, format!("/orders/{}", order.id))];
            Ok((StatusCode::CREATED, location, axum::Json(order)).into_response())
        }
        ConfirmOutcome::AlreadyConfirmed(order) => Ok(axum::Json(order).into_response()),
        ConfirmOutcome::Cancelled => Err(Problem::order_cancelled()),
        ConfirmOutcome::Expired => Err(Problem::reservation_expired()),
        ConfirmOutcome::Released => Err(Problem::reservation_released()),
        ConfirmOutcome::LimitReached => Err(Problem::limit_reached(None, &sale, None)),
        ConfirmOutcome::NoUnitNow => Err(Problem::stock_unavailable()),
        ConfirmOutcome::UnitLost => Err(Problem::unit_lost()),
        ConfirmOutcome::ReservationNotFound => Err(Problem::reservation_not_found()),
        ConfirmOutcome::SaleNotFound => Err(Problem::sale_not_found()),
    }
}

async fn find(
    State(app): State<Arc<App>>,
    OrderPath(id): OrderPath,
    headers: HeaderMap,
    Within(deadline): Within,
) -> Result<axum::Json<Order>, Problem> {
    let shopper = app.shoppers.identify(&Method::GET, &headers, deadline).await?;
    let order = app.ledger.order(&id, deadline).await.map_err(|error| problem(error.into()))?;
    let own = order.filter(|order| order.shopper == shopper.id);
    own.map(axum::Json).ok_or_else(Problem::order_not_found)
}

fn problem(error: PurchaseError) -> Problem {
    match error {
        PurchaseError::Stock(error) => error.into(),
        PurchaseError::Ledger(error) => Problem::ledger_failed(error.next(), &error),
    }
}
