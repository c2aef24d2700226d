//! A refusal or failure as `application/problem+json` (RFC 9457): one message for the client, the cause
//! for the log.

use std::sync::OnceLock;
use std::time::Duration;

use api::FieldFault;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use sale::{Causes, OrderId, ReservationId, SaleId, StockError};
use sentinel::Next;
use serde_json::{Map, Value, json};

use crate::fields::sentence;
use crate::problems::{self as table, Kind};

/// Where problem types live; set once at start.
pub(crate) static PUBLIC_URL: OnceLock<String> = OnceLock::new();

/// Clients that were told to come back at the same instant would come back together: the advice is
/// spread over this many seconds.
const RETRY_SPREAD_SECONDS: u64 = 3;

/// What a client is told, and what the log is told.
#[derive(Debug)]
pub struct Problem(Box<Content>);

#[derive(Debug)]
struct Content {
    kind: Kind,
    detail: String,
    extensions: Map<String, Value>,
    retry_after_seconds: Option<u64>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<String>,
}

/// What the log line says of a problem.
#[derive(Debug, Clone)]
pub(crate) struct ProblemNote {
    pub(crate) slug: &'static str,
    pub(crate) cause: Option<String>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self(Box::new(Content {
            kind,
            detail: detail.into(),
            extensions: Map::new(),
            retry_after_seconds: None,
            headers: Vec::new(),
            cause: None,
        }))
    }

    pub(crate) fn extend(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.extensions.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after_seconds = Some(seconds);
        self
    }

    pub(crate) fn retry_soon(self) -> Self {
        let jitter = u64::from(Timestamp::now().subsec_nanosecond().unsigned_abs() / 1_000);
        self.retry_after(1 + jitter % RETRY_SPREAD_SECONDS)
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Adds the cause, for the log only.
    #[must_use]
    pub fn caused_by(mut self, error: &dyn std::error::Error) -> Self {
        self.0.cause = Some(Causes(error).to_string());
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.0.kind.status
    }

    /// The stable last part of the type.
    #[must_use]
    pub fn slug(&self) -> &'static str {
        self.0.kind.slug
    }

    /// 400, with what is wrong where.
    #[must_use]
    pub fn invalid_request(faults: &[FieldFault]) -> Self {
        let detail = faults.first().map_or("The request is not valid.".to_owned(), sentence);
        Self::new(table::INVALID_REQUEST, detail).extend("errors", json!(faults))
    }

    /// 400.
    #[must_use]
    pub fn idempotency_key_missing() -> Self {
        Self::new(
            table::IDEMPOTENCY_KEY_MISSING,
            "Send an Idempotency-Key header with 1 to 128 visible ASCII characters, new for each new wish.",
        )
    }

    /// 401.
    #[must_use]
    pub fn unauthenticated(detail: &str) -> Self {
        Self::new(table::UNAUTHENTICATED, detail)
            .with_header(axum::http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// 403.
    #[must_use]
    pub fn origin_refused() -> Self {
        Self::new(
            table::ORIGIN_REFUSED,
            "A request with a cookie must come from this site's own pages; its Origin header says otherwise.",
        )
    }

    /// 404.
    #[must_use]
    pub fn sale_not_found() -> Self {
        Self::new(table::SALE_NOT_FOUND, "Check the name of the sale in the address.")
    }

    /// 404.
    #[must_use]
    pub fn sku_not_found() -> Self {
        Self::new(table::SKU_NOT_FOUND, "The sale's page lists its SKUs.")
    }

    /// 404.
    #[must_use]
    pub fn reservation_not_found() -> Self {
        Self::new(table::RESERVATION_NOT_FOUND, "It is unknown, or it belongs to somebody else.")
    }

    /// 404.
    #[must_use]
    pub fn order_not_found() -> Self {
        Self::new(table::ORDER_NOT_FOUND, "It is unknown, or it belongs to somebody else.")
    }

    /// 404.
    #[must_use]
    pub fn route_not_found() -> Self {
        Self::new(table::ROUTE_NOT_FOUND, "Check the address.")
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(table::METHOD_NOT_ALLOWED, "The Allow header lists the methods that it answers to.")
    }

    /// 409; `None` while no time is set.
    #[must_use]
    pub fn sale_not_open(opens_at: Option<Timestamp>, now: Timestamp) -> Self {
        let problem = Self::new(
            table::SALE_NOT_OPEN,
            opens_at.map_or("It will be announced when it begins.".to_owned(), |at| {
                format!("It begins at {at}.")
            }),
        )
        .extend("opens_at", json!(opens_at))
        .extend("server_time", json!(now));
        match opens_at {
            Some(at) => problem.retry_after(seconds_up(at.duration_since(now).unsigned_abs())),
            None => problem,
        }
    }

    /// 401.
    #[must_use]
    pub fn kind_refused() -> Self {
        Self::unauthenticated("This sale does not take this kind of shopper; sign in the other way.")
    }

    /// 409.
    #[must_use]
    pub fn sale_paused() -> Self {
        Self::new(table::SALE_PAUSED, "What you hold is kept; new reservations wait until it goes on.")
            .retry_soon()
    }

    /// 409.
    #[must_use]
    pub fn sold_out(may_return: bool) -> Self {
        let detail = if may_return {
            "All units are taken, but some are only held and may return."
        } else {
            "All units are sold."
        };
        Self::new(table::SOLD_OUT, detail).extend("may_return", may_return)
    }

    /// 409, with the shopper's own reservation where there is one.
    #[must_use]
    pub fn limit_reached(limit: Option<u32>, sale: &SaleId, reservation: Option<&ReservationId>) -> Self {
        let problem = Self::new(table::LIMIT_REACHED, "You have as many units as one shopper may have.");
        let problem = match limit {
            Some(limit) => problem.extend("limit_per_shopper", limit),
            None => problem,
        };
        match reservation {
            Some(id) => problem.extend("reservation", format!("/sales/{sale}/reservations/{id}")),
            None => problem,
        }
    }

    /// 409.
    #[must_use]
    pub fn confirm_in_progress() -> Self {
        Self::new(table::CONFIRM_IN_PROGRESS, "Wait for its outcome: ask for the reservation again.")
            .retry_soon()
    }

    /// 409.
    #[must_use]
    pub fn already_ordered(order: &OrderId) -> Self {
        Self::new(table::ALREADY_ORDERED, "The order stands; only the merchant can cancel it.")
            .extend("order", format!("/orders/{order}"))
    }

    /// 409.
    #[must_use]
    pub fn order_cancelled() -> Self {
        Self::new(table::ORDER_CANCELLED, "The merchant cancelled it. A new reservation needs a new key.")
    }

    /// 409.
    #[must_use]
    pub fn unit_lost() -> Self {
        Self::new(table::UNIT_LOST, "A failure gave your units to somebody else, and no other is left.")
    }

    /// 409.
    #[must_use]
    pub fn stock_mismatch() -> Self {
        Self::new(table::STOCK_MISMATCH, "Send the present stock of each SKU, or leave the sale as it is.")
    }

    /// 409.
    #[must_use]
    pub fn sale_conflict() -> Self {
        Self::new(table::SALE_CONFLICT, "Nothing was changed. Read the sale again and repeat.").retry_soon()
    }

    /// 409.
    #[must_use]
    pub fn takeover_under_way() -> Self {
        Self::new(
            table::TAKEOVER_UNDER_WAY,
            "Nothing was changed. It goes on by itself; the report shows the units kept back.",
        )
    }

    /// 410.
    #[must_use]
    pub fn reservation_expired() -> Self {
        Self::new(table::RESERVATION_EXPIRED, "Its units went back. A new reservation needs a new key.")
    }

    /// 410.
    #[must_use]
    pub fn reservation_released() -> Self {
        Self::new(table::RESERVATION_RELEASED, "Its units went back. A new reservation needs a new key.")
    }

    /// 410.
    #[must_use]
    pub fn sale_ended() -> Self {
        Self::new(table::SALE_ENDED, "What you hold can still be confirmed until it expires.")
    }

    pub(crate) fn body_too_large(bytes_max: usize) -> Self {
        Self::new(table::BODY_TOO_LARGE, format!("At most {bytes_max} bytes are read."))
    }

    pub(crate) fn not_json() -> Self {
        Self::new(table::NOT_JSON, "Send it with Content-Type: application/json.")
    }

    /// 422.
    #[must_use]
    pub fn idempotency_key_reused() -> Self {
        Self::new(
            table::IDEMPOTENCY_KEY_REUSED,
            "A new wish needs a new key; a repeat must be the same request.",
        )
    }

    /// 429.
    #[must_use]
    pub fn quota_exceeded(retry_after: Duration) -> Self {
        Self::new(table::QUOTA_EXCEEDED, "Wait as long as Retry-After says.")
            .extend("violated_policies", json!(["shopper"]))
            .retry_after(seconds_up(retry_after))
    }

    pub(crate) fn headers_too_large(bytes_max: usize) -> Self {
        Self::new(table::HEADERS_TOO_LARGE, format!("At most {bytes_max} bytes of headers are read."))
    }

    /// 500; add the cause.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(table::INTERNAL, "Somebody has been told. Repeating does not help.")
    }

    /// 503: nothing was done.
    #[must_use]
    pub fn stock_unavailable() -> Self {
        Self::new(table::STOCK_UNAVAILABLE, "Nothing was done. Send the same request again.").retry_soon()
    }

    /// 503: nothing was done.
    #[must_use]
    pub fn ledger_unavailable() -> Self {
        Self::new(table::LEDGER_UNAVAILABLE, "Your units are kept. Send the same request again.").retry_soon()
    }

    /// 503 or 500: what a failure of the ledger means for the caller.
    #[must_use]
    pub fn ledger_failed(next: Next, error: &dyn std::error::Error) -> Self {
        let problem = match next {
            Next::NotDone => Self::ledger_unavailable(),
            Next::OutcomeUnknown => Self::outcome_unknown(),
            Next::Broken => Self::internal(),
        };
        problem.caused_by(error)
    }

    /// 503: it may have been done.
    #[must_use]
    pub fn outcome_unknown() -> Self {
        Self::new(table::OUTCOME_UNKNOWN, "The same request with the same key tells; it is never done twice.")
            .retry_soon()
    }

    /// 503.
    #[must_use]
    pub fn recovering() -> Self {
        Self::new(table::RECOVERING, "Orders stand. The sale goes on by itself.").retry_soon()
    }

    /// 503: Secrets Manager does not answer, or the settings of a function that API Gateway calls are wrong.
    #[must_use]
    pub fn secrets_unavailable() -> Self {
        Self::new(table::SECRETS_UNAVAILABLE, "Nothing was done. Send the same request again.").retry_soon()
    }

    /// 503: the identity provider's keys cannot be had.
    #[must_use]
    pub fn identity_unavailable() -> Self {
        Self::new(table::IDENTITY_UNAVAILABLE, "Nothing was done. Send the same request with the same token.")
            .retry_soon()
    }

    pub(crate) fn overloaded() -> Self {
        Self::new(table::OVERLOADED, "Nothing was done. Send the same request again.").retry_soon()
    }
}

pub(crate) fn seconds_up(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

impl From<StockError> for Problem {
    fn from(error: StockError) -> Self {
        let problem = match (&error, error.next()) {
            (StockError::Unseeded | StockError::Fenced, _) => Self::recovering(),
            (_, Next::NotDone) => Self::stock_unavailable(),
            (_, Next::OutcomeUnknown) => Self::outcome_unknown(),
            (_, Next::Broken) => Self::internal(),
        };
        problem.caused_by(&error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Content { kind, detail, mut extensions, retry_after_seconds, headers, cause } = *self.0;
        let base = PUBLIC_URL.get().map_or("", String::as_str);
        extensions.insert("type".to_owned(), format!("{base}/problems/{}", kind.slug).into());
        extensions.insert("title".to_owned(), kind.title.into());
        extensions.insert("status".to_owned(), kind.status.into());
        extensions.insert("detail".to_owned(), detail.into());
        if let Some(seconds) = retry_after_seconds {
            extensions.insert("retry_after_seconds".to_owned(), seconds.into());
        }
        let status = StatusCode::from_u16(kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Value::Object(extensions).to_string()).into_response();
        let answer = response.headers_mut();
        answer.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after_seconds {
            answer.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer.extend(headers);
        response.extensions_mut().insert(ProblemNote { slug: kind.slug, cause });
        response
    }
}
