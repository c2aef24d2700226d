//! Access tokens: proof for whoever guards another shop that it is somebody's turn. They are signed with RS256, so that
//! public keys verify them, as clients of the AWS Virtual Waiting Room expect.

use std::str::FromStr;
use std::sync::Arc;

use api::PublicKey;
use data_encoding::BASE64;
use jiff::Timestamp;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use sale::SaleId;
use serde::Serialize;

use crate::Problem;
use crate::provider_keys::MODULUS_DIGITS;

/// The one that signs, and those that signed before it.
const KEYS_MAX: usize = 4;

/// Keys of access tokens; the first signs, the public parts of all are published. There may be none: then the door that
/// gives such tokens is closed.
#[derive(Clone, Default)]
pub struct AccessKeys {
    keys: Arc<[Key]>,
}

struct Key {
    encoding: EncodingKey,
    public: PublicKey,
}

/// Whose turn it is, and until when.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// The sale.
    pub event: &'a SaleId,
    /// The ticket by which it was asked.
    pub request: &'a str,
    /// The place.
    pub place: u64,
    /// Origin of the shop that says so.
    pub issuer: &'a str,
    /// From when the turn is known to last.
    pub now: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a SaleId,
    sub: &'a str,
    queue_position: u64,
    token_use: &'static str,
    iat: i64,
    nbf: i64,
    exp: i64,
    iss: &'a str,
}

impl AccessKeys {
    /// The public keys, the one that signs first.
    pub fn public(&self) -> impl Iterator<Item = &PublicKey> {
        self.keys.iter().map(|key| &key.public)
    }

    /// A token for this use.
    pub fn sign(&self, access: Access<'_>, token_use: &'static str) -> Result<String, Problem> {
        let key = self.keys.first().ok_or_else(Problem::route_not_found)?;
        let Access { event, request, place, issuer, now, until } = access;
        let (iat, exp) = (now.as_second(), until.as_second());
        let claims = Claims {
            aud: event,
            sub: request,
            queue_position: place,
            token_use,
            iat,
            nbf: iat,
            exp,
            iss: issuer,
        };
        let header = Header { kid: Some(key.public.kid.clone()), ..Header::new(Algorithm::RS256) };
        encode(&header, &claims, &key.encoding).map_err(|error| Problem::internal().caused_by(&error))
    }
}

impl FromStr for AccessKeys {
    type Err = &'static str;

    /// Private keys in base64, separated by commas.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let keys = text.split(',').map(|part| Key::read(part.trim()));
        let keys: Vec<_> = keys
            .collect::<Option<_>>()
            .ok_or("has a part that is not base64 of an RSA key of 2048 to 4096 bits in PKCS#1 DER")?;
        if keys.len() > KEYS_MAX {
            return Err("has more than 4 keys");
        }
        Ok(Self { keys: keys.into() })
    }
}

impl Key {
    fn read(text: &str) -> Option<Self> {
        let encoding = EncodingKey::from_rsa_der(&BASE64.decode(text.as_bytes()).ok()?);
        let jwk = Jwk::from_encoding_key(&encoding, Algorithm::RS256).ok()?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).ok()?;
        let AlgorithmParameters::RSA(parts) = jwk.algorithm else { return None };
        if !MODULUS_DIGITS.contains(&parts.n.len()) {
            return None;
        }
        let public = PublicKey { kty: "RSA", alg: "RS256", usage: "sig", kid, n: parts.n, e: parts.e };
        Some(Self { encoding, public })
    }
}
