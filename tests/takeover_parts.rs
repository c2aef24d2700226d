//! A takeover step by step, over Redis and a ledger alone: whoever it is that takes a step, and whenever.

use std::time::Duration;

use ledger::{ConfirmOutcome, Ledger, Order, SaleRecord};
use sale::{
    Deadline, Definition, LedgerOrder, Part, Progress, RebuildOutcome, Reservation, ReserveOutcome,
    RoomControls, Sale, SaleId, Seed, SeedOutcome, SeedSku, Seeding, Sku, SkuView, Stock, TakeoverPhase,
    TakeoverProgress,
};
use spillway::Stack;

use crate::expiry::wish;
use crate::shop::{new_sale_id, units};
use crate::system::{command, eventually, ledger, redis, soon, stock, stores};
use crate::takeover::brief;

/// A sale that nobody sweeps.
pub(crate) struct Alone {
    pub(crate) ledger: Ledger,
    pub(crate) stock: Stock,
    pub(crate) id: SaleId,
    pub(crate) redis: sentinel::Client,
    pub(crate) stack: Stack,
}

impl Alone {
    pub(crate) async fn with(name: &str, definition: Definition) -> Self {
        let stack = stores(name);
        let running = stack.running().unwrap();
        let (ledger, stock, id) = (ledger(&running), stock(&running), new_sale_id());
        let room = RoomControls { seed: Some(Seed::from_bytes([7; 32])), ..RoomControls::default() };
        let sale = Sale { room, ..Sale::new(id.clone(), definition) };
        ledger.create_sale(&SaleRecord::new(sale), soon()).await.unwrap();
        let alone = Self { ledger, stock, id, redis: redis(&running), stack };
        alone.load().await;
        alone
    }

    pub(crate) async fn load(&self) -> SaleRecord {
        self.ledger.load(&self.stock, &self.id, soon()).await.unwrap().unwrap()
    }

    /// Redis loses everything, and the takeover begins.
    pub(crate) async fn lose(&self) -> TakeoverProgress {
        command(&self.redis, "FLUSHALL", &[]).await;
        self.load().await;
        self.progress().await.unwrap()
    }

    pub(crate) async fn progress(&self) -> Option<TakeoverProgress> {
        match self.stock.progress(&self.id, soon()).await.unwrap() {
            Progress::Takeover(progress) => Some(progress),
            _ => None,
        }
    }

    /// Goes on as far as it can.
    pub(crate) async fn rebuild(&self) {
        let record = self.load().await;
        self.ledger.rebuild(&self.stock, &record, Deadline::after(Duration::from_mins(1))).await.unwrap();
    }

    /// Until nothing is kept back any more.
    pub(crate) async fn end(&self) {
        eventually("the end of the takeover", async || {
            self.rebuild().await;
            self.progress().await.is_none().then_some(())
        })
        .await;
    }

    pub(crate) async fn reserve(&self, shopper: u8, quantity: u32) -> Reservation {
        match self.stock.reserve(&wish(&self.id, shopper, quantity), soon()).await.unwrap().outcome {
            ReserveOutcome::Held(held) => held,
            outcome => panic!("{outcome:?}"),
        }
    }

    pub(crate) async fn confirm(&self, hold: &Reservation) -> ConfirmOutcome {
        let receipt = hold.receipt();
        let confirm =
            self.ledger.confirm(&self.stock, &self.id, &hold.id, &hold.shopper, Some(&receipt), soon());
        confirm.await.unwrap()
    }

    pub(crate) async fn order(&self, shopper: u8, quantity: u32) -> Order {
        match self.confirm(&self.reserve(shopper, quantity).await).await {
            ConfirmOutcome::Confirmed(order) => order,
            outcome => panic!("{outcome:?}"),
        }
    }

    pub(crate) async fn send(
        &self,
        progress: &TakeoverProgress,
        serials: (u32, u32),
        orders: &[Order],
    ) -> RebuildOutcome {
        let part = Part {
            epoch: progress.epoch,
            quarantine_until: progress.quarantine_until,
            quarantine: Duration::from_secs(1),
            sku: &progress.skus[0].sku,
            serials: serials.0..=serials.1,
            orders: &orders.iter().map(LedgerOrder::from).collect::<Vec<_>>(),
        };
        self.stock.rebuild(&self.id, &part, soon()).await.unwrap()
    }

    /// The processes of all data nodes but the master.
    pub(crate) async fn replicas(&self) -> Vec<u32> {
        command(&self.redis, "PING", &[]).await;
        let master = self.redis.status().master.unwrap().to_string();
        let nodes = self.stack.running().unwrap().redis.into_iter();
        nodes.filter(|part| part.address != master).map(|part| part.pid).collect()
    }

    /// `available/held/sold/quarantined`.
    pub(crate) async fn figures(&self) -> String {
        let view = self.stock.view(&self.id, soon()).await.unwrap().unwrap();
        assert!(view.is_conserved(), "{view:?}");
        let SkuView { available, held, sold, quarantined, .. } = view.skus[0].clone();
        format!("{available}/{held}/{sold}/{quarantined}")
    }
}

#[tokio::test]
async fn a_part_is_taken_once_in_order_and_of_this_takeover_alone() {
    let alone = Alone::with("takeover-parts", units(10)).await;
    let orders = [alone.order(1, 2).await, alone.order(2, 1).await];
    let lost = alone.reserve(3, 1).await;
    let first = alone.lose().await;
    assert_eq!((first.phase, first.epoch), (TakeoverPhase::Building, 2));
    assert!(alone.stock.view(&alone.id, soon()).await.is_err(), "nobody is served");
    assert_eq!(alone.send(&first, (2, 4), &orders).await, RebuildOutcome::Stale, "a gap");
    assert_eq!(alone.send(&first, (1, 4), &orders).await, RebuildOutcome::Read);
    assert_eq!(alone.send(&first, (1, 4), &orders).await, RebuildOutcome::Stale, "twice");

    // Whoever began it is gone, and Redis forgets once more: what was read for the first takeover is of no use.
    let second = alone.lose().await;
    assert_eq!((second.phase, second.epoch), (TakeoverPhase::Building, 3));
    assert_eq!(alone.send(&first, (1, 4), &[]).await, RebuildOutcome::Stale, "of another takeover");
    assert_eq!(alone.send(&second, (1, 4), &orders).await, RebuildOutcome::Read);
    // Somebody else goes on.
    alone.rebuild().await;
    let kept_back = alone.progress().await.unwrap();
    assert_eq!((kept_back.phase, kept_back.epoch), (TakeoverPhase::Quarantine, 3));
    assert_eq!(alone.figures().await, "0/0/3/7");
    assert_eq!(alone.send(&second, (5, 10), &orders).await, RebuildOutcome::Stale, "of the first reading");
    assert_eq!(alone.send(&kept_back, (1, 10), &orders).await, RebuildOutcome::Stale, "before its time");
    assert_eq!(alone.figures().await, "0/0/3/7");
    assert!(
        matches!(alone.confirm(&lost).await, ConfirmOutcome::Confirmed(order) if order.units == lost.units)
    );
    assert_eq!(alone.figures().await, "0/0/4/6");
}

#[tokio::test]
async fn who_holds_a_receipt_for_a_unit_that_is_sold_or_confirmed_before_gets_another_one() {
    let alone = Alone::with("takeover-twice", brief(3)).await;
    let (first, second) = (alone.reserve(1, 1).await, alone.reserve(2, 1).await);
    alone.lose().await;
    alone.rebuild().await;
    assert_eq!(alone.figures().await, "0/0/0/3");
    // As where a failover had lost the first hold, and its unit was held again.
    let same_unit = Reservation { units: first.units.clone(), ..second.clone() };
    let ConfirmOutcome::Confirmed(order) = alone.confirm(&first).await else {
        panic!("its own unit is free")
    };
    assert_eq!(order.units, first.units);
    let ConfirmOutcome::Confirmed(other) = alone.confirm(&same_unit).await else {
        panic!("two more are free")
    };
    assert_ne!(other.units, order.units);
    assert_eq!(alone.figures().await, "0/0/2/1");
    // A third and a fourth receipt: one unit is left, then none.
    let third =
        Reservation { id: wish(&alone.id, 3, 1).id, shopper: wish(&alone.id, 3, 1).shopper.id, ..same_unit };
    assert!(matches!(alone.confirm(&third).await, ConfirmOutcome::Confirmed(_)));
    let fourth =
        Reservation { id: wish(&alone.id, 4, 1).id, shopper: wish(&alone.id, 4, 1).shopper.id, ..third };
    assert_eq!(alone.confirm(&fourth).await, ConfirmOutcome::UnitLost);
    assert_eq!(alone.figures().await, "0/0/3/0");
    alone.end().await;
    assert_eq!(alone.figures().await, "0/0/3/0");
}

#[tokio::test]
async fn what_is_confirmed_during_the_quarantine_without_redis_knowing_is_found_at_its_end() {
    let alone = Alone::with("takeover-late", brief(4)).await;
    let (late, lost) = (alone.reserve(1, 2).await, alone.reserve(2, 1).await);
    alone.lose().await;
    alone.rebuild().await;
    // A confirm that was under way when Redis forgot: its order lands now, and whoever sent it is dead.
    alone.ledger.record(&late, jiff::Timestamp::now(), soon()).await.unwrap();
    // Another one begins with its receipt and dies before the ledger.
    let receipt = lost.receipt();
    let begin = alone.stock.begin(
        &alone.id,
        &lost.id,
        &lost.shopper,
        Some(&receipt),
        ledger::CONFIRM_DEADLINE,
        soon(),
    );
    assert!(matches!(begin.await.unwrap(), sale::BeginOutcome::Begun(_)));
    assert_eq!(alone.figures().await, "0/1/0/3");
    alone.end().await;
    assert_eq!(alone.figures().await, "1/1/2/0");
    let order = alone.ledger.order(&late.order_id(), soon()).await.unwrap().unwrap();
    let found = alone.stock.find(&alone.id, &late.id, &late.shopper, soon()).await.unwrap();
    let sale::FindOutcome::Found(found, _) = found else { panic!("{found:?}") };
    assert_eq!((found.state, found.units), (sale::ReservationState::Ordered, order.units));
    alone.ledger.settle_in_stock(&alone.stock, &alone.id, &lost.id, soon()).await.unwrap();
    assert_eq!(alone.figures().await, "2/0/2/0");
}

#[tokio::test]
async fn restocks_and_withdrawals_are_in_what_is_built_again_and_a_repeat_of_them_changes_nothing() {
    let alone = Alone::with("takeover-stock", brief(5)).await;
    let key = |name: &str| sale::IdempotencyKey::parse(name).unwrap().change(&alone.id);
    let unit = wish(&alone.id, 1, 1).sku;
    alone.ledger.record_restock(&alone.id, &unit, 3, &key("more"), soon()).await.unwrap();
    alone.load().await;
    let withdraw = async || {
        alone.ledger.withdraw(&alone.stock, &alone.id, &unit, 2, &key("fewer"), soon()).await.unwrap()
    };
    assert_eq!(withdraw().await, sale::WithdrawOutcome::Withdrawn { units: 2, stock: 6 });
    alone.order(1, 1).await;
    // One that the ledger has and Redis has not applied yet.
    alone.ledger.record_restock(&alone.id, &unit, 4, &key("pending"), soon()).await.unwrap();
    alone.lose().await;
    alone.rebuild().await;
    assert_eq!(withdraw().await, sale::WithdrawOutcome::Withdrawn { units: 2, stock: 10 });
    assert_eq!(alone.figures().await, "0/0/1/9");
    assert_eq!(alone.load().await.pending, []);
    for (name, quantity) in [("more", 3), ("pending", 4)] {
        let told = alone.stock.restock(&alone.id, &unit, quantity, &key(name), None, soon()).await.unwrap();
        assert_eq!(told, sale::RestockOutcome::Restocked { stock: 10 }, "{name}");
    }
    alone.end().await;
    assert_eq!(alone.figures().await, "9/0/1/0");
}

#[tokio::test]
async fn a_change_of_stock_that_a_takeover_overtakes_is_refused_and_neither_lost_nor_done_twice() {
    let alone = Alone::with("takeover-overtakes", brief(5)).await;
    let key = |name: &str| sale::IdempotencyKey::parse(name).unwrap().change(&alone.id);
    let unit = wish(&alone.id, 1, 1).sku;
    let before = alone.load().await;
    alone.ledger.record_restock(&alone.id, &unit, 3, &key("more"), soon()).await.unwrap();
    let taken = alone.stock.withdraw(&alone.id, &unit, 1, &key("lost"), before.sale.epoch, soon()).await;
    assert_eq!(taken.unwrap(), sale::WithdrawOutcome::Withdrawn { units: 1, stock: 4 });
    alone.lose().await;
    alone.rebuild().await;
    alone.end().await;
    assert_eq!(alone.figures().await, "8/0/0/0", "the ledger had the restock, and not the withdrawal");
    // Whoever has read the ledger before the takeover goes on.
    let late = alone.stock.withdraw(&alone.id, &unit, 2, &key("fewer"), before.sale.epoch, soon()).await;
    assert!(matches!(late, Err(sale::StockError::Unseeded)), "{late:?}");
    let epoch = Some(before.sale.epoch);
    let late = alone.stock.restock(&alone.id, &unit, 3, &key("late"), epoch, soon()).await;
    assert!(matches!(late, Err(sale::StockError::Unseeded)), "{late:?}");
    assert_eq!(alone.figures().await, "8/0/0/0");
    // The sweep finds a withdrawal that somebody has left half done.
    let now = alone.load().await;
    alone.stock.withdraw(&alone.id, &unit, 2, &key("half"), now.sale.epoch, soon()).await.unwrap();
    for (record, stock) in [(&before, 8), (&now, 6), (&now, 6)] {
        alone.ledger.record_withdrawals(&alone.stock, record, soon()).await.unwrap();
        let sale = alone.ledger.sale(&alone.id, soon()).await.unwrap().unwrap().sale;
        assert_eq!(sale.definition.sku(&unit).unwrap().stock, stock);
    }
    assert_eq!(alone.stock.withdrawals(&alone.id, &[], soon()).await.unwrap(), []);
    let again = alone.ledger.withdraw(&alone.stock, &alone.id, &unit, 2, &key("half"), soon()).await;
    assert_eq!(again.unwrap(), sale::WithdrawOutcome::Withdrawn { units: 2, stock: 6 });
    for (quantity, name) in [(3, "half"), (3, "more")] {
        let other = alone.ledger.withdraw(&alone.stock, &alone.id, &unit, quantity, &key(name), soon()).await;
        assert_eq!(other.unwrap(), sale::WithdrawOutcome::KeyReused);
    }
    assert_eq!(alone.figures().await, "6/0/0/0");
}

#[tokio::test]
async fn a_sale_without_a_unit_is_built_again_as_well() {
    let alone = Alone::with("takeover-none", brief(0)).await;
    alone.lose().await;
    alone.end().await;
    assert_eq!(alone.figures().await, "0/0/0/0");
}

#[tokio::test]
async fn no_order_is_read_into_a_sale_whose_terms_are_not_there_yet() {
    let alone = Alone::with("takeover-terms", brief(3)).await;
    let ordered = alone.order(1, 1).await;
    // Who looked at the sale before Redis forgot it goes on when somebody else has begun the takeover, and died.
    let record = alone.load().await;
    command(&alone.redis, "FLUSHALL", &[]).await;
    let skus = [SeedSku { sku: Sku::parse("unit").unwrap(), stock: 3, top: 3 }];
    let seeding = Seeding { epoch: 2, skus: &skus, applied: &[], queue: None, is_last: true };
    assert_eq!(alone.stock.seed(&alone.id, &seeding, soon()).await.unwrap(), SeedOutcome::Seeded);
    alone.ledger.rebuild(&alone.stock, &record, Deadline::after(Duration::from_mins(1))).await.unwrap();
    let progress = alone.progress().await.unwrap();
    assert_eq!((progress.phase, progress.skus[0].first), (TakeoverPhase::Building, 1));
    assert_eq!(alone.send(&progress, (1, 3), std::slice::from_ref(&ordered)).await, RebuildOutcome::Stale);
    alone.rebuild().await;
    assert_eq!(alone.figures().await, "0/0/1/2");
    let found = alone.stock.find(&alone.id, &ordered.reservation, &ordered.shopper, soon()).await.unwrap();
    let sale::FindOutcome::Found(found, _) = found else { panic!("{found:?}") };
    assert_eq!(
        (found.units, found.limit_per_shopper),
        (ordered.units, record.sale.definition.limit_per_shopper)
    );
}
