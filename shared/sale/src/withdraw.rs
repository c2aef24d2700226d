//! Withdraw: available units leave the stock, once per change.

use sentinel::{Deadline, Script};

use crate::script::script;
use crate::{ChangeId, SaleId, Sku, Stock, StockError};

static WITHDRAW: Script = script!("withdraw.lua");

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithdrawOutcome {
    /// So many units left the stock, which is this now.
    Withdrawn {
        /// Units that left, at most as many as were available.
        units: u32,
        /// Units of the SKU that are left.
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
    /// Takes up to `quantity` available units out of the stock. The ledger records them afterwards;
    /// until then [`Stock::withdrawals`] lists them. `unrecorded_in` is the epoch that the sale had in the ledger before
    /// that had no such change; [`StockError::Unseeded`] where it was built again since.
    pub async fn withdraw(
        &self,
        sale: &SaleId,
        sku: &Sku,
        quantity: u32,
        change: &ChangeId,
        unrecorded_in: u64,
        deadline: Deadline,
    ) -> Result<WithdrawOutcome, StockError> {
        let script = self
            .invocation(&WITHDRAW, sale)
            .arg(change.as_bytes())
            .arg(sku.as_str())
            .arg(quantity.to_string())
            .arg(unrecorded_in.to_string());
        let mut answer = self.write_durably(script, deadline).await?;
        match answer.word.as_str() {
            "WITHDRAWN" => {
                let (units, stock) = (answer.fields.number()?, answer.fields.number()?);
                Ok(WithdrawOutcome::Withdrawn { units, stock })
            }
            "KEY_REUSED" => Ok(WithdrawOutcome::KeyReused),
            "SKU_NOT_FOUND" => Ok(WithdrawOutcome::SkuNotFound),
            "SALE_NOT_FOUND" => Ok(WithdrawOutcome::SaleNotFound),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
