//! What keeps the promises, and can be taken away to see which one breaks.

use std::collections::BTreeSet;

/// One of the things that keep the promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protection {
    /// A hold is answered with 201 only when a replica has it.
    HoldAcknowledged,
    /// A confirm writes to the ledger only when a replica has its mark.
    MarkAcknowledged,
    /// A confirm that nobody finished is settled by writing its order as one that never will be.
    Tombstone,
    /// After a takeover unsold units are sold only when no older hold can be confirmed.
    Quarantine,
    /// At the end of the quarantine the ledger is read again.
    SecondReading,
    /// The sweep compares Redis with the ledger.
    Reconciliation,
    /// The ledger writes an order once: who repeats it is told that it stands.
    OrderKey,
    /// The ledger sells a unit once.
    UnitKey,
    /// The ledger counts a shopper's orders.
    ShopperKey,
    /// In quarantine a receipt confirms without a record in Redis.
    Receipt,
    /// Scripts refuse a dataset of another history.
    Fence,
}

impl Protection {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::HoldAcknowledged,
        Self::MarkAcknowledged,
        Self::Tombstone,
        Self::Quarantine,
        Self::SecondReading,
        Self::Reconciliation,
        Self::OrderKey,
        Self::UnitKey,
        Self::ShopperKey,
        Self::Receipt,
        Self::Fence,
    ];
}

/// Protections that are taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lacking(BTreeSet<Protection>);

impl Lacking {
    /// Without these.
    #[must_use]
    pub fn these(protections: &[Protection]) -> Self {
        Self(protections.iter().copied().collect())
    }

    pub(crate) fn has(&self, protection: Protection) -> bool {
        !self.0.contains(&protection)
    }
}
