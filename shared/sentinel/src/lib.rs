//! A Redis Sentinel connection that follows a failover and never guesses what happened.
//!
//! It knows Redis and Sentinel and nothing of what they are used for. The crate `redis` is the wire
//! driver; its types stay inside.
//!
//! # What it promises
//! - **One master at a time.** All sentinels are asked at once; the role is verified on the very
//!   connection that is kept; after any doubt (timeout, I/O error, READONLY, LOADING, MASTERDOWN) the
//!   connection is dropped as a whole and found anew.
//! - **No call is sent twice unless that is safe**: because it is idempotent, or because the server is
//!   known not to have run it.
//! - **Every call ends by its deadline**, and its [`Error`] says what the caller may do [`Next`].
//! - **A durable call is one round trip**: `[EVALSHA, WAIT n t]` in one pipeline; durable calls that meet on
//!   a connection share it, so that one acknowledgement serves them all.
//! - **No task of its own** outlives a call, so nothing wakes up after a pause of the whole process; a
//!   connection that was idle is probed before it is used.
//!
//! # What it lacks on purpose
//! Pub/sub (polling finds a new master earlier), replica reads, transactions, cluster mode.
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
mod endpoint;
mod error;
mod events;
mod failover;
mod group;
mod handshake;
mod pace;
mod replication;
mod script;
mod sentinel_answer;
mod session;
mod status;
mod timings;
mod tls;
mod topology;
mod value;
mod wire;

pub use call::{Call, Durability, Idempotency, Reply};
pub use client::Client;
pub use config::{Agreement, Config, ConfigError, Credentials};
pub use deadline::Deadline;
pub use endpoint::{Endpoint, InvalidEndpoint, InvalidNatMap, NatMap};
pub use error::{Error, Next};
pub use events::{Event, Events};
pub use failover::Failover;
pub use replication::{Continuity, Lineage};
pub use script::{Invocation, Script};
pub use status::Status;
pub use timings::Timings;
pub use tls::Tls;
pub use topology::{MasterView, ReplicaView, SentinelTold, SentinelView, Topology};
pub use value::Value;
