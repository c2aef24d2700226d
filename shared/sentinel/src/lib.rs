//! A Redis Sentinel connection that follows a failover and never guesses what happened.
//!
//! It knows Redis and Sentinel and nothing of what they are used for. The crate `redis` is the wire
//! driver; its types stay inside.
//!
//! # What it promises
//! | promise | by |
//! |---|---|
//! | **One master at a time.** Role, version and history are verified on the very connection that is kept; where it says that it is none, or is closed, the master is found anew; where it is silent or lacks its replicas, it is kept only if the sentinels name no other. One caller does that for all | `AUTH, ROLE, INFO` in one pipeline; a generation number |
//! | **A hung, stale or lying sentinel decides nothing.** | all are asked at once; a majority that agrees, counted as Sentinel counts, ends the search, see [`Agreement`] |
//! | **No call is sent twice unless that is safe**: because it is idempotent, or because the server is known not to have run it | [`Idempotency`], and one table of errors, see [`Error`] |
//! | **A late answer of a replaced master is never believed.** | [`Timings::response`] is shorter than `down-after-milliseconds` |
//! | **Every call ends by its deadline**, and its error says what the caller may do [`Next`] | [`Deadline`] |
//! | **A durable call is one round trip**, and durable calls that meet on a connection share one acknowledgement | `EVALSHA × n, WAIT` in one pipeline |
//! | **Another history is told, and so is what is proven to be lost of the same one.** | [`Continuity`], compared at each connect; [`Status::lost_bytes`] |
//! | **A failover is no storm.** One client never tries more often than its backoff, keeps its connections to the sentinels while it waits, and can spread its reconnect | [`Timings::backoff_min`], [`Timings::reconnect_spread`] |
//! | **Nothing wakes up after a pause of the whole process.** No task of its own but the wire driver, which ends with its connection; a connection that was idle by the wall clock is probed before it is used | [`Timings::idle_before_probe`] |
//! | **A planned failover loses nothing.** | [`Client::failover`] pauses writes until a replica that has everything is the master |
//!
//! # What it lacks on purpose
//! Pub/sub for following a failover (asking finds a new master earlier; [`Events`] is for people), reads from
//! replicas, transactions, cluster mode, connection pools (clones share one connection).
//!
//! # What it needs
//! Redis 7 or Valkey 8; older servers run the read-only paths of scripts on a demoted master. Rust 1.94.1.
//! A tokio runtime with I/O and time.
//!
//! # Example
//! `cargo run --release --package sentinel --example follow` shows it against a cluster that it starts and whose master it kills.
//!
//! ```no_run
//! use std::time::Duration;
//! use sentinel::{Call, Client, Config, Deadline, Durability, Idempotency, Invocation, Script};
//!
//! static TAKE: Script = Script::new("#!lua\nreturn redis.call('DECR', KEYS[1])");
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let sentinels = vec!["10.0.0.1:26379".parse()?, "10.0.0.2:26379".parse()?, "10.0.0.3:26379".parse()?];
//! let client = Client::new(Config::new(sentinels, "mymaster"))?;
//! let call = Call {
//!     deadline: Deadline::after(Duration::from_secs(2)),
//!     idempotency: Idempotency::NonIdempotent,
//!     durability: Durability::Replicas { count: 1, timeout: Duration::from_millis(50) },
//! };
//! let reply = client.invoke(&Invocation::new(&TAKE).key("stock"), call).await?;
//! println!("{:?}, known to {} replicas", reply.value, reply.replicas);
//! # Ok(())
//! # }
//! ```

mod call;
mod classify;
mod client;
mod config;
mod deadline;
mod discovery;
mod doubt;
mod endpoint;
mod error;
mod events;
mod failover;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::print_stdout)]
mod fuzz;
mod group;
mod handshake;
mod pace;
mod replication;
mod script;
mod sentinel_answer;
mod session;
mod status;
#[cfg(feature = "testkit")]
pub mod testkit;
#[cfg(feature = "testkit")]
mod testkit_answers;
#[cfg(feature = "testkit")]
mod testkit_cluster;
#[cfg(feature = "testkit")]
mod testkit_fake;
#[cfg(feature = "testkit")]
mod testkit_history;
#[cfg(feature = "testkit")]
mod testkit_options;
#[cfg(feature = "testkit")]
mod testkit_orders;
#[cfg(feature = "testkit")]
mod testkit_process;
#[cfg(feature = "testkit")]
mod testkit_proxy;
mod timings;
mod tls;
mod topology;
mod value;
mod wire;

pub use call::{Call, Durability, Idempotency, Reply};
pub use client::Client;
pub use config::{Agreement, Config, Credentials};
pub use deadline::Deadline;
pub use endpoint::{Endpoint, InvalidEndpoint, InvalidNatMap, NatMap};
pub use error::{ConfigError, Error, Next};
pub use events::{Event, Events};
pub use failover::Failover;
pub use replication::{Continuity, Lineage};
pub use script::{Invocation, Script};
pub use status::Status;
pub use timings::Timings;
pub use tls::Tls;
pub use topology::{MasterView, ReplicaView, SentinelTold, SentinelView, Topology};
pub use value::Value;
