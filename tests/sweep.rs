//! The sweep and a ledger that has been gone, or is: everybody's confirms are to be settled, and shoppers wait.

use std::time::Duration;

use jiff::Timestamp;
use sale::{Definition, Reservation, WaitingRoom};
use serde_json::{Value, json};
use spillway::{LedgerFault, LedgerRelay};

use crate::lambda_function::LambdaFunction;
use crate::shop::units;
use crate::system::{ask_emulator, command_of_bytes, eventually, soon};
use crate::takeover_parts::Alone;

/// More than two pages, of which more than one cannot be settled, and is due before the others.
const BACKLOG: u8 = 250;
const SPOILED: u8 = 120;
const PER_SHOPPER: u8 = 10;

/// What an order's item is not.
async fn spoil_order(alone: &Alone, held: &Reservation) {
    let running = alone.stack.running().unwrap();
    let item =
        json!({ "pk": { "S": format!("ORDER#{}", held.order_id()) }, "state": { "S": "no such state" } });
    let put = json!({ "TableName": running.ledger_table, "Item": item });
    ask_emulator(&running, "PutItem", &put).await;
}

/// What a record in Redis is not.
async fn spoil_record(alone: &Alone, held: &Reservation) {
    let key = [format!("{{{}}}:r:", alone.id).as_bytes(), held.id.as_bytes()].concat();
    command_of_bytes(&alone.redis, "SET", &[&key, b"\x02", b"XX"]).await;
}

#[tokio::test]
async fn one_step_of_the_sweep_settles_a_backlog_all_but_what_is_not_in_order() {
    let terms = Definition { hold_seconds: 10, ..units(BACKLOG.into()) };
    let alone = Alone::with("sweep-backlog", terms).await;
    let mut over_at = Timestamp::now();
    for number in 0..BACKLOG {
        let held = alone.reserve(number / PER_SHOPPER, 1).await;
        let begin = alone.stock.begin(&alone.id, &held.id, &held.shopper, None, Duration::ZERO, soon());
        begin.await.unwrap();
        over_at = over_at.max(held.expires_at);
        if number == 0 {
            spoil_record(&alone, &held).await;
        } else if number < SPOILED {
            spoil_order(&alone, &held).await;
        } else {
            alone.ledger.record(&held, Timestamp::now(), soon()).await.unwrap();
        }
    }
    assert_eq!(alone.figures().await, format!("0/{BACKLOG}/0/0"));
    // Nobody can repeat a confirm any more, so that each is looked at until it is settled.
    eventually("the last one's time", async || (Timestamp::now() > over_at).then_some(())).await;
    let running = alone.stack.running().unwrap();
    let sweep = LambdaFunction::start(&running, "sweep").await;
    let _answered = sweep.invoke(json!({ "source": "aws.events" })).await;
    let log = running.logs.join("sweep-lambda.log");
    let lines = || -> Vec<Value> {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    let first_step = eventually("the first step", async || {
        let lines = lines();
        let end = lines.iter().position(|line| line["message"] == "step")?;
        Some(lines[..end].to_vec())
    })
    .await;
    let told = |message: &str| first_step.iter().filter(|line| line["message"] == message).count();
    let settled: Vec<_> = first_step.iter().filter_map(|line| line["settled"].as_u64()).collect();
    assert_eq!(settled, [u64::from(BACKLOG - SPOILED)]);
    assert_eq!(told("a reservation cannot be settled"), usize::from(SPOILED) - 1);
    assert_eq!(told("a reservation cannot be settled: its record cannot be read"), 1);
    assert_eq!(alone.figures().await, format!("0/{SPOILED}/{}/0", BACKLOG - SPOILED));
}

/// A ledger that is slow, and one that refuses everything: those who are let in would only meet errors.
#[tokio::test]
async fn fewer_are_let_in_while_the_ledger_is_slow_or_gone_and_then_more_again() {
    let room = WaitingRoom { lobby_opens_at: None, rate_per_minute: 600, turn_seconds: 60 };
    let alone = Alone::with("sweep-pace", Definition { waiting_room: Some(room), ..units(5) }).await;
    let running = alone.stack.running().unwrap();
    let relay = LedgerRelay::start(&running.dynamodb_url).await.unwrap();
    let sweep = LambdaFunction::start_with(&running, "sweep", &relay.settings()).await;
    let _answered = sweep.invoke(json!({ "source": "aws.events" })).await;
    let pace = async || {
        let view = alone.stock.view(&alone.id, soon()).await.unwrap().unwrap();
        view.waiting_room.unwrap().pace_thousandths
    };
    let until = async |what: &str, is_so: fn(u16, u16) -> bool| {
        let before = pace().await;
        eventually(what, async || is_so(before, pace().await).then_some(())).await;
    };
    assert_eq!(pace().await, 1_000);
    for fault in [LedgerFault::Late, LedgerFault::Throttled] {
        relay.fail(fault, 100);
        until(&format!("{fault:?}: fewer"), |before, now| now <= before / 2).await;
        relay.recover();
        until("more again", |before, now| now > before).await;
    }
}
