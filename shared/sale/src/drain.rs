//! Drain: the journal leaves Redis for the ledger, part by part.

use sentinel::{Deadline, Script};

use crate::answer::Malformed;
use crate::script::script;
use crate::{JournalEntry, JournalId, SaleId, Stock, StockError};

static DRAIN: Script = script!("drain.lua");

/// Entries and bytes of one part: far below what an item of the ledger may have, and read by a script in a
/// millisecond. An entry has ten serials at most.
const ENTRIES_MAX: u32 = 500;
const BYTES_MAX: u32 = 100_000;

/// A part of a sale's journal, in the order in which it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalPart {
    /// Which one, from 1 on.
    pub number: u64,
    /// Its entries; none where everything is kept.
    pub entries: Vec<JournalEntry>,
}

/// The last part that the ledger has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptPart {
    /// Which one.
    pub number: u64,
    /// Its last entry; `None` where there is no part, and the number is 0.
    pub last: Option<JournalId>,
    /// Whether the ledger has nothing behind it, although Redis knows of more: it was restored.
    pub is_restored: bool,
}

impl Stock {
    /// The part of a sale's journal that comes next; `None` where there is no such sale. What the ledger is said to
    /// have is forgotten. A replica has what is answered, so that a failover does not take it back.
    pub async fn drain(
        &self,
        sale: &SaleId,
        kept: Option<KeptPart>,
        deadline: Deadline,
    ) -> Result<Option<JournalPart>, StockError> {
        let number = kept.map(|kept| kept.number.to_string());
        let last = kept.and_then(|kept| kept.last).map(|last| last.to_string());
        let script = self
            .invocation(&DRAIN, sale)
            .arg(number.unwrap_or_default())
            .arg(last.unwrap_or_default())
            .arg(u8::from(kept.is_some_and(|kept| kept.is_restored)).to_string())
            .arg(ENTRIES_MAX.to_string())
            .arg(BYTES_MAX.to_string());
        let mut answer = self.write_durably(script, deadline).await?;
        match answer.word.as_str() {
            "DRAINED" => {
                let mut part = JournalPart { number: answer.fields.number()?, entries: Vec::new() };
                while !answer.fields.is_empty() {
                    let (id, moved) = (answer.fields.text()?, answer.fields.text()?);
                    let entry = JournalEntry::read(&id, &moved, answer.fields.optional_digest()?);
                    part.entries.push(entry.ok_or(Malformed("an entry of the journal"))?);
                }
                Ok(Some(part))
            }
            "SALE_NOT_FOUND" => Ok(None),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
