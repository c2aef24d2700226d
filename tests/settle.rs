//! Who decides about a confirm that was begun: whoever writes the order's item first, for good.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ledger::{RecordOutcome, Settled};
use sale::{
    DueAction, LedgerOrder, Reservation, ReservationId, ReservationState, ReserveOutcome, ShopperId, Sku,
};
use tokio::sync::Barrier;

use crate::shop::{new_sale_id, open_sale, units};
use crate::system::{eventually, ledger, shared, soon, stock};

/// A confirming reservation of one unit, which only the ledger will hear of.
pub(crate) fn reservation(unit: u32) -> Reservation {
    Reservation {
        id: ReservationId::from_bytes(rand::random()),
        sale: new_sale_id(),
        sku: Sku::parse("unit").unwrap(),
        shopper: ShopperId::from_bytes(rand::random()),
        units: vec![unit],
        state: ReservationState::Confirming,
        expires_at: Timestamp::now() + SignedDuration::from_secs(60),
        price_minor: 1_999,
        currency: "EUR".to_owned(),
        limit_per_shopper: 10,
        epoch: 1,
    }
}

/// The order that this reservation becomes.
pub(crate) fn ordered(held: &Reservation) -> LedgerOrder {
    LedgerOrder {
        reservation: held.id,
        shopper: held.shopper,
        units: held.units.clone(),
        price_minor: held.price_minor,
        currency: held.currency.clone(),
    }
}

#[tokio::test]
async fn a_late_confirm_meets_the_tombstone_and_writes_nothing() {
    let ledger = ledger(&shared());
    let late = reservation(1);
    assert_eq!(ledger.settle(&late.sale, &late.id, soon()).await.unwrap(), Settled::Abandoned);
    let recorded = ledger.record(&late, Timestamp::now(), soon()).await.unwrap();
    assert_eq!(recorded, RecordOutcome::Abandoned);
    assert_eq!(ledger.order(&late.order_id(), soon()).await.unwrap(), None);
    let other = Reservation { id: ReservationId::from_bytes(rand::random()), ..late.clone() };
    let recorded = ledger.record(&other, Timestamp::now(), soon()).await.unwrap();
    assert!(matches!(recorded, RecordOutcome::Recorded(_)), "the unit is free: {recorded:?}");
    assert_eq!(ledger.settle(&late.sale, &late.id, soon()).await.unwrap(), Settled::Abandoned);
}

#[tokio::test]
async fn an_order_that_was_first_is_what_the_sweep_finds() {
    let ledger = ledger(&shared());
    let first = reservation(1);
    let RecordOutcome::Recorded(order) = ledger.record(&first, Timestamp::now(), soon()).await.unwrap()
    else {
        panic!("nobody else wants this unit")
    };
    assert_eq!(ledger.settle(&first.sale, &first.id, soon()).await.unwrap(), Settled::Ordered(order));
}

#[tokio::test]
async fn a_confirm_and_the_sweep_at_once_agree_on_one_outcome() {
    let ledger = ledger(&shared());
    let (mut orders, mut tombstones) = (0, 0);
    for _ in 0..60 {
        let racing = Arc::new(reservation(1));
        let start = Arc::new(Barrier::new(2));
        let confirm = tokio::spawn({
            let (ledger, racing, start) = (ledger.clone(), racing.clone(), start.clone());
            async move {
                start.wait().await;
                ledger.record(&racing, Timestamp::now(), soon()).await.unwrap()
            }
        });
        let sweep = tokio::spawn({
            let (ledger, racing) = (ledger.clone(), racing.clone());
            async move {
                start.wait().await;
                ledger.settle(&racing.sale, &racing.id, soon()).await.unwrap()
            }
        });
        match (confirm.await.unwrap(), sweep.await.unwrap()) {
            (RecordOutcome::Recorded(_), Settled::Ordered(_)) => orders += 1,
            (RecordOutcome::Abandoned, Settled::Abandoned) => tombstones += 1,
            disagreement => panic!("{disagreement:?}"),
        }
    }
    println!("{orders} orders, {tombstones} tombstones");
}

#[tokio::test]
async fn two_reservations_of_one_unit_are_one_order_and_the_other_takes_another_unit() {
    let shop = open_sale(units(2)).await;
    let ann = shop.shopper("ann");
    let held = shop.reserve(&ann, "wish", 1).await;
    // Redis gave the unit away twice, as after a lost write; somebody else's order is first.
    let thief = Reservation { sale: shop.sale.clone(), ..reservation(1) };
    let recorded = ledger(&shop.running).record(&thief, Timestamp::now(), soon()).await.unwrap();
    assert!(matches!(recorded, RecordOutcome::Recorded(_)));
    let order = shop.confirm(&ann, held.field("id")).await;
    assert_eq!((order.told().as_str(), order.units()), ("201 confirmed", vec![2]));
    assert_eq!(shop.figures().await, "0/0/2");
}

#[tokio::test]
async fn only_when_no_other_unit_is_left_a_lost_unit_is_told_as_lost() {
    let shop = open_sale(units(1)).await;
    let ann = shop.shopper("ann");
    let id = shop.hold(&ann, "wish").await;
    let thief = Reservation { sale: shop.sale.clone(), ..reservation(1) };
    ledger(&shop.running).record(&thief, Timestamp::now(), soon()).await.unwrap();
    assert_eq!(shop.confirm(&ann, &id).await.told(), "409 unit-lost");
    assert_eq!(shop.figures().await, "0/0/1", "it is sold, not free");
    assert_eq!(shop.reserve(&shop.shopper("ben"), "wish", 1).await.told(), "409 sold-out");
}

#[tokio::test]
async fn verdicts_in_any_order_and_number_leave_redis_at_what_the_ledger_says() {
    use sale::Verdict::{Abandoned, Cancelled, Ordered};
    let stock = stock(&shared());
    let sku = Sku::parse("unit").unwrap();
    for (verdicts, figures) in [
        ("ordered ordered", (4, 0, 1)),
        ("ordered cancelled cancelled", (5, 0, 0)),
        ("cancelled ordered", (5, 0, 0)),
        ("abandoned abandoned", (5, 0, 0)),
    ] {
        let sale = crate::expiry::open_in_redis(&stock, units(5)).await.id;
        let wish = crate::expiry::wish(&sale, 1, 1);
        let ReserveOutcome::Held(held) = stock.reserve(&wish, soon()).await.unwrap().outcome else {
            panic!("there are five")
        };
        stock.begin(&sale, &held.id, &held.shopper, None, ledger::CONFIRM_DEADLINE, soon()).await.unwrap();
        for verdict in verdicts.split(' ') {
            let verdict = match verdict {
                "ordered" => Ordered { sku: &sku, order: &ordered(&held) },
                "cancelled" => Cancelled { sku: &sku, order: &ordered(&held), free: &held.units },
                _ => Abandoned,
            };
            stock.finish(&sale, &held.id, verdict, soon()).await.unwrap();
        }
        let view = stock.view(&sale, soon()).await.unwrap().unwrap();
        let sku = &view.skus[0];
        assert_eq!((sku.available, sku.held, sku.sold), figures, "{verdicts}");
        assert!(view.is_conserved());
    }
}

/// Whoever was told the first time may have died, or not have heard it.
#[tokio::test]
async fn a_confirm_that_can_still_be_repeated_is_looked_at_now_and_then_and_abandoned_only_after_its_hold() {
    let stock = stock(&shared());
    let terms = sale::Definition { hold_seconds: 10, ..units(5) };
    let sale = crate::expiry::open_in_redis(&stock, terms).await.id;
    let wish = crate::expiry::wish(&sale, 1, 1);
    stock.reserve(&wish, soon()).await.unwrap();
    stock.begin(&sale, &wish.id, &wish.shopper.id, None, Duration::ZERO, soon()).await.unwrap();
    let mut looks = Vec::new();
    eventually("the end of the hold", async || {
        let due = stock.due(&sale, 10, Duration::from_secs(4), &[], soon()).await.unwrap();
        looks.extend(due.iter().map(|due| due.action == DueAction::Settle));
        looks.last().copied().unwrap_or_default().then_some(())
    })
    .await;
    assert!(matches!(looks[..], [false, false, true] | [false, false, false, true]), "{looks:?}");
    let view = stock.view(&sale, soon()).await.unwrap().unwrap();
    assert_eq!((view.skus[0].held, view.unsettled), (1, 1), "looking settles nothing");
}
