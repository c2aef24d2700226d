//! Rebuild: one part of a takeover, what the ledger says of some serials.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::Timestamp;
use sentinel::{Deadline, Invocation, Script};

use crate::script::script;
use crate::{ReservationId, SaleId, ShopperId, Sku, Stock, StockError};

static REBUILD: Script = script!("rebuild.lua");

/// What the ledger says of some serials of a SKU.
#[derive(Debug, Clone)]
pub struct Part<'a> {
    /// The takeover's epoch.
    pub epoch: u64,
    /// The end of its quarantine; the beginning of time while building.
    pub quarantine_until: Timestamp,
    /// How long unsold units are kept back from the end of the building.
    pub quarantine: Duration,
    /// The SKU.
    pub sku: &'a Sku,
    /// The serials.
    pub serials: RangeInclusive<u32>,
    /// The orders that have them.
    pub orders: &'a [LedgerOrder],
}

/// An order that stands, as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerOrder {
    /// The reservation that it was.
    pub reservation: ReservationId,
    /// Whose it is.
    pub shopper: ShopperId,
    /// All its units, of this SKU.
    pub units: Vec<u32>,
    /// Price of one unit in minor units of `currency`.
    pub price_minor: u64,
    /// ISO 4217 code.
    pub currency: String,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RebuildOutcome {
    /// Redis has it.
    Read,
    /// Somebody was first, its time has not come, or Redis has lost the sale once more. Nothing was changed.
    Stale,
}

/// The script with these orders as its last arguments; `read_orders` of the prelude reads them.
pub(crate) fn with_orders<'a>(script: Invocation<'a>, orders: &[LedgerOrder]) -> Invocation<'a> {
    orders.iter().fold(script, |script, order| {
        let script = script
            .arg(order.reservation.as_bytes())
            .arg(order.shopper.as_bytes())
            .arg(order.price_minor.to_string())
            .arg(order.currency.as_str())
            .arg(order.units.len().to_string());
        order.units.iter().fold(script, |script, unit| script.arg(unit.to_string()))
    })
}

impl Stock {
    /// Brings one part of what the ledger says into Redis. Parts of a SKU follow one another without a gap.
    pub async fn rebuild(
        &self,
        sale: &SaleId,
        part: &Part<'_>,
        deadline: Deadline,
    ) -> Result<RebuildOutcome, StockError> {
        let script = self
            .invocation(&REBUILD, sale)
            .arg(part.epoch.to_string())
            .arg(part.quarantine_until.as_millisecond().to_string())
            .arg(part.quarantine.as_millis().to_string())
            .arg(part.sku.as_str())
            .arg(part.serials.start().to_string())
            .arg(part.serials.end().to_string());
        let answer = self.write_durably(with_orders(script, part.orders), deadline).await?;
        match answer.word.as_str() {
            "READ" => Ok(RebuildOutcome::Read),
            // Our own attempt that no replica has acknowledged was first as well.
            "STALE" | "SALE_NOT_FOUND" => Ok(RebuildOutcome::Stale),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
