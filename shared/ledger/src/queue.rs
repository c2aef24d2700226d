//! The record of a waiting room: kept beside the sale, so that after the loss of Redis whoever has a ticket stays
//! ahead of whoever comes.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use sale::{Deadline, QueueRecord, SaleId};

use crate::item::{number, text};
use crate::table::{KEY, queue_key};
use crate::{Ledger, LedgerError};

const RECORD: &str = "record";

impl Ledger {
    /// Keeps this record in place of the one before, unless that one is of a later epoch.
    pub async fn keep_queue_record(
        &self,
        sale: &SaleId,
        record: &QueueRecord,
        deadline: Deadline,
    ) -> Result<(), LedgerError> {
        let put = self
            .client(deadline)
            .await?
            .put_item()
            .table_name(&self.table)
            .item(KEY, text(queue_key(sale)))
            .item("epoch", number(record.epoch))
            .item(RECORD, AttributeValue::B(Blob::new(record.bytes.clone())))
            .condition_expression("attribute_not_exists(pk) OR epoch <= :epoch")
            .expression_attribute_values(":epoch", number(record.epoch));
        match self.within(deadline, put.send()).await? {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The last record that was kept, as bytes that only the scripts read.
    pub async fn queue_record(
        &self,
        sale: &SaleId,
        deadline: Deadline,
    ) -> Result<Option<Vec<u8>>, LedgerError> {
        let item = self.get(queue_key(sale), deadline).await?;
        let record = item.and_then(|mut item| item.remove(RECORD));
        Ok(record.and_then(|record| match record {
            AttributeValue::B(bytes) => Some(bytes.into_inner()),
            _ => None,
        }))
    }
}
