//! The limit per shopper, in the same step as the unit, and again in the ledger.

use std::sync::Arc;

use jiff::Timestamp;
use ledger::RecordOutcome;
use sale::{Definition, Reservation};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::settle::reservation;
use crate::shop::{Answer, open_sale, units};
use crate::system::{ledger, soon};

#[tokio::test]
async fn one_shopper_racing_with_many_keys_gets_no_more_than_the_limit() {
    let shop = Arc::new(open_sale(Definition { limit_per_shopper: 3, ..units(50) }).await);
    let (start, shopper) = (Arc::new(Barrier::new(30)), shop.shopper("ann"));
    let mut racing = JoinSet::new();
    for number in 0..30 {
        let (shop, start, shopper) = (shop.clone(), start.clone(), shopper.clone());
        racing.spawn(async move {
            start.wait().await;
            shop.reserve(&shopper, &format!("key-{number}"), 1).await
        });
    }
    let answers = racing.join_all().await;
    let held: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(held.len(), 3);
    let own: Vec<_> =
        held.iter().map(|hold| shop.path(&format!("/reservations/{}", hold.field("id")))).collect();
    for refused in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(refused.told(), "409 limit-reached");
        assert_eq!(refused.body["limit_per_shopper"], 3);
        assert!(own.iter().any(|path| path == refused.field("reservation")), "{}", refused.text);
    }
    assert_eq!(shop.figures().await, "47/3/0");
}

#[tokio::test]
async fn a_quantity_that_would_pass_the_limit_is_refused_whole() {
    let shop = open_sale(Definition { limit_per_shopper: 3, ..units(50) }).await;
    let shopper = shop.shopper("ann");
    assert_eq!(shop.reserve(&shopper, "too-many", 4).await.told(), "409 limit-reached");
    assert_eq!(shop.reserve(&shopper, "two", 2).await.told(), "201 held");
    assert_eq!(shop.reserve(&shopper, "two-more", 2).await.told(), "409 limit-reached");
    assert_eq!(shop.reserve(&shopper, "one-more", 1).await.told(), "201 held");
    assert_eq!(shop.figures().await, "47/3/0");
}

#[tokio::test]
async fn what_is_released_or_cancelled_counts_no_more_and_what_is_ordered_does() {
    let shop = open_sale(Definition { limit_per_shopper: 1, ..units(50) }).await;
    let shopper = shop.shopper("ann");
    let released = shop.hold(&shopper, "first").await;
    shop.release(&shopper, &released).await;
    let ordered = shop.hold(&shopper, "second").await;
    let order = shop.confirm(&shopper, &ordered).await;
    assert_eq!(shop.reserve(&shopper, "third", 1).await.told(), "409 limit-reached");
    shop.cancel(order.field("id")).await;
    let again = shop.hold(&shopper, "third").await;
    assert_eq!(shop.confirm(&shopper, &again).await.told(), "201 confirmed");
}

#[tokio::test]
async fn a_limit_that_was_raised_counts_for_older_holds_too() {
    let first = Definition { limit_per_shopper: 1, ..units(50) };
    let shop = open_sale(first.clone()).await;
    let ann = shop.shopper("ann");
    let older = shop.hold(&ann, "older").await;
    shop.merchant.define(&shop.sale, &Definition { limit_per_shopper: 2, ..first }).await.unwrap();
    let newer = shop.hold(&ann, "newer").await;
    assert_eq!(shop.confirm(&ann, &newer).await.told(), "201 confirmed");
    assert_eq!(shop.confirm(&ann, &older).await.told(), "201 confirmed");
    assert_eq!(shop.reserve(&ann, "third", 1).await.told(), "409 limit-reached");
}

/// Redis can forget; the ledger does not.
#[tokio::test]
async fn the_ledger_refuses_an_order_beyond_the_limit_that_redis_has_forgotten_and_the_unit_returns() {
    let shop = open_sale(Definition { limit_per_shopper: 1, ..units(50) }).await;
    let ann = shop.shopper("ann");
    let id = shop.hold(&ann, "wish").await;
    let forgotten = Reservation {
        sale: shop.sale.clone(),
        shopper: shop.shopper_id("ann"),
        limit_per_shopper: 1,
        ..reservation(50)
    };
    let recorded = ledger(&shop.running).record(&forgotten, Timestamp::now(), soon()).await.unwrap();
    assert!(matches!(recorded, RecordOutcome::Recorded(_)));
    let refused: Answer = shop.confirm(&ann, &id).await;
    assert_eq!(refused.told(), "409 limit-reached");
    assert_eq!(shop.figures().await, "50/0/0");
}
