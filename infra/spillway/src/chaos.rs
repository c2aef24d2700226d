//! `cargo spillway chaos`: a crowd buys while things go wrong, and every promise is held against what happened.
//!
//! It works in rounds. Each has a sale of its own, a crowd, and one fault in the midst of it; then the system has to
//! become whole by itself, the crowd's own evidence is judged as after a rush, and an audit accounts for each unit. The
//! system is its own, so what a developer has running is left alone, and is made anew after some rounds.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::ValueEnum;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

use crate::arrivals::{Plan, Spacing};
use crate::audit::audit_sale;
use crate::chaos_fault::Fault;
use crate::chaos_print as print;
use crate::chaos_system::System;
use crate::chaos_victim::Victim;
use crate::functions::build_functions;
use crate::layout::checkout;
use crate::merchant::Merchant;
use crate::output::{write_json, write_line};
use crate::programs;
use crate::progress::say;
use crate::rush::Rush;
use crate::verdict::shortened;

/// More than this machine could send.
const RATE_MAX: f64 = 10_000.0;

/// The emulator of the ledger looks at every transaction of the last ten minutes with each one: after some ten rounds it
/// takes fewer than a crowd makes.
const ROUNDS_OF_A_SYSTEM: usize = 3;

/// Without a success after a killed master, at the median: what sentinels wait (`down-after`), and two seconds.
pub(crate) const SILENCE_OF_A_KILL_MAX: Duration = Duration::from_millis(3_500);

/// Units for so many of a hundred shoppers: some find the sale sold out.
const UNITS_PERCENT: u32 = 80;

/// Let things go wrong while a crowd buys, and check every promise. It uses a system of its own.
#[derive(Debug, Clone, clap::Args)]
pub struct ChaosArguments {
    /// Goes on for about so long, and at least until each fault was there once.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// The same seed draws the same faults in the same order. Random unless given.
    #[arg(long)]
    seed: Option<u64>,
    /// Arrivals a second.
    #[arg(long, default_value_t = 200.0)]
    rate: f64,
    /// Seconds in which a round's crowd arrives.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(5..=120))]
    seconds: u32,
    /// These faults only.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FAULT,…")]
    only: Vec<Fault>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

/// What is to happen.
#[derive(Debug, Clone)]
pub struct ChaosPlan {
    /// The faults of each pass.
    pub faults: Vec<Fault>,
    /// Passes begin until this is over, and there is one at least.
    pub length: Duration,
    /// Arrivals a second.
    pub rate: f64,
    /// Seconds in which a round's crowd arrives.
    pub seconds: u32,
    /// Where the drawing begins.
    pub seed: u64,
}

/// One fault, and what came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Round {
    /// What went wrong.
    pub fault: Fault,
    /// Orders that stand.
    pub orders: usize,
    /// Promises that were broken.
    pub broken_promises: Vec<String>,
    /// Acknowledged holds that were refused at their confirm, or whose unit somebody else was given, too. Where every
    /// hold is to be kept, they are among the promises that were broken.
    pub holds_lost: usize,
    /// The longest time in which no request succeeded.
    pub silence_ms: u64,
    /// From the end of the fault until the cluster had nothing to complain of.
    pub whole_after_ms: u64,
}

/// A fault that cannot happen on this machine.
#[derive(Debug, Serialize)]
pub(crate) struct LeftOut {
    /// What would have gone wrong.
    pub(crate) fault: Fault,
    /// Why it cannot.
    pub(crate) because: String,
}

#[derive(Serialize)]
struct Report<'a> {
    seed: u64,
    left_out: &'a [LeftOut],
    rounds: &'a [Round],
}

impl ChaosArguments {
    /// Runs the command; fails when a promise was broken.
    pub async fn run(self) -> Result<()> {
        ensure!(
            self.rate > 0.0 && self.rate <= RATE_MAX,
            "--rate must be more than 0 and at most {RATE_MAX}"
        );
        // With --json standard output is the report's alone.
        let say = |line: &str| {
            if !self.json {
                say(line);
            }
        };
        programs::ensure()?;
        say("building the functions (the first time takes some minutes)");
        build_functions()?;
        let data = checkout().join("target/chaos");
        let (faults, left_out) = self.faults(&data)?;
        let plan = ChaosPlan {
            faults,
            length: Duration::from_secs(60 * self.minutes),
            rate: self.rate,
            seconds: self.seconds,
            seed: self.seed.unwrap_or_else(rand::random),
        };
        say(&format!("seed {}", plan.seed));
        let mut rounds = Vec::new();
        let note = |round: Round| {
            say(&print::round(&round));
            rounds.push(round);
        };
        let ended = tokio::select! {
            ended = plan.run(&data, note) => ended,
            // What is mounted is unmounted.
            _ = tokio::signal::ctrl_c() => Err(anyhow!("ended before its time")),
        };
        // However it ended: what an hour has found is told.
        if self.json {
            write_json(&Report { seed: plan.seed, left_out: &left_out, rounds: &rounds })?;
        } else if !rounds.is_empty() {
            write_line(print::report(&rounds, &left_out))?;
        }
        ended?;
        let broken: usize = rounds.iter().map(|round| round.broken_promises.len()).sum();
        ensure!(broken == 0, "{broken} promises were broken; --seed {} draws the same again", plan.seed);
        if let Some(median) = print::silence(&rounds, Fault::KillMaster) {
            ensure!(
                median <= millis(SILENCE_OF_A_KILL_MAX),
                "a killed master is to be missed for {SILENCE_OF_A_KILL_MAX:?} at most, at the median"
            );
        }
        Ok(())
    }

    /// What is to happen, and what cannot here. A fault that was asked for by its name is not left out.
    fn faults(&self, data: &Path) -> Result<(Vec<Fault>, Vec<LeftOut>)> {
        let wanted = if self.only.is_empty() { Fault::value_variants() } else { &self.only };
        let (mut faults, mut left_out) = (Vec::new(), Vec::new());
        for fault in wanted.iter().copied() {
            match fault.require(data) {
                Ok(()) => faults.push(fault),
                Err(error) if self.only.is_empty() => {
                    left_out.push(LeftOut { fault, because: format!("{error:#}") });
                }
                Err(error) => bail!("{} cannot happen here: {error:#}", fault.name()),
            }
        }
        Ok((faults, left_out))
    }
}

impl ChaosPlan {
    /// Does it all, with data and logs in this folder, which is emptied first; gives each round when it is over.
    pub async fn run(&self, data: &Path, mut give: impl FnMut(Round)) -> Result<()> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(self.seed);
        let end = Instant::now() + self.length;
        loop {
            let mut faults = self.faults.clone();
            faults.shuffle(&mut random);
            for faults in faults.chunks(ROUNDS_OF_A_SYSTEM) {
                let system = System::start(data, &self.faults).await?;
                for fault in faults {
                    let round = self.round(&system, *fault, &mut random).await;
                    give(round.with_context(|| format!("the round with {} came to no end", fault.name()))?);
                }
                system.stop().await?;
            }
            if Instant::now() > end {
                return Ok(());
            }
        }
    }

    async fn round(&self, system: &System, fault: Fault, random: &mut Xoshiro256PlusPlus) -> Result<Round> {
        let running = system.stack.running()?;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let shoppers = (self.rate * f64::from(self.seconds)).ceil() as u32;
        let plan = Plan {
            shoppers,
            rate: self.rate,
            spacing: Spacing::Poisson,
            repeat: 0.1,
            greedy: 0.01,
            confirm: 0.9,
            think_ms_max: 5_000,
            seed: random.random(),
        };
        let stock = (shoppers * UNITS_PERCENT / 100).max(1);
        let struck_after = Duration::from_millis(random.random_range(200..400) * u64::from(self.seconds));
        let crowd = Rush::run(&running, plan, stock, |_, _| {});
        let trouble = async {
            tokio::time::sleep(struck_after).await;
            fault.strike(&Victim::of(system)?, random).await?;
            system.become_whole().await
        };
        let (rush, whole_after) = tokio::join!(crowd, trouble);
        let (rush, whole_after) = (rush?, whole_after?);
        let mut broken_promises = rush.broken_promises.clone();
        for sku in audit_sale(&Merchant::new(&running)?, &rush.sale).await? {
            broken_promises.extend(sku.differences.iter().map(|difference| format!("audit: {difference}")));
            if !sku.is_quiet {
                broken_promises.push("audit: the counters went on changing".to_owned());
            }
            if !sku.is_journal_compared {
                broken_promises.push("audit: the journal is behind, or entries are missing".to_owned());
            }
        }
        let holds_lost = rush.broken_holds.len();
        if fault.keeps_holds() {
            broken_promises.extend(shortened(rush.broken_holds.clone()));
        }
        Ok(Round {
            fault,
            orders: rush.orders_confirmed(),
            broken_promises,
            holds_lost,
            silence_ms: millis(rush.counts.longest_silence()),
            whole_after_ms: millis(whole_after),
        })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
