//! Distrust: an operator has a sale built again of the ledger.

use sentinel::{Deadline, Script};

use crate::script::script;
use crate::{SaleId, Stock, StockError};

static DISTRUST: Script = script!("distrust.lua");

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DistrustOutcome {
    /// Nobody is served before the sale is built again.
    Distrusted,
    /// It is being built again; nothing was changed.
    UnderWay,
    /// No such sale.
    SaleNotFound,
}

impl Stock {
    /// Fences a sale off, as if its history had broken. A failover may take that back. A takeover that has stopped,
    /// because a count is not in order, is begun anew.
    pub async fn distrust(&self, sale: &SaleId, deadline: Deadline) -> Result<DistrustOutcome, StockError> {
        let answer = self.write(self.invocation(&DISTRUST, sale), deadline).await?;
        match answer.word.as_str() {
            "DISTRUSTED" => Ok(DistrustOutcome::Distrusted),
            "UNDER_WAY" => Ok(DistrustOutcome::UnderWay),
            "SALE_NOT_FOUND" => Ok(DistrustOutcome::SaleNotFound),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
