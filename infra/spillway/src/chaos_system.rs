//! The system of its own that chaos works on: all of `up`, and what faults need between its parts.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use edge::Cluster;
use sentinel::{Client, Deadline};

use crate::chaos_fault::Fault;
use crate::detour::Detour;
use crate::kept::{Ports, local};
use crate::layout::make_folder;
use crate::ledger_relay::LedgerRelay;
use crate::running::OPERATOR;
use crate::small_disk::SmallDisk;
use crate::stack::Stack;
use crate::stack_options::StackOptions;

/// The detours before the data nodes listen here, the nodes themselves on 127.0.0.1.
pub(crate) const NODES_REACHED_AT: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 1);

/// Until everything is as it was before the fault.
const WHOLE_TIMEOUT: Duration = Duration::from_secs(90);
const WHOLE_POLL: Duration = Duration::from_millis(200);
/// A fault is noticed within this.
const CALM: Duration = Duration::from_secs(3);
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// The system of one pass.
pub(crate) struct System {
    pub(crate) stack: Stack,
    pub(crate) redis: Client,
    /// On the way to the ledger, the one behind the other.
    pub(crate) ledger: Detour,
    pub(crate) relay: LedgerRelay,
    /// On the way to each data node, where one of them is to be isolated.
    pub(crate) nodes: Vec<Detour>,
    /// Under the folders of the data nodes, where one of them is to be full.
    pub(crate) disks: Vec<SmallDisk>,
    pub(crate) data: PathBuf,
}

impl System {
    /// Starts it, with data and logs in this folder, which is emptied first, and whatever these faults need.
    pub(crate) async fn start(data: &Path, faults: &[Fault]) -> Result<Self> {
        let folders = [1, 2, 3].map(|number| data.join(format!("redis-{number}")));
        for folder in &folders {
            SmallDisk::unmount(folder);
        }
        if data.exists() {
            std::fs::remove_dir_all(data).with_context(|| format!("cannot remove {}", data.display()))?;
        }
        make_folder(data)?;
        let disks = folders.iter().filter(|_| faults.contains(&Fault::FullDisk));
        let disks = disks.map(|folder| SmallDisk::mount(folder)).collect::<Result<Vec<_>>>()?;
        let ledger = Detour::start(local(0)).await?;
        let (mut nodes, mut nodes_reached_at) = (Vec::new(), Ipv4Addr::LOCALHOST);
        if faults.iter().any(|fault| fault.isolates()) {
            nodes_reached_at = NODES_REACHED_AT;
            for port in Ports::keep(data)?.redis {
                let node = Detour::start((nodes_reached_at, port).into()).await?;
                node.lead_to(local(port));
                nodes.push(node);
            }
        }
        let options = StackOptions {
            settings: vec![("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), format!("http://{}", ledger.address))],
            nodes_reached_at,
            ..StackOptions::all_in(data.to_owned())
        };
        let stack = tokio::task::spawn_blocking(|| Stack::start(options, Box::new(|_| {}))).await??;
        let running = stack.running()?;
        let relay = LedgerRelay::start(&running).await?;
        let address = relay.url.trim_start_matches("http://").parse();
        ledger.lead_to(address.context("the relay to the ledger has no address")?);
        let redis = Client::new(running.connection(OPERATOR)?)?;
        let system = Self { stack, redis, ledger, relay, nodes, disks, data: data.to_owned() };
        system.become_whole().await?;
        Ok(system)
    }

    /// Waits until the cluster has had nothing to complain of for a while; how long it did complain.
    pub(crate) async fn become_whole(&self) -> Result<Duration> {
        let began = Instant::now();
        let mut complained = Duration::ZERO;
        loop {
            let cluster = Cluster::new(&self.redis.topology(Deadline::after(LOOK_TIMEOUT)).await);
            let elapsed = began.elapsed();
            if !cluster.faults.is_empty() {
                complained = elapsed;
            } else if elapsed > complained + CALM {
                return Ok(complained);
            }
            if elapsed > WHOLE_TIMEOUT {
                bail!("after {} s still: {}", WHOLE_TIMEOUT.as_secs(), cluster.faults.join(" "));
            }
            tokio::time::sleep(WHOLE_POLL).await;
        }
    }

    /// Returns when each process has ended.
    pub(crate) async fn stop(self) -> Result<()> {
        Ok(tokio::task::spawn_blocking(move || drop(self.stack)).await?)
    }
}
