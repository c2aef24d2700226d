//! Compare: after each failover, what the ledger says of a sale is held against Redis. What a master had acknowledged
//! and its successor never heard of is found so, at the latest when the ledger has been read.

use std::time::Duration;

use sale::{CompareOutcome, Compared, ComparedPart, Deadline, PartOrder, Sku, Stock};

use crate::takeover::SERIALS_PER_PART;
use crate::{Ledger, PurchaseError, SaleRecord};

/// Parts of a SKU at once, so that one large sale does not keep the sweep from the others.
const PARTS_MAX: u32 = 40;

/// With less time than this left, the rest waits for the next step: it is not urgent, and what is must be done.
const TIME_FOR_OTHERS: Duration = Duration::from_secs(5);

impl Ledger {
    /// Goes on with it where it stopped.
    pub(crate) async fn compare(
        &self,
        stock: &Stock,
        record: &SaleRecord,
        skus: &[(Sku, Compared)],
        deadline: Deadline,
    ) -> Result<(), PurchaseError> {
        for (sku, compared) in skus {
            if let Compared::Before(first) = compared {
                self.compare_sku(stock, record, sku, *first, deadline).await?;
            }
        }
        Ok(())
    }

    async fn compare_sku(
        &self,
        stock: &Stock,
        record: &SaleRecord,
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
            let orders: Vec<_> = orders.iter().map(PartOrder::from).collect();
            let is_last = last == top;
            let part = ComparedPart { sku, serials: first..=last, is_last, orders: &orders };
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
