//! The page and the status: the same for everybody, cacheable, and true.

use jiff::Timestamp;
use reqwest::Method;
use sale::Definition;
use serde_json::json;

use crate::shop::{open_sale, send, units};
use crate::system::eventually;

#[tokio::test]
async fn the_page_shows_the_sale_to_everybody_alike_and_nothing_of_it_is_taken_for_markup() {
    let terms = Definition { title: "<b>Rare</b> & \"fine\"".to_owned(), ..units(5) };
    let shop = open_sale(terms).await;
    let page = send(shop.request(Method::GET, &shop.path(""))).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(
        page.header("cache-control").contains("s-maxage=5, stale-while-revalidate=30, stale-if-error=86400")
    );
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    assert!(!page.text.contains("<b>Rare") && page.text.contains("&#60;b&#62;Rare"), "{}", page.text);
    let ann = shop.shopper("ann");
    let hers = send(shop.request(Method::GET, &shop.path("")).bearer_auth(&ann.token)).await;
    assert_eq!(hers.text, page.text);
    for asset in ["/assets/sale.css", "/assets/queue.js", "/assets/sale.js"] {
        assert!(page.text.contains(asset));
        assert_eq!(send(shop.request(Method::GET, asset)).await.status, 200);
    }
    assert_eq!(send(shop.request(Method::GET, "/assets/other.js")).await.told(), "404 route-not-found");
}

#[tokio::test]
async fn the_status_tells_everybody_what_changes_and_when_to_ask_again() {
    let shop = open_sale(units(5)).await;
    let status = || shop.request(Method::GET, &shop.path("/status"));
    let first = send(status()).await;
    assert_eq!(first.header("cache-control"), "public, max-age=1, s-maxage=1, stale-while-revalidate=5");
    assert_eq!(first.told(), "200 open");
    assert_eq!(first.body["poll_after_ms"], 1_000);
    assert_eq!(
        first.body["skus"],
        json!([{"sku": "unit", "available": 5, "sold_out": false, "may_return": false}])
    );
    let server_time: Timestamp = first.field("server_time").parse().unwrap();
    assert!(Timestamp::now().duration_since(server_time).abs() < jiff::SignedDuration::from_secs(30));
    let ann = shop.shopper("ann");
    let held = shop.reserve(&ann, "wish", 5).await;
    let sku = async |sold_out: bool, may_return: bool| {
        eventually("the status", async || {
            let sku = send(status()).await.body["skus"][0].clone();
            (sku["sold_out"] == sold_out && sku["may_return"] == may_return).then_some(())
        })
        .await;
    };
    sku(true, true).await;
    shop.confirm(&ann, held.field("id")).await;
    sku(true, false).await;
    for (verb, state) in [("pause", "200 paused"), ("resume", "200 open"), ("close", "200 ended")] {
        shop.merchant.change(&shop.sale, verb).await.unwrap();
        eventually(state, async || (send(status()).await.told() == state).then_some(())).await;
    }
}

#[tokio::test]
async fn a_crowd_that_looks_at_the_status_costs_the_function_a_request_a_second() {
    let shop = open_sale(units(5)).await;
    let log = shop.running.logs.join("page.log");
    let path = format!("\"path\":\"{}\"", shop.path("/status"));
    for _ in 0..300 {
        assert_eq!(send(shop.request(Method::GET, &shop.path("/status"))).await.status, 200);
    }
    let asked = std::fs::read_to_string(log).unwrap().lines().filter(|line| line.contains(&path)).count();
    assert!((1..=30).contains(&asked), "{asked} of 300 requests reached the function");
}

/// What a cache may give a shopper: a second, and five more while it asks for a new one.
const STATUS_AGE_MAX: jiff::SignedDuration = jiff::SignedDuration::from_secs(6);

#[tokio::test]
async fn after_a_quiet_time_nobody_is_given_an_old_status() {
    let shop = open_sale(units(5)).await;
    let status = || shop.request(Method::GET, &shop.path("/status"));
    assert_eq!(send(status()).await.status, 200);
    // The time itself is what is tested: the cached answer grows older than it may be given.
    tokio::time::sleep((STATUS_AGE_MAX + STATUS_AGE_MAX).unsigned_abs()).await;
    let server_time: Timestamp = send(status()).await.field("server_time").parse().unwrap();
    let age = Timestamp::now().duration_since(server_time);
    assert!(age <= STATUS_AGE_MAX, "the status is {age} old");
}
