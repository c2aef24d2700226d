//! `cargo spillway sale …`: what a merchant does, from a terminal or a program.

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use api::OrderAnswer;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use sale::{IdempotencyKey, OrderId, SaleId, Sku};

use crate::export::{self, Format};
use crate::merchant::Merchant;
use crate::output::{show, unless_reader_left, write_line};
use crate::sale_file::SaleFile;
use crate::sale_print as print;
use crate::shop::ShopArguments;

/// What to do with a sale.
#[derive(Debug, Args)]
pub struct SaleArguments {
    #[command(flatten)]
    shop: ShopArguments,
    /// Print the API's JSON; `orders` prints one order per line.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create the sale of a TOML file, or change what can be changed of it.
    Create { file: PathBuf },
    /// Open a sale now.
    Open { sale: SaleId },
    /// Take no new reservations for a while; what is held can still be confirmed.
    Pause { sale: SaleId },
    /// Go on after a pause.
    Resume { sale: SaleId },
    /// End a sale for good; what is held can still be confirmed.
    Close { sale: SaleId },
    /// Add units to a SKU.
    Restock(StockChange),
    /// Take available units out of a SKU, as many as there are.
    Withdraw(StockChange),
    /// Show a sale's figures.
    Report { sale: SaleId },
    /// List all orders of a sale.
    Orders { sale: SaleId },
    /// Write all orders and the journal of a sale as files into a folder.
    Export {
        sale: SaleId,
        folder: PathBuf,
        #[arg(long, value_enum, default_value = "csv")]
        format: Format,
    },
    /// List all sales.
    List,
    /// Cancel an order; its units go back.
    Cancel {
        #[arg(value_parser = OrderId::parse)]
        order: OrderId,
        #[command(flatten)]
        key: Key,
    },
}

#[derive(Debug, Args)]
struct StockChange {
    sale: SaleId,
    sku: Sku,
    quantity: u32,
    #[command(flatten)]
    key: Key,
}

#[derive(Debug, Args)]
struct Key {
    /// Idempotency key: the same request with the same key is done once. Random unless given.
    #[arg(long, value_parser = IdempotencyKey::parse)]
    key: Option<IdempotencyKey>,
}

impl SaleArguments {
    /// Does it and prints what became of it.
    pub async fn run(self) -> Result<()> {
        unless_reader_left(self.act().await)
    }

    async fn act(self) -> Result<()> {
        let merchant = self.shop.merchant()?;
        let json = self.json;
        match self.action {
            Action::Create { file } => {
                let SaleFile { sale, definition } = SaleFile::read(&file, Timestamp::now())?;
                let answer = merchant.define(&sale, &definition).await?;
                show(json, &answer, |answer| print::defined(answer, &merchant.page(&sale)))
            }
            Action::Open { sale } => show(json, &merchant.change(&sale, "open").await?, print::sale),
            Action::Pause { sale } => show(json, &merchant.change(&sale, "pause").await?, print::sale),
            Action::Resume { sale } => show(json, &merchant.change(&sale, "resume").await?, print::sale),
            Action::Close { sale } => show(json, &merchant.change(&sale, "close").await?, print::sale),
            Action::Restock(StockChange { sale, sku, quantity, key }) => {
                show(json, &merchant.restock(&sale, &sku, quantity, &key.get()?).await?, print::restocked)
            }
            Action::Withdraw(StockChange { sale, sku, quantity, key }) => {
                let answer = merchant.withdraw(&sale, &sku, quantity, &key.get()?).await?;
                show(json, &answer, |answer| print::withdrawn(answer, quantity))
            }
            Action::Report { sale } => show(json, &merchant.report(&sale).await?, print::report),
            Action::Orders { sale } => list_orders(&merchant, &sale, json).await,
            Action::Export { sale, folder, format } => {
                show(json, &export::export(&merchant, &sale, &folder, format).await?, export::words)
            }
            Action::List => show(json, &merchant.sales().await?, print::sales),
            Action::Cancel { order, key } => {
                show(json, &merchant.cancel(&order, &key.get()?).await?, print::cancelled)
            }
        }
    }
}

impl Key {
    fn get(self) -> Result<IdempotencyKey> {
        if let Some(key) = self.key {
            return Ok(key);
        }
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| anyhow!("no random key: {error}"))?;
        Ok(IdempotencyKey::parse(&data_encoding::BASE32_DNSSEC.encode(&bytes))?)
    }
}

async fn list_orders(merchant: &Merchant, sale: &SaleId, json: bool) -> Result<()> {
    if !json {
        write_line(print::orders_heading())?;
    }
    read_orders(merchant, sale, |order| show(json, order, print::order)).await
}

/// Reads all orders of a sale, page by page: it can have more than fit into memory.
pub(crate) async fn read_orders(
    merchant: &Merchant,
    sale: &SaleId,
    mut take: impl FnMut(&OrderAnswer) -> Result<()>,
) -> Result<()> {
    let mut cursor = None;
    loop {
        let page = merchant.orders(sale, cursor.as_deref()).await?;
        page.orders.iter().try_for_each(&mut take)?;
        let Some(next) = page.next_cursor else { return Ok(()) };
        cursor = Some(next);
    }
}
