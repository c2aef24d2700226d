//! Finish: Redis does what the ledger says of a reservation.

use sentinel::{Deadline, Script};

use crate::rebuild::with_orders;
use crate::script::script;
use crate::{LedgerOrder, ReservationId, SaleId, Sku, Stock, StockError};

static FINISH: Script = script!("finish.lua");

/// What the ledger says of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// An order stands.
    Ordered {
        /// The order's SKU.
        sku: &'a Sku,
        /// What Redis has to know of it.
        order: &'a LedgerOrder,
    },
    /// The order was cancelled.
    Cancelled {
        /// The order's SKU.
        sku: &'a Sku,
        /// Those of its units that no other order has.
        units: &'a [u32],
    },
    /// There is no order and never will be one.
    Abandoned,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishOutcome {
    /// Redis agrees with the ledger.
    Finished,
    /// Redis had lost the hold of an order; the order is on record again, its units are marked as sold and are counted
    /// when they turn up. An operator should know.
    Forgotten,
    /// No such sale.
    SaleNotFound,
}

impl Stock {
    /// Settles a reservation as the ledger says. Safe to repeat, and in whatever order verdicts arrive.
    pub async fn finish(
        &self,
        sale: &SaleId,
        id: &ReservationId,
        verdict: Verdict<'_>,
        deadline: Deadline,
    ) -> Result<FinishOutcome, StockError> {
        let script = self.invocation(&FINISH, sale).arg(id.as_bytes());
        let script = match verdict {
            Verdict::Ordered { sku, order } => {
                with_orders(script.arg("ordered").arg(sku.as_str()), std::slice::from_ref(order))
            }
            Verdict::Cancelled { sku, units } => {
                let script = script.arg("cancelled").arg(sku.as_str());
                units.iter().fold(script, |script, unit| script.arg(unit.to_string()))
            }
            Verdict::Abandoned => script.arg("abandoned"),
        };
        let answer = self.write(script, deadline).await?;
        match answer.word.as_str() {
            "FINISHED" => Ok(FinishOutcome::Finished),
            "FORGOTTEN" => Ok(FinishOutcome::Forgotten),
            "SALE_NOT_FOUND" => Ok(FinishOutcome::SaleNotFound),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
