//! Sends a crowd: each shopper at the instant that was drawn for them, whoever has been answered by
//! then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::arrivals::Arrival;
use crate::visit::{Market, Shopper, Visit};

/// First requests under way at once, where the system gives enough descriptors.
const IN_FLIGHT_MAX: usize = 8_000;

/// A token outlasts every rush.
const TOKEN_SECONDS: i64 = 2 * 3_600;

/// Lets each shopper come when they are due, and returns when the last has gone.
pub(crate) async fn send(market: Arc<Market>, arrivals: Vec<Arrival>, shoppers: Vec<Shopper>) -> Vec<Visit> {
    let in_flight = Arc::new(Semaphore::new(in_flight_max()));
    let began = Instant::now();
    let mut visits = JoinSet::new();
    for (arrival, shopper) in arrivals.into_iter().zip(shoppers) {
        let due = began + arrival.at;
        let early = due.saturating_duration_since(Instant::now());
        if early > Duration::ZERO {
            tokio::time::sleep(early).await;
        }
        let Ok(permit) = in_flight.clone().try_acquire_owned() else {
            market.tally.dropped();
            continue;
        };
        market.tally.arrived();
        let market = market.clone();
        visits.spawn(async move { market.visit(shopper, arrival, due, permit).await });
    }
    visits.join_all().await
}

#[derive(Serialize)]
struct Claims {
    sub: String,
    exp: i64,
}

/// Makes the shoppers with their tokens.
pub(crate) fn make_shoppers(count: u32, sale: &str, secret: &str) -> Result<Vec<Shopper>> {
    let key = EncodingKey::from_base64_secret(secret).context("the shopper secret is not base64")?;
    let header = Header::new(Algorithm::HS256);
    let exp = Timestamp::now().as_second() + TOKEN_SECONDS;
    let shopper = |number| {
        let claims = Claims { sub: format!("{sale}-shopper-{number}"), exp };
        let token = jsonwebtoken::encode(&header, &claims, &key)?;
        Ok(Shopper { authorization: format!("Bearer {token}").parse()?, number })
    };
    (0..count).map(shopper).collect()
}

/// Raises the limit of descriptors to what the system allows, and leaves some for other things.
fn in_flight_max() -> usize {
    const OTHERS: usize = 100;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    let descriptors = if raised { maximum } else { current };
    let descriptors = descriptors.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    // A shopper who repeats has two requests under way.
    (descriptors.saturating_sub(OTHERS) / 2).min(IN_FLIGHT_MAX)
}
