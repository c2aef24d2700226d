//! Changes of stock: recorded once under the merchant's idempotency key.
//!
//! A restock is recorded before Redis sells the units; a withdrawal after Redis has taken them out.
//! Either way the ledger never says less than Redis may sell.

use data_encoding::BASE32_DNSSEC;
use sale::{ChangeId, Deadline, STOCK_MAX, SaleId, Sku};

use crate::backoff::Backoff;
use crate::item::{Item, number, read_number, read_text, text};
use crate::record::{broken, failed_conditions};
use crate::table::{KEY, sale_key};
use crate::{Ledger, LedgerError, PendingRestock, SaleRecord, StoreOutcome};

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeRecordOutcome {
    /// It is recorded, just now or before.
    Recorded,
    /// The key was used for another change.
    KeyReused,
    /// The stock would be more than [`STOCK_MAX`].
    TooMuch,
    /// No such SKU in this sale.
    SkuNotFound,
    /// No such sale.
    SaleNotFound,
}

/// One change of stock.
struct Change<'a> {
    kind: &'static str,
    sale: &'a SaleId,
    sku: &'a Sku,
    quantity: u32,
    id: &'a ChangeId,
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
        let change = Change { kind: "restock", sale, sku, quantity, id };
        self.record_change(&change, restock, deadline).await
    }

    /// Records that units were taken out of the stock in Redis.
    pub async fn record_withdrawal(
        &self,
        sale: &SaleId,
        sku: &Sku,
        quantity: u32,
        id: &ChangeId,
        deadline: Deadline,
    ) -> Result<ChangeRecordOutcome, LedgerError> {
        let change = Change { kind: "withdraw", sale, sku, quantity, id };
        self.record_change(&change, withdraw, deadline).await
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
        let lower = |record: &mut SaleRecord, restock: &PendingRestock| {
            for sku in record.sale.definition.skus.iter_mut().filter(|sku| sku.sku == restock.sku) {
                sku.stock = sku.stock.saturating_sub(restock.quantity);
            }
        };
        self.end_restock(sale, id, lower, deadline).await
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
        apply: fn(&mut SaleRecord, &Change<'_>) -> bool,
        deadline: Deadline,
    ) -> Result<ChangeRecordOutcome, LedgerError> {
        let key = change.key();
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
                return Ok(ChangeRecordOutcome::TooMuch);
            }
            record.sale.version += 1;
            let items =
                [self.put_if_absent(change.to_item()).map_err(broken)?, self.put_sale(&record)?].to_vec();
            let write = self.client(deadline).await?.transact_write_items().set_transact_items(Some(items));
            match Self::within(deadline, write.send()).await? {
                Ok(_) => return Ok(ChangeRecordOutcome::Recorded),
                Err(error) => failed_conditions(error)?,
            };
            pause.wait(deadline).await?;
        }
    }
}

impl Change<'_> {
    fn key(&self) -> String {
        format!("CHANGE#{}#{}", sale_key(self.sale), BASE32_DNSSEC.encode(self.id.as_bytes()))
    }

    fn to_item(&self) -> Item {
        Item::from(
            [
                (KEY, text(self.key())),
                ("kind", text(self.kind)),
                ("sku", text(self.sku.as_str())),
                ("quantity", number(self.quantity)),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        )
    }

    fn compare(&self, item: &Item) -> Result<ChangeRecordOutcome, LedgerError> {
        let is_same = read_text(item, "kind")? == self.kind
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

fn withdraw(record: &mut SaleRecord, change: &Change<'_>) -> bool {
    for sku in record.sale.definition.skus.iter_mut().filter(|sku| &sku.sku == change.sku) {
        sku.stock = sku.stock.saturating_sub(change.quantity);
    }
    true
}
