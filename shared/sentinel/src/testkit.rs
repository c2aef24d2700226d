//! What tests of this crate, and of what is built on it, use to break Redis: real clusters whose members can
//! be killed, paused and cut off, a proxy and fakes that misbehave on demand, and a history that tells
//! afterwards whether every promise was kept. Behind the feature `testkit`.
//!
//! Real servers where a rule of theirs is at stake; fakes only for answers that real servers cannot be
//! brought to give.
//!
//! ```no_run
//! use sentinel::Client;
//! use sentinel::testkit::{Cluster, ClusterOptions, History, Member, Plan};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = Cluster::start(ClusterOptions::default()).await?;
//! let client = Client::new(cluster.config())?;
//! let history = History::new();
//! let writers = history.writers(&client, 8, Plan::default());
//! let master = cluster.master().await?;
//! cluster.kill(Member::Node(master))?;
//! cluster.master_after(master).await?;
//! writers.stop().await;
//! println!("{:?}", history.check(&cluster).await?);
//! # Ok(())
//! # }
//! ```

pub use crate::testkit_answers::{FakeSentinel, Knowledge, as_master, as_sentinel};
pub use crate::testkit_cluster::{Cluster, ClusterError, Member, Return};
pub use crate::testkit_fake::{Answer, FakeServer};
pub use crate::testkit_history::{History, Outcome, Plan, Tally, Violation, Writers};
pub use crate::testkit_options::{ClusterOptions, MASTER_NAME};
pub use crate::testkit_proxy::{Passage, Proxy};
