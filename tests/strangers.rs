//! Knowing an id is not enough: whatever is personal is there for its own shopper only.

use reqwest::Method;

use crate::shop::{Answer, open_sale, send, units};

const UNKNOWN: &str = "00000000000000000000000000";

/// An answer without what differs in every answer.
fn content(answer: &Answer) -> (String, String) {
    (answer.told(), answer.text.clone())
}

#[tokio::test]
async fn another_shopper_s_ids_are_answered_like_ids_that_never_were() {
    let shop = open_sale(units(5)).await;
    let (ann, eve) = (shop.shopper("ann"), shop.shopper("eve"));
    let (held, ordered) = (shop.hold(&ann, "a").await, shop.hold(&ann, "b").await);
    let order = shop.confirm(&ann, &ordered).await.field("id").to_owned();
    let before = shop.figures().await;
    for id in [&held, &ordered] {
        assert_eq!(content(&shop.find(&eve, id).await), content(&shop.find(&eve, UNKNOWN).await));
        assert_eq!(content(&shop.release(&eve, id).await), content(&shop.release(&eve, UNKNOWN).await));
        assert_eq!(content(&shop.confirm(&eve, id).await), content(&shop.confirm(&eve, UNKNOWN).await));
    }
    assert_eq!(shop.find(&eve, &held).await.told(), "404 reservation-not-found");
    assert_eq!(content(&shop.order(&eve, &order).await), content(&shop.order(&eve, UNKNOWN).await));
    assert_eq!(shop.order(&eve, &order).await.told(), "404 order-not-found");
    assert_eq!(shop.figures().await, before);
    assert_eq!(shop.confirm(&ann, &held).await.told(), "201 confirmed", "nothing was lost");
}

#[tokio::test]
async fn a_reservation_is_not_found_under_another_sale() {
    let (shop, other) = (open_sale(units(5)).await, open_sale(units(5)).await);
    let ann = shop.shopper("ann");
    let id = shop.hold(&ann, "a").await;
    let elsewhere = other.request(Method::GET, &other.path(&format!("/reservations/{id}")));
    assert_eq!(send(elsewhere.bearer_auth(&ann.token)).await.told(), "404 reservation-not-found");
}

#[tokio::test]
async fn a_shopper_s_token_does_not_open_the_merchant_s_door() {
    let shop = open_sale(units(5)).await;
    let (sale, shopper) = (&shop.sale, shop.shopper("ann"));
    let routes = [
        (Method::GET, "/admin/sales".to_owned()),
        (Method::GET, format!("/admin/sales/{sale}")),
        (Method::PUT, format!("/admin/sales/{sale}")),
        (Method::POST, format!("/admin/sales/{sale}/open")),
        (Method::POST, format!("/admin/sales/{sale}/pause")),
        (Method::POST, format!("/admin/sales/{sale}/resume")),
        (Method::POST, format!("/admin/sales/{sale}/close")),
        (Method::GET, format!("/admin/sales/{sale}/report")),
        (Method::GET, format!("/admin/sales/{sale}/orders")),
        (Method::POST, format!("/admin/sales/{sale}/skus/unit/restock")),
        (Method::POST, format!("/admin/sales/{sale}/skus/unit/withdraw")),
        (Method::POST, format!("/admin/orders/{UNKNOWN}/cancel")),
    ];
    for (method, path) in routes {
        for token in [Some(shopper.token.as_str()), Some("wrong"), None] {
            let request = shop.request(method.clone(), &path);
            let request = token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth);
            assert_eq!(send(request).await.told(), "401 unauthenticated", "{method} {path}");
        }
    }
    assert_eq!(shop.merchant.report(&shop.sale).await.unwrap().state.as_str(), "open");
}
