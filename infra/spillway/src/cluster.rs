//! `cargo spillway cluster`: the Redis cluster at one look, and with `--follow` its events as they come.

use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use edge::Cluster;
use sentinel::{Client, Deadline, Event, Events};

use crate::cluster_print as print;
use crate::output::{unless_reader_left, write_json, write_line};
use crate::running::{OPERATOR, RunningArguments};

const LOOK_TIMEOUT: Duration = Duration::from_secs(3);

/// Sentinels that were not there are listened to after this.
const RESUBSCRIBE_AFTER: Duration = Duration::from_secs(30);

/// After one was lost, or none was there.
const RESUBSCRIBE_PAUSE: Duration = Duration::from_secs(1);

/// Which cluster an operator speaks to.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ClusterConnection {
    #[command(flatten)]
    running: RunningArguments,
    /// Not the one that `up` has started: the one that the settings of a function name, `REDIS_SENTINELS`
    /// and so on, in this command's environment.
    #[arg(long, conflicts_with = "up_json")]
    from_env: bool,
}

impl ClusterConnection {
    pub(crate) fn client(&self) -> Result<Client> {
        if self.from_env {
            return edge::redis_from_environment().map_err(|faults| anyhow!(faults));
        }
        Ok(Client::new(self.running.find()?.connection(OPERATOR)?)?)
    }
}

/// Show the Redis cluster: master, replicas and their lag, sentinels. Fails where something is wrong.
#[derive(Debug, Clone, clap::Args)]
pub struct ClusterArguments {
    #[command(flatten)]
    connection: ClusterConnection,
    /// Go on and print what the sentinels say, as they say it.
    #[arg(long)]
    follow: bool,
    /// Print JSON; with --follow, each event on a line of its own.
    #[arg(long)]
    json: bool,
}

impl ClusterArguments {
    /// Runs the command.
    pub async fn run(self) -> Result<()> {
        let client = self.connection.client()?;
        let cluster = look(&client).await;
        let printed = if self.json { write_json(&cluster) } else { write_line(print::cluster(&cluster)) };
        if self.follow {
            return unless_reader_left(match printed {
                Ok(()) => follow(&client, self.json).await,
                failed => failed,
            });
        }
        unless_reader_left(printed)?;
        ensure!(cluster.faults.is_empty(), "the cluster needs a look: {}", cluster.faults.join(" "));
        Ok(())
    }
}

async fn look(client: &Client) -> Cluster {
    Cluster::new(&client.topology(Deadline::after(LOOK_TIMEOUT)).await)
}

/// Until it is interrupted, or nobody reads.
async fn follow(client: &Client, is_json: bool) -> Result<()> {
    loop {
        let sentinels = client.sentinels(Deadline::after(LOOK_TIMEOUT)).await;
        let subscribed = Events::subscribe(client.config(), &sentinels, Deadline::after(LOOK_TIMEOUT)).await;
        match subscribed {
            Ok(mut events) => {
                // Now and then anew, for sentinels that were not there the last time.
                let end = tokio::time::Instant::now() + RESUBSCRIBE_AFTER;
                while let Ok(Some(event)) = tokio::time::timeout_at(end, events.next()).await {
                    write(&event, is_json)?;
                    if event.name == "+switch-master" && !is_json {
                        write_line(print::cluster(&look(client).await))?;
                    }
                    if event.name == "lost" {
                        tokio::time::sleep(RESUBSCRIBE_PAUSE).await;
                        break;
                    }
                }
            }
            Err(error) => {
                complain(&format!("no sentinel to listen to: {error}"));
                tokio::time::sleep(RESUBSCRIBE_PAUSE).await;
            }
        }
    }
}

#[allow(clippy::print_stderr)]
fn complain(text: &str) {
    eprintln!("{text}");
}

fn write(event: &Event, is_json: bool) -> Result<()> {
    let (time, sentinel) = (jiff::Timestamp::now(), event.sentinel.to_string());
    if is_json {
        return write_json(&serde_json::json!({
            "time": time, "sentinel": sentinel, "event": event.name, "text": event.text,
        }));
    }
    write_line(format!("{time:.3}  {sentinel}  {:<24} {}", event.name, event.text))
}
