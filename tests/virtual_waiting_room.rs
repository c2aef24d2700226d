//! The door of the AWS Virtual Waiting Room: its paths, its tokens, and that what its users suffered from does not
//! happen here.

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use reqwest::{Method, RequestBuilder};
use sale::{Definition, WaitingRoom};
use serde::Deserialize;
use serde_json::{Value, json};
use spillway::ExtraFunction;

use crate::shop::{Answer, Shop, open_sale, send, token, units};
use crate::system::eventually;

/// A sale whose turns last so long.
async fn open_event(stock: u32, turn_seconds: u32) -> Shop {
    let room = WaitingRoom { lobby_opens_at: None, rate_per_minute: 1_000_000, turn_seconds };
    open_sale(Definition { waiting_room: Some(room), ..units(stock) }).await
}

impl Shop {
    fn assign(&self) -> RequestBuilder {
        self.request(Method::POST, "/assign_queue_num").json(&json!({ "event_id": self.sale }))
    }

    /// The id of a new request.
    pub(crate) async fn assigned(&self) -> String {
        let answer = send(self.assign()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.field("api_request_id").to_owned()
    }

    pub(crate) fn position(&self, path: &str, request: &str) -> RequestBuilder {
        let path = format!("{path}?event_id={}&request_id={request}", self.sale);
        self.request(Method::GET, &path)
    }

    pub(crate) fn counter(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, &format!("{path}?event_id={}", self.sale))
    }

    pub(crate) fn generate(&self, request: &str) -> RequestBuilder {
        let position = json!({ "event_id": self.sale, "request_id": request });
        self.request(Method::POST, "/generate_token").json(&position)
    }

    async fn number(&self, request: &str) -> Value {
        let answer = send(self.position("/queue_num", request)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.body["queue_number"].clone()
    }

    /// The tokens of this request, once its turn has come.
    async fn served(&self, request: &str) -> Answer {
        eventually("the turn", async || {
            let answer = send(self.generate(request)).await;
            assert!([200, 202].contains(&answer.status), "{}", answer.text);
            (answer.status == 200).then_some(answer)
        })
        .await
    }
}

#[derive(Clone, Deserialize)]
struct Claims {
    aud: String,
    sub: String,
    queue_position: u64,
    token_use: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    iss: String,
}

/// What a token says, to a stranger who knows the public key only.
fn verified(token: &str, key: &Key, audience: &str) -> Claims {
    let header = jsonwebtoken::decode_header(token).unwrap();
    assert_eq!((header.alg, header.kid.as_deref()), (Algorithm::RS256, Some(key.kid.as_str())));
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&[audience]);
    let decoding = DecodingKey::from_rsa_components(&key.n, &key.e).unwrap();
    jsonwebtoken::decode::<Claims>(token, &decoding, &validation).unwrap().claims
}

/// A key as a stranger reads it.
#[derive(Debug, Deserialize)]
struct Key {
    kid: String,
    n: String,
    e: String,
}

#[tokio::test]
async fn a_client_of_the_virtual_waiting_room_gets_a_number_its_turn_and_tokens_that_the_public_key_verifies()
{
    let shop = open_event(5, 600).await;
    let request = shop.assigned().await;
    let tokens = shop.served(&request).await;
    assert_eq!(shop.number(&request).await, 1);
    let key = send(shop.counter("/public_key")).await;
    let keys = send(shop.request(Method::GET, "/.well-known/jwks.json")).await;
    assert_eq!(keys.body["keys"], json!([key.body]));
    assert_eq!((key.field("kty"), key.field("alg"), key.field("use")), ("RSA", "RS256", "sig"));
    let key: Key = serde_json::from_value(key.body).unwrap();
    let own: edge::AccessKeys = shop.running.access_token_keys.parse().unwrap();
    assert_eq!(own.public().map(|key| key.kid.as_str()).collect::<Vec<_>>(), [key.kid.as_str()]);
    for (name, token_use) in [("access_token", "access"), ("refresh_token", "refresh"), ("id_token", "id")] {
        let claims = verified(tokens.field(name), &key, shop.sale.as_str());
        assert_eq!((claims.aud.as_str(), claims.sub.as_str()), (shop.sale.as_str(), request.as_str()));
        assert_eq!((claims.queue_position, claims.token_use.as_str()), (1, token_use));
        assert_eq!((claims.nbf, claims.iss.as_str()), (claims.iat, shop.running.url.as_str()));
        let lasts = claims.exp - claims.iat;
        assert!((500..=600).contains(&lasts), "{lasts} s");
    }
    assert_eq!(tokens.field("token_type"), "Bearer");
    let left = send(shop.position("/queue_pos_expiry", &request)).await;
    assert!(left.body["expires_in"].as_u64().unwrap() <= tokens.body["expires_in"].as_u64().unwrap());
    assert_eq!(send(shop.counter("/serving_num")).await.body, json!({ "serving_counter": 1 }));
    // A shopper who is known has the same place here and there.
    let ann = shop.shopper("ann");
    let ticket = send(shop.assign().bearer_auth(&ann.token)).await.field("api_request_id").to_owned();
    shop.served(&ticket).await;
    assert_eq!(send(shop.wish_with(&ann, "wish", &ticket)).await.told(), "201 held");
}

#[tokio::test]
async fn a_number_stays_the_same_however_often_it_is_asked_for_and_no_cache_keeps_it() {
    let shop = open_event(1, 600).await;
    let (first, second) = (shop.assigned().await, shop.assigned().await);
    shop.served(&first).await;
    for _ in 0..3 {
        let told = send(shop.position("/queue_num", &second)).await;
        assert_eq!((&told.body["queue_number"], &told.body["status"]), (&json!(2), &json!(1)));
        assert_eq!(told.header("cache-control"), "no-store");
        assert_eq!(shop.number(&first).await, 1);
    }
    let early = send(shop.generate(&second)).await;
    assert_eq!((early.status, early.field("message")), (202, "Others come first."));
    assert_eq!(send(shop.position("/queue_pos_expiry", &second)).await.status, 202);
    let counter = send(shop.counter("/waiting_num")).await;
    assert_eq!(counter.body, json!({ "waiting_num": 1 }));
    assert_eq!(counter.header("cache-control"), "public, max-age=1, s-maxage=1, stale-while-revalidate=5");
}

#[tokio::test]
async fn a_place_that_was_abandoned_passes_and_holds_nobody_up() {
    let shop = open_event(1, 10).await;
    let (gone, next) = (shop.assigned().await, shop.assigned().await);
    shop.served(&gone).await;
    assert_eq!(send(shop.generate(&next)).await.status, 202, "no more turns than units");
    shop.served(&next).await;
    for answer in [send(shop.generate(&gone)).await, send(shop.position("/queue_pos_expiry", &gone)).await] {
        assert_eq!(answer.told(), "410 position-expired");
    }
    assert_eq!(send(shop.position("/queue_num", &gone)).await.body["status"], -1);
}

#[tokio::test]
async fn what_is_refused_takes_no_number() {
    let shop = open_event(5, 600).await;
    let other = open_event(5, 600).await;
    let post = |body: Value| send(shop.request(Method::POST, "/assign_queue_num").json(&body));
    assert_eq!(post(json!({ "event_id": "nowhere" })).await.told(), "404 sale-not-found");
    for body in [json!({}), json!({ "event_id": "No Such" }), json!({ "event_id": shop.sale, "more": 1 })] {
        assert_eq!(post(body).await.told(), "400 invalid-request");
    }
    let plain = open_sale(units(1)).await;
    assert_eq!(send(plain.assign()).await.told(), "409 no-waiting-room");
    let request = shop.assigned().await;
    for (forged, why) in [
        (format!("{request}x"), "is no ticket that this shop has signed"),
        ("9b1d".to_owned(), "is no ticket that this shop has signed"),
        (other.assigned().await, "is of another sale"),
    ] {
        let asked = [
            shop.position("/queue_num", &forged),
            shop.position("/queue_pos_expiry", &forged),
            shop.generate(&forged),
        ];
        for asked in asked {
            let answer = send(asked).await;
            assert_eq!(answer.told(), "400 invalid-request");
            assert_eq!(answer.body["errors"], json!([{ "pointer": "/request_id", "detail": why }]));
        }
    }
    for asked in [shop.request(Method::GET, "/serving_num"), shop.request(Method::GET, "/queue_num")] {
        assert_eq!(send(asked).await.told(), "400 invalid-request");
    }
    let forged = shop.assign().bearer_auth("x");
    assert_eq!(send(forged).await.told(), "401 unauthenticated");
    assert_eq!(shop.number(&request).await, 1, "each event counts for itself");
    assert_eq!(shop.number(&shop.assigned().await).await, 2);
}

#[tokio::test]
async fn each_event_has_its_own_counter_in_the_cache_however_it_is_named() {
    let (one, other) = (open_event(5, 600).await, open_event(5, 600).await);
    other.served(&other.assigned().await).await;
    let count = async |asked: RequestBuilder| send(asked).await.body["serving_counter"].clone();
    assert_eq!(count(other.counter("/serving_num")).await, 1);
    assert_eq!(count(one.counter("/serving_num")).await, 0);
    // The same event by another name is answered, and not kept for those who name none.
    let encoded = other.request(Method::GET, &format!("/serving_num?event%5Fid={}", other.sale));
    assert_eq!(count(encoded).await, 1);
    let none = send(other.request(Method::GET, "/serving_num")).await;
    assert_eq!(none.told(), "400 invalid-request");
}

#[tokio::test]
async fn in_the_lobby_there_is_no_number_before_the_draw() {
    let opens_at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3_600);
    let room =
        WaitingRoom { lobby_opens_at: Some(jiff::Timestamp::now()), rate_per_minute: 60, turn_seconds: 60 };
    let terms = Definition { opens_at: Some(opens_at), waiting_room: Some(room), ..units(5) };
    let shop =
        open_sale(Definition { closes_at: opens_at + jiff::SignedDuration::from_hours(1), ..terms }).await;
    let request = shop.assigned().await;
    for asked in [
        shop.position("/queue_num", &request),
        shop.position("/queue_pos_expiry", &request),
        shop.generate(&request),
    ] {
        assert_eq!(send(asked).await.status, 202);
    }
    assert_eq!(send(shop.counter("/waiting_num")).await.body, json!({ "waiting_num": 1 }));
    assert_eq!(send(shop.counter("/serving_num")).await.body, json!({ "serving_counter": 0 }));
}

#[tokio::test]
async fn who_is_known_takes_no_more_numbers_than_the_rate_limit_lets_them() {
    let shop = open_event(5, 600).await;
    let settings = [("RATE_LIMIT_QUOTA", "2")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let strict = ExtraFunction::start(&shop.running, "queue", &settings).unwrap();
    let ann = token(&shop.running, "ann", 600);
    let assign = || {
        let assign = shop.http.post(format!("{}/assign_queue_num", strict.origin)).bearer_auth(&ann);
        assign.json(&json!({ "event_id": shop.sale }))
    };
    for status in [200, 200, 429] {
        let answer = send(assign()).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert!(!answer.header("ratelimit").is_empty());
    }
}

#[tokio::test]
async fn where_there_are_no_keys_there_is_no_door() {
    let shop = open_event(5, 600).await;
    let settings = [("ACCESS_TOKEN_KEYS".to_owned(), String::new())];
    let closed = ExtraFunction::start(&shop.running, "queue", &settings).unwrap();
    let at = |method: Method, path: &str| shop.http.request(method, format!("{}{path}", closed.origin));
    let query = |path: &str| format!("{path}?event_id={}&request_id=x", shop.sale);
    let position = json!({ "event_id": shop.sale, "request_id": "x" });
    for asked in [
        at(Method::POST, "/assign_queue_num").json(&json!({ "event_id": shop.sale })),
        at(Method::POST, "/generate_token").json(&position),
        at(Method::GET, &query("/queue_num")),
        at(Method::GET, &query("/queue_pos_expiry")),
        at(Method::GET, "/serving_num?event_id=x"),
        at(Method::GET, "/waiting_num?event_id=x"),
        at(Method::GET, "/public_key"),
        at(Method::GET, "/.well-known/jwks.json"),
        at(Method::GET, "/serving_num"),
        at(Method::POST, "/assign_queue_num"),
    ] {
        assert_eq!(send(asked).await.told(), "404 route-not-found");
    }
}
