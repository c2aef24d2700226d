//! The life of a reservation: every state, and in each of them every request of its shopper.

use ledger::CONFIRM_DEADLINE;
use reqwest::Method;
use sale::ReservationState as State;
use sale::{BeginOutcome, Definition, ReservationId};

use crate::shop::{Answer, Shop, Shopper, open_sale, units};
use crate::system::{eventually, soon, stock};

const KEY: &str = "wish";

/// What a shopper can ask, and what is told in some state: the wish again, find, release, confirm.
const EXPECTED: [(State, [&str; 4]); 6] = [
    (State::Held, ["200 held", "200 held", "200 released", "201 confirmed"]),
    (State::Confirming, ["200 confirming", "200 confirming", "409 confirm-in-progress", "201 confirmed"]),
    (State::Ordered, ["200 ordered", "200 ordered", "409 already-ordered", "200 confirmed"]),
    (
        State::Released,
        ["410 reservation-released", "200 released", "200 released", "410 reservation-released"],
    ),
    (
        State::Expired,
        ["410 reservation-expired", "200 expired", "410 reservation-expired", "410 reservation-expired"],
    ),
    (
        State::Cancelled,
        ["409 order-cancelled", "200 cancelled", "409 order-cancelled", "409 order-cancelled"],
    ),
];

/// Brings a new reservation into a state.
async fn reach(state: State, shop: &Shop, name: &str) -> (Shopper, String) {
    let shopper = shop.shopper(name);
    let id = shop.hold(&shopper, KEY).await;
    match state {
        State::Held => {}
        State::Confirming => begin(shop, name, &id).await,
        State::Ordered => assert_eq!(shop.confirm(&shopper, &id).await.told(), "201 confirmed"),
        State::Released => assert_eq!(shop.release(&shopper, &id).await.told(), "200 released"),
        State::Expired => {
            let expired = async || (shop.find(&shopper, &id).await.told() == "200 expired").then_some(());
            eventually("the expiry", expired).await;
        }
        State::Cancelled => {
            let order = shop.confirm(&shopper, &id).await;
            assert_eq!(shop.cancel(order.field("id")).await.told(), "200 cancelled");
        }
    }
    (shopper, id)
}

/// The first step of a confirm, whose other steps never come.
async fn begin(shop: &Shop, name: &str, id: &str) {
    let shopper = shop.shopper_id(name);
    let id = ReservationId::parse(id).unwrap();
    let begun =
        stock(&shop.running).begin(&shop.sale, &id, &shopper, None, CONFIRM_DEADLINE, soon()).await.unwrap();
    assert!(matches!(begun, BeginOutcome::Begun(_)), "{begun:?}");
}

async fn ask(request: usize, shop: &Shop, shopper: &Shopper, id: &str) -> Answer {
    match request {
        0 => shop.reserve(shopper, KEY, 1).await,
        1 => shop.find(shopper, id).await,
        2 => shop.release(shopper, id).await,
        _ => shop.confirm(shopper, id).await,
    }
}

async fn check(states: &[State], terms: Definition) {
    let shop = open_sale(terms).await;
    for (state, told) in EXPECTED.iter().filter(|(state, _)| states.contains(state)) {
        let names: Vec<_> = (0..told.len()).map(|request| format!("{state:?}-{request}")).collect();
        let mut reached = Vec::new();
        for name in &names {
            reached.push(reach(*state, &shop, name).await);
        }
        for (request, ((shopper, id), told)) in reached.iter().zip(told).enumerate() {
            // Twice: a repeat must not get another state than the first time left behind.
            let first = ask(request, &shop, shopper, id).await;
            assert_eq!(first.told(), *told, "{state:?}, request {request}: {}", first.text);
            let again = ask(request, &shop, shopper, id).await;
            assert_eq!(again.told(), told.replace("201 confirmed", "200 confirmed"), "{state:?}, {request}");
        }
    }
    shop.report().await;
}

#[tokio::test]
async fn every_request_in_every_lasting_state_of_a_reservation_gets_its_own_answer() {
    use State::{Cancelled, Confirming, Held, Ordered, Released};
    check(&[Held, Confirming, Ordered, Released, Cancelled], units(50)).await;
}

#[tokio::test]
async fn every_request_for_an_expired_reservation_is_told_that_it_expired() {
    check(&[State::Expired], Definition { hold_seconds: 10, ..units(50) }).await;
}

#[tokio::test]
async fn a_hold_tells_everything_that_its_shopper_needs() {
    let shop = open_sale(units(5)).await;
    let shopper = shop.shopper("ann");
    let held = shop.reserve(&shopper, KEY, 2).await;
    assert_eq!(held.told(), "201 held");
    let place = shop.path(&format!("/reservations/{}", held.field("id")));
    assert_eq!(held.header("location"), place);
    assert_eq!(held.header("cache-control"), "no-store");
    assert_eq!(held.units(), [1, 2]);
    assert_eq!(held.body["total_minor"], 2 * 1_999);
    assert_eq!(held.field("currency"), "EUR");
    assert!(
        held.field("receipt").split('.').count() == 3 && held.field("expires_at") > held.field("server_time")
    );
    let order = shop.confirm(&shopper, held.field("id")).await;
    assert_eq!(order.header("location"), format!("/orders/{}", order.field("id")));
    assert_eq!(order.units(), [1, 2]);
    assert_eq!(order.field("reservation_id"), held.field("id"));
    assert_eq!(shop.order(&shopper, order.field("id")).await.body, order.body);
}

#[tokio::test]
async fn a_released_unit_and_a_cancelled_order_s_unit_are_sold_again() {
    let shop = open_sale(units(1)).await;
    let (ann, ben, cem) = (shop.shopper("ann"), shop.shopper("ben"), shop.shopper("cem"));
    let first = shop.hold(&ann, KEY).await;
    assert_eq!(shop.reserve(&ben, "early", 1).await.told(), "409 sold-out");
    shop.release(&ann, &first).await;
    let second = shop.hold(&ben, KEY).await;
    let order = shop.confirm(&ben, &second).await;
    let sold_out = shop.reserve(&cem, "early", 1).await;
    assert_eq!((sold_out.told().as_str(), &sold_out.body["may_return"]), ("409 sold-out", &false.into()));
    assert_eq!(shop.cancel(order.field("id")).await.told(), "200 cancelled");
    let third = shop.hold(&cem, KEY).await;
    assert_eq!(shop.confirm(&cem, &third).await.told(), "201 confirmed");
    assert_eq!(shop.figures().await, "0/0/1");
}

#[tokio::test]
async fn closing_a_sale_ends_new_holds_only() {
    let shop = open_sale(units(5)).await;
    let shopper = shop.shopper("ann");
    let (kept, given_back) = (shop.hold(&shopper, "a").await, shop.hold(&shopper, "b").await);
    shop.merchant.change(&shop.sale, "pause").await.unwrap();
    assert_eq!(shop.reserve(&shopper, "c", 1).await.told(), "409 sale-paused");
    shop.merchant.change(&shop.sale, "close").await.unwrap();
    assert_eq!(shop.reserve(&shopper, "c", 1).await.told(), "410 sale-ended");
    assert_eq!(shop.reserve(&shopper, "a", 1).await.told(), "200 held", "a repeat is not a new hold");
    assert_eq!(shop.find(&shopper, &kept).await.told(), "200 held");
    assert_eq!(shop.release(&shopper, &given_back).await.told(), "200 released");
    assert_eq!(shop.confirm(&shopper, &kept).await.told(), "201 confirmed");
    assert_eq!(shop.admin(Method::GET, &format!("/sales/{}", shop.sale)).send().await.unwrap().status(), 200);
}
