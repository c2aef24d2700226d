//! A history that broke: what Redis has of a sale is not believed, and the sale is built again of the ledger.

use std::time::Duration;

use ledger::{ConfirmOutcome, PurchaseError};
use reqwest::Method;
use sale::{Definition, DistrustOutcome, FindOutcome, ReleaseOutcome, StockError};
use sentinel::Value;
use spillway::{Signal, signal};

use crate::audit::sound_totals;
use crate::commands::spillway_on;
use crate::shop::{new_sale_id, open_sale_in, send, units};
use crate::system::{command, eventually, private, redis, soon, stock, stores_again};
use crate::takeover::{brief, confirm_with};
use crate::takeover_parts::Alone;

/// Has the sale written last in a history which this dataset does not continue.
async fn break_history(alone: &Alone) {
    command(&alone.redis, "HSET", &[&format!("{{{}}}", alone.id), "lineage", "another"]).await;
}

/// Replaces the master, as soon as the sentinels are done with the last one.
async fn fail_over(alone: &Alone) {
    eventually("a failover", async || alone.redis.failover().await.ok()).await;
}

/// Keys of a sale in which this stands.
async fn keys(alone: &Alone, sale: &str, what: &str) -> usize {
    match command(&alone.redis, "KEYS", &[&format!("{{{sale}}}:{what}*")]).await {
        Value::Array(keys) => keys.len(),
        other => panic!("{other:?}"),
    }
}

fn is_fenced<T>(outcome: &Result<T, StockError>) -> bool {
    matches!(outcome, Err(StockError::Fenced))
}

#[tokio::test]
async fn a_sale_of_another_history_serves_nobody_until_it_is_built_again_of_the_ledger() {
    let alone = Alone::with("fence", Definition { limit_per_shopper: 2, ..brief(6) }).await;
    let (ordered, held) = (alone.reserve(1, 1).await, alone.reserve(2, 2).await);
    assert!(matches!(alone.confirm(&ordered).await, ConfirmOutcome::Confirmed(_)));
    break_history(&alone).await;
    let (stock, id) = (&alone.stock, &alone.id);
    assert!(is_fenced(&stock.reserve(&crate::expiry::wish(id, 3, 1), soon()).await));
    assert!(is_fenced(&stock.view(id, soon()).await));
    assert!(is_fenced(&stock.find(id, &held.id, &held.shopper, soon()).await));
    assert!(is_fenced(&stock.release(id, &held.id, &held.shopper, soon()).await));
    assert!(is_fenced(&stock.expire(id, 10, soon()).await));
    assert!(is_fenced(&stock.due(id, 10, Duration::ZERO, &[], soon()).await));
    assert!(is_fenced(&stock.drain(id, None, soon()).await));
    assert!(is_fenced(&stock.progress(id, soon()).await));
    alone.rebuild().await;
    assert_eq!(alone.figures().await, "0/0/1/5");
    assert_eq!(keys(&alone, id.as_str(), "r:").await, 1, "of what Redis had, the order alone, by the ledger");
    assert!(
        matches!(alone.confirm(&held).await, ConfirmOutcome::Confirmed(order) if order.units == held.units)
    );
    let released = stock.release(id, &held.id, &held.shopper, soon()).await.unwrap();
    assert_eq!(released, ReleaseOutcome::Ordered);
    alone.end().await;
    assert_eq!(alone.figures().await, "3/0/3/0");
}

#[tokio::test]
async fn an_ordinary_failover_continues_the_history_and_two_on_end_of_which_no_sale_heard_break_it() {
    let alone = Alone::with("fence-failover", units(6)).await;
    let held = alone.reserve(1, 1).await;
    for _ in 0..2 {
        fail_over(&alone).await;
        alone.load().await;
        let found = alone.stock.find(&alone.id, &held.id, &held.shopper, soon()).await.unwrap();
        assert!(matches!(found, FindOutcome::Found(..)), "it is the same sale: {found:?}");
    }
    for _ in 0..2 {
        fail_over(&alone).await;
    }
    assert!(is_fenced(&alone.stock.view(&alone.id, soon()).await));
    alone.rebuild().await;
    assert_eq!(alone.figures().await, "0/0/0/6");
}

#[tokio::test]
async fn a_system_that_was_stopped_in_order_goes_on_where_it_was() {
    let alone = Alone::with("fence-stopped", units(3)).await;
    let (held, id) = (alone.reserve(1, 1).await, alone.id.clone());
    // Neither what looks like a sale by its name, nor a sale that is fenced off.
    command(&alone.redis, "SET", &["{other}:r:x}", "no hash"]).await;
    command(&alone.redis, "HSET", &["{fenced}", "lineage", "another"]).await;
    drop(alone);
    let stack = stores_again("fence-stopped");
    let stock = stock(&stack.running().unwrap());
    let found = stock.find(&id, &held.id, &held.shopper, soon()).await.unwrap();
    assert!(matches!(found, FindOutcome::Found(..)), "{found:?}");
    let fenced = command(&redis(&stack.running().unwrap()), "HGET", &["{fenced}", "lineage"]).await;
    assert_eq!(fenced, Value::Bytes(b"another".to_vec()));
}

#[tokio::test]
async fn of_a_history_that_broke_that_sale_alone_is_forgotten_all_of_it_but_its_journal() {
    const MANY: usize = 5_000;
    let alone = Alone::with("fence-forget", units(4)).await;
    let held = alone.reserve(1, 1).await;
    let other = new_sale_id();
    let fill = "for n = 1, tonumber(ARGV[1]) do redis.call('SET', KEYS[1] .. n, n) end";
    for sale in [alone.id.as_str(), other.as_str()] {
        command(&alone.redis, "EVAL", &[fill, "1", &format!("{{{sale}}}:b:"), &MANY.to_string()]).await;
    }
    alone.stock.forget(&alone.id, soon()).await.unwrap();
    assert_eq!(keys(&alone, alone.id.as_str(), "b:").await, MANY, "what is not fenced off stays");
    break_history(&alone).await;
    alone.rebuild().await;
    assert_eq!(keys(&alone, alone.id.as_str(), "b:").await, 0);
    assert_eq!(keys(&alone, other.as_str(), "b:").await, MANY);
    alone.ledger.keep_journal(&alone.stock, &alone.id, soon()).await.unwrap();
    let (entries, _) = alone.ledger.journal_page(&alone.id, 1, soon()).await.unwrap().unwrap();
    let hold = entries.iter().find(|entry| entry.reservation == Some(held.id)).unwrap();
    assert_eq!((hold.epoch, hold.units.as_slice()), (1, held.units.as_slice()), "nobody else could tell it");
    assert_eq!(entries.last().unwrap().epoch, 2);
}

#[tokio::test]
async fn a_sale_that_is_built_again_by_hand_keeps_orders_and_receipts_and_is_built_once_at_a_time() {
    let stack = private("restore");
    let shop = open_sale_in(stack.running().unwrap(), brief(5)).await;
    let [ann, bob] = ["ann", "bob"].map(|name| shop.shopper(name));
    let order = shop.confirm(&ann, &shop.hold(&ann, "wish").await).await;
    let held = shop.reserve(&bob, "wish", 1).await;
    // Whatever made Redis wrong.
    command(&redis(&shop.running), "HSET", &[&format!("{{{}}}:sku:unit", shop.sale), "sold", "4"]).await;
    let restored = spillway_on(&shop.running, &["restore", shop.sale.as_str()]);
    assert_eq!(restored.code, Some(0), "{}", restored.err);
    assert!(restored.out.contains("epoch 2") && restored.out.contains("kept back"), "{}", restored.out);
    let again = spillway_on(&shop.running, &["restore", shop.sale.as_str()]);
    assert_eq!((again.code, again.out.as_str()), (Some(1), ""));
    assert!(again.err.contains("being built again already"), "{}", again.err);
    assert_eq!(shop.order(&ann, order.field("id")).await.body, order.body);
    let kept = confirm_with(&shop, &bob, held.field("id"), &held.body["receipt"]).await;
    assert_eq!((kept.told().as_str(), &kept.body["units"]), ("201 confirmed", &held.body["units"]));
    eventually("the end of the quarantine", async || (shop.figures().await == "3/0/2").then_some(())).await;
    assert_eq!(sound_totals(&shop).await, "2/0/0/3/0/0");

    let unknown = spillway_on(&shop.running, &["restore", new_sale_id().as_str()]);
    assert_eq!((unknown.code, unknown.out.as_str()), (Some(1), ""));
    assert!(unknown.err.contains("There is no such sale."), "{}", unknown.err);
    let stranger = shop.request(Method::POST, &format!("/admin/sales/{}/restore", shop.sale));
    assert_eq!(send(stranger).await.told(), "401 unauthenticated");
    assert_eq!(shop.report().await.epoch, 2, "the refused ones have changed nothing");
}

#[tokio::test]
async fn who_asks_for_it_twice_at_once_has_it_built_once() {
    let alone = Alone::with("restore-twice", units(4)).await;
    let both = tokio::join!(alone.stock.distrust(&alone.id, soon()), alone.stock.distrust(&alone.id, soon()));
    let mut both = [both.0.unwrap(), both.1.unwrap()];
    both.sort_unstable_by_key(|outcome| *outcome != DistrustOutcome::Distrusted);
    assert_eq!(both, [DistrustOutcome::Distrusted, DistrustOutcome::UnderWay]);
    alone.rebuild().await;
    assert_eq!(alone.stock.distrust(&alone.id, soon()).await.unwrap(), DistrustOutcome::UnderWay);
    assert_eq!(alone.stock.view(&alone.id, soon()).await.unwrap().unwrap().epoch, 2);
}

#[tokio::test]
async fn a_takeover_that_stopped_because_a_count_is_not_in_order_is_begun_anew_by_hand() {
    let alone = Alone::with("restore-stopped", brief(4)).await;
    assert!(matches!(alone.confirm(&alone.reserve(1, 1).await).await, ConfirmOutcome::Confirmed(_)));
    alone.lose().await;
    command(&alone.redis, "HSET", &[&format!("{{{}}}:sku:unit", alone.id), "sold", "9"]).await;
    let record = alone.load().await;
    for _ in 0..2 {
        let stopped = alone.ledger.rebuild(&alone.stock, &record, soon()).await;
        assert!(matches!(stopped, Err(PurchaseError::Stock(StockError::Broken(_)))), "{stopped:?}");
    }
    assert_eq!(alone.stock.distrust(&alone.id, soon()).await.unwrap(), DistrustOutcome::Distrusted);
    assert_eq!(alone.stock.distrust(&alone.id, soon()).await.unwrap(), DistrustOutcome::UnderWay);
    alone.rebuild().await;
    assert_eq!(alone.stock.distrust(&alone.id, soon()).await.unwrap(), DistrustOutcome::UnderWay);
    assert_eq!(alone.figures().await, "0/0/1/3");
    alone.end().await;
    assert_eq!(alone.figures().await, "3/0/1/0");
}

#[tokio::test]
async fn when_all_nodes_die_at_once_their_last_second_is_not_believed_to_be_all() {
    let stack = private("fence-all");
    // Longer than all nodes need to be back and in step.
    let shop = open_sale_in(stack.running().unwrap(), Definition { hold_seconds: 20, ..units(4) }).await;
    let [ann, bob] = ["ann", "bob"].map(|name| shop.shopper(name));
    let order = shop.confirm(&ann, &shop.hold(&ann, "wish").await).await;
    let held = shop.reserve(&bob, "wish", 1).await;
    for node in &stack.running().unwrap().redis {
        signal(node.pid, Signal::KILL);
    }
    eventually("the takeover", async || {
        let report = send(shop.admin(Method::GET, &format!("/sales/{}/report", shop.sale))).await;
        (report.status == 200 && report.body["epoch"] == 2).then_some(())
    })
    .await;
    assert_eq!(shop.order(&ann, order.field("id")).await.body, order.body);
    // As long as the replicas are not back, the answer is to ask again.
    let mut is_unknown = false;
    let kept = eventually("the confirm", async || {
        let kept = confirm_with(&shop, &bob, held.field("id"), &held.body["receipt"]).await;
        is_unknown |= kept.slug() == "outcome-unknown";
        (kept.status != 503).then_some(kept)
    })
    .await;
    let told = if is_unknown && kept.status == 200 { "200 confirmed" } else { "201 confirmed" };
    assert_eq!((kept.told().as_str(), &kept.body["units"]), (told, &held.body["units"]));
    eventually("the end of the quarantine", async || (shop.figures().await == "2/0/2").then_some(())).await;
    assert_eq!(sound_totals(&shop).await, "2/0/0/2/0/0");
}
