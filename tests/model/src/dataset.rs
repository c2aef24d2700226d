//! The stock in Redis: what the scripts read and write, each in one step.

/// A unit, as Redis sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Unit {
    Available,
    Held(usize),
    Sold,
    Quarantined,
}

/// A reservation's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Record {
    None,
    Held(usize),
    Confirming(usize),
    Ordered,
    Expired,
}

/// One version of the sale's data.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Dataset {
    /// Whether it belongs to this sale's history; scripts refuse it where it does not.
    pub(crate) is_seeded: bool,
    /// Whether a takeover has put what it found unsold aside.
    pub(crate) is_in_quarantine: bool,
    pub(crate) units: Vec<Unit>,
    pub(crate) records: Vec<Record>,
    /// Holds and orders of each shopper.
    pub(crate) counts: Vec<u8>,
}

impl Dataset {
    pub(crate) fn new(units: usize, reservations: usize, shoppers: usize) -> Self {
        Self {
            is_seeded: true,
            is_in_quarantine: false,
            units: vec![Unit::Available; units],
            records: vec![Record::None; reservations],
            counts: vec![0; shoppers],
        }
    }

    /// What an emptied server has.
    pub(crate) fn empty(&self) -> Self {
        Self { is_seeded: false, ..Self::new(self.units.len(), self.records.len(), self.counts.len()) }
    }

    /// `reserve`: a unit for a reservation that has none, within the limit.
    pub(crate) fn reserve(&mut self, reservation: usize, shopper: usize, limit: u8) -> bool {
        let free = self.units.iter().position(|unit| *unit == Unit::Available);
        let (Record::None, true, Some(unit)) =
            (self.records[reservation], self.counts[shopper] < limit, free)
        else {
            return false;
        };
        self.units[unit] = Unit::Held(reservation);
        self.records[reservation] = Record::Held(unit);
        self.counts[shopper] += 1;
        true
    }

    /// `expire`, or the end of a confirm that will never be: the unit goes back.
    pub(crate) fn give_back(&mut self, reservation: usize, shopper: usize) {
        if let Record::Held(unit) | Record::Confirming(unit) = self.records[reservation] {
            if self.units[unit] == Unit::Held(reservation) {
                self.units[unit] = Unit::Available;
            }
            self.records[reservation] = Record::Expired;
            self.counts[shopper] = self.counts[shopper].saturating_sub(1);
        }
    }

    /// `finish`: the units of the order are sold.
    pub(crate) fn finish(&mut self, reservation: usize, sold: usize) {
        if let Record::Held(unit) | Record::Confirming(unit) = self.records[reservation]
            && unit != sold
            && self.units[unit] == Unit::Held(reservation)
        {
            self.units[unit] = Unit::Available;
        }
        self.units[sold] = Unit::Sold;
        self.records[reservation] = Record::Ordered;
    }

    /// `exchange`: the unit is somebody else's, by the ledger. Another one, where there is any.
    pub(crate) fn exchange(&mut self, reservation: usize, taken: usize) -> Option<usize> {
        self.units[taken] = Unit::Sold;
        let available = self.units.iter().position(|unit| *unit == Unit::Available);
        let other = available.or_else(|| self.units.iter().position(|unit| *unit == Unit::Quarantined))?;
        self.units[other] = Unit::Held(reservation);
        self.records[reservation] = Record::Confirming(other);
        Some(other)
    }
}
