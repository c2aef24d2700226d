//! The merchant's stock: the report, and what became of a restock or a withdrawal.

use jiff::Timestamp;
use sale::{SaleId, SaleState, Sku, SkuView};
use serde::{Deserialize, Serialize};

/// A sale's figures.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// The sale.
    pub sale: SaleId,
    /// Where it stands.
    pub state: SaleState,
    /// Redis's clock.
    #[cfg_attr(feature = "schema", schemars(with = "sale::Time"))]
    pub server_time: Timestamp,
    /// How often the sale was loaded into Redis.
    pub epoch: u64,
    /// Whether `stock = available + held + sold + quarantined` for every SKU.
    pub conserved: bool,
    /// Confirms and cancels that wait to be finished.
    pub unsettled: u64,
    /// Each SKU's figures.
    pub skus: Vec<SkuView>,
}

/// How many units to add or to take out.
#[derive(Debug, Clone, Copy, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Quantity {
    /// Number of units.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = sale::STOCK_MAX)))]
    pub quantity: u32,
}

/// What became of a restock.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Restocked {
    /// The SKU.
    pub sku: Sku,
    /// Units that it has now.
    pub stock: u32,
    /// Units that were added.
    pub restocked: u32,
}

/// What became of a withdrawal.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Withdrawn {
    /// The SKU.
    pub sku: Sku,
    /// Units that it has now.
    pub stock: u32,
    /// Units that were taken out: at most those that were available.
    pub withdrawn: u32,
}
