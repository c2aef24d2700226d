//! A JWK set (RFC 7517), and which of its keys may verify a token.
//!
//! A key has one algorithm, which follows from its kind: RS256, ES256 or `EdDSA`. Symmetric keys are none of a
//! provider's public keys; others (for encryption, of other curves) are passed over, as sets hold them for
//! other purposes.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

/// Of keys that are taken.
pub(crate) const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

const KEYS_MAX: usize = 32;
const ID_BYTES_MAX: usize = 256;

/// Base64 digits of an RSA modulus of 2048 and of 4096 bits. Smaller ones can be broken; greater ones cost
/// whoever sends a forged token nothing, and us much.
pub(crate) const MODULUS_DIGITS: std::ops::RangeInclusive<usize> = 341..=684;

/// A public key of the provider.
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) decoding: DecodingKey,
}

/// Why a set gives no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SetFault {
    #[error("its answer is no JWK set")]
    NoSet,
    #[error("it has more than {KEYS_MAX} keys")]
    TooMany,
    #[error("it has no key with a `kid` for RS256, ES256 or EdDSA")]
    NoKey,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

/// The keys that may verify a token.
pub(crate) fn read(set: &[u8]) -> Result<Vec<Key>, SetFault> {
    let Set { keys } = serde_json::from_slice(set).map_err(|_| SetFault::NoSet)?;
    if keys.len() > KEYS_MAX {
        return Err(SetFault::TooMany);
    }
    let keys: Vec<_> = keys.into_iter().filter_map(|key| usable(serde_json::from_value(key).ok()?)).collect();
    if keys.is_empty() { Err(SetFault::NoKey) } else { Ok(keys) }
}

fn usable(key: Jwk) -> Option<Key> {
    let (algorithm, named) = match &key.algorithm {
        AlgorithmParameters::RSA(rsa) if MODULUS_DIGITS.contains(&rsa.n.len()) => {
            (Algorithm::RS256, KeyAlgorithm::RS256)
        }
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        _ => return None,
    };
    let common = &key.common;
    let is_for_signatures =
        common.public_key_use.as_ref().is_none_or(|used| *used == PublicKeyUse::Signature)
            && common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify))
            && common.key_algorithm.is_none_or(|own| own == named);
    let id = common.key_id.clone().filter(|id| (1..=ID_BYTES_MAX).contains(&id.len()))?;
    let decoding = DecodingKey::from_jwk(&key).ok().filter(|_| is_for_signatures)?;
    Some(Key { id, algorithm, decoding })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn edwards(id: &str, more: Value) -> Value {
        let mut key = json!({ "kty": "OKP", "crv": "Ed25519", "x": "A".repeat(43), "kid": id });
        key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        key
    }

    fn ids(keys: Value) -> Result<Vec<String>, SetFault> {
        let set = json!({ "keys": keys }).to_string();
        read(set.as_bytes()).map(|keys| keys.into_iter().map(|key| key.id).collect())
    }

    #[test]
    fn keys_for_other_purposes_and_of_other_kinds_are_passed_over() {
        let keys = json!([
            edwards("good", json!({})),
            edwards("also good", json!({ "use": "sig", "alg": "EdDSA", "key_ops": ["verify"] })),
            edwards("to encrypt", json!({ "use": "enc" })),
            edwards("to derive", json!({ "key_ops": ["deriveKey"] })),
            edwards("of another algorithm", json!({ "alg": "HS256" })),
            edwards("of another curve", json!({ "crv": "X25519" })),
            edwards("", json!({})),
            { "kty": "OKP", "crv": "Ed25519", "x": "A".repeat(43) },
            { "kty": "oct", "k": "c2VjcmV0", "kid": "symmetric" },
            { "kty": "RSA", "n": "A".repeat(171), "e": "AQAB", "kid": "1024 bits" },
            { "kty": "EC", "crv": "P-384", "x": "A".repeat(64), "y": "A".repeat(64), "kid": "P-384" },
            { "kty": "from tomorrow", "kid": "unknown" },
        ]);
        assert_eq!(ids(keys), Ok(vec!["good".to_owned(), "also good".to_owned()]));
    }

    #[test]
    fn a_set_without_a_usable_key_or_with_very_many_is_no_set() {
        assert_eq!(ids(json!([])), Err(SetFault::NoKey));
        assert_eq!(ids(json!([{ "kty": "oct", "k": "c2VjcmV0", "kid": "symmetric" }])), Err(SetFault::NoKey));
        let many: Vec<_> = (0..33).map(|number| edwards(&number.to_string(), json!({}))).collect();
        assert_eq!(ids(json!(many)), Err(SetFault::TooMany));
        assert_eq!(ids(json!(many[..32])).map(|ids| ids.len()), Ok(32));
        for text in ["", "[]", "{}", "<html>"] {
            assert!(read(text.as_bytes()).is_err_and(|fault| fault == SetFault::NoSet), "{text}");
        }
    }
}
