//! Shoppers who race for fewer units than they want.

use std::collections::HashSet;
use std::sync::Arc;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::shop::{Answer, Shop, open_sale, units};

/// Every shopper reserves at the same instant; the answers, in the order of the quantities.
async fn race(shop: Shop, quantities: Vec<u32>) -> (Shop, Vec<Answer>) {
    let shop = Arc::new(shop);
    let start = Arc::new(Barrier::new(quantities.len()));
    let mut racing = JoinSet::new();
    for (number, (quantity, shopper)) in
        quantities.iter().copied().zip(shop.shoppers(quantities.len())).enumerate()
    {
        let (shop, start) = (shop.clone(), start.clone());
        racing.spawn(async move {
            start.wait().await;
            (number, shop.reserve(&shopper, "wish", quantity).await)
        });
    }
    let mut answers = racing.join_all().await;
    answers.sort_by_key(|(number, _)| *number);
    let Some(shop) = Arc::into_inner(shop) else { panic!("a racer is still running") };
    (shop, answers.into_iter().map(|(_, answer)| answer).collect())
}

/// Units of all holds; fails where one is in two of them.
fn distinct_units(answers: &[Answer]) -> HashSet<u64> {
    let held = answers.iter().filter(|answer| answer.status == 201).flat_map(Answer::units);
    let mut seen = HashSet::new();
    for unit in held {
        assert!(seen.insert(unit), "unit {unit} is in two holds");
    }
    seen
}

#[tokio::test]
async fn two_shoppers_racing_for_the_last_unit_get_one_hold() {
    for _ in 0..20 {
        let (shop, answers) = race(open_sale(units(1)).await, vec![1, 1]).await;
        let mut told: Vec<_> = answers.iter().map(Answer::told).collect();
        told.sort();
        assert_eq!(told, ["201 held", "409 sold-out"]);
        assert_eq!(shop.figures().await, "0/1/0");
    }
}

#[tokio::test]
async fn two_hundred_shoppers_racing_for_fifty_units_get_fifty_holds_and_no_unit_twice() {
    let (shop, answers) = race(open_sale(units(50)).await, vec![1; 200]).await;
    assert_eq!(distinct_units(&answers), (1..=50).collect());
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 201).collect();
    assert_eq!(refused.len(), 150);
    for answer in &refused {
        assert_eq!(answer.told(), "409 sold-out", "{}", answer.text);
    }
    // Nothing is sold yet, so everybody is told that units may return.
    assert!(refused.iter().all(|answer| answer.body["may_return"] == true));
    assert_eq!(shop.figures().await, "0/50/0");
}

#[tokio::test]
async fn whatever_quantities_are_wanted_at_once_no_unit_is_in_two_holds_and_none_is_left_needlessly() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let quantities: Vec<u32> = (0..80).map(|_| random.random_range(1..=10)).collect();
    let (shop, answers) = race(open_sale(units(200)).await, quantities.clone()).await;
    let held = distinct_units(&answers).len();
    let left = 200 - held;
    assert_eq!(shop.figures().await, format!("{left}/{held}/0"));
    for (answer, quantity) in answers.iter().zip(quantities) {
        match answer.status {
            201 => assert_eq!(answer.units().len(), quantity as usize, "a hold is whole or none"),
            _ => assert!(left < quantity as usize, "{quantity} were refused while {left} are left"),
        }
    }
}
