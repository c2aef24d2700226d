//! Open: a sale's stock is put into Redis, not yet in force.

use sentinel::{Deadline, Script};

use crate::script::script;
use crate::{Sale, Stock, StockError};

static OPEN: Script = script!("open.lua");

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenOutcome {
    /// The stock is in Redis; [`Stock::change`] brings the sale into force.
    Opened,
    /// It was there before; nothing was changed.
    AlreadyOpen,
}

impl Stock {
    /// Puts the stock of a sale into Redis, where it is not there yet. Nothing is sold before
    /// [`Stock::change`] brings a version into force: whoever opens a sale first makes sure that the
    /// ledger knows of it, so that an emptied Redis is never taken for a new sale.
    pub async fn open(&self, sale: &Sale, epoch: u64, deadline: Deadline) -> Result<OpenOutcome, StockError> {
        let mut script = self.invocation(&OPEN, &sale.id).arg(epoch.to_string());
        for sku in &sale.definition.skus {
            script = script.arg(sku.sku.as_str()).arg(sku.stock.to_string());
        }
        let answer = self.write_durably(script, deadline).await?;
        match answer.word.as_str() {
            "OPENED" => Ok(OpenOutcome::Opened),
            "ALREADY_OPEN" => Ok(OpenOutcome::AlreadyOpen),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
