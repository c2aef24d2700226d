//! What a journal says of a sale at any instant: the counts of each SKU, and where each unit was.

use std::collections::BTreeMap;

use api::JournalEntryAnswer as Entry;
use jiff::Timestamp;
use sale::{ReservationId, Sku, UnitCount};
use serde::Serialize;

/// The journal of one SKU, in order.
#[derive(Debug, Default)]
struct SkuJournal {
    entries: Vec<Entry>,
    /// Entries that a failover has lost after they were kept.
    forgotten: u64,
}

/// The journal of a sale, put in order.
#[derive(Debug, Default)]
pub(crate) struct Replay(BTreeMap<Sku, SkuJournal>);

/// A SKU at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SkuThen {
    pub(crate) sku: Sku,
    /// Its epoch then.
    pub(crate) epoch: u64,
    pub(crate) stock: i64,
    pub(crate) available: i64,
    pub(crate) held: i64,
    pub(crate) sold: i64,
    pub(crate) quarantined: i64,
    /// Entries until then, in every epoch.
    pub(crate) entries: usize,
    /// Entries of this epoch that are missing until then. Without any the counts are exact.
    pub(crate) missing: u64,
    /// Entries that a failover took back, in every epoch and at any time.
    pub(crate) forgotten: u64,
    /// Every unit that was held or sold, as far as entries name it.
    pub(crate) units: Vec<UnitThen>,
}

/// A unit at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct UnitThen {
    pub(crate) serial: u32,
    pub(crate) counted_as: UnitCount,
    pub(crate) since: Timestamp,
    pub(crate) reservation_id: Option<ReservationId>,
}

impl Replay {
    /// Adds the entry that comes next in the journal. One that came before is left out; one of a number that came
    /// before shows that Redis has forgotten what it had written from that number on.
    pub(crate) fn add(&mut self, entry: Entry) {
        let SkuJournal { entries, forgotten } = self.0.entry(entry.sku.clone()).or_default();
        let place = |entry: &Entry| (entry.epoch, entry.number);
        let known = entries.partition_point(|known| place(known) < place(&entry));
        if entries.get(known).is_some_and(|known| known.id == entry.id) {
            return;
        }
        *forgotten += (entries.len() - known) as u64;
        entries.truncate(known);
        entries.push(entry);
    }

    /// The time of the last entry of all.
    pub(crate) fn end(&self) -> Option<Timestamp> {
        self.0.values().filter_map(|journal| journal.entries.last()).map(|entry| entry.at).max()
    }

    /// Every SKU that the sale had at this instant.
    pub(crate) fn at(&self, instant: Timestamp) -> Vec<SkuThen> {
        let then = |(sku, journal): (&Sku, &SkuJournal)| {
            let until = journal.entries.partition_point(|entry| entry.at <= instant);
            (until > 0).then(|| replay(sku, &journal.entries[..until], journal.forgotten))
        };
        self.0.iter().filter_map(then).collect()
    }
}

fn replay(sku: &Sku, entries: &[Entry], forgotten: u64) -> SkuThen {
    // With an epoch every unit is counted anew.
    let epoch = entries.last().map_or(0, |entry| entry.epoch);
    let of_epoch = &entries[entries.partition_point(|entry| entry.epoch < epoch)..];
    let mut counts = BTreeMap::<UnitCount, i64>::new();
    let mut units = BTreeMap::new();
    for Entry { at, from, to, quantity, units: serials, reservation_id, .. } in of_epoch {
        *counts.entry(*from).or_default() -= i64::from(*quantity);
        *counts.entry(*to).or_default() += i64::from(*quantity);
        for serial in serials {
            let reservation_id = *reservation_id;
            let unit = UnitThen { serial: *serial, counted_as: *to, since: *at, reservation_id };
            match to {
                UnitCount::Held | UnitCount::Sold => units.insert(*serial, unit),
                UnitCount::Available | UnitCount::Quarantined | UnitCount::Outside => units.remove(serial),
            };
        }
    }
    let numbers = of_epoch.last().map_or(0, |entry| entry.number);
    let count = |count| counts.get(&count).copied().unwrap_or(0);
    SkuThen {
        sku: sku.clone(),
        epoch,
        stock: -count(UnitCount::Outside),
        available: count(UnitCount::Available),
        held: count(UnitCount::Held),
        sold: count(UnitCount::Sold),
        quarantined: count(UnitCount::Quarantined),
        entries: entries.len(),
        missing: numbers - of_epoch.len() as u64,
        forgotten,
        units: units.into_values().collect(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use sale::{JournalEntry, UnitCount::Held};

    use super::*;

    /// The journal of these lines, where it has stood for ever.
    fn replayed(lines: &[&str]) -> SkuThen {
        let mut replay = Replay::default();
        for line in lines {
            replay.add(line.parse::<JournalEntry>().unwrap().into());
        }
        replay.at(replay.end().unwrap()).pop().unwrap()
    }

    const OPENED: &str = "1000-0 - 1 1 a opened outside available 10";
    const HELD: &str = "2000-0 c5h66p35cpjmgqbaddm6qrb1ec 1 2 a held available held 2 1 2";
    const SOLD: &str = "3000-0 c5h66p35cpjmgqbaddm6qrb1ec 1 3 a sold held sold 1 1";
    const RETURNED: &str = "3000-1 c5h66p35cpjmgqbaddm6qrb1ec 1 4 a returned held available 1 2";

    #[test]
    fn counts_and_units_follow_the_entries() {
        let mut replay = Replay::default();
        for line in [OPENED, HELD, SOLD, RETURNED] {
            replay.add(line.parse::<JournalEntry>().unwrap().into());
        }
        let at = |ms| replay.at(Timestamp::from_millisecond(ms).unwrap());
        assert_eq!(at(999), []);
        let then = at(2_999).pop().unwrap();
        assert_eq!((then.stock, then.available, then.held, then.sold), (10, 8, 2, 0));
        assert!(then.units.iter().all(|unit| unit.counted_as == Held && unit.reservation_id.is_some()));
        let then = at(3_000).pop().unwrap();
        assert_eq!((then.stock, then.available, then.held, then.sold), (10, 9, 0, 1));
        assert_eq!((then.units.len(), then.missing, then.forgotten), (1, 0, 0));
    }

    #[test]
    fn an_entry_that_comes_twice_counts_once() {
        let once = replayed(&[OPENED, HELD, SOLD, RETURNED]);
        assert_eq!(replayed(&[OPENED, HELD, OPENED, HELD, SOLD, RETURNED, SOLD]), once);
    }

    #[test]
    fn what_a_failover_took_back_is_left_out_and_counted() {
        let other = "9000-0 d5h66p35cpjmgqbaddm6qrb1ec 1 2 a held available held 1 1";
        let then = replayed(&[OPENED, HELD, SOLD, RETURNED, other]);
        assert_eq!((then.available, then.held, then.sold, then.forgotten), (9, 1, 0, 3));
    }

    #[test]
    fn what_is_missing_is_told() {
        assert_eq!(replayed(&[OPENED, HELD, RETURNED]).missing, 1);
        assert_eq!(replayed(&[HELD, SOLD]).missing, 1);
    }

    #[test]
    fn an_epoch_counts_anew() {
        let then = replayed(&[
            OPENED,
            HELD,
            SOLD,
            RETURNED,
            "9000-0 - 2 1 a quarantined outside quarantined 10",
            "9001-0 c5h66p35cpjmgqbaddm6qrb1ec 2 2 a sold quarantined sold 1 1",
        ]);
        assert_eq!((then.epoch, then.stock, then.quarantined, then.sold), (2, 10, 9, 1));
        assert_eq!((then.missing, then.forgotten, then.entries), (0, 0, 6));
    }
}
