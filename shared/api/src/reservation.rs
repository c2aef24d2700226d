//! A wish for units, and the reservation that comes of it.

use jiff::Timestamp;
use sale::{OrderId, ReservationId, ReservationState, SaleId, Sku};
use serde::{Deserialize, Serialize};

/// Units of one reservation, at most: no sale lets one shopper have more.
pub const QUANTITY_MAX: u32 = 10;

/// What a shopper wants to hold.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// The SKU.
    pub sku: Sku,
    /// Number of units.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = QUANTITY_MAX)))]
    pub quantity: u32,
    /// The ticket, where the sale has a waiting room. The cookie of the ticket does as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
}

/// What a shopper may send with a confirm.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The receipt of the reservation, which stands in for it where the stock was lost.
    pub receipt: String,
}

/// A reservation as an answer shows it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Reservation"))]
pub struct ReservationAnswer {
    /// Its id.
    pub id: ReservationId,
    /// The sale.
    pub sale: SaleId,
    /// The SKU.
    pub sku: Sku,
    /// Number of units.
    pub quantity: u32,
    /// Their serials.
    pub units: Vec<u32>,
    /// Where it stands.
    pub state: ReservationState,
    /// Until when it can be confirmed, by Redis's clock.
    #[cfg_attr(feature = "schema", schemars(with = "sale::Time"))]
    pub expires_at: Timestamp,
    /// How long that is from `server_time` on.
    #[cfg_attr(feature = "schema", schemars(range(min = 0)))]
    pub expires_in_ms: i64,
    /// Redis's clock.
    #[cfg_attr(feature = "schema", schemars(with = "sale::Time"))]
    pub server_time: Timestamp,
    /// Price of one unit in minor units of `currency`, frozen when the hold was given.
    pub price_minor: u64,
    /// Price of all units.
    pub total_minor: u64,
    /// ISO 4217 code, frozen likewise.
    pub currency: String,
    /// The signed proof of the hold; only while the units are kept, and only where a replica has just
    /// acknowledged them.
    pub receipt: Option<String>,
    /// Only where there is or was an order.
    pub order_id: Option<OrderId>,
}
