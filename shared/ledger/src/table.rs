//! The table: its keys, its one index, and how it is made where nothing else makes it.

use std::time::Duration;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use sale::{Deadline, OrderId, SaleId, ShopperId, Sku};

use crate::item::{Item, text};
use crate::{Ledger, LedgerError};

/// Partition key of every item.
pub(crate) const KEY: &str = "pk";
/// The index that lists, its partition key and its sort key.
pub(crate) const LISTING: &str = "listing";
pub(crate) const LISTING_KEY: &str = "listing_key";
pub(crate) const LISTING_SORT: &str = "listing_sort";
/// Partition of the index that lists the sales.
pub(crate) const LIST_OF_SALES: &str = "SALES";
/// Partitions of the index over which the orders of one sale are spread.
pub(crate) const ORDER_SHARDS: u8 = 8;

pub(crate) fn order_key(order: &OrderId) -> String {
    format!("ORDER#{order}")
}

pub(crate) fn unit_key(sale: &SaleId, sku: &Sku, serial: u32) -> String {
    format!("UNIT#{sale}#{sku}#{serial}")
}

pub(crate) fn shopper_key(sale: &SaleId, shopper: &ShopperId) -> String {
    format!("SHOPPER#{sale}#{shopper}")
}

pub(crate) fn sale_key(sale: &SaleId) -> String {
    format!("SALE#{sale}")
}

pub(crate) fn queue_key(sale: &SaleId) -> String {
    format!("QUEUE#{sale}")
}

pub(crate) fn journal_key(sale: &SaleId, part: u64) -> String {
    format!("JOURNAL#{sale}#{part}")
}

pub(crate) fn order_list(sale: &SaleId, shard: u8) -> String {
    format!("ORDERS#{sale}#{shard}")
}

impl Ledger {
    /// Makes the table where it is missing. On AWS the stack's template makes it.
    pub async fn create_table_if_absent(&self, deadline: Deadline) -> Result<(), LedgerError> {
        let create = self
            .client(deadline)
            .await?
            .create_table()
            .table_name(&self.table)
            .billing_mode(BillingMode::PayPerRequest)
            .set_attribute_definitions(Some(vec![
                attribute(KEY)?,
                attribute(LISTING_KEY)?,
                attribute(LISTING_SORT)?,
            ]))
            .key_schema(key(KEY, KeyType::Hash)?)
            .global_secondary_indexes(listing()?);
        match self.within(deadline, create.send()).await? {
            Ok(_) => {}
            Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_in_use_exception()) => {}
            Err(error) => return Err(error.into()),
        }
        self.wait_until_active(deadline).await
    }

    async fn wait_until_active(&self, deadline: Deadline) -> Result<(), LedgerError> {
        loop {
            let describe = self.client(deadline).await?.describe_table().table_name(&self.table);
            let table = self.within(deadline, describe.send()).await??.table;
            let status = table.and_then(|table| table.table_status);
            if status == Some(aws_sdk_dynamodb::types::TableStatus::Active) {
                return Ok(());
            }
            if deadline.is_over() {
                return Err(LedgerError::OutcomeUnknown(None));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The item of this key, read consistently.
    pub(crate) async fn get(&self, key: String, deadline: Deadline) -> Result<Option<Item>, LedgerError> {
        let get = self
            .client(deadline)
            .await?
            .get_item()
            .table_name(&self.table)
            .key(KEY, text(key))
            .consistent_read(true);
        Ok(self.within(deadline, get.send()).await??.item)
    }

    /// Writes an item, or tells that there is one of its key.
    pub(crate) async fn put_new(&self, item: Item, deadline: Deadline) -> Result<bool, LedgerError> {
        let put = self
            .client(deadline)
            .await?
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)");
        match self.within(deadline, put.send()).await? {
            Ok(_) => Ok(true),
            Err(error)
                if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn attribute(name: &str) -> Result<AttributeDefinition, LedgerError> {
    AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(ScalarAttributeType::S)
        .build()
        .map_err(|error| LedgerError::Broken(Box::new(error)))
}

fn key(name: &str, kind: KeyType) -> Result<KeySchemaElement, LedgerError> {
    KeySchemaElement::builder()
        .attribute_name(name)
        .key_type(kind)
        .build()
        .map_err(|error| LedgerError::Broken(Box::new(error)))
}

fn listing() -> Result<GlobalSecondaryIndex, LedgerError> {
    GlobalSecondaryIndex::builder()
        .index_name(LISTING)
        .key_schema(key(LISTING_KEY, KeyType::Hash)?)
        .key_schema(key(LISTING_SORT, KeyType::Range)?)
        .projection(Projection::builder().projection_type(ProjectionType::All).build())
        .build()
        .map_err(|error| LedgerError::Broken(Box::new(error)))
}
