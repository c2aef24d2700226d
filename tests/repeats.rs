//! Repeating is safe: the same request again, at once or later, is done once.

use std::sync::Arc;
use std::time::Duration;

use sale::ReserveOutcome;
use sentinel::Value;
use spillway::{Signal, signal};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::expiry::wish;
use crate::shop::{Answer, Shop, open_sale, units};
use crate::system::{command, command_of_bytes, eventually, soon};
use crate::takeover_parts::Alone;

const TIMES: usize = 16;

/// The same request from many tasks at one instant.
async fn at_once<F>(shop: &Arc<Shop>, request: impl Fn(Arc<Shop>) -> F) -> Vec<Answer>
where
    F: Future<Output = Answer> + Send + 'static,
{
    let start = Arc::new(Barrier::new(TIMES));
    let mut asking = JoinSet::new();
    for _ in 0..TIMES {
        let (start, request) = (start.clone(), request(shop.clone()));
        asking.spawn(async move {
            start.wait().await;
            request.await
        });
    }
    asking.join_all().await
}

fn count(answers: &[Answer], told: &str) -> usize {
    answers.iter().filter(|answer| answer.told() == told).count()
}

#[tokio::test]
async fn one_wish_sent_sixteen_times_at_once_is_one_hold_and_one_order() {
    let shop = Arc::new(open_sale(units(20)).await);
    let ann = shop.shopper("ann");
    let shopper = ann.clone();
    let holds = at_once(&shop, move |shop| {
        let shopper = shopper.clone();
        async move { shop.reserve(&shopper, "wish", 2).await }
    })
    .await;
    assert_eq!((count(&holds, "201 held"), count(&holds, "200 held")), (1, TIMES - 1));
    let id = holds[0].field("id").to_owned();
    assert!(holds.iter().all(|hold| hold.field("id") == id && hold.units() == holds[0].units()));
    assert_eq!(shop.figures().await, "18/2/0");

    let wanted = id.clone();
    let orders = at_once(&shop, move |shop| {
        let (shopper, id) = (ann.clone(), wanted.clone());
        async move { shop.confirm(&shopper, &id).await }
    })
    .await;
    assert_eq!((count(&orders, "201 confirmed"), count(&orders, "200 confirmed")), (1, TIMES - 1));
    assert!(orders.iter().all(|order| order.body == orders[0].body));
    assert_eq!(shop.figures().await, "18/0/2");
}

#[tokio::test]
async fn a_key_with_another_content_is_refused_and_changes_nothing() {
    let shop = open_sale(units(20)).await;
    let ann = shop.shopper("ann");
    shop.hold(&ann, "wish").await;
    assert_eq!(shop.reserve(&ann, "wish", 2).await.told(), "422 idempotency-key-reused");
    assert_eq!(shop.figures().await, "19/1/0");
    assert_eq!(shop.reserve(&ann, "wish", 1).await.told(), "200 held", "the first wish stands");
}

#[tokio::test]
async fn a_key_belongs_to_its_shopper() {
    let shop = open_sale(units(20)).await;
    let (ann, ben) = (shop.shopper("ann"), shop.shopper("ben"));
    assert_ne!(shop.hold(&ann, "wish").await, shop.hold(&ben, "wish").await);
    assert_ne!(shop.hold(&ann, "another").await, shop.hold(&ben, "another").await);
}

#[tokio::test]
async fn whoever_lost_the_answer_finds_the_same_hold_by_repeating() {
    let shop = open_sale(units(50)).await;
    for number in 0..20 {
        let shopper = shop.shopper(&number.to_string());
        // Given up somewhere between the connect and the answer.
        let _ = shop.wish(&shopper, "wish", 1).timeout(Duration::from_micros(300 * number)).send().await;
        assert!([200, 201].contains(&shop.reserve(&shopper, "wish", 1).await.status));
    }
    assert_eq!(shop.figures().await, "30/20/0");
}

#[tokio::test]
async fn a_release_and_a_confirm_at_once_end_in_one_of_the_two() {
    let shop = Arc::new(open_sale(units(40)).await);
    let mut orders = 0;
    for number in 0..20 {
        let shopper = shop.shopper(&number.to_string());
        let id = shop.hold(&shopper, "wish").await;
        let (confirm, release) = tokio::join!(shop.confirm(&shopper, &id), shop.release(&shopper, &id));
        let told = (confirm.told(), release.told());
        match (told.0.as_str(), told.1.as_str()) {
            ("201 confirmed", "409 confirm-in-progress" | "409 already-ordered") => orders += 1,
            ("410 reservation-released", "200 released") => {}
            _ => panic!("{told:?}"),
        }
    }
    assert_eq!(shop.figures().await, format!("{}/0/{orders}", 40 - orders));
}

/// What sets Redis back to what it is now, in one step: the arguments of `EVAL`.
async fn memory(alone: &Alone) -> Vec<Vec<u8>> {
    const SET_BACK: &str = "for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('DEL', key) end \
        for at = 1, #ARGV, 2 do redis.call('RESTORE', ARGV[at], 0, ARGV[at + 1]) end";
    let mut arguments = vec![SET_BACK.into(), b"0".to_vec()];
    let Value::Array(keys) = command(&alone.redis, "KEYS", &["*"]).await else { panic!("no list") };
    for key in keys {
        let Value::Bytes(key) = key else { panic!("no key") };
        if let Value::Bytes(value) = command_of_bytes(&alone.redis, "DUMP", &[&key]).await {
            arguments.extend([key, value]);
        }
    }
    arguments
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_wish_sent_twice_one_is_told_that_it_made_the_hold_also_where_its_first_attempt_was_lost() {
    let alone = Arc::new(Alone::with("repeats-lost", units(5)).await);
    let request = wish(&alone.id, 1, 1);
    let reserve = || {
        let (alone, request) = (alone.clone(), request.clone());
        tokio::spawn(async move { alone.stock.reserve(&request, soon()).await.unwrap().outcome })
    };
    let is_held = async || (alone.figures().await == "4/1/0/0").then_some(());
    let memory = memory(&alone).await;
    let replicas = alone.replicas().await;
    let send = |what: Signal| {
        for replica in &replicas {
            signal(*replica, what);
        }
    };
    // Until they go on, each attempt is made at the master and tried again.
    send(Signal::STOP);
    let first = reserve();
    eventually("the first hold", is_held).await;
    let memory: Vec<_> = memory.iter().map(Vec::as_slice).collect();
    command_of_bytes(&alone.redis, "EVAL", &memory).await;
    let second = reserve();
    eventually("the second hold", is_held).await;
    send(Signal::CONT);
    let outcomes = [first.await.unwrap(), second.await.unwrap()];
    let made = outcomes.iter().filter(|outcome| matches!(outcome, ReserveOutcome::Held(_))).count();
    assert_eq!(made, 1, "{outcomes:?}");
    assert!(outcomes.iter().any(|outcome| matches!(outcome, ReserveOutcome::Repeated(_))), "{outcomes:?}");
}
