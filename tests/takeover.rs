//! Redis has lost everything: the sale is built again of the ledger, whoever has a receipt keeps the hold, and
//! no unit is sold twice.

use data_encoding::BASE64URL_NOPAD;
use reqwest::Method;
use sale::Definition;
use serde_json::{Value, json};
use spillway::{Signal, signal};

use crate::audit::sound_totals;
use crate::shop::{Answer, Shop, Shopper, open_sale, open_sale_in, send, units};
use crate::system::{command, eventually, private, redis};

/// So many units, held as briefly as a sale allows.
pub(crate) fn brief(stock: u32) -> Definition {
    Definition { hold_seconds: 10, ..units(stock) }
}

pub(crate) async fn confirm_with(shop: &Shop, shopper: &Shopper, id: &str, receipt: &Value) -> Answer {
    let request = shop.confirm_at(&shop.running.url, shopper, id);
    send(request.json(&json!({ "receipt": receipt }))).await
}

#[tokio::test]
async fn a_sale_that_redis_has_lost_goes_on_by_itself_and_keeps_every_hold_that_has_a_receipt() {
    let stack = private("takeover");
    let shop = open_sale_in(stack.running().unwrap(), brief(6)).await;
    let [ann, bob, cat, dan] = ["ann", "bob", "cat", "dan"].map(|name| shop.shopper(name));
    let order = shop.confirm(&ann, &shop.hold(&ann, "wish").await).await;
    let cancelled = shop.confirm(&bob, &shop.hold(&bob, "wish").await).await;
    assert_eq!(shop.cancel(cancelled.field("id")).await.told(), "200 cancelled");
    let (held, another) = (shop.reserve(&cat, "wish", 1).await, shop.reserve(&dan, "wish", 1).await);
    command(&redis(&shop.running), "FLUSHALL", &[]).await;

    // The status is cached for a second; the report is not.
    eventually("the takeover", async || {
        let path = format!("/sales/{}/report", shop.sale);
        let report = send(shop.admin(Method::GET, &path)).await;
        assert!([200, 503].contains(&report.status), "{}", report.text);
        (report.status == 200).then_some(())
    })
    .await;
    let sku = shop.report().await.skus.remove(0);
    assert_eq!((sku.available, sku.held, sku.sold, sku.quarantined), (0, 0, 1, 5));
    assert_eq!(sound_totals(&shop).await, "1/0/0/0/5/0");
    assert_eq!(shop.order(&ann, order.field("id")).await.body, order.body);
    assert_eq!(shop.reserve(&ann, "wish", 1).await.told(), "200 ordered", "a repeat finds its order");
    assert_eq!(shop.reserve(&bob, "new", 1).await.told(), "503 recovering", "nobody is sent away for good");
    assert_eq!(shop.find(&cat, held.field("id")).await.told(), "404 reservation-not-found");
    assert_eq!(shop.confirm(&cat, held.field("id")).await.told(), "404 reservation-not-found");
    let kept = confirm_with(&shop, &cat, held.field("id"), &held.body["receipt"]).await;
    assert_eq!(kept.told(), "201 confirmed", "{}", kept.text);
    assert_eq!(kept.body["units"], held.body["units"]);
    let again = confirm_with(&shop, &cat, held.field("id"), &held.body["receipt"]).await;
    assert_eq!((again.status, &again.body), (200, &kept.body));
    assert_eq!(shop.figures().await, "0/0/2");

    eventually("the end of the quarantine", async || (shop.figures().await == "4/0/2").then_some(())).await;
    let late = confirm_with(&shop, &dan, another.field("id"), &another.body["receipt"]).await;
    assert_eq!(late.told(), "404 reservation-not-found", "its time is over, and Redis has forgotten it");
    for number in 0..4 {
        let wish = shop.hold(&bob, &format!("wish-{number}")).await;
        assert_eq!(shop.confirm(&bob, &wish).await.told(), "201 confirmed");
    }
    assert_eq!(shop.reserve(&dan, "fifth", 1).await.told(), "409 sold-out");
    let orders = shop.merchant.orders(&shop.sale, None).await.unwrap().orders;
    let mut sold: Vec<u32> = orders
        .iter()
        .filter(|order| order.cancelled_at.is_none())
        .flat_map(|order| order.units.clone())
        .collect();
    sold.sort_unstable();
    assert_eq!(sold, [1, 2, 3, 4, 5, 6]);
    assert_eq!(sound_totals(&shop).await, "6/0/0/0/0/0");
}

#[tokio::test]
async fn a_receipt_that_is_not_of_this_reservation_is_refused_and_changes_nothing() {
    let shop = open_sale(units(3)).await;
    let (ann, bob) = (shop.shopper("ann"), shop.shopper("bob"));
    let (held, other, foreign) = (
        shop.reserve(&ann, "a", 1).await,
        shop.reserve(&ann, "b", 1).await,
        shop.reserve(&bob, "a", 1).await,
    );
    let receipt = held.body["receipt"].as_str().unwrap();
    let (head, signature) = receipt.rsplit_once('.').unwrap();
    let turned: String = signature.chars().rev().collect();
    let id = held.field("id");
    let elsewhere = open_sale(units(1)).await;
    let of_another_sale = elsewhere.reserve(&elsewhere.shopper("ann"), "a", 1).await;
    let (header, rest) = receipt.split_once('.').unwrap();
    let mut header: Value =
        serde_json::from_slice(&BASE64URL_NOPAD.decode(header.as_bytes()).unwrap()).unwrap();
    header["kid"] = json!("nobody-s");
    let header = BASE64URL_NOPAD.encode(header.to_string().as_bytes());
    for (what, wrong) in [
        ("another sale", of_another_sale.body["receipt"].clone()),
        ("another reservation", other.body["receipt"].clone()),
        ("another shopper", foreign.body["receipt"].clone()),
        ("another signature", json!(format!("{head}.{turned}"))),
        ("no signature", json!(head)),
        ("an unknown key", json!(format!("{header}.{rest}"))),
        ("no header", json!(receipt.replacen("eyJ", "eyK", 1))),
        ("too long", json!("x".repeat(10_000))),
        ("nothing", json!("")),
        ("a number", json!(7)),
    ] {
        let refused = confirm_with(&shop, &ann, id, &wrong).await;
        assert_eq!(refused.told(), "400 invalid-request", "{what}: {}", refused.text);
        assert_eq!(refused.body["errors"][0]["pointer"], "/receipt", "{what}");
    }
    let unknown = shop.confirm_at(&shop.running.url, &ann, id).json(&json!({ "receipts": receipt }));
    assert_eq!(send(unknown).await.told(), "400 invalid-request");
    let text = shop
        .confirm_at(&shop.running.url, &ann, id)
        .header("content-type", "text/plain")
        .body(receipt.to_owned());
    assert_eq!(send(text).await.told(), "415 not-json");
    assert_eq!(shop.figures().await, "0/3/0");
    assert_eq!(confirm_with(&shop, &ann, id, &held.body["receipt"]).await.told(), "201 confirmed");
    // With Redis's own record the receipt of a hold that was given back is worth nothing.
    assert_eq!(shop.release(&ann, other.field("id")).await.told(), "200 released");
    let used = confirm_with(&shop, &ann, other.field("id"), &other.body["receipt"]).await;
    assert_eq!(used.told(), "410 reservation-released");
    // Nor can there ever be another sale of its name, of which a receipt could be.
    let delete = shop.admin(Method::DELETE, &format!("/sales/{}", shop.sale));
    assert_eq!(send(delete).await.told(), "405 method-not-allowed");
}

#[tokio::test]
async fn a_receipt_confirms_nothing_while_redis_cannot_be_asked() {
    let stack = private("takeover-frozen");
    let shop = open_sale_in(stack.running().unwrap(), units(3)).await;
    let ann = shop.shopper("ann");
    let held = shop.reserve(&ann, "wish", 1).await;
    let confirm = async || confirm_with(&shop, &ann, held.field("id"), &held.body["receipt"]).await;
    for node in &shop.running.redis {
        signal(node.pid, Signal::STOP);
    }
    let told = confirm().await;
    let orders = shop.merchant.orders(&shop.sale, None).await.unwrap().orders;
    for node in &shop.running.redis {
        signal(node.pid, Signal::CONT);
    }
    assert!(["outcome-unknown", "stock-unavailable"].contains(&told.slug()), "{}", told.text);
    assert_eq!((told.status, orders.len()), (503, 0), "{}", told.text);
    let kept =
        eventually("the confirm", async || Some(confirm().await).filter(|told| told.status != 503)).await;
    assert_eq!((kept.told().as_str(), &kept.body["units"]), ("201 confirmed", &held.body["units"]));
}
