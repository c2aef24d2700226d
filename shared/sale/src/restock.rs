//! Restock: units are added to a SKU, once per change.

use sentinel::{Deadline, Script};

use crate::script::script;
use crate::{ChangeId, SaleId, Sku, Stock, StockError};

static RESTOCK: Script = script!("restock.lua");

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestockOutcome {
    /// The units are in the stock, which is this now; the same change is applied once.
    Restocked {
        /// Units of the SKU.
        stock: u32,
    },
    /// This change was another one before.
    KeyReused,
    /// No such SKU in this sale.
    SkuNotFound,
    /// No such sale.
    SaleNotFound,
}

impl Stock {
    /// Adds units that the ledger listed as pending in this epoch, or an earlier one. With `None` they were added
    /// before, even if Redis has forgotten it, and the stock is only told. [`StockError::Unseeded`] where the sale was
    /// built again since: the units may be in it already.
    pub async fn restock(
        &self,
        sale: &SaleId,
        sku: &Sku,
        quantity: u32,
        change: &ChangeId,
        pending_in: Option<u64>,
        deadline: Deadline,
    ) -> Result<RestockOutcome, StockError> {
        let script = self
            .invocation(&RESTOCK, sale)
            .arg(change.as_bytes())
            .arg(sku.as_str())
            .arg(quantity.to_string())
            .arg(pending_in.map(|epoch| epoch.to_string()).unwrap_or_default());
        let mut answer = self.write_durably(script, deadline).await?;
        match answer.word.as_str() {
            "RESTOCKED" => Ok(RestockOutcome::Restocked { stock: answer.fields.number()? }),
            "KEY_REUSED" => Ok(RestockOutcome::KeyReused),
            "SKU_NOT_FOUND" => Ok(RestockOutcome::SkuNotFound),
            "SALE_NOT_FOUND" => Ok(RestockOutcome::SaleNotFound),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
