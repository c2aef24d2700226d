//! `cargo spillway failover`: replaces the master on purpose, without losing anything.

use anyhow::{Context, Result};

use crate::cluster::ClusterConnection;
use crate::output::write_line;
use crate::progress::say;

/// Replace the Redis master, for maintenance: writes pause until a replica that has everything is the master.
#[derive(Debug, Clone, clap::Args)]
pub struct FailoverArguments {
    #[command(flatten)]
    connection: ClusterConnection,
}

impl FailoverArguments {
    /// Runs the command.
    pub async fn run(self) -> Result<()> {
        let client = self.connection.client()?;
        say("pausing writes until every replica has everything, then the sentinels replace the master");
        let done = client.failover().await.context("`cargo spillway cluster` tells more")?;
        write_line(format!(
            "the master was {} and is {}; no write was possible for {:.2} s, and none was lost",
            done.from,
            done.to,
            done.gap.as_secs_f64()
        ))
    }
}
