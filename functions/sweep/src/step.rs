//! One step of the sweep over every sale that may still have something to settle.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use ledger::{Ledger, PurchaseError, SaleRecord};
use sale::{Causes, Deadline, Due, DueAction, Lineage, Load, Next, ReservationId, SaleId, Stock};

/// One step ends by then; the next goes on where it stopped.
const STEP_DEADLINE: Duration = Duration::from_secs(10);

/// Reservations asked for at once, how many of them are settled at the same time, and how often in a step: after an outage
/// of the ledger at the peak there are thousands.
const SETTLED_PER_PAGE: u32 = 100;
const SETTLED_AT_ONCE: usize = 8;
const PAGES_MAX: u32 = 20;

/// When those are looked at again that may still be repeated, or could not be settled.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Holds freed per SKU and script: short enough that no script keeps the master busy.
const FREED_PER_SCRIPT: u32 = 200;
const SCRIPTS_MAX: u32 = 50;

/// What a write takes that Redis and a replica, or the ledger, keep up with. Beyond it fewer shoppers are let in.
const STOCK_SLOW: Duration = Duration::from_millis(50);
const LEDGER_SLOW: Duration = Duration::from_millis(250);

/// By then Redis has to know that the ledger does not answer.
const SLOW_DOWN_DEADLINE: Duration = Duration::from_secs(2);

/// Sales that are over are looked at once in so many steps: Redis may have lost them, too.
const STEPS_BETWEEN_ALL: usize = 30;

/// A sale is swept until this long after its end: every hold and confirm is over by then.
const SWEPT_AFTER_END: SignedDuration = SignedDuration::from_hours(48);

pub(crate) struct Sweep {
    stock: Stock,
    ledger: Ledger,
    steps: AtomicUsize,
    /// The lineage of Redis in which every sale was looked at last.
    looked_in: Mutex<Option<Lineage>>,
    /// The sales with a waiting room, as the ledger has told them last.
    rooms: Mutex<Vec<SaleId>>,
    /// Whether Redis or the ledger was slow, or failed, in the last step and in this one.
    was_slow: AtomicBool,
    is_slow: AtomicBool,
}

/// How much of a sale a step has done.
#[derive(Clone, Copy)]
enum Swept {
    /// Nothing is due any more.
    All,
    /// More is due than one step does, or something of it is not in order.
    InPart,
}

impl Swept {
    const fn and(self, other: Self) -> Self {
        if matches!(self, Self::All) { other } else { self }
    }
}

impl Sweep {
    pub(crate) fn new(stock: Stock, ledger: Ledger) -> Self {
        let (steps, was_slow, is_slow) =
            (AtomicUsize::new(0), AtomicBool::new(false), AtomicBool::new(false));
        let (looked_in, rooms) = (Mutex::default(), Mutex::default());
        Self { stock, ledger, steps, looked_in, rooms, was_slow, is_slow }
    }

    /// One step, and a line about it: an alarm goes off where sales stay unswept, or no line comes. A sale that
    /// fails does not keep the others from theirs.
    pub(crate) async fn step(&self) {
        let deadline = Deadline::after(STEP_DEADLINE);
        self.was_slow.store(self.is_slow.swap(false, Ordering::Relaxed), Ordering::Relaxed);
        let mut sales = match self.ledger.sales(deadline).await {
            Ok(sales) => sales,
            Err(error) => {
                self.is_slow.store(true, Ordering::Relaxed);
                tracing::warn!(error = %Causes(&error), "the sweep cannot list the sales");
                // However many there are: at least one that nobody has looked at.
                tracing::info!(function = "sweep", unswept = 1, "step");
                let deadline = Deadline::after(SLOW_DOWN_DEADLINE);
                let rooms = self.rooms().clone();
                for room in &rooms {
                    self.slow_down(room, deadline).await;
                }
                return;
            }
        };
        let now = Timestamp::now();
        *self.rooms() = sales
            .iter()
            .filter(|record| has_room(record) && is_active(record, now))
            .map(|record| record.sale.id.clone())
            .collect();
        // Begun somewhere else each time: a step that runs out of time leaves out others.
        let step = self.steps.fetch_add(1, Ordering::Relaxed);
        let begin = step % sales.len().max(1);
        sales.rotate_left(begin);
        // Two failovers on end of which a sale has not heard are taken for a history that broke.
        let lineage = self.stock.redis().status().lineage;
        let is_new_history = *self.looked_in() != lineage;
        let looks_at_all = is_new_history || step.is_multiple_of(STEPS_BETWEEN_ALL);
        let (mut active, mut unswept, mut failed) = (0, 0, 0);
        for record in sales {
            let swept = if is_active(&record, now) {
                active += 1;
                self.sweep(&record, deadline).await
            } else if looks_at_all {
                self.look_after(&record.sale.id, deadline).await
            } else {
                continue;
            };
            match swept {
                Ok(Swept::All) => {}
                Ok(Swept::InPart) => unswept += 1,
                Err(error) => {
                    unswept += 1;
                    failed += 1;
                    // What is broken in one sale says nothing of how fast the others are.
                    if error.next() != Next::Broken {
                        self.is_slow.store(true, Ordering::Relaxed);
                    }
                    tracing::warn!(sale = %record.sale.id, error = %Causes(&error), "the sweep could not finish a sale");
                }
            }
        }
        if looks_at_all && failed == 0 {
            *self.looked_in() = lineage;
        }
        tracing::info!(function = "sweep", sales = active, unswept, "step");
    }

    fn rooms(&self) -> MutexGuard<'_, Vec<SaleId>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn looked_in(&self) -> MutexGuard<'_, Option<Lineage>> {
        self.looked_in.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a sale needs that is over: it can be lost, and its orders can be cancelled.
    async fn look_after(&self, sale: &SaleId, deadline: Deadline) -> Result<Swept, PurchaseError> {
        self.bring_up(sale, deadline).await?;
        let (_, swept) = self.settle_due(sale, deadline).await?;
        self.ledger.keep_journal(&self.stock, sale, deadline).await?;
        Ok(swept)
    }

    /// The journal is kept whatever else fails.
    async fn sweep(&self, record: &SaleRecord, deadline: Deadline) -> Result<Swept, PurchaseError> {
        let swept = Box::pin(self.sweep_stock(record, deadline)).await;
        let kept = self.ledger.keep_journal(&self.stock, &record.sale.id, deadline).await;
        let swept = swept?;
        kept?;
        Ok(swept)
    }

    async fn sweep_stock(&self, record: &SaleRecord, deadline: Deadline) -> Result<Swept, PurchaseError> {
        let sale = &record.sale.id;
        let brought_up = match self.bring_up(sale, deadline).await {
            Err(error) if has_room(record) && error.next() != Next::Broken => {
                self.slow_down(sale, deadline).await;
                return Err(error);
            }
            brought_up => brought_up?,
        };
        let Some(brought_up) = brought_up else { return Ok(Swept::All) };
        if has_room(record) {
            self.tick(sale, deadline).await?;
        }
        self.ledger.record_withdrawals(&self.stock, &brought_up, deadline).await?;
        let (settled, all_settled) = self.settle_due(sale, deadline).await?;
        let (freed, all_freed) = self.free(sale, deadline).await?;
        if freed > 0 || settled > 0 {
            tracing::info!(%sale, settled, freed, "swept");
        }
        Ok(all_settled.and(all_freed))
    }

    /// Asks the ledger about confirms and cancels that can no longer be under way: how many, and whether that is all of
    /// them.
    async fn settle_due(&self, sale: &SaleId, deadline: Deadline) -> Result<(usize, Swept), PurchaseError> {
        let (mut settled, mut swept, mut not_settled) = (0, Swept::All, Vec::new());
        for _ in 0..PAGES_MAX {
            let due = self.stock.due(sale, SETTLED_PER_PAGE, AGAIN_AFTER, &not_settled, deadline).await?;
            let on_page = due.len();
            let settling = due.into_iter().map(|due| self.settle(sale, due, deadline));
            let page = stream::iter(settling).buffer_unordered(SETTLED_AT_ONCE);
            not_settled = page.try_filter_map(async |failed| Ok(failed)).try_collect().await?;
            settled += on_page - not_settled.len();
            if !not_settled.is_empty() {
                swept = Swept::InPart;
            }
            if on_page < SETTLED_PER_PAGE as usize {
                return Ok((settled, swept));
            }
        }
        Ok((settled, Swept::InPart))
    }

    /// The reservation itself where it could not be: one that is not in order does not keep the others from it.
    async fn settle(
        &self,
        sale: &SaleId,
        due: Due,
        deadline: Deadline,
    ) -> Result<Option<ReservationId>, PurchaseError> {
        let (ledger, stock, id) = (&self.ledger, &self.stock, &due.id);
        let settled = match due.action {
            DueAction::Settle => ledger.settle_in_stock(stock, sale, id, deadline).await.map(|_| ()),
            DueAction::Finish => ledger.finish_in_stock(stock, sale, id, deadline).await.map(|_| ()),
            DueAction::Nothing => {
                tracing::error!(%sale, reservation = %id, "a reservation cannot be settled: its record cannot be read");
                return Ok(Some(due.id));
            }
        };
        match settled {
            Err(error) if error.next() == Next::Broken => {
                tracing::error!(%sale, reservation = %id, error = %Causes(&error), "a reservation cannot be settled");
                Ok(Some(due.id))
            }
            settled => settled.map(|()| None),
        }
    }

    /// Moves the waiting room on, at a pace that Redis and the ledger keep up with, and keeps its record.
    async fn tick(&self, sale: &SaleId, deadline: Deadline) -> Result<(), PurchaseError> {
        let load = if self.was_slow.load(Ordering::Relaxed) { Load::TooMuch } else { Load::Normal };
        let begun = Instant::now();
        let Some(record) = self.stock.tick(sale, load, deadline).await? else { return Ok(()) };
        let ticked = Instant::now();
        self.ledger.keep_queue_record(sale, &record, deadline).await?;
        let (stock, ledger) = (ticked - begun, ticked.elapsed());
        if stock > STOCK_SLOW || ledger > LEDGER_SLOW {
            self.is_slow.store(true, Ordering::Relaxed);
            tracing::warn!(%sale, stock_ms = stock.as_millis(), ledger_ms = ledger.as_millis(), "shoppers are let in more slowly");
        }
        Ok(())
    }

    /// Lets fewer shoppers in while the ledger does not answer, which keeps `tick` from its turn.
    async fn slow_down(&self, sale: &SaleId, deadline: Deadline) {
        match self.stock.tick(sale, Load::TooMuch, deadline).await {
            Ok(_) => tracing::warn!(%sale, "shoppers are let in more slowly: the ledger does not answer"),
            Err(error) => {
                tracing::warn!(%sale, error = %Causes(&error), "a waiting room cannot be slowed down");
            }
        }
    }

    /// Brings Redis to where the ledger is, all of a sale that it has lost included.
    async fn bring_up(&self, sale: &SaleId, deadline: Deadline) -> Result<Option<SaleRecord>, PurchaseError> {
        let record = self.ledger.load(&self.stock, sale, deadline).await?;
        if let Some(record) = &record {
            self.ledger.rebuild(&self.stock, record, deadline).await?;
        }
        Ok(record)
    }

    /// Frees overdue holds: how many, and whether that is all of them.
    async fn free(&self, sale: &SaleId, deadline: Deadline) -> Result<(u64, Swept), PurchaseError> {
        let mut freed = 0;
        for _ in 0..SCRIPTS_MAX {
            let expired = self.stock.expire(sale, FREED_PER_SCRIPT, deadline).await?;
            freed += expired.holds;
            if !expired.more {
                return Ok((freed, Swept::All));
            }
        }
        Ok((freed, Swept::InPart))
    }
}

fn has_room(record: &SaleRecord) -> bool {
    record.sale.definition.waiting_room.is_some()
}

fn is_active(record: &SaleRecord, now: Timestamp) -> bool {
    record.sale.definition.closes_at > now - SWEPT_AFTER_END
}
