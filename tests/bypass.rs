//! Whom the merchant lets pass the line, and how long everybody else has waited in it.

use sale::{ReserveOutcome, Ticket, Turn};
use serde_json::json;

use crate::expiry::open_in_redis;
use crate::queue::{hold, patient_room, reserve, ticket, turn, view};
use crate::shop::{open_sale, send};
use crate::system::{shared, stock};

#[tokio::test]
async fn an_account_of_the_bypass_list_holds_before_everybody_who_waits() {
    let shop = open_sale(patient_room(5, 1)).await;
    let (ann, vip) = (shop.shopper("ann"), shop.shopper("vip"));
    let anns = send(shop.join(&ann)).await;
    assert_eq!(shop.reserve(&vip, "before", 1).await.told(), "403 ticket-missing");
    let added =
        shop.change_queue(&json!({ "bypass_add": [shop.account("vip"), shop.account("other")] })).await;
    assert_eq!((added.status, &added.body["bypass"], &added.body["bypassed"]), (200, &json!(2), &json!(0)));
    let given = send(shop.join(&vip)).await;
    assert_eq!((given.status, &given.body["number"]), (201, &json!(0)));
    let told = shop.turn(&vip, given.field("ticket")).await;
    assert_eq!(
        (&told.body["turn"]["state"], &told.body["turn"]["place"], &told.body["turn"]["left_ms"]),
        (&json!("served"), &json!(0), &json!(600_000))
    );
    let held = send(shop.wish_with(&vip, "with", given.field("ticket"))).await;
    assert_eq!(held.told(), "201 held");
    assert_eq!(shop.reserve(&vip, "without", 1).await.told(), "201 held");
    let waits = send(shop.wish_with(&ann, "wish", anns.field("ticket"))).await;
    assert_eq!(waits.told(), "403 not-your-turn");

    let removed = shop.change_queue(&json!({ "bypass_remove": [shop.account("vip"), "nobody"] })).await;
    assert_eq!((&removed.body["bypass"], &removed.body["bypassed"]), (&json!(1), &json!(2)));
    assert_eq!(removed.body["turns_used"], 0, "no turn of the line was spent");
    assert_eq!(shop.confirm(&vip, held.field("id")).await.told(), "201 confirmed", "a hold stays");
    let useless = shop.turn(&vip, given.field("ticket")).await;
    assert_eq!(useless.body["turn"]["state"], "passed");
    let bob = shop.shopper("other");
    let foreign = send(shop.wish_with(&bob, "wish", given.field("ticket"))).await;
    assert_eq!(foreign.told(), "400 invalid-request");
    let another = send(shop.join(&vip).json(&json!({ "another": true }))).await;
    assert_eq!(another.body["number"], 2);
}

#[tokio::test]
async fn a_bypass_list_has_an_end_and_each_account_a_name() {
    let shop = open_sale(patient_room(5, 1)).await;
    let many = |count: usize, from: usize| {
        (from..from + count).map(|n| shop.account(&n.to_string())).collect::<Vec<_>>()
    };
    for (wrong, pointer) in [
        (json!({ "bypass_add": ["ann", ""] }), "/bypass_add/1"),
        (json!({ "bypass_remove": ["x".repeat(257)] }), "/bypass_remove/0"),
        (json!({ "bypass_add": many(51, 0) }), "/bypass_add"),
        (json!({ "bypass_add": "ann" }), "/bypass_add"),
    ] {
        let refused = shop.change_queue(&wrong).await;
        assert_eq!(refused.told(), "400 invalid-request", "{wrong}");
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{}", refused.text);
    }
    for part in 0..20 {
        assert_eq!(shop.change_queue(&json!({ "bypass_add": many(50, part * 50) })).await.status, 200);
    }
    let full = shop.change_queue(&json!({ "bypass_add": many(1, 1_000) })).await;
    assert_eq!(full.body["errors"][0]["pointer"], "/bypass_add", "{}", full.text);
    assert_eq!(shop.change_queue(&json!({ "bypass_add": many(50, 0) })).await.body["bypass"], 1_000);
    let vip = shop.shopper("999");
    assert_eq!(shop.reserve(&vip, "wish", 1).await.told(), "201 held");
}

#[tokio::test]
async fn the_merchant_sees_how_long_those_who_hold_had_waited() {
    let stock = stock(&shared());
    let sale = open_in_redis(&stock, patient_room(5, 600)).await;
    let first = ticket(&stock, &sale, 1).await;
    let second = ticket(&stock, &sale, 2).await;
    assert_eq!(view(&stock, &sale).await.1.waits.percentile_seconds(50), None);
    hold(&stock, &second, 2).await;
    let (held_at, room) = view(&stock, &sale).await;
    let longest = held_at.as_millisecond() - second.given_at_ms.unwrap();
    let told = room.waits.percentile_seconds(50).unwrap();
    #[allow(clippy::cast_precision_loss)]
    let longest = longest as f64 / 1_000.0;
    assert!((1.0..=(longest * 1.2).max(1.0)).contains(&told), "{told} s of {longest} s");
    assert_eq!(room.waits.percentile_seconds(99), Some(told));
    assert!(matches!(turn(&stock, &first).await, Turn::Served { .. }));
    // A ticket of an earlier version does not say when it was given.
    let of_earlier_version = Ticket { given_at_ms: None, ..first };
    assert!(matches!(reserve(&stock, &of_earlier_version, 1).await, ReserveOutcome::Held(_)));
    assert_eq!(view(&stock, &sale).await.1.waits, room.waits);
}
