//! Record: the transaction that makes an order, and the only place where a unit becomes somebody's.

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update};
use jiff::Timestamp;
use sale::{Deadline, Reservation};

use crate::backoff::Backoff;
use crate::item::{Item, number, text};
use crate::table::{KEY, shopper_key, unit_key};
use crate::{Ledger, LedgerError, Order, Settled};

/// Items of the transaction before the units: the order and the shopper's count.
const ITEMS_BEFORE_UNITS: usize = 2;

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordOutcome {
    /// It stands, written just now.
    Recorded(Order),
    /// It stood already: an earlier attempt of the same confirm.
    AlreadyRecorded(Order),
    /// It stood and was cancelled.
    Cancelled(Order),
    /// The sweep decided first that there never will be one.
    Abandoned,
    /// These units are somebody else's. Nothing was written.
    UnitsTaken(Vec<u32>),
    /// The shopper has as many units in orders as they may. Nothing was written.
    LimitReached,
}

impl Ledger {
    /// Writes the order of this reservation with its units and the shopper's count, all or nothing.
    ///
    /// # Errors
    /// After [`LedgerError::OutcomeUnknown`] the same call tells what became of it.
    pub async fn record(
        &self,
        reservation: &Reservation,
        confirmed_at: Timestamp,
        deadline: Deadline,
    ) -> Result<RecordOutcome, LedgerError> {
        let order = Order::of(reservation, confirmed_at);
        let mut pause = Backoff::default();
        loop {
            let items = self.order_items(&order, reservation.limit_per_shopper).map_err(broken)?;
            let write = self.client(deadline).await?.transact_write_items().set_transact_items(Some(items));
            let refused = match self.within(deadline, write.send()).await? {
                Ok(_) => return Ok(RecordOutcome::Recorded(order)),
                Err(error) => failed_conditions(error)?,
            };
            match self.decided(&reservation.id, deadline).await? {
                Some(Settled::Ordered(order)) => return Ok(RecordOutcome::AlreadyRecorded(order)),
                Some(Settled::Cancelled(order)) => return Ok(RecordOutcome::Cancelled(order)),
                Some(Settled::Abandoned) => return Ok(RecordOutcome::Abandoned),
                None => {}
            }
            let taken: Vec<u32> = taken_units(&refused, &order.units);
            if !taken.is_empty() {
                return Ok(RecordOutcome::UnitsTaken(taken));
            }
            if refused.get(1) == Some(&true) {
                return Ok(RecordOutcome::LimitReached);
            }
            pause.wait(deadline).await?;
        }
    }

    fn order_items(&self, order: &Order, limit: u32) -> Result<Vec<TransactWriteItem>, BuildError> {
        let mut items = vec![self.put_if_absent(order.to_item())?, self.count_units(order, limit)?];
        for unit in &order.units {
            items.push(self.put_if_absent(unit_item(order, *unit))?);
        }
        Ok(items)
    }

    pub(crate) fn put_if_absent(&self, item: Item) -> Result<TransactWriteItem, BuildError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn count_units(&self, order: &Order, limit: u32) -> Result<TransactWriteItem, BuildError> {
        let quantity = order.quantity();
        let update = Update::builder()
            .table_name(&self.table)
            .key(KEY, text(shopper_key(&order.sale, &order.shopper)))
            .update_expression("ADD n :quantity")
            .condition_expression("attribute_not_exists(n) OR n <= :most_before")
            .expression_attribute_values(":quantity", number(quantity))
            .expression_attribute_values(":most_before", number(i64::from(limit) - i64::from(quantity)))
            .build()?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}

fn unit_item(order: &Order, serial: u32) -> Item {
    let key = unit_key(&order.sale, &order.sku, serial);
    Item::from([(KEY.to_owned(), text(key)), ("order".to_owned(), text(order.id.to_string()))])
}

fn taken_units(failed: &[bool], units: &[u32]) -> Vec<u32> {
    let failed = failed.iter().skip(ITEMS_BEFORE_UNITS);
    units.iter().zip(failed).filter(|(_, failed)| **failed).map(|(unit, _)| *unit).collect()
}

/// Which items' conditions failed, in the order of the transaction; all `false` where it only met another
/// transaction or a throttle, which is worth another attempt. Any other error stays one.
pub(crate) fn failed_conditions(error: SdkError<TransactWriteItemsError>) -> Result<Vec<bool>, LedgerError> {
    let service = error.as_service_error();
    if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = service {
        let reasons = cancelled.cancellation_reasons();
        let codes: Vec<_> = reasons.iter().map(|reason| reason.code().unwrap_or("None")).collect();
        let is_known = |code: &&str| {
            let passing = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
            ["None", "ConditionalCheckFailed"].contains(code) || passing.contains(code)
        };
        if codes.iter().all(is_known) {
            return Ok(codes.iter().map(|code| *code == "ConditionalCheckFailed").collect());
        }
        let code = codes.into_iter().find(|code| !is_known(code)).unwrap_or("None").to_owned();
        return Err(LedgerError::Refused { code, cause: Box::new(error) });
    }
    if service.is_some_and(TransactWriteItemsError::is_transaction_in_progress_exception) {
        return Ok(Vec::new());
    }
    Err(error.into())
}

pub(crate) fn broken(error: BuildError) -> LedgerError {
    LedgerError::Broken(Box::new(error))
}
