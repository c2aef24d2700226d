//! What the model proves, and what each protection is for.

#![allow(clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet};

use model::{Bounds, Promise, Promotion, Protection, Purchase};
use stateright::{Checker, HasDiscoveries, Model};

/// The promises that break somewhere, after all states were visited.
fn broken(purchase: Purchase) -> BTreeSet<&'static str> {
    let checker = purchase.checker().threads(2).spawn_bfs().join();
    assert!(checker.is_done());
    let mut found: BTreeSet<_> = checker.discoveries().into_keys().collect();
    assert!(found.remove("something is sold"), "a model in which nothing happens proves nothing");
    println!("{} states, broken: {found:?}", checker.unique_state_count());
    found
}

/// Whether this promise breaks without these protections.
fn breaks(bounds: Bounds, protections: &[Protection], promise: Promise) -> bool {
    let sought = HasDiscoveries::AnyOf(BTreeSet::from([promise.name()]));
    let purchase = Purchase::without(bounds, protections);
    let checker = purchase.checker().threads(2).finish_when(sought).spawn_bfs().join();
    checker.discovery(promise.name()).is_some()
}

#[test]
fn every_promise_holds_in_every_history() {
    for bounds in [Bounds::one_unit(), Bounds::two_units(), Bounds::two_wishes(), Bounds::three_wishes()] {
        assert_eq!(broken(Purchase::new(bounds.clone())), BTreeSet::new(), "{bounds:?}");
    }
}

#[test]
fn two_failovers_in_a_row_and_two_crashes_break_nothing_either() {
    let bounds = Bounds { failovers: 2, crashes: 2, ..Bounds::one_unit() };
    assert_eq!(broken(Purchase::new(bounds)), BTreeSet::new());
}

#[test]
fn a_failover_by_hand_to_the_replica_that_is_behind_can_break_a_hold_and_nothing_else() {
    let purchase = Purchase { promotion: Promotion::Any, ..Purchase::new(Bounds::one_unit()) };
    assert_eq!(broken(purchase), BTreeSet::from([Promise::HoldKept.name()]));
}

#[test]
fn each_protection_of_a_hold_is_needed() {
    let needed = BTreeMap::from([
        (Protection::HoldAcknowledged, Promise::HoldKept),
        (Protection::MarkAcknowledged, Promise::HoldKept),
        (Protection::Tombstone, Promise::HoldKept),
        (Protection::Quarantine, Promise::HoldKept),
        (Protection::Receipt, Promise::HoldKept),
        (Protection::Fence, Promise::HoldKept),
        (Protection::SecondReading, Promise::HoldKept),
        (Protection::OrderKey, Promise::HoldKept),
    ]);
    for (protection, promise) in needed {
        assert!(breaks(Bounds::one_unit(), &[protection], promise), "{protection:?}, {promise:?}");
    }
}

#[test]
fn reconciliation_finds_what_a_failover_by_hand_made_redis_forget_and_is_needed_after_no_other() {
    let by_hand = |protections: &[Protection]| Purchase {
        promotion: Promotion::Any,
        ..Purchase::without(Bounds::one_unit(), protections)
    };
    let without = broken(by_hand(&[Protection::Reconciliation]));
    assert!(without.contains(Promise::NeverUndersold.name()), "{without:?}");
    let not_by_hand = Purchase::without(Bounds::one_unit(), &[Protection::Reconciliation]);
    assert_eq!(broken(not_by_hand), BTreeSet::new());
}

#[test]
fn the_key_of_a_unit_stands_alone_between_any_other_failure_and_an_oversold_sale() {
    let others = [
        Protection::HoldAcknowledged,
        Protection::MarkAcknowledged,
        Protection::Tombstone,
        Protection::Quarantine,
        Protection::Fence,
    ];
    for other in others {
        let both = [Protection::UnitKey, other];
        assert!(breaks(Bounds::one_unit(), &both, Promise::NeverOversold), "{both:?}");
        assert!(!breaks(Bounds::one_unit(), &[other], Promise::NeverOversold), "{other:?}");
    }
    assert_eq!(broken(Purchase::without(Bounds::one_unit(), &[Protection::UnitKey])), BTreeSet::new());
}

#[test]
fn the_key_of_a_shopper_stands_alone_between_any_other_failure_and_a_broken_limit() {
    let others =
        [Protection::MarkAcknowledged, Protection::Tombstone, Protection::Quarantine, Protection::Fence];
    for other in others {
        let both = [Protection::ShopperKey, other];
        assert!(breaks(Bounds::two_wishes(), &both, Promise::LimitKept), "{both:?}");
        assert!(!breaks(Bounds::two_wishes(), &[other], Promise::LimitKept), "{other:?}");
    }
    assert_eq!(broken(Purchase::without(Bounds::two_wishes(), &[Protection::ShopperKey])), BTreeSet::new());
}
