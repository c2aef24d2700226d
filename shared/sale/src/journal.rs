//! The journal: every move of units between the counts of their SKU, written by the script that moves them.
//!
//! An entry is one line of text, in Redis without its id and in the ledger with it:
//! `epoch number sku change from to quantity serial…`.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ReservationId, Sku};

/// A move of units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// Which one it is in its sale.
    pub id: JournalId,
    /// The epoch of the sale: one more after each loss of Redis.
    pub epoch: u64,
    /// Which one it is in its SKU and epoch, from 1 on, without gaps.
    pub number: u64,
    /// Of which SKU.
    pub sku: Sku,
    /// Why.
    pub change: UnitChange,
    /// Where the units were.
    pub from: UnitCount,
    /// Where they are.
    pub to: UnitCount,
    /// Number of units.
    pub quantity: u32,
    /// Which ones; empty where any of them were meant.
    pub units: Vec<u32>,
    /// For which reservation, if for one.
    pub reservation: Option<ReservationId>,
}

/// The id of an entry: Redis's time, and a number within the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct JournalId {
    ms: i64,
    within_ms: u64,
}

/// A text that is no entry of a journal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an entry of a journal: {0}")]
pub struct InvalidJournalEntry(String);

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$word_doc])* $variant,)* }

        impl $name {
            /// The word in journal and JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

words! {
    /// What units of a SKU are counted as.
    UnitCount {
        /// For sale.
        Available = "available",
        /// Held or being confirmed.
        Held = "held",
        /// Sold.
        Sold = "sold",
        /// Kept back by a takeover.
        Quarantined = "quarantined",
        /// Not in the stock.
        Outside = "outside",
    }
}

words! {
    /// Why units moved.
    UnitChange {
        /// The SKU is new in its sale.
        Opened = "opened",
        /// A hold was made, or got another unit for one that it lost.
        Held = "held",
        /// The shopper gave a hold back.
        Released = "released",
        /// The time of a hold was over, or its confirm was given up.
        Expired = "expired",
        /// An order was made of a hold, or found in the ledger.
        Sold = "sold",
        /// A hold had more units than its order.
        Returned = "returned",
        /// An order was cancelled.
        Cancelled = "cancelled",
        /// Units turned out to be in an order of the ledger that Redis had forgotten.
        FoundSold = "found_sold",
        /// A confirm found that its unit is in somebody else's order.
        Lost = "lost",
        /// The merchant added units.
        Restocked = "restocked",
        /// The merchant took units out.
        Withdrawn = "withdrawn",
        /// A takeover began, and keeps all units back.
        Quarantined = "quarantined",
        /// A receipt brought its hold back.
        Redeemed = "redeemed",
        /// Nothing moved. A failover lost what was kept behind the entry before this one, if anything was.
        Resumed = "resumed",
        /// A takeover is over: nobody can claim these units any more.
        Recovered = "recovered",
    }
}

impl JournalEntry {
    /// When it was, by Redis's clock.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        Timestamp::from_millisecond(self.id.ms).unwrap_or(Timestamp::MAX)
    }

    /// An entry as the stream has it: its id, the line without it, and the reservation's.
    pub(crate) fn read(id: &str, moved: &str, reservation: Option<[u8; 16]>) -> Option<Self> {
        let mut words = moved.split(' ');
        let entry = Self {
            id: id.parse().ok()?,
            epoch: words.next()?.parse().ok()?,
            number: words.next()?.parse().ok()?,
            sku: Sku::parse(words.next()?).ok()?,
            change: UnitChange::parse(words.next()?)?,
            from: UnitCount::parse(words.next()?)?,
            to: UnitCount::parse(words.next()?)?,
            quantity: words.next()?.parse().ok()?,
            units: words.map(str::parse).collect::<Result<_, _>>().ok()?,
            reservation: reservation.map(ReservationId::from_bytes),
        };
        let names_all = entry.units.is_empty() || entry.units.len() == entry.quantity as usize;
        names_all.then_some(entry)
    }
}

impl fmt::Display for JournalEntry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, epoch, number, sku, change, from, to, quantity, units, reservation } = self;
        let reservation = reservation.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let (change, from, to) = (change.as_str(), from.as_str(), to.as_str());
        write!(formatter, "{id} {reservation} {epoch} {number} {sku} {change} {from} {to} {quantity}")?;
        units.iter().try_for_each(|unit| write!(formatter, " {unit}"))
    }
}

impl FromStr for JournalEntry {
    type Err = InvalidJournalEntry;

    fn from_str(line: &str) -> Result<Self, InvalidJournalEntry> {
        let parse = || {
            let (id, rest) = line.split_once(' ')?;
            let (reservation, moved) = rest.split_once(' ')?;
            let reservation = match reservation {
                "-" => None,
                id => Some(*ReservationId::parse(id).ok()?.as_bytes()),
            };
            Self::read(id, moved, reservation)
        };
        parse().ok_or_else(|| InvalidJournalEntry(line.to_owned()))
    }
}

impl fmt::Display for JournalId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.ms, self.within_ms)
    }
}

impl FromStr for JournalId {
    type Err = InvalidJournalEntry;

    fn from_str(text: &str) -> Result<Self, InvalidJournalEntry> {
        let parse = || {
            let (ms, within_ms) = text.split_once('-')?;
            Some(Self { ms: ms.parse().ok()?, within_ms: within_ms.parse().ok()? })
        };
        parse().ok_or_else(|| InvalidJournalEntry(text.to_owned()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LINE: &str =
        "1764223439123-4 c5h66p35cpjmgqbaddm6qrb1ec 2 1017 standard held available held 2 17 18";

    #[test]
    fn an_entry_is_one_line_and_back() {
        let entry: JournalEntry = LINE.parse().unwrap();
        assert_eq!(entry.to_string(), LINE);
        assert_eq!((entry.number, entry.quantity, &entry.units[..]), (1017, 2, &[17, 18][..]));
        assert_eq!(entry.at().as_millisecond(), 1_764_223_439_123);
        let stock = "1-0 - 1 1 a opened outside available 10000000";
        assert_eq!(stock.parse::<JournalEntry>().unwrap().to_string(), stock);
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        let wrong = [
            ("held 2", "held 3"),
            ("1764223439123-4", "1764223439123"),
            ("c5h66p35cpjmgqbaddm6qrb1ec", "x"),
            ("standard held", "standard stolen"),
            ("available", "somewhere"),
            ("17 18", "17 x"),
            (" 2 17 18", ""),
        ];
        for (right, wrong) in wrong {
            assert!(LINE.replacen(right, wrong, 1).parse::<JournalEntry>().is_err(), "{wrong}");
        }
        assert!("".parse::<JournalEntry>().is_err());
    }
}
