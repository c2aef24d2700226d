//! Finish: Redis does what the ledger says of a reservation.

use sentinel::{Deadline, Invocation, Script};

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
        /// What Redis has to know of it.
        order: &'a LedgerOrder,
        /// Those of its units that no other order has.
        free: &'a [u32],
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

fn of_order<'a>(script: Invocation<'a>, sku: &Sku, order: &LedgerOrder, free: &[u32]) -> Invocation<'a> {
    let script = script.arg(sku.as_str()).arg(free.len().to_string());
    let script = free.iter().fold(script, |script, unit| script.arg(unit.to_string()));
    with_orders(script, std::slice::from_ref(order))
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
            Verdict::Ordered { sku, order } => of_order(script.arg("ordered"), sku, order, &[]),
            Verdict::Cancelled { sku, order, free } => of_order(script.arg("cancelled"), sku, order, free),
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
