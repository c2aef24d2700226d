//! `cargo spillway queue …`: what a merchant does with a waiting room while it runs.

use anyhow::Result;
use api::{ACCOUNTS_MAX, QueueChange, QueueReport};
use clap::{Args, Subcommand};
use sale::SaleId;

use crate::output::{show, unless_reader_left};
use crate::shop::ShopArguments;
use crate::table::grouped;

/// Show a sale's waiting room, or change how it serves.
#[derive(Debug, Args)]
pub struct QueueArguments {
    #[command(flatten)]
    shop: ShopArguments,
    /// Print the API's JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show the figures.
    Show { sale: SaleId },
    /// Serve so many places a minute from now on.
    Rate { sale: SaleId, places_per_minute: u32 },
    /// Give turns that begin from now on so many seconds.
    Turn { sale: SaleId, seconds: u32 },
    /// Serve nobody more for now; whoever is served keeps their turn, which lasts longer by the pause.
    Pause { sale: SaleId },
    /// Go on after a pause.
    Resume { sale: SaleId },
    /// Serve so many more places at once, whatever the rate and the units.
    Step { sale: SaleId, places: u32 },
    /// Give no more tickets; whoever has one is still served.
    CloseDoor { sale: SaleId },
    /// Give tickets again.
    OpenDoor { sale: SaleId },
    /// Let these accounts pass the line, by the `sub` of their tokens.
    Bypass {
        sale: SaleId,
        #[arg(required = true)]
        accounts: Vec<String>,
        /// Let them pass no longer.
        #[arg(long)]
        remove: bool,
    },
}

impl QueueArguments {
    /// Does it and prints what became of it.
    pub async fn run(self) -> Result<()> {
        unless_reader_left(self.act().await)
    }

    async fn act(self) -> Result<()> {
        let merchant = self.shop.merchant()?;
        let nothing = QueueChange::default();
        let (sale, changes) = match self.action {
            Action::Show { sale } => (sale, vec![]),
            Action::Rate { sale, places_per_minute } => {
                (sale, vec![QueueChange { rate_per_minute: Some(places_per_minute), ..nothing }])
            }
            Action::Turn { sale, seconds } => {
                (sale, vec![QueueChange { turn_seconds: Some(seconds), ..nothing }])
            }
            Action::Pause { sale } => (sale, vec![QueueChange { paused: Some(true), ..nothing }]),
            Action::Resume { sale } => (sale, vec![QueueChange { paused: Some(false), ..nothing }]),
            Action::Step { sale, places } => {
                // What is sent is the place and not the number of places: a repeat serves nobody more.
                let served = merchant.queue(&sale).await?.room.serving;
                (sale, vec![QueueChange { serve_to: Some(whole(served) + u64::from(places)), ..nothing }])
            }
            Action::CloseDoor { sale } => (sale, vec![QueueChange { door_closed: Some(true), ..nothing }]),
            Action::OpenDoor { sale } => (sale, vec![QueueChange { door_closed: Some(false), ..nothing }]),
            Action::Bypass { sale, accounts, remove } => (sale, in_parts(&accounts, remove)),
        };
        let mut report = None;
        for change in changes {
            report = Some(merchant.change_queue(&sale, &change).await?);
        }
        let report = match report {
            Some(report) => report,
            None => merchant.queue(&sale).await?,
        };
        show(self.json, &report, words)
    }
}

/// As many accounts in each change as it may name.
fn in_parts(accounts: &[String], remove: bool) -> Vec<QueueChange> {
    let part = |accounts: &[String]| {
        let (named, nothing) = (accounts.to_vec(), QueueChange::default());
        if remove {
            QueueChange { bypass_remove: named, ..nothing }
        } else {
            QueueChange { bypass_add: named, ..nothing }
        }
    };
    accounts.chunks(ACCOUNTS_MAX).map(part).collect()
}

fn words(report: &QueueReport) -> String {
    let QueueReport { sale, room, waits, .. } = report;
    let state = serde_json::to_value(room.state).ok();
    let state = state.as_ref().and_then(|state| state.as_str()).unwrap_or_default().replace('_', " ");
    let door = if room.door_closed { ", its door is closed" } else { "" };
    let slowed = if report.pace < 1.0 {
        format!(", slowed to {:.0} % while shoppers cannot be served faster", report.pace * 100.0)
    } else {
        String::new()
    };
    let waits = match (waits.p50_seconds, waits.p90_seconds, waits.p99_seconds) {
        (Some(p50), Some(p90), Some(p99)) => {
            format!(
                "\n  who holds has waited {p50:.0} s at most in half of all cases, {p90:.0} s in 90 %, {p99:.0} s in 99 %"
            )
        }
        _ => String::new(),
    };
    let bypass = if report.bypass > 0 || report.bypassed > 0 {
        let (may, held) = (grouped(report.bypass), grouped(report.bypassed));
        format!("\n  {may} accounts may pass the line; {held} holds were made so")
    } else {
        String::new()
    };
    let waiting = room.last_place.saturating_sub(whole(room.serving));
    format!(
        "{sale}: {state}{door}\n  \
         {} places were given, {} of them by lot; {} are served, {} wait\n  \
         turns of {:.0} s: {} became a hold, {} passed unused\n  \
         {} places a minute{slowed}{waits}{bypass}",
        grouped(room.last_place),
        grouped(room.lobby),
        grouped(whole(room.serving)),
        grouped(waiting),
        room.turn_seconds,
        grouped(report.turns_used),
        grouped(report.turns_passed),
        grouped(report.rate_per_minute_set.into()),
    )
}

/// The highest place that is served.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(serving: f64) -> u64 {
    serving as u64
}
