//! The rules of a sale. Each operation is one `.rs` (request, outcome) beside one `.lua` (the rule).
//!
//! The only place where two shoppers can be told apart in order is inside Redis, so each script *is*
//! the rule: no trait stands before it and no fake re-implements it in tests.
//!
//! Invariants:
//! - Redis keys are named in `prelude.lua` and `queue.lua` and nowhere else.
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
mod compare_cancels;
mod currency;
mod definition;
mod distrust;
mod drain;
mod draw;
mod due;
mod exchange;
mod expire;
mod find;
mod finish;
mod forget;
mod ids;
mod join;
mod journal;
mod keys;
mod open;
mod picture;
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
mod tick;
mod ticket;
mod turn;
mod units;
mod view;
mod waiting_room;
mod withdraw;
mod withdraw_again;
mod withdrawals;

pub use begin::BeginOutcome;
pub use cancel::CancelOutcome;
pub use causes::Causes;
pub use change::ChangeOutcome;
pub use compare::{CompareOutcome, ComparedPart};
pub use compare_cancels::CancelsPage;
pub use currency::minor_digits;
pub use definition::{Definition, Fault, STOCK_MAX, Sale, SkuDefinition};
pub use distrust::DistrustOutcome;
pub use drain::{JournalPart, KeptPart};
pub use draw::{Commitment, Draw, Seed};
pub use due::{Due, DueAction};
pub use exchange::ExchangeOutcome;
pub use expire::Expired;
pub use find::FindOutcome;
pub use finish::{FinishOutcome, Verdict};
pub use ids::{InvalidId, OrderId, ReservationId, SaleId, Sku};
pub use join::{JoinAnswer, JoinOutcome};
pub use journal::{InvalidJournalEntry, JournalEntry, JournalId, UnitChange, UnitCount};
pub use keys::{ChangeId, IdSecret, IdempotencyKey, InvalidIdempotencyKey, InvalidSecret};
pub use open::OpenOutcome;
pub use picture::{InvalidPicture, Picture};
pub use progress::{
    Compared, ComparedCancels, ComparedProgress, ComparedSku, Progress, SkuProgress, TakeoverPhase,
    TakeoverProgress,
};
pub use rebuild::{LedgerOrder, Part, RebuildOutcome};
pub use receipt::Receipt;
pub use release::ReleaseOutcome;
pub use reservation::{Reservation, ReservationState};
pub use reserve::{Quota, RateLimit, ReserveAnswer, ReserveOutcome, ReserveRequest};
pub use restock::RestockOutcome;
#[cfg(feature = "schema")]
pub use schema::Time;
pub use seed::{AppliedRestock, SeedOutcome, SeedSku, Seeding};
pub use sentinel::{Deadline, Lineage, Next, Status as RedisStatus};
pub use shopper::{Shopper, ShopperId, ShopperKind};
pub use stock::{Stock, StockError};
pub use tick::{Load, QueueRecord};
pub use ticket::Ticket;
pub use turn::{Turn, TurnOutcome};
pub use units::{UnitPlace, UnitRun, UnitsOutcome};
pub use view::{SaleState, SkuView, View};
pub use waiting_room::{
    BYPASS_MAX, RATE_PER_MINUTE_MAX, RoomControls, RoomState, RoomView, WaitingRoom, Waits,
};
pub use withdraw::WithdrawOutcome;
pub use withdraw_again::{Surplus, WithdrawAgainOutcome};
pub use withdrawals::Withdrawal;
