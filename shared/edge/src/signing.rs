//! Keys that sign what Spillway gives out, and the purposes that keep one kind of token from passing as
//! another.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::signing_keys::{SigningKey, SigningKeys};

/// Bytes of a token that are looked at.
pub(crate) const TOKEN_BYTES_MAX: usize = 4 * 1024;

/// Named keys; the first signs, all verify.
#[derive(Clone)]
pub(crate) struct KeyRing {
    keys: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    id: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

/// What a token is for; it is the token's audience.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Guest,
    Receipt,
    Ticket,
}

impl Purpose {
    /// Whether a token of this kind is worth nothing after its time, by this process's clock.
    const fn ends_by_itself(self) -> bool {
        matches!(self, Self::Guest)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "spillway-guest",
            Self::Receipt => "spillway-receipt",
            Self::Ticket => "spillway-ticket",
        }
    }
}

/// A token that this ring did not sign for this purpose, or whose time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidToken;

impl KeyRing {
    pub(crate) fn new(keys: &SigningKeys) -> Self {
        let key = |SigningKey { id, secret }: &SigningKey| Key {
            id: id.clone(),
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
        };
        Self { keys: keys.keys().iter().map(key).collect() }
    }

    /// A ring of these keys, each 32 times a byte.
    #[cfg(test)]
    #[allow(clippy::unwrap_used)]
    pub(crate) fn of(keys: &[(&str, u8)]) -> Self {
        use data_encoding::BASE64;
        let keys: Vec<_> =
            keys.iter().map(|(id, byte)| format!("{id}:{}", BASE64.encode(&[*byte; 32]))).collect();
        Self::new(&keys.join(",").parse().unwrap())
    }

    /// Signs these claims, which hold `aud` for the purpose and `exp`.
    pub(crate) fn sign<T: Serialize>(&self, claims: &T) -> Result<String, jsonwebtoken::errors::Error> {
        let key = &self.keys[0];
        encode(&Header { kid: Some(key.id.clone()), ..Header::new(Algorithm::HS256) }, claims, &key.encoding)
    }

    /// The claims of a token that one of these keys signed for this purpose.
    pub(crate) fn verify<T>(&self, purpose: Purpose, token: &str) -> Result<T, InvalidToken>
    where
        T: DeserializeOwned + Clone,
    {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(InvalidToken);
        }
        let id = decode_header(token).ok().and_then(|header| header.kid).ok_or(InvalidToken)?;
        let key = self.keys.iter().find(|key| key.id == id).ok_or(InvalidToken)?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        validation.validate_exp = purpose.ends_by_itself();
        validation.set_audience(&[purpose.as_str()]);
        validation.set_required_spec_claims(&["exp", "aud"]);
        decode(token, &key.decoding, &validation).map(|token| token.claims).map_err(|_| InvalidToken)
    }
}

impl Purpose {
    /// The `aud` claim.
    pub(crate) fn audience(self) -> String {
        self.as_str().to_owned()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Claims {
        aud: String,
        exp: i64,
    }

    fn ring(id: &str, byte: u8) -> KeyRing {
        KeyRing::of(&[(id, byte)])
    }

    fn claims(purpose: Purpose, seconds: i64) -> Claims {
        Claims { aud: purpose.audience(), exp: jiff::Timestamp::now().as_second() + seconds }
    }

    #[test]
    fn a_token_serves_its_own_purpose_only() {
        let token = ring("a", 1).sign(&claims(Purpose::Guest, 60)).unwrap();
        assert!(ring("a", 1).verify::<Claims>(Purpose::Guest, &token).is_ok());
        assert_eq!(ring("a", 1).verify::<Claims>(Purpose::Receipt, &token), Err(InvalidToken));
    }

    #[test]
    fn a_token_of_another_key_or_an_unknown_key_or_a_past_time_is_refused() {
        let token = ring("a", 1).sign(&claims(Purpose::Guest, 60)).unwrap();
        assert!(ring("a", 2).verify::<Claims>(Purpose::Guest, &token).is_err());
        assert!(ring("b", 1).verify::<Claims>(Purpose::Guest, &token).is_err());
        let past = ring("a", 1).sign(&claims(Purpose::Guest, -1)).unwrap();
        assert!(ring("a", 1).verify::<Claims>(Purpose::Guest, &past).is_err());
    }

    #[test]
    fn a_token_without_a_signature_is_refused() {
        let signed = ring("a", 1).sign(&claims(Purpose::Guest, 60)).unwrap();
        let body = signed.split('.').nth(1).unwrap();
        let header = data_encoding::BASE64URL_NOPAD.encode(br#"{"alg":"none","typ":"JWT","kid":"a"}"#);
        for forged in [format!("{header}.{body}."), format!("{header}.{body}"), String::new()] {
            assert!(ring("a", 1).verify::<Claims>(Purpose::Guest, &forged).is_err());
        }
    }

    #[test]
    fn the_first_key_signs_and_all_verify() {
        let old = ring("a", 1).sign(&claims(Purpose::Guest, 60)).unwrap();
        let both = KeyRing::of(&[("b", 2), ("a", 1)]);
        assert!(both.verify::<Claims>(Purpose::Guest, &old).is_ok());
        let new = both.sign(&claims(Purpose::Guest, 60)).unwrap();
        assert!(ring("b", 2).verify::<Claims>(Purpose::Guest, &new).is_ok());
    }
}
