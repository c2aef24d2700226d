//! What a journal says of a sale at any instant: the counts of each SKU, and where each unit was.

use std::collections::BTreeMap;

use api::JournalEntryAnswer as Entry;
use jiff::Timestamp;
use sale::{ReservationId, Sku, UnitChange, UnitCount};
use serde::Serialize;

/// The journal of one SKU, in order.
#[derive(Debug, Default)]
struct SkuJournal {
    entries: Vec<Entry>,
    /// Entries that a failover has lost after they were kept.
    taken_back: u64,
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
    /// Entries of this epoch until then.
    pub(crate) entries: usize,
    /// Entries of this epoch that are missing until then.
    pub(crate) missing: u64,
    /// Entries that a failover took back, in every epoch and at any time.
    pub(crate) taken_back: u64,
    /// Whether Redis was lost after the last of these entries: what came between may be missing.
    pub(crate) was_lost_next: bool,
    /// Every unit that was held or sold, as far as entries name it.
    pub(crate) units: Vec<UnitThen>,
}

/// A unit at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct UnitThen {
    pub(crate) serial: u32,
    pub(crate) counted_as: UnitCount,
    pub(crate) since: Timestamp,
    /// For whom, where the entry says it: not of a unit that turned out to be in an order.
    pub(crate) reservation_id: Option<ReservationId>,
}

impl Replay {
    /// Adds the entry that comes next in the journal. One that came before is left out; one of a number that came
    /// before shows that Redis has lost what it had written from that number on.
    pub(crate) fn add(&mut self, entry: Entry) {
        let SkuJournal { entries, taken_back } = self.0.entry(entry.sku.clone()).or_default();
        let known = entries.partition_point(|known| place(known) < place(&entry));
        if entries.get(known).is_some_and(|known| known.id == entry.id) {
            return;
        }
        *taken_back += (entries.len() - known) as u64;
        entries.truncate(known);
        entries.push(entry);
    }

    /// The time of the latest entry.
    pub(crate) fn end(&self) -> Option<Timestamp> {
        self.0.values().flat_map(|journal| &journal.entries).map(|entry| entry.at).max()
    }

    /// Every SKU that the sale had at this instant. Within an epoch time never goes back; from one to the next it may.
    pub(crate) fn at(&self, instant: Timestamp) -> Vec<SkuThen> {
        let then = |(sku, journal): (&Sku, &SkuJournal)| {
            let begun = journal.entries.iter().filter(|entry| entry.at <= instant);
            let epoch = begun.map(|entry| entry.epoch).max()?;
            let until = |entry: &Entry| entry.epoch < epoch || (entry.epoch == epoch && entry.at <= instant);
            let until = journal.entries.partition_point(until);
            Some(journal.replay(sku, until))
        };
        self.0.iter().filter_map(then).collect()
    }

    /// A SKU after the entry of this number; `None` where the journal does not have it.
    pub(crate) fn after(&self, sku: &Sku, epoch: u64, number: u64) -> Option<SkuThen> {
        let journal = self.0.get(sku)?;
        let at = journal.entries.binary_search_by_key(&(epoch, number), place).ok()?;
        Some(journal.replay(sku, at + 1))
    }
}

/// Where an entry belongs in its SKU.
fn place(entry: &Entry) -> (u64, u64) {
    (entry.epoch, entry.number)
}

impl SkuJournal {
    /// The SKU after so many entries. With an epoch every unit is counted anew.
    fn replay(&self, sku: &Sku, until: usize) -> SkuThen {
        let (entries, later) = self.entries.split_at(until);
        let epoch = entries.last().map_or(0, |entry| entry.epoch);
        let of_epoch = &entries[entries.partition_point(|entry| entry.epoch < epoch)..];
        let mut counts = BTreeMap::<UnitCount, i64>::new();
        let mut units = BTreeMap::new();
        for Entry { at, change, from, to, quantity, units: serials, reservation_id, .. } in of_epoch {
            *counts.entry(*from).or_default() -= i64::from(*quantity);
            *counts.entry(*to).or_default() += i64::from(*quantity);
            // The reservation of a lost unit is the one that lost it.
            let reservation_id = reservation_id.filter(|_| *change != UnitChange::Lost);
            for serial in serials {
                let unit = UnitThen { serial: *serial, counted_as: *to, since: *at, reservation_id };
                match to {
                    UnitCount::Held | UnitCount::Sold => units.insert(*serial, unit),
                    UnitCount::Available | UnitCount::Quarantined | UnitCount::Outside => {
                        units.remove(serial)
                    }
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
            entries: of_epoch.len(),
            missing: numbers - of_epoch.len() as u64,
            taken_back: self.taken_back,
            was_lost_next: later.first().is_some_and(|next| next.epoch > epoch),
            units: units.into_values().collect(),
        }
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
        assert_eq!((then.units.len(), then.missing, then.taken_back), (1, 0, 0));
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
        assert_eq!((then.available, then.held, then.sold, then.taken_back), (9, 1, 0, 3));
    }

    #[test]
    fn what_is_missing_is_told() {
        assert_eq!(replayed(&[OPENED, HELD, RETURNED]).missing, 1);
        assert_eq!(replayed(&[HELD, SOLD]).missing, 1);
    }

    #[test]
    fn an_epoch_counts_anew_whatever_its_clock_says() {
        for ms in [500, 9_000] {
            let mut replay = Replay::default();
            for line in [
                OPENED,
                HELD,
                SOLD,
                RETURNED,
                &format!("{ms}-0 - 2 1 a quarantined outside quarantined 10"),
                &format!("{}-0 c5h66p35cpjmgqbaddm6qrb1ec 2 2 a sold quarantined sold 1 1", ms + 1),
            ] {
                replay.add(line.parse::<JournalEntry>().unwrap().into());
            }
            let then = replay.at(replay.end().unwrap()).pop().unwrap();
            assert_eq!((then.epoch, then.stock, then.quarantined, then.sold), (2, 10, 9, 1));
            assert_eq!((then.missing, then.taken_back, then.entries, then.was_lost_next), (0, 0, 2, false));
            assert_eq!(replay.after(&then.sku, 2, 2).as_ref(), Some(&then));
            assert_eq!(replay.after(&then.sku, 2, 3), None);
            let before = replay.after(&then.sku, 1, 4).unwrap();
            assert_eq!((before.sold, before.was_lost_next), (1, true));
        }
    }

    #[test]
    fn a_unit_that_turned_out_to_be_somebody_else_s_is_not_told_as_of_who_lost_it() {
        let lost = "4000-0 c5h66p35cpjmgqbaddm6qrb1ec 1 3 a lost held sold 1 1";
        let unit = replayed(&[OPENED, HELD, lost]).units.remove(0);
        assert_eq!((unit.serial, unit.counted_as, unit.reservation_id), (1, UnitCount::Sold, None));
    }
}
