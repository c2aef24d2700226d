//! Who a shopper is: tokens that are none, guests and their cookie, over plain HTTP and over TLS.

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::{Method, RequestBuilder};
use sale::{Definition, ShopperKind};
use serde_json::json;
use spillway::{Stack, StackOptions};

use crate::shop::{Shop, Shopper, open_sale, open_sale_in, send, token, units};
use crate::system::empty_folder;

/// Tokens that must not open anything.
fn bad_tokens(shop: &Shop) -> Vec<(&'static str, String)> {
    let good = json!({ "sub": "ann", "exp": Timestamp::now().as_second() + 60 });
    let body = BASE64URL_NOPAD.encode(good.to_string().as_bytes());
    let unsigned =
        |alg: &str| BASE64URL_NOPAD.encode(format!("{{\"alg\":\"{alg}\",\"typ\":\"JWT\"}}").as_bytes());
    let signed = |algorithm, secret: &EncodingKey| {
        jsonwebtoken::encode(&Header::new(algorithm), &good, secret).unwrap()
    };
    let own = EncodingKey::from_base64_secret(&shop.running.shopper_secret).unwrap();
    vec![
        ("expired", token(&shop.running, "ann", -1)),
        ("signed by another", signed(Algorithm::HS256, &EncodingKey::from_secret(&[7; 32]))),
        ("of another algorithm", signed(Algorithm::HS512, &own)),
        ("alg none", format!("{}.{body}.", unsigned("none"))),
        ("unsigned", format!("{}.{body}", unsigned("HS256"))),
        ("no token", "abc".to_owned()),
        ("the merchant's", shop.running.admin_token.clone()),
        ("far too long", "x".repeat(5_000)),
    ]
}

#[tokio::test]
async fn a_token_that_is_none_opens_no_personal_route_and_changes_nothing() {
    let shop = open_sale(units(5)).await;
    let ann = shop.shopper("ann");
    let held = shop.hold(&ann, "wish").await;
    let before = shop.figures().await;
    for (fault, token) in bad_tokens(&shop) {
        let eve = Shopper { token };
        for answer in [
            shop.reserve(&eve, "wish", 1).await,
            shop.find(&eve, &held).await,
            shop.release(&eve, &held).await,
            shop.confirm(&eve, &held).await,
            shop.order(&eve, &held).await,
        ] {
            assert_eq!(answer.told(), "401 unauthenticated", "{fault}");
            assert!(!answer.header("www-authenticate").is_empty());
        }
    }
    assert_eq!(shop.figures().await, before);
}

/// A guest's cookie, `name=value`.
async fn open_session(shop: &Shop) -> String {
    let answer = send(shop.request(Method::POST, "/sessions").header("origin", &shop.running.url)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

fn guest_wish(shop: &Shop, cookie: &str) -> RequestBuilder {
    let request = shop.request(Method::POST, &shop.path("/reservations"));
    let request = request.header("cookie", cookie).header("idempotency-key", "wish");
    request.json(&json!({ "sku": "unit", "quantity": 1 }))
}

/// A guest buys; what the guest's requests are without an origin, or with another, is refused.
async fn buy_as_guest(shop: &Shop) -> String {
    let cookie = open_session(shop).await;
    let own = &shop.running.url;
    assert_eq!(send(guest_wish(shop, &cookie)).await.told(), "403 origin-refused");
    let foreign = guest_wish(shop, &cookie).header("origin", "https://evil.example");
    assert_eq!(send(foreign).await.told(), "403 origin-refused");
    let held = send(guest_wish(shop, &cookie).header("origin", own)).await;
    assert_eq!(held.told(), "201 held");
    let path = shop.path(&format!("/reservations/{}", held.field("id")));
    let found = send(shop.request(Method::GET, &path).header("cookie", &cookie)).await;
    assert_eq!(found.told(), "200 held", "reading needs no origin");
    let confirm = shop.request(Method::POST, &format!("{path}/order")).header("cookie", &cookie);
    let order = send(confirm.header("origin", own)).await;
    assert_eq!(order.told(), "201 confirmed");
    let other = open_session(shop).await;
    assert_ne!(cookie, other);
    let order = shop.request(Method::GET, &format!("/orders/{}", order.field("id"))).header("cookie", other);
    assert_eq!(send(order).await.told(), "404 order-not-found");
    cookie
}

#[tokio::test]
async fn a_guest_buys_with_the_cookie_of_a_session_and_from_the_site_s_own_pages_only() {
    let shop = open_sale(units(5)).await;
    let cookie = buy_as_guest(&shop).await;
    let forged = send(guest_wish(&shop, &format!("{cookie}x")).header("origin", &shop.running.url)).await;
    assert_eq!(forged.told(), "401 unauthenticated");
    assert_eq!(
        send(guest_wish(&shop, "").header("origin", &shop.running.url)).await.told(),
        "401 unauthenticated"
    );
    let again = shop.request(Method::POST, "/sessions").header("origin", &shop.running.url);
    let again = send(again.header("cookie", &cookie)).await;
    assert_eq!((again.status, again.header("set-cookie")), (200, ""), "who has a session keeps it");
    let elsewhere = shop.request(Method::POST, "/sessions").header("origin", "https://evil.example");
    assert_eq!(send(elsewhere).await.told(), "403 origin-refused");
}

#[tokio::test]
async fn over_tls_the_guest_s_cookie_is_bound_to_the_host_and_buys() {
    let options = StackOptions { is_tls: true, ..StackOptions::all_in(empty_folder("tls")) };
    let stack = Stack::start(options, Box::new(|_| {})).unwrap();
    let shop = open_sale_in(stack.running().unwrap(), units(5)).await;
    assert!(shop.running.url.starts_with("https://"));
    assert!(buy_as_guest(&shop).await.starts_with("__Host-spillway="));
}

#[tokio::test]
async fn a_sale_takes_only_the_kinds_of_shoppers_that_it_names() {
    let accounts = open_sale(Definition { shoppers: vec![ShopperKind::Account], ..units(5) }).await;
    let guest = guest_wish(&accounts, &open_session(&accounts).await).header("origin", &accounts.running.url);
    assert_eq!(send(guest).await.told(), "401 unauthenticated");
    let guests = open_sale(Definition { shoppers: vec![ShopperKind::Guest], ..units(5) }).await;
    assert_eq!(guests.reserve(&guests.shopper("ann"), "wish", 1).await.told(), "401 unauthenticated");
    assert_eq!(guests.figures().await, "5/0/0");
}
