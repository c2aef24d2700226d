//! Compare stock: in each step of the sweep the stock of each SKU in Redis is held against that of the ledger. A change of
//! stock is written to both, one after the other, so a failover can make Redis forget one that the ledger has, or is about to
//! have.
//!
//! What is under way is no difference. The ledger is read before and after, and has to say the same, with no restock pending;
//! between that Redis is told which withdrawals are recorded. Then what it has in the stock is exactly what the ledger has,
//! less the withdrawals that it still lists.
//!
//! Units that Redis has too many are taken out as they become available; what is sold stays sold. Of units that it lacks the
//! last restocks are sent again, each under its own id, so that none comes twice. What they do not explain is left to an
//! operator: a ledger that was restored has forgotten more than Redis, and a takeover would sell again what it does not know.

use std::cmp::Ordering;

use sale::{
    ComparedProgress, ComparedSku, Deadline, Progress, SaleId, Sku, Stock, Surplus, WithdrawAgainOutcome,
    Withdrawal,
};

use crate::confirm::PurchaseError;
use crate::sale_record::ChangeKind;
use crate::{Ledger, SaleRecord};

/// Both at one instant, at which no change was under way.
struct AtRest {
    record: SaleRecord,
    skus: Vec<ComparedSku>,
}

impl Ledger {
    pub(crate) async fn compare_stock(
        &self,
        stock: &Stock,
        record: &SaleRecord,
        seen: &ComparedProgress,
        deadline: Deadline,
    ) -> Result<(), PurchaseError> {
        let (id, lineage) = (&record.sale.id, &seen.lineage);
        if seen.skus.iter().all(|sku| surplus(sku, record) == 0) {
            return Ok(());
        }
        let Some(AtRest { record, skus }) = self.at_rest(stock, id, lineage, deadline).await? else {
            return Ok(());
        };
        for compared in &skus {
            let units = surplus(compared, &record);
            match units.cmp(&0) {
                Ordering::Equal => {}
                Ordering::Greater => withdraw_again(stock, &record, lineage, compared, deadline).await?,
                Ordering::Less => restock_again(stock, &record, &compared.sku, -units, deadline).await?,
            }
        }
        Ok(())
    }

    /// `None` where changes of stock are under way, which the next step finds done, or there was a failover.
    async fn at_rest(
        &self,
        stock: &Stock,
        id: &SaleId,
        lineage: &str,
        deadline: Deadline,
    ) -> Result<Option<AtRest>, PurchaseError> {
        let Some(record) = self.sale(id, deadline).await?.filter(|record| record.pending.is_empty()) else {
            return Ok(None);
        };
        self.record_withdrawals(stock, &record, deadline).await?;
        let Progress::Compared(seen) = stock.progress(id, deadline).await? else { return Ok(None) };
        let is_same = self.sale(id, deadline).await?.as_ref() == Some(&record) && seen.lineage == lineage;
        Ok(is_same.then_some(AtRest { record, skus: seen.skus }))
    }
}

/// Units that Redis has in the stock of a SKU, and the ledger not; less than none where Redis lacks some.
fn surplus(seen: &ComparedSku, record: &SaleRecord) -> i64 {
    // One that only one of them has comes with the next version of the sale.
    let Some(known) = record.sale.definition.sku(&seen.sku) else { return 0 };
    i64::from(seen.stock) + i64::from(seen.unrecorded) - i64::from(known.stock)
}

async fn withdraw_again(
    stock: &Stock,
    record: &SaleRecord,
    lineage: &str,
    seen: &ComparedSku,
    deadline: Deadline,
) -> Result<(), PurchaseError> {
    let (id, ComparedSku { sku, stock: found, .. }) = (&record.sale.id, seen);
    let units = u32::try_from(surplus(seen, record)).unwrap_or(0);
    let recent = record.recent.iter();
    let withdrawals = recent.filter(|recent| recent.kind == ChangeKind::Withdraw && recent.sku == *sku);
    let recorded: Vec<_> = withdrawals
        .map(|recent| Withdrawal {
            change: recent.change,
            sku: sku.clone(),
            units: recent.units,
            quantity: recent.wanted,
        })
        .collect();
    let surplus = Surplus { lineage, sku, stock: *found, units, recorded: &recorded };
    if let WithdrawAgainOutcome::Withdrawn { units: withdrawn } =
        stock.withdraw_again(id, &surplus, deadline).await?
    {
        let left = units.saturating_sub(withdrawn);
        tracing::warn!(sale = %id, %sku, withdrawn, left, "Redis had lost a withdrawal, which is done again");
    }
    Ok(())
}

/// A restock that Redis knows adds nothing, and one of an earlier epoch is in the stock with which this one began.
async fn restock_again(
    stock: &Stock,
    record: &SaleRecord,
    sku: &Sku,
    lacking: i64,
    deadline: Deadline,
) -> Result<(), PurchaseError> {
    let (id, epoch) = (&record.sale.id, record.sale.epoch);
    tracing::warn!(sale = %id, %sku, lacking, "Redis lacks units of the stock; the last restocks are done again");
    let of_sku =
        record.recent.iter().filter(|recent| recent.kind == ChangeKind::Restock && recent.sku == *sku);
    for restock in of_sku.filter(|recent| recent.epoch == epoch) {
        stock.restock(id, sku, restock.units, &restock.change, Some(epoch), deadline).await?;
    }
    Ok(())
}
