//! The status of a sale: what changes while it runs, the same for everybody.

use jiff::Timestamp;
use sale::{SaleId, SaleState, Sku, SkuView};
use serde::Serialize;

use crate::WaitingRoomStatus;

/// What changes while a sale runs.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Status {
    /// The sale.
    pub sale: SaleId,
    /// Where it stands.
    pub state: SaleState,
    /// Redis's clock; a client counts down against it, not against its own.
    #[cfg_attr(feature = "schema", schemars(with = "sale::Time"))]
    pub server_time: Timestamp,
    /// When reserving begins, once that is set.
    #[cfg_attr(feature = "schema", schemars(with = "Option<sale::Time>"))]
    pub opens_at: Option<Timestamp>,
    /// When reserving ends, once that is set.
    #[cfg_attr(feature = "schema", schemars(with = "Option<sale::Time>"))]
    pub closes_at: Option<Timestamp>,
    /// The waiting room, where the sale has one.
    pub waiting_room: Option<WaitingRoomStatus>,
    /// Each SKU.
    pub skus: Vec<SkuStatus>,
    /// How soon a client may ask again.
    pub poll_after_ms: u32,
}

/// What is left of one SKU.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SkuStatus {
    /// Its name.
    pub sku: Sku,
    /// Units that the next reservation can have.
    pub available: u32,
    /// Whether there are none.
    pub sold_out: bool,
    /// Whether units may come back: some are only held.
    pub may_return: bool,
}

impl From<SkuView> for SkuStatus {
    fn from(view: SkuView) -> Self {
        let (sold_out, may_return) = (view.available == 0, view.may_return());
        Self { sku: view.sku, available: view.available, sold_out, may_return }
    }
}
