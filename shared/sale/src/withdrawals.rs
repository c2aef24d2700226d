//! Withdrawals that the ledger may not have recorded yet.

use sentinel::{Deadline, Script};

use crate::script::script;
use crate::{ChangeId, SaleId, Sku, Stock, StockError};

static WITHDRAWALS: Script = script!("withdrawals.lua");

/// Units that left the stock in Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// Which change it was.
    pub change: ChangeId,
    /// Of which SKU.
    pub sku: Sku,
    /// How many units left.
    pub units: u32,
    /// How many were asked for.
    pub quantity: u32,
}

impl Stock {
    /// Forgets the withdrawals that the ledger has `recorded`, and lists those that are left. A replica has them: the ledger
    /// must not be lowered by one that a failover takes back.
    pub async fn withdrawals(
        &self,
        sale: &SaleId,
        recorded: &[ChangeId],
        deadline: Deadline,
    ) -> Result<Vec<Withdrawal>, StockError> {
        let script = self.invocation(&WITHDRAWALS, sale);
        let script = recorded.iter().fold(script, |script, change| script.arg(change.as_bytes()));
        let mut answer = self.write_durably(script, deadline).await?;
        let mut withdrawals = Vec::new();
        match answer.word.as_str() {
            "WITHDRAWALS" => {
                while !answer.fields.is_empty() {
                    withdrawals.push(Withdrawal {
                        change: ChangeId::from_bytes(answer.fields.digest()?),
                        sku: answer.fields.sku()?,
                        units: answer.fields.number()?,
                        quantity: answer.fields.number()?,
                    });
                }
                Ok(withdrawals)
            }
            "SALE_NOT_FOUND" => Ok(withdrawals),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
