//! Bearer tokens of the merchant's identity provider: JWTs, HS256.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;

use crate::Problem;
use crate::signing::TOKEN_BYTES_MAX;

const SUBJECT_BYTES_MAX: usize = 256;

#[derive(Clone, Deserialize)]
struct Claims {
    sub: String,
}

/// Verifies account tokens.
#[derive(Clone)]
pub(crate) struct Bearer {
    key: DecodingKey,
    validation: Validation,
}

impl Bearer {
    pub(crate) fn new(secret: &[u8]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        validation.validate_aud = false;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "sub"]);
        Self { key: DecodingKey::from_secret(secret), validation }
    }

    /// The subject of the request's token; `None` where there is no bearer token.
    pub(crate) fn subject(&self, headers: &HeaderMap) -> Result<Option<String>, Problem> {
        let Some(token) = token(headers)? else { return Ok(None) };
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Problem::unauthenticated("The token is longer than 4096 bytes."));
        }
        let claims = decode::<Claims>(token, &self.key, &self.validation)
            .map_err(|error| {
                Problem::unauthenticated(match error.kind() {
                    ErrorKind::ExpiredSignature => "The token's time is over. Sign in again.",
                    ErrorKind::ImmatureSignature => "The token is not valid yet.",
                    ErrorKind::MissingRequiredClaim(_) => "The token lacks `sub` or `exp`.",
                    _ => "The token is not valid. Sign in again.",
                })
            })?
            .claims;
        if (1..=SUBJECT_BYTES_MAX).contains(&claims.sub.len()) {
            Ok(Some(claims.sub))
        } else {
            Err(Problem::unauthenticated("The token's `sub` must have 1 to 256 bytes."))
        }
    }
}

/// The token of `Authorization: Bearer …`.
pub(crate) fn token(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let malformed = || Problem::unauthenticated("Send `Authorization: Bearer` and a token.");
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(malformed)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(Some(token.trim())) } else { Err(malformed()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::{Value, json};

    use super::*;

    fn token_of(algorithm: Algorithm, secret: u8, claims: &Value) -> String {
        encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(&[secret; 64])).unwrap()
    }

    fn subject_of(token: &str) -> Result<Option<String>, &'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        Bearer::new(&[1; 64]).subject(&headers).map_err(|problem| problem.slug())
    }

    fn in_seconds(seconds: i64) -> i64 {
        jiff::Timestamp::now().as_second() + seconds
    }

    #[test]
    fn a_valid_token_tells_its_subject() {
        let token = token_of(Algorithm::HS256, 1, &json!({"sub": "ann", "exp": in_seconds(60)}));
        assert_eq!(subject_of(&token), Ok(Some("ann".to_owned())));
    }

    #[test]
    fn whatever_is_wrong_with_a_token_is_unauthenticated() {
        let good = json!({"sub": "ann", "exp": in_seconds(60)});
        let none = data_encoding::BASE64URL_NOPAD.encode(br#"{"alg":"none"}"#);
        let body = data_encoding::BASE64URL_NOPAD.encode(good.to_string().as_bytes());
        for token in [
            token_of(Algorithm::HS256, 2, &good),
            token_of(Algorithm::HS512, 1, &good),
            token_of(Algorithm::HS256, 1, &json!({"sub": "ann", "exp": in_seconds(-1)})),
            token_of(Algorithm::HS256, 1, &json!({"sub": "ann"})),
            token_of(Algorithm::HS256, 1, &json!({"exp": in_seconds(60)})),
            token_of(Algorithm::HS256, 1, &json!({"sub": "", "exp": in_seconds(60)})),
            token_of(Algorithm::HS256, 1, &json!({"sub": "x".repeat(257), "exp": in_seconds(60)})),
            token_of(Algorithm::HS256, 1, &json!({"sub": 7, "exp": in_seconds(60)})),
            format!("{none}.{body}."),
            "x".repeat(5_000),
            String::new(),
        ] {
            assert_eq!(subject_of(&token), Err("unauthenticated"), "{token}");
        }
    }
}
