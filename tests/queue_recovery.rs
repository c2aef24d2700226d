//! Places outlive what can happen to Redis: the death of a master, and the loss of everything.

use std::collections::HashSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sale::{
    Deadline, Definition, JoinOutcome, Next, QueueRecord, RateLimit, ReserveOutcome, Sale, Seeding, Shopper,
    ShopperId, ShopperKind, Stock, WaitingRoom,
};
use serde_json::json;
use spillway::{Running, Signal, signal};

use crate::expiry::open_in_redis;
use crate::queue::{patient_room, reserve, ticket, view};
use crate::shop::{open_sale_in, send, units};
use crate::system::{command, eventually, private, redis, soon, stock, stores};

/// Every ticket that was acknowledged has a place of its own, whoever dies in between.
#[tokio::test(flavor = "multi_thread")]
async fn no_place_is_given_twice_when_the_master_dies() {
    let stack = stores("queue-kill");
    let running = stack.running().unwrap();
    let stock = stock(&running);
    let sale = open_in_redis(&stock, patient_room(50, 600)).await;
    let limit = RateLimit { quota: 1_000_000, window: Duration::from_secs(10) };
    let mut joining = tokio::task::JoinSet::new();
    for part in 0..8_u8 {
        let (stock, sale) = (stock.clone(), sale.id.clone());
        joining.spawn(async move {
            let mut numbers = Vec::new();
            for number in 0..250_u8 {
                let mut id = [part; 16];
                id[0] = number;
                let shopper = Shopper { id: ShopperId::from_bytes(id), kind: ShopperKind::Account };
                // What has no outcome has no ticket; the shopper asks again.
                if let Ok(joined) = stock.join(&sale, &shopper, limit, soon()).await
                    && let JoinOutcome::Joined(ticket) = joined.outcome
                {
                    numbers.push(ticket.number.unwrap());
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            numbers
        });
    }
    eventually("some tickets", async || (ticket(&stock, &sale, 255).await.number > Some(200)).then_some(()))
        .await;
    signal(crate::failover::master(&running).pid, Signal::KILL);
    let numbers: Vec<_> = joining.join_all().await.into_iter().flatten().collect();
    let different: HashSet<_> = numbers.iter().collect();
    assert!(numbers.len() > 500, "{} tickets", numbers.len());
    assert_eq!(different.len(), numbers.len(), "a place was given twice");
}

/// A promoted replica that does not know of a place would give it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_of_which_no_replica_knows_is_not_told() {
    let stack = stores("queue-frozen");
    let running = stack.running().unwrap();
    let stock = stock(&running);
    let sale = open_in_redis(&stock, patient_room(50, 600)).await;
    let before = ticket(&stock, &sale, 1).await;
    let master = crate::failover::master(&running);
    let replicas: Vec<_> = running.redis.iter().filter(|part| part.pid != master.pid).collect();
    let limit = RateLimit { quota: 1_000_000, window: Duration::from_secs(10) };
    let shopper = Shopper { id: ShopperId::from_bytes([2; 16]), kind: ShopperKind::Account };
    for replica in &replicas {
        signal(replica.pid, Signal::STOP);
    }
    let told = stock.join(&sale.id, &shopper, limit, Deadline::after(Duration::from_millis(600))).await;
    // Before this one gives up, the master refuses to write: what it did before that is still unknown.
    let told_later = stock.join(&sale.id, &shopper, limit, Deadline::after(Duration::from_secs(5))).await;
    for replica in &replicas {
        signal(replica.pid, Signal::CONT);
    }
    for told in [told, told_later] {
        assert!(told.as_ref().is_err_and(|error| error.next() == Next::OutcomeUnknown), "{told:?}");
    }
    let after = eventually("a ticket", async || match stock.join(&sale.id, &shopper, limit, soon()).await {
        Ok(joined) => match joined.outcome {
            JoinOutcome::Joined(ticket) => Some(ticket),
            outcome => panic!("{outcome:?}"),
        },
        Err(_) => None,
    })
    .await;
    assert!(after.number > before.number, "a later place: {after:?}");
}

#[tokio::test]
async fn after_the_loss_of_redis_whoever_has_a_ticket_stays_ahead_of_whoever_comes() {
    let stack = private("queue-lost");
    let room = WaitingRoom { lobby_opens_at: None, rate_per_minute: 1, turn_seconds: 600 };
    let terms = Definition { hold_seconds: 10, waiting_room: Some(room), ..units(5) };
    let shop = open_sale_in(stack.running().unwrap(), terms).await;
    let join = async |name: &str| send(shop.join(&shop.shopper(name))).await;
    let (ann, bob) = (join("ann").await, join("bob").await);
    assert_eq!((&ann.body["number"], &bob.body["number"]), (&json!(1), &json!(2)));
    assert_eq!(shop.change_queue(&json!({ "bypass_add": [shop.account("vip")] })).await.status, 200);
    let ledger = crate::system::ledger(&shop.running);
    let seen = async || ledger.queue_record(&shop.sale, soon()).await.unwrap();
    let known = eventually("the record in the ledger", seen).await;
    eventually("a record of both", async || seen().await.filter(|record| *record != known)).await;
    command(&redis(&shop.running), "FLUSHALL", &[]).await;
    let cat =
        eventually("the takeover", async || Some(join("cat").await).filter(|answer| answer.status == 201))
            .await;
    assert_eq!(cat.body["number"], 3, "behind those who were there before");
    assert_eq!(join("vip").await.body["number"], 0, "who may pass the line still may");
    // By hand, as far as the second place.
    let step = json!({ "serve_to": 2 });
    eventually("the step", async || (shop.change_queue(&step).await.status == 200).then_some(())).await;
    for (name, place, state) in [("bob", 2, "served"), ("cat", 3, "waiting")] {
        let ticket = if name == "bob" { &bob } else { &cat };
        eventually(state, async || {
            let turn = shop.turn(&shop.shopper(name), ticket.field("ticket")).await.body["turn"].clone();
            assert_eq!(turn["place"], place);
            (turn["state"] == state).then_some(())
        })
        .await;
    }
}

/// The last tickets before a loss are in no record: they share the last place that is known.
#[tokio::test]
async fn tickets_that_no_record_knows_share_the_last_place_that_is_known() {
    let stack = stores("queue-late");
    let running = stack.running().unwrap();
    let stock = stock(&running);
    let sale = open_in_redis(&stock, patient_room(50, 60_000)).await;
    let mut tickets = vec![ticket(&stock, &sale, 1).await, ticket(&stock, &sale, 2).await];
    let record = stock.tick(&sale.id, sale::Load::Normal, soon()).await.unwrap().unwrap();
    tickets.push(ticket(&stock, &sale, 3).await);
    lose(&stock, &running, &sale, Some(&record)).await;
    let newcomer = ticket(&stock, &sale, 4).await;
    assert_eq!((newcomer.epoch, newcomer.number), (2, Some(3)));
    for (ticket, place) in tickets.iter().chain([&newcomer]).zip([1, 2, 2, 3]) {
        match crate::queue::turn(&stock, ticket).await {
            sale::Turn::Waiting { place: told, .. } | sale::Turn::Served { place: told, .. } => {
                assert_eq!(told, place);
            }
            turn => panic!("{turn:?}"),
        }
    }
    let refused = reserve(&stock, &newcomer, 4).await;
    assert!(matches!(refused, ReserveOutcome::NotYourTurn { place: 3, .. }), "{refused:?}");
}

/// Lots of which Redis has forgotten are still lots: with them the lobby has as many places as shoppers.
#[tokio::test]
async fn a_lobby_that_redis_has_lost_has_a_place_for_those_before_and_for_those_after() {
    let stack = stores("lobby-lost");
    let running = stack.running().unwrap();
    let stock = stock(&running);
    let opens_at = Timestamp::now() + SignedDuration::from_hours(1);
    let terms = Definition { opens_at: Some(opens_at), ..patient_room(50, 60_000) };
    let sale = open_in_redis(&stock, terms).await;
    for number in 0..20 {
        ticket(&stock, &sale, number).await;
    }
    let record = stock.tick(&sale.id, sale::Load::Normal, soon()).await.unwrap().unwrap();
    let sale = lose(&stock, &running, &sale, Some(&record)).await;
    for number in 20..40 {
        assert_eq!(ticket(&stock, &sale, number).await.number, None);
    }
    let lobby = view(&stock, &sale).await.1.lobby;
    assert!((39..=41).contains(&lobby), "{lobby} places for 40 shoppers");
}

/// A lot of which no record tells comes to a place that is served, though nobody else comes.
#[tokio::test]
async fn a_lot_that_no_record_knows_has_a_place() {
    let stack = stores("lobby-unknown");
    let running = stack.running().unwrap();
    let stock = stock(&running);
    let opens_at = Timestamp::now() + SignedDuration::from_hours(1);
    let terms = Definition { opens_at: Some(opens_at), ..patient_room(50, 60_000) };
    let sale = open_in_redis(&stock, terms).await;
    let lot = ticket(&stock, &sale, 1).await;
    let mut opened = lose(&stock, &running, &sale, None).await;
    opened.definition.opens_at = Some(Timestamp::now());
    opened.version += 1;
    stock.change(&opened, soon()).await.unwrap();
    assert_eq!(crate::queue::turn(&stock, &lot).await, sale::Turn::Waiting { place: 1, ahead: 0 });
    assert_eq!(view(&stock, &sale).await.1.last_place, 1);
}

/// Redis forgets everything, and the sale is built again with this record of its waiting room: the sale as it is then.
async fn lose(stock: &Stock, running: &Running, sale: &Sale, record: Option<&QueueRecord>) -> Sale {
    command(&redis(running), "FLUSHALL", &[]).await;
    let skus = [sale::SeedSku { sku: sale.definition.skus[0].sku.clone(), stock: 50, top: 50 }];
    let queue = record.map(|record| &*record.bytes);
    let of_ledger = Seeding { epoch: 2, skus: &skus, applied: &[], queue, is_last: true };
    stock.seed(&sale.id, &of_ledger, soon()).await.unwrap();
    let seeded = Sale { version: sale.version + 1, ..sale.clone() };
    stock.change(&seeded, soon()).await.unwrap();
    let part = sale::Part {
        epoch: 2,
        quarantine_until: Timestamp::UNIX_EPOCH,
        quarantine: Duration::from_millis(1),
        sku: &skus[0].sku,
        serials: 1..=50,
        orders: &[],
    };
    stock.rebuild(&sale.id, &part, soon()).await.unwrap();
    seeded
}

/// Who is served has the time of a failover, too: nobody could use it.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_stands_still_from_the_last_look_of_a_master_to_the_first_one_of_the_next() {
    let stack = stores("queue-stands");
    let running = stack.running().unwrap();
    let stock = stock(&running);
    let sale = open_in_redis(&stock, patient_room(50, 60_000)).await;
    let served = ticket(&stock, &sale, 1).await;
    let left = async || match crate::queue::turn(&stock, &served).await {
        sale::Turn::Served { left, .. } => Some(left),
        _ => None,
    };
    let tick = async || stock.tick(&sale.id, sale::Load::Normal, soon()).await.ok();
    eventually("the turn", async || {
        tick().await;
        left().await
    })
    .await;
    tick().await.unwrap();
    let (before, since) = (left().await.unwrap(), view(&stock, &sale).await.0);
    signal(crate::failover::master(&running).pid, Signal::KILL);
    eventually("the first look of the next master", tick).await;
    let (after, now) = (left().await.unwrap(), view(&stock, &sale).await.0);
    let gone = now.duration_since(since).unsigned_abs();
    let charged = before.saturating_sub(after);
    assert!(charged < gone / 2, "{charged:?} of {gone:?} in which nobody could be served");
}
