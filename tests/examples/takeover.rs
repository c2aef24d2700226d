//! How long a takeover takes until the sale is served again, beside writing the same orders.
//!
//! `cargo run --release --package tests --example takeover [-- ORDERS]`. It writes so many orders into the ledger's
//! emulator, empties Redis and lets the takeover build the sale again. It prints how much shorter that is than
//! writing the orders was, and the longest time for which a script kept the master busy.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../on_master.rs"]
mod on_master;
#[path = "../terms.rs"]
mod terms;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use ledger::{Ledger, RecordOutcome, SaleRecord};
use sale::{Deadline, Reservation, ReservationId, ReservationState, Sale, SaleId, ShopperId, Sku, Stock};
use sentinel::{Client, Value};
use spillway::{OPERATOR, Parts, Stack, StackOptions};

use crate::on_master::{command, soon};
use crate::terms::units;

const ORDERS: u32 = 100_000;

/// A tenth of what sentinels wait before they take a silent master for down.
const LONGEST_MS_MAX: f64 = 150.0;

/// Writes under way at a time.
const WRITERS: usize = 32;

fn main() -> Result<()> {
    let orders = std::env::args().nth(1).map_or(Ok(ORDERS), |text| text.parse())?;
    let data = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/takeover"));
    let _ = std::fs::remove_dir_all(&data);
    std::fs::create_dir_all(&data)?;
    let options = StackOptions { parts: Parts::Stores, ..StackOptions::all_in(data.canonicalize()?) };
    let stack = Stack::start(options, Box::new(|_| {}))?;
    tokio::runtime::Runtime::new()?.block_on(measure(&stack, orders))
}

async fn measure(stack: &Stack, orders: u32) -> Result<()> {
    let running = stack.running()?;
    let redis = Client::new(running.connection(OPERATOR)?)?;
    let stock = Stock::new(redis.clone(), Duration::from_millis(500));
    let ledger = Ledger::of_emulator(&running.dynamodb_url).with_table(running.ledger_table.clone());
    let sale = sale(orders + orders / 10);
    ledger.create_sale(&SaleRecord::new(sale.clone()), soon()).await?;
    ledger.load(&stock, &sale.id, soon()).await?;

    println!("writing {orders} orders …");
    let begun_at = Instant::now();
    stream::iter(1..=orders)
        .map(|unit| write(&ledger, &sale.id, unit))
        .buffer_unordered(WRITERS)
        .try_collect::<()>()
        .await?;
    let writing = begun_at.elapsed();

    command(&redis, "FLUSHALL", &[]).await?;
    command(&redis, "CONFIG", &["SET", "slowlog-log-slower-than", "1000"]).await?;
    command(&redis, "SLOWLOG", &["RESET"]).await?;
    let begun_at = Instant::now();
    let record = ledger.load(&stock, &sale.id, soon()).await?.unwrap();
    ledger.rebuild(&stock, &record, Deadline::after(Duration::from_mins(10))).await?;
    let taking_over = begun_at.elapsed();

    let view = stock.view(&sale.id, soon()).await?.unwrap();
    ensure!(view.is_conserved() && view.skus[0].sold == orders, "not what the ledger says: {:?}", view.skus);
    println!("written in {:.1} s; taken over in {:.1} s", writing.as_secs_f64(), taking_over.as_secs_f64());
    println!("ratio: {:.3}", taking_over.as_secs_f64() / writing.as_secs_f64());
    let longest_ms = longest_ms(&command(&redis, "SLOWLOG", &["GET", "1000"]).await?);
    println!("longest script: {longest_ms:.1} ms");
    ensure!(longest_ms < LONGEST_MS_MAX, "a script is to take less than {LONGEST_MS_MAX} ms");
    Ok(())
}

fn sale(stock: u32) -> Sale {
    Sale::new(SaleId::parse("takeover").unwrap(), units(stock))
}

fn sku() -> Sku {
    Sku::parse("unit").unwrap()
}

/// An order of this unit, of a shopper of its own.
async fn write(ledger: &Ledger, sale: &SaleId, unit: u32) -> Result<()> {
    let now = Timestamp::now();
    let reservation = Reservation {
        id: ReservationId::from_bytes(rand::random()),
        sale: sale.clone(),
        sku: sku(),
        shopper: ShopperId::from_bytes(rand::random()),
        units: vec![unit],
        state: ReservationState::Confirming,
        expires_at: now,
        price_minor: 1_999,
        currency: "EUR".to_owned(),
        limit_per_shopper: 1,
        epoch: 1,
    };
    let recorded = ledger.record(&reservation, now, soon()).await?;
    ensure!(matches!(recorded, RecordOutcome::Recorded(_)), "{recorded:?}");
    Ok(())
}

/// The longest entry; each is a number, a time, how long it took in microseconds, and more.
fn longest_ms(entries: &Value) -> f64 {
    let Value::Array(entries) = entries else { return 0.0 };
    let took = entries.iter().filter_map(|entry| match entry {
        Value::Array(fields) => match fields.get(2) {
            Some(Value::Int(us)) => Some(*us),
            _ => None,
        },
        _ => None,
    });
    f64::from(u32::try_from(took.max().unwrap_or(0)).unwrap_or(u32::MAX)) / 1_000.0
}
