//! The failure cases that the connection must pass, over real servers and, where those cannot be brought to
//! misbehave, over fakes. The number in the first line of a test's documentation is the case's.
//!
//! Each test has servers of its own. Nothing sleeps to synchronise; a fault that must last a given time may.
//! Every case in which real servers are written to ends with the check of its history: what was acknowledged
//! is on the final master, what must not run twice did not, what was said to be not done was not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod agreement;
mod calls;
mod certificates;
mod cold_start;
mod demotion;
mod failover;
mod kit;
mod lineage;
mod outage;
mod pace;
mod pauses;
mod planned;
mod refusals;
mod replacing;
mod sentinels;
mod storm;
mod wire;
mod wrong_settings;
