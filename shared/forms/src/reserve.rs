//! A form that reserves. It has no key of its own: the page is the same for everybody. The key is made of the wish and of
//! a number, which goes up while the hold of a key has ended. So a form that is sent twice finds its hold, and one that
//! is sent after the end of a hold gets a new one. Where the rate limit ends the search, the form that is shown to be
//! sent again begins where it ended.

use std::time::Duration;

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::IntoResponse;
use edge::{Problem, invalid_fields};
use serde_json::json;

use crate::answer::Answer;
use crate::fields::Fields;
use crate::request;

/// Ended holds of one wish that one form passes over. Each costs a round trip to Redis.
const ENDED_MAX: u32 = 10;

/// The answer, and how many holds of this wish have ended.
pub(crate) async fn reserve(parts: &Parts, fields: &Fields, next: &Next) -> (Answer, u32) {
    let mut ended = fields.ended;
    let Some(sku) = &fields.sku else {
        return (Answer::of(invalid_fields("/sku", "must name what is wished").into_response()).await, ended);
    };
    let body = json!({ "sku": sku, "quantity": fields.quantity }).to_string();
    for _ in 0..ENDED_MAX {
        let key = format!("form:{sku}:{}:{ended}", fields.quantity);
        let answer = Answer::of(next.clone().run(request(parts, Some(&key), &body)).await).await;
        if !has_ended(&answer) {
            return (answer, ended);
        }
        ended = ended.saturating_add(1);
    }
    (Answer::of(Problem::quota_exceeded(Duration::from_secs(1)).into_response()).await, ended)
}

/// Whether the hold of this key is over, so that the same wish is a new one.
fn has_ended(answer: &Answer) -> bool {
    match answer.status {
        StatusCode::GONE => ["reservation-expired", "reservation-released"].contains(&answer.slug()),
        StatusCode::CONFLICT => answer.slug() == "order-cancelled",
        StatusCode::OK => answer.text("state") == "ordered",
        _ => false,
    }
}
