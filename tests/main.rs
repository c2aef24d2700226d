//! The tests over real servers: real Redis, real sentinels, the real binaries. The list of their names is
//! the specification.
//!
//! Most tests share one system and have a sale of their own in it; those that break something start a
//! system of their own. Nothing here sleeps to synchronise: it waits for a condition, with a deadline.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod acl;
mod cluster;
mod cold_start;
mod commands;
mod crash;
mod doors;
mod expiry;
mod failover;
mod group;
mod history;
mod identity;
mod input;
mod lambda_function;
mod ledger_proxy;
mod life;
mod limit;
mod merchant;
mod nodes;
mod notify;
mod page;
mod problems;
mod race;
mod repeats;
mod runtime;
mod settings;
mod settle;
mod shop;
mod start;
mod strangers;
mod system;
mod throttle;
mod tidy;
mod watch;
