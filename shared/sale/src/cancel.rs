//! Cancel: a note that an order is about to be cancelled in the ledger.

use std::time::Duration;

use sentinel::{Deadline, Script};

use crate::script::script;
use crate::{ReservationId, SaleId, Stock, StockError};

static CANCEL: Script = script!("cancel.lua");

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelOutcome {
    /// The sweep gives the units back, should whoever cancels die before that.
    Noted,
    /// Redis does not know the reservation; the ledger alone decides.
    ReservationNotFound,
    /// No such sale.
    SaleNotFound,
}

impl Stock {
    /// Notes that the order of this reservation is about to be cancelled. The units return by
    /// [`Stock::finish`] once the ledger has cancelled it; the sweep makes sure of that from
    /// `cancel_deadline` on.
    pub async fn note_cancel(
        &self,
        sale: &SaleId,
        id: &ReservationId,
        cancel_deadline: Duration,
        deadline: Deadline,
    ) -> Result<CancelOutcome, StockError> {
        let script =
            self.invocation(&CANCEL, sale).arg(id.as_bytes()).arg(cancel_deadline.as_millis().to_string());
        let answer = self.write_durably(script, deadline).await?;
        match answer.word.as_str() {
            "NOTED" => Ok(CancelOutcome::Noted),
            "RESERVATION_NOT_FOUND" => Ok(CancelOutcome::ReservationNotFound),
            "SALE_NOT_FOUND" => Ok(CancelOutcome::SaleNotFound),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
