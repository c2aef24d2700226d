//! Units: which order each serial belongs to, read key by key and consistently.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::types::KeysAndAttributes;
use futures_util::future::try_join_all;
use sale::{Deadline, OrderId, SaleId, Sku};

use crate::backoff::Backoff;
use crate::item::{Item, Malformed, read_text, text};
use crate::record::broken;
use crate::table::{KEY, order_key, unit_key};
use crate::{Ledger, LedgerError, Order};

/// Keys that one request may name.
const BATCH_MAX: usize = 100;

impl Ledger {
    /// The orders that stand and have one of these serials. An order that is written meanwhile may be missing.
    pub async fn orders_of_units(
        &self,
        sale: &SaleId,
        sku: &Sku,
        serials: impl Iterator<Item = u32>,
        deadline: Deadline,
    ) -> Result<Vec<Order>, LedgerError> {
        let units = self.items(serials.map(|serial| unit_key(sale, sku, serial)).collect(), deadline).await?;
        let id = |item: &Item| OrderId::parse(read_text(item, "order")?).map_err(|_| Malformed("order"));
        let ids = units.iter().map(id).collect::<Result<BTreeSet<_>, _>>()?;
        let items = self.items(ids.iter().map(order_key).collect(), deadline).await?;
        let orders = items.iter().map(Order::read).collect::<Result<Vec<_>, _>>()?;
        // One that was cancelled in between has no unit any more.
        Ok(orders.into_iter().flatten().filter(Order::stands).collect())
    }

    /// The items of these keys that exist, read consistently.
    async fn items(&self, keys: Vec<String>, deadline: Deadline) -> Result<Vec<Item>, LedgerError> {
        let batches = keys.chunks(BATCH_MAX).map(|keys| self.batch(keys, deadline));
        Ok(try_join_all(batches).await?.into_iter().flatten().collect())
    }

    async fn batch(&self, keys: &[String], deadline: Deadline) -> Result<Vec<Item>, LedgerError> {
        let keys = keys.iter().map(|key| HashMap::from([(KEY.to_owned(), text(key.as_str()))]));
        let wanted = KeysAndAttributes::builder().set_keys(Some(keys.collect())).consistent_read(true);
        let mut wanted = Some(BTreeMap::from([(self.table.clone(), wanted.build().map_err(broken)?)]));
        let (mut found, mut pause) = (Vec::new(), Backoff::default());
        while let Some(left) = wanted.take() {
            let get = self.client(deadline).await?.batch_get_item();
            let get = get.set_request_items(Some(left.into_iter().collect()));
            let answer = self.within(deadline, get.send()).await??;
            found.extend(answer.responses.unwrap_or_default().into_values().flatten());
            let unprocessed = answer.unprocessed_keys.unwrap_or_default();
            if !unprocessed.is_empty() {
                pause.wait(deadline).await?;
                wanted = Some(unprocessed.into_iter().collect());
            }
        }
        Ok(found)
    }
}
