//! The deadline of a request, as a handler takes it.

use std::convert::Infallible;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use lambda_http::Context;
use sale::Deadline;

/// Deadline of a request, unless `REQUEST_DEADLINE_MS` sets another one.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(4);

/// The longest that may be set.
pub const REQUEST_DEADLINE_MAX: Duration = Duration::from_secs(10);

/// A request ends by its deadline itself; this much later it is ended.
pub const BACKSTOP: Duration = Duration::from_millis(500);

/// Kept of Lambda's own deadline for writing the answer.
const ANSWER_RESERVE: Duration = Duration::from_millis(150);

/// By when a request must have been answered.
#[derive(Debug, Clone, Copy)]
pub struct Within(pub Deadline);

impl<S: Sync> FromRequestParts<S> for Within {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let deadline = parts.extensions.get::<Deadline>().copied();
        Ok(Self(deadline.unwrap_or_else(|| Deadline::after(Duration::from_secs(1)))))
    }
}

/// The deadline of a request: the setting's, or Lambda's where that is sooner. An emulated runtime says
/// 1970; a deadline in the past is none.
pub(crate) fn deadline_of(parts: &axum::http::Extensions, setting: Duration) -> Deadline {
    let lambda = parts.get::<Context>().and_then(|context| {
        let at = UNIX_EPOCH.checked_add(Duration::from_millis(context.deadline))?;
        at.duration_since(SystemTime::now()).ok()?.checked_sub(ANSWER_RESERVE)
    });
    Deadline::after(lambda.map_or(setting, |lambda| lambda.min(setting)))
}
