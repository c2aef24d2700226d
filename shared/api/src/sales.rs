//! A sale as the merchant sees it.

use sale::{Definition, SaleId};
use serde::{Deserialize, Serialize};

/// A sale.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Sale"))]
pub struct SaleAnswer {
    /// Its name.
    pub sale: SaleId,
    /// Counts the changes of its definition; the first is 1.
    pub version: u64,
    /// How often it was loaded into Redis.
    pub epoch: u64,
    /// Whether the merchant has paused it.
    pub paused: bool,
    /// Whether the merchant has closed it for good.
    pub closed: bool,
    /// What the merchant says about it; `stock` is the present one.
    #[serde(flatten)]
    pub definition: Definition,
}

/// All sales.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sales {
    /// In no particular order.
    pub sales: Vec<SaleAnswer>,
}
