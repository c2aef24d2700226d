//! Cancel: an order is flipped, its units and the shopper's count go, in one transaction.

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{Delete, TransactWriteItem, Update};
use futures_util::future::try_join_all;
use jiff::Timestamp;
use sale::{Deadline, OrderId};

use crate::backoff::Backoff;
use crate::item::{number, text, timestamp, whole_ms};
use crate::record::{broken, failed_conditions};
use crate::table::{KEY, order_key, shopper_key, unit_key};
use crate::{Ledger, LedgerError, Order, OrderState};

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It is cancelled, just now or before.
    Cancelled(Order),
    /// There is no such order.
    OrderNotFound,
}

impl Ledger {
    /// Those units of a cancelled order that no other order has: after a failover that lost the cancel, somebody may.
    pub(crate) async fn free_units(
        &self,
        order: &Order,
        deadline: Deadline,
    ) -> Result<Vec<u32>, LedgerError> {
        let items =
            order.units.iter().map(|unit| self.get(unit_key(&order.sale, &order.sku, *unit), deadline));
        let items = try_join_all(items).await?;
        let free = order.units.iter().zip(items).filter(|(_, item)| item.is_none());
        Ok(free.map(|(unit, _)| *unit).collect())
    }

    /// Cancels an order. Its units are free in the ledger at once; Redis is told by
    /// [`Ledger::finish_in_stock`] afterwards.
    pub async fn cancel(
        &self,
        id: &OrderId,
        cancelled_at: Timestamp,
        deadline: Deadline,
    ) -> Result<CancelOutcome, LedgerError> {
        let mut pause = Backoff::default();
        loop {
            let Some(mut order) = self.order(id, deadline).await? else {
                return Ok(CancelOutcome::OrderNotFound);
            };
            if order.state == OrderState::Cancelled {
                return Ok(CancelOutcome::Cancelled(order));
            }
            let items = self.cancel_items(&order, cancelled_at).map_err(broken)?;
            let write = self.client(deadline).await?.transact_write_items().set_transact_items(Some(items));
            match self.within(deadline, write.send()).await? {
                Ok(_) => {
                    order.state = OrderState::Cancelled;
                    order.cancelled_at = Some(whole_ms(cancelled_at));
                    return Ok(CancelOutcome::Cancelled(order));
                }
                // Somebody else was faster, or is under way: read again what stands.
                Err(error) => failed_conditions(error)?,
            };
            pause.wait(deadline).await?;
        }
    }

    fn cancel_items(
        &self,
        order: &Order,
        cancelled_at: Timestamp,
    ) -> Result<Vec<TransactWriteItem>, BuildError> {
        let flip = Update::builder()
            .table_name(&self.table)
            .key(KEY, text(order_key(&order.id)))
            .update_expression("SET #state = :cancelled, cancelled_at = :at")
            .condition_expression("#state = :confirmed")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":cancelled", text(OrderState::Cancelled.as_str()))
            .expression_attribute_values(":confirmed", text(OrderState::Confirmed.as_str()))
            .expression_attribute_values(":at", timestamp(cancelled_at))
            .build()?;
        let count = Update::builder()
            .table_name(&self.table)
            .key(KEY, text(shopper_key(&order.sale, &order.shopper)))
            .update_expression("ADD n :minus_quantity")
            .condition_expression("n >= :quantity")
            .expression_attribute_values(":minus_quantity", number(-i64::from(order.quantity())))
            .expression_attribute_values(":quantity", number(order.quantity()))
            .build()?;
        let mut items = vec![
            TransactWriteItem::builder().update(flip).build(),
            TransactWriteItem::builder().update(count).build(),
        ];
        for unit in &order.units {
            let delete = Delete::builder()
                .table_name(&self.table)
                .key(KEY, text(unit_key(&order.sale, &order.sku, *unit)))
                .condition_expression("#order = :order")
                .expression_attribute_names("#order", "order")
                .expression_attribute_values(":order", text(order.id.to_string()))
                .build()?;
            items.push(TransactWriteItem::builder().delete(delete).build());
        }
        Ok(items)
    }
}
