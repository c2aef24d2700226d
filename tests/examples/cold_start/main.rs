//! How long the functions take from the start of their process to their first answer, beside a hello-world
//! under the same Lambda runtime interface; how large they are, how much memory they take, and how much
//! processor time a further request of those that sell.
//!
//! `cargo run --release --package tests --example cold_start [-- ROUNDS [FOLDER]]`. Each round starts every
//! function twice: for `/livez`, which needs nothing, and for its most usual request. Figures are medians; it fails
//! where one is above the limit.
//! FOLDER is where functions lie that were built otherwise, `reserve` and `confirm` at least; and `hello_world`, if it
//! was, else it is the usual one.
//!
//! The emulator of the ledger has no TLS, which the real one has. So those that use it are started a third time,
//! with an endpoint over TLS, for `/livez`: what they read for it then happens beside the start.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod launch;
mod purchase;
#[path = "../../runtime.rs"]
mod runtime;
#[path = "../../terms.rs"]
mod terms;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;
use spillway::{Parts, Stack, StackOptions, build_functions, cargo, zipped_bytes};

use crate::launch::{Launch, keep_busy, launch};
use crate::purchase::Market;
use crate::runtime::event;

const ROUNDS: usize = 40;

const FUNCTIONS: [&str; 6] = ["session", "page", "queue", "reserve", "confirm", "admin"];
const WITH_LEDGER: [&str; 2] = ["confirm", "admin"];

/// How many requests the processor time of one is the mean of.
const FURTHER: usize = 500;

/// A function may take as many times as long as the hello-world, and its round trips.
const RATIO_MAX: f64 = 1.5;

/// What was measured of one function.
#[derive(Default)]
struct Figures {
    alive: Vec<Duration>,
    alive_with_tls: Vec<Duration>,
    first: Vec<Duration>,
    trips: Vec<Duration>,
    peak_kib: Vec<u64>,
}

impl Figures {
    fn note(&mut self, alive: &Launch, first: &Launch, trips: Duration) {
        self.alive.push(alive.elapsed);
        self.first.push(first.elapsed);
        self.trips.push(trips);
        self.peak_kib.push(first.peak_kib);
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments.next().map_or(Ok(ROUNDS), |rounds| rounds.parse())?;
    ensure!((1..=1_000).contains(&rounds), "1 to 1000 rounds");
    let release = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release"));
    let functions = arguments.next().map_or_else(|| release.to_owned(), PathBuf::from);
    build_functions()?;
    let is_built = cargo()
        .args(["build", "--release", "--quiet", "--package", "tests", "--example", "hello_world"])
        .status()?;
    ensure!(is_built.success(), "hello_world does not build");
    let usual = release.join("examples/hello_world");
    let hello = Some(functions.join("hello_world")).filter(|hello| hello.exists()).unwrap_or(usual);

    let data = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/cold-start"));
    let _ = std::fs::remove_dir_all(&data);
    let options = StackOptions { parts: Parts::Stores, ..StackOptions::all_in(data) };
    let stack = tokio::task::spawn_blocking(|| Stack::start(options, Box::new(|_| {}))).await??;
    let market = Market::open(stack.running()?, u32::try_from(2 * rounds + FURTHER + 1)?).await?;
    let settings = market.settings()?;

    let mut with_tls = settings.clone();
    with_tls.retain(|(name, _)| name != "AWS_ENDPOINT_URL_DYNAMODB");
    with_tls.push(("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), "https://127.0.0.1:1".to_owned()));

    let present = || FUNCTIONS.iter().filter(|function| functions.join(function).exists());
    let livez = || event("GET", "/livez", &[], "");
    let (mut greeted, mut hello_peak_kib) = (Vec::new(), Vec::new());
    let mut figures: [Figures; FUNCTIONS.len()] = Default::default();
    for round in 0..rounds {
        let trips = market.trips(round).await?;
        let mut held = Value::Null;
        for (function, figures) in present().zip(&mut figures) {
            let (request, status, trips) = match *function {
                "session" => (market.open_session(), 201, Duration::ZERO),
                "page" => (market.status(), 200, trips.view),
                "queue" => (market.join(round)?, 201, trips.join),
                "reserve" => (market.reserve(round)?, 201, trips.reserve),
                "confirm" => (market.confirm(round, &held)?, 201, trips.confirm),
                _ => (market.show(), 200, trips.show),
            };
            // Beside each, so that whatever else this machine does meets both.
            let greeting = launch(&hello, &[], livez(), 200).await?;
            greeted.push(greeting.elapsed);
            hello_peak_kib.push(greeting.peak_kib);
            let program = functions.join(function);
            let alive = launch(&program, &settings, livez(), 200).await?;
            let first = launch(&program, &settings, request, status).await?;
            figures.note(&alive, &first, trips);
            if WITH_LEDGER.contains(function) {
                figures.alive_with_tls.push(launch(&program, &with_tls, livez(), 200).await?.elapsed);
            }
            if *function == "reserve" {
                held = first.response;
            }
        }
    }
    let shoppers = rounds..=rounds + FURTHER;
    let wishes = shoppers.clone().map(|shopper| market.reserve(shopper)).collect::<Result<_>>()?;
    let (reserving, held) = keep_busy(&functions.join("reserve"), &settings, wishes, 201).await?;
    let confirms = shoppers.zip(&held).map(|(shopper, held)| market.confirm(shopper, held));
    let confirms = confirms.collect::<Result<_>>()?;
    let (confirming, _) = keep_busy(&functions.join("confirm"), &settings, confirms, 201).await?;
    tokio::task::spawn_blocking(|| drop(stack)).await?;

    let mut too_long = Vec::new();
    let unit = ms(median(&mut greeted));
    println!("                zipped   memory    start           first request  its round trips  the rest");
    println!(
        "hello-world  {:>6} KiB  {:>4.1} MiB  {unit:>5.1} ms",
        zipped_bytes(&hello)? / 1_024,
        mib(median(&mut hello_peak_kib))
    );
    for (function, figures) in present().zip(&mut figures) {
        let (alive, first) = (ms(median(&mut figures.alive)), ms(median(&mut figures.first)));
        let trips = ms(median(&mut figures.trips));
        let rest = first - trips;
        let is_too_long = rest / unit > RATIO_MAX;
        if is_too_long {
            too_long.push(*function);
        }
        println!(
            "{function:<11}  {:>6} KiB  {:>4.1} MiB  {alive:>5.1} ms {:>5.2}x  {first:>9.1} ms  {trips:>12.1} ms  {rest:>5.1} ms {:>5.2}x{}",
            zipped_bytes(&functions.join(function))? / 1_024,
            mib(median(&mut figures.peak_kib)),
            alive / unit,
            rest / unit,
            if is_too_long { "  too long" } else { "" }
        );
        if !figures.alive_with_tls.is_empty() {
            let alive = ms(median(&mut figures.alive_with_tls));
            println!("  with TLS to the ledger       {alive:>5.1} ms {:>5.2}x", alive / unit);
        }
    }
    let (reserving, confirming) = (ms(reserving), ms(confirming));
    println!("processor time of a further request: reserve {reserving:.2} ms, confirm {confirming:.2} ms");
    println!("medians of {rounds}; x is times hello-world, of which {RATIO_MAX} are the limit");
    ensure!(too_long.is_empty(), "the rest takes too long: {}", too_long.join(", "));
    Ok(())
}

fn median<T: Ord + Copy>(values: &mut [T]) -> T {
    values.sort_unstable();
    values[values.len() / 2]
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

#[allow(clippy::cast_precision_loss)]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1_024.0
}
