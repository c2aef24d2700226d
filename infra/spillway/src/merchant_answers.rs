//! What `/admin/…` answers, field by field, so that `--json` can give it on unchanged.

use jiff::Timestamp;
use sale::{Definition, OrderId, ReservationId, SaleId, Sku, SkuView};
use serde::{Deserialize, Serialize};

/// A sale.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SaleAnswer {
    /// Its name.
    pub sale: SaleId,
    /// Counts the changes of its definition.
    pub version: u64,
    /// How often it was loaded into Redis.
    pub epoch: u64,
    /// Whether the merchant has paused it.
    pub paused: bool,
    /// Whether the merchant has closed it.
    pub closed: bool,
    /// What the merchant says about it.
    #[serde(flatten)]
    pub definition: Definition,
}

/// All sales.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sales {
    /// In no particular order.
    pub sales: Vec<SaleAnswer>,
}

/// A sale's figures.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// The sale.
    pub sale: SaleId,
    /// `announced`, `open`, `paused` or `ended`.
    pub state: String,
    /// Redis's clock.
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

/// One page of a sale's orders.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OrdersPage {
    /// The orders.
    pub orders: Vec<OrderAnswer>,
    /// Where the next page begins; `None` after the last.
    pub next_cursor: Option<String>,
}

/// An order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OrderAnswer {
    /// Its id.
    pub id: OrderId,
    /// The sale.
    pub sale: SaleId,
    /// The reservation that it was.
    pub reservation_id: ReservationId,
    /// The SKU.
    pub sku: Sku,
    /// Number of units.
    pub quantity: u32,
    /// Their serials.
    pub units: Vec<u32>,
    /// `confirmed` or `cancelled`.
    pub state: String,
    /// Price of one unit in minor units of `currency`.
    pub price_minor: u64,
    /// Price of all units.
    pub total_minor: u64,
    /// ISO 4217 code.
    pub currency: String,
    /// When it was confirmed.
    pub confirmed_at: Timestamp,
    /// When it was cancelled, if it was.
    pub cancelled_at: Option<Timestamp>,
}

/// What became of a restock.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
pub struct Withdrawn {
    /// The SKU.
    pub sku: Sku,
    /// Units that it has now.
    pub stock: u32,
    /// Units that were taken out: at most those that were available.
    pub withdrawn: u32,
}

impl OrderAnswer {
    /// Whether it stands.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.state == "confirmed"
    }
}
