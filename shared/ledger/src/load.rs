//! Load: Redis is brought up to what the ledger says of a sale. Safe to repeat at any point.

use sale::{ChangeOutcome, Deadline, RestockOutcome, Sale, SaleId, Stock, StockError};

use crate::confirm::PurchaseError;
use crate::{Ledger, PendingRestock, SaleRecord, StoreOutcome};

impl Ledger {
    /// Loads a sale that Redis has never had, brings its present version into force, and applies
    /// restocks that are pending. `None` where the ledger has no such sale.
    ///
    /// A sale is loaded as new only while its epoch is 0. The epoch is raised after Redis has the stock
    /// and before a version is in force, so that no unit is sold while an emptied Redis could still be
    /// taken for a new one.
    ///
    /// Where Redis has lost a sale that it once had, or has it from a history that broke, its takeover begins;
    /// [`Ledger::rebuild`] goes on with it.
    pub async fn load(
        &self,
        stock: &Stock,
        id: &SaleId,
        deadline: Deadline,
    ) -> Result<Option<SaleRecord>, PurchaseError> {
        loop {
            let Some(mut record) = self.sale(id, deadline).await? else { return Ok(None) };
            if record.sale.epoch == 0 {
                // From the first sale on an unknown one does not exist: those that Redis has lost come first.
                self.seed_others(stock, id, deadline).await?;
                stock.open(&unapplied(&record), 1, deadline).await?;
                record.sale.epoch = 1;
                record.sale.version += 1;
                if self.store_sale(&record, deadline).await? == StoreOutcome::Conflict {
                    continue;
                }
            }
            match stock.change(&unapplied(&record), deadline).await {
                Ok(ChangeOutcome::Changed | ChangeOutcome::Current) => {}
                Ok(ChangeOutcome::SaleNotFound) | Err(StockError::Unseeded | StockError::Fenced) => {
                    self.seed_all(stock, id, deadline).await?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            for restock in std::mem::take(&mut record.pending) {
                let PendingRestock { change, sku, quantity } = &restock;
                match stock.restock(id, sku, *quantity, change, Some(record.sale.epoch), deadline).await? {
                    // The change that Redis knows under this key is a withdrawal of nothing: the merchant was
                    // told that the key is used, so this restock never comes into force.
                    RestockOutcome::KeyReused => self.revoke_restock(id, change, deadline).await?,
                    RestockOutcome::Restocked { .. } => self.forget_restock(id, change, deadline).await?,
                    // It stays pending: what Redis does not have yet is brought there first.
                    RestockOutcome::SkuNotFound | RestockOutcome::SaleNotFound => {}
                }
            }
            return Ok(Some(record));
        }
    }
}

/// The sale without the units of pending restocks: those follow one by one, each once.
fn unapplied(record: &SaleRecord) -> Sale {
    let mut sale = record.sale.clone();
    for restock in &record.pending {
        for sku in sale.definition.skus.iter_mut().filter(|sku| sku.sku == restock.sku) {
            sku.stock = sku.stock.saturating_sub(restock.quantity);
        }
    }
    sale
}
