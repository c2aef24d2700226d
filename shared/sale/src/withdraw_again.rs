//! Withdraw again: units leave the stock of which the ledger says that they have left it, and Redis has forgotten it.

use sentinel::{Deadline, Script};

use crate::script::script;
use crate::{SaleId, Sku, Stock, StockError, Withdrawal};

static WITHDRAW_AGAIN: Script = script!("withdraw_again.lua");

/// Units that Redis has in the stock of a SKU, and the ledger not.
#[derive(Debug, Clone)]
pub struct Surplus<'a> {
    /// The lineage of Redis in which that was seen.
    pub lineage: &'a str,
    /// The SKU.
    pub sku: &'a Sku,
    /// Its stock in Redis then.
    pub stock: u32,
    /// So many of it are too many.
    pub units: u32,
    /// Withdrawals from it that the ledger has, of which Redis may not know.
    pub recorded: &'a [Withdrawal],
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithdrawAgainOutcome {
    /// So many units left the stock: those that were available.
    Withdrawn {
        /// At most as many as were too many.
        units: u32,
    },
    /// The stock has changed since, there was a failover, or a takeover is under way. Nothing was changed.
    Stale,
}

impl Stock {
    /// Takes those that are available of a surplus out of the stock.
    pub async fn withdraw_again(
        &self,
        sale: &SaleId,
        surplus: &Surplus<'_>,
        deadline: Deadline,
    ) -> Result<WithdrawAgainOutcome, StockError> {
        let script = self
            .invocation(&WITHDRAW_AGAIN, sale)
            .arg(surplus.lineage)
            .arg(surplus.sku.as_str())
            .arg(surplus.stock.to_string())
            .arg(surplus.units.to_string());
        let script = surplus.recorded.iter().fold(script, |script, withdrawal| {
            let Withdrawal { change, quantity, units, .. } = withdrawal;
            script.arg(change.as_bytes()).arg(quantity.to_string()).arg(units.to_string())
        });
        let mut answer = self.write_durably(script, deadline).await?;
        match answer.word.as_str() {
            "WITHDRAWN" => Ok(WithdrawAgainOutcome::Withdrawn { units: answer.fields.number()? }),
            "STALE" | "SALE_NOT_FOUND" => Ok(WithdrawAgainOutcome::Stale),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
