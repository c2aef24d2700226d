//! `cargo spillway restore`: a sale is built again of the ledger, by hand.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use api::Report;
use clap::Args;
use indicatif::ProgressBar;
use sale::SaleId;

use crate::merchant::Merchant;
use crate::output::{show, unless_reader_left};
use crate::sale_print;
use crate::shop::ShopArguments;

/// A sale of a million units takes less.
const TIMEOUT: Duration = Duration::from_mins(5);
const POLL: Duration = Duration::from_millis(500);

/// Build a sale again of the ledger, whatever Redis has of it: where Redis is not in order, or an audit shows
/// differences that stay. Orders stand, and whoever has a receipt keeps the hold. Units that are not sold are kept back
/// for the longest hold. The system does the same by itself where Redis has lost the sale or its history.
#[derive(Debug, Args)]
pub struct RestoreArguments {
    #[command(flatten)]
    shop: ShopArguments,
    /// The sale.
    sale: SaleId,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

impl RestoreArguments {
    /// Has it begun, and waits until shoppers are served again.
    pub async fn run(self) -> Result<()> {
        let merchant = self.shop.merchant()?;
        merchant.restore(&self.sale).await?;
        let report = await_report(&merchant, &self.sale).await?;
        unless_reader_left(show(self.json, &report, words))
    }
}

/// The sale's figures as soon as there are any.
async fn await_report(merchant: &Merchant, sale: &SaleId) -> Result<Report> {
    let spinner =
        ProgressBar::new_spinner().with_message(format!("{sale} is being built again of the ledger"));
    let begun = Instant::now();
    loop {
        spinner.tick();
        match merchant.report(sale).await {
            Ok(report) => {
                spinner.finish_and_clear();
                return Ok(report);
            }
            Err(error) if begun.elapsed() > TIMEOUT => {
                return Err(error).context("it is being built again, and is not there yet");
            }
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}

fn words(report: &Report) -> String {
    let kept_back: u32 = report.skus.iter().map(|sku| sku.quarantined).sum();
    let told = if kept_back > 0 {
        "\nUnits in quarantine are kept back for who has a receipt, and are sold again by themselves after the longest hold."
    } else {
        ""
    };
    format!("{}{told}", sale_print::report(report))
}
