//! What a signed receipt says: the proof of a hold that the shopper keeps.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ReservationId, SaleId, ShopperId, Sku};

/// The content of a receipt. Signing and verifying is the business of the caller's key ring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The reservation that this receipt proves.
    pub reservation: ReservationId,
    /// The sale.
    pub sale: SaleId,
    /// The SKU.
    pub sku: Sku,
    /// Serials of the units, each in `1..=stock` of the SKU.
    pub units: Vec<u32>,
    /// Whose hold it is.
    pub shopper: ShopperId,
    /// Until when the hold can be confirmed.
    pub expires_at: Timestamp,
    /// How often the sale had been rebuilt when the hold was given.
    pub epoch: u64,
    /// Price of one unit in minor units of `currency`.
    pub price_minor: u64,
    /// ISO 4217 code.
    pub currency: String,
    /// Units per shopper that the sale allowed when the hold was given.
    pub limit_per_shopper: u32,
}
