//! A failover that lost a change of stock which the ledger has: Redis is brought to the ledger's stock again. What is under way
//! is left alone.

use std::time::Duration;

use futures_util::future::join_all;
use ledger::ChangeRecordOutcome;
use sale::{
    ChangeId, IdempotencyKey, Progress, ReserveOutcome, RestockOutcome, Sku, StockError, Surplus,
    WithdrawAgainOutcome, WithdrawOutcome,
};

use crate::compare::{Memory, cancel};
use crate::expiry::wish;
use crate::shop::units;
use crate::system::{command, soon};
use crate::takeover::brief;
use crate::takeover_parts::Alone;

fn unit() -> Sku {
    Sku::parse("unit").unwrap()
}

fn change(alone: &Alone, key: &str) -> ChangeId {
    IdempotencyKey::parse(key).unwrap().change(&alone.id)
}

async fn withdraw(alone: &Alone, key: &str, quantity: u32) -> WithdrawOutcome {
    let change = change(alone, key);
    alone.ledger.withdraw(&alone.stock, &alone.id, &unit(), quantity, &change, soon()).await.unwrap()
}

/// As `admin` does it.
async fn restock(alone: &Alone, key: &str, quantity: u32) {
    let change = change(alone, key);
    let recorded = alone.ledger.record_restock(&alone.id, &unit(), quantity, &change, soon()).await.unwrap();
    assert_eq!(recorded, ChangeRecordOutcome::Recorded);
    alone.load().await;
}

async fn in_ledger(alone: &Alone) -> u32 {
    alone.ledger.sale(&alone.id, soon()).await.unwrap().unwrap().sale.definition.sku(&unit()).unwrap().stock
}

async fn in_redis(alone: &Alone) -> (u32, u64) {
    let view = alone.stock.view(&alone.id, soon()).await.unwrap().unwrap();
    assert!(view.is_conserved(), "{view:?}");
    (view.skus[0].stock, view.epoch)
}

#[tokio::test]
async fn a_withdrawal_that_a_failover_made_redis_forget_is_done_again_and_its_units_are_not_sold() {
    let alone = Alone::with("stock-withdrawn", units(10)).await;
    let before = Memory::of(&alone).await;
    assert_eq!(withdraw(&alone, "five", 5).await, WithdrawOutcome::Withdrawn { units: 5, stock: 5 });
    before.restore(&alone).await;
    assert_eq!(alone.figures().await, "10/0/0/0", "Redis would sell them");
    let again = withdraw(&alone, "five", 5).await;
    assert_eq!(again, WithdrawOutcome::Withdrawn { units: 5, stock: 5 }, "the ledger answers");
    for _ in 0..2 {
        alone.rebuild().await;
        assert_eq!(alone.figures().await, "5/0/0/0");
    }
    for shopper in 1..=5 {
        alone.order(shopper, 1).await;
    }
    let none = alone.stock.reserve(&wish(&alone.id, 6, 1), soon()).await.unwrap().outcome;
    assert!(matches!(none, ReserveOutcome::SoldOut { .. }), "{none:?}");
    restock(&alone, "more", 2).await;
    alone.rebuild().await;
    assert_eq!(alone.figures().await, "2/0/5/0", "it came from the withdrawn ones");
}

#[tokio::test]
async fn of_a_lost_withdrawal_whose_units_are_sold_the_orders_stand_and_what_comes_back_leaves_the_stock() {
    let alone = Alone::with("stock-oversold", brief(10)).await;
    let before = Memory::of(&alone).await;
    withdraw(&alone, "five", 5).await;
    before.restore(&alone).await;
    let orders: Vec<_> = join_all((1..=7).map(|shopper| alone.order(shopper, 1))).await;
    let held = alone.reserve(8, 1).await;
    for _ in 0..2 {
        alone.rebuild().await;
        assert_eq!(alone.figures().await, "0/1/7/0", "two leave at once, and three cannot");
    }
    alone.stock.release(&alone.id, &held.id, &held.shopper, soon()).await.unwrap();
    cancel(&alone, &orders[0]).await;
    alone.rebuild().await;
    assert_eq!(alone.figures().await, "0/0/6/0");
    // A takeover finds more orders than the ledger has units in the stock.
    alone.lose().await;
    alone.end().await;
    assert_eq!(alone.figures().await, "0/0/6/0");
    cancel(&alone, &orders[1]).await;
    cancel(&alone, &orders[2]).await;
    alone.rebuild().await;
    assert_eq!(alone.figures().await, "1/0/4/0", "the last of the five, and one that may be sold again");
}

#[tokio::test]
async fn a_restock_that_a_failover_made_redis_forget_is_done_again_and_once() {
    let alone = Alone::with("stock-restocked", units(2)).await;
    let epoch = Some(alone.load().await.sale.epoch);
    let late = async |key, quantity| {
        alone.stock.restock(&alone.id, &unit(), quantity, &change(&alone, key), epoch, soon()).await
    };
    restock(&alone, "kept", 1).await;
    let before = Memory::of(&alone).await;
    restock(&alone, "five", 5).await;
    restock(&alone, "four", 4).await;
    before.restore(&alone).await;
    assert_eq!(alone.figures().await, "3/0/0/0", "nobody would ever sell them");
    // Whoever was about to apply one of them does it before, and the other one after.
    late("four", 4).await.unwrap();
    for _ in 0..2 {
        alone.rebuild().await;
        assert_eq!(alone.figures().await, "12/0/0/0");
        assert_eq!(late("five", 5).await.unwrap(), RestockOutcome::Restocked { stock: 12 });
    }
    // What was counted when the sale was built again is not counted again.
    alone.lose().await;
    alone.rebuild().await;
    assert!(matches!(late("five", 5).await, Err(StockError::Unseeded)));
    assert_eq!(alone.figures().await, "0/0/0/12");
}

#[tokio::test]
async fn units_that_no_restock_explains_are_left_to_an_operator() {
    let alone = Alone::with("stock-unexplained", units(6)).await;
    restock(&alone, "one", 1).await;
    // As after the ledger was restored: it has forgotten the withdrawal, and Redis not.
    alone.stock.withdraw(&alone.id, &unit(), 2, &change(&alone, "w"), 1, soon()).await.unwrap();
    alone.stock.withdrawals(&alone.id, &[change(&alone, "w")], soon()).await.unwrap();
    alone.rebuild().await;
    assert_eq!((in_redis(&alone).await, in_ledger(&alone).await), ((5, 1), 7));
}

#[tokio::test]
async fn a_lost_withdrawal_that_somebody_repeats_meanwhile_is_done_once() {
    let alone = Alone::with("stock-repeated", units(10)).await;
    let five = change(&alone, "five");
    let repeat = async || alone.stock.withdraw(&alone.id, &unit(), 5, &five, 1, soon()).await.unwrap();
    let before = Memory::of(&alone).await;
    withdraw(&alone, "five", 5).await;
    // The repeat has found nothing in the ledger, and comes after.
    before.restore(&alone).await;
    alone.rebuild().await;
    assert_eq!(repeat().await, WithdrawOutcome::Withdrawn { units: 5, stock: 5 });
    assert_eq!((in_redis(&alone).await, in_ledger(&alone).await), ((5, 1), 5));
    // It comes before, and finds fewer: the ledger has decided how many it was.
    before.restore(&alone).await;
    let held: Vec<_> = join_all((1..=7).map(|shopper| alone.reserve(shopper, 1))).await;
    assert_eq!(repeat().await, WithdrawOutcome::Withdrawn { units: 3, stock: 7 });
    alone.rebuild().await;
    assert_eq!(alone.figures().await, "0/7/0/0");
    for hold in &held[..4] {
        alone.stock.release(&alone.id, &hold.id, &hold.shopper, soon()).await.unwrap();
    }
    alone.rebuild().await;
    assert_eq!(alone.figures().await, "2/3/0/0");
    assert_eq!((in_redis(&alone).await, in_ledger(&alone).await), ((5, 1), 5));
}

#[tokio::test]
async fn a_change_of_stock_that_is_half_done_is_no_difference() {
    let alone = Alone::with("stock-under-way", units(10)).await;
    let older = alone.load().await;
    let rebuild = async |record| alone.ledger.rebuild(&alone.stock, record, soon()).await.unwrap();
    // In Redis, and not in the ledger yet.
    let (half, epoch) = (change(&alone, "half"), older.sale.epoch);
    alone.stock.withdraw(&alone.id, &unit(), 4, &half, epoch, soon()).await.unwrap();
    rebuild(&older).await;
    assert_eq!((in_redis(&alone).await, in_ledger(&alone).await), ((6, 1), 10));
    // In both, and Redis has not heard so.
    let listed = Memory::of(&alone).await;
    withdraw(&alone, "half", 4).await;
    listed.restore(&alone).await;
    let newer = alone.load().await;
    rebuild(&newer).await;
    rebuild(&older).await;
    assert_eq!((in_redis(&alone).await, in_ledger(&alone).await), ((6, 1), 6));
    assert_eq!(alone.stock.withdrawals(&alone.id, &[], soon()).await.unwrap(), []);
    // In the ledger, and not in Redis yet.
    let more = change(&alone, "more");
    alone.ledger.record_restock(&alone.id, &unit(), 3, &more, soon()).await.unwrap();
    let newer = alone.ledger.sale(&alone.id, soon()).await.unwrap().unwrap();
    for record in [&older, &newer] {
        rebuild(record).await;
        assert_eq!((in_redis(&alone).await, in_ledger(&alone).await), ((6, 1), 9));
    }
    // In both, and whoever looks has read the ledger before.
    alone.load().await;
    rebuild(&older).await;
    assert_eq!((in_redis(&alone).await, in_ledger(&alone).await), ((9, 1), 9));
}

#[tokio::test]
async fn changes_of_stock_while_the_two_are_held_against_each_other_are_each_done_once() {
    let alone = Alone::with("stock-crowd", units(200)).await;
    let older = alone.load().await;
    let merchant = async |number: u32| {
        let mut expected = 0_i64;
        for step in 0..8 {
            let (key, quantity) = (format!("{number}-{step}"), 1 + (number + step) % 5);
            if (number + step).is_multiple_of(2) {
                restock(&alone, &key, quantity).await;
                expected += i64::from(quantity);
            } else if let WithdrawOutcome::Withdrawn { units, .. } = withdraw(&alone, &key, quantity).await {
                expected -= i64::from(units);
            }
        }
        expected
    };
    let sweep = async |record| {
        for _ in 0..30 {
            alone.ledger.rebuild(&alone.stock, record, soon()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    // One that always has to look closely, because what it knows is old, and one that reads the ledger each time.
    let reads = async {
        for _ in 0..30 {
            alone.rebuild().await;
        }
    };
    let merchants = join_all((0..4).map(merchant));
    let (changed, (), ()) = tokio::join!(merchants, sweep(&older), reads);
    alone.rebuild().await;
    let expected = u32::try_from(200 + changed.into_iter().sum::<i64>()).unwrap();
    assert_eq!((in_redis(&alone).await, in_ledger(&alone).await), ((expected, 1), expected));
}

#[tokio::test]
async fn what_was_seen_in_another_history_or_of_another_stock_changes_nothing() {
    let alone = Alone::with("stock-stale", units(4)).await;
    let Progress::Compared(seen) = alone.stock.progress(&alone.id, soon()).await.unwrap() else {
        panic!("a takeover")
    };
    let sku = unit();
    let right = Surplus { lineage: &seen.lineage, sku: &sku, stock: 4, units: 3, recorded: &[] };
    let send = async |surplus| alone.stock.withdraw_again(&alone.id, &surplus, soon()).await.unwrap();
    assert_eq!(send(Surplus { lineage: "another", ..right.clone() }).await, WithdrawAgainOutcome::Stale);
    assert_eq!(send(Surplus { stock: 5, ..right.clone() }).await, WithdrawAgainOutcome::Stale);
    assert_eq!(alone.figures().await, "4/0/0/0");
    assert_eq!(send(right.clone()).await, WithdrawAgainOutcome::Withdrawn { units: 3 });
    assert_eq!(send(right).await, WithdrawAgainOutcome::Stale, "whoever saw the same comes too late");
    assert_eq!(alone.figures().await, "1/0/0/0");
    let listed = command(&alone.redis, "EXISTS", &[&format!("{{{}}}:unrecorded", alone.id)]).await;
    assert_eq!(listed, sentinel::Value::Int(0));
}
