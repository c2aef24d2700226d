//! Clocks that are off: of a node that becomes the master, and of one process of a function.

use jiff::{SignedDuration, Timestamp};
use sale::{BeginOutcome, Definition, FindOutcome, Reservation, ReserveOutcome, Sale, Stock};
use sentinel::{Client, Value};
use serde_json::json;
use spillway::{Clocks, ExtraFunction, Parts, Stack, StackOptions};

use crate::expiry::{open_in_redis, wish};
use crate::failover::master;
use crate::shop::{Shop, open_sale_in, send, units};
use crate::system::{command, empty_folder, eventually, private, redis, soon, stock};

/// Less than what the allowance between two clocks is.
const STEP_MS: i32 = 400;

fn start(name: &str, parts: Parts) -> (Clocks, Stack) {
    let data = empty_folder(name);
    let clocks = Clocks::start(data.join("clocks")).unwrap();
    let options = StackOptions { parts, clocks: Some(clocks.clone()), ..StackOptions::all_in(data) };
    (clocks, Stack::start(options, Box::new(|_| {})).unwrap())
}

/// Waits until the master's clock is ahead of the right one by more than this.
async fn is_ahead(redis: &Client, ms: i64) {
    eventually("a clock that is ahead", async || {
        let Value::Array(time) = command(redis, "TIME", &[]).await else { panic!("no time") };
        let number = |value: &Value| match value {
            Value::Bytes(text) => String::from_utf8_lossy(text).parse::<i64>().unwrap(),
            other => panic!("{other:?}"),
        };
        let told = number(&time[0]) * 1_000 + number(&time[1]) / 1_000;
        (told - Timestamp::now().as_millisecond() > ms).then_some(())
    })
    .await;
}

async fn fail_over(redis: &Client) {
    eventually("a failover", async || redis.failover().await.ok()).await;
}

async fn hold(stock: &Stock, sale: &Sale, shopper: u8) -> Option<Reservation> {
    match stock.reserve(&wish(&sale.id, shopper, 1), soon()).await.ok()?.outcome {
        ReserveOutcome::Held(held) => Some(held),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_is_not_sold_again_before_its_hold_is_over_by_the_clock_that_gave_it() {
    let (clocks, stack) = start("clocks-resale", Parts::Stores);
    let running = stack.running().unwrap();
    let (stock, redis, first) = (stock(&running), redis(&running), master(&running));
    for replica in running.redis.iter().filter(|part| part.pid != first.pid) {
        clocks.step(&replica.name, STEP_MS).unwrap();
    }
    let sale = open_in_redis(&stock, Definition { hold_seconds: 20, ..units(2) }).await;
    let [ann, bob] = [hold(&stock, &sale, 1).await.unwrap(), hold(&stock, &sale, 2).await.unwrap()];
    fail_over(&redis).await;
    is_ahead(&redis, i64::from(STEP_MS) / 2).await;
    let begun = stock.begin(&sale.id, &ann.id, &ann.shopper, None, ledger::CONFIRM_DEADLINE, soon()).await;
    assert!(matches!(begun, Ok(BeginOutcome::Begun(_))), "{begun:?}");
    let (sold_at, again) = eventually("the resale", async || {
        let held = hold(&stock, &sale, 3).await?;
        Some((Timestamp::now(), held))
    })
    .await;
    assert_eq!(again.units, bob.units);
    assert!(sold_at >= bob.expires_at, "{sold_at}, {}", bob.expires_at);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_a_sale_never_goes_back_when_another_node_becomes_the_master() {
    const FAR_MS: i32 = 20_000;
    let (clocks, stack) = start("clocks-back", Parts::Stores);
    let running = stack.running().unwrap();
    let (stock, redis) = (stock(&running), redis(&running));
    clocks.step(&master(&running).name, FAR_MS).unwrap();
    is_ahead(&redis, i64::from(FAR_MS) / 2).await;
    let sale = open_in_redis(&stock, units(2)).await;
    let held = hold(&stock, &sale, 1).await.unwrap();
    let now = async || match stock.find(&sale.id, &held.id, &held.shopper, soon()).await.unwrap() {
        FindOutcome::Found(_, now) => now,
        outcome => panic!("{outcome:?}"),
    };
    let before = held.expires_at - SignedDuration::from_secs(600);
    assert!(before - SignedDuration::from_secs(10) > Timestamp::now(), "the sale is ahead");
    fail_over(&redis).await;
    let after = now().await;
    assert!(after >= before, "{after} is before {before}");
    let next = hold(&stock, &sale, 2).await.unwrap();
    assert!(next.expires_at >= held.expires_at, "{} is before {}", next.expires_at, held.expires_at);
}

/// A guest's session, hold and order, each through a process of its own.
async fn buy(shop: &Shop, [session, reserve, confirm]: [&str; 3], key: &str) {
    let own = shop.running.url.as_str();
    let http = &shop.http;
    let at = |origin: &str, path: &str| http.post(format!("{origin}{path}")).header("origin", own);
    let opened = send(at(session, "/sessions")).await;
    assert_eq!(opened.status, 201, "{}", opened.text);
    let cookie = opened.header("set-cookie").split(';').next().unwrap().to_owned();
    let wish = at(reserve, &format!("/sales/{}/reservations", shop.sale))
        .header("cookie", &cookie)
        .header("idempotency-key", key)
        .json(&json!({ "sku": "unit", "quantity": 1 }));
    let held = send(wish).await;
    assert_eq!(held.told(), "201 held", "{}", held.text);
    let path = format!("/sales/{}/reservations/{}/order", shop.sale, held.field("id"));
    let order = at(confirm, &path).header("cookie", &cookie);
    let order = send(order.json(&json!({ "receipt": held.body["receipt"] }))).await;
    assert_eq!(order.told(), "201 confirmed", "{}", order.text);
}

#[tokio::test]
async fn a_guest_buys_through_processes_whose_clocks_differ() {
    let data = empty_folder("clocks-functions");
    let clocks = Clocks::start(data.join("clocks")).unwrap();
    let stack = private("clocks-functions-shop");
    let shop = open_sale_in(stack.running().unwrap(), units(4)).await;
    clocks.step("ahead", STEP_MS).unwrap();
    clocks.step("behind", -STEP_MS).unwrap();
    let start = |function: &str, clock: &str| {
        ExtraFunction::start_by_clock(&shop.running, function, &clocks, clock).unwrap()
    };
    let ahead = ["session", "reserve", "confirm"].map(|function| start(function, "ahead"));
    let behind = ["session", "reserve", "confirm"].map(|function| start(function, "behind"));
    let [s, r, c] = ahead.each_ref().map(|function| function.origin.as_str());
    let [s2, r2, c2] = behind.each_ref().map(|function| function.origin.as_str());
    buy(&shop, [s, r2, c], "\"one\"").await;
    buy(&shop, [s2, r, c2], "\"two\"").await;
    assert_eq!(shop.figures().await, "2/0/2");
}
