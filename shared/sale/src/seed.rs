//! Seed: a takeover begins. Redis has lost the sale, and gets it back from the ledger.

use sentinel::{Deadline, Script};

use crate::script::queue_script;
use crate::{ChangeId, SaleId, Sku, Stock, StockError};

static SEED: Script = queue_script!("seed.lua");

/// A SKU as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedSku {
    /// Its name.
    pub sku: Sku,
    /// Units in the sale.
    pub stock: u32,
    /// The highest serial that it ever had.
    pub top: u32,
}

/// A restock that is in these figures and that the ledger still lists as pending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedRestock {
    /// Which change it is.
    pub change: ChangeId,
    /// Of which SKU.
    pub sku: Sku,
    /// Number of units.
    pub quantity: u32,
}

/// A sale as the ledger has it.
#[derive(Debug, Clone, Copy)]
pub struct Seeding<'a> {
    /// The epoch that begins.
    pub epoch: u64,
    /// Every SKU.
    pub skus: &'a [SeedSku],
    /// Restocks that are in these figures.
    pub applied: &'a [AppliedRestock],
    /// The last record of its queue, from which a waiting room goes on.
    pub queue: Option<&'a [u8]>,
    /// Whether every sale that exists is in Redis with this one.
    pub is_last: bool,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeedOutcome {
    /// The takeover has begun.
    Seeded,
    /// The sale is in Redis: somebody was first.
    Present,
}

impl Stock {
    /// Puts a sale into Redis with every unit kept back; `rebuild` goes on from there.
    pub async fn seed(
        &self,
        sale: &SaleId,
        of_ledger: &Seeding<'_>,
        deadline: Deadline,
    ) -> Result<SeedOutcome, StockError> {
        let Seeding { epoch, skus, applied, queue, is_last } = *of_ledger;
        let mut script = self
            .invocation(&SEED, sale)
            .arg(epoch.to_string())
            .arg(u8::from(is_last).to_string())
            .arg(queue.unwrap_or_default())
            .arg(skus.len().to_string());
        for SeedSku { sku, stock, top } in skus {
            script = script.arg(sku.as_str()).arg(stock.to_string()).arg(top.to_string());
        }
        for AppliedRestock { change, sku, quantity } in applied {
            script = script.arg(change.as_bytes()).arg(sku.as_str()).arg(quantity.to_string());
        }
        let answer = self.write_durably(script, deadline).await?;
        match answer.word.as_str() {
            "SEEDED" => Ok(SeedOutcome::Seeded),
            "PRESENT" => Ok(SeedOutcome::Present),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
