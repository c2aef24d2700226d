//! `RateLimit` and `RateLimit-Policy` as the IETF draft (10) says.

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use sale::{Quota, RateLimit};

use crate::Problem;

/// The two headers of an answer that was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimitHeaders {
    policy: String,
    state: Option<String>,
}

impl RateLimitHeaders {
    /// The policy, and what is left of it where it was looked at.
    #[must_use]
    pub fn new(limit: RateLimit, quota: Option<Quota>) -> Self {
        let state = quota.map(|quota| {
            let seconds = quota.reset.as_millis().div_ceil(1_000);
            format!("\"shopper\";r={};t={seconds}", quota.remaining)
        });
        Self { policy: format!("\"shopper\";q={};w={}", limit.quota, limit.window.as_secs()), state }
    }

    /// The answer with both headers.
    pub fn attach(&self, answer: Result<Response, Problem>) -> Result<Response, Problem> {
        match answer {
            Ok(mut response) => {
                response.headers_mut().extend(self.pairs());
                Ok(response)
            }
            Err(problem) => {
                Err(self.pairs().fold(problem, |problem, (name, value)| problem.with_header(name, value)))
            }
        }
    }

    fn pairs(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> + '_ {
        let policy = (HeaderName::from_static("ratelimit-policy"), self.policy.as_str());
        let state = self.state.as_deref().map(|state| (HeaderName::from_static("ratelimit"), state));
        [Some(policy), state]
            .into_iter()
            .flatten()
            .filter_map(|(name, text)| Some((name, text.parse().ok()?)))
    }
}
