//! The rate limit of one shopper.

use spillway::ExtraFunction;

use crate::shop::{Shop, Shopper, open_sale, send, units};

async fn reserve_at(origin: &str, shop: &Shop, shopper: &Shopper, key: &str) -> crate::shop::Answer {
    let url = format!("{origin}{}", shop.path("/reservations"));
    let request = shop.http.post(url).bearer_auth(&shopper.token).header("idempotency-key", key);
    send(request.json(&serde_json::json!({ "sku": "unit", "quantity": 1 }))).await
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back_and_others_are_served() {
    let shop = open_sale(units(20)).await;
    let settings = [("RATE_LIMIT_QUOTA", "3"), ("RATE_LIMIT_WINDOW_SECONDS", "600")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let reserve = ExtraFunction::start(&shop.running, "reserve", &settings).unwrap();
    let origin = reserve.origin.clone();
    let (ann, ben) = (shop.shopper("ann"), shop.shopper("ben"));
    for left in ["2", "1", "0"] {
        let answer = reserve_at(&origin, &shop, &ann, &format!("key-{left}")).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        assert_eq!(answer.header("ratelimit-policy"), "\"shopper\";q=3;w=600");
        assert!(answer.header("ratelimit").starts_with(&format!("\"shopper\";r={left};t=")));
    }
    let refused = reserve_at(&origin, &shop, &ann, "one-more").await;
    assert_eq!(refused.told(), "429 quota-exceeded");
    assert!(refused.header("ratelimit").starts_with("\"shopper\";r=0;t="));
    let retry_after: u64 = refused.header("retry-after").parse().unwrap();
    // One of three requests in 600 seconds comes back every 200 seconds.
    assert!((1..=200).contains(&retry_after), "{retry_after}");
    assert_eq!(refused.body["violated_policies"], serde_json::json!(["shopper"]));
    let repeated = reserve_at(&origin, &shop, &ann, "key-0").await;
    assert_eq!(repeated.told(), "200 held", "a repeat finds its hold");
    assert_eq!(reserve_at(&origin, &shop, &ben, "key").await.status, 201);
    assert_eq!(shop.figures().await, "16/4/0");
}
