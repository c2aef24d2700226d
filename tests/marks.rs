//! What a confirm writes to Redis before it goes to the ledger counts only when a replica has it.

use std::time::Duration;

use ledger::{CONFIRM_DEADLINE, ConfirmOutcome};
use sale::{BeginOutcome, Deadline, ExchangeOutcome, IdempotencyKey, Reservation, Sku};
use spillway::{Signal, signal};

use crate::settle::{ordered, reservation};
use crate::shop::units;
use crate::system::{eventually, soon};
use crate::takeover_parts::Alone;

/// Shorter than a master waits for replicas that it has lost before it refuses writes altogether.
fn brief() -> Deadline {
    Deadline::after(Duration::from_millis(500))
}

#[tokio::test]
async fn a_mark_and_an_exchange_that_no_replica_has_are_not_told_as_done_and_nothing_is_sold() {
    let alone = Alone::with("marks", units(4)).await;
    let (stock, id) = (&alone.stock, &alone.id);
    let (first, second) = (alone.reserve(1, 1).await, alone.reserve(2, 1).await);
    let begun = stock.begin(id, &second.id, &second.shopper, None, CONFIRM_DEADLINE, soon()).await.unwrap();
    assert!(matches!(begun, BeginOutcome::Begun(_)), "{begun:?}");
    let thief = ordered(&Reservation { units: second.units.clone(), ..reservation(1) });
    let replicas = alone.replicas().await;
    for pid in &replicas {
        signal(*pid, Signal::STOP);
    }
    let begun = stock.begin(id, &first.id, &first.shopper, None, CONFIRM_DEADLINE, brief()).await;
    let exchanged = stock.exchange(id, &second.id, std::slice::from_ref(&thief), brief()).await;
    let confirmed = alone.ledger.confirm(stock, id, &first.id, &first.shopper, None, brief()).await;
    for pid in &replicas {
        signal(*pid, Signal::CONT);
    }
    assert!(begun.is_err(), "{begun:?}");
    assert!(exchanged.is_err(), "{exchanged:?}");
    assert!(confirmed.is_err(), "{confirmed:?}");
    assert_eq!(alone.ledger.order(&first.order_id(), soon()).await.unwrap(), None);

    let confirmed = eventually("the confirm", async || {
        alone.ledger.confirm(stock, id, &first.id, &first.shopper, None, soon()).await.ok()
    })
    .await;
    assert!(matches!(confirmed, ConfirmOutcome::Confirmed(_)), "{confirmed:?}");
    let exchanged = stock.exchange(id, &second.id, &[thief], soon()).await.unwrap();
    let ExchangeOutcome::Exchanged(other) = exchanged else { panic!("{exchanged:?}") };
    assert_ne!(other.units, second.units);
    assert_eq!(alone.figures().await, "1/1/2/0", "the exchange was done once");
}

#[tokio::test]
async fn a_withdrawal_that_no_replica_has_does_not_lower_the_ledger() {
    let alone = Alone::with("marks-withdrawal", units(4)).await;
    let (record, unit) = (alone.load().await, Sku::parse("unit").unwrap());
    let key = IdempotencyKey::parse("fewer").unwrap().change(&alone.id);
    let in_ledger = async || {
        let sale = alone.ledger.sale(&alone.id, soon()).await.unwrap().unwrap().sale;
        sale.definition.sku(&unit).unwrap().stock
    };
    let replicas = alone.replicas().await;
    for pid in &replicas {
        signal(*pid, Signal::STOP);
    }
    let withdrawn = alone.stock.withdraw(&alone.id, &unit, 3, &key, record.sale.epoch, brief()).await;
    let recorded = alone.ledger.record_withdrawals(&alone.stock, &record, brief()).await;
    let stock = in_ledger().await;
    for pid in &replicas {
        signal(*pid, Signal::CONT);
    }
    assert!(withdrawn.is_err(), "{withdrawn:?}");
    assert!(recorded.is_err(), "{recorded:?}");
    assert_eq!(stock, 4, "whoever is promoted now still sells them");
    eventually("the withdrawal", async || {
        let _ = alone.ledger.record_withdrawals(&alone.stock, &record, soon()).await;
        (in_ledger().await == 1).then_some(())
    })
    .await;
    assert_eq!(alone.figures().await, "1/0/0/0");
}
