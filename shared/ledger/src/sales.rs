//! Sales: created once, changed by version, read by key, listed by the index.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use sale::{Deadline, SaleId};

use crate::item::{number, text};
use crate::record::broken;
use crate::table::{LIST_OF_SALES, LISTING, LISTING_KEY, sale_key};
use crate::{Ledger, LedgerError, SaleRecord};

/// What became of a new sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateOutcome {
    /// It is recorded.
    Created,
    /// A sale of this name was there before. Nothing was written.
    AlreadyExists,
}

/// What became of a changed sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOutcome {
    /// It is recorded.
    Stored,
    /// Somebody else changed it in between. Nothing was written.
    Conflict,
}

impl Ledger {
    /// The record of a sale, read consistently; `None` where there is none.
    pub async fn sale(&self, id: &SaleId, deadline: Deadline) -> Result<Option<SaleRecord>, LedgerError> {
        let item = self.get(sale_key(id), deadline).await?;
        Ok(item.as_ref().map(SaleRecord::read).transpose()?)
    }

    /// All sales, by the index: a new one may be missing for a moment, and figures may be late.
    pub async fn sales(&self, deadline: Deadline) -> Result<Vec<SaleRecord>, LedgerError> {
        let mut records = Vec::new();
        let mut from = None;
        loop {
            let query = self
                .client(deadline)
                .await?
                .query()
                .table_name(&self.table)
                .index_name(LISTING)
                .key_condition_expression(format!("{LISTING_KEY} = :sales"))
                .expression_attribute_values(":sales", text(LIST_OF_SALES))
                .set_exclusive_start_key(from);
            let page = self.within(deadline, query.send()).await??;
            for item in page.items.unwrap_or_default() {
                records.push(SaleRecord::read(&item)?);
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(records);
            }
        }
    }

    /// Records a new sale.
    pub async fn create_sale(
        &self,
        record: &SaleRecord,
        deadline: Deadline,
    ) -> Result<CreateOutcome, LedgerError> {
        let item = record.to_item().map_err(|error| LedgerError::Broken(Box::new(error)))?;
        let is_new = self.put_new(item, deadline).await?;
        Ok(if is_new { CreateOutcome::Created } else { CreateOutcome::AlreadyExists })
    }

    /// Records a changed sale, whose version is one above the one that it was read with.
    pub async fn store_sale(
        &self,
        record: &SaleRecord,
        deadline: Deadline,
    ) -> Result<StoreOutcome, LedgerError> {
        let put = self.put_sale(record)?;
        let write = self.client(deadline).await?.transact_write_items().transact_items(put);
        match self.within(deadline, write.send()).await? {
            Ok(_) => Ok(StoreOutcome::Stored),
            Err(error) => {
                crate::record::failed_conditions(error)?;
                Ok(StoreOutcome::Conflict)
            }
        }
    }

    /// The write of a changed sale, for a transaction.
    pub(crate) fn put_sale(&self, record: &SaleRecord) -> Result<TransactWriteItem, LedgerError> {
        let item = record.to_item().map_err(|error| LedgerError::Broken(Box::new(error)))?;
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("version = :before")
            .expression_attribute_values(":before", number(record.sale.version - 1))
            .build()
            .map_err(broken)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}
