//! A refusal or failure as a client sees it: `application/problem+json` (RFC 9457).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A problem. Which of the members after `detail` are there depends on its type.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Problem"))]
pub struct ProblemAnswer {
    /// `<PUBLIC_URL>/problems/<slug>`; the slug never changes.
    #[serde(rename = "type")]
    pub kind: String,
    /// One short sentence, the same for every occurrence.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What to do next.
    pub detail: String,
    /// What is wrong where.
    pub errors: Option<Vec<FieldFault>>,
    /// What `Retry-After` says, because gateways rewrite headers.
    pub retry_after_seconds: Option<u64>,
    /// When the sale or its waiting room begins; `null` while that is not announced.
    #[cfg_attr(feature = "schema", schemars(with = "Option<sale::Time>"))]
    pub opens_at: Option<Timestamp>,
    /// The clock that decides.
    #[cfg_attr(feature = "schema", schemars(with = "Option<sale::Time>"))]
    pub server_time: Option<Timestamp>,
    /// Path at which a ticket is to be had.
    pub tickets: Option<String>,
    /// The place of the ticket.
    pub place: Option<u64>,
    /// Places that come before it.
    pub ahead: Option<u64>,
    /// Whether units may come back although none is available.
    pub may_return: Option<bool>,
    /// Units that one shopper may hold and order.
    pub limit_per_shopper: Option<u32>,
    /// Path of the shopper's own reservation.
    pub reservation: Option<String>,
    /// Path of the shopper's own order.
    pub order: Option<String>,
    /// Names of the policies of `RateLimit-Policy` that were violated.
    pub violated_policies: Option<Vec<String>>,
}

/// One thing that is wrong in a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FieldFault {
    /// JSON pointer into the body, or `header:Name`, or `query:name`.
    pub pointer: String,
    /// What it should be.
    pub detail: String,
}

impl FieldFault {
    /// A fault at this place.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}
