//! The quarantine of a takeover: how long units are kept back, which receipts count meanwhile, and sales of many parts.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ledger::{ConfirmOutcome, StoreOutcome};
use sale::{
    Deadline, Definition, RebuildOutcome, Reservation, ReservationState, ReserveOutcome, ReserveRequest,
    StockError,
};
use sentinel::Value;

use crate::compare::{cancel, settle};
use crate::expiry::wish;
use crate::settle::reservation;
use crate::shop::units;
use crate::system::{command, eventually, soon};
use crate::takeover::brief;
use crate::takeover_parts::Alone;

#[tokio::test]
async fn units_are_kept_back_for_the_longest_hold_that_ever_was_a_confirm_at_its_end_and_the_allowance_for_clocks()
 {
    let alone = Alone::with("quarantine-length", Definition { hold_seconds: 60, ..units(2) }).await;
    let mut record = alone.load().await;
    record.sale.definition.hold_seconds = 10;
    record.sale.version += 1;
    assert_eq!(alone.ledger.store_sale(&record, soon()).await.unwrap(), StoreOutcome::Stored);
    alone.load().await;
    alone.lose().await;
    alone.rebuild().await;
    let sale = format!("{{{}}}", alone.id);
    let times = command(&alone.redis, "HMGET", &[&sale, "quarantine_until", "clock"]).await;
    let Value::Array(times) = times else { panic!("{times:?}") };
    let milliseconds = |value: &Value| match value {
        Value::Bytes(text) => String::from_utf8_lossy(text).parse::<i64>().unwrap(),
        other => panic!("{other:?}"),
    };
    let [until, read_at] = [&times[0], &times[1]].map(milliseconds);
    assert_eq!(until - read_at, 60_000 + 10_000 + 500);
}

#[tokio::test]
async fn a_receipt_counts_until_its_hold_is_over_and_where_it_is_of_an_earlier_epoch() {
    let alone = Alone::with("quarantine-receipts", units(4)).await;
    let [ann, bob, cat] = [alone.reserve(1, 1).await, alone.reserve(2, 1).await, alone.reserve(3, 1).await];
    alone.lose().await;
    alone.rebuild().await;
    let ago = |milliseconds| Timestamp::now() - SignedDuration::from_millis(milliseconds);
    let over = Reservation { expires_at: ago(2_000), ..ann };
    assert_eq!(alone.confirm(&over).await, ConfirmOutcome::Expired);
    assert_eq!(alone.figures().await, "0/0/0/4", "its unit stays where it is");
    let of_this_epoch = Reservation { epoch: 2, ..bob };
    assert_eq!(alone.confirm(&of_this_epoch).await, ConfirmOutcome::ReservationNotFound);
    assert_eq!(alone.figures().await, "0/0/0/4");
    // The clock of the node that gave it may have been behind that of this one. (A slow machine may be too late.)
    eventually("a confirm within the allowance", async || {
        let just_over = Reservation { expires_at: ago(0), ..cat.clone() };
        matches!(alone.confirm(&just_over).await, ConfirmOutcome::Confirmed(_)).then_some(())
    })
    .await;
    assert_eq!(alone.figures().await, "0/0/1/3");
}

#[tokio::test]
async fn an_order_that_was_cancelled_after_the_second_reading_has_seen_it_stays_cancelled() {
    let alone = Alone::with("quarantine-cancelled", brief(3)).await;
    let ordered = alone.order(1, 1).await;
    alone.lose().await;
    alone.rebuild().await;
    let progress = eventually("the end of the quarantine", async || {
        alone.progress().await.filter(|progress| progress.now >= progress.quarantine_until)
    })
    .await;
    alone.ledger.cancel(&ordered.id, Timestamp::now(), soon()).await.unwrap();
    alone.ledger.finish_in_stock(&alone.stock, &alone.id, &ordered.reservation, soon()).await.unwrap();
    assert_eq!(alone.send(&progress, (1, 3), &[ordered]).await, RebuildOutcome::Read);
    assert_eq!(alone.figures().await, "3/0/0/0");
    for shopper in 1..=3 {
        alone.reserve(shopper, 1).await;
    }
    assert_eq!(alone.figures().await, "0/3/0/0", "each unit is there to be held");
}

#[tokio::test]
async fn a_sale_of_several_parts_is_built_again_whole_by_two_at_once() {
    let alone = Alone::with("quarantine-parts", brief(1_200)).await;
    for units in [vec![1, 500], vec![501], vec![1_000, 1_001], vec![1_200]] {
        let sold = Reservation { sale: alone.id.clone(), units, ..reservation(1) };
        alone.ledger.record(&sold, Timestamp::now(), soon()).await.unwrap();
    }
    alone.lose().await;
    let record = alone.load().await;
    let build = async || {
        let deadline = Deadline::after(Duration::from_mins(1));
        alone.ledger.rebuild(&alone.stock, &record, deadline).await.unwrap();
    };
    tokio::join!(build(), build());
    assert_eq!(alone.figures().await, "0/0/6/1194");
    alone.end().await;
    assert_eq!(alone.figures().await, "1194/0/6/0");
}

#[tokio::test]
async fn what_a_receipt_took_out_of_the_quarantine_and_was_refused_or_cancelled_is_kept_back_again() {
    let alone = Alone::with("quarantine-refused", brief(3)).await;
    let ann = alone.reserve(1, 1).await;
    let ConfirmOutcome::Confirmed(order) = alone.confirm(&ann).await else { panic!("she holds it") };
    cancel(&alone, &order).await;
    let bob = alone.reserve(2, 1).await;
    assert_eq!(bob.units, ann.units);
    alone.lose().await;
    alone.rebuild().await;
    assert_eq!(alone.confirm(&ann).await, ConfirmOutcome::Cancelled);
    assert_eq!(alone.figures().await, "0/0/0/3");
    let cat = async || alone.stock.reserve(&wish(&alone.id, 3, 1), soon()).await;
    assert!(matches!(cat().await, Err(StockError::Unseeded)), "it may be somebody's");
    let ConfirmOutcome::Confirmed(order) = alone.confirm(&bob).await else { panic!("he has a receipt") };
    assert_eq!(order.units, bob.units);
    cancel(&alone, &order).await;
    assert_eq!(alone.figures().await, "0/0/0/3");
    alone.end().await;
    assert_eq!(alone.figures().await, "3/0/0/0");
    assert!(matches!(cat().await.unwrap().outcome, ReserveOutcome::Held(_)));
}

#[tokio::test]
async fn a_wish_whose_order_was_cancelled_before_the_takeover_is_told_so_and_never_held_again() {
    let alone = Alone::with("quarantine-ended", brief(3)).await;
    let ann = alone.reserve(1, 1).await;
    let ConfirmOutcome::Confirmed(order) = alone.confirm(&ann).await else { panic!("she holds it") };
    cancel(&alone, &order).await;
    alone.lose().await;
    // The orders are listed a step later than their units are read, and looked at one by one after that.
    for _ in 0..2 {
        alone.rebuild().await;
    }
    settle(&alone).await;
    assert_eq!(alone.figures().await, "0/0/0/3");
    let again = ReserveRequest { id: ann.id, ..wish(&alone.id, 1, 1) };
    let again = alone.stock.reserve(&again, soon()).await.unwrap().outcome;
    assert!(matches!(again, ReserveOutcome::Repeated(r) if r.state == ReservationState::Cancelled));
    assert_eq!(alone.confirm(&ann).await, ConfirmOutcome::Cancelled);
    assert_eq!(alone.figures().await, "0/0/0/3");
}
