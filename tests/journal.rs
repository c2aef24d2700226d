//! The journal: every move of units, kept in order and once, whoever keeps it and whatever Redis loses meanwhile.

use std::cell::Cell;
use std::time::Duration;

use api::JournalEntryAnswer;
use futures_util::future::join_all;
use jiff::Timestamp;
use reqwest::Method;
use sale::{Definition, JournalEntry, SkuView, UnitChange};
use sentinel::Value as RedisValue;
use serde_json::{Value, json};
use spillway::Running;

use crate::commands::spillway_on;
use crate::compare::Memory;
use crate::shop::{Shop, open_sale, open_sale_in, send, units};
use crate::system::{command, empty_folder, eventually, private, redis, soon};
use crate::takeover::brief;
use crate::takeover_parts::Alone;

/// Every count, in the order in which a report has them.
type Counts = [i64; 5];

fn counts(sku: &SkuView) -> Counts {
    [sku.stock, sku.available, sku.held, sku.sold, sku.quarantined].map(i64::from)
}

/// What `replay` says of the only SKU at the end of the journal, or at an instant: its counts, and all it says.
async fn replay(running: &Running, sale: &str, at: Option<&str>) -> Option<(Counts, Value)> {
    let (running, sale, at) = (running.clone(), sale.to_owned(), at.map(str::to_owned));
    let run = tokio::task::spawn_blocking(move || {
        let at = at.iter().flat_map(|at| ["--at", at.as_str()]);
        let arguments: Vec<_> = ["replay", "--json", &sale].into_iter().chain(at).collect();
        spillway_on(&running, &arguments)
    });
    let run = run.await.unwrap();
    if run.code != Some(0) {
        assert!(run.err.contains("is empty"), "{}", run.err);
        return None;
    }
    let said: Value = serde_json::from_str(&run.out).unwrap();
    let sku = said["skus"].get(0)?.clone();
    let count = |name| sku[name].as_i64().unwrap();
    Some((["stock", "available", "held", "sold", "quarantined"].map(count), sku))
}

/// Waits until the journal says what the report says, and gives all that it says. Nothing may be missing.
pub(crate) async fn agreed(shop: &Shop) -> Value {
    let mut said = None;
    let sku = eventually("a journal that says what the report says", async || {
        let report = counts(&shop.report().await.skus[0]);
        let (counts, sku) = replay(&shop.running, shop.sale.as_str(), None).await?;
        let agrees = counts == report;
        if !agrees && said.replace((counts, report)) != Some((counts, report)) {
            println!("the journal says {counts:?}, the report {report:?}");
        }
        agrees.then_some(sku)
    })
    .await;
    assert_eq!(sku["missing"], 0, "{sku}");
    sku
}

#[tokio::test(flavor = "multi_thread")]
async fn any_instant_of_a_sale_can_be_seen_again() {
    let shop = open_sale(units(12)).await;
    let [ann, bob, cat] = ["ann", "bob", "cat"].map(|name| shop.shopper(name));
    let mut seen = Vec::new();
    let mut look = async || {
        let report = shop.report().await;
        seen.push((report.server_time.to_string(), counts(&report.skus[0])));
        // What comes next has another millisecond.
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    look().await;
    let kept = shop.hold(&ann, "wish").await;
    look().await;
    let order = shop.confirm(&ann, &kept).await;
    look().await;
    shop.release(&bob, &shop.hold(&bob, "wish").await).await;
    look().await;
    let id = shop.reserve(&cat, "wish", 2).await.field("id").to_owned();
    look().await;
    shop.cancel(order.field("id")).await;
    look().await;
    for (verb, quantity) in [("restock", 5), ("withdraw", 3)] {
        let request = shop.admin(Method::POST, &format!("/sales/{}/skus/unit/{verb}", shop.sale));
        send(request.header("idempotency-key", verb).json(&json!({ "quantity": quantity }))).await;
        look().await;
    }
    let end = agreed(&shop).await;
    let held: Vec<_> = end["units"].as_array().unwrap().iter().collect();
    assert_eq!(held.len(), 2);
    assert!(held.iter().all(|unit| unit["counted_as"] == "held" && unit["reservation_id"] == *id), "{end}");
    for (at, counts) in &seen {
        let (replayed, _) = replay(&shop.running, shop.sale.as_str(), Some(at)).await.unwrap();
        assert_eq!(replayed, *counts, "at {at}, of {seen:?}");
    }
    assert_eq!(replay(&shop.running, shop.sale.as_str(), Some("2020-01-01T00:00:00Z")).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_takeover_the_journal_goes_on_and_the_time_before_can_still_be_seen() {
    let stack = private("journal");
    let shop = open_sale_in(stack.running().unwrap(), brief(6)).await;
    let [ann, bob] = ["ann", "bob"].map(|name| shop.shopper(name));
    shop.confirm(&ann, &shop.hold(&ann, "wish").await).await;
    let held = shop.reserve(&bob, "wish", 2).await;
    agreed(&shop).await;
    let before = shop.report().await;
    command(&redis(&shop.running), "FLUSHALL", &[]).await;
    eventually("the takeover", async || {
        let path = format!("/sales/{}/report", shop.sale);
        (send(shop.admin(Method::GET, &path)).await.status == 200).then_some(())
    })
    .await;
    let request = shop.confirm_at(&shop.running.url, &bob, held.field("id"));
    let kept = send(request.json(&json!({ "receipt": held.body["receipt"] }))).await;
    assert_eq!(kept.told(), "201 confirmed", "{}", kept.text);
    eventually("the end of the quarantine", async || (shop.figures().await == "3/0/3").then_some(())).await;
    let end = agreed(&shop).await;
    assert_eq!((&end["epoch"], end["units"].as_array().unwrap().len()), (&json!(2), 3), "{end}");
    let at = before.server_time.to_string();
    let (then, _) = replay(&shop.running, shop.sale.as_str(), Some(&at)).await.unwrap();
    assert_eq!(then, counts(&before.skus[0]));
}

impl Alone {
    /// Every entry that the ledger has.
    async fn kept(&self) -> Vec<JournalEntry> {
        let mut entries = Vec::new();
        for number in 1.. {
            let part = self.ledger.journal_part(&self.id, number, soon()).await.unwrap();
            let Some(part) = part else { break };
            entries.extend(part);
        }
        entries
    }

    async fn keep(&self) -> usize {
        self.ledger.keep_journal(&self.stock, &self.id, soon()).await.unwrap()
    }

    async fn entries_in_redis(&self) -> i64 {
        match command(&self.redis, "XLEN", &[&format!("{{{}}}:journal", self.id)]).await {
            RedisValue::Int(length) => length,
            answer => panic!("{answer:?}"),
        }
    }
}

#[tokio::test]
async fn many_who_keep_it_at_once_keep_each_entry_once_and_in_order() {
    const HOLDS: u64 = 1_300;
    let alone = Alone::with("journal-at-once", units(10_000)).await;
    let hold = async |number: u64| {
        alone.reserve(u8::try_from(number % 200).unwrap(), 1).await;
    };
    let is_over = Cell::new(false);
    let holds = async {
        for batch in 0..HOLDS / 10 {
            join_all((0..10).map(|number| hold(batch * 10 + number))).await;
        }
        is_over.set(true);
    };
    let keeper = async || {
        while !is_over.get() {
            alone.keep().await;
            tokio::time::sleep(Duration::from_micros(rand::random_range(0..5_000))).await;
        }
    };
    tokio::join!(holds, keeper(), keeper(), keeper());
    alone.keep().await;
    assert_eq!(alone.keep().await, 0, "everything is kept");
    assert_eq!(alone.entries_in_redis().await, 1, "the last entry stays, and no other");
    let kept = alone.kept().await;
    let numbers: Vec<_> = kept.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, (1..=HOLDS + 1).collect::<Vec<_>>());
    assert!(kept.is_sorted_by(|one, next| one.id < next.id));
    assert_eq!(kept[0].change, UnitChange::Opened);
    assert!(kept[1..].iter().all(|entry| entry.change == UnitChange::Held && entry.units.len() == 1));
}

#[tokio::test]
async fn what_was_kept_stays_and_what_comes_is_kept_behind_it_whatever_redis_forgets() {
    let alone = Alone::with("journal-forgets", units(100)).await;
    for shopper in 0..3 {
        alone.reserve(shopper, 1).await;
        assert_eq!(alone.keep().await, if shopper == 0 { 2 } else { 1 });
    }
    let memory = Memory::of(&alone).await;
    // The node that is lost has a clock of its own: what it said is later than what comes.
    let ahead = (Timestamp::now().as_millisecond() + 60_000).to_string();
    command(&alone.redis, "HSET", &[&format!("{{{}}}", alone.id), "clock", &ahead]).await;
    alone.reserve(3, 1).await;
    assert_eq!(alone.keep().await, 1);
    let before = alone.kept().await;

    memory.restore(&alone).await;
    let again = alone.reserve(4, 1).await;
    alone.keep().await;
    let kept = alone.kept().await;
    assert_eq!(kept[..before.len()], before, "a part never changes");
    let ([.., last, resumed], lost) = (&kept[..], before.last().unwrap()) else { panic!("{kept:?}") };
    assert!(last.id < lost.id);
    assert_eq!((last.reservation, last.number), (Some(again.id), 5), "{kept:?}");
    assert_eq!((resumed.change, resumed.number), (UnitChange::Resumed, 6), "it tells what is lost");
    assert_eq!((lost.number, alone.entries_in_redis().await), (5, 1));

    let entries = kept.len();
    command(&alone.redis, "FLUSHALL", &[]).await;
    alone.load().await;
    alone.rebuild().await;
    alone.keep().await;
    let kept = alone.kept().await;
    assert_eq!((kept[entries].epoch, kept[entries].change), (2, UnitChange::Quarantined));
    assert_eq!((kept[entries].number, kept[entries].quantity), (1, 100));
}

#[tokio::test]
async fn a_ledger_that_was_restored_goes_on_behind_the_last_part_that_it_has() {
    let alone = Alone::with("journal-restored", units(100)).await;
    for shopper in 0..3 {
        alone.reserve(shopper, 1).await;
        alone.keep().await;
    }
    let mut restored = alone;
    restored.ledger = restored.ledger.with_table("restored".to_owned());
    restored.ledger.create_table_if_absent(soon()).await.unwrap();
    for shopper in 3..5 {
        restored.reserve(shopper, 1).await;
        restored.keep().await;
    }
    let kept = restored.kept().await;
    // The entry that Redis had kept from the last part comes again.
    assert_eq!(kept.iter().map(|entry| entry.number).collect::<Vec<_>>(), [4, 5, 6]);
}

#[tokio::test]
async fn a_journal_that_nobody_keeps_does_not_grow_for_ever() {
    const MAX: i64 = 100_000;
    const BATCHES: i64 = 21;
    const BATCH: i64 = 5_000;
    let alone = Alone::with("journal-bounded", units(10)).await;
    let fill = "for n = 1, tonumber(ARGV[1]) do redis.call('XADD', KEYS[1], '*', 'e', n) end";
    let key = format!("{{{}}}:journal", alone.id);
    for _ in 0..BATCHES {
        command(&alone.redis, "EVAL", &[fill, "1", &key, &BATCH.to_string()]).await;
    }
    assert!(alone.entries_in_redis().await > BATCHES * BATCH);
    // Entries are dropped with each 64th, a hundred at a time, and ten thousand of them at most by one script.
    for shopper in 0..32 {
        let held = alone.reserve(shopper, 1).await;
        alone.stock.release(&alone.id, &held.id, &held.shopper, soon()).await.unwrap();
    }
    let entries = alone.entries_in_redis().await;
    assert!((MAX..=MAX + 164).contains(&entries), "{entries}");
}

async fn page(shop: &Shop, query: &str) -> crate::shop::Answer {
    send(shop.admin(Method::GET, &format!("/sales/{}/journal{query}", shop.sale))).await
}

#[tokio::test]
async fn a_merchant_can_follow_the_journal_page_by_page() {
    let shop = open_sale(Definition { hold_seconds: 60, ..units(5) }).await;
    let ann = shop.shopper("ann");
    let id = shop.hold(&ann, "wish").await;
    shop.confirm(&ann, &id).await;
    let (mut cursor, mut entries) = (String::new(), Vec::<JournalEntryAnswer>::new());
    eventually("three entries", async || {
        let page = page(&shop, &cursor).await;
        assert_eq!(page.status, 200, "{}", page.text);
        entries.extend(serde_json::from_value::<Vec<_>>(page.body["entries"].clone()).unwrap());
        if let Some(next) = page.body["next_cursor"].as_str() {
            cursor = format!("?cursor={next}");
        }
        (entries.len() == 3).then_some(())
    })
    .await;
    let told: Vec<_> = entries.iter().map(|entry| (entry.change.as_str(), entry.number)).collect();
    assert_eq!(told, [("opened", 1), ("held", 2), ("sold", 3)]);
    assert_eq!(entries[2].reservation_id.unwrap().to_string(), id);
    assert_eq!(page(&shop, &cursor).await.body, json!({ "entries": [], "next_cursor": null }));
    for query in
        ["?cursor=0", "?cursor=x", "?cursor=-1", "?cursor=18446744073709551615", "?cursor=999999", "?limit=1"]
    {
        assert_eq!(page(&shop, query).await.told(), "400 invalid-request", "{query}");
    }
    let unknown = Shop { sale: crate::shop::new_sale_id(), ..shop };
    assert_eq!(page(&unknown, "").await.told(), "404 sale-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_and_journal_are_exported_for_tables_and_for_programs() {
    let shop = open_sale(units(5)).await;
    let ann = shop.shopper("ann");
    let order = shop.confirm(&ann, shop.reserve(&ann, "wish", 2).await.field("id")).await;
    agreed(&shop).await;
    let folder = empty_folder("export");
    let (sale, path) = (shop.sale.as_str(), folder.to_str().unwrap());
    let csv = spillway_on(&shop.running, &["sale", "export", sale, path]);
    assert!(csv.code == Some(0) && csv.out.contains("orders.csv: 1 orders"), "{}{}", csv.out, csv.err);
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let orders = read("orders.csv");
    assert!(orders.starts_with("id,reservation_id,sku,quantity,units,state,"), "{orders}");
    assert!(
        orders.contains(&format!("{},", order.field("id")))
            && orders.contains(",2,1 2,confirmed,1999,3998,EUR,")
    );
    let journal = read("journal.csv");
    assert!(journal.starts_with("id,at,epoch,number,sku,change,from,to,quantity,units,"), "{journal}");
    assert!(journal.contains(",1,3,unit,sold,held,sold,2,1 2,"), "{journal}");
    let run = spillway_on(&shop.running, &["sale", "export", sale, path, "--format", "ndjson", "--json"]);
    let said: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((&said["orders"]["lines"], &said["journal"]["lines"]), (&json!(1), &json!(3)));
    let line: Value = serde_json::from_str(read("orders.ndjson").trim()).unwrap();
    assert_eq!(line["id"], order.body["id"]);
    assert_eq!(read("journal.ndjson").lines().count(), 3);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 4, "nothing unfinished is left");
    let refused = spillway_on(&shop.running, &["sale", "export", sale, "/proc/nowhere"]);
    assert!(refused.code == Some(1) && refused.err.contains("/proc/nowhere"), "{}", refused.err);
}
