//! Compare: after each failover, what the ledger says of a sale is held against Redis. What a master had acknowledged
//! and its successor never heard of is found so, at the latest when the ledger has been read.

use std::time::Duration;

use sale::{
    CancelsPage, CompareOutcome, Compared, ComparedCancels, ComparedPart, ComparedProgress, ComparedSku,
    Deadline, LedgerOrder, SaleId, Sku, Stock,
};

use crate::takeover::SERIALS_PER_PART;
use crate::{Cursor, Ledger, OrderState, PurchaseError, SaleRecord};

/// Parts of a SKU at once, so that one large sale does not keep the sweep from the others.
const PARTS_MAX: u32 = 40;

/// Orders on a page, and pages at once.
const ORDERS_PER_PAGE: u16 = 500;
const PAGES_MAX: u32 = 40;

/// With less time than this left, the rest waits for the next step: it is not urgent, and what is must be done.
const TIME_FOR_OTHERS: Duration = Duration::from_secs(5);

impl Ledger {
    /// Goes on with it where it stopped.
    pub(crate) async fn compare(
        &self,
        stock: &Stock,
        record: &SaleRecord,
        compared: &ComparedProgress,
        deadline: Deadline,
    ) -> Result<(), PurchaseError> {
        let ComparedProgress { lineage, skus, cancels } = compared;
        self.compare_stock(stock, record, compared, deadline).await?;
        let mut is_all = true;
        for ComparedSku { sku, compared, .. } in skus {
            if let Compared::Before(first) = compared {
                self.compare_sku(stock, record, lineage, sku, *first, deadline).await?;
                is_all = false;
            }
        }
        // One step later: the index that lists them follows the orders.
        match cancels {
            ComparedCancels::From(from) if is_all => {
                self.compare_cancels(stock, &record.sale.id, lineage, from, deadline).await
            }
            _ => Ok(()),
        }
    }

    /// Looks for cancelled orders whose cancel Redis does not know: of a unit that is sold there nobody else can tell, and a
    /// repeat of their wish would be held and could never be ordered.
    pub(crate) async fn compare_cancels(
        &self,
        stock: &Stock,
        sale: &SaleId,
        lineage: &str,
        from: &str,
        deadline: Deadline,
    ) -> Result<(), PurchaseError> {
        let mut from = from.to_owned();
        let mut lost = 0;
        for _ in 0..PAGES_MAX {
            if deadline.remaining() < TIME_FOR_OTHERS {
                break;
            }
            let cursor = Cursor::parse(&from).unwrap_or_default();
            let page = self.orders(sale, cursor, ORDERS_PER_PAGE, deadline).await?;
            let cancelled = page.orders.iter().filter(|order| order.state == OrderState::Cancelled);
            let cancelled: Vec<_> = cancelled.map(|order| order.reservation).collect();
            let next = page.next.map(|cursor| cursor.encode());
            let page = CancelsPage { lineage, from: &from, next: next.as_deref(), cancelled: &cancelled };
            match stock.compare_cancels(sale, &page, deadline).await? {
                CompareOutcome::Stale => break,
                CompareOutcome::Compared { repaired } => lost += repaired,
            }
            let Some(next) = next else { break };
            from = next;
        }
        if lost > 0 {
            tracing::warn!(%sale, lost, "Redis had lost cancels, which are done again");
        }
        Ok(())
    }

    async fn compare_sku(
        &self,
        stock: &Stock,
        record: &SaleRecord,
        lineage: &str,
        sku: &Sku,
        first: u32,
        deadline: Deadline,
    ) -> Result<(), PurchaseError> {
        let id = &record.sale.id;
        let top = record.top(sku).unwrap_or(0);
        let (mut first, mut lost) = (first, 0);
        for _ in 0..PARTS_MAX {
            if deadline.remaining() < TIME_FOR_OTHERS {
                break;
            }
            let last = top.min(first.saturating_add(SERIALS_PER_PART - 1));
            let orders = self.orders_of_units(id, sku, first..=last, deadline).await?;
            let orders: Vec<_> = orders.iter().map(LedgerOrder::from).collect();
            let is_last = last == top;
            let part = ComparedPart { lineage, sku, serials: first..=last, is_last, orders: &orders };
            match stock.compare(id, &part, deadline).await? {
                CompareOutcome::Stale => break,
                CompareOutcome::Compared { repaired } => lost += repaired,
            }
            if is_last {
                break;
            }
            first = last + 1;
        }
        if lost > 0 {
            tracing::warn!(sale = %id, %sku, lost, "Redis had lost orders, which are there again");
        }
        Ok(())
    }
}
