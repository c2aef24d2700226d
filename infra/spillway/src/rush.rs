//! `cargo spillway rush`: a crowd buys from the running system, and every promise is checked afterwards.
//!
//! The crowd is an open model (see [`Plan`]), latencies count from the instant at which a request was
//! due, and what was sold is counted in the ledger, not from answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use api::{OrderAnswer, QueueReport, Report};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use sale::{Definition, SaleId, ShopperKind, Sku, SkuDefinition, WaitingRoom};

use crate::arrivals::{Plan, Spacing};
use crate::crowd::{make_shoppers, send};
use crate::memory::{data_bytes, watch_bytes};
use crate::merchant::Merchant;
use crate::output::{write_json, write_line};
use crate::running::{Running, RunningArguments};
use crate::rush_print::{self as print, Figures};
use crate::tally::{Class, Counts, Tally};
use crate::turnstile::Turnstile;
use crate::verdict::{Evidence, shortened};
use crate::visit::{Market, Visit};

/// Holds outlast the longest rush, so that no expiry hides what became of one.
const HOLD_SECONDS: u32 = 3_600;
const RUSH_SECONDS_MAX: f64 = 3_000.0;
const LIMIT_PER_SHOPPER: u32 = 1;

/// Confirms whose shopper gave up are settled by the sweep after about twelve seconds.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(45);
const SETTLE_PAUSE: Duration = Duration::from_secs(1);
const PROGRESS_PAUSE: Duration = Duration::from_millis(200);

const SKU: &str = "unit";

/// Whoever is called comes at once; a turn that nobody uses passes soon.
const TURN_SECONDS: u32 = 10;

/// Send a crowd to the running system and check every promise.
#[derive(Debug, Clone, clap::Args)]
pub struct RushArguments {
    #[command(flatten)]
    running: RunningArguments,
    /// Shoppers who come, each once.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=5_000_000))]
    shoppers: u32,
    /// Arrivals a second.
    #[arg(long, default_value_t = 1_000.0)]
    rate: f64,
    /// Units on sale.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    stock: u32,
    /// Have the crowd take tickets and wait for their turn.
    #[arg(long)]
    queue: bool,
    /// With --queue: places served a second.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=16_000))]
    serve: u32,
    /// With --queue: the sale opens so many seconds after the crowd sets out; whoever is there before draws a lot.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=600))]
    opens_in: u32,
    /// How arrivals are spread over time.
    #[arg(long, value_enum, default_value_t = Spacing::Poisson)]
    spacing: Spacing,
    /// Share of shoppers whose requests are all sent twice at once.
    #[arg(long, default_value_t = 0.1)]
    repeat: f64,
    /// Share of shoppers who ask with a second key at the same instant.
    #[arg(long, default_value_t = 0.01)]
    greedy: f64,
    /// Share of holders who confirm; the others leave.
    #[arg(long, default_value_t = 1.0)]
    confirm: f64,
    /// Longest pause between a hold and its confirm, in milliseconds.
    #[arg(long, default_value_t = 15_000)]
    think_ms: u32,
    /// The same seed draws the same crowd. Random unless given.
    #[arg(long)]
    seed: Option<u64>,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

/// A rush that is over: what was counted, and which promises were broken.
#[derive(Debug)]
pub struct Rush {
    pub(crate) sale: SaleId,
    pub(crate) plan: Plan,
    pub(crate) stock: u32,
    pub(crate) counts: Counts,
    pub(crate) orders: Vec<OrderAnswer>,
    pub(crate) report: Report,
    /// Memory of the master's data before and after, in bytes.
    pub(crate) memory: (u64, u64),
    /// The waiting room, if there was one.
    pub(crate) queue: Option<Queue>,
    /// Broken promises but those of holds.
    pub(crate) broken_promises: Vec<String>,
    /// Acknowledged holds that were not kept.
    pub(crate) broken_holds: Vec<String>,
}

/// What is on sale, and how the crowd is let in.
struct Terms {
    stock: u32,
    line: Option<Line>,
}

/// A waiting room.
struct Line {
    serving_per_second: u32,
    opens_in_seconds: u32,
}

/// A waiting room after a rush.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) report: QueueReport,
    /// What it took in Redis at most, the lobby included.
    pub(crate) bytes: u64,
    /// How often the status was asked for.
    pub(crate) polls: u64,
    /// By how many places somebody was before or behind their place at most when units were held.
    pub(crate) displacement: usize,
}

impl RushArguments {
    /// Runs the command; fails when a promise was broken.
    pub async fn run(self) -> Result<()> {
        let running = self.running.find()?;
        let plan = self.plan()?;
        ensure!(
            running.parts.have_functions(),
            "a crowd needs `cargo spillway up` with its functions: `cargo lambda watch` stops for good at about \
             a hundred waiting requests"
        );
        let bar = progress_bar(plan.shoppers);
        let line = Line { serving_per_second: self.serve, opens_in_seconds: self.opens_in };
        let terms = Terms { stock: self.stock, line: self.queue.then_some(line) };
        let gateways = std::slice::from_ref(&running.url);
        let rush = Rush::run_with(&running, gateways, plan, terms, |arrived, words| {
            bar.set_position(arrived);
            bar.set_message(words);
        });
        let rush = rush.await?;
        bar.finish_and_clear();
        if self.json {
            write_json(&Figures::of(&rush))?;
        } else {
            write_line(print::figures(&rush))?;
        }
        let broken = rush.broken_promises().len();
        ensure!(broken == 0, "{broken} promises were broken");
        Ok(())
    }

    fn plan(&self) -> Result<Plan> {
        ensure!(self.rate.is_finite() && self.rate > 0.0, "--rate must be more than 0");
        for (name, share) in
            [("--repeat", self.repeat), ("--greedy", self.greedy), ("--confirm", self.confirm)]
        {
            ensure!((0.0..=1.0).contains(&share), "{name} is a share, 0 to 1");
        }
        let plan = Plan {
            shoppers: self.shoppers,
            rate: self.rate,
            spacing: self.spacing,
            repeat: self.repeat,
            greedy: self.greedy,
            confirm: self.confirm,
            think_ms_max: self.think_ms,
            seed: self.seed.unwrap_or_else(rand::random),
        };
        let seconds = plan.length().as_secs_f64();
        ensure!(seconds <= RUSH_SECONDS_MAX, "{seconds:.0} s are too long; at most {RUSH_SECONDS_MAX:.0} s");
        Ok(plan)
    }
}

impl Rush {
    /// Makes a sale of its own, sends the crowd, waits until everything is settled, and judges.
    /// `progress` is told now and then how many have arrived, and what became of them in words.
    pub async fn run(
        running: &Running,
        plan: Plan,
        stock: u32,
        progress: impl Fn(u64, String),
    ) -> Result<Self> {
        Self::run_at(running, std::slice::from_ref(&running.url), plan, stock, progress).await
    }

    /// The same, with a crowd that is spread over several gateways and repeats each request at another one.
    pub async fn run_at(
        running: &Running,
        gateways: &[String],
        plan: Plan,
        stock: u32,
        progress: impl Fn(u64, String),
    ) -> Result<Self> {
        let terms = Terms { stock, line: None };
        Self::run_with(running, gateways, plan, terms, progress).await
    }

    async fn run_with(
        running: &Running,
        gateways: &[String],
        plan: Plan,
        terms: Terms,
        progress: impl Fn(u64, String),
    ) -> Result<Self> {
        ensure!(!gateways.is_empty(), "a crowd needs a gateway");
        let stock = terms.stock;
        let merchant = Merchant::new(running)?;
        let sale = SaleId::parse(&format!("rush-{:016x}", rand::random::<u64>()))?;
        merchant.define(&sale, &definition(&terms)?).await.context("the sale of the rush cannot be made")?;
        let memory_before = data_bytes(running).await?;
        let shoppers = make_shoppers(plan.shoppers, sale.as_str(), &running.shopper_secret)?;
        let turnstile = Turnstile::new(running.http_client()?, &running.url, sale.clone());
        let market = Arc::new(Market {
            http: running.http_client()?,
            urls: gateways.iter().map(|url| format!("{url}/sales/{sale}")).collect(),
            sku: SKU,
            turnstile: terms.line.is_some().then_some(turnstile),
            tally: Tally::default(),
        });
        let (line_keys, line_bytes) =
            (["queue", "lobby"].map(|key| format!("{{{sale}}}:{key}")), AtomicU64::new(0));
        let visits = {
            let mut crowd = std::pin::pin!(send(market.clone(), plan.draw(), shoppers));
            let measured = Box::pin(watch_bytes(running, &line_keys, &line_bytes));
            let mut calls = std::pin::pin!(call(market.turnstile.as_ref(), measured));
            loop {
                tokio::select! {
                    visits = &mut crowd => break visits,
                    () = &mut calls => {}
                    () = tokio::time::sleep(PROGRESS_PAUSE) => {
                        let counts = market.tally.counts();
                        progress(counts.arrived + counts.dropped, print::progress(&counts));
                    }
                }
            }
        };
        let report = settled(&merchant, &sale).await?;
        let memory = (memory_before, data_bytes(running).await?);
        let orders = all_orders(&merchant, &sale).await?;
        let queue = match &market.turnstile {
            Some(turnstile) => Some(Queue {
                report: merchant.queue(&sale).await?,
                bytes: line_bytes.load(Ordering::Relaxed),
                polls: turnstile.polls(),
                displacement: displacement(&visits),
            }),
            None => None,
        };
        merchant.change(&sale, "close").await.context("the sale of the rush cannot be closed")?;
        let evidence = Evidence {
            visits: &visits,
            orders: &orders,
            report: &report,
            stock,
            limit: LIMIT_PER_SHOPPER as usize,
        };
        let (mut broken_promises, broken_holds) = (evidence.broken_promises(), evidence.broken_holds());
        if market.turnstile.as_ref().is_some_and(|turnstile| !turnstile.is_draw_as_announced()) {
            broken_promises.push("the seed of the draw is not the one whose hash was announced".to_owned());
        }
        let counts = market.tally.counts();
        Ok(Self { sale, plan, stock, counts, orders, report, memory, queue, broken_promises, broken_holds })
    }

    /// Every promise that was broken, in words.
    #[must_use]
    pub fn broken_promises(&self) -> Vec<String> {
        [self.broken_promises.clone(), shortened(self.broken_holds.clone())].concat()
    }

    /// How often one request was repeated at most until its outcome was known.
    #[must_use]
    pub fn repeats_max(&self) -> u32 {
        self.counts.repeats_max
    }

    /// Requests that got no answer or a server's error, by status (0 for none) and slug.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let failures = self.counts.answers.iter().filter(|(kind, _)| kind.class() == Class::Failure);
        failures.map(|(kind, times)| format!("{times} times {} {}", kind.status, kind.slug)).collect()
    }

    /// Orders that stand in the ledger.
    #[must_use]
    pub fn orders_confirmed(&self) -> usize {
        self.orders.iter().filter(|order| order.is_confirmed()).count()
    }
}

fn definition(terms: &Terms) -> Result<Definition> {
    let now = Timestamp::now();
    Ok(Definition {
        title: "A rush".to_owned(),
        description: String::new(),
        picture: None,
        currency: "EUR".to_owned(),
        opens_at: Some(
            now + SignedDuration::from_secs(
                terms.line.as_ref().map_or(0, |line| line.opens_in_seconds).into(),
            ),
        ),
        closes_at: now + SignedDuration::from_hours(2),
        hold_seconds: HOLD_SECONDS,
        limit_per_shopper: LIMIT_PER_SHOPPER,
        shoppers: vec![ShopperKind::Account],
        waiting_room: terms.line.as_ref().map(|line| WaitingRoom {
            lobby_opens_at: None,
            rate_per_minute: line.serving_per_second * 60,
            turn_seconds: TURN_SECONDS,
        }),
        skus: vec![SkuDefinition {
            sku: Sku::parse(SKU)?,
            title: "Unit".to_owned(),
            price_minor: 1_000,
            stock: terms.stock,
        }],
    })
}

/// Calls shoppers whose turn it is, and measures the line, for ever; without a waiting room there is nothing to do.
async fn call(turnstile: Option<&Turnstile>, measured: impl Future<Output = Result<()>>) {
    match turnstile {
        Some(turnstile) => drop(tokio::join!(turnstile.run(), measured)),
        None => std::future::pending().await,
    }
}

/// Units are given in the order of their serials: by how many places that order differs from the one of the tickets.
fn displacement(visits: &[Visit]) -> usize {
    let mut held: Vec<_> = visits
        .iter()
        .filter_map(|visit| Some((visit.place?, *visit.holds.first()?.units.first()?)))
        .collect();
    held.sort_unstable_by_key(|(place, _)| *place);
    let mut by_unit: Vec<_> = held.iter().enumerate().map(|(rank, (_, unit))| (*unit, rank)).collect();
    by_unit.sort_unstable();
    by_unit.iter().enumerate().map(|(order, (_, rank))| order.abs_diff(*rank)).max().unwrap_or(0)
}

/// The figures once no confirm waits to be finished, or after all patience.
async fn settled(merchant: &Merchant, sale: &SaleId) -> Result<Report> {
    let give_up = Instant::now() + SETTLE_TIMEOUT;
    loop {
        let report = merchant.report(sale).await?;
        if report.unsettled == 0 || Instant::now() > give_up {
            return Ok(report);
        }
        tokio::time::sleep(SETTLE_PAUSE).await;
    }
}

async fn all_orders(merchant: &Merchant, sale: &SaleId) -> Result<Vec<OrderAnswer>> {
    let mut orders = Vec::new();
    let mut cursor = None;
    loop {
        let page = merchant.orders(sale, cursor.as_deref()).await?;
        orders.extend(page.orders);
        match page.next_cursor {
            Some(next) if cursor.as_ref() == Some(&next) => bail!("the list of orders does not end"),
            Some(next) => cursor = Some(next),
            None => return Ok(orders),
        }
    }
}

fn progress_bar(shoppers: u32) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} arrived, {msg}");
    ProgressBar::new(shoppers.into()).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
