//! What is asked and answered over HTTP: one type for each body. The function that answers, the command that
//! asks and the document `openapi.json` share them, so none of the three can say something else.
//!
//! Invariants:
//! - A body that anybody sees is a type of this crate, or one of the domain that is shown as it is
//!   ([`sale::Definition`], [`sale::SkuView`], [`sale::UnitPlace`]).
//! - Nothing is decided here, and whose something is stays out of every answer.

mod journal;
mod order;
mod problem;
mod queue;
mod reservation;
mod sales;
mod session;
mod status;
mod stock;
mod units;
mod virtual_waiting_room;

pub use journal::{Journal, JournalEntryAnswer, JournalQuery};
pub use order::{ORDERS_DEFAULT, ORDERS_MAX, OrderAnswer, OrderState, Orders, OrdersQuery};
pub use problem::{FieldFault, ProblemAnswer};
pub use queue::{
    ACCOUNTS_MAX, QueueChange, QueueReport, TicketAnswer, TicketProof, TurnAnswer, TurnState,
    WaitPercentiles, WaitingRoomStatus,
};
pub use reservation::{Proof, QUANTITY_MAX, ReservationAnswer, Wish};
pub use sales::{SaleAnswer, Sales};
pub use session::Session;
pub use status::{SkuStatus, Status};
pub use stock::{Quantity, Report, Restocked, Withdrawn};
pub use units::{UnitRange, Units, UnitsQuery};
pub use virtual_waiting_room::{
    AccessTokens, AssignedNumber, Event, NotYet, Position, PositionExpiry, PublicKey, PublicKeys,
    QueueNumber, ServingCounter, WaitingNumber,
};
