//! Withdraw: available units leave the stock. Redis first, which knows what is available, then the ledger.
//!
//! A takeover may come between the two, or between a withdrawal and its repeat, and knows what the ledger has recorded
//! until then. So the ledger's epoch of the sale is read first, then whether the withdrawal is recorded already; Redis
//! refuses it in a dataset of a later epoch, and the ledger where the epoch is another one. What is refused changes
//! nothing that lasts, and the same request again begins with what is true by then.

use sale::{ChangeId, Deadline, SaleId, Sku, Stock, StockError, WithdrawOutcome, Withdrawal};

use crate::confirm::PurchaseError;
use crate::stock_change::RecordedWithdrawal;
use crate::{ChangeRecordOutcome, Ledger, SaleRecord};

impl Ledger {
    /// Takes up to `quantity` available units out of the stock, once per change. [`StockError::Unseeded`] where the sale is
    /// built again meanwhile.
    pub async fn withdraw(
        &self,
        stock: &Stock,
        sale: &SaleId,
        sku: &Sku,
        quantity: u32,
        change: &ChangeId,
        deadline: Deadline,
    ) -> Result<WithdrawOutcome, PurchaseError> {
        let Some(record) = self.sale(sale, deadline).await? else { return Ok(WithdrawOutcome::SaleNotFound) };
        let epoch = record.sale.epoch;
        match self.recorded_withdrawal(sale, sku, quantity, change, deadline).await? {
            Some(RecordedWithdrawal::Units(units)) => {
                // It may have been recorded since the sale was read.
                let record = self.sale(sale, deadline).await?.unwrap_or(record);
                let stock = record.sale.definition.sku(sku).map_or(0, |sku| sku.stock);
                return Ok(WithdrawOutcome::Withdrawn { units, stock });
            }
            Some(RecordedWithdrawal::KeyReused) => return Ok(WithdrawOutcome::KeyReused),
            None => {}
        }
        let outcome = stock.withdraw(sale, sku, quantity, change, epoch, deadline).await?;
        let WithdrawOutcome::Withdrawn { units: units @ 1.., .. } = outcome else { return Ok(outcome) };
        let withdrawal = Withdrawal { change: *change, sku: sku.clone(), units, quantity };
        match self.record_withdrawal(sale, &withdrawal, epoch, deadline).await? {
            ChangeRecordOutcome::Recorded => {
                stock.withdrawals(sale, &[*change], deadline).await?;
                Ok(outcome)
            }
            ChangeRecordOutcome::KeyReused => Ok(WithdrawOutcome::KeyReused),
            ChangeRecordOutcome::SkuNotFound => Ok(WithdrawOutcome::SkuNotFound),
            ChangeRecordOutcome::SaleNotFound => Ok(WithdrawOutcome::SaleNotFound),
            ChangeRecordOutcome::Refused => Err(StockError::Unseeded.into()),
        }
    }

    async fn has_withdrawal(
        &self,
        sale: &SaleId,
        withdrawal: &Withdrawal,
        deadline: Deadline,
    ) -> Result<bool, PurchaseError> {
        let Withdrawal { change, sku, quantity, .. } = withdrawal;
        let recorded = self.recorded_withdrawal(sale, sku, *quantity, change, deadline).await?;
        Ok(matches!(recorded, Some(RecordedWithdrawal::Units(_))))
    }

    /// Records the withdrawals whose second step a crash has cut off, of a sale that was in Redis when this was read.
    pub async fn record_withdrawals(
        &self,
        stock: &Stock,
        record: &SaleRecord,
        deadline: Deadline,
    ) -> Result<(), PurchaseError> {
        let (sale, epoch) = (&record.sale.id, record.sale.epoch);
        let mut recorded = Vec::new();
        for withdrawal in stock.withdrawals(sale, &[], deadline).await? {
            match self.record_withdrawal(sale, &withdrawal, epoch, deadline).await? {
                ChangeRecordOutcome::Recorded => recorded.push(withdrawal.change),
                // A failover made Redis forget it, and it was done here once more: the ledger says of how many units it was.
                ChangeRecordOutcome::KeyReused
                    if self.has_withdrawal(sale, &withdrawal, deadline).await? =>
                {
                    recorded.push(withdrawal.change);
                }
                // Whatever is true by then, the next step finds.
                ChangeRecordOutcome::Refused => break,
                outcome => {
                    tracing::error!(%sale, ?withdrawal, ?outcome, "a withdrawal cannot be recorded");
                }
            }
        }
        if !recorded.is_empty() {
            stock.withdrawals(sale, &recorded, deadline).await?;
        }
        Ok(())
    }
}
