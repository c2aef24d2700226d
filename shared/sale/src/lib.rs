//! The rules of a sale. Each operation is one `.rs` (request, outcome) beside one `.lua` (the rule).
//!
//! The only place where two shoppers can be told apart in order is inside Redis, so each script *is*
//! the rule: no trait stands before it and no fake re-implements it in tests.
//!
//! Invariants:
//! - Redis keys are named in `prelude.lua` and nowhere else.
//! - `stock = available + held + sold + quarantined` for every SKU after every script; a script that
//!   finds it broken answers an error instead of selling on.
//! - Time is Redis's own, and never goes back within a sale.
//! - A refusal (sold out, not open, …) is an outcome. [`StockError`] is what an operator may have to see.

mod answer;
mod begin;
mod cancel;
mod causes;
mod change;
mod compare;
mod currency;
mod definition;
mod due;
mod exchange;
mod expire;
mod find;
mod finish;
mod ids;
mod keys;
mod open;
mod progress;
mod rebuild;
mod receipt;
mod release;
mod reservation;
mod reserve;
mod restock;
#[cfg(feature = "schema")]
mod schema;
mod script;
mod seed;
mod shopper;
mod stock;
mod units;
mod view;
mod withdraw;
mod withdrawals;

pub use begin::BeginOutcome;
pub use cancel::CancelOutcome;
pub use causes::Causes;
pub use change::ChangeOutcome;
pub use compare::{CompareOutcome, ComparedPart};
pub use definition::{Definition, Fault, STOCK_MAX, Sale, SkuDefinition};
pub use due::Due;
pub use exchange::ExchangeOutcome;
pub use expire::Expired;
pub use find::FindOutcome;
pub use finish::{FinishOutcome, Verdict};
pub use ids::{InvalidId, OrderId, ReservationId, SaleId, Sku};
pub use keys::{ChangeId, IdSecret, IdempotencyKey, InvalidIdempotencyKey, InvalidSecret};
pub use open::OpenOutcome;
pub use progress::{Compared, Progress, SkuProgress, TakeoverPhase, TakeoverProgress};
pub use rebuild::{Part, PartOrder, RebuildOutcome};
pub use receipt::Receipt;
pub use release::ReleaseOutcome;
pub use reservation::{Reservation, ReservationState};
pub use reserve::{Quota, RateLimit, ReserveAnswer, ReserveOutcome, ReserveRequest};
pub use restock::RestockOutcome;
#[cfg(feature = "schema")]
pub use schema::Time;
pub use seed::{AppliedRestock, SeedOutcome, SeedSku};
pub use sentinel::{Deadline, Next, Status as RedisStatus};
pub use shopper::{Shopper, ShopperId, ShopperKind};
pub use stock::{Stock, StockError};
pub use units::{UnitPlace, UnitRun, UnitsOutcome};
pub use view::{SaleState, SkuView, View};
pub use withdraw::WithdrawOutcome;
pub use withdrawals::Withdrawal;
