//! Random histories against the real stock and ledger: whatever happens in whatever order, every unit is in
//! one place.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ledger::{CONFIRM_DEADLINE, ConfirmOutcome};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use sale::{IdempotencyKey, ReleaseOutcome, ReserveOutcome};
use tokio::task::JoinSet;

use crate::expiry::wish;
use crate::journal::agreed;
use crate::shop::{Shop, open_sale, units};
use crate::system::{ledger, soon, stock};

const ACTORS: u8 = 12;
const STEPS: u32 = 60;

/// What one actor has seen.
#[derive(Default)]
struct Seen {
    /// Units in orders that stand.
    ordered: Vec<u32>,
    restocked: u32,
    withdrawn: u32,
}

/// One actor's random doings, a sequence that depends on the seed alone.
async fn act(shop: Arc<Shop>, actor: u8, seed: u64) -> Seen {
    let (stock, ledger) = (stock(&shop.running), ledger(&shop.running));
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed ^ u64::from(actor));
    let mut seen = Seen::default();
    for step in 0..STEPS {
        let shopper_number = random.random_range(0..ACTORS);
        let request = wish(&shop.sale, shopper_number, random.random_range(1..=3));
        let key = IdempotencyKey::parse(&format!("{actor}-{step}")).unwrap();
        match random.random_range(0..10) {
            0 => {
                let quantity = random.random_range(1..=3);
                shop.merchant.restock(&shop.sale, &request.sku, quantity, &key).await.unwrap();
                seen.restocked += quantity;
                continue;
            }
            1 => {
                let quantity = random.random_range(1..=3);
                let answer = shop.merchant.withdraw(&shop.sale, &request.sku, quantity, &key).await.unwrap();
                seen.withdrawn += answer.withdrawn;
                continue;
            }
            _ => {}
        }
        let ReserveOutcome::Held(held) = stock.reserve(&request, soon()).await.unwrap().outcome else {
            continue;
        };
        let (sale, id, shopper) = (&shop.sale, &held.id, &held.shopper);
        match random.random_range(0..6) {
            0 => {
                let released = stock.release(sale, id, shopper, soon()).await.unwrap();
                assert!(matches!(released, ReleaseOutcome::Released(..)));
            }
            1 => {}
            2 => {
                // A confirm that dies after its first step, and is given up by the ledger.
                stock.begin(sale, id, shopper, None, CONFIRM_DEADLINE, soon()).await.unwrap();
                ledger.settle_in_stock(&stock, sale, id, soon()).await.unwrap();
            }
            3 => {
                let confirmed = ledger.confirm(&stock, sale, id, shopper, None, soon()).await.unwrap();
                let ConfirmOutcome::Confirmed(order) = confirmed else { panic!("{confirmed:?}") };
                ledger.cancel(&order.id, order.confirmed_at, soon()).await.unwrap();
                ledger.finish_in_stock(&stock, sale, id, soon()).await.unwrap();
            }
            _ => match ledger.confirm(&stock, sale, id, shopper, None, soon()).await.unwrap() {
                ConfirmOutcome::Confirmed(order) => seen.ordered.extend(order.units),
                outcome => panic!("{outcome:?}"),
            },
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_random_history_of_many_actors_at_once_every_unit_is_in_one_place() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let shop = Arc::new(open_sale(units(120)).await);
    let mut acting = JoinSet::new();
    for actor in 0..ACTORS {
        acting.spawn(act(shop.clone(), actor, seed));
    }
    let seen = acting.join_all().await;
    let report = shop.report().await;
    let sku = &report.skus[0];
    let restocked: u32 = seen.iter().map(|actor| actor.restocked).sum();
    let withdrawn: u32 = seen.iter().map(|actor| actor.withdrawn).sum();
    assert_eq!(sku.stock, 120 + restocked - withdrawn, "{sku:?}");
    let mut orders_of = HashMap::new();
    for unit in seen.iter().flat_map(|actor| &actor.ordered) {
        *orders_of.entry(*unit).or_insert(0) += 1;
    }
    assert!(orders_of.values().all(|count| *count == 1), "a unit is in two orders: {orders_of:?}");
    assert_eq!(sku.sold as usize, orders_of.len());
    let page = shop.merchant.orders(&shop.sale, None).await.unwrap();
    assert_eq!(page.next_cursor, None);
    let in_ledger: HashSet<_> = page
        .orders
        .iter()
        .filter(|order| order.is_confirmed())
        .flat_map(|order| order.units.clone())
        .collect();
    assert_eq!(in_ledger, orders_of.into_keys().collect());
    let journal = agreed(&shop).await;
    assert_eq!(journal["taken_back"], 0);
}
