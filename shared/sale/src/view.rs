//! View: what the page, the status and the merchant's report say of a sale.

use jiff::Timestamp;
use sentinel::{Deadline, Script};
use serde::{Deserialize, Serialize};

use crate::answer::{Fields, Malformed};
use crate::script::queue_script;
use crate::{Definition, RoomView, SaleId, Sku, Stock, StockError};

static VIEW: Script = queue_script!("view.lua");

/// A sale at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Redis's clock.
    pub now: Timestamp,
    /// Where the sale stands.
    pub state: SaleState,
    /// Version of the definition in force.
    pub version: u64,
    /// How often the sale was loaded into Redis.
    pub epoch: u64,
    /// When reserving begins, once that is set.
    pub opens_at: Option<Timestamp>,
    /// When reserving ends; `None` only before a first version is in force.
    pub closes_at: Option<Timestamp>,
    /// What the merchant says; `None` only before a first version is in force.
    pub definition: Option<Definition>,
    /// Confirms and cancels that are under way or wait for the sweep.
    pub unsettled: u64,
    /// The waiting room, where the sale has one.
    pub waiting_room: Option<RoomView>,
    /// Each SKU's figures.
    pub skus: Vec<SkuView>,
}

/// Where a sale stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SaleState {
    /// It has not begun.
    Announced,
    /// Shoppers can reserve.
    Open,
    /// The merchant has paused it.
    Paused,
    /// It is over.
    Ended,
}

impl SaleState {
    /// `announced`, `open`, `paused` or `ended`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Announced => "announced",
            Self::Open => "open",
            Self::Paused => "paused",
            Self::Ended => "ended",
        }
    }
}

/// One SKU's figures, in units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SkuView {
    /// Its name.
    pub sku: Sku,
    /// Units in the sale: available + held + sold + quarantined.
    pub stock: u32,
    /// Units that the next reserve can have.
    pub available: u32,
    /// Units kept for shoppers, confirming ones included.
    pub held: u32,
    /// Units in orders.
    pub sold: u32,
    /// Units that a takeover keeps back.
    pub quarantined: u32,
    /// Units that the merchant took out of the stock.
    pub withdrawn: u32,
    /// Number of its last entry in the journal, in the epoch of the sale; 0 where there is none.
    pub changes: u64,
    /// Whether the sum above holds.
    pub conserved: bool,
}

impl SkuView {
    /// Whether units may come back although none is available.
    #[must_use]
    pub const fn may_return(&self) -> bool {
        self.held > 0 || self.quarantined > 0
    }
}

impl View {
    /// Whether `stock = available + held + sold + quarantined` holds for every SKU.
    #[must_use]
    pub fn is_conserved(&self) -> bool {
        self.skus.iter().all(|sku| sku.conserved)
    }

    fn read(now: Timestamp, fields: &mut Fields) -> Result<Self, Malformed> {
        let state = match fields.text()?.as_str() {
            "announced" => SaleState::Announced,
            "open" => SaleState::Open,
            "paused" => SaleState::Paused,
            "ended" => SaleState::Ended,
            _ => return Err(Malformed("a sale's state")),
        };
        Ok(Self {
            now,
            state,
            version: fields.number()?,
            epoch: fields.number()?,
            opens_at: fields.optional_timestamp()?,
            closes_at: fields.optional_timestamp()?,
            definition: read_definition(fields)?,
            unsettled: fields.number()?,
            waiting_room: RoomView::read(fields)?,
            skus: read_skus(fields)?,
        })
    }
}

fn read_definition(fields: &mut Fields) -> Result<Option<Definition>, Malformed> {
    let json = fields.bytes()?;
    if json.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(&json).map(Some).map_err(|_| Malformed("a definition"))
}

fn read_skus(fields: &mut Fields) -> Result<Vec<SkuView>, Malformed> {
    let mut skus = Vec::new();
    while !fields.is_empty() {
        skus.push(SkuView {
            sku: fields.sku()?,
            stock: fields.number()?,
            available: fields.number()?,
            held: fields.number()?,
            sold: fields.number()?,
            quarantined: fields.number()?,
            withdrawn: fields.number()?,
            changes: fields.number()?,
            conserved: fields.flag()?,
        });
    }
    Ok(skus)
}

impl Stock {
    /// The sale at this instant; `None` where there is no such sale.
    pub async fn view(&self, sale: &SaleId, deadline: Deadline) -> Result<Option<View>, StockError> {
        let mut answer = self.look(self.invocation(&VIEW, sale), deadline).await?;
        match answer.word.as_str() {
            "VIEW" => Ok(Some(View::read(answer.now, &mut answer.fields)?)),
            "SALE_NOT_FOUND" => Ok(None),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
