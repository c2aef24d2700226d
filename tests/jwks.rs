//! Shoppers whose tokens the provider's public keys verify.

use data_encoding::BASE64URL_NOPAD;
use futures_util::future::join_all;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use spillway::ExtraFunction;

use crate::provider::{IdentityProvider, Mood, Signer, claims};
use crate::shop::{Answer, Shop, open_sale, send, units};
use crate::system::eventually;

/// A function that trusts this provider, and a sale.
struct Door {
    shop: Shop,
    function: ExtraFunction,
}

impl Door {
    async fn of(provider: &IdentityProvider) -> Self {
        let shop = open_sale(units(50)).await;
        let function = ExtraFunction::start(&shop.running, "reserve", &provider.settings()).unwrap();
        Self { shop, function }
    }

    async fn reserve(&self, token: &str) -> Answer {
        let url = format!("{}{}", self.function.origin, self.shop.path("/reservations"));
        let wish = self.shop.http.post(url).bearer_auth(token).header("idempotency-key", "k");
        send(wish.json(&json!({ "sku": "unit", "quantity": 1 }))).await
    }
}

#[tokio::test]
async fn tokens_of_each_public_algorithm_buy_and_the_keys_are_fetched_once() {
    let signers = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA]
        .map(|algorithm| Signer::new(&format!("{algorithm:?}"), algorithm));
    let provider = IdentityProvider::start(&signers.each_ref()).await;
    let door = Door::of(&provider).await;
    assert_eq!(provider.asked(), 0, "nothing is fetched at the start");
    for signer in &signers {
        let answer = door.reserve(&signer.token(&signer.id)).await;
        assert_eq!(answer.told(), "201 held", "{}", signer.id);
    }
    assert_eq!(provider.asked(), 1);
}

/// A token whose header is this.
fn with_header(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    format!("{}.{}.{signature}", part(header), part(claims))
}

/// Tokens that must not open anything, of a provider whose keys are these.
fn forged(rsa: &Signer, ec: &Signer) -> Vec<(&'static str, String)> {
    let good = claims("ann");
    let public = rsa.public();
    let hs256 = |secret: &[u8]| {
        let header = Header { kid: Some(rsa.id.clone()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &good, &EncodingKey::from_secret(secret)).unwrap()
    };
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        rsa.sign(&claims)
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        rsa.sign(&claims)
    };
    let now = Timestamp::now().as_second();
    let genuine = rsa.token("ann");
    let signature = genuine.rsplit('.').next().unwrap();
    let no_id = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &good, &rsa.key).unwrap();
    vec![
        ("HS256 with the public key's text", hs256(public["n"].as_str().unwrap().as_bytes())),
        ("HS256 with the public key's bytes", {
            hs256(&BASE64URL_NOPAD.decode(public["n"].as_str().unwrap().as_bytes()).unwrap())
        }),
        ("HS256 with the whole public key", hs256(public.to_string().as_bytes())),
        ("alg none", with_header(&json!({ "alg": "none", "kid": rsa.id }), &good, "")),
        (
            "alg none with a signature",
            with_header(&json!({ "alg": "none", "kid": rsa.id }), &good, signature),
        ),
        ("an algorithm that is not the key's", { Signer { id: rsa.id.clone(), ..ec.clone() }.token("ann") }),
        ("RS512 of the right key", {
            let header = Header { kid: Some(rsa.id.clone()), ..Header::new(Algorithm::RS512) };
            jsonwebtoken::encode(&header, &good, &rsa.key).unwrap()
        }),
        ("another key of the same name", Signer::new(&rsa.id, Algorithm::RS256).token("ann")),
        (
            "another's signature",
            with_header(&json!({ "alg": "RS256", "kid": rsa.id }), &claims("eve"), signature),
        ),
        ("no kid", no_id),
        ("expired", with("exp", json!(now - 60))),
        ("not yet valid", with("nbf", json!(now + 60))),
        ("for another audience", with("aud", json!("another"))),
        ("of another issuer", with("iss", json!("https://identity.example.evil"))),
        ("without a subject", without("sub")),
        ("without an end", without("exp")),
        ("without an audience", without("aud")),
        ("without an issuer", without("iss")),
        ("far too long", "x".repeat(5_000)),
    ]
}

#[tokio::test]
async fn forged_tokens_and_those_for_somebody_else_are_refused() {
    let (rsa, ec) = (Signer::new("rsa", Algorithm::RS256), Signer::new("ec", Algorithm::ES256));
    let provider = IdentityProvider::start(&[&rsa, &ec]).await;
    let door = Door::of(&provider).await;
    for (fault, token) in forged(&rsa, &ec) {
        assert_eq!(door.reserve(&token).await.told(), "401 unauthenticated", "{fault}");
    }
    assert_eq!(door.shop.figures().await, "50/0/0");
    assert_eq!(door.reserve(&rsa.token("ann")).await.told(), "201 held", "the genuine one");
}

#[tokio::test]
async fn a_token_of_a_new_key_is_taken_at_once_and_one_of_a_withdrawn_key_no_more() {
    let (old, new) = (Signer::new("old", Algorithm::ES256), Signer::new("new", Algorithm::ES256));
    let provider = IdentityProvider::start(&[&old]).await;
    let door = Door::of(&provider).await;
    assert_eq!(door.reserve(&old.token("ann")).await.told(), "201 held");
    provider.publish(&[&new]);
    assert_eq!(door.reserve(&old.token("ann")).await.told(), "200 held", "the keys are kept for a while");
    assert_eq!(door.reserve(&new.token("ben")).await.told(), "201 held");
    assert_eq!(door.reserve(&old.token("ann")).await.told(), "401 unauthenticated");
    assert_eq!(provider.asked(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_made_up_key_names_is_no_storm_for_the_provider() {
    let signer = Signer::new("known", Algorithm::EdDSA);
    let provider = IdentityProvider::start(&[&signer]).await;
    let door = Door::of(&provider).await;
    let storm: Vec<_> = (0..200)
        .map(|number| Signer { id: format!("made-up-{number}"), ..signer.clone() }.token("eve"))
        .collect();
    let answers = join_all(storm.iter().map(|token| door.reserve(token))).await;
    for answer in answers {
        assert_eq!(answer.told(), "401 unauthenticated");
    }
    assert_eq!(provider.asked(), 2, "once for the keys, once for the new ones that there might be");
    assert_eq!(door.reserve(&signer.token("ann")).await.told(), "201 held");
}

#[tokio::test]
async fn while_the_provider_s_keys_cannot_be_had_nobody_is_called_a_forger() {
    let signer = Signer::new("key", Algorithm::EdDSA);
    let provider = IdentityProvider::start(&[&signer]).await;
    for mood in [Mood::Down, Mood::Redirecting, Mood::Endless] {
        provider.is(mood);
        let door = Door::of(&provider).await;
        let before = provider.asked();
        for _ in 0..20 {
            let answer = door.reserve(&signer.token("ann")).await;
            assert_eq!(answer.told(), "503 identity-unavailable", "{mood:?}");
            assert!(!answer.header("retry-after").is_empty());
        }
        assert!(provider.asked() - before <= 2, "a failure is no storm");
        provider.is(Mood::Answering);
        let served = async || (door.reserve(&signer.token("ann")).await.told() == "201 held").then_some(());
        eventually("that the keys are there", served).await;
    }
}

#[tokio::test]
async fn keys_that_are_known_serve_on_while_the_provider_is_down_and_what_they_cannot_decide_is_not_a_401() {
    let (known, new) = (Signer::new("known", Algorithm::EdDSA), Signer::new("new", Algorithm::EdDSA));
    let provider = IdentityProvider::start(&[&known]).await;
    let door = Door::of(&provider).await;
    assert_eq!(door.reserve(&known.token("ann")).await.told(), "201 held");
    provider.is(Mood::Down);
    assert_eq!(door.reserve(&new.token("ben")).await.told(), "503 identity-unavailable");
    assert_eq!(door.reserve(&known.token("ann")).await.told(), "200 held");
}

#[tokio::test]
async fn a_request_without_a_token_asks_no_provider() {
    let provider = IdentityProvider::start(&[]).await;
    provider.is(Mood::Down);
    let door = Door::of(&provider).await;
    let url =
        format!("{}{}", door.function.origin, door.shop.path("/reservations/00000000000000000000000000"));
    assert_eq!(send(door.shop.http.get(url)).await.told(), "401 unauthenticated");
    assert_eq!(provider.asked(), 0);
}
