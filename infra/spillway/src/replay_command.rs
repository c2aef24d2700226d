//! `cargo spillway replay`: what a sale looked like at any instant, by its journal.

use anyhow::{Context, Result};
use api::JournalEntryAnswer;
use clap::Args;
use indicatif::ProgressBar;
use jiff::Timestamp;
use sale::SaleId;
use serde::Serialize;

use crate::merchant::Merchant;
use crate::output::{show, unless_reader_left};
use crate::replay::{Replay, SkuThen};
use crate::shop::ShopArguments;
use crate::table::{Table, grouped};

/// Show what a sale looked like at any instant: the counts of each SKU, by its journal. Entries are there some seconds
/// after what they tell of.
#[derive(Debug, Args)]
pub struct ReplayArguments {
    #[command(flatten)]
    shop: ShopArguments,
    /// The sale.
    sale: SaleId,
    /// The instant, such as `2027-03-01T10:00:05Z`; without it, the end of the journal.
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Print JSON, with every unit that was held or sold.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Then {
    sale: SaleId,
    at: Timestamp,
    skus: Vec<SkuThen>,
}

impl ReplayArguments {
    /// Reads the journal and prints that instant.
    pub async fn run(self) -> Result<()> {
        unless_reader_left(self.act().await)
    }

    async fn act(self) -> Result<()> {
        let merchant = self.shop.merchant()?;
        let mut replay = Replay::default();
        let add = |entry| {
            replay.add(entry);
            Ok(())
        };
        read_journal(&merchant, &self.sale, &mut None, add).await?;
        let end =
            replay.end().context("the sale's journal is empty: its first entries come within seconds")?;
        let at = self.at.unwrap_or(end);
        show(self.json, &Then { sale: self.sale, at, skus: replay.at(at) }, words)
    }
}

/// Reads all that a sale's journal has from this page on, entry by entry, and says which page comes next.
pub(crate) async fn read_journal(
    merchant: &Merchant,
    sale: &SaleId,
    cursor: &mut Option<String>,
    mut take: impl FnMut(JournalEntryAnswer) -> Result<()>,
) -> Result<()> {
    let mut entries = 0;
    let spinner = ProgressBar::new_spinner();
    loop {
        let page = merchant.journal(sale, cursor.as_deref()).await?;
        entries += page.entries.len() as u64;
        page.entries.into_iter().try_for_each(&mut take)?;
        spinner.set_message(format!("reading the journal: {} entries", grouped(entries)));
        spinner.tick();
        if page.next_cursor.is_none() {
            spinner.finish_and_clear();
            return Ok(());
        }
        *cursor = page.next_cursor;
    }
}

fn words(then: &Then) -> String {
    let headings = ["sku", "stock", "available", "held", "sold", "quarantined", "entries"];
    let mut table = Table::new(headings);
    let mut notes = Vec::new();
    for SkuThen {
        sku,
        stock,
        available,
        held,
        sold,
        quarantined,
        entries,
        missing,
        taken_back,
        was_lost_next,
        ..
    } in &then.skus
    {
        let [stock, available, held, sold, quarantined] =
            [stock, available, held, sold, quarantined].map(i64::to_string);
        table.row([sku.to_string(), stock, available, held, sold, quarantined, entries.to_string()]);
        if *missing > 0 {
            notes.push(format!("{sku}: {missing} entries are missing, so that its counts may be wrong"));
        }
        if *taken_back > 0 {
            notes.push(format!("{sku}: a failover took back {taken_back} entries, which are left out"));
        }
        if *was_lost_next {
            notes.push(format!("{sku}: Redis was lost next, and its last seconds may be missing"));
        }
    }
    if then.skus.is_empty() {
        notes.push("The sale was not there yet.".to_owned());
    } else if notes.is_empty() {
        notes.push("No entry is missing.".to_owned());
    }
    format!("{} at {}\n{table}{}", then.sale, then.at, notes.join("\n"))
}
