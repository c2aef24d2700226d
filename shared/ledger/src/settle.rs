//! Settle: what the ledger says of a reservation, decided here if nobody has decided yet.

use sale::{Deadline, OrderId, ReservationId, SaleId};

use crate::item::{Item, text};
use crate::order::TOMBSTONE;
use crate::table::{KEY, order_key};
use crate::{Ledger, LedgerError, Order, OrderState};

/// What the ledger says of a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// An order stands.
    Ordered(Order),
    /// The order was cancelled.
    Cancelled(Order),
    /// There is no order and never will be one.
    Abandoned,
}

impl Ledger {
    /// The order of this id, read consistently; `None` where there is none.
    pub async fn order(&self, id: &OrderId, deadline: Deadline) -> Result<Option<Order>, LedgerError> {
        let item = self.get(order_key(id), deadline).await?;
        Ok(item.as_ref().map(Order::read).transpose()?.flatten())
    }

    /// What was decided about a reservation; `None` while nothing was.
    pub async fn decided(
        &self,
        reservation: &ReservationId,
        deadline: Deadline,
    ) -> Result<Option<Settled>, LedgerError> {
        let Some(item) = self.get(order_key(&reservation.order()), deadline).await? else { return Ok(None) };
        Ok(Some(match Order::read(&item)? {
            Some(order) if order.state == OrderState::Cancelled => Settled::Cancelled(order),
            Some(order) => Settled::Ordered(order),
            None => Settled::Abandoned,
        }))
    }

    /// Settles a reservation: where there is no order, a tombstone in its place makes sure that a
    /// confirm which is still under way cannot write one. Whoever writes the item first wins.
    pub async fn settle(
        &self,
        sale: &SaleId,
        reservation: &ReservationId,
        deadline: Deadline,
    ) -> Result<Settled, LedgerError> {
        let key = order_key(&reservation.order());
        loop {
            if let Some(decided) = self.decided(reservation, deadline).await? {
                return Ok(decided);
            }
            let tombstone = Item::from(
                [
                    (KEY, text(key.clone())),
                    ("state", text(TOMBSTONE)),
                    ("sale", text(sale.as_str())),
                    ("reservation", text(reservation.to_string())),
                ]
                .map(|(name, value)| (name.to_owned(), value)),
            );
            // Otherwise a confirm was first: read what it wrote.
            if self.put_new(tombstone, deadline).await? {
                return Ok(Settled::Abandoned);
            }
        }
    }
}
