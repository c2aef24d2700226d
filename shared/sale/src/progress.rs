//! Progress: how far a takeover is, or how far Redis was held against the ledger.

use jiff::Timestamp;
use sentinel::{Deadline, Script};

use crate::answer::{Fields, Malformed};
use crate::script::script;
use crate::{SaleId, Sku, Stock, StockError};

static PROGRESS: Script = script!("progress.lua");

/// How far a takeover is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeoverProgress {
    /// What it does.
    pub phase: TakeoverPhase,
    /// Redis's clock.
    pub now: Timestamp,
    /// The epoch that it has begun.
    pub epoch: u64,
    /// Until when unsold units are kept back; the beginning of time while building.
    pub quarantine_until: Timestamp,
    /// The lineage of the dataset.
    pub lineage: String,
    /// How far cancelled orders were held against it in this history.
    pub cancels: ComparedCancels,
    /// Each SKU.
    pub skus: Vec<SkuProgress>,
}

/// What a takeover does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakeoverPhase {
    /// The ledger is read for the first time; nobody is served.
    Building,
    /// Unsold units are kept back; after it the ledger is read again.
    Quarantine,
}

/// What is to be read of a SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkuProgress {
    /// Its name.
    pub sku: Sku,
    /// The first serial that is not read yet.
    pub first: u32,
    /// The last one.
    pub last: u32,
}

/// What is known of how Redis stands to the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A takeover is under way.
    Takeover(TakeoverProgress),
    /// None is.
    Compared(ComparedProgress),
    /// No such sale.
    SaleNotFound,
}

/// How far Redis was held against the ledger in the present history of the dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparedProgress {
    /// The lineage of that history.
    pub lineage: String,
    /// Each SKU.
    pub skus: Vec<ComparedSku>,
    /// How far cancelled orders were.
    pub cancels: ComparedCancels,
}

/// How a SKU stands to the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparedSku {
    /// Its name.
    pub sku: Sku,
    /// How far its orders were held against the ledger.
    pub compared: Compared,
    /// Units in its stock.
    pub stock: u32,
    /// Units of withdrawals that the ledger may not have yet; they are in the stock no more.
    pub unrecorded: u32,
}

/// How far a SKU was held against the ledger since the last failover that this connection knows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// All of it.
    All,
    /// Up to this serial, which comes next.
    Before(u32),
}

/// How far cancelled orders were held against Redis, likewise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComparedCancels {
    /// All of them.
    All,
    /// The page that begins here comes next; empty for the first one.
    From(String),
}

/// What was compared in another history of the dataset counts no more: something of it may be lost.
fn in_history<'a>(stored: &'a str, lineage: &str) -> Option<&'a str> {
    let (of, how_far) = stored.split_once(':')?;
    (of == lineage).then_some(how_far)
}

impl Compared {
    fn read(stored: &str, lineage: &str) -> Self {
        match in_history(stored, lineage) {
            Some("all") => Self::All,
            next => Self::Before(next.and_then(|next| next.parse().ok()).unwrap_or(1)),
        }
    }
}

impl ComparedCancels {
    fn read(stored: &str, lineage: &str) -> Self {
        match in_history(stored, lineage) {
            Some("all") => Self::All,
            next => Self::From(next.unwrap_or_default().to_owned()),
        }
    }
}

impl TakeoverProgress {
    fn read(now: Timestamp, fields: &mut Fields) -> Result<Self, Malformed> {
        let lineage = fields.text()?;
        let cancels = ComparedCancels::read(&fields.text()?, &lineage);
        let (epoch, quarantine_until) = (fields.number()?, fields.timestamp()?);
        let is_building = quarantine_until == Timestamp::UNIX_EPOCH;
        let phase = if is_building { TakeoverPhase::Building } else { TakeoverPhase::Quarantine };
        let mut skus = Vec::new();
        while !fields.is_empty() {
            skus.push(SkuProgress { sku: fields.sku()?, first: fields.number()?, last: fields.number()? });
        }
        Ok(Self { phase, now, epoch, quarantine_until, lineage, cancels, skus })
    }
}

impl Stock {
    /// Whether the sale is in Redis, even if it is only being built there, or fenced off.
    pub async fn is_present(&self, sale: &SaleId, deadline: Deadline) -> Result<bool, StockError> {
        match self.look(self.invocation(&PROGRESS, sale), deadline).await {
            Ok(answer) => Ok(answer.word != "SALE_NOT_FOUND"),
            Err(StockError::Fenced) => Ok(true),
            Err(StockError::Unseeded) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// How this sale stands to the ledger.
    pub async fn progress(&self, sale: &SaleId, deadline: Deadline) -> Result<Progress, StockError> {
        let mut answer = self.look(self.invocation(&PROGRESS, sale), deadline).await?;
        match answer.word.as_str() {
            "UNDER_WAY" => Ok(Progress::Takeover(TakeoverProgress::read(answer.now, &mut answer.fields)?)),
            "NONE" => {
                let lineage = answer.fields.text()?;
                let cancels = ComparedCancels::read(&answer.fields.text()?, &lineage);
                let mut skus = Vec::new();
                while !answer.fields.is_empty() {
                    skus.push(ComparedSku {
                        sku: answer.fields.sku()?,
                        compared: Compared::read(&answer.fields.text()?, &lineage),
                        stock: answer.fields.number()?,
                        unrecorded: answer.fields.number()?,
                    });
                }
                Ok(Progress::Compared(ComparedProgress { lineage, skus, cancels }))
            }
            "SALE_NOT_FOUND" => Ok(Progress::SaleNotFound),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
