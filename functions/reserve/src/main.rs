//! `/sales/{sale}/reservations`: hold units of a sale for one shopper, see the hold, give it back.
//!
//! Safe to repeat with the same idempotency key: the shopper gets the first answer again.

mod answer;

use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use edge::{Json, Path, Problem, RateLimitHeaders, Receipts, RequestKey, Shoppers};
use sale::{
    Deadline, FindOutcome, RateLimit, ReleaseOutcome, ReserveOutcome, ReserveRequest, Shopper, Sku, Stock,
};
use serde::Deserialize;

use crate::answer::{created, ok};

struct App {
    stock: Stock,
    shoppers: Shoppers,
    receipts: Receipts,
    rate_limit: RateLimit,
}

#[tokio::main]
async fn main() -> ExitCode {
    edge::serve("reserve", |settings| {
        let (stock, shoppers, receipts) = (settings.stock(), settings.shoppers(), settings.receipts());
        let rate_limit = settings.rate_limit();
        Some(routes(App { stock: stock?, shoppers: shoppers?, receipts: receipts?, rate_limit: rate_limit? }))
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    sku: Sku,
    quantity: u32,
}
