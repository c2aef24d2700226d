//! Compare cancels: orders that the ledger has cancelled are held against Redis, after a failover that may have lost
//! a cancel.

use sentinel::{Deadline, Script};

use crate::script::script;
use crate::{CompareOutcome, ReservationId, SaleId, Stock, StockError};

static COMPARE_CANCELS: Script = script!("compare_cancels.lua");

/// A page of a sale's orders.
#[derive(Debug, Clone)]
pub struct CancelsPage<'a> {
    /// The lineage of Redis before the ledger was read.
    pub lineage: &'a str,
    /// Where it begins; empty for the first one.
    pub from: &'a str,
    /// Where the next one begins; `None` after the last.
    pub next: Option<&'a str>,
    /// The orders on it that are cancelled, by their reservations.
    pub cancelled: &'a [ReservationId],
}

impl Stock {
    /// Has the sweep look once more at orders whose cancel Redis does not know. Pages follow one another without a gap.
    pub async fn compare_cancels(
        &self,
        sale: &SaleId,
        page: &CancelsPage<'_>,
        deadline: Deadline,
    ) -> Result<CompareOutcome, StockError> {
        let script = self
            .invocation(&COMPARE_CANCELS, sale)
            .arg(page.lineage)
            .arg(page.from)
            .arg(page.next.unwrap_or("all"));
        let script = page.cancelled.iter().fold(script, |script, id| script.arg(id.as_bytes()));
        let mut answer = self.write_durably(script, deadline).await?;
        match answer.word.as_str() {
            "COMPARED" => Ok(CompareOutcome::Compared { repaired: answer.fields.number()? }),
            "STALE" | "SALE_NOT_FOUND" => Ok(CompareOutcome::Stale),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
