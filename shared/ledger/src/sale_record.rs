//! A sale's item: the definition, and what Redis may not have been told yet.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use sale::{ChangeId, RoomControls, Sale, SaleId, Sku};
use serde::{Deserialize, Serialize};

use crate::item::{Item, Malformed, number, read_flag, read_json, read_number, read_text, text};
use crate::table::{KEY, LIST_OF_SALES, LISTING_KEY, LISTING_SORT, sale_key};

/// A sale as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleRecord {
    /// The sale. The stock in its definition is the present one.
    pub sale: Sale,
    /// The highest serial that each SKU ever had; grows with each restock and never shrinks.
    pub serials: BTreeMap<Sku, u32>,
    /// Restocks that Redis may not have applied yet.
    pub pending: Vec<PendingRestock>,
    /// The last changes of stock, oldest first: a failover may have made Redis forget them.
    pub(crate) recent: Vec<RecentChange>,
    /// The longest hold that any version allowed, in seconds, this one's aside.
    longest_hold_seconds: u32,
}

/// A restock that Redis may not have applied yet. Applying it again does nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRestock {
    #[serde(with = "change_id")]
    /// Which change it is.
    pub change: ChangeId,
    /// Of which SKU.
    pub sku: Sku,
    /// Number of units.
    pub quantity: u32,
}

/// A change of stock that is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecentChange {
    #[serde(with = "change_id")]
    pub(crate) change: ChangeId,
    pub(crate) kind: ChangeKind,
    pub(crate) sku: Sku,
    /// Units that came or left.
    pub(crate) units: u32,
    /// How many were asked for.
    pub(crate) wanted: u32,
    /// The epoch in which it was recorded: a later one begins with it.
    pub(crate) epoch: u64,
}

/// What a change of stock does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ChangeKind {
    Restock,
    Withdraw,
}

impl ChangeKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Restock => "restock",
            Self::Withdraw => "withdraw",
        }
    }
}

/// Recent changes that are kept: more than a merchant makes in the seconds that a failover and the next look at it take.
const RECENT_MAX: usize = 16;

impl SaleRecord {
    /// The record of a sale that is new.
    #[must_use]
    pub fn new(sale: Sale) -> Self {
        let serials = sale.definition.skus.iter().map(|sku| (sku.sku.clone(), sku.stock)).collect();
        Self { sale, serials, pending: Vec::new(), recent: Vec::new(), longest_hold_seconds: 0 }
    }

    /// Notes a change as the last one.
    pub(crate) fn note(&mut self, change: RecentChange) {
        self.recent.push(change);
        let too_many = self.recent.len().saturating_sub(RECENT_MAX);
        self.recent.drain(..too_many);
    }

    /// The longest hold that any version of the sale has allowed, in seconds.
    #[must_use]
    pub fn longest_hold_seconds(&self) -> u32 {
        self.longest_hold_seconds.max(self.sale.definition.hold_seconds)
    }

    /// The highest serial that this SKU ever had; `None` where the sale has no such SKU.
    #[must_use]
    pub fn top(&self, sku: &Sku) -> Option<u32> {
        let stock = self.sale.definition.skus.iter().find(|known| known.sku == *sku)?.stock;
        Some(self.serials.get(sku).copied().unwrap_or(stock).max(stock))
    }

    pub(crate) fn to_item(&self) -> Result<Item, serde_json::Error> {
        let sale = &self.sale;
        Ok(Item::from(
            [
                (KEY, text(sale_key(&sale.id))),
                (LISTING_KEY, text(LIST_OF_SALES)),
                (LISTING_SORT, text(sale.id.as_str())),
                ("version", number(sale.version)),
                ("epoch", number(sale.epoch)),
                ("paused", AttributeValue::Bool(sale.paused)),
                ("closed", AttributeValue::Bool(sale.closed)),
                ("room", text(serde_json::to_string(&sale.room)?)),
                ("definition", text(serde_json::to_string(&sale.definition)?)),
                ("serials", text(serde_json::to_string(&self.serials)?)),
                ("longest_hold_seconds", number(self.longest_hold_seconds())),
                ("pending", text(serde_json::to_string(&self.pending)?)),
                ("recent", text(serde_json::to_string(&self.recent)?)),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        ))
    }

    pub(crate) fn read(item: &Item) -> Result<Self, Malformed> {
        let id = read_text(item, LISTING_SORT)?;
        Ok(Self {
            sale: Sale {
                id: SaleId::parse(id).map_err(|_| Malformed(LISTING_SORT))?,
                version: read_number(item, "version")?,
                epoch: read_number(item, "epoch")?,
                paused: read_flag(item, "paused")?,
                closed: read_flag(item, "closed")?,
                // An item of an earlier version knows of no waiting room.
                room: if item.contains_key("room") {
                    read_json(item, "room")?
                } else {
                    RoomControls::default()
                },
                definition: read_json(item, "definition")?,
            },
            serials: read_json(item, "serials")?,
            pending: read_json(item, "pending")?,
            // An item of an earlier version has neither.
            recent: if item.contains_key("recent") { read_json(item, "recent")? } else { Vec::new() },
            longest_hold_seconds: read_number(item, "longest_hold_seconds").unwrap_or(0),
        })
    }
}

mod change_id {
    //! A change id as base32hex in JSON.

    use data_encoding::BASE32_DNSSEC;
    use sale::ChangeId;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(change: &ChangeId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE32_DNSSEC.encode(change.as_bytes()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ChangeId, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE32_DNSSEC.decode(text.as_bytes()).map_err(D::Error::custom)?;
        let bytes = bytes.try_into().map_err(|_| D::Error::custom("not a change id"))?;
        Ok(ChangeId::from_bytes(bytes))
    }
}
