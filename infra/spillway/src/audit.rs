//! `cargo spillway audit`: every unit of a sale accounted for, by what Redis, the ledger and the journal say of it.
//!
//! It is read page by page while the sale may go on. What does not agree is looked at again, twice: what was under
//! way is over by then, and what is wrong stays wrong.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use indicatif::ProgressBar;
use sale::{SaleId, Sku, SkuView};
use serde::Serialize;

use crate::audit_books::{Books, Difference, Run, Totals, persistent, stock_difference};
use crate::audit_journal;
use crate::audit_print as print;
use crate::merchant::Merchant;
use crate::output::{unless_reader_left, write_json, write_line};
use crate::shop::ShopArguments;

/// How often what does not agree is looked at before it counts as wrong.
const ROUNDS: usize = 3;
/// Between two looks: a confirm takes less.
const PAUSE: Duration = Duration::from_secs(3);

/// Account for every unit of a sale: sold to which order, held until when, available, kept back, withdrawn. Fails where
/// Redis, the ledger and the journal do not agree, or the journal lacks entries. Changes nothing.
#[derive(Debug, Args)]
pub struct AuditArguments {
    #[command(flatten)]
    shop: ShopArguments,
    /// The sale.
    sale: SaleId,
    /// Print a line for each unit, too.
    #[arg(long)]
    units: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What was found of a SKU.
#[derive(Debug, Serialize)]
pub(crate) struct SkuAudit {
    pub(crate) sku: Sku,
    #[serde(flatten)]
    pub(crate) totals: Totals,
    pub(crate) differences: Vec<Difference>,
    /// Whether the counters were compared, too: they could not while they changed.
    pub(crate) is_quiet: bool,
    /// Whether the journal was compared, too: not where it is behind, or entries are missing.
    pub(crate) is_journal_compared: bool,
    #[serde(skip)]
    pub(crate) runs: Vec<Run>,
}

#[derive(Serialize)]
struct Audit<'a> {
    sale: &'a SaleId,
    skus: &'a [SkuAudit],
}

#[derive(Serialize)]
struct UnitLine<'a> {
    sku: &'a Sku,
    #[serde(flatten)]
    run: &'a Run,
}

impl AuditArguments {
    /// Does it; fails where anything does not agree.
    pub async fn run(self) -> Result<()> {
        let merchant = self.shop.merchant()?;
        let skus = audit_sale(&merchant, &self.sale).await?;
        unless_reader_left(self.print(&skus))?;
        match skus.iter().map(|sku| sku.differences.len()).sum() {
            0_usize if skus.iter().all(|sku| sku.is_journal_compared) => Ok(()),
            0 => bail!("the journal could not be compared: it is behind, or entries are missing"),
            1 => bail!("one difference between Redis, the ledger and the journal"),
            many => bail!("{many} differences between Redis, the ledger and the journal"),
        }
    }

    fn print(&self, skus: &[SkuAudit]) -> Result<()> {
        let runs = skus.iter().flat_map(|sku| sku.runs.iter().map(|run| (&sku.sku, run)));
        for (sku, run) in runs.filter(|_| self.units) {
            if self.json { write_json(&UnitLine { sku, run })? } else { write_line(print::run(sku, run))? }
        }
        if self.json {
            write_json(&Audit { sale: &self.sale, skus })
        } else {
            write_line(print::audit(&self.sale, skus))
        }
    }
}

/// Audits each SKU of a sale.
pub(crate) async fn audit_sale(merchant: &Merchant, sale: &SaleId) -> Result<Vec<SkuAudit>> {
    let mut skus = Vec::new();
    for SkuView { sku, .. } in merchant.report(sale).await?.skus {
        skus.push(audit(merchant, sale, &sku).await?);
    }
    audit_journal::compare(merchant, sale, &mut skus).await?;
    Ok(skus)
}

/// Audits one SKU.
async fn audit(merchant: &Merchant, sale: &SaleId, sku: &Sku) -> Result<SkuAudit> {
    let mut rounds = Vec::new();
    loop {
        let before = counters(merchant, sale, sku).await?;
        let books = read(merchant, sale, sku, &before).await?;
        let is_quiet = counters(merchant, sale, sku).await? == before;
        let (runs, mut differences) = books.close();
        let in_ledger = merchant.sale(sale).await?.definition.sku(sku).map(|sku| sku.stock);
        differences.extend(stock_difference(before.stock, in_ledger));
        if is_quiet {
            differences.extend(books.sums(&before));
        }
        rounds.push(differences);
        if rounds.iter().any(Vec::is_empty) || rounds.len() == ROUNDS {
            let totals = Totals::of(&runs);
            return Ok(SkuAudit {
                sku: sku.clone(),
                totals,
                differences: persistent(rounds),
                is_quiet,
                is_journal_compared: false,
                runs,
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn counters(merchant: &Merchant, sale: &SaleId, sku: &Sku) -> Result<SkuView> {
    let report = merchant.report(sale).await?;
    let found = report.skus.into_iter().find(|view| view.sku == *sku);
    found.with_context(|| format!("the sale {sale} has no SKU {sku} any more"))
}

/// What Redis and the ledger say of each unit.
async fn read(merchant: &Merchant, sale: &SaleId, sku: &Sku, counters: &SkuView) -> Result<Books> {
    let (mut books, mut cursor) = (Books::of(counters), None::<String>);
    let spinner = ProgressBar::new_spinner().with_message(format!("reading the units of {sku}"));
    loop {
        spinner.tick();
        let page = merchant.units(sale, sku, cursor.as_deref()).await?;
        for said in &page.units {
            books.note(said).map_err(|fault| anyhow!("the answer about {sku} cannot be: {fault}"))?;
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            spinner.finish_and_clear();
            return Ok(books);
        }
    }
}
