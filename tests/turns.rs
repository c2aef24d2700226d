//! Turns: how they follow time, stock and the merchant. These sales are in Redis alone.

use std::collections::HashMap;
use std::time::Duration;

use api::WaitingRoomStatus;
use jiff::{SignedDuration, Timestamp};
use sale::{Definition, JoinOutcome, Load, ReserveOutcome, RoomState, Turn};

use crate::expiry::open_in_redis;
use crate::queue::{hold, join, patient_room, reserve, room, shopper, ticket, tickets, turn, view};
use crate::shop::units;
use crate::system::{eventually, shared, soon, stock};

#[tokio::test]
async fn no_more_turns_are_open_than_units_are_there_and_a_unit_that_returns_goes_to_the_next() {
    let stock = stock(&shared());
    let sale = open_in_redis(&stock, patient_room(2, 1_000_000)).await;
    let tickets = tickets(&stock, &sale, 4).await;
    let first = hold(&stock, &tickets[0], 1).await;
    eventually("the second turn", async || {
        matches!(turn(&stock, &tickets[1]).await, Turn::Served { .. }).then_some(())
    })
    .await;
    // At this rate all would have been served long since.
    let (_, room) = view(&stock, &sale).await;
    assert_eq!((room.state, room.served_thousandths, room.last_place), (RoomState::NoUnits, 2_000, 4));
    assert_eq!(turn(&stock, &tickets[2]).await, Turn::Waiting { place: 3, ahead: 0 });
    hold(&stock, &tickets[1], 2).await;
    assert!(matches!(
        reserve(&stock, &tickets[2], 3).await,
        ReserveOutcome::NotYourTurn { place: 3, ahead: 0 }
    ));

    stock.release(&sale.id, &first.id, &shopper(1).id, soon()).await.unwrap();
    let newcomer = ticket(&stock, &sale, 9).await;
    eventually("the third turn", async || {
        matches!(turn(&stock, &tickets[2]).await, Turn::Served { .. }).then_some(())
    })
    .await;
    for (ticket, number) in [(&tickets[3], 4), (&newcomer, 9)] {
        let refused = reserve(&stock, ticket, number).await;
        assert!(matches!(refused, ReserveOutcome::NotYourTurn { .. }), "{refused:?}");
    }
    assert_eq!(
        reserve(&stock, &tickets[0], 1).await,
        ReserveOutcome::TicketUsed,
        "who released it is not the next"
    );
    let held = hold(&stock, &tickets[2], 3).await;
    assert_eq!(held.units, first.units);
}

#[tokio::test]
async fn a_turn_that_nobody_uses_passes_and_the_next_one_comes() {
    let stock = stock(&shared());
    let sale = open_in_redis(&stock, room(1, 60_000)).await;
    let (absent, next) = (ticket(&stock, &sale, 1).await, ticket(&stock, &sale, 2).await);
    let served = eventually("the first turn", async || match turn(&stock, &absent).await {
        Turn::Served { place, left } => Some((place, left)),
        _ => None,
    })
    .await;
    assert_eq!(served.0, 1);
    assert!(served.1 <= Duration::from_secs(1));
    assert_eq!(turn(&stock, &next).await, Turn::Waiting { place: 2, ahead: 0 });
    hold(&stock, &next, 2).await;
    assert_eq!(turn(&stock, &absent).await, Turn::Passed { place: 1 });
    assert_eq!(reserve(&stock, &absent, 1).await, ReserveOutcome::TurnPassed);
    let (_, room) = view(&stock, &sale).await;
    assert_eq!((room.turns_used, room.turns_passed), (1, 1));
}

#[tokio::test]
async fn a_turn_lasts_longer_while_the_sale_is_paused_or_nothing_is_available() {
    let stock = stock(&shared());
    let mut sale = open_in_redis(&stock, room(1, 60_000)).await;
    let waiting = ticket(&stock, &sale, 1).await;
    eventually("the turn", async || {
        matches!(turn(&stock, &waiting).await, Turn::Served { .. }).then_some(())
    })
    .await;
    sale.paused = true;
    sale.version += 1;
    stock.change(&sale, soon()).await.unwrap();
    let left = turn(&stock, &waiting).await;
    let (paused_at, _) = view(&stock, &sale).await;
    eventually("two lengths of a turn", async || {
        stock.tick(&sale.id, Load::Normal, soon()).await.unwrap();
        (view(&stock, &sale).await.0 > paused_at + SignedDuration::from_secs(2)).then_some(())
    })
    .await;
    assert_eq!(turn(&stock, &waiting).await, left, "time stands still");
    sale.paused = false;
    sale.version += 1;
    stock.change(&sale, soon()).await.unwrap();
    let held = hold(&stock, &waiting, 1).await;

    // The unit is gone now; of another one there is none.
    let (other, since) = (ticket(&stock, &sale, 2).await, view(&stock, &sale).await.0);
    eventually("two lengths of a turn", async || {
        stock.tick(&sale.id, Load::Normal, soon()).await.unwrap();
        (view(&stock, &sale).await.0 > since + SignedDuration::from_secs(2)).then_some(())
    })
    .await;
    assert_eq!(turn(&stock, &other).await, Turn::Waiting { place: 2, ahead: 0 });
    stock.release(&sale.id, &held.id, &shopper(1).id, soon()).await.unwrap();
    hold(&stock, &other, 2).await;
}

#[tokio::test]
async fn what_the_status_says_of_the_serving_number_is_what_it_becomes() {
    let stock = stock(&shared());
    let sale = open_in_redis(&stock, patient_room(1_000, 3_000)).await;
    for number in 0..120 {
        ticket(&stock, &sale, number).await;
    }
    let (mut at, mut room) = view(&stock, &sale).await;
    for _ in 0..5 {
        let (then, later) = eventually("a moment", async || {
            Some(view(&stock, &sale).await).filter(|(then, _)| *then > at + SignedDuration::from_millis(150))
        })
        .await;
        // Nobody moves the queue on but those who look; 50 places a second, told in thousandths.
        let (told, found) =
            (WaitingRoomStatus::from(room.clone()), WaitingRoomStatus::from(later.clone()).serving);
        let expected = told.serving_after(then.duration_since(at));
        assert!((found - expected).abs() < 0.0021, "{found} instead of {expected} of {room:?}");
        (at, room) = (then, later);
    }
}

#[tokio::test]
async fn the_merchant_serves_up_to_a_place_at_once_pauses_and_closes_the_door() {
    let stock = stock(&shared());
    let mut sale = open_in_redis(&stock, patient_room(50, 1)).await;
    let tickets = tickets(&stock, &sale, 5).await;
    sale.room.serve_to = 3;
    sale.version += 1;
    stock.change(&sale, soon()).await.unwrap();
    hold(&stock, &tickets[2], 3).await;
    assert!(matches!(turn(&stock, &tickets[3]).await, Turn::Waiting { place: 4, ahead: 0 }));

    sale.definition.waiting_room.as_mut().unwrap().rate_per_minute = 1_000_000;
    (sale.room.is_paused, sale.room.is_closed) = (true, true);
    sale.version += 1;
    stock.change(&sale, soon()).await.unwrap();
    let (since, room) = view(&stock, &sale).await;
    assert_eq!((room.state, room.is_closed), (RoomState::Paused, true));
    assert_eq!(join(&stock, &sale, 6).await, JoinOutcome::DoorClosed);
    eventually("a moment", async || {
        (view(&stock, &sale).await.0 > since + SignedDuration::from_millis(500)).then_some(())
    })
    .await;
    assert!(matches!(turn(&stock, &tickets[3]).await, Turn::Waiting { place: 4, .. }));
    hold(&stock, &tickets[0], 1).await;
}

/// Turns that last differently: each as long as it was when it began, whatever those before and behind it do.
#[tokio::test]
async fn a_shorter_or_longer_turn_is_one_that_begins_later() {
    let stock = stock(&shared());
    let mut sale = open_in_redis(&stock, patient_room(50, 60_000)).await;
    let [long, short, longer] = ["long", "short", "longer"];
    let mut tickets = HashMap::new();
    for (number, name, seconds) in [(1, long, 600), (2, short, 1), (3, longer, 900)] {
        sale.definition.waiting_room.as_mut().unwrap().turn_seconds = seconds;
        sale.version += 1;
        stock.change(&sale, soon()).await.unwrap();
        let ticket = ticket(&stock, &sale, number).await;
        let left = eventually("the turn", async || match turn(&stock, &ticket).await {
            Turn::Served { left, .. } => Some(left),
            _ => None,
        })
        .await;
        assert!(left <= Duration::from_secs(u64::from(seconds)), "{name}: {left:?}");
        tickets.insert(name, ticket);
    }
    eventually("the end of the short turn", async || {
        stock.tick(&sale.id, Load::Normal, soon()).await.unwrap();
        (turn(&stock, &tickets[short]).await == Turn::Passed { place: 2 }).then_some(())
    })
    .await;
    assert_eq!(reserve(&stock, &tickets[short], 2).await, ReserveOutcome::TurnPassed);
    let (_, room) = view(&stock, &sale).await;
    assert_eq!((room.turns_used, room.turns_passed), (0, 1));
    for (name, place, seconds) in [(long, 1, 500), (longer, 3, 800)] {
        match turn(&stock, &tickets[name]).await {
            Turn::Served { place: told, left } => {
                assert_eq!(told, place);
                assert!(left > Duration::from_secs(seconds), "{name}: {left:?}");
            }
            turn => panic!("{name}: {turn:?}"),
        }
    }
    hold(&stock, &tickets[long], 1).await;
    hold(&stock, &tickets[longer], 3).await;
}

/// Behind a long turn that is open short ones pass, and leave nothing in the record.
#[tokio::test]
async fn what_a_line_takes_does_not_grow_with_the_turns_that_have_passed() {
    let stock = stock(&shared());
    let mut sale = open_in_redis(&stock, patient_room(50, 60_000)).await;
    let first = ticket(&stock, &sale, 1).await;
    eventually("the turn", async || matches!(turn(&stock, &first).await, Turn::Served { .. }).then_some(()))
        .await;
    sale.definition.waiting_room.as_mut().unwrap().turn_seconds = 1;
    sale.version += 1;
    stock.change(&sale, soon()).await.unwrap();
    // A mark is made with every look now.
    let mut sizes = Vec::new();
    eventually("twenty turns", async || {
        ticket(&stock, &sale, 2).await;
        let record = stock.tick(&sale.id, Load::Normal, soon()).await.unwrap().unwrap();
        sizes.push(record.bytes.len());
        let (_, room) = view(&stock, &sale).await;
        (room.turns_passed >= 20).then_some(())
    })
    .await;
    let most = sizes.iter().max().unwrap();
    assert!(*most < 1_000, "{most} bytes of {} looks", sizes.len());
    assert!(matches!(turn(&stock, &first).await, Turn::Served { place: 1, .. }));
}

/// With two tickets nobody has more turns than two: using the one does not make the other good again.
#[tokio::test]
async fn a_ticket_that_is_used_up_stays_so_when_its_shopper_uses_another() {
    let stock = stock(&shared());
    let sale = open_in_redis(&stock, patient_room(1, 60_000)).await;
    let tickets = [ticket(&stock, &sale, 1).await, ticket(&stock, &sale, 1).await];
    let next = ticket(&stock, &sale, 2).await;
    for ticket in &tickets {
        let held = hold(&stock, ticket, 1).await;
        stock.release(&sale.id, &held.id, &held.shopper, soon()).await.unwrap();
    }
    for (ticket, place) in tickets.iter().zip(1..) {
        assert_eq!(reserve(&stock, ticket, 1).await, ReserveOutcome::TicketUsed);
        assert_eq!(turn(&stock, ticket).await, Turn::Used { place });
    }
    hold(&stock, &next, 2).await;
    assert_eq!(view(&stock, &sale).await.1.turns_used, 3);
}

/// Between the last look before the opening and the first one after it the number has grown since the opening only.
#[tokio::test]
async fn nobody_is_served_for_the_time_before_the_opening() {
    let stock = stock(&shared());
    let opens_at = Timestamp::now() + SignedDuration::from_secs(3);
    let terms = Definition { opens_at: Some(opens_at), ..patient_room(100, 600) };
    let sale = open_in_redis(&stock, terms).await;
    for number in 0..60 {
        ticket(&stock, &sale, number).await;
    }
    let (at, room) =
        eventually("the opening", async || Some(view(&stock, &sale).await).filter(|(at, _)| *at > opens_at))
            .await;
    // Ten places a second.
    let most = at.duration_since(opens_at).as_millis() * 10 + 10;
    assert!(i128::from(room.served_thousandths) <= most, "{} of {most}", room.served_thousandths);
}

#[tokio::test]
async fn where_shoppers_cannot_be_served_as_fast_fewer_are_let_in_and_then_more_again() {
    let stock = stock(&shared());
    let sale = open_in_redis(&stock, patient_room(50, 600)).await;
    let mut paces = Vec::new();
    for load in [
        Load::TooMuch,
        Load::TooMuch,
        Load::TooMuch,
        Load::TooMuch,
        Load::TooMuch,
        Load::Normal,
        Load::Normal,
    ] {
        stock.tick(&sale.id, load, soon()).await.unwrap().unwrap();
        let (_, room) = view(&stock, &sale).await;
        assert_eq!(room.rate_thousandths, 600 * u64::from(room.pace_thousandths));
        paces.push(room.pace_thousandths);
    }
    assert_eq!(paces, [500, 250, 125, 100, 100, 150, 200]);
    for _ in 0..20 {
        stock.tick(&sale.id, Load::Normal, soon()).await.unwrap();
    }
    assert_eq!(view(&stock, &sale).await.1.pace_thousandths, 1_000);
    assert_eq!(
        stock.tick(&open_in_redis(&stock, units(1)).await.id, Load::Normal, soon()).await.unwrap(),
        None
    );
}

/// Where nobody asks for so long, five seconds are counted and no more: here everybody who comes asks.
#[tokio::test]
async fn whoever_comes_moves_the_line_on_for_those_before() {
    let stock = stock(&shared());
    let sale = open_in_redis(&stock, patient_room(50, 60)).await;
    let mut tickets = Vec::new();
    for number in 0..24 {
        tickets.push(ticket(&stock, &sale, number).await);
        if number >= 10 {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    // Seven seconds, a place in each.
    let sixth = turn(&stock, &tickets[5]).await;
    assert!(matches!(sixth, Turn::Served { place: 6, .. }), "{sixth:?}");
}

#[tokio::test]
async fn whoever_comes_at_the_instant_that_the_status_tells_is_served() {
    let stock = stock(&shared());
    let sale = open_in_redis(&stock, patient_room(50, 3_000)).await;
    let tickets = tickets(&stock, &sale, 20).await;
    let (at, room) = view(&stock, &sale).await;
    for (ticket, number) in tickets.iter().zip(1..) {
        // 50 places a second, by a clock of whole milliseconds.
        let due_ms =
            at.as_millisecond() + i64::from(number) * 20 - room.served_thousandths.cast_signed() / 50 + 2;
        let early_ms = due_ms - Timestamp::now().as_millisecond();
        tokio::time::sleep(Duration::from_millis(early_ms.try_into().unwrap_or(0))).await;
        let outcome = reserve(&stock, ticket, number).await;
        assert!(matches!(outcome, ReserveOutcome::Held(_)), "{number}: {outcome:?}");
    }
}

#[tokio::test]
async fn of_turns_that_were_all_used_none_is_counted_as_passed() {
    let stock = stock(&shared());
    let sale = open_in_redis(&stock, room(60, 2_700)).await;
    let tickets = tickets(&stock, &sale, 50).await;
    for (ticket, number) in tickets.iter().zip(1..) {
        hold(&stock, ticket, number).await;
    }
    // Turns last a second.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    stock.tick(&sale.id, Load::Normal, soon()).await.unwrap();
    let (_, room) = view(&stock, &sale).await;
    assert_eq!((room.turns_used, room.turns_passed), (50, 0));
}
