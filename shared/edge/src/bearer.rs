//! Bearer tokens of the merchant's identity provider: JWTs that its secret (HS256) or its public keys verify.
//!
//! A token does not choose how it is verified. With a secret it is HS256; else the key that its `kid` names
//! says which algorithm is its own.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use sale::Deadline;
use serde::Deserialize;

use crate::Problem;
use crate::provider::{Provider, Wanted};
use crate::provider_keys::ALGORITHMS;
use crate::signing::TOKEN_BYTES_MAX;

const SUBJECT_BYTES_MAX: usize = 256;

/// Whether this can be the `sub` of an account's token.
#[must_use]
pub fn is_subject(text: &str) -> bool {
    (1..=SUBJECT_BYTES_MAX).contains(&text.len())
}

/// Between the provider's clock and this one, where they are not the same merchant's.
const LEEWAY_SECONDS: u64 = 5;

#[derive(Clone, Deserialize)]
struct Claims {
    sub: String,
}

/// Verifies account tokens.
#[derive(Clone)]
pub(crate) struct Bearer {
    keys: Keys,
    /// What must hold of a token, for each algorithm that a key may have.
    validations: Vec<Validation>,
}

/// What a token must say of itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected {
    pub(crate) issuer: Option<String>,
    pub(crate) audience: Option<String>,
}

impl Expected {
    fn validation(&self, algorithm: Algorithm, leeway_seconds: u64) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = leeway_seconds;
        validation.validate_nbf = true;
        let mut required = vec!["exp", "sub"];
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        match &self.audience {
            Some(audience) => {
                validation.set_audience(&[audience]);
                required.push("aud");
            }
            None => validation.validate_aud = false,
        }
        validation.set_required_spec_claims(&required);
        validation
    }
}

#[derive(Clone)]
enum Keys {
    Secret(DecodingKey),
    Provider(Arc<Provider>),
}

impl Bearer {
    pub(crate) fn of_secret(secret: &[u8], expected: &Expected) -> Self {
        let validations = vec![expected.validation(Algorithm::HS256, 0)];
        Self { keys: Keys::Secret(DecodingKey::from_secret(secret)), validations }
    }

    pub(crate) fn of_provider(provider: Arc<Provider>, expected: &Expected) -> Self {
        let validation = |algorithm| expected.validation(algorithm, LEEWAY_SECONDS);
        Self { keys: Keys::Provider(provider), validations: ALGORITHMS.map(validation).to_vec() }
    }

    /// The subject of the request's token; `None` where there is no bearer token.
    pub(crate) async fn subject(
        &self,
        headers: &HeaderMap,
        deadline: Deadline,
    ) -> Result<Option<String>, Problem> {
        let Some(token) = token(headers)? else { return Ok(None) };
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Problem::unauthenticated("The token is longer than 4096 bytes."));
        }
        let claims = match &self.keys {
            Keys::Secret(key) => self.claims(token, key, Algorithm::HS256)?,
            Keys::Provider(provider) => {
                let id = decode_header(token).ok().and_then(|header| header.kid).ok_or_else(invalid)?;
                match provider.key(&id, deadline).await {
                    Wanted::Found(key) => self.claims(token, &key.decoding, key.algorithm)?,
                    Wanted::Unknown => return Err(invalid()),
                    Wanted::Undecided => return Err(Problem::identity_unavailable()),
                }
            }
        };
        if is_subject(&claims.sub) {
            Ok(Some(claims.sub))
        } else {
            Err(Problem::unauthenticated("The token's `sub` must have 1 to 256 bytes."))
        }
    }

    fn claims(&self, token: &str, key: &DecodingKey, algorithm: Algorithm) -> Result<Claims, Problem> {
        let validation = self.validations.iter().find(|validation| validation.algorithms == [algorithm]);
        let decoded = decode::<Claims>(token, key, validation.ok_or_else(invalid)?).map_err(|error| {
            Problem::unauthenticated(match error.kind() {
                ErrorKind::ExpiredSignature => "The token's time is over. Sign in again.",
                ErrorKind::ImmatureSignature => "The token is not valid yet.",
                ErrorKind::InvalidIssuer | ErrorKind::InvalidAudience => "The token is for somebody else.",
                ErrorKind::MissingRequiredClaim(_) => "The token lacks a claim that it must have.",
                _ => return invalid(),
            })
        })?;
        Ok(decoded.claims)
    }
}

fn invalid() -> Problem {
    Problem::unauthenticated("The token is not valid. Sign in again.")
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

    async fn subject_for(expected: Expected, token: &str) -> Result<Option<String>, &'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        let bearer = Bearer::of_secret(&[1; 64], &expected);
        let deadline = Deadline::after(std::time::Duration::from_secs(1));
        bearer.subject(&headers, deadline).await.map_err(|problem| problem.slug())
    }

    async fn subject_of(token: &str) -> Result<Option<String>, &'static str> {
        subject_for(Expected::default(), token).await
    }

    fn in_seconds(seconds: i64) -> i64 {
        jiff::Timestamp::now().as_second() + seconds
    }

    #[tokio::test]
    async fn a_valid_token_tells_its_subject() {
        let token = token_of(Algorithm::HS256, 1, &json!({"sub": "ann", "exp": in_seconds(60)}));
        assert_eq!(subject_of(&token).await, Ok(Some("ann".to_owned())));
    }

    #[tokio::test]
    async fn whatever_is_wrong_with_a_token_is_unauthenticated() {
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
            assert_eq!(subject_of(&token).await, Err("unauthenticated"), "{token}");
        }
    }

    #[tokio::test]
    async fn where_an_issuer_and_an_audience_are_named_a_token_must_name_them_too() {
        let expected = || Expected { issuer: Some("i".to_owned()), audience: Some("a".to_owned()) };
        let token = |claims: Value| token_of(Algorithm::HS256, 1, &claims);
        let exp = in_seconds(60);
        let good = token(json!({"sub": "ann", "exp": exp, "iss": "i", "aud": ["b", "a"]}));
        assert_eq!(subject_for(expected(), &good).await, Ok(Some("ann".to_owned())));
        for claims in [
            json!({"sub": "ann", "exp": exp}),
            json!({"sub": "ann", "exp": exp, "iss": "i"}),
            json!({"sub": "ann", "exp": exp, "aud": "a"}),
            json!({"sub": "ann", "exp": exp, "iss": "j", "aud": "a"}),
            json!({"sub": "ann", "exp": exp, "iss": "i", "aud": ["b"]}),
        ] {
            assert_eq!(
                subject_for(expected(), &token(claims.clone())).await,
                Err("unauthenticated"),
                "{claims}"
            );
        }
    }
}
