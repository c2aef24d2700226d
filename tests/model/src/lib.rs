//! A model of a purchase that is checked exhaustively: every order in which its steps, failures and lost
//! messages can happen, for a handful of reservations and units.
//!
//! It has what promises depend on and nothing else. Redis is the versions of one dataset, the replicas are
//! how far they have got in them; a failover throws away what the promoted one had not. The ledger is its
//! keys and their conditions. Time is three facts about a reservation that become true at any moment and
//! stay true: it was issued, it is over, its late writes are over.
//!
//! | promise | property |
//! |---|---|
//! | P1 never oversold | no unit is in two orders |
//! | P2 an acknowledged order is never lost | what a shopper was told to be ordered is in the ledger |
//! | P3 an acknowledged hold is kept | its confirm, begun in time, is never answered with a refusal |
//! | P4 never undersold | when nothing more can happen, each unit is sold or available, as the ledger says |
//! | P5 limit per shopper | no shopper has more orders than that |
//!
//! [`Protection`]s can be taken away; `tests` shows which promise each of them keeps. Run
//! `cargo run --release --package model --example check` to see the number of states, and for each protection a
//! short history that breaks a promise without it.

mod dataset;
mod ledger;
mod protection;
mod purchase;
mod state;
mod steps;

pub use protection::{Lacking, Protection};
pub use purchase::{Bounds, Promise, Promotion, Purchase};
pub use state::State;
pub use steps::Step;
