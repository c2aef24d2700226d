//! Takeover: a sale that Redis has lost, or has from a history that broke, is built again of the ledger, and goes on by
//! itself.
//!
//! It needs nobody in particular and no lease: each step names what it builds on (epoch, end of the quarantine,
//! first serial of the part) and is refused where somebody was first, so that anyone may go on where anyone
//! else stopped. The ledger is read twice, each unit by its key. After the first time every unit that is not
//! sold is kept back, for as long as a hold that was lost may still be confirmed with its receipt; after the
//! second time, which knows whatever was confirmed meanwhile, the rest becomes available.

use std::time::Duration;

use sale::{
    AppliedRestock, Causes, ComparedCancels, Deadline, LedgerOrder, Part, Progress, RebuildOutcome, SaleId,
    SeedOutcome, SeedSku, Seeding, SkuProgress, Stock, StockError, TakeoverPhase, TakeoverProgress,
};

use crate::confirm::{CONFIRM_DEADLINE, PurchaseError};
use crate::{Ledger, Order, SaleRecord, StoreOutcome};

/// Serials in one part: a script over as many takes a few milliseconds of the master.
pub(crate) const SERIALS_PER_PART: u32 = 500;

/// Parts after which the journal leaves Redis: each writes an entry for every order of its serials.
const PARTS_BETWEEN_DRAINS: u32 = 20;

impl Ledger {
    /// Begins the takeover of this sale and of every other that Redis lacks, so that none of them is told not to exist
    /// while another is there already. A sale that was never loaded is left to [`Ledger::load`].
    pub(crate) async fn seed_all(
        &self,
        stock: &Stock,
        id: &SaleId,
        deadline: Deadline,
    ) -> Result<(), PurchaseError> {
        self.seed_others(stock, id, deadline).await?;
        self.seed(stock, id, true, deadline).await
    }

    /// The same of every other sale.
    pub(crate) async fn seed_others(
        &self,
        stock: &Stock,
        id: &SaleId,
        deadline: Deadline,
    ) -> Result<(), PurchaseError> {
        let listed = self.sales(deadline).await?;
        for other in listed.iter().filter(|other| other.sale.id != *id) {
            self.seed(stock, &other.sale.id, false, deadline).await?;
        }
        Ok(())
    }

    /// Raises the epoch in the ledger first, so that no two datasets of a sale have the same one.
    async fn seed(
        &self,
        stock: &Stock,
        id: &SaleId,
        is_last: bool,
        deadline: Deadline,
    ) -> Result<(), PurchaseError> {
        if !is_last && stock.is_present(id, deadline).await? {
            return Ok(());
        }
        loop {
            let Some(mut record) = self.sale(id, deadline).await? else { return Ok(()) };
            if record.sale.epoch == 0 {
                return Ok(());
            }
            record.sale.epoch += 1;
            record.sale.version += 1;
            if self.store_sale(&record, deadline).await? == StoreOutcome::Conflict {
                continue;
            }
            let (skus, applied) = (skus(&record), applied(&record));
            let queue = self.queue_record(id, deadline).await?;
            let (queue, epoch) = (queue.as_deref(), record.sale.epoch);
            let of_ledger = Seeding { epoch, skus: &skus, applied: &applied, queue, is_last };
            let outcome = match stock.seed(id, &of_ledger, deadline).await {
                Err(StockError::Fenced) => {
                    stock.forget(id, deadline).await?;
                    stock.seed(id, &of_ledger, deadline).await?
                }
                outcome => outcome?,
            };
            if outcome == SeedOutcome::Seeded {
                tracing::error!(sale = %id, epoch = record.sale.epoch, "Redis has lost a sale, or its history; it is built again");
            }
            return Ok(());
        }
    }

    /// Goes on with the takeover of a sale that [`Ledger::load`] has seen, if one is under way, to the end of what can be
    /// done at present. Without one, Redis is held against the ledger if there was a failover since the last time.
    pub async fn rebuild(
        &self,
        stock: &Stock,
        record: &SaleRecord,
        deadline: Deadline,
    ) -> Result<(), PurchaseError> {
        let id = &record.sale.id;
        let mut is_told = false;
        let mut before = None;
        loop {
            let progress = match stock.progress(id, deadline).await? {
                Progress::Takeover(progress) => progress,
                Progress::Compared(compared) => {
                    // It is not urgent; what is must not wait for it.
                    if let Err(error) = self.compare(stock, record, &compared, deadline).await {
                        tracing::warn!(sale = %id, error = %Causes(&error), "Redis could not be held against the ledger");
                    }
                    return Ok(());
                }
                Progress::SaleNotFound => return Ok(()),
            };
            let is_building = progress.phase == TakeoverPhase::Building;
            if !is_building && progress.now < progress.quarantine_until {
                // One step after the building: the index that lists them follows the orders.
                if let ComparedCancels::From(from) = &progress.cancels
                    && !is_told
                    && let Err(error) =
                        self.compare_cancels(stock, id, &progress.lineage, from, deadline).await
                {
                    tracing::warn!(sale = %id, error = %Causes(&error), "cancels could not be read");
                }
                return Ok(());
            }
            // Nothing came of it: the next step loads the terms that the sale still lacks.
            let reached = (progress.epoch, progress.phase, progress.skus.clone());
            if before.as_ref() == Some(&reached) {
                return Ok(());
            }
            before = Some(reached);
            if !is_told {
                tracing::info!(sale = %id, epoch = progress.epoch, phase = ?progress.phase, "reading the ledger");
                is_told = true;
            }
            for sku in &progress.skus {
                self.read_sku(stock, record, &progress, sku, deadline).await?;
            }
        }
    }

    /// Reads what is left of a SKU, part by part, until the end or until somebody else is further.
    async fn read_sku(
        &self,
        stock: &Stock,
        record: &SaleRecord,
        progress: &TakeoverProgress,
        sku: &SkuProgress,
        deadline: Deadline,
    ) -> Result<(), PurchaseError> {
        let id = &record.sale.id;
        let (mut first, mut parts) = (sku.first, 0);
        loop {
            // A part without a serial tells that there is none, where nothing is left or never was.
            let last = sku.last.min(first + SERIALS_PER_PART - 1);
            let orders = self.orders_of_units(id, &sku.sku, first..=last, deadline).await?;
            let orders: Vec<_> = orders.iter().map(LedgerOrder::from).collect();
            let part = Part {
                epoch: progress.epoch,
                quarantine_until: progress.quarantine_until,
                quarantine: quarantine(record, stock),
                sku: &sku.sku,
                serials: first..=last,
                orders: &orders,
            };
            let is_stale = stock.rebuild(id, &part, deadline).await? == RebuildOutcome::Stale;
            if is_stale || last == sku.last {
                return Ok(());
            }
            first = last + 1;
            parts += 1;
            if parts % PARTS_BETWEEN_DRAINS == 0
                && let Err(error) = self.keep_journal(stock, id, deadline).await
            {
                tracing::warn!(sale = %id, error = %Causes(&error), "the journal could not be kept");
            }
        }
    }
}

/// How long a hold that was given before can still be confirmed, late writes included, by the clock of another node.
fn quarantine(record: &SaleRecord, stock: &Stock) -> Duration {
    let longest_hold = Duration::from_secs(u64::from(record.longest_hold_seconds()));
    longest_hold + CONFIRM_DEADLINE + stock.clock_skew()
}

fn skus(record: &SaleRecord) -> Vec<SeedSku> {
    let skus = record.sale.definition.skus.iter();
    skus.map(|sku| SeedSku {
        sku: sku.sku.clone(),
        stock: sku.stock,
        top: record.top(&sku.sku).unwrap_or(sku.stock),
    })
    .collect()
}

fn applied(record: &SaleRecord) -> Vec<AppliedRestock> {
    let pending = record.pending.iter();
    pending
        .map(|restock| AppliedRestock {
            change: restock.change,
            sku: restock.sku.clone(),
            quantity: restock.quantity,
        })
        .collect()
}

impl From<&Order> for LedgerOrder {
    fn from(order: &Order) -> Self {
        Self {
            reservation: order.reservation,
            shopper: order.shopper,
            units: order.units.clone(),
            price_minor: order.price_minor,
            currency: order.currency.clone(),
        }
    }
}
