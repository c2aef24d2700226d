//! `cargo spillway failover`: replaces the master on purpose, without losing anything.

use anyhow::{Context, Result, ensure};

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
        let gap = done.gap.as_secs_f64();
        let told =
            format!("the master was {} and is {}; no write was possible for {gap:.2} s", done.from, done.to);
        ensure!(done.lost_bytes == 0, "{told}, and the last {} bytes of writes are lost", done.lost_bytes);
        write_line(format!("{told}, and none was lost"))
    }
}
