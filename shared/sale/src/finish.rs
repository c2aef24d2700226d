//! Finish: Redis does what the ledger says of a reservation.

use sentinel::{Deadline, Invocation, Script};

use crate::script::script;
use crate::{ReservationId, SaleId, Sku, Stock, StockError};

static FINISH: Script = script!("finish.lua");

/// What the ledger says of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// An order stands, with these units.
    Ordered {
        /// The order's SKU.
        sku: &'a Sku,
        /// The order's units.
        units: &'a [u32],
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
    /// Redis had lost the hold of an order; the units are marked as sold and are counted when they
    /// turn up. An operator should know.
    Forgotten,
    /// No such sale.
    SaleNotFound,
}

fn with_units<'a>(script: Invocation<'a>, sku: &Sku, units: &[u32]) -> Invocation<'a> {
    units.iter().fold(script.arg(sku.as_str()), |script, unit| script.arg(unit.to_string()))
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
            Verdict::Ordered { sku, units } => with_units(script.arg("ordered"), sku, units),
            Verdict::Cancelled { sku, units } => with_units(script.arg("cancelled"), sku, units),
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
