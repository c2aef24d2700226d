//! The audit: every unit accounted for, at rest, in a crowd, and after somebody has tampered with Redis.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::Method;
use serde_json::{Value, json};
use spillway::{LedgerFault, Running, Signal, signal};

use crate::commands::spillway_on;
use crate::crash::Caught;
use crate::shop::{Shop, new_sale_id, open_sale, open_sale_in, send, units};
use crate::system::{command, eventually, private, redis, shared};

/// What `audit --json` says of the only SKU, and the exit code.
async fn audit(running: &Running, sale: &str) -> (Option<i32>, Value) {
    let (running, sale) = (running.clone(), sale.to_owned());
    let run = tokio::task::spawn_blocking(move || spillway_on(&running, &["audit", "--json", &sale]));
    let run = run.await.unwrap();
    let mut said: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}{}", run.out, run.err));
    (run.code, said["skus"][0].take())
}

/// `sold/held/confirming/available/quarantined/withdrawn`.
pub(crate) fn totals(said: &Value) -> String {
    let names = ["sold", "held", "confirming", "available", "quarantined", "withdrawn"];
    names.map(|name| said[name].to_string()).join("/")
}

/// The totals of a sale in which everything agrees.
pub(crate) async fn sound_totals(shop: &Shop) -> String {
    let (code, said) = audit(&shop.running, shop.sale.as_str()).await;
    assert_eq!((code, &said["differences"]), (Some(0), &json!([])), "{said}");
    assert_eq!(said["is_journal_compared"], true, "{said}");
    totals(&said)
}

/// A sale with units of every fate but quarantine: `1/1/1/7/0/2`.
async fn motley() -> Shop {
    let shop = open_sale(units(12)).await;
    let [ann, bob, cat, dan, eve] = ["ann", "bob", "cat", "dan", "eve"].map(|name| shop.shopper(name));
    shop.confirm(&ann, &shop.hold(&ann, "wish").await).await;
    shop.hold(&bob, "wish").await;
    let id = shop.hold(&cat, "wish").await;
    Caught::at(LedgerFault::CaughtBeforeCommit, &shop, &cat, &id).await.crash();
    let cancelled = shop.confirm(&dan, &shop.hold(&dan, "wish").await).await;
    shop.cancel(cancelled.field("id")).await;
    shop.release(&eve, &shop.hold(&eve, "wish").await).await;
    let withdraw = shop.admin(Method::POST, &format!("/sales/{}/skus/unit/withdraw", shop.sale));
    send(withdraw.header("idempotency-key", "w").json(&json!({ "quantity": 2 }))).await;
    shop
}

#[tokio::test]
async fn every_unit_of_a_sale_is_accounted_for_and_its_order_named() {
    let shop = motley().await;
    assert_eq!(sound_totals(&shop).await, "1/1/1/7/0/2");
    let order = shop.merchant.orders(&shop.sale, None).await.unwrap().orders;
    let order = order.iter().find(|order| order.is_confirmed()).unwrap();
    let told = spillway_on(&shop.running, &["audit", "--units", shop.sale.as_str()]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(
        told.out.contains(&format!("unit {}: sold, order {}\n", order.units[0], order.id)),
        "{}",
        told.out
    );
    for fate in [": held until ", ": being confirmed", ": available", ": withdrawn"] {
        assert!(told.out.contains(fate), "{fate} in {}", told.out);
    }
    assert!(told.out.trim_end().ends_with("yes"), "{}", told.out);
}

#[tokio::test]
async fn whatever_somebody_did_to_redis_is_told_unit_by_unit_and_by_the_exit_code() {
    let shop = motley().await;
    let redis = redis(&shop.running);
    let key = |place: &str| format!("{{{}}}:{place}:unit", shop.sale);
    let order = shop.merchant.orders(&shop.sale, None).await.unwrap().orders;
    let order = order.iter().find(|order| order.is_confirmed()).unwrap();
    let (sold, fresh) = (order.units[0].to_string(), "9");
    command(&redis, "SETBIT", &[&key("sold"), &sold, "0"]).await;
    command(&redis, "SETBIT", &[&key("sold"), fresh, "1"]).await;
    command(&redis, "RPUSH", &[&key("returned"), "2"]).await;
    for (counter, by) in [("quarantined", "1"), ("sold", "-1")] {
        command(&redis, "HINCRBY", &[&key("sku"), counter, by]).await;
    }
    let (code, said) = audit(&shop.running, shop.sale.as_str()).await;
    assert_eq!(code, Some(1));
    let told = said["differences"].to_string();
    for difference in [
        format!("in Redis nowhere, in the ledger sold to order {}", order.id),
        "in Redis fresh and sold, in the ledger nobody's".to_owned(),
        "in Redis returned and held for ".to_owned(),
        "1 units are counted as quarantined, and 0 are found so".to_owned(),
        "by the journal 0 units are quarantined, by Redis 1".to_owned(),
    ] {
        assert!(told.contains(&difference), "{difference} in {told}");
    }
    let words = spillway_on(&shop.running, &["audit", shop.sale.as_str()]);
    assert_eq!(words.code, Some(1));
    assert!(
        words.out.contains(&format!("unit: unit {fresh} is in Redis")) && words.out.contains("  NO"),
        "{}",
        words.out
    );
    assert!(words.err.contains("differences between Redis, the ledger and the journal"), "{}", words.err);
}

#[tokio::test]
async fn a_stock_that_is_not_the_ledgers_is_told_by_the_exit_code() {
    let shop = open_sale(units(3)).await;
    shop.hold(&shop.shopper("ann"), "wish").await;
    let withdraw = shop.admin(Method::POST, &format!("/sales/{}/skus/unit/withdraw", shop.sale));
    send(withdraw.header("idempotency-key", "w").json(&json!({ "quantity": 2 }))).await;
    assert_eq!(sound_totals(&shop).await, "0/1/0/0/0/2");
    // As if a failover had lost the withdrawal, and a crowd had taken its units since: nobody can take them out again.
    let counters = ["stock", "3", "held", "3", "withdrawn", "0"];
    let key = format!("{{{}}}:sku:unit", shop.sale);
    command(&redis(&shop.running), "HSET", &[&[key.as_str()], &counters[..]].concat()).await;
    let (code, said) = audit(&shop.running, shop.sale.as_str()).await;
    assert_eq!(code, Some(1));
    let told = said["differences"].to_string();
    assert!(told.contains("3 units are in the stock of Redis, and 1 in that of the ledger"), "{told}");
}

#[tokio::test]
async fn a_journal_that_lacks_entries_is_told_by_the_exit_code() {
    let shop = motley().await;
    command(&redis(&shop.running), "HINCRBY", &[&format!("{{{}}}:sku:unit", shop.sale), "changes", "2"])
        .await;
    let (code, said) = audit(&shop.running, shop.sale.as_str()).await;
    assert_eq!((code, &said["differences"]), (Some(1), &json!([])), "{said}");
    assert_eq!(said["is_journal_compared"], false);
    let words = spillway_on(&shop.running, &["audit", shop.sale.as_str()]);
    assert_eq!(words.code, Some(1));
    assert!(words.out.contains("  in part"), "{}", words.out);
    assert!(words.err.contains("the journal could not be compared"), "{}", words.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_crowd_that_buys_nothing_is_told_that_is_only_under_way() {
    let shop = Arc::new(open_sale(units(100_000)).await);
    let is_over = Arc::new(AtomicBool::new(false));
    let crowd: Vec<_> = (0..8)
        .map(|buyer| {
            let (shop, is_over) = (shop.clone(), is_over.clone());
            tokio::spawn(async move {
                let mut orders = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let shopper = shop.shopper(&format!("{buyer}/{orders}"));
                    // On a busy machine an answer may come too late for the shop, which repeats what it asked for.
                    let held = shop.reserve(&shopper, "wish", 1).await;
                    assert!(["201 held", "200 held"].contains(&held.told().as_str()), "{}", held.text);
                    let order = shop.confirm(&shopper, held.field("id")).await;
                    assert!(
                        ["201 confirmed", "200 confirmed"].contains(&order.told().as_str()),
                        "{}",
                        order.text
                    );
                    orders += 1;
                }
                orders
            })
        })
        .collect();
    let first = sound_totals(&shop).await;
    let second = sound_totals(&shop).await;
    is_over.store(true, Ordering::Relaxed);
    let mut orders = 0;
    for buyer in crowd {
        orders += buyer.await.unwrap();
    }
    assert_ne!(first, second, "the crowd bought meanwhile");
    assert_eq!(sound_totals(&shop).await, format!("{orders}/0/0/{}/0/0", 100_000 - orders));
}

#[tokio::test]
async fn a_sale_that_is_being_built_again_is_refused_with_the_reason_until_it_is_there() {
    let stack = private("audit-building");
    let shop = open_sale_in(stack.running().unwrap(), units(3)).await;
    let ann = shop.shopper("ann");
    shop.confirm(&ann, &shop.hold(&ann, "wish").await).await;
    // Who would go on with it stands still.
    let sweep = shop.running.functions.iter().find(|part| part.name == "sweep").unwrap().pid;
    signal(sweep, Signal::STOP);
    let restored = send(shop.admin(Method::POST, &format!("/sales/{}/restore", shop.sale))).await;
    let refused = spillway_on(&shop.running, &["audit", shop.sale.as_str()]);
    signal(sweep, Signal::CONT);
    assert_eq!(restored.status, 202, "{}", restored.text);
    assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""));
    assert!(refused.err.contains("The sale is being rebuilt."), "{}", refused.err);
    eventually("the sale", async || {
        let report = send(shop.admin(Method::GET, &format!("/sales/{}/report", shop.sale))).await;
        (report.status == 200).then_some(())
    })
    .await;
    assert_eq!(sound_totals(&shop).await, "1/0/0/0/2/0");
}

#[tokio::test]
async fn what_cannot_be_audited_is_refused_with_the_reason() {
    let running = shared();
    let unknown = spillway_on(&running, &["audit", new_sale_id().as_str()]);
    assert_eq!((unknown.code, unknown.out.as_str()), (Some(1), ""));
    assert!(unknown.err.contains("There is no such sale."), "{}", unknown.err);
    let shop = open_sale(units(3)).await;
    let path = |sku: &str, query: &str| format!("/sales/{}/skus/{sku}/units{query}", shop.sale);
    let get = async |path: &str| send(shop.admin(Method::GET, path)).await.told();
    for query in ["?cursor=", "?cursor=sold.7", "?cursor=nowhere.0", "?cursor=ledger.0", "?limit=5"] {
        assert_eq!(get(&path("unit", query)).await, "400 invalid-request", "{query}");
    }
    for cursor in ["", "?cursor=ledger.1"] {
        assert_eq!(get(&path("other", cursor)).await, "404 sku-not-found");
        assert_eq!(
            get(&format!("/sales/{}/skus/unit/units{cursor}", new_sale_id())).await,
            "404 sale-not-found"
        );
    }
    let stranger = shop.request(Method::GET, &format!("/admin{}", path("unit", "")));
    assert_eq!(send(stranger).await.told(), "401 unauthenticated");
}
