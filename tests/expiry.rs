//! A hold ends at its time and not before, with nothing else running: these sales are in Redis alone, so
//! the sweep does not know of them.

use std::time::Duration;

use sale::{
    Definition, FindOutcome, RateLimit, ReservationId, ReservationState, ReserveOutcome, ReserveRequest,
    RoomControls, Sale, SaleId, Seed, Shopper, ShopperId, ShopperKind, Sku, Stock,
};

use crate::shop::{new_sale_id, units};
use crate::system::{eventually, shared, soon, stock};

const SKEW_MS: i64 = 500;

/// A sale that only Redis knows.
pub(crate) async fn open_in_redis(stock: &Stock, definition: Definition) -> Sale {
    let id = new_sale_id();
    let room = RoomControls { seed: Some(Seed::from_bytes([7; 32])), ..RoomControls::default() };
    let sale = Sale { epoch: 1, room, ..Sale::new(id.clone(), definition) };
    stock.open(&sale, 1, soon()).await.unwrap();
    stock.change(&sale, soon()).await.unwrap();
    sale
}

/// A wish for one unit by the shopper of this number.
pub(crate) fn wish(sale: &SaleId, number: u8, quantity: u32) -> ReserveRequest {
    ReserveRequest {
        id: ReservationId::from_bytes(rand::random()),
        sale: sale.clone(),
        sku: Sku::parse("unit").unwrap(),
        quantity,
        shopper: Shopper { id: ShopperId::from_bytes([number; 16]), kind: ShopperKind::Account },
        ticket: None,
        rate_limit: RateLimit { quota: 1_000_000, window: Duration::from_secs(10) },
    }
}

#[tokio::test]
async fn the_next_reserve_sells_an_expired_unit_exactly_at_its_time() {
    let stock = stock(&shared());
    let sale = open_in_redis(&stock, Definition { hold_seconds: 10, ..units(1) }).await.id;
    let held = match stock.reserve(&wish(&sale, 1, 1), soon()).await.unwrap().outcome {
        ReserveOutcome::Held(held) => held,
        outcome => panic!("{outcome:?}"),
    };
    let free_at = held.expires_at.as_millisecond() + SKEW_MS;
    let mut refused_at = 0;
    let sold_at = eventually("the resale", async || {
        let answer = stock.reserve(&wish(&sale, 2, 1), soon()).await.unwrap();
        match answer.outcome {
            ReserveOutcome::Held(resold) => {
                assert_eq!(resold.units, held.units);
                Some(answer.now.as_millisecond())
            }
            ReserveOutcome::SoldOut { may_return: true } => {
                refused_at = answer.now.as_millisecond();
                None
            }
            outcome => panic!("{outcome:?}"),
        }
    })
    .await;
    assert!(refused_at < free_at && free_at <= sold_at, "{refused_at} < {free_at} <= {sold_at}");
}

#[tokio::test]
async fn a_hold_can_be_confirmed_until_its_expiry_and_is_told_as_expired_from_then_on() {
    let stock = stock(&shared());
    let sale = open_in_redis(&stock, Definition { hold_seconds: 10, ..units(2) }).await.id;
    let request = wish(&sale, 1, 1);
    let ReserveOutcome::Held(held) = stock.reserve(&request, soon()).await.unwrap().outcome else {
        panic!("the sale has two units")
    };
    let (mut held_at, shopper) = (0, request.shopper.id);
    let expired_at = eventually("the expiry", async || {
        let FindOutcome::Found(found, now) = stock.find(&sale, &held.id, &shopper, soon()).await.unwrap()
        else {
            panic!("an ended reservation leaves its record")
        };
        if found.state == ReservationState::Held {
            held_at = now.as_millisecond();
        }
        (found.state == ReservationState::Expired).then_some(now.as_millisecond())
    })
    .await;
    let expires_at = held.expires_at.as_millisecond();
    assert!(held_at < expires_at && expires_at <= expired_at, "{held_at} < {expires_at} <= {expired_at}");
    let begun = stock.begin(&sale, &held.id, &shopper, None, Duration::from_secs(10), soon()).await.unwrap();
    assert_eq!(begun, sale::BeginOutcome::Expired);
}

#[tokio::test]
async fn the_sweep_frees_what_has_expired_so_that_the_figures_are_true() {
    let stock = stock(&shared());
    let sale = open_in_redis(&stock, Definition { hold_seconds: 10, ..units(30) }).await.id;
    for number in 0..25 {
        stock.reserve(&wish(&sale, number, 1), soon()).await.unwrap();
    }
    assert_eq!(stock.expire(&sale, 10, soon()).await.unwrap().holds, 0, "nothing has expired yet");
    let mut freed = 0;
    eventually("the end of all holds", async || {
        freed += stock.expire(&sale, 10, soon()).await.unwrap().holds;
        (freed == 25).then_some(())
    })
    .await;
    let view = stock.view(&sale, soon()).await.unwrap().unwrap();
    assert_eq!((view.skus[0].available, view.skus[0].held, view.is_conserved()), (30, 0, true));
}
