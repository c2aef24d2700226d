//! The tests over real servers: real Redis, real sentinels, the real binaries. The list of their names is
//! the specification.
//!
//! Most tests share one system and have a sale of their own in it; those that break something start a
//! system of their own. Nothing here sleeps to synchronise: it waits for a condition, with a deadline.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod acl;
mod alarms;
mod audit;
mod browser;
mod bypass;
mod cdn;
mod chaos;
#[cfg(target_os = "linux")]
mod clocks;
mod cluster;
mod cold_start;
mod commands;
mod compare;
mod compare_stock;
mod contract;
mod crash;
mod doors;
mod expiry;
mod failover;
mod fake_aws;
mod fence;
mod forms;
mod forms_line;
mod gateway;
mod group;
mod history;
#[cfg(target_os = "linux")]
mod hosts;
mod identity;
mod input;
mod journal;
mod jwks;
mod lambda_function;
mod ledger_table;
mod life;
mod limit;
mod marks;
mod merchant;
mod metrics;
mod node_boot;
mod node_files;
mod node_host;
mod nodes;
mod notify;
mod on_master;
mod openapi;
mod openapi_answers;
mod openapi_document;
mod openapi_examples;
mod openapi_operation;
mod openapi_operations;
mod openapi_operations_door;
mod openapi_problems;
mod page;
mod passwords;
mod plain_browser;
mod problems;
mod provider;
mod publish;
mod quarantine;
mod queue;
mod queue_recovery;
mod race;
mod repeats;
mod replaced_host;
mod rotation;
mod routes;
mod runtime;
mod secrets;
mod settings;
mod settle;
mod shop;
mod start;
mod steps;
mod steps_model;
mod strangers;
mod sweep;
mod system;
#[cfg(target_os = "linux")]
mod systemd;
mod takeover;
mod takeover_parts;
mod template;
mod terms;
mod throttle;
mod tidy;
mod timeouts;
mod turns;
mod vault;
mod virtual_waiting_room;
mod waiting_room;
mod watch;
#[cfg(target_os = "linux")]
mod watchdog;
