//! A failover that lost what was acknowledged: what the ledger knows of it is brought back into Redis. Here the loss is
//! exact, because Redis is set back to what it was before.

use std::time::Duration;

use jiff::Timestamp;
use ledger::{CONFIRM_DEADLINE, CancelOutcome, ConfirmOutcome, Order};
use sale::{
    CompareOutcome, Compared, ComparedCancels, ComparedPart, Definition, FindOutcome, FinishOutcome,
    LedgerOrder, Progress, ReservationState, ReserveOutcome, ReserveRequest, Sku, Verdict,
};
use sentinel::Value;

use crate::expiry::wish;
use crate::settle::ordered;
use crate::shop::units;
use crate::system::{command, command_of_bytes, eventually, soon};
use crate::takeover_parts::Alone;

/// Everything that Redis has.
pub(crate) struct Memory(Vec<(Vec<u8>, Vec<u8>)>);

async fn keys(alone: &Alone) -> Vec<Vec<u8>> {
    let Value::Array(keys) = command_of_bytes(&alone.redis, "KEYS", &[b"*"]).await else { panic!("no list") };
    let bytes = |key| if let Value::Bytes(key) = key { key } else { panic!("no key") };
    keys.into_iter().map(bytes).collect()
}

impl Memory {
    pub(crate) async fn of(alone: &Alone) -> Self {
        let mut memory = Vec::new();
        for key in keys(alone).await {
            // One that ends by itself may have ended.
            if let Value::Bytes(value) = command_of_bytes(&alone.redis, "DUMP", &[&key]).await {
                memory.push((key, value));
            }
        }
        Self(memory)
    }

    /// Sets Redis back, in a history of its own.
    pub(crate) async fn restore(&self, alone: &Alone) {
        for key in keys(alone).await {
            command_of_bytes(&alone.redis, "DEL", &[&key]).await;
        }
        for (key, value) in &self.0 {
            command_of_bytes(&alone.redis, "RESTORE", &[key, b"0", value]).await;
        }
        let sku = format!("{{{}}}:sku:unit", alone.id);
        command(&alone.redis, "HSET", &[&sku, "compared", "another history:all"]).await;
        let sale = format!("{{{}}}", alone.id);
        command(&alone.redis, "HSET", &[&sale, "cancels_compared", "another history:all"]).await;
    }
}

fn order(outcome: ConfirmOutcome) -> Order {
    match outcome {
        ConfirmOutcome::Confirmed(order) => order,
        outcome => panic!("{outcome:?}"),
    }
}

async fn compared(alone: &Alone) -> Compared {
    match alone.stock.progress(&alone.id, soon()).await.unwrap() {
        Progress::Compared(compared) => compared.skus[0].compared,
        progress => panic!("{progress:?}"),
    }
}

pub(crate) async fn cancel(alone: &Alone, order: &Order) {
    let cancelled = alone.ledger.cancel(&order.id, order.confirmed_at, soon()).await.unwrap();
    assert!(matches!(cancelled, CancelOutcome::Cancelled(_)));
    alone.ledger.finish_in_stock(&alone.stock, &alone.id, &order.reservation, soon()).await.unwrap();
}

/// What the sweep does with what is due.
pub(crate) async fn settle(alone: &Alone) {
    for due in alone.stock.due(&alone.id, 100, Duration::ZERO, &[], soon()).await.unwrap() {
        alone.ledger.settle_in_stock(&alone.stock, &alone.id, &due.id, soon()).await.unwrap();
    }
}

#[tokio::test]
async fn orders_that_a_failover_made_redis_forget_are_there_again_and_count() {
    let alone = Alone::with("compare", Definition { limit_per_shopper: 2, ..units(6) }).await;
    alone.rebuild().await;
    assert_eq!(compared(&alone).await, Compared::All, "nothing was lost since");
    let (ann, dan) = (alone.reserve(1, 1).await, alone.reserve(4, 1).await);
    let before = Memory::of(&alone).await;
    order(alone.confirm(&ann).await);
    let bob = alone.reserve(2, 2).await;
    let ordered = order(alone.confirm(&bob).await);
    let cat = alone.reserve(3, 1).await;
    cancel(&alone, &order(alone.confirm(&cat).await)).await;
    before.restore(&alone).await;
    assert_eq!(alone.figures().await, "4/2/0/0", "Redis has forgotten three orders and a cancel");
    assert_eq!(compared(&alone).await, Compared::Before(1));

    for _ in 0..2 {
        alone.rebuild().await;
        settle(&alone).await;
        assert_eq!(compared(&alone).await, Compared::All);
    }
    // Bob's units count as sold when their turn comes.
    assert_eq!(alone.figures().await, "4/1/1/0");
    let again = alone.stock.reserve(&wish(&alone.id, 2, 1), soon()).await.unwrap().outcome;
    assert!(matches!(again, ReserveOutcome::LimitReached { .. }), "{again:?}");
    let rest = [alone.reserve(5, 1).await, alone.reserve(6, 1).await];
    for hold in &rest {
        assert!(!ordered.units.contains(&hold.units[0]), "nobody is given a unit that is sold");
        order(alone.confirm(hold).await);
    }
    order(alone.confirm(&dan).await);
    let none = alone.stock.reserve(&wish(&alone.id, 7, 1), soon()).await.unwrap().outcome;
    assert!(matches!(none, ReserveOutcome::SoldOut { .. }), "{none:?}");
    assert_eq!(alone.figures().await, "0/0/6/0");
}

#[tokio::test]
async fn a_cancel_that_a_failover_made_redis_forget_is_done_again() {
    let alone = Alone::with("compare-cancels", Definition { limit_per_shopper: 1, ..units(3) }).await;
    let [ann, bob] = [alone.reserve(1, 1).await, alone.reserve(2, 1).await];
    let order_of_ann = order(alone.confirm(&ann).await);
    order(alone.confirm(&bob).await);
    let before = Memory::of(&alone).await;
    cancel(&alone, &order_of_ann).await;
    before.restore(&alone).await;
    assert_eq!(alone.figures().await, "1/0/2/0", "Redis has forgotten the cancel");
    for _ in 0..3 {
        alone.rebuild().await;
        settle(&alone).await;
    }
    assert_eq!(alone.figures().await, "2/0/1/0");
    let progress = alone.stock.progress(&alone.id, soon()).await.unwrap();
    let Progress::Compared(compared) = progress else { panic!("{progress:?}") };
    assert_eq!(compared.cancels, ComparedCancels::All);
    let again = alone.reserve(1, 1).await;
    order(alone.confirm(&again).await);
    let other = alone.stock.reserve(&wish(&alone.id, 2, 1), soon()).await.unwrap().outcome;
    assert!(matches!(other, ReserveOutcome::LimitReached { .. }), "{other:?}");
    assert_eq!(alone.figures().await, "1/0/2/0");
}

#[tokio::test]
async fn a_lost_cancel_that_is_done_again_does_not_take_the_unit_from_who_bought_it_since() {
    let alone = Alone::with("compare-resold", units(2)).await;
    let order_of_ann = order(alone.confirm(&alone.reserve(1, 1).await).await);
    order(alone.confirm(&alone.reserve(2, 1).await).await);
    let before = Memory::of(&alone).await;
    cancel(&alone, &order_of_ann).await;
    let order_of_cat = order(alone.confirm(&alone.reserve(3, 1).await).await);
    assert_eq!(order_of_cat.units, order_of_ann.units);
    before.restore(&alone).await;
    for _ in 0..3 {
        alone.rebuild().await;
        settle(&alone).await;
    }
    assert_eq!(alone.figures().await, "0/0/2/0");
    let nobody = alone.stock.reserve(&wish(&alone.id, 4, 1), soon()).await.unwrap().outcome;
    assert!(matches!(nobody, ReserveOutcome::SoldOut { may_return: false }), "{nobody:?}");
    // The next cancel is hers, and the unit is there once.
    cancel(&alone, &order_of_cat).await;
    assert_eq!(alone.figures().await, "1/0/1/0");
    assert_eq!(alone.reserve(5, 1).await.units, order_of_cat.units);
}

#[tokio::test]
async fn an_order_whose_hold_redis_has_lost_is_on_record_again_and_its_cancel_gives_the_unit_back() {
    let alone = Alone::with("compare-late", Definition { limit_per_shopper: 1, ..units(2) }).await;
    let before = Memory::of(&alone).await;
    let holds = [alone.reserve(1, 1).await, alone.reserve(2, 1).await];
    before.restore(&alone).await;
    alone.rebuild().await;
    assert_eq!(alone.figures().await, "2/0/0/0", "two confirms are under way of which Redis knows nothing");
    for held in &holds {
        alone.ledger.record(held, Timestamp::now(), soon()).await.unwrap();
    }
    let [first, second] = holds;
    alone.ledger.finish_in_stock(&alone.stock, &alone.id, &first.id, soon()).await.unwrap();
    let found = alone.stock.find(&alone.id, &first.id, &first.shopper, soon()).await.unwrap();
    let FindOutcome::Found(found, _) = found else { panic!("{found:?}") };
    assert_eq!((found.state, &found.units), (ReservationState::Ordered, &first.units));
    let again = alone.stock.reserve(&wish(&alone.id, 1, 1), soon()).await.unwrap().outcome;
    assert!(matches!(again, ReserveOutcome::LimitReached { .. }), "{again:?}");
    settle(&alone).await;

    // The word that the other order stands comes late, after its cancel.
    for held in [&first, &second] {
        let cancelled = alone.ledger.cancel(&held.order_id(), Timestamp::now(), soon()).await.unwrap();
        assert!(matches!(cancelled, CancelOutcome::Cancelled(_)));
        alone.ledger.finish_in_stock(&alone.stock, &alone.id, &held.id, soon()).await.unwrap();
    }
    let verdict = Verdict::Ordered { sku: &second.sku, order: &ordered(&second) };
    let late = alone.stock.finish(&alone.id, &second.id, verdict, soon()).await.unwrap();
    assert_eq!(late, FinishOutcome::Finished, "an order that was cancelled is never ordered again");
    settle(&alone).await;
    let mut units: Vec<u32> = Vec::new();
    for shopper in 1..=2 {
        units.extend(alone.reserve(shopper, 1).await.units);
    }
    units.sort_unstable();
    assert_eq!(units, [1, 2]);
    assert_eq!(alone.figures().await, "0/2/0/0");
}

#[tokio::test]
async fn parts_follow_one_another_in_one_history_and_an_old_word_of_an_order_does_not_outlive_its_cancel() {
    let alone = Alone::with("compare-parts", units(6)).await;
    let sku = Sku::parse("unit").unwrap();
    let before = Memory::of(&alone).await;
    let ordered = order(alone.confirm(&alone.reserve(1, 1).await).await);
    let told = [LedgerOrder::from(&ordered)];
    before.restore(&alone).await;
    let lineage = alone.redis.status().lineage.unwrap();
    let part = |first: u32, last: u32, orders| ComparedPart {
        lineage: lineage.as_str(),
        sku: &sku,
        serials: first..=last,
        is_last: last == 6,
        orders,
    };
    let send = async |part| alone.stock.compare(&alone.id, &part, soon()).await.unwrap();
    let nothing = CompareOutcome::Compared { repaired: 0 };
    assert_eq!(send(part(4, 6, &[])).await, CompareOutcome::Stale, "the first part comes first");
    let of_another_history = ComparedPart { lineage: "another", ..part(1, 3, &told) };
    assert_eq!(
        send(of_another_history).await,
        CompareOutcome::Stale,
        "the ledger was read before a failover"
    );
    // The ledger was read before this cancel, of which Redis hears nothing.
    alone.ledger.cancel(&ordered.id, Timestamp::now(), soon()).await.unwrap();
    assert_eq!(send(part(1, 3, &told)).await, CompareOutcome::Compared { repaired: 1 });
    assert_eq!(send(part(5, 6, &[])).await, CompareOutcome::Stale, "not without the one between");
    assert_eq!(send(part(4, 6, &[])).await, nothing);
    assert_eq!(send(part(4, 6, &[])).await, CompareOutcome::Stale, "not twice");
    settle(&alone).await;
    assert_eq!(alone.figures().await, "6/0/0/0", "the unit is where it was, and once");
    let holds: Vec<_> =
        futures_util::future::join_all((1..=6).map(|shopper| alone.reserve(shopper, 1))).await;
    assert!(holds.iter().any(|hold| hold.units == ordered.units), "the cancelled unit is sold again");
}

#[tokio::test]
async fn a_unit_that_turned_out_to_be_sold_is_there_again_when_the_order_that_redis_had_lost_is_cancelled() {
    let alone = Alone::with("compare-exchanged", units(6)).await;
    let before = Memory::of(&alone).await;
    let [ann, dan] = [alone.reserve(1, 1).await, alone.reserve(4, 1).await];
    for lost in [&ann, &dan] {
        alone.ledger.record(lost, Timestamp::now(), soon()).await.unwrap();
    }
    before.restore(&alone).await;
    let others = [alone.reserve(2, 1).await, alone.reserve(5, 1).await];
    for (other, lost) in others.iter().zip([&ann, &dan]) {
        assert_eq!(other.units, lost.units);
        assert_ne!(order(alone.confirm(other).await).units, lost.units);
    }
    assert_eq!(alone.figures().await, "2/0/4/0");
    let order_of_ann = alone.ledger.order(&ann.order_id(), soon()).await.unwrap().unwrap();
    cancel(&alone, &order_of_ann).await;
    assert_eq!(alone.figures().await, "3/0/3/0");
    // Whoever cancels the other one dies, and the failover is all that the sweep has to go by.
    alone.ledger.cancel(&dan.order_id(), Timestamp::now(), soon()).await.unwrap();
    for _ in 0..3 {
        alone.rebuild().await;
        settle(&alone).await;
    }
    assert_eq!(alone.figures().await, "4/0/2/0");
    let again = ReserveRequest { id: ann.id, ..wish(&alone.id, 1, 1) };
    let again = alone.stock.reserve(&again, soon()).await.unwrap().outcome;
    assert!(matches!(again, ReserveOutcome::Repeated(r) if r.state == ReservationState::Cancelled));
    let mut units = Vec::new();
    for shopper in 6..10 {
        units.extend(alone.reserve(shopper, 1).await.units);
    }
    assert!(ann.units.iter().chain(&dan.units).all(|unit| units.contains(unit)), "{units:?}");
}

#[tokio::test]
async fn a_late_word_that_an_order_stands_leaves_the_note_of_its_cancel_and_who_cancels_it_may_die() {
    let alone = Alone::with("compare-noted", units(3)).await;
    let before = Memory::of(&alone).await;
    let unknown = alone.reserve(2, 1).await;
    before.restore(&alone).await;
    let known = alone.reserve(1, 2).await;
    alone.stock.begin(&alone.id, &known.id, &known.shopper, None, CONFIRM_DEADLINE, soon()).await.unwrap();
    // A failover lost the hold of the one, and the confirm of the other is slow to tell Redis.
    let unknown = sale::Reservation { units: vec![3], ..unknown };
    for hold in [&unknown, &known] {
        alone.ledger.record(hold, Timestamp::now(), soon()).await.unwrap();
        let (order, within) = (ordered(hold), Duration::from_secs(1));
        let standing = Some((&hold.sku, &order));
        alone.stock.note_cancel(&alone.id, &hold.id, standing, within, soon()).await.unwrap();
        let late = Verdict::Ordered { sku: &hold.sku, order: &order };
        let late = alone.stock.finish(&alone.id, &hold.id, late, soon()).await.unwrap();
        assert_eq!(late, FinishOutcome::Finished);
        alone.ledger.cancel(&hold.order_id(), Timestamp::now(), soon()).await.unwrap();
    }
    assert_eq!(alone.figures().await, "1/0/2/0", "the unit of the one is sold when it turns up");
    eventually("the return of the units", async || {
        settle(&alone).await;
        (alone.figures().await == "3/0/0/0").then_some(())
    })
    .await;
    for hold in [&unknown, &known] {
        let found = alone.stock.find(&alone.id, &hold.id, &hold.shopper, soon()).await.unwrap();
        assert!(matches!(found, FindOutcome::Found(found, _) if found.state == ReservationState::Cancelled));
    }
    assert_eq!(alone.reserve(3, 3).await.units.len(), 3);
}
