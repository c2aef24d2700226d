//! The rules of the waiting room, in Redis alone: who gets which place. What comes of it, `turns.rs` says.

use std::collections::HashSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sale::{
    Definition, Draw, JoinOutcome, RateLimit, ReserveOutcome, ReserveRequest, RoomState, RoomView, Sale,
    Shopper, ShopperId, ShopperKind, Stock, Ticket, Turn, TurnOutcome, WaitingRoom,
};
use tokio::task::JoinSet;

use crate::expiry::{open_in_redis, wish};
use crate::shop::units;
use crate::system::{command, eventually, redis, shared, soon, stock};

/// So many units, and a waiting room whose turns last a second.
pub(crate) fn room(stock: u32, rate_per_minute: u32) -> Definition {
    let room = WaitingRoom { lobby_opens_at: None, rate_per_minute, turn_seconds: 1 };
    Definition { waiting_room: Some(room), limit_per_shopper: 2, ..units(stock) }
}

/// Units for more turns than a test takes, which last as long as it may.
pub(crate) fn patient_room(stock: u32, rate_per_minute: u32) -> Definition {
    let room = WaitingRoom { lobby_opens_at: None, rate_per_minute, turn_seconds: 600 };
    Definition { waiting_room: Some(room), ..room_terms(stock) }
}

fn room_terms(stock: u32) -> Definition {
    Definition { limit_per_shopper: 2, ..units(stock) }
}

pub(crate) fn shopper(number: u8) -> Shopper {
    Shopper { id: ShopperId::from_bytes([number; 16]), kind: ShopperKind::Account }
}

pub(crate) async fn join(stock: &Stock, sale: &Sale, number: u8) -> JoinOutcome {
    let limit = RateLimit { quota: 1_000_000, window: Duration::from_secs(10) };
    stock.join(&sale.id, &shopper(number), limit, soon()).await.unwrap().outcome
}

pub(crate) async fn ticket(stock: &Stock, sale: &Sale, number: u8) -> Ticket {
    match join(stock, sale, number).await {
        JoinOutcome::Joined(ticket) => ticket,
        outcome => panic!("{outcome:?}"),
    }
}

/// The tickets of shoppers 1 to `count`, who come in this order.
pub(crate) async fn tickets(stock: &Stock, sale: &Sale, count: u8) -> Vec<Ticket> {
    let mut tickets = Vec::new();
    for number in 1..=count {
        tickets.push(ticket(stock, sale, number).await);
    }
    tickets
}

pub(crate) async fn reserve(stock: &Stock, ticket: &Ticket, number: u8) -> ReserveOutcome {
    let request = ReserveRequest { ticket: Some(ticket.clone()), ..wish(&ticket.sale, number, 1) };
    stock.reserve(&request, soon()).await.unwrap().outcome
}

pub(crate) async fn turn(stock: &Stock, ticket: &Ticket) -> Turn {
    match stock.turn(ticket, soon()).await.unwrap() {
        TurnOutcome::Turn(turn) => turn,
        outcome => panic!("{outcome:?}"),
    }
}

pub(crate) async fn view(stock: &Stock, sale: &Sale) -> (Timestamp, RoomView) {
    let view = stock.view(&sale.id, soon()).await.unwrap().unwrap();
    (view.now, view.waiting_room.unwrap())
}

/// The hold by this ticket once its turn has come.
pub(crate) async fn hold(stock: &Stock, ticket: &Ticket, number: u8) -> sale::Reservation {
    eventually("the turn", async || match reserve(stock, ticket, number).await {
        ReserveOutcome::Held(held) => Some(held),
        ReserveOutcome::NotYourTurn { .. } => None,
        outcome => panic!("{outcome:?}"),
    })
    .await
}

#[tokio::test]
async fn tickets_are_numbered_as_they_come_and_served_in_that_order() {
    let stock = stock(&shared());
    let sale = open_in_redis(&stock, patient_room(50, 600)).await;
    let tickets = tickets(&stock, &sale, 5).await;
    let numbers: Vec<_> = tickets.iter().map(|ticket| ticket.number.unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    // The last one asks first, round after round: once somebody is served, so is everybody before.
    let mut held = HashSet::<u8>::new();
    while held.len() < 5 {
        let mut is_behind_served = false;
        for number in (1..=5).rev().filter(|number| !held.contains(number)).collect::<Vec<_>>() {
            match reserve(&stock, &tickets[usize::from(number) - 1], number).await {
                ReserveOutcome::Held(_) => {
                    held.insert(number);
                    is_behind_served = true;
                }
                ReserveOutcome::NotYourTurn { place, ahead } => {
                    assert!(!is_behind_served, "{number} waits, and somebody behind does not");
                    assert_eq!(place, u64::from(number));
                    assert!(ahead < place);
                }
                outcome => panic!("{outcome:?}"),
            }
        }
    }
}

#[tokio::test]
async fn many_who_come_at_once_have_a_place_each() {
    let stock = stock(&shared());
    let sale = open_in_redis(&stock, patient_room(50, 600)).await;
    let mut joining = JoinSet::new();
    for number in 0..200 {
        let (stock, sale) = (stock.clone(), sale.clone());
        joining.spawn(async move { ticket(&stock, &sale, number).await.number.unwrap() });
    }
    let numbers: HashSet<_> = joining.join_all().await.into_iter().collect();
    assert_eq!(numbers, (1..=200).collect());
}

#[tokio::test]
async fn another_ticket_of_the_same_shopper_is_a_later_place_and_nobody_is_served_twice_for_it() {
    let stock = stock(&shared());
    let sale = open_in_redis(&stock, patient_room(50, 60_000)).await;
    let first = ticket(&stock, &sale, 1).await;
    let second = ticket(&stock, &sale, 1).await;
    assert_eq!((first.number, second.number), (Some(1), Some(2)));
    hold(&stock, &first, 1).await;
    hold(&stock, &second, 1).await;
    let refused = reserve(&stock, &second, 1).await;
    assert!(matches!(refused, ReserveOutcome::LimitReached { limit: 2, .. }), "{refused:?}");
}

#[tokio::test]
async fn without_a_ticket_nothing_is_held_and_without_a_waiting_room_none_is_needed() {
    let stock = stock(&shared());
    let sale = open_in_redis(&stock, patient_room(50, 60_000)).await;
    let refused = stock.reserve(&wish(&sale.id, 1, 1), soon()).await.unwrap().outcome;
    assert_eq!(refused, ReserveOutcome::TicketMissing);
    let plain = open_in_redis(&stock, units(1)).await;
    assert_eq!(join(&stock, &plain, 1).await, JoinOutcome::NoRoom);
    let held = stock.reserve(&wish(&plain.id, 1, 1), soon()).await.unwrap().outcome;
    assert!(matches!(held, ReserveOutcome::Held(_)), "{held:?}");
}

#[tokio::test]
async fn a_repeat_finds_its_hold_also_when_its_turn_is_over() {
    let stock = stock(&shared());
    let sale = open_in_redis(&stock, room(50, 60_000)).await;
    let ticket = ticket(&stock, &sale, 1).await;
    let request = ReserveRequest { ticket: Some(ticket.clone()), ..wish(&sale.id, 1, 1) };
    eventually("the hold", async || {
        matches!(stock.reserve(&request, soon()).await.unwrap().outcome, ReserveOutcome::Held(_))
            .then_some(())
    })
    .await;
    eventually("the end of the turn", async || {
        let refused = reserve(&stock, &ticket, 1).await;
        match refused {
            ReserveOutcome::TurnPassed => Some(()),
            ReserveOutcome::Held(_) | ReserveOutcome::LimitReached { .. } => None,
            outcome => panic!("{outcome:?}"),
        }
    })
    .await;
    let again = stock.reserve(&request, soon()).await.unwrap().outcome;
    assert!(matches!(again, ReserveOutcome::Repeated(_)), "{again:?}");
}

#[tokio::test]
async fn before_the_opening_everybody_has_one_lot_and_after_it_the_lots_come_first() {
    let stock = stock(&shared());
    let opens_at = Timestamp::now() + SignedDuration::from_millis(1_500);
    let terms = Definition { opens_at: Some(opens_at), ..patient_room(50, 60_000) };
    let sale = open_in_redis(&stock, terms).await;
    let mut lots = Vec::new();
    for number in [1, 2, 3, 2, 1] {
        lots.push(ticket(&stock, &sale, number).await);
    }
    assert!(lots.iter().all(|lot| lot.number.is_none()));
    let whose: Vec<_> = lots.iter().map(|lot| (lot.shopper, lot.number)).collect();
    assert_eq!((whose[0], whose[1]), (whose[4], whose[3]), "asking again is the same lot");
    let (_, before) = view(&stock, &sale).await;
    assert_eq!((before.state, before.lobby, before.seed), (RoomState::Lobby, 3, None));
    assert_eq!(turn(&stock, &lots[0]).await, Turn::Lot);

    let late = eventually("the opening", async || {
        Some(ticket(&stock, &sale, 4).await).filter(|late| late.number.is_some())
    })
    .await;
    let (_, after) = view(&stock, &sale).await;
    let seed = after.seed.unwrap();
    assert_eq!(seed.commitment(), before.commitment);
    let draw = Draw { lobby: after.lobby, seed };
    assert!([3, 4].contains(&after.lobby), "{}: the newcomer may have come a moment before", after.lobby);
    for (lot, number) in lots.iter().take(3).zip(1..) {
        let place = draw.place(&sale.id, &lot.shopper);
        assert!((1..=after.lobby).contains(&place));
        match turn(&stock, lot).await {
            Turn::Waiting { place: told, .. } | Turn::Served { place: told, .. } => assert_eq!(told, place),
            turn => panic!("{turn:?}"),
        }
        hold(&stock, lot, number).await;
    }
    let behind = after.lobby + late.number.unwrap();
    let place = eventually("the turn behind the lobby", async || match turn(&stock, &late).await {
        Turn::Served { place, .. } => Some(place),
        _ => None,
    })
    .await;
    assert_eq!(place, behind);
    let keys = ["lobby", "queue"].map(|name| format!("{{{}}}:{name}", sale.id));
    let left = command(&redis(&shared()), "EXISTS", &[&keys[0]]).await;
    assert_eq!(left, sentinel::Value::Int(0), "the lobby is counted and forgotten");
}

#[tokio::test]
async fn whoever_comes_too_early_too_late_or_by_the_wrong_door_consumes_nothing() {
    let stock = stock(&shared());
    let lobby_opens_at = Timestamp::now() + SignedDuration::from_hours(1);
    let opens_at = lobby_opens_at + SignedDuration::from_secs(1);
    let room = WaitingRoom { lobby_opens_at: Some(lobby_opens_at), rate_per_minute: 600, turn_seconds: 60 };
    let terms = Definition {
        opens_at: Some(opens_at),
        closes_at: opens_at + SignedDuration::from_secs(1),
        shoppers: vec![ShopperKind::Account],
        waiting_room: Some(room),
        ..units(1)
    };
    let mut sale = open_in_redis(&stock, terms).await;
    let told = join(&stock, &sale, 1).await;
    let whole_ms = Timestamp::from_millisecond(lobby_opens_at.as_millisecond()).unwrap();
    assert_eq!(told, JoinOutcome::NotOpen(whole_ms));
    assert_eq!(view(&stock, &sale).await.1.state, RoomState::NotOpen);

    sale.definition.waiting_room.as_mut().unwrap().lobby_opens_at = None;
    sale.definition.opens_at = Some(Timestamp::now() - SignedDuration::from_secs(1));
    (sale.version, sale.paused) = (2, true);
    stock.change(&sale, soon()).await.unwrap();
    assert_eq!(join(&stock, &sale, 1).await, JoinOutcome::Paused);
    let limit = RateLimit { quota: 10, window: Duration::from_secs(10) };
    let guest = Shopper { kind: ShopperKind::Guest, ..shopper(1) };
    (sale.version, sale.paused) = (3, false);
    stock.change(&sale, soon()).await.unwrap();
    assert_eq!(stock.join(&sale.id, &guest, limit, soon()).await.unwrap().outcome, JoinOutcome::KindRefused);

    let served = ticket(&stock, &sale, 1).await;
    assert_eq!(served.number, Some(1), "nobody before has consumed a place");
    let held = hold(&stock, &served, 1).await;
    let waits = ticket(&stock, &sale, 2).await;
    assert_eq!(waits.number, Some(2), "the unit may return");
    let (_, room) = view(&stock, &sale).await;
    assert_eq!(room.last_place, 2);
    stock.begin(&sale.id, &held.id, &held.shopper, None, Duration::from_secs(1), soon()).await.unwrap();
    let verdict = sale::Verdict::Ordered { sku: &held.sku, order: &crate::settle::ordered(&held) };
    stock.finish(&sale.id, &held.id, verdict, soon()).await.unwrap();
    assert_eq!(join(&stock, &sale, 3).await, JoinOutcome::SoldOut);
    (sale.version, sale.closed) = (4, true);
    stock.change(&sale, soon()).await.unwrap();
    assert_eq!(join(&stock, &sale, 3).await, JoinOutcome::Ended);
    assert_eq!(view(&stock, &sale).await.1.last_place, 2);
}

#[tokio::test]
async fn one_shopper_cannot_take_places_as_fast_as_they_like() {
    let stock = stock(&shared());
    let sale = open_in_redis(&stock, patient_room(50, 600)).await;
    let limit = RateLimit { quota: 3, window: Duration::from_hours(1) };
    for _ in 0..3 {
        let joined = stock.join(&sale.id, &shopper(1), limit, soon()).await.unwrap().outcome;
        assert!(matches!(joined, JoinOutcome::Joined(_)), "{joined:?}");
    }
    let refused = stock.join(&sale.id, &shopper(1), limit, soon()).await.unwrap();
    assert!(matches!(refused.outcome, JoinOutcome::Throttled { .. }), "{refused:?}");
    assert_eq!(refused.quota.unwrap().remaining, 0);
    assert_eq!(view(&stock, &sale).await.1.last_place, 3);
}
