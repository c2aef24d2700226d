//! The journal of a sale: every move of units between the counts of their SKU.

use jiff::Timestamp;
use sale::{JournalEntry, ReservationId, Sku, UnitChange, UnitCount};
use serde::{Deserialize, Serialize};

/// Which page of a sale's journal.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct JournalQuery {
    /// `next_cursor` of the page before; the first page has none.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub cursor: Option<String>,
}

/// One page: entries in the order in which they were written, some seconds after they were.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Journal {
    /// The entries; none on a page that is still to be written.
    pub entries: Vec<JournalEntryAnswer>,
    /// Where the next page begins; `null` where this one is still to be written: whoever follows the journal asks for
    /// it again.
    pub next_cursor: Option<String>,
}

/// An entry of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "JournalEntry"))]
pub struct JournalEntryAnswer {
    /// Which one it is. An entry that comes twice has the same id.
    pub id: String,
    /// When it was, by Redis's clock.
    #[cfg_attr(feature = "schema", schemars(with = "sale::Time"))]
    pub at: Timestamp,
    /// The epoch of the sale: one more after each loss of Redis, when every unit is counted anew.
    pub epoch: u64,
    /// Its number in its SKU and epoch, from 1 on. A number that is missing was lost before it was kept; one that comes
    /// again, with another id, replaces what a failover has lost from that number on.
    pub number: u64,
    /// Of which SKU.
    pub sku: Sku,
    /// Why units moved.
    pub change: UnitChange,
    /// What they were counted as.
    pub from: UnitCount,
    /// What they are counted as.
    pub to: UnitCount,
    /// Number of units.
    pub quantity: u32,
    /// Their serials; empty where it does not matter which ones they are.
    pub units: Vec<u32>,
    /// The reservation for which they moved.
    pub reservation_id: Option<ReservationId>,
}

impl From<JournalEntry> for JournalEntryAnswer {
    fn from(entry: JournalEntry) -> Self {
        Self {
            id: entry.id.to_string(),
            at: entry.at(),
            epoch: entry.epoch,
            number: entry.number,
            sku: entry.sku,
            change: entry.change,
            from: entry.from,
            to: entry.to,
            quantity: entry.quantity,
            units: entry.units,
            reservation_id: entry.reservation,
        }
    }
}
