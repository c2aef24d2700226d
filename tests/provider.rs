//! An identity provider with public keys: signs tokens, publishes its keys, and counts who asks for them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use rsa::pkcs1::EncodeRsaPrivateKey;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) const ISSUER: &str = "https://identity.example";
pub(crate) const AUDIENCE: &str = "spillway";

/// A key pair and its name.
#[derive(Clone)]
pub(crate) struct Signer {
    pub(crate) id: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) key: EncodingKey,
}

impl Signer {
    pub(crate) fn new(id: &str, algorithm: Algorithm) -> Self {
        let key = match algorithm {
            Algorithm::RS256 => {
                let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2_048).unwrap();
                EncodingKey::from_rsa_der(key.to_pkcs1_der().unwrap().as_bytes())
            }
            Algorithm::ES256 => {
                let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
                EncodingKey::from_ec_der(&pair.serialize_der())
            }
            Algorithm::EdDSA => {
                // PKCS #8 around 32 random bytes.
                let mut der = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
                der.extend(rand::random::<[u8; 32]>());
                EncodingKey::from_ed_der(&der)
            }
            other => panic!("{other:?} is no algorithm of public keys here"),
        };
        Self { id: id.to_owned(), algorithm, key }
    }

    /// What the provider publishes of it.
    pub(crate) fn public(&self) -> Value {
        let mut key = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        key.common.key_id = Some(self.id.clone());
        serde_json::to_value(key).unwrap()
    }

    /// A token of these claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.id.clone()), ..Header::new(self.algorithm) };
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }

    pub(crate) fn token(&self, subject: &str) -> String {
        self.sign(&claims(subject))
    }
}

/// Claims that are as they must be.
pub(crate) fn claims(subject: &str) -> Value {
    let exp = Timestamp::now().as_second() + 600;
    json!({ "sub": subject, "exp": exp, "iss": ISSUER, "aud": AUDIENCE })
}

/// What the provider answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Answering,
    Down,
    /// It sends on to its keys, at another address.
    Redirecting,
    /// More than anybody expects.
    Endless,
}

/// A running provider; it ends with the test's runtime.
pub(crate) struct IdentityProvider {
    url: String,
    inside: Arc<Inside>,
}

struct Inside {
    keys: Mutex<Vec<Value>>,
    mood: Mutex<Mood>,
    asked: AtomicUsize,
}

impl IdentityProvider {
    pub(crate) async fn start(signers: &[&Signer]) -> Self {
        let inside = Arc::new(Inside {
            keys: Mutex::default(),
            mood: Mutex::new(Mood::Answering),
            asked: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/keys", get(keys)).route("/moved", get(published));
        let router = router.with_state(inside.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let provider = Self { url, inside };
        provider.publish(signers);
        provider
    }

    pub(crate) fn publish(&self, signers: &[&Signer]) {
        *self.inside.keys.lock().unwrap() = signers.iter().map(|signer| signer.public()).collect();
    }

    pub(crate) fn is(&self, mood: Mood) {
        *self.inside.mood.lock().unwrap() = mood;
    }

    /// How often its keys were asked for.
    pub(crate) fn asked(&self) -> usize {
        self.inside.asked.load(Ordering::SeqCst)
    }

    /// The settings of a function that trusts this provider.
    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        let url = format!("{}/keys", self.url);
        [
            ("SHOPPER_SECRET", ""),
            ("SHOPPER_JWKS_URL", &url),
            ("SHOPPER_ISSUER", ISSUER),
            ("SHOPPER_AUDIENCE", AUDIENCE),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }
}

async fn keys(state: State<Arc<Inside>>) -> Response {
    state.asked.fetch_add(1, Ordering::SeqCst);
    let mood = *state.mood.lock().unwrap();
    match mood {
        Mood::Answering => published(state).await,
        Mood::Down => StatusCode::BAD_GATEWAY.into_response(),
        Mood::Redirecting => (StatusCode::FOUND, [(LOCATION, "/moved")]).into_response(),
        Mood::Endless => " ".repeat(10_000_000).into_response(),
    }
}

async fn published(State(inside): State<Arc<Inside>>) -> Response {
    axum::Json(json!({ "keys": *inside.keys.lock().unwrap() })).into_response()
}
