//! What a merchant does: sales, stock, figures, orders.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use ledger::SaleRecord;
use reqwest::Method;
use sale::{Definition, Sale, Sku, SkuDefinition};
use serde_json::json;

use crate::shop::{Answer, Shop, new_sale_id, open_sale, send, units};
use crate::system::{ledger, soon};

async fn change_stock(shop: &Shop, verb: &str, quantity: u32, key: &str) -> Answer {
    let path = format!("/sales/{}/skus/unit/{verb}", shop.sale);
    let request = shop.admin(Method::POST, &path).header("idempotency-key", key);
    send(request.json(&json!({ "quantity": quantity }))).await
}

#[tokio::test]
async fn a_sale_is_opened_paused_resumed_and_closed_and_each_is_safe_to_repeat() {
    let shop = open_sale(Definition { opens_at: None, ..units(5) }).await;
    let ann = shop.shopper("ann");
    for (number, (verb, told)) in [
        ("open", "201 held"),
        ("pause", "409 sale-paused"),
        ("resume", "201 held"),
        ("close", "410 sale-ended"),
        ("resume", "410 sale-ended"),
        ("open", "410 sale-ended"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/sales/{}/{verb}", shop.sale);
        let first = send(shop.admin(Method::POST, &path)).await;
        let again = send(shop.admin(Method::POST, &path)).await;
        assert_eq!((first.status, again.status), (200, 200), "{verb}");
        assert_eq!(first.body, again.body, "{verb}");
        assert_eq!(shop.reserve(&ann, &number.to_string(), 1).await.told(), told, "after {verb}");
    }
}

#[tokio::test]
async fn a_definition_changes_what_can_change_and_holds_keep_their_terms() {
    let shop = open_sale(units(5)).await;
    let ann = shop.shopper("ann");
    let held = shop.reserve(&ann, "before", 1).await;
    let mut changed = units(5);
    changed.skus[0].price_minor = 2_499;
    changed.skus.push(SkuDefinition {
        sku: Sku::parse("rare").unwrap(),
        title: "Rare".to_owned(),
        price_minor: 9_900,
        stock: 2,
    });
    shop.merchant.define(&shop.sale, &changed).await.unwrap();
    let order = shop.confirm(&ann, held.field("id")).await;
    assert_eq!(order.body["total_minor"], 1_999, "the price of the hold");
    assert_eq!(shop.reserve(&ann, "after", 1).await.body["total_minor"], 2_499);
    assert_eq!(shop.report().await.skus[1].available, 2);

    let path = format!("/sales/{}", shop.sale);
    let mut other = changed.clone();
    other.currency = "USD".to_owned();
    assert_eq!(send(shop.admin(Method::PUT, &path).json(&other)).await.told(), "400 invalid-request");
    let fewer = Definition { skus: changed.skus[..1].to_vec(), ..changed.clone() };
    assert_eq!(send(shop.admin(Method::PUT, &path).json(&fewer)).await.told(), "400 invalid-request");
    let mut more = changed.clone();
    more.skus[0].stock = 6;
    assert_eq!(send(shop.admin(Method::PUT, &path).json(&more)).await.told(), "409 stock-mismatch");
}

#[tokio::test]
async fn restock_adds_once_per_key_and_withdraw_takes_what_is_available_once_per_key() {
    let shop = open_sale(units(5)).await;
    let ann = shop.shopper("ann");
    let held = shop.reserve(&ann, "three", 3).await;
    for _ in 0..2 {
        let restocked = change_stock(&shop, "restock", 4, "first").await;
        assert_eq!((restocked.status, &restocked.body["stock"]), (200, &json!(9)));
    }
    assert_eq!(change_stock(&shop, "restock", 5, "first").await.told(), "422 idempotency-key-reused");
    for _ in 0..2 {
        let withdrawn = change_stock(&shop, "withdraw", 100, "second").await;
        assert_eq!(withdrawn.body, json!({ "sku": "unit", "stock": 3, "withdrawn": 6 }), "held units stay");
    }
    assert_eq!(change_stock(&shop, "withdraw", 1, "second").await.told(), "422 idempotency-key-reused");
    assert_eq!(change_stock(&shop, "withdraw", 1, "first").await.told(), "422 idempotency-key-reused");
    assert_eq!(shop.figures().await, "0/3/0");
    shop.release(&ann, held.field("id")).await;
    assert_eq!(change_stock(&shop, "restock", 2, "third").await.body["stock"], 5);
    assert_eq!(shop.figures().await, "5/0/0");
    let all = shop.reserve(&ann, "all", 5).await;
    assert_eq!(all.units().into_iter().collect::<HashSet<_>>().len(), 5);
    let listed = send(shop.admin(Method::GET, &format!("/sales/{}", shop.sale))).await;
    assert_eq!(listed.body["skus"][0]["stock"], 5, "the ledger says the same");
    for (quantity, told) in [(0, "400 invalid-request"), (10_000_001, "400 invalid-request")] {
        assert_eq!(change_stock(&shop, "restock", quantity, "odd").await.told(), told);
    }
}

#[tokio::test]
async fn orders_are_listed_in_pages_each_once_and_a_cancelled_one_stays_in_the_list() {
    let shop = open_sale(units(40)).await;
    let mut expected = HashSet::new();
    for (number, shopper) in shop.shoppers(25).iter().enumerate() {
        let id = shop.hold(shopper, "wish").await;
        let order = shop.confirm(shopper, &id).await;
        expected.insert(order.field("id").to_owned());
        if number == 0 {
            assert_eq!(shop.cancel(order.field("id")).await.told(), "200 cancelled");
            assert_eq!(shop.cancel(order.field("id")).await.told(), "200 cancelled", "a repeat");
            assert_eq!(shop.order(shopper, order.field("id")).await.told(), "200 cancelled");
        }
    }
    let (mut listed, mut cursor, mut cancelled) = (Vec::new(), String::new(), 0);
    loop {
        let page =
            send(shop.admin(Method::GET, &format!("/sales/{}/orders?limit=7{cursor}", shop.sale))).await;
        let orders = page.body["orders"].as_array().unwrap();
        assert!(orders.len() <= 7);
        cancelled += orders.iter().filter(|order| order["state"] == "cancelled").count();
        listed.extend(orders.iter().map(|order| order["id"].as_str().unwrap().to_owned()));
        assert!(!page.text.contains("shopper"), "whose it is stays inside");
        let Some(next) = page.body["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!((listed.len(), cancelled), (25, 1));
    assert_eq!(listed.into_iter().collect::<HashSet<_>>(), expected);
    assert_eq!(shop.figures().await, "16/0/24");
    for query in ["cursor=nonsense", "limit=0", "limit=1001", "limit=x", "colour=red"] {
        let answer = send(shop.admin(Method::GET, &format!("/sales/{}/orders?{query}", shop.sale))).await;
        assert_eq!(answer.told(), "400 invalid-request", "{query}");
    }
}

#[tokio::test]
async fn a_sale_begins_and_ends_at_its_times_by_redis_s_clock() {
    let begins = Timestamp::now() + SignedDuration::from_secs(2);
    let ends = begins + SignedDuration::from_secs(2);
    let shop = open_sale(Definition { opens_at: Some(begins), closes_at: ends, ..units(5) }).await;
    let ann = shop.shopper("ann");
    let mut told = Vec::new();
    crate::system::eventually("the end", async || {
        let answer = shop.reserve(&ann, "wish", 1).await.told();
        let other = shop.reserve(&ann, &format!("{}", told.len()), 10).await.told();
        if told.last() != Some(&answer) {
            told.push(answer);
        }
        (other == "410 sale-ended").then_some(())
    })
    .await;
    assert_eq!(told, ["409 sale-not-open", "201 held", "200 held"]);
}

#[tokio::test]
async fn a_restock_of_a_sale_that_redis_does_not_have_yet_is_done_once() {
    let shop = open_sale(units(1)).await;
    // As after a crash between the two steps of a definition: the ledger has the sale, Redis has not.
    let (id, definition) = (new_sale_id(), units(10));
    let sale = Sale::new(id.clone(), definition);
    ledger(&shop.running).create_sale(&SaleRecord::new(sale), soon()).await.unwrap();
    let shop = Shop { sale: id, ..shop };
    for _ in 0..3 {
        assert_eq!(change_stock(&shop, "restock", 5, "key").await.body["stock"], 15);
    }
    assert_eq!(shop.figures().await, "15/0/0");
}

#[tokio::test]
async fn a_restock_under_the_key_of_a_withdrawal_is_refused_and_leaves_no_trace() {
    let shop = open_sale(units(1)).await;
    shop.hold(&shop.shopper("ann"), "wish").await;
    let withdrawn = change_stock(&shop, "withdraw", 1, "key").await;
    assert_eq!(withdrawn.body["withdrawn"], 0, "the one unit is held");
    for _ in 0..2 {
        assert_eq!(change_stock(&shop, "restock", 5, "key").await.told(), "422 idempotency-key-reused");
    }
    let sale = send(shop.admin(Method::GET, &format!("/sales/{}", shop.sale))).await;
    assert_eq!((&sale.body["skus"][0]["stock"], shop.report().await.skus[0].stock), (&json!(1), 1));
}

#[tokio::test]
async fn a_changed_definition_does_not_take_back_an_open_that_was_said() {
    let unopened = Definition { opens_at: None, ..units(5) };
    let shop = open_sale(unopened.clone()).await;
    shop.merchant.change(&shop.sale, "open").await.unwrap();
    shop.merchant.define(&shop.sale, &Definition { title: "Another".to_owned(), ..unopened }).await.unwrap();
    assert_eq!(shop.reserve(&shop.shopper("ann"), "wish", 1).await.told(), "201 held");
}
