//! An order, and how its item looks.

use api::{OrderAnswer, OrderState};
use jiff::Timestamp;
use sale::{OrderId, Reservation, ReservationId, SaleId, ShopperId, Sku};
use serde::Serialize;

use crate::item::{
    Item, Malformed, number, numbers, read_number, read_numbers, read_text, read_timestamp, text, timestamp,
    whole_ms,
};
use crate::table::{KEY, LISTING_KEY, LISTING_SORT, ORDER_SHARDS, order_key, order_list};

/// A confirmed reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "OrderAnswer")]
pub struct Order {
    /// Its id, derived from the reservation's.
    pub id: OrderId,
    /// The reservation that it was.
    pub reservation: ReservationId,
    /// The sale.
    pub sale: SaleId,
    /// The SKU.
    pub sku: Sku,
    /// Whose it is.
    pub shopper: ShopperId,
    /// Serials of its units.
    pub units: Vec<u32>,
    /// Price of one unit in minor units of `currency`.
    pub price_minor: u64,
    /// ISO 4217 code.
    pub currency: String,
    /// Where it stands.
    pub state: OrderState,
    /// When it was confirmed, by the clock of the function that did.
    pub confirmed_at: Timestamp,
    /// When it was cancelled, if it was.
    pub cancelled_at: Option<Timestamp>,
}

/// The state of an order's item where there is no order and never will be one.
pub(crate) const TOMBSTONE: &str = "tombstone";

impl Order {
    /// The order that this reservation becomes.
    #[must_use]
    pub fn of(reservation: &Reservation, confirmed_at: Timestamp) -> Self {
        Self {
            id: reservation.order_id(),
            reservation: reservation.id,
            sale: reservation.sale.clone(),
            sku: reservation.sku.clone(),
            shopper: reservation.shopper,
            units: reservation.units.clone(),
            price_minor: reservation.price_minor,
            currency: reservation.currency.clone(),
            state: OrderState::Confirmed,
            confirmed_at: whole_ms(confirmed_at),
            cancelled_at: None,
        }
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

    /// Whether it was not cancelled.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.state == OrderState::Confirmed
    }

    pub(crate) fn to_item(&self) -> Item {
        let shard = self.id.as_bytes()[0] % ORDER_SHARDS;
        let sort = format!("{:013}#{}", self.confirmed_at.as_millisecond(), self.id);
        let mut item = Item::from(
            [
                (KEY, text(order_key(&self.id))),
                (LISTING_KEY, text(order_list(&self.sale, shard))),
                (LISTING_SORT, text(sort)),
                ("state", text(self.state.as_str())),
                ("reservation", text(self.reservation.to_string())),
                ("sale", text(self.sale.as_str())),
                ("sku", text(self.sku.as_str())),
                ("shopper", text(self.shopper.to_string())),
                ("units", numbers(&self.units)),
                ("price_minor", number(self.price_minor)),
                ("currency", text(self.currency.as_str())),
                ("confirmed_at", timestamp(self.confirmed_at)),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        if let Some(cancelled_at) = self.cancelled_at {
            item.insert("cancelled_at".to_owned(), timestamp(cancelled_at));
        }
        item
    }

    /// The order of this item, or `None` where the item is a tombstone.
    pub(crate) fn read(item: &Item) -> Result<Option<Self>, Malformed> {
        let state = match read_text(item, "state")? {
            "confirmed" => OrderState::Confirmed,
            "cancelled" => OrderState::Cancelled,
            TOMBSTONE => return Ok(None),
            _ => return Err(Malformed("state")),
        };
        let reservation = read_id(item, "reservation", ReservationId::parse)?;
        Ok(Some(Self {
            id: reservation.order(),
            reservation,
            sale: read_id(item, "sale", SaleId::parse)?,
            sku: read_id(item, "sku", Sku::parse)?,
            shopper: read_id(item, "shopper", ShopperId::parse)?,
            units: read_numbers(item, "units")?,
            price_minor: read_number(item, "price_minor")?,
            currency: read_text(item, "currency")?.to_owned(),
            state,
            confirmed_at: read_timestamp(item, "confirmed_at")?,
            cancelled_at: item
                .contains_key("cancelled_at")
                .then(|| read_timestamp(item, "cancelled_at"))
                .transpose()?,
        }))
    }
}

fn read_id<T, E>(
    item: &Item,
    name: &'static str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<T, Malformed> {
    parse(read_text(item, name)?).map_err(|_| Malformed(name))
}

impl From<Order> for OrderAnswer {
    fn from(order: Order) -> Self {
        Self {
            quantity: order.quantity(),
            total_minor: order.total_minor(),
            id: order.id,
            sale: order.sale,
            reservation_id: order.reservation,
            sku: order.sku,
            units: order.units,
            state: order.state,
            price_minor: order.price_minor,
            currency: order.currency,
            confirmed_at: order.confirmed_at,
            cancelled_at: order.cancelled_at,
        }
    }
}
