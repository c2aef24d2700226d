//! A reservation as the scripts tell it.

use jiff::Timestamp;
use serde::Serialize;

use crate::answer::{Fields, Malformed};
use crate::{OrderId, Receipt, ReservationId, SaleId, ShopperId, Sku};

/// Units kept for one shopper until `expires_at`, or what became of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Its id.
    pub id: ReservationId,
    /// The sale.
    pub sale: SaleId,
    /// The SKU.
    pub sku: Sku,
    /// Whose it is.
    pub shopper: ShopperId,
    /// Serials of its units.
    pub units: Vec<u32>,
    /// Where it stands.
    pub state: ReservationState,
    /// Until when it can be confirmed, by Redis's clock.
    pub expires_at: Timestamp,
    /// Price of one unit in minor units of `currency`, frozen when the hold was given.
    pub price_minor: u64,
    /// ISO 4217 code, frozen likewise.
    pub currency: String,
    /// Units per shopper, frozen likewise.
    pub limit_per_shopper: u32,
    /// How often the sale had been rebuilt when the hold was given.
    pub epoch: u64,
}

/// Where a reservation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReservationState {
    /// The units are kept.
    Held,
    /// A confirm has begun; the units are kept until it is settled.
    Confirming,
    /// An order stands in the ledger.
    Ordered,
    /// The shopper gave the units back.
    Released,
    /// The time is over.
    Expired,
    /// The order was cancelled.
    Cancelled,
}

impl ReservationState {
    fn from_letter(letter: &[u8]) -> Result<Self, Malformed> {
        match letter {
            b"h" => Ok(Self::Held),
            b"c" => Ok(Self::Confirming),
            b"o" => Ok(Self::Ordered),
            b"r" => Ok(Self::Released),
            b"x" => Ok(Self::Expired),
            b"k" => Ok(Self::Cancelled),
            _ => Err(Malformed("a reservation's state")),
        }
    }

    /// Whether the units are still kept for the shopper.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Held | Self::Confirming)
    }
}

impl Reservation {
    /// Reads what `tell` in `prelude.lua` returns; takes all that is left of the fields.
    pub(crate) fn read(sale: &SaleId, fields: &mut Fields) -> Result<Self, Malformed> {
        Ok(Self {
            id: ReservationId::from_bytes(fields.digest()?),
            state: ReservationState::from_letter(&fields.bytes()?)?,
            shopper: ShopperId::from_bytes(fields.digest()?),
            sku: fields.sku()?,
            expires_at: fields.timestamp()?,
            price_minor: fields.number()?,
            currency: fields.text()?,
            limit_per_shopper: fields.number()?,
            epoch: fields.number()?,
            units: fields.rest()?,
            sale: sale.clone(),
        })
    }

    /// Number of units.
    #[must_use]
    pub fn quantity(&self) -> u32 {
        u32::try_from(self.units.len()).unwrap_or(u32::MAX)
    }

    /// Price of all units in minor units of `currency`.
    #[must_use]
    pub fn total_minor(&self) -> u64 {
        self.price_minor.saturating_mul(u64::from(self.quantity()))
    }

    /// The id of the order that this reservation became or can become.
    #[must_use]
    pub fn order_id(&self) -> OrderId {
        self.id.order()
    }

    /// What the signed receipt of this reservation says.
    #[must_use]
    pub fn receipt(&self) -> Receipt {
        Receipt {
            reservation: self.id,
            sale: self.sale.clone(),
            sku: self.sku.clone(),
            units: self.units.clone(),
            shopper: self.shopper,
            expires_at: self.expires_at,
            epoch: self.epoch,
            price_minor: self.price_minor,
            currency: self.currency.clone(),
            limit_per_shopper: self.limit_per_shopper,
        }
    }
}
