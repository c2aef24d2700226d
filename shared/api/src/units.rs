//! Where each unit of a SKU is: what Redis says, place by place, and then what the ledger says.

use jiff::Timestamp;
use sale::{OrderId, ReservationId, UnitPlace};
use serde::{Deserialize, Serialize};

/// Which page of a SKU's units.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UnitsQuery {
    /// `next_cursor` of the page before; the first page has none.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub cursor: Option<String>,
}

/// One page. Pages are read one after the other: of a sale that goes on, a unit may be on two of them, or on none.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Units {
    /// The units, possibly none on a page that is not the last.
    pub units: Vec<UnitRange>,
    /// Where the next page begins; `null` after the last.
    pub next_cursor: Option<String>,
}

/// Units of consecutive serials, of which one thing is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UnitRange {
    /// The first serial.
    pub first: u32,
    /// The last serial.
    pub last: u32,
    /// Where Redis has them; `null` where the ledger is asked, which has them in an order.
    pub place: Option<UnitPlace>,
    /// The reservation that they are kept for, or that became their order.
    pub reservation_id: Option<ReservationId>,
    /// When their hold expires.
    #[cfg_attr(feature = "schema", schemars(with = "Option<sale::Time>"))]
    pub expires_at: Option<Timestamp>,
    /// The order that stands.
    pub order_id: Option<OrderId>,
}
