//! A function starts whatever state Redis is in: what it cannot have yet, its first requests are told.

use serde_json::Value;
use spillway::{Signal, signal};

use crate::failover::master;
use crate::lambda_function::LambdaFunction;
use crate::shop::{open_sale_in, units};
use crate::system::{eventually, private};

fn told(response: &Value) -> (u64, String) {
    let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap_or_default();
    let kind = body["type"].as_str().and_then(|kind| kind.rsplit('/').next()).unwrap_or_default();
    (response["statusCode"].as_u64().unwrap(), kind.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_starts_while_the_master_is_missing_answers_and_sells_as_soon_as_there_is_one() {
    let stack = private("cold-start");
    let shop = open_sale_in(stack.running().unwrap(), units(5)).await;
    let token = format!("Bearer {}", shop.shopper("ann").token);
    signal(master(&shop.running).pid, Signal::KILL);
    let reserve = LambdaFunction::start(&shop.running, "reserve").await;
    let alive = reserve.request("GET", "/livez", &[], "").await;
    assert_eq!(alive["statusCode"], 200, "{alive}");
    let headers = [
        ("authorization", token.as_str()),
        ("idempotency-key", "\"wish\""),
        ("content-type", "application/json"),
    ];
    let path = shop.path("/reservations");
    let mut refusals = 0;
    eventually("a hold", async || {
        let response = reserve.request("POST", &path, &headers, r#"{"sku":"unit","quantity":1}"#).await;
        let told = told(&response);
        let is_sold = [200, 201].contains(&told.0);
        refusals += u32::from(!is_sold);
        assert!(is_sold || told.0 == 503, "{response}");
        assert!(is_sold || ["stock-unavailable", "outcome-unknown"].contains(&told.1.as_str()), "{response}");
        is_sold.then_some(())
    })
    .await;
    println!("{refusals} refusals until a new master was there");
    assert_eq!(shop.figures().await, "4/1/0");
}
