//! Compare: what the ledger says of some serials is held against Redis, after a failover that may have lost something.

use std::ops::RangeInclusive;

use sentinel::{Deadline, Script};

use crate::rebuild::with_orders;
use crate::script::script;
use crate::{LedgerOrder, SaleId, Sku, Stock, StockError};

static COMPARE: Script = script!("compare.lua");

/// What the ledger says of some serials of a SKU.
#[derive(Debug, Clone)]
pub struct ComparedPart<'a> {
    /// The lineage of Redis before the ledger was read.
    pub lineage: &'a str,
    /// The SKU.
    pub sku: &'a Sku,
    /// The serials.
    pub serials: RangeInclusive<u32>,
    /// Whether no serial comes after them.
    pub is_last: bool,
    /// The orders that have them.
    pub orders: &'a [LedgerOrder],
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompareOutcome {
    /// Redis has what the ledger says; so much of it it did not have before.
    Compared {
        /// Orders, or cancels, that Redis had lost.
        repaired: u32,
    },
    /// Somebody else is further, there was a failover, or a takeover is under way. Nothing was changed.
    Stale,
}

impl Stock {
    /// Brings the orders of one part into Redis, where it does not know them as such. Parts of a SKU follow one another
    /// without a gap, from serial 1 on.
    pub async fn compare(
        &self,
        sale: &SaleId,
        part: &ComparedPart<'_>,
        deadline: Deadline,
    ) -> Result<CompareOutcome, StockError> {
        let script = self
            .invocation(&COMPARE, sale)
            .arg(part.lineage)
            .arg(part.sku.as_str())
            .arg(part.serials.start().to_string())
            .arg(part.serials.end().to_string())
            .arg(u8::from(part.is_last).to_string());
        let mut answer = self.write_durably(with_orders(script, part.orders), deadline).await?;
        match answer.word.as_str() {
            "COMPARED" => Ok(CompareOutcome::Compared { repaired: answer.fields.number()? }),
            "STALE" | "SALE_NOT_FOUND" => Ok(CompareOutcome::Stale),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
