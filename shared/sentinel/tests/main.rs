//! The failure cases that the connection must pass, over real servers and, where those cannot be brought to
//! misbehave, over fakes. The number in each test's first line is the case's.
//!
//! Each test has servers of its own. Nothing sleeps to synchronise; a fault that must last a given time may.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod agreement;
mod calls;
mod certificates;
mod kit;
mod lineage;
mod planned;
mod storm;
