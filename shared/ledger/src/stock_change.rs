//! Changes of stock: recorded once under the merchant's idempotency key.
//!
//! A restock is recorded before Redis sells the units; a withdrawal after Redis has taken them out (`withdraw.rs`).
//! Either way the ledger never says less than Redis may sell.

use data_encoding::BASE32_DNSSEC;
use sale::{ChangeId, Deadline, STOCK_MAX, SaleId, Sku, Withdrawal};

use crate::backoff::Backoff;
use crate::item::{Item, number, read_number, read_text, text};
use crate::record::{broken, failed_conditions};
use crate::sale_record::{ChangeKind, RecentChange};
use crate::table::{KEY, sale_key};
use crate::{Ledger, LedgerError, PendingRestock, SaleRecord, StoreOutcome};

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeRecordOutcome {
    /// It is recorded, just now or before.
    Recorded,
    /// The key was used for another change.
    KeyReused,
    /// The sale does not take it: the stock would be more than [`STOCK_MAX`], or a withdrawal is of an epoch that is over,
    /// so that the units are in the stock again.
    Refused,
    /// No such SKU in this sale.
    SkuNotFound,
    /// No such sale.
    SaleNotFound,
}

/// One change of stock.
struct Change<'a> {
    kind: ChangeKind,
    sale: &'a SaleId,
    sku: &'a Sku,
    quantity: u32,
    id: &'a ChangeId,
    /// What was asked for, where that may be more.
    wanted: u32,
}

impl Ledger {
    /// Records that units are added. [`SaleRecord::pending`] lists it until
    /// [`Ledger::forget_restock`].
    pub async fn record_restock(
        &self,
        sale: &SaleId,
        sku: &Sku,
        quantity: u32,
        id: &ChangeId,
        deadline: Deadline,
    ) -> Result<ChangeRecordOutcome, LedgerError> {
        let change = Change { kind: ChangeKind::Restock, sale, sku, quantity, id, wanted: quantity };
        self.record_change(&change, restock, deadline).await
    }

    /// Records that units were taken out of the stock in Redis, unless the sale was built again: this is the epoch that
    /// it had before they left.
    pub(crate) async fn record_withdrawal(
        &self,
        sale: &SaleId,
        withdrawal: &Withdrawal,
        epoch: u64,
        deadline: Deadline,
    ) -> Result<ChangeRecordOutcome, LedgerError> {
        let Withdrawal { change: id, sku, units, quantity: wanted } = withdrawal;
        let change = Change { kind: ChangeKind::Withdraw, sale, sku, quantity: *units, id, wanted: *wanted };
        let apply = |record: &mut SaleRecord, change: &Change<'_>| {
            let is_same_epoch = record.sale.epoch == epoch;
            if is_same_epoch {
                lower(record, change.sku, change.quantity);
            }
            is_same_epoch
        };
        self.record_change(&change, apply, deadline).await
    }

    /// The units of a withdrawal that is recorded; `None` where no change has this id.
    pub(crate) async fn recorded_withdrawal(
        &self,
        sale: &SaleId,
        sku: &Sku,
        wanted: u32,
        id: &ChangeId,
        deadline: Deadline,
    ) -> Result<Option<RecordedWithdrawal>, LedgerError> {
        let Some(item) = self.get(change_key(sale, id), deadline).await? else { return Ok(None) };
        let units = read_number(&item, "quantity")?;
        // An item of an earlier version does not say what was asked for.
        let is_same = read_text(&item, "kind")? == ChangeKind::Withdraw.as_str()
            && read_text(&item, "sku")? == sku.as_str()
            && read_number(&item, "wanted").unwrap_or(wanted) == wanted;
        Ok(Some(if is_same { RecordedWithdrawal::Units(units) } else { RecordedWithdrawal::KeyReused }))
    }

    /// Forgets a pending restock, once Redis has applied it.
    pub async fn forget_restock(
        &self,
        sale: &SaleId,
        id: &ChangeId,
        deadline: Deadline,
    ) -> Result<(), LedgerError> {
        self.end_restock(sale, id, |_, _| {}, deadline).await
    }

    /// Takes a pending restock back that Redis will never apply.
    pub async fn revoke_restock(
        &self,
        sale: &SaleId,
        id: &ChangeId,
        deadline: Deadline,
    ) -> Result<(), LedgerError> {
        let revoke = |record: &mut SaleRecord, restock: &PendingRestock| {
            lower(record, &restock.sku, restock.quantity);
            record.recent.retain(|recent| recent.change != restock.change);
        };
        self.end_restock(sale, id, revoke, deadline).await
    }

    async fn end_restock(
        &self,
        sale: &SaleId,
        id: &ChangeId,
        end: fn(&mut SaleRecord, &PendingRestock),
        deadline: Deadline,
    ) -> Result<(), LedgerError> {
        let mut pause = Backoff::default();
        loop {
            let Some(mut record) = self.sale(sale, deadline).await? else { return Ok(()) };
            let Some(place) = record.pending.iter().position(|pending| &pending.change == id) else {
                return Ok(());
            };
            let restock = record.pending.remove(place);
            end(&mut record, &restock);
            record.sale.version += 1;
            if self.store_sale(&record, deadline).await? == StoreOutcome::Stored {
                return Ok(());
            }
            pause.wait(deadline).await?;
        }
    }

    async fn record_change(
        &self,
        change: &Change<'_>,
        apply: impl Fn(&mut SaleRecord, &Change<'_>) -> bool,
        deadline: Deadline,
    ) -> Result<ChangeRecordOutcome, LedgerError> {
        let key = change_key(change.sale, change.id);
        let mut pause = Backoff::default();
        loop {
            if let Some(item) = self.get(key.clone(), deadline).await? {
                return change.compare(&item);
            }
            let Some(mut record) = self.sale(change.sale, deadline).await? else {
                return Ok(ChangeRecordOutcome::SaleNotFound);
            };
            if record.sale.definition.sku(change.sku).is_none() {
                return Ok(ChangeRecordOutcome::SkuNotFound);
            }
            if !apply(&mut record, change) {
                return Ok(ChangeRecordOutcome::Refused);
            }
            record.note(change.to_recent(record.sale.epoch));
            record.sale.version += 1;
            let items =
                [self.put_if_absent(change.to_item()).map_err(broken)?, self.put_sale(&record)?].to_vec();
            let write = self.client(deadline).await?.transact_write_items().set_transact_items(Some(items));
            match self.within(deadline, write.send()).await? {
                Ok(_) => return Ok(ChangeRecordOutcome::Recorded),
                Err(error) => failed_conditions(error)?,
            };
            pause.wait(deadline).await?;
        }
    }
}

/// What is recorded under the id of a withdrawal.
pub(crate) enum RecordedWithdrawal {
    /// This one, of so many units.
    Units(u32),
    /// Another change.
    KeyReused,
}

fn change_key(sale: &SaleId, id: &ChangeId) -> String {
    format!("CHANGE#{}#{}", sale_key(sale), BASE32_DNSSEC.encode(id.as_bytes()))
}

impl Change<'_> {
    fn to_recent(&self, epoch: u64) -> RecentChange {
        RecentChange {
            change: *self.id,
            kind: self.kind,
            sku: self.sku.clone(),
            units: self.quantity,
            wanted: self.wanted,
            epoch,
        }
    }

    fn to_item(&self) -> Item {
        Item::from(
            [
                (KEY, text(change_key(self.sale, self.id))),
                ("kind", text(self.kind.as_str())),
                ("sku", text(self.sku.as_str())),
                ("quantity", number(self.quantity)),
                ("wanted", number(self.wanted)),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        )
    }

    fn compare(&self, item: &Item) -> Result<ChangeRecordOutcome, LedgerError> {
        let is_same = read_text(item, "kind")? == self.kind.as_str()
            && read_text(item, "sku")? == self.sku.as_str()
            && read_number::<u32>(item, "quantity")? == self.quantity;
        Ok(if is_same { ChangeRecordOutcome::Recorded } else { ChangeRecordOutcome::KeyReused })
    }
}

fn restock(record: &mut SaleRecord, change: &Change<'_>) -> bool {
    let serials = record.serials.entry(change.sku.clone()).or_default();
    let Some(raised) = serials.checked_add(change.quantity).filter(|raised| *raised <= STOCK_MAX) else {
        return false;
    };
    *serials = raised;
    for sku in record.sale.definition.skus.iter_mut().filter(|sku| &sku.sku == change.sku) {
        sku.stock = sku.stock.saturating_add(change.quantity);
    }
    record.pending.push(PendingRestock {
        change: *change.id,
        sku: change.sku.clone(),
        quantity: change.quantity,
    });
    true
}

fn lower(record: &mut SaleRecord, sku: &Sku, units: u32) {
    for sku in record.sale.definition.skus.iter_mut().filter(|known| &known.sku == sku) {
        sku.stock = sku.stock.saturating_sub(units);
    }
}
