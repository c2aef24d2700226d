//! Bad input of every kind gets the right answer and changes nothing.

use jiff::SignedDuration;
use reqwest::{Method, RequestBuilder};
use sale::Definition;
use serde_json::json;

use crate::shop::{Shop, Shopper, open_sale, send, units};

/// A wish whose body is this text.
fn wish_of(shop: &Shop, shopper: &Shopper, body: impl Into<String>) -> RequestBuilder {
    shop.request(Method::POST, &shop.path("/reservations"))
        .bearer_auth(&shopper.token)
        .header("idempotency-key", "wish")
        .header("content-type", "application/json")
        .body(body.into())
}

#[tokio::test]
async fn a_malformed_wish_is_told_what_is_wrong_where_and_changes_nothing() {
    let shop = open_sale(units(5)).await;
    let ann = shop.shopper("ann");
    let (long, endless) = ("x".repeat(20_000), "x".repeat(200_000));
    for (body, told, pointer) in [
        ("", "400 invalid-request", ""),
        ("{", "400 invalid-request", ""),
        ("[]", "400 invalid-request", ""),
        ("null", "400 invalid-request", ""),
        (r#"{"sku":"unit","quantity":1} x"#, "400 invalid-request", ""),
        (r#"{"quantity":1}"#, "400 invalid-request", ""),
        (r#"{"sku":"unit"}"#, "400 invalid-request", ""),
        (r#"{"sku":"unit","quantity":1,"colour":"red"}"#, "400 invalid-request", "/colour"),
        (r#"{"sku":7,"quantity":1}"#, "400 invalid-request", "/sku"),
        (r#"{"sku":"Unit","quantity":1}"#, "400 invalid-request", "/sku"),
        (r#"{"sku":"unit","quantity":"1"}"#, "400 invalid-request", "/quantity"),
        (r#"{"sku":"unit","quantity":1.5}"#, "400 invalid-request", "/quantity"),
        (r#"{"sku":"unit","quantity":-1}"#, "400 invalid-request", "/quantity"),
        (r#"{"sku":"unit","quantity":0}"#, "400 invalid-request", "/quantity"),
        (r#"{"sku":"unit","quantity":11}"#, "400 invalid-request", "/quantity"),
        (r#"{"sku":"unit","quantity":99999999999}"#, "400 invalid-request", "/quantity"),
        (r#"{"sku":"other","quantity":1}"#, "404 sku-not-found", ""),
        (long.as_str(), "413 body-too-large", ""),
        (endless.as_str(), "413 body-too-large", ""),
    ] {
        let answer = send(wish_of(&shop, &ann, body)).await;
        assert_eq!(answer.told(), told, "{body:.60}: {}", answer.text);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        if told.starts_with("400") {
            assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{body:.60}: {}", answer.text);
        }
    }
    assert_eq!(shop.figures().await, "5/0/0");
    assert_eq!(shop.reserve(&ann, "wish", 1).await.told(), "201 held", "the key is not spent");
}

#[tokio::test]
async fn a_wish_needs_a_type_and_one_sane_key() {
    let shop = open_sale(units(5)).await;
    let ann = shop.shopper("ann");
    let bare = || shop.request(Method::POST, &shop.path("/reservations")).bearer_auth(&ann.token);
    let json = || bare().json(&json!({ "sku": "unit", "quantity": 1 }));
    let text = bare().header("idempotency-key", "k").header("content-type", "text/plain");
    assert_eq!(send(text.body(r#"{"sku":"unit","quantity":1}"#)).await.told(), "415 not-json");
    assert_eq!(send(json()).await.told(), "400 idempotency-key-missing");
    for key in ["\"\"", "  "] {
        assert_eq!(
            send(json().header("idempotency-key", key)).await.told(),
            "400 idempotency-key-missing",
            "{key}"
        );
    }
    for key in ["a b".to_owned(), "a\"b".to_owned(), "k".repeat(129), "k".repeat(2_000)] {
        let answer = send(json().header("idempotency-key", &key)).await;
        assert_eq!(answer.told(), "400 invalid-request", "{key:.20}");
        assert_eq!(answer.body["errors"][0]["pointer"], "header:Idempotency-Key");
    }
    let twice = json().header("idempotency-key", "a").header("idempotency-key", "b");
    assert_eq!(send(twice).await.told(), "400 invalid-request");
    assert_eq!(shop.figures().await, "5/0/0");
}

#[tokio::test]
async fn an_id_that_cannot_exist_is_answered_like_one_that_does_not() {
    let shop = open_sale(units(5)).await;
    let ann = shop.shopper("ann");
    let long = "a".repeat(10_000);
    for odd in ["0", "%F0%9F%A6%80", "a%2Fb", "A0000000000000000000000000", long.as_str()] {
        let get = |path: String| shop.request(Method::GET, &path).bearer_auth(&ann.token);
        let reservation = send(get(shop.path(&format!("/reservations/{odd}")))).await;
        assert_eq!(reservation.told(), "404 reservation-not-found", "{odd:.20}");
        assert_eq!(send(get(format!("/orders/{odd}"))).await.told(), "404 order-not-found", "{odd:.20}");
        assert_eq!(send(get(format!("/sales/{odd}/status"))).await.told(), "404 sale-not-found", "{odd:.20}");
    }
    for unreadable in ["%00".to_owned(), "a".repeat(20_000)] {
        let path = shop.path(&format!("/reservations/{unreadable}"));
        let answer = send(shop.request(Method::GET, &path).bearer_auth(&ann.token)).await;
        assert_eq!(answer.told(), "400 invalid-request", "{unreadable:.20} does not pass the gateway");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
}

#[tokio::test]
async fn a_sale_that_does_not_exist_or_has_not_begun_or_is_over_sells_nothing() {
    let shop = open_sale(units(5)).await;
    let ann = shop.shopper("ann");
    let nowhere = shop.request(Method::POST, "/sales/nowhere/reservations").bearer_auth(&ann.token);
    let nowhere = nowhere.header("idempotency-key", "k").json(&json!({ "sku": "unit", "quantity": 1 }));
    assert_eq!(send(nowhere).await.told(), "404 sale-not-found");

    let soon = units(5).closes_at - SignedDuration::from_mins(30);
    let early = open_sale(Definition { opens_at: Some(soon), ..units(5) }).await;
    let refused = early.reserve(&early.shopper("ann"), "wish", 1).await;
    assert_eq!(refused.told(), "409 sale-not-open");
    assert_eq!(&refused.field("opens_at")[..19], &soon.to_string()[..19]);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() <= 1_800);
    let unannounced = open_sale(Definition { opens_at: None, ..units(5) }).await;
    let refused = unannounced.reserve(&unannounced.shopper("ann"), "wish", 1).await;
    assert_eq!((refused.told().as_str(), &refused.body["opens_at"]), ("409 sale-not-open", &json!(null)));
}

#[tokio::test]
async fn a_definition_with_faults_is_told_each_of_them_with_its_place() {
    let shop = open_sale(units(5)).await;
    let good = serde_json::to_value(units(5)).unwrap();
    let put = |definition: &serde_json::Value| shop.admin(Method::PUT, "/sales/test-faulty").json(definition);
    for (field, value, pointer) in [
        ("title", json!(""), "/title"),
        ("title", json!("x".repeat(201)), "/title"),
        ("currency", json!("XXX"), "/currency"),
        ("currency", json!("eur"), "/currency"),
        ("opens_at", json!("2999-01-01T00:00:00Z"), "/closes_at"),
        ("opens_at", json!("yesterday"), "/opens_at"),
        ("closes_at", json!(7), "/closes_at"),
        ("hold_seconds", json!(9), "/hold_seconds"),
        ("hold_seconds", json!(3_601), "/hold_seconds"),
        ("limit_per_shopper", json!(0), "/limit_per_shopper"),
        ("limit_per_shopper", json!(11), "/limit_per_shopper"),
        ("shoppers", json!([]), "/shoppers"),
        ("shoppers", json!(["account", "account"]), "/shoppers"),
        ("shoppers", json!(["robot"]), "/shoppers/0"),
        ("skus", json!([]), "/skus"),
        ("skus", json!([good["skus"][0], good["skus"][0]]), "/skus/1/sku"),
        ("skus", json!([{"sku": "a", "title": "A", "price_minor": 1, "stock": 10_000_001}]), "/skus/0/stock"),
        ("skus", json!([{"sku": "a", "title": "A", "price_minor": -1, "stock": 1}]), "/skus/0/price_minor"),
        ("colour", json!("red"), "/colour"),
    ] {
        let mut definition = good.clone();
        definition[field] = value.clone();
        let answer = send(put(&definition)).await;
        assert_eq!(answer.told(), "400 invalid-request", "{field} {value}");
        let pointers: Vec<_> =
            answer.body["errors"].as_array().unwrap().iter().map(|e| e["pointer"].clone()).collect();
        assert!(pointers.contains(&json!(pointer)), "{field} {value}: {}", answer.text);
    }
    let unknown = send(shop.admin(Method::GET, "/sales/test-faulty")).await;
    assert_eq!(unknown.told(), "404 sale-not-found", "nothing was created");
}

#[tokio::test]
async fn no_answer_tells_what_lies_beneath() {
    let shop = open_sale(units(5)).await;
    let ann = shop.shopper("ann");
    for answer in [
        send(wish_of(&shop, &ann, "{")).await,
        send(shop.request(Method::GET, "/nothing")).await,
        send(shop.request(Method::PATCH, &shop.path("/status"))).await,
        shop.find(&ann, "0").await,
    ] {
        let text = answer.text.to_lowercase();
        for word in ["redis", "dynamo", "lua", "panick", "src/", "hyper", "axum"] {
            assert!(!text.contains(word), "{word} in {text}");
        }
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(!answer.header("x-request-id").is_empty());
    }
}
