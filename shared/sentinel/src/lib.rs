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
mod connect;
mod deadline;
mod discovery;
mod error;
mod group;
mod handshake;
mod script;
mod session;
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
mod value;

pub use call::{Call, Durability, Idempotency, Reply};
pub use client::{Client, Status};
pub use config::{Config, ConfigError, Credentials, Endpoint, InvalidEndpoint, Timings};
pub use deadline::Deadline;
pub use error::{Error, Next};
pub use handshake::Lineage;
pub use script::{Invocation, Script};
pub use value::Value;
