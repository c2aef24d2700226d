//! The books of one SKU: what Redis and the ledger say of each unit, and whether the two agree.

use std::collections::BTreeMap;
use std::fmt;

use api::UnitRange;
use jiff::Timestamp;
use sale::{OrderId, ReservationId, SkuView, UnitPlace};
use serde::Serialize;

/// A serial far beyond any stock is a broken answer, not a reason to take up all memory.
const SERIALS_MAX: usize = sale::STOCK_MAX as usize;

/// What has become of a unit, where Redis and the ledger agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "fate")]
pub(crate) enum Fate {
    /// In an order.
    Sold { order: OrderId },
    /// Kept for a shopper.
    Held { reservation: ReservationId, expires_at: Timestamp },
    /// Kept for a shopper who is confirming.
    Confirming { reservation: ReservationId },
    /// To be had.
    Available,
    /// Kept back by a takeover.
    Quarantined,
    /// Out of the stock.
    Withdrawn,
}

/// A unit of which Redis and the ledger do not say the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Difference {
    /// Its serial; none for a sum.
    pub(crate) serial: Option<u32>,
    /// What is wrong, in a sentence.
    pub(crate) what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.serial {
            Some(serial) => write!(formatter, "unit {serial} is {}", self.what),
            None => formatter.write_str(&self.what),
        }
    }
}

/// Units of consecutive serials and one fate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Run {
    pub(crate) first: u32,
    pub(crate) last: u32,
    #[serde(flatten)]
    pub(crate) fate: Fate,
}

/// Everything that is said of one unit.
#[derive(Debug, Clone, Default)]
struct Unit {
    places: Vec<(UnitPlace, Option<(ReservationId, Timestamp)>)>,
    is_marked_sold: bool,
    order: Option<(OrderId, ReservationId)>,
}

/// What is said of each unit of a SKU.
#[derive(Debug, Default)]
pub(crate) struct Books(Vec<Unit>);

impl Books {
    /// Of so many units, of which nothing is known yet.
    pub(crate) fn of(counters: &SkuView) -> Self {
        Self(vec![Unit::default(); (counters.stock + counters.withdrawn) as usize])
    }

    /// Notes what a page says.
    pub(crate) fn note(&mut self, said: &UnitRange) -> Result<(), String> {
        let (first, last) = (said.first as usize, said.last as usize);
        if first == 0 || first > last || last > SERIALS_MAX {
            return Err(format!("there are no serials {first} to {last}"));
        }
        if self.0.len() < last {
            self.0.resize(last, Unit::default());
        }
        for unit in &mut self.0[first - 1..last] {
            match (said.place, said.order_id, said.reservation_id) {
                (Some(UnitPlace::Sold), ..) => unit.is_marked_sold = true,
                (Some(place), _, reservation) => unit.places.push((place, reservation.zip(said.expires_at))),
                (None, Some(order), Some(reservation)) => unit.order = Some((order, reservation)),
                (None, ..) => return Err("a unit is neither in a place nor in an order".to_owned()),
            }
        }
        Ok(())
    }

    /// Units that Redis counts as this one counts them.
    fn in_places(&self, places: &[UnitPlace]) -> u64 {
        let all = self.0.iter().flat_map(|unit| &unit.places);
        all.filter(|(place, _)| places.contains(place)).count() as u64
    }

    /// How many units have each fate, and the runs of them; and every unit on which the two do not agree.
    pub(crate) fn close(&self) -> (Vec<Run>, Vec<Difference>) {
        let (mut runs, mut differences) = (Vec::<Run>::new(), Vec::new());
        for (serial, unit) in (1..).zip(&self.0) {
            match unit.fate() {
                Ok(fate) => match runs.last_mut() {
                    Some(run) if run.last + 1 == serial && run.fate == fate => run.last = serial,
                    _ => runs.push(Run { first: serial, last: serial, fate }),
                },
                Err(what) => differences.push(Difference { serial: Some(serial), what }),
            }
        }
        (runs, differences)
    }

    /// Whether the counters, which every script keeps, are the sums of what is there.
    pub(crate) fn sums(&self, counters: &SkuView) -> Vec<Difference> {
        use UnitPlace::{Confirming, Fresh, Held, Quarantined, Returned, Withdrawn};
        let sold = |unit: &&Unit| unit.is_marked_sold && unit.places.is_empty();
        let nowhere = |unit: &&Unit| unit.fate() == Ok(Fate::Withdrawn) && unit.places.is_empty();
        let count = |is_it: &dyn Fn(&&Unit) -> bool| self.0.iter().filter(is_it).count() as u64;
        let kept = [Fresh, Returned, Held, Confirming];
        let all = [
            // A hold whose time is over counts as either.
            ("available or held", counters.available + counters.held, self.in_places(&kept)),
            ("sold", counters.sold, count(&sold)),
            ("quarantined", counters.quarantined, self.in_places(&[Quarantined])),
            ("withdrawn", counters.withdrawn, self.in_places(&[Withdrawn]) + count(&nowhere)),
        ];
        let wrong = all.into_iter().filter(|(_, counted, found)| u64::from(*counted) != *found);
        let what = |(what, counted, found)| {
            format!("{counted} units are counted as {what}, and {found} are found so")
        };
        wrong.map(|sum| Difference { serial: None, what: what(sum) }).collect()
    }
}

/// Whether Redis and the ledger have the same stock. A change of it that is under way is in one of them only.
pub(crate) fn stock_difference(in_redis: u32, in_ledger: Option<u32>) -> Option<Difference> {
    let in_ledger = in_ledger.unwrap_or(0);
    let what = format!("{in_redis} units are in the stock of Redis, and {in_ledger} in that of the ledger");
    (in_redis != in_ledger).then_some(Difference { serial: None, what })
}

impl Unit {
    fn fate(&self) -> Result<Fate, String> {
        use UnitPlace::{Confirming, Fresh, Held, Quarantined, Returned, Withdrawn};
        match (&self.places[..], self.is_marked_sold, self.order) {
            // Redis may hear of an order when it has forgotten its hold: then the unit counts as sold when its turn
            // comes. In a hold of somebody else it was lost by it, and that hold's confirm takes another one. What is
            // kept back may be in an order: the ledger is read again before it is available.
            ([] | [(Fresh | Returned | Held | Confirming, _)], true, Some((order, _)))
            | ([(Quarantined, _)], false, Some((order, _))) => Ok(Fate::Sold { order }),
            ([(Confirming, Some((of, _)))], _, Some((order, by))) if *of == by => Ok(Fate::Sold { order }),
            ([(Fresh | Returned, _)], false, None) => Ok(Fate::Available),
            ([(Held, Some((reservation, expires_at)))], false, None) => {
                Ok(Fate::Held { reservation: *reservation, expires_at: *expires_at })
            }
            ([(Confirming, Some((reservation, _)))], false, None) => {
                Ok(Fate::Confirming { reservation: *reservation })
            }
            ([(Quarantined, _)], false, None) => Ok(Fate::Quarantined),
            // A serial that was never issued is withdrawn by lowering the highest one: then it is nowhere.
            ([] | [(Withdrawn, _)], false, None) => Ok(Fate::Withdrawn),
            _ => Err(self.told()),
        }
    }

    /// Both sides in a sentence.
    fn told(&self) -> String {
        let place = |(place, hold): &(UnitPlace, Option<(ReservationId, Timestamp)>)| match hold {
            Some((reservation, _)) => format!("{} for {reservation}", place.as_str()),
            None => place.as_str().to_owned(),
        };
        let mut places: Vec<_> = self.places.iter().map(place).collect();
        if self.is_marked_sold {
            places.push("sold".to_owned());
        }
        let places = if places.is_empty() { "nowhere".to_owned() } else { places.join(" and ") };
        let order = self.order.map_or_else(
            || "nobody's".to_owned(),
            |(order, reservation)| format!("sold to order {order} of {reservation}"),
        );
        format!("in Redis {places}, in the ledger {order}")
    }
}

/// How many units of a SKU have each fate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Totals {
    pub(crate) sold: u64,
    pub(crate) held: u64,
    pub(crate) confirming: u64,
    pub(crate) available: u64,
    pub(crate) quarantined: u64,
    pub(crate) withdrawn: u64,
}

impl Totals {
    pub(crate) fn of(runs: &[Run]) -> Self {
        let mut totals = Self::default();
        for run in runs {
            let counted = match run.fate {
                Fate::Sold { .. } => &mut totals.sold,
                Fate::Held { .. } => &mut totals.held,
                Fate::Confirming { .. } => &mut totals.confirming,
                Fate::Available => &mut totals.available,
                Fate::Quarantined => &mut totals.quarantined,
                Fate::Withdrawn => &mut totals.withdrawn,
            };
            *counted += u64::from(run.last - run.first + 1);
        }
        totals
    }
}

/// What was different in every one of these rounds: what changes while it is read is no difference.
pub(crate) fn persistent(rounds: Vec<Vec<Difference>>) -> Vec<Difference> {
    let all = rounds.len();
    let mut seen = BTreeMap::new();
    for difference in rounds.into_iter().flatten() {
        *seen.entry(difference).or_insert(0) += 1;
    }
    seen.into_iter().filter(|(_, times)| *times == all).map(|(difference, _)| difference).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn reservation(byte: u8) -> ReservationId {
        ReservationId::from_bytes([byte; 16])
    }

    fn at(first: u32, last: u32, place: UnitPlace) -> UnitRange {
        UnitRange { first, last, place: Some(place), reservation_id: None, expires_at: None, order_id: None }
    }

    fn kept(serial: u32, place: UnitPlace, byte: u8) -> UnitRange {
        let (reservation_id, expires_at) = (Some(reservation(byte)), Some(Timestamp::UNIX_EPOCH));
        UnitRange { reservation_id, expires_at, ..at(serial, serial, place) }
    }

    fn ordered(serial: u32, byte: u8) -> UnitRange {
        let order_id = Some(reservation(byte).order());
        UnitRange {
            place: None,
            reservation_id: Some(reservation(byte)),
            order_id,
            ..at(serial, serial, UnitPlace::Sold)
        }
    }

    fn books(said: &[UnitRange]) -> Books {
        let mut books = Books::default();
        for said in said {
            books.note(said).unwrap();
        }
        books
    }

    #[test]
    fn every_unit_has_one_fate_where_both_agree() {
        use UnitPlace::*;
        let said = [
            at(1, 1, Sold),
            ordered(1, 1),
            kept(2, Held, 2),
            kept(3, Confirming, 3),
            kept(4, Confirming, 4),
            ordered(4, 4),
            at(5, 6, Fresh),
            at(7, 7, Returned),
            at(8, 8, Withdrawn),
            at(9, 10, Quarantined),
            ordered(10, 5),
            at(11, 11, Returned),
            at(11, 11, Sold),
            ordered(11, 6),
            kept(12, Held, 7),
            at(12, 12, Sold),
            ordered(12, 8),
        ];
        let (runs, differences) = books(&said).close();
        assert_eq!(differences, []);
        let totals = Totals { sold: 5, held: 1, confirming: 1, available: 3, quarantined: 1, withdrawn: 1 };
        assert_eq!(Totals::of(&runs), totals);
        assert!(runs.contains(&Run { first: 5, last: 7, fate: Fate::Available }), "{runs:?}");
    }

    #[test]
    fn whatever_else_is_said_of_a_unit_is_a_difference() {
        use UnitPlace::*;
        let wrong: [(&[UnitRange], &str); 10] = [
            (&[at(1, 1, Sold)], "in Redis sold, in the ledger nobody's"),
            (&[ordered(1, 1)], "in Redis nowhere, in the ledger sold to order"),
            (&[at(1, 1, Fresh), ordered(1, 1)], "in Redis fresh, in the ledger sold"),
            (&[kept(1, Held, 2), ordered(1, 1)], "in Redis held for"),
            (&[kept(1, Held, 1), ordered(1, 1)], "in Redis held for"),
            (&[kept(1, Confirming, 2), ordered(1, 1)], "in Redis confirming for"),
            (&[at(1, 1, Withdrawn), ordered(1, 1)], "in Redis withdrawn"),
            (&[kept(1, Held, 1), kept(1, Held, 2)], " and held for"),
            (&[at(1, 1, Returned), at(1, 1, Returned)], "in Redis returned and returned"),
            (&[at(1, 1, Quarantined), at(1, 1, Sold), ordered(1, 1)], "in Redis quarantined and sold"),
        ];
        for (said, told) in wrong {
            let (runs, differences) = books(said).close();
            assert_eq!((runs.len(), differences.len()), (0, 1), "{told}");
            assert!(differences[0].what.contains(told), "{:?}", differences[0]);
        }
    }

    #[test]
    fn counters_that_are_not_the_sums_of_the_units_are_differences() {
        use UnitPlace::*;
        let books =
            books(&[at(1, 3, Fresh), kept(4, Held, 1), at(5, 5, Sold), ordered(5, 2), at(6, 6, Withdrawn)]);
        let right = SkuView {
            sku: sale::Sku::parse("a").unwrap(),
            stock: 5,
            available: 4,
            held: 0,
            sold: 1,
            quarantined: 0,
            withdrawn: 1,
            changes: 0,
            conserved: true,
        };
        assert_eq!(books.sums(&right), [], "a hold whose time is over counts as available");
        let lost = Books::of(&SkuView { stock: 6, ..right.clone() });
        assert!(lost.sums(&right).iter().any(|sum| sum.what.contains("withdrawn, and 7 are found so")));
        for wrong in [
            SkuView { held: 1, ..right.clone() },
            SkuView { sold: 0, ..right.clone() },
            SkuView { quarantined: 1, ..right.clone() },
            SkuView { withdrawn: 0, ..right.clone() },
        ] {
            assert_eq!(books.sums(&wrong).len(), 1, "{wrong:?}");
        }
    }

    #[test]
    fn a_serial_that_cannot_be_is_refused() {
        for (first, last) in [(0, 1), (2, 1), (1, u32::MAX)] {
            assert!(Books::default().note(&at(first, last, UnitPlace::Fresh)).is_err());
        }
    }

    #[test]
    fn what_was_different_in_one_round_only_was_under_way() {
        let difference = |serial| Difference { serial: Some(serial), what: "x".to_owned() };
        let rounds = vec![vec![difference(1), difference(2)], vec![difference(2), difference(3)]];
        assert_eq!(persistent(rounds), [difference(2)]);
    }
}
