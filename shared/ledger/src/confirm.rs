//! Confirm: a hold becomes an order, in three steps. Redis marks it, the ledger commits it, Redis
//! counts it as sold.
//!
//! Whoever dies between the steps leaves something that a repeat or the sweep can finish: before the
//! commit nothing is sold and the mark keeps the units; after it the order stands, whatever Redis says.

use std::time::Duration;

use jiff::Timestamp;
use sale::{
    BeginOutcome, Causes, Deadline, ExchangeOutcome, FinishOutcome, LedgerOrder, Next, Receipt, Reservation,
    ReservationId, SaleId, ShopperId, Stock, StockError, Verdict,
};

use crate::{Ledger, LedgerError, Order, OrderState, RecordOutcome, Settled};

/// How long a confirm can take at most, a write that arrives late included. No request's deadline is
/// longer; the sweep settles a confirm no earlier.
pub const CONFIRM_DEADLINE: Duration = Duration::from_secs(10);

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfirmOutcome {
    /// The order stands, written just now.
    Confirmed(Order),
    /// The order stood already.
    AlreadyConfirmed(Order),
    /// The order was cancelled.
    Cancelled,
    /// The hold's time was over.
    Expired,
    /// The shopper gave the hold back.
    Released,
    /// The shopper's orders reach the limit; the hold is given back.
    LimitReached,
    /// The units were lost, and none is available now, but some may return: the same request again.
    NoUnitNow,
    /// The units were lost, and none is left.
    UnitLost,
    /// None of this shopper, also where it is another's.
    ReservationNotFound,
    /// No such sale.
    SaleNotFound,
}

/// Why a confirm has no outcome. The same request again goes on where this one stopped.
#[derive(Debug, thiserror::Error)]
pub enum PurchaseError {
    /// Redis.
    #[error(transparent)]
    Stock(#[from] StockError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl PurchaseError {
    /// What the caller may do next.
    #[must_use]
    pub const fn next(&self) -> Next {
        match self {
            Self::Stock(error) => error.next(),
            Self::Ledger(error) => error.next(),
        }
    }
}

impl Ledger {
    /// Makes an order of a shopper's hold. A receipt stands in for a hold that Redis has lost. Safe to repeat, also at the same time.
    pub async fn confirm(
        &self,
        stock: &Stock,
        sale: &SaleId,
        id: &ReservationId,
        shopper: &ShopperId,
        receipt: Option<&Receipt>,
        deadline: Deadline,
    ) -> Result<ConfirmOutcome, PurchaseError> {
        self.read_ahead();
        let begun = stock.begin(sale, id, shopper, receipt, CONFIRM_DEADLINE, deadline).await?;
        let without_order = match begun {
            BeginOutcome::Begun(reservation) | BeginOutcome::Resumed(reservation) => {
                return self.commit(stock, reservation, deadline).await;
            }
            BeginOutcome::Ordered(_) | BeginOutcome::Expired => ConfirmOutcome::Expired,
            BeginOutcome::Cancelled => return Ok(ConfirmOutcome::Cancelled),
            BeginOutcome::NoUnit { may_return: true } => ConfirmOutcome::NoUnitNow,
            BeginOutcome::NoUnit { may_return: false } => ConfirmOutcome::UnitLost,
            BeginOutcome::Released => return Ok(ConfirmOutcome::Released),
            BeginOutcome::ReservationNotFound => ConfirmOutcome::ReservationNotFound,
            BeginOutcome::SaleNotFound => ConfirmOutcome::SaleNotFound,
        };
        // An order stands although Redis may have forgotten it.
        match self.order(&id.order(), deadline).await?.filter(|order| order.shopper == *shopper) {
            Some(order) if order.state == OrderState::Confirmed => {
                Ok(ConfirmOutcome::AlreadyConfirmed(order))
            }
            Some(_) => Ok(ConfirmOutcome::Cancelled),
            None => Ok(without_order),
        }
    }

    /// Steps two and three.
    async fn commit(
        &self,
        stock: &Stock,
        mut reservation: Reservation,
        deadline: Deadline,
    ) -> Result<ConfirmOutcome, PurchaseError> {
        loop {
            let recorded = self.record(&reservation, Timestamp::now(), deadline).await?;
            let outcome = match recorded {
                RecordOutcome::Recorded(order) => {
                    finish_order(stock, &order, deadline).await;
                    ConfirmOutcome::Confirmed(order)
                }
                RecordOutcome::AlreadyRecorded(order) => {
                    finish_order(stock, &order, deadline).await;
                    ConfirmOutcome::AlreadyConfirmed(order)
                }
                RecordOutcome::Cancelled(_) => {
                    self.give_back(stock, &reservation, deadline).await?;
                    ConfirmOutcome::Cancelled
                }
                RecordOutcome::Abandoned => {
                    self.give_back(stock, &reservation, deadline).await?;
                    ConfirmOutcome::Expired
                }
                RecordOutcome::LimitReached => {
                    self.give_back(stock, &reservation, deadline).await?;
                    ConfirmOutcome::LimitReached
                }
                RecordOutcome::UnitsTaken(lost) => {
                    let Reservation { id, sale, sku, .. } = &reservation;
                    let orders = self.orders_of_units(sale, sku, lost.iter().copied(), deadline).await?;
                    // They were cancelled since, or it is our own, of another attempt: the next one reads what stands.
                    if orders.is_empty() || orders.iter().any(|order| order.reservation == *id) {
                        continue;
                    }
                    tracing::warn!(%sale, reservation = %id, ?lost, "units were sold to somebody else; taking others");
                    let orders: Vec<_> = orders.iter().map(LedgerOrder::from).collect();
                    match stock.exchange(sale, id, &orders, deadline).await? {
                        ExchangeOutcome::Exchanged(exchanged) => {
                            reservation = exchanged;
                            continue;
                        }
                        ExchangeOutcome::NoUnit { may_return: true } => ConfirmOutcome::NoUnitNow,
                        ExchangeOutcome::NoUnit { may_return: false } => {
                            self.give_back(stock, &reservation, deadline).await?;
                            ConfirmOutcome::UnitLost
                        }
                        // The sweep settled it meanwhile: the next attempt reads what it decided.
                        ExchangeOutcome::Ended => continue,
                        ExchangeOutcome::ReservationNotFound => ConfirmOutcome::ReservationNotFound,
                        ExchangeOutcome::SaleNotFound => ConfirmOutcome::SaleNotFound,
                    }
                }
            };
            return Ok(outcome);
        }
    }

    /// Settles a reservation that will not be an order, and gives its units back.
    async fn give_back(
        &self,
        stock: &Stock,
        reservation: &Reservation,
        deadline: Deadline,
    ) -> Result<(), PurchaseError> {
        self.settle_in_stock(stock, &reservation.sale, &reservation.id, deadline).await?;
        Ok(())
    }

    /// Asks the ledger what a reservation is, deciding it if nobody has, and does so in Redis.
    pub async fn settle_in_stock(
        &self,
        stock: &Stock,
        sale: &SaleId,
        id: &ReservationId,
        deadline: Deadline,
    ) -> Result<Settled, PurchaseError> {
        let settled = self.settle(sale, id, deadline).await?;
        self.finish_as(&settled, stock, sale, id, deadline).await?;
        Ok(settled)
    }

    /// Does in Redis what the ledger has decided about a reservation; nothing while it has not.
    pub async fn finish_in_stock(
        &self,
        stock: &Stock,
        sale: &SaleId,
        id: &ReservationId,
        deadline: Deadline,
    ) -> Result<Option<Settled>, PurchaseError> {
        let decided = self.decided(id, deadline).await?;
        if let Some(settled) = &decided {
            self.finish_as(settled, stock, sale, id, deadline).await?;
        }
        Ok(decided)
    }

    async fn finish_as(
        &self,
        settled: &Settled,
        stock: &Stock,
        sale: &SaleId,
        id: &ReservationId,
        deadline: Deadline,
    ) -> Result<(), PurchaseError> {
        let (on_record, free);
        let verdict = match settled {
            Settled::Ordered(order) => {
                on_record = order.into();
                Verdict::Ordered { sku: &order.sku, order: &on_record }
            }
            Settled::Cancelled(order) => {
                on_record = order.into();
                free = self.free_units(order, deadline).await?;
                Verdict::Cancelled { sku: &order.sku, order: &on_record, free: &free }
            }
            Settled::Abandoned => Verdict::Abandoned,
        };
        if stock.finish(sale, id, verdict, deadline).await? == FinishOutcome::Forgotten {
            tracing::warn!(%sale, reservation = %id, ?settled, "Redis had forgotten a reservation");
        }
        Ok(())
    }
}

/// Step three. The order stands without it: what fails here is left to the sweep.
async fn finish_order(stock: &Stock, order: &Order, deadline: Deadline) {
    let verdict = Verdict::Ordered { sku: &order.sku, order: &order.into() };
    match stock.finish(&order.sale, &order.reservation, verdict, deadline).await {
        Ok(FinishOutcome::Finished) => {}
        Ok(outcome) => tracing::warn!(order = %order.id, ?outcome, "Redis had forgotten an order's hold"),
        Err(error) => {
            tracing::warn!(order = %order.id, error = %Causes(&error), "an order is left to the sweep to finish");
        }
    }
}
