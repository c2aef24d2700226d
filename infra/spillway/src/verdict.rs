//! What a rush proves: every promise, held against what the crowd was told, what the ledger says and
//! what Redis says.

use std::collections::{HashMap, HashSet};

use crate::visit::Visit;
use api::{OrderAnswer, Report};

/// Examples of one broken promise that are told; the rest is counted.
const EXAMPLES_MAX: usize = 5;

/// Everything that is known after a rush. No hold has expired by then.
pub(crate) struct Evidence<'a> {
    pub(crate) visits: &'a [Visit],
    pub(crate) orders: &'a [OrderAnswer],
    pub(crate) report: &'a Report,
    pub(crate) stock: u32,
    pub(crate) limit: usize,
}

impl Evidence<'_> {
    /// Every acknowledged hold that was not kept, in words: refused at its confirm, or of a unit that somebody else
    /// was given, too.
    pub(crate) fn broken_holds(&self) -> Vec<String> {
        [self.holds_given_twice(), self.lost_holds()].concat()
    }

    /// Every other promise that was broken, in words; empty when all were kept.
    pub(crate) fn broken_promises(&self) -> Vec<String> {
        [
            self.oversold(),
            self.lost_orders(),
            self.shoppers_over_the_limit(),
            self.contradictions(),
            self.figures_that_do_not_add_up(),
            self.places_given_twice(),
            self.overtaken(),
        ]
        .into_iter()
        .flat_map(shortened)
        .collect()
    }

    fn units(&self) -> impl Iterator<Item = u32> + '_ {
        let confirmed = self.orders.iter().filter(|order| order.is_confirmed());
        confirmed.flat_map(|order| order.units.iter().copied())
    }

    fn oversold(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut sold = HashSet::new();
        for unit in self.units() {
            if !sold.insert(unit) {
                faults.push(format!("unit {unit} is sold twice"));
            }
            if !(1..=self.stock).contains(&unit) {
                faults.push(format!("unit {unit} is sold and is none of 1 to {}", self.stock));
            }
        }
        faults
    }

    fn lost_orders(&self) -> Vec<String> {
        let standing: HashSet<_> =
            self.orders.iter().filter(|order| order.is_confirmed()).map(|order| order.id).collect();
        let acknowledged = self.visits.iter().filter_map(|visit| visit.order);
        let lost = acknowledged.filter(|order| !standing.contains(order));
        lost.map(|order| format!("order {order} was acknowledged and is not in the ledger")).collect()
    }

    fn places_given_twice(&self) -> Vec<String> {
        let mut given = HashSet::new();
        let numbers = self.visits.iter().filter_map(|visit| visit.number);
        numbers
            .filter(|number| !given.insert(*number))
            .map(|number| format!("number {number} was given twice"))
            .collect()
    }

    /// Who came in their turn and went without, while somebody behind them got a unit. Lots are not looked at: two may have the
    /// same place, and one of them find nothing. The size of the lobby is an estimate: where there are more lots than places,
    /// as many with a number may find nothing, too.
    fn overtaken(&self) -> Vec<String> {
        let called = || self.visits.iter().filter_map(|visit| Some((visit, visit.place?)));
        let last = called().filter(|(visit, _)| !visit.holds.is_empty()).map(|(_, place)| place).max();
        let lots = called().filter(|(visit, _)| visit.number.is_none()).count();
        let lobby = called().find_map(|(visit, place)| place.checked_sub(visit.number?)).unwrap_or(0);
        let more_than_places = lots.saturating_sub(usize::try_from(lobby).unwrap_or(usize::MAX));
        called()
            .filter(|(visit, place)| visit.number.is_some() && Some(*place) < last)
            .filter_map(|(visit, place)| Some((place, visit.refusal.as_deref()?)))
            // A greedy shopper's second wish may have come before the first.
            .filter(|(_, refusal)| ["sold-out", "ticket-expired"].contains(refusal))
            .skip(more_than_places)
            .map(|(place, refusal)| format!("place {place} went without ({refusal}), and one behind did not"))
            .collect()
    }

    fn holds_given_twice(&self) -> Vec<String> {
        let mut holders = HashMap::new();
        let mut faults = Vec::new();
        for hold in self.visits.iter().flat_map(|visit| &visit.holds) {
            for unit in &hold.units {
                if holders.insert(*unit, hold.id).is_some_and(|other| other != hold.id) {
                    faults.push(format!("unit {unit} was held for two shoppers"));
                }
            }
        }
        faults
    }

    fn lost_holds(&self) -> Vec<String> {
        self.visits.iter().flat_map(|visit| visit.lost_holds.clone()).collect()
    }

    fn shoppers_over_the_limit(&self) -> Vec<String> {
        let units = |visit: &Visit| visit.holds.iter().map(|hold| hold.units.len()).sum::<usize>();
        let over = self.visits.iter().map(units).filter(|units| *units > self.limit);
        over.map(|units| format!("one shopper holds {units} units, and may have {}", self.limit)).collect()
    }

    fn contradictions(&self) -> Vec<String> {
        self.visits.iter().flat_map(|visit| visit.contradictions.clone()).collect()
    }

    fn figures_that_do_not_add_up(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if !self.report.conserved {
            faults.push("Redis's figures do not add up to the stock".to_owned());
        }
        // The unit of a hold that was lost may be in somebody else's order and be held still; and its confirm waits for
        // another one until the hold's time is over. An audit tells more.
        let is_every_hold_kept = self.broken_holds().is_empty();
        if self.report.unsettled > 0 && is_every_hold_kept {
            faults.push(format!("{} confirms are still unsettled", self.report.unsettled));
        }
        let in_redis: u64 = self.report.skus.iter().map(|sku| u64::from(sku.sold)).sum();
        let in_ledger = self.units().count() as u64;
        if in_redis != in_ledger && is_every_hold_kept {
            faults.push(format!("Redis says {in_redis} sold, the ledger {in_ledger}"));
        }
        faults
    }
}

/// Some examples, and how many more there are.
pub(crate) fn shortened(mut faults: Vec<String>) -> Vec<String> {
    let more = faults.len().saturating_sub(EXAMPLES_MAX);
    faults.truncate(EXAMPLES_MAX);
    if more > 0 {
        faults.push(format!("… and {more} more of this kind"));
    }
    faults
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use sale::ReservationId;
    use serde_json::json;

    use super::*;
    use crate::visit::Hold;

    fn order(number: u8, units: &[u32]) -> OrderAnswer {
        let id = ReservationId::from_bytes([number; 16]);
        serde_json::from_value(json!({
            "id": id.order(), "sale": "s", "reservation_id": id, "sku": "k", "quantity": units.len(), "units": units,
            "state": "confirmed", "price_minor": 1, "total_minor": 1, "currency": "EUR",
            "confirmed_at": "2026-01-01T00:00:00Z", "cancelled_at": null
        }))
        .unwrap()
    }

    fn report(sold: u32) -> Report {
        serde_json::from_value(json!({
            "sale": "s", "state": "open", "server_time": "2026-01-01T00:00:00Z", "epoch": 1, "conserved": true,
            "unsettled": 0, "skus": [{"sku": "k", "stock": 10, "available": 10 - sold, "held": 0, "sold": sold,
            "quarantined": 0, "withdrawn": 0, "changes": 0, "conserved": true}]
        }))
        .unwrap()
    }

    fn visit(number: u8, units: &[u32]) -> Visit {
        let id = ReservationId::from_bytes([number; 16]);
        Visit {
            holds: vec![Hold { id, units: units.to_vec(), receipt: None }],
            order: Some(id.order()),
            ..Visit::default()
        }
    }

    fn broken(visits: &[Visit], orders: &[OrderAnswer], report: &Report) -> String {
        let evidence = Evidence { visits, orders, report, stock: 10, limit: 1 };
        [evidence.broken_promises(), evidence.broken_holds()].concat().join("\n")
    }

    #[test]
    fn two_shoppers_with_a_unit_each_break_no_promise() {
        let visits = [visit(1, &[1]), visit(2, &[2])];
        assert_eq!(broken(&visits, &[order(1, &[1]), order(2, &[2])], &report(2)), "");
    }

    #[test]
    fn each_broken_promise_is_named() {
        let visits = [visit(1, &[1]), visit(2, &[2])];
        let good = [order(1, &[1]), order(2, &[2])];
        for (visits, orders, report, fault) in [
            (&visits[..], &[order(1, &[1]), order(2, &[1])][..], report(2), "sold twice"),
            (&visits[..], &[order(1, &[1]), order(2, &[11])][..], report(2), "none of 1 to 10"),
            (&visits[..], &good[..1], report(1), "not in the ledger"),
            (&[visit(1, &[1]), visit(2, &[1])][..], &good[..], report(2), "held for two shoppers"),
            (&[visit(1, &[1, 2])][..], &good[..], report(2), "may have 1"),
            (&visits[..], &good[..], report(3), "Redis says 3 sold, the ledger 2"),
            (&visits[..], &good[..], Report { conserved: false, ..report(2) }, "do not add up"),
            (&visits[..], &good[..], Report { unsettled: 1, ..report(2) }, "unsettled"),
            (
                &[Visit { contradictions: vec!["was done twice".to_owned()], ..visit(1, &[1]) }][..],
                &good[..],
                report(2),
                "was done twice",
            ),
            (
                &[Visit { lost_holds: vec!["was refused".to_owned()], ..visit(1, &[1]) }][..],
                &good[..],
                report(2),
                "was refused",
            ),
        ] {
            let text = broken(visits, orders, &report);
            assert!(text.contains(fault) && text.lines().count() == 1, "{fault}: {text}");
        }
    }

    #[test]
    fn who_came_in_turn_and_went_without_before_a_holder_was_overtaken() {
        let waits = |place, refusal: Option<&str>| Visit {
            number: Some(place),
            place: Some(place),
            refusal: refusal.map(str::to_owned),
            ..Visit::default()
        };
        let holds = |place| Visit { number: Some(place), place: Some(place), ..visit(1, &[1]) };
        let orders = [order(1, &[1])];
        for (visits, fault) in [
            ([holds(1), waits(2, Some("sold-out"))], ""),
            ([waits(1, Some("limit-reached")), holds(2)], ""),
            ([waits(1, Some("sold-out")), holds(2)], "place 1 went without (sold-out)"),
            ([waits(1, Some("ticket-expired")), holds(2)], "place 1 went without (ticket-expired)"),
            ([waits(2, None), holds(2)], "number 2 was given twice"),
        ] {
            let text = broken(&visits, &orders, &report(1));
            assert!(text.starts_with(fault) && text.is_empty() == fault.is_empty(), "{fault}: {text}");
        }
    }

    #[test]
    fn where_more_have_drawn_a_lot_than_the_lobby_has_places_as_many_with_a_number_may_find_nothing() {
        let at = |place, visit| Visit { place: Some(place), ..visit };
        let numbered = |number, visit| Visit { number: Some(number), ..at(2 + number, visit) };
        let gone = || Visit { refusal: Some("sold-out".to_owned()), ..Visit::default() };
        let orders = [order(1, &[1]), order(2, &[2]), order(3, &[3]), order(4, &[4])];
        for (third_lot, overtaken) in [(Some(1), ""), (None, "place 3 went without")] {
            let mut visits = vec![at(1, visit(1, &[1])), at(2, visit(2, &[2])), numbered(1, gone())];
            visits.push(numbered(2, visit(4, &[4])));
            visits.push(Visit { place: third_lot, ..visit(3, &[3]) });
            let text = broken(&visits, &orders, &report(4));
            assert!(text.starts_with(overtaken) && text.is_empty() == overtaken.is_empty(), "{text}");
        }
    }
}
