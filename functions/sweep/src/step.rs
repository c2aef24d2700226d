//! One step of the sweep over every sale that may still have something to settle.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ledger::{ChangeRecordOutcome, Ledger, PurchaseError, SaleRecord};
use sale::{Causes, ChangeId, Deadline, Due, SaleId, Stock};

/// One step ends by then; the next goes on where it stopped.
const STEP_DEADLINE: Duration = Duration::from_secs(10);

/// Reservations settled per sale and step, and holds freed per SKU and script: short enough that no
/// script keeps the master busy.
const SETTLED_MAX: u32 = 100;
const FREED_PER_SCRIPT: u32 = 200;
const SCRIPTS_MAX: u32 = 50;

/// A sale is swept until this long after its end: every hold and confirm is over by then.
const SWEPT_AFTER_END: SignedDuration = SignedDuration::from_hours(48);

pub(crate) struct Sweep {
    pub(crate) stock: Stock,
    pub(crate) ledger: Ledger,
    pub(crate) steps: AtomicUsize,
}

impl Sweep {
    /// One step. A sale that fails does not keep the others from theirs.
    pub(crate) async fn step(&self) {
        let deadline = Deadline::after(STEP_DEADLINE);
        let mut sales = match self.ledger.sales(deadline).await {
            Ok(sales) => sales,
            Err(error) => {
                tracing::warn!(error = %Causes(&error), "the sweep cannot list the sales");
                return;
            }
        };
        let now = Timestamp::now();
        // Begun somewhere else each time: a step that runs out of time leaves out others.
        let begin = self.steps.fetch_add(1, Ordering::Relaxed) % sales.len().max(1);
        sales.rotate_left(begin);
        for record in sales.into_iter().filter(|record| is_active(record, now)) {
            if let Err(error) = self.sweep(&record.sale.id, deadline).await {
                tracing::warn!(sale = %record.sale.id, error = %Causes(&error), "the sweep could not finish a sale");
            }
        }
    }

    async fn sweep(&self, sale: &SaleId, deadline: Deadline) -> Result<(), PurchaseError> {
        self.ledger.load(&self.stock, sale, deadline).await?;
        self.record_withdrawals(sale, deadline).await?;
        let due = self.stock.due(sale, SETTLED_MAX, deadline).await?;
        for Due { id, may_abandon } in &due {
            if *may_abandon {
                self.ledger.settle_in_stock(&self.stock, sale, id, deadline).await?;
            } else {
                self.ledger.finish_in_stock(&self.stock, sale, id, deadline).await?;
            }
        }
        let freed = self.free(sale, deadline).await?;
        if freed > 0 || !due.is_empty() {
            tracing::info!(%sale, settled = due.len(), freed, "swept");
        }
        Ok(())
    }

    /// Withdrawals whose second step a crash has cut off.
    async fn record_withdrawals(&self, sale: &SaleId, deadline: Deadline) -> Result<(), PurchaseError> {
        let withdrawals = self.stock.withdrawals(sale, &[], deadline).await?;
        let mut recorded: Vec<ChangeId> = Vec::with_capacity(withdrawals.len());
        for withdrawal in withdrawals {
            let (sku, units, change) = (&withdrawal.sku, withdrawal.units, withdrawal.change);
            match self.ledger.record_withdrawal(sale, sku, units, &change, deadline).await? {
                ChangeRecordOutcome::Recorded => recorded.push(change),
                outcome => tracing::error!(%sale, %sku, units, ?outcome, "a withdrawal cannot be recorded"),
            }
        }
        if !recorded.is_empty() {
            self.stock.withdrawals(sale, &recorded, deadline).await?;
        }
        Ok(())
    }

    async fn free(&self, sale: &SaleId, deadline: Deadline) -> Result<u64, PurchaseError> {
        let mut freed = 0;
        for _ in 0..SCRIPTS_MAX {
            let expired = self.stock.expire(sale, FREED_PER_SCRIPT, deadline).await?;
            freed += expired.holds;
            if !expired.more {
                break;
            }
        }
        Ok(freed)
    }
}

fn is_active(record: &SaleRecord, now: Timestamp) -> bool {
    record.sale.definition.closes_at > now - SWEPT_AFTER_END
}
