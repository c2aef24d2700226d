//! Orders, one and in pages.

use jiff::Timestamp;
use sale::{OrderId, ReservationId, SaleId, Sku};
use serde::{Deserialize, Serialize};

/// Orders on one page, at most: a page is read in one go and fits an answer of every gateway.
pub const ORDERS_MAX: u16 = 1_000;

/// Orders on one page where nobody says how many.
pub const ORDERS_DEFAULT: u16 = 100;

/// An order as an answer shows it. Whose it is stays inside.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Order"))]
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
    /// Where it stands.
    pub state: OrderState,
    /// Price of one unit in minor units of `currency`.
    pub price_minor: u64,
    /// Price of all units.
    pub total_minor: u64,
    /// ISO 4217 code.
    pub currency: String,
    /// When it was confirmed, by the clock of the function that did.
    #[cfg_attr(feature = "schema", schemars(with = "sale::Time"))]
    pub confirmed_at: Timestamp,
    /// When it was cancelled, if it was.
    #[cfg_attr(feature = "schema", schemars(with = "Option<sale::Time>"))]
    pub cancelled_at: Option<Timestamp>,
}

impl OrderAnswer {
    /// Whether it stands.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.state == OrderState::Confirmed
    }
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// It stands.
    Confirmed,
    /// The merchant cancelled it.
    Cancelled,
}

impl OrderState {
    /// `confirmed` or `cancelled`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Which page of a sale's orders.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OrdersQuery {
    /// `next_cursor` of the page before; the first page has none.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub cursor: Option<String>,
    /// Orders on the page, at most.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "u16", range(min = 1, max = ORDERS_MAX)))]
    pub limit: Option<u16>,
}

/// One page of a sale's orders: complete over all pages, ordered by time only within parts of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Orders {
    /// The orders, possibly none on a page that is not the last.
    pub orders: Vec<OrderAnswer>,
    /// Where the next page begins; `null` after the last.
    pub next_cursor: Option<String>,
}
