//! The system that `cargo spillway chaos` makes for one pass over its faults: a stack, and detours on its inner ways.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use edge::Cluster;
use sentinel::{Client, Deadline};

use crate::chaos_fault::Fault;
use crate::clocks::Clocks;
use crate::detour::Detour;
use crate::kept::{Ports, local};
use crate::layout::make_folder;
use crate::ledger_relay::LedgerRelay;
use crate::running::OPERATOR;
use crate::small_disk::SmallDisk;
use crate::stack::Stack;
use crate::stack_options::StackOptions;

/// The detours to the data nodes listen here, the nodes themselves on 127.0.0.1.
pub(crate) const NODES_REACHED_AT: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 1);

/// Until everything is as it was before the fault.
const WHOLE_TIMEOUT: Duration = Duration::from_secs(90);
const WHOLE_POLL: Duration = Duration::from_millis(200);
/// A fault is noticed within this.
const CALM: Duration = Duration::from_secs(3);
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// A running system that may be harmed. Dropping it stops it.
pub(crate) struct System {
    pub(crate) stack: Stack,
    pub(crate) redis: Client,
    /// On the way to the ledger.
    pub(crate) ledger: LedgerRelay,
    /// On the way to each data node, where one of them is to be isolated.
    pub(crate) nodes: Vec<Detour>,
    /// Under the folder of each data node, where there are any.
    pub(crate) disks: Vec<SmallDisk>,
    /// Those of data nodes and functions, where they are to be stepped.
    pub(crate) clocks: Option<Clocks>,
    /// Folder of data and logs.
    pub(crate) data: PathBuf,
}

impl System {
    /// Starts one, as these faults need it, with data and logs in this folder, which is emptied first.
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
        let clocks = faults.contains(&Fault::StepClock).then(|| Clocks::start(data.join("clocks")));
        let clocks = clocks.transpose()?;
        let ports = Ports::keep(data)?;
        let ledger = LedgerRelay::start(&format!("http://{}", local(ports.dynamodb))).await?;
        let (mut nodes, mut nodes_reached_at) = (Vec::new(), Ipv4Addr::LOCALHOST);
        if faults.iter().any(|fault| fault.isolates()) {
            nodes_reached_at = NODES_REACHED_AT;
            for port in ports.redis {
                nodes.push(Detour::start((nodes_reached_at, port).into(), local(port)).await?);
            }
        }
        let options = StackOptions {
            settings: ledger.settings().to_vec(),
            nodes_reached_at,
            clocks: clocks.clone(),
            ..StackOptions::all_in(data.to_owned())
        };
        let stack = tokio::task::spawn_blocking(|| Stack::start(options, Box::new(|_| {}))).await??;
        let redis = Client::new(stack.running()?.connection(OPERATOR)?)?;
        let system = Self { stack, redis, ledger, nodes, disks, clocks, data: data.to_owned() };
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

    /// Stops it in order.
    pub(crate) async fn stop(self) -> Result<()> {
        // It waits for each process.
        Ok(tokio::task::spawn_blocking(move || drop(self.stack)).await?)
    }
}
