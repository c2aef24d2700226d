//! Cancel: a note that an order is about to be cancelled in the ledger.

use std::time::Duration;

use sentinel::{Deadline, Script};

use crate::rebuild::with_orders;
use crate::script::script;
use crate::{LedgerOrder, ReservationId, SaleId, Sku, Stock, StockError};

static CANCEL: Script = script!("cancel.lua");

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelOutcome {
    /// The sweep gives the units back, should whoever cancels die before that.
    Noted,
    /// No such sale.
    SaleNotFound,
}

impl Stock {
    /// Notes that the order of this reservation is about to be cancelled. The units return by
    /// [`Stock::finish`] once the ledger has cancelled it; the sweep makes sure of that from
    /// `cancel_deadline` on. `standing` is the order where it was not cancelled before: Redis may not know it as such yet.
    pub async fn note_cancel(
        &self,
        sale: &SaleId,
        id: &ReservationId,
        standing: Option<(&Sku, &LedgerOrder)>,
        cancel_deadline: Duration,
        deadline: Deadline,
    ) -> Result<CancelOutcome, StockError> {
        let script =
            self.invocation(&CANCEL, sale).arg(id.as_bytes()).arg(cancel_deadline.as_millis().to_string());
        let script = match standing {
            Some((sku, order)) => with_orders(script.arg(sku.as_str()), std::slice::from_ref(order)),
            None => script,
        };
        let answer = self.write_durably(script, deadline).await?;
        match answer.word.as_str() {
            "NOTED" => Ok(CancelOutcome::Noted),
            "SALE_NOT_FOUND" => Ok(CancelOutcome::SaleNotFound),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
