//! The `Idempotency-Key` header: a quoted string as the IETF draft says, or a bare one.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use sale::IdempotencyKey;

use crate::Problem;
use crate::fields::invalid_fields;

/// The request's idempotency key.
#[derive(Debug, Clone)]
pub struct RequestKey(pub IdempotencyKey);

impl<S: Send + Sync> FromRequestParts<S> for RequestKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read(&parts.headers).map(Self)
    }
}

fn read(headers: &HeaderMap) -> Result<IdempotencyKey, Problem> {
    let invalid = |detail: &str| invalid_fields("header:Idempotency-Key", detail);
    let mut values = headers.get_all("idempotency-key").iter();
    let value = values.next().ok_or_else(Problem::idempotency_key_missing)?;
    if values.next().is_some() {
        return Err(invalid("is given more than once"));
    }
    let text = value.to_str().map_err(|_| invalid("has characters that are not visible ASCII"))?.trim();
    let is_quoted = text.len() >= 2 && text.starts_with('"') && text.ends_with('"');
    let bare = if is_quoted { &text[1..text.len() - 1] } else { text };
    if bare.is_empty() {
        return Err(Problem::idempotency_key_missing());
    }
    if bare.contains('"') || bare.contains('\\') {
        return Err(invalid("has a quote or a backslash within"));
    }
    IdempotencyKey::parse(bare).map_err(|error| invalid(&error.to_string()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn key_of(values: &[&str]) -> Result<String, &'static str> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("idempotency-key", value.parse().unwrap());
        }
        read(&headers).map(|key| key.as_str().to_owned()).map_err(|problem| problem.slug())
    }

    #[test]
    fn quoted_and_bare_keys_are_the_same_key() {
        assert_eq!(key_of(&["\"abc\""]).unwrap(), "abc");
        assert_eq!(key_of(&["abc"]).unwrap(), "abc");
    }

    #[test]
    fn a_missing_key_and_a_malformed_key_are_different_problems() {
        assert_eq!(key_of(&[]), Err("idempotency-key-missing"));
        assert_eq!(key_of(&["\"\""]), Err("idempotency-key-missing"));
        assert_eq!(key_of(&["a b"]), Err("invalid-request"));
        assert_eq!(key_of(&["a", "b"]), Err("invalid-request"));
        assert_eq!(key_of(&["a\"b"]), Err("invalid-request"));
        assert_eq!(key_of(&[&"k".repeat(129)]), Err("invalid-request"));
    }
}
