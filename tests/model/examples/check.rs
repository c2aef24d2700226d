//! Prints how many states were checked, and for each protection what happens without it.

#![allow(clippy::print_stdout)]

use model::{Bounds, Promise, Protection, Purchase};
use stateright::{Checker, HasDiscoveries, Model};

fn main() {
    let bounds = [
        ("one unit, two shoppers", Bounds::one_unit()),
        ("two units, two shoppers", Bounds::two_units()),
        ("two units, one shopper with two reservations", Bounds::two_wishes()),
        ("one unit, two shoppers with three reservations", Bounds::three_wishes()),
    ];
    for (name, bounds) in bounds {
        let checker = Purchase::new(bounds).checker().threads(2).spawn_bfs().join();
        let broken = Promise::ALL.iter().filter(|promise| checker.discovery(promise.name()).is_some());
        println!("{name}: {} states, {} promises broken", checker.unique_state_count(), broken.count());
    }
    let pairs = [
        (Bounds::one_unit(), [Protection::UnitKey, Protection::MarkAcknowledged]),
        (Bounds::two_wishes(), [Protection::ShopperKey, Protection::MarkAcknowledged]),
    ];
    let pairs = pairs.iter().map(|(bounds, pair)| (bounds.clone(), pair.to_vec()));
    let alone = Protection::ALL.map(|protection| (Bounds::one_unit(), vec![protection]));
    for (bounds, lacking) in alone.into_iter().chain(pairs) {
        explain(bounds, &lacking);
    }
}

/// A short history that breaks a promise: one thread visits the short ones first.
fn explain(bounds: Bounds, lacking: &[Protection]) {
    let purchase = Purchase::without(bounds, lacking);
    let checker = purchase.checker().threads(1).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    println!("\nwithout {lacking:?}");
    let broken =
        Promise::ALL.into_iter().find_map(|promise| Some((promise, checker.discovery(promise.name())?)));
    let Some((promise, path)) = broken else {
        println!("  nothing breaks: other protections stand before this one");
        return;
    };
    let steps: Vec<_> = path.into_actions().iter().map(|step| format!("{step:?}")).collect();
    println!("  {} breaks after {} steps: {}", promise.name(), steps.len(), steps.join(", "));
}
