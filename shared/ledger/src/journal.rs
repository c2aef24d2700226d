//! A sale's journal: parts that follow one another, each written once and never changed.

use sale::{Deadline, JournalEntry, JournalId, JournalPart, KeptPart, SaleId, Stock};

use crate::item::{Item, Malformed, read_text, text};
use crate::table::{KEY, journal_key};
use crate::{Ledger, LedgerError, PurchaseError};

const ENTRIES: &str = "entries";

/// Parts that one call keeps: what is left comes with the next one.
const PARTS_MAX: usize = 50;

impl Ledger {
    /// Brings a sale's journal out of Redis, and tells how many entries were kept. Whoever does it at the same time,
    /// or dies in it, does no harm: a part is written by whoever is first, and the others go on after it.
    pub async fn keep_journal(
        &self,
        stock: &Stock,
        sale: &SaleId,
        deadline: Deadline,
    ) -> Result<usize, PurchaseError> {
        let (mut kept, mut entries) = (None::<KeptPart>, 0);
        for _ in 0..PARTS_MAX {
            let part = stock.drain(sale, kept, deadline).await?;
            let Some(part) = part.filter(|part| !part.entries.is_empty()) else { break };
            let before = part.number - 1;
            // What this ledger does not have, another one had, from which it was restored.
            let is_next = kept.is_some_and(|kept| kept.number == before)
                || before == 0
                || self.journal_part(sale, before, deadline).await?.is_some();
            if is_next && self.write_part(sale, &part, deadline).await? {
                entries += part.entries.len();
                kept = Some(KeptPart { number: part.number, last: last_of(&part.entries) });
            } else {
                // Or somebody was first, or Redis has forgotten what was kept.
                let number = self.last_part(sale, if is_next { part.number } else { 0 }, deadline).await?;
                let last = self.journal_part(sale, number, deadline).await?;
                kept = Some(KeptPart { number, last: last.as_deref().and_then(last_of) });
            }
        }
        Ok(entries)
    }

    /// The entries of this part of a sale's journal, from 1 on; `None` where there is no such part yet.
    pub async fn journal_part(
        &self,
        sale: &SaleId,
        number: u64,
        deadline: Deadline,
    ) -> Result<Option<Vec<JournalEntry>>, LedgerError> {
        let Some(item) = self.get(journal_key(sale, number), deadline).await? else { return Ok(None) };
        let lines = read_text(&item, ENTRIES)?.lines();
        let entries = lines.map(str::parse).collect::<Result<_, _>>().map_err(|_| Malformed(ENTRIES))?;
        Ok(Some(entries))
    }

    /// Writes a part, or tells that there is one of its number.
    async fn write_part(
        &self,
        sale: &SaleId,
        part: &JournalPart,
        deadline: Deadline,
    ) -> Result<bool, LedgerError> {
        let lines: Vec<_> = part.entries.iter().map(JournalEntry::to_string).collect();
        let item = [(KEY, text(journal_key(sale, part.number))), (ENTRIES, text(lines.join("\n")))];
        self.put_new(Item::from(item.map(|(name, value)| (name.to_owned(), value))), deadline).await
    }

    /// The number of the last part, where there is one of the number `known`, or 0 where there is none: found by
    /// doubling and then halving the distance, because a takeover finds thousands.
    async fn last_part(&self, sale: &SaleId, known: u64, deadline: Deadline) -> Result<u64, LedgerError> {
        let (mut last, mut step) = (known, 1);
        while self.journal_part(sale, last + step, deadline).await?.is_some() {
            last += step;
            step *= 2;
        }
        while step > 1 {
            step /= 2;
            if self.journal_part(sale, last + step, deadline).await?.is_some() {
                last += step;
            }
        }
        Ok(last)
    }
}

fn last_of(entries: &[JournalEntry]) -> Option<JournalId> {
    entries.last().map(|entry| entry.id)
}
