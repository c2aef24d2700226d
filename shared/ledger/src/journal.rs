//! A sale's journal: parts that follow one another, each written once and never changed.

use futures_util::future::try_join_all;
use sale::{Deadline, JournalEntry, JournalId, JournalPart, KeptPart, SaleId, Stock};

use crate::item::{Item, Malformed, read_text, text};
use crate::table::{KEY, journal_key};
use crate::{Ledger, LedgerError, PurchaseError};

const ENTRIES: &str = "entries";

/// Entries of a page that is put together of several parts, and how many those may be.
const PAGE_ENTRIES: usize = 500;
const PAGE_PARTS: u64 = 30;

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
                || self.has_part(sale, before, deadline).await?;
            if is_next && self.write_part(sale, &part, deadline).await? {
                entries += part.entries.len();
                let last = last_of(&part.entries);
                kept = Some(KeptPart { number: part.number, last, is_restored: false });
            } else {
                // Or somebody was first, or Redis has forgotten what was kept.
                let number = self.last_part(sale, if is_next { part.number } else { 0 }, deadline).await?;
                let last = self.journal_part(sale, number, deadline).await?;
                let last = last.as_deref().and_then(last_of);
                kept = Some(KeptPart { number, last, is_restored: !is_next });
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

    /// Whether there is this part.
    pub async fn has_part(
        &self,
        sale: &SaleId,
        number: u64,
        deadline: Deadline,
    ) -> Result<bool, LedgerError> {
        Ok(self.get(journal_key(sale, number), deadline).await?.is_some())
    }

    /// A page of a sale's journal from this part on, and the number of the part behind it: parts that belong to a quiet
    /// time are read together. `None` where there is no such part yet.
    pub async fn journal_page(
        &self,
        sale: &SaleId,
        first: u64,
        deadline: Deadline,
    ) -> Result<Option<(Vec<JournalEntry>, u64)>, LedgerError> {
        let Some(mut entries) = self.journal_part(sale, first, deadline).await? else { return Ok(None) };
        let mut next = first + 1;
        if entries.len() < PAGE_ENTRIES / 2 {
            let parts = (next..next + PAGE_PARTS).map(|number| self.journal_part(sale, number, deadline));
            for part in try_join_all(parts).await? {
                let Some(part) = part.filter(|part| entries.len() + part.len() <= PAGE_ENTRIES) else {
                    break;
                };
                entries.extend(part);
                next += 1;
            }
        }
        Ok(Some((entries, next)))
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
        while self.has_part(sale, last + step, deadline).await? {
            last += step;
            step *= 2;
        }
        while step > 1 {
            step /= 2;
            if self.has_part(sale, last + step, deadline).await? {
                last += step;
            }
        }
        Ok(last)
    }
}

fn last_of(entries: &[JournalEntry]) -> Option<JournalId> {
    entries.last().map(|entry| entry.id)
}
