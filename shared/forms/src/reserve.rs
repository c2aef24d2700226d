//! A form that reserves. It has no key of its own: the page is the same for everybody. The key is made of the wish and of
//! a number, which goes up while the hold of a key has ended. So a form that is sent twice finds its hold, and one that
//! is sent after the end of a hold gets a new one.

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::IntoResponse;
use edge::invalid_fields;
use serde_json::json;

use crate::answer::Answer;
use crate::fields::Fields;
use crate::request;

/// Holds of one wish that one shopper can have ended. Each costs a round trip to Redis.
const ENDED_MAX: u32 = 20;

pub(crate) async fn reserve(parts: &Parts, fields: &Fields, next: &Next) -> Answer {
    let Some(sku) = &fields.sku else {
        return Answer::of(invalid_fields("/sku", "must name what is wished").into_response()).await;
    };
    let body = json!({ "sku": sku, "quantity": fields.quantity }).to_string();
    let mut ended = 0;
    loop {
        let key = format!("form:{sku}:{}:{ended}", fields.quantity);
        let answer = Answer::of(next.clone().run(request(parts, Some(&key), &body)).await).await;
        if !has_ended(&answer) || ended == ENDED_MAX {
            return answer;
        }
        ended += 1;
    }
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
