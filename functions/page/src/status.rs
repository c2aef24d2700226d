//! `GET /sales/{sale}/status`: what changes while a sale runs.

use std::sync::Arc;

use api::{SkuStatus, Status, WaitingRoomStatus};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::Response;
use edge::{Problem, SalePath, Within};
use jiff::{SignedDuration, Timestamp};
use sale::SaleState;

use crate::App;
use crate::conditional::{conditional, tag_of};

pub(crate) const CACHE: &str = "public, max-age=1, s-maxage=1, stale-while-revalidate=5";

/// How soon a client may ask again: as long as a cache may keep the answer.
const POLL_AFTER_MS: u32 = 1_000;

/// The same while the opening is far away: what the merchant changes until then is seen soon enough.
const POLL_AFTER_MS_EARLY: u32 = 5_000;
const EARLY: SignedDuration = SignedDuration::from_mins(2);

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    SalePath(sale): SalePath,
    Within(deadline): Within,
    asked: HeaderMap,
) -> Result<Response, Problem> {
    let view = app.view(&sale, deadline).await?;
    let status = Status {
        sale,
        state: view.state,
        server_time: view.now,
        opens_at: view.opens_at,
        closes_at: view.closes_at,
        waiting_room: view.waiting_room.map(WaitingRoomStatus::from),
        skus: view.skus.into_iter().map(SkuStatus::from).collect(),
        poll_after_ms: poll_after_ms(view.state, view.opens_at, view.now),
    };
    let body = serde_json::to_string(&status).map_err(|error| Problem::internal().caused_by(&error))?;
    let headers = [(CACHE_CONTROL, CACHE), (CONTENT_TYPE, "application/json")];
    Ok(conditional(&asked, &tag_of(body.as_bytes()), headers, body))
}

fn poll_after_ms(state: SaleState, opens_at: Option<Timestamp>, now: Timestamp) -> u32 {
    let is_early = opens_at.is_some_and(|opens_at| opens_at.duration_since(now) > EARLY);
    if state == SaleState::Announced && is_early { POLL_AFTER_MS_EARLY } else { POLL_AFTER_MS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_before_the_opening_clients_ask_less_often() {
        let now = Timestamp::UNIX_EPOCH;
        let in_seconds = |seconds| Some(now + SignedDuration::from_secs(seconds));
        assert_eq!(poll_after_ms(SaleState::Announced, in_seconds(121), now), 5_000);
        assert_eq!(poll_after_ms(SaleState::Announced, in_seconds(120), now), 1_000);
        assert_eq!(poll_after_ms(SaleState::Announced, None, now), 1_000);
        assert_eq!(poll_after_ms(SaleState::Open, in_seconds(-500), now), 1_000);
        assert_eq!(poll_after_ms(SaleState::Paused, in_seconds(500), now), 1_000);
    }
}
