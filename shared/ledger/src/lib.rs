//! The durable record of sales and orders: one DynamoDB table, no hot item.
//!
//! Whether a unit is sold is decided here and nowhere else: at most one item of a unit's key can exist,
//! and an order and its units are written in one transaction. Redis is loaded from here, never the
//! other way round.
//!
//! Invariants:
//! - An order's item is never deleted, so a late confirm always meets what was decided about it.
//! - Whatever decides about an order or a unit reads its key, consistently; the index serves lists only.
//! - Money moves after the order's item exists, never before.

mod backoff;
mod cancel;
mod compare;
mod compare_stock;
mod confirm;
mod item;
mod journal;
mod ledger;
mod load;
mod order;
mod orders;
mod queue;
mod record;
mod sale_record;
mod sales;
mod settle;
mod stock_change;
mod table;
mod takeover;
mod transport;
mod units;
mod withdraw;

pub use api::OrderState;
pub use cancel::CancelOutcome;
pub use confirm::{CONFIRM_DEADLINE, ConfirmOutcome, PurchaseError};
pub use ledger::{Ledger, LedgerError};
pub use order::Order;
pub use orders::{Cursor, InvalidCursor, OrdersPage};
pub use record::RecordOutcome;
pub use sale_record::{PendingRestock, SaleRecord};
pub use sales::{CreateOutcome, StoreOutcome};
pub use settle::Settled;
pub use stock_change::ChangeRecordOutcome;
