//! The ledger: its keys, and the conditions under which one transaction writes them.

use crate::protection::{Lacking, Protection};

/// An order item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Order {
    None,
    Confirmed(usize),
    /// It will never be one.
    Tombstone,
}

/// What the transaction of a confirm came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Ordered,
    NeverWillBe,
    UnitTaken,
    LimitReached,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Ledger {
    pub(crate) orders: Vec<Order>,
    /// Whether there is an item of the unit.
    pub(crate) units: Vec<bool>,
    pub(crate) counts: Vec<u8>,
}

impl Ledger {
    pub(crate) fn new(units: usize, reservations: usize, shoppers: usize) -> Self {
        Self { orders: vec![Order::None; reservations], units: vec![false; units], counts: vec![0; shoppers] }
    }

    /// The one transaction of a confirm, which fails as a whole.
    pub(crate) fn write(
        &mut self,
        lacking: &Lacking,
        reservation: usize,
        shopper: usize,
        unit: usize,
        limit: u8,
    ) -> Written {
        match self.orders[reservation] {
            Order::Confirmed(_) if lacking.has(Protection::OrderKey) => return Written::Ordered,
            Order::Tombstone => return Written::NeverWillBe,
            Order::Confirmed(_) | Order::None => {}
        }
        if lacking.has(Protection::UnitKey) && self.units[unit] {
            return Written::UnitTaken;
        }
        if lacking.has(Protection::ShopperKey) && self.counts[shopper] >= limit {
            return Written::LimitReached;
        }
        self.orders[reservation] = Order::Confirmed(unit);
        self.units[unit] = true;
        self.counts[shopper] += 1;
        Written::Ordered
    }
}
