//! What `cargo spillway chaos` does to a system, and which promises hold then.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use rustix::process::Signal;
use sentinel::{Call, Client, Deadline, Durability, Idempotency};
use serde::Serialize;

use crate::ask::ask_as_operator;
use crate::detour::{Detour, Way};
use crate::layout::MASTER_NAME;
use crate::ledger_relay::{LedgerFault, LedgerRelay};
use crate::process::signal;
use crate::running::{OPERATOR, Part, Running};
use crate::small_disk::SmallDisk;

const TIMEOUT: Duration = Duration::from_secs(3);

/// A slow replica works for so long between two pauses.
const SLOW_REPLICA_WORKS: Duration = Duration::from_millis(50);

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The Redis master is killed.
    KillMaster,
    /// The Redis master is frozen for longer than the sentinels wait, and goes on then.
    FreezeMaster,
    /// The Redis master is killed, and its disk is gone.
    EmptyMaster,
    /// The disk of the Redis master is full for a while.
    FullDisk,
    /// A replica is killed.
    KillReplica,
    /// Both replicas are frozen for a moment: nothing can be acknowledged meanwhile.
    FreezeReplicas,
    /// One replica is slow: frozen for most of the time, again and again.
    SlowReplica,
    /// Nobody reaches the master for longer than the sentinels wait.
    IsolateMaster,
    /// Neither replicas nor sentinels reach the master for longer than the sentinels wait; those who buy do.
    IsolateWithClients,
    /// The sentinels do not reach the master, which goes on with its replicas, and replace it.
    IsolateSentinels,
    /// A sentinel ends.
    EndSentinel,
    /// All sentinels are frozen for longer than they wait for a master: nobody could replace it.
    FreezeSentinels,
    /// Every function that serves a purchase, and the sweep, is killed.
    KillFunctions,
    /// Nothing that is sent to the ledger, or comes from it, arrives for a while.
    StallLedger,
    /// Every connection to the ledger breaks, and none can be made for a while.
    CutLedger,
    /// Each answer of the ledger is late.
    SlowLedger,
    /// The ledger says to half of all requests that it has too much to do.
    ThrottleLedger,
    /// Half of the ledger's transactions are told to meet others.
    ConflictLedger,
    /// A third of the ledger's transactions vanish on their way to it.
    LoseCommits,
    /// A third of the ledger's transactions are committed without an answer.
    LoseAnswers,
    /// `cargo spillway failover`.
    Failover,
    /// `SENTINEL FAILOVER` without a pause of writes, as by an operator who does not know better.
    BareFailover,
    /// All Redis nodes are killed at once, and come back with what their disks have.
    KillAll,
    /// `FLUSHALL`: all Redis nodes forget everything.
    Forget,
}

/// The system that is to suffer.
pub(crate) struct Victim<'a> {
    pub(crate) running: Running,
    pub(crate) redis: &'a Client,
    pub(crate) ledger: &'a Detour,
    pub(crate) relay: &'a LedgerRelay,
    /// Before each data node.
    pub(crate) nodes: &'a [Detour],
    pub(crate) data: &'a Path,
    /// Under the data nodes' folders, where a disk is to be full.
    pub(crate) disks: &'a [SmallDisk],
}

impl Fault {
    /// Its name, as on the command line.
    pub(crate) fn name(self) -> String {
        clap::ValueEnum::to_possible_value(&self)
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether every acknowledged hold is kept. (An order stands and a unit is sold once whatever happens.)
    pub(crate) const fn keeps_holds(self) -> bool {
        !matches!(self, Self::BareFailover | Self::IsolateSentinels | Self::KillAll | Self::Forget)
    }

    /// Whether it cuts the master off, for which there has to be a detour before each data node.
    pub(crate) const fn isolates(self) -> bool {
        matches!(self, Self::IsolateMaster | Self::IsolateWithClients | Self::IsolateSentinels)
    }

    /// Does it; returns when its cause is gone again.
    pub(crate) async fn strike(self, victim: &Victim<'_>, random: &mut Xoshiro256PlusPlus) -> Result<()> {
        match self {
            Self::KillMaster => signal(victim.master().await?.pid, Signal::KILL),
            Self::FreezeMaster => {
                freeze(&[victim.master().await?.pid], random.random_range(3_000..6_000)).await;
            }
            Self::EmptyMaster => {
                let master = victim.master().await?;
                signal(master.pid, Signal::KILL);
                empty(&victim.data.join(&master.name))?;
            }
            Self::FullDisk => {
                let folder = victim.data.join(victim.master().await?.name);
                let disk = victim.disks.iter().find(|disk| disk.is_on(&folder));
                let disk = disk.context("the master has no disk of its own")?;
                disk.fill()?;
                tokio::time::sleep(Duration::from_millis(random.random_range(2_000..4_000))).await;
                disk.make_room()?;
            }
            Self::KillReplica => {
                let replicas = victim.replicas().await?;
                signal(replicas[random.random_range(0..replicas.len())].pid, Signal::KILL);
            }
            Self::FreezeReplicas => {
                let replicas: Vec<_> = victim.replicas().await?.iter().map(|part| part.pid).collect();
                freeze(&replicas, random.random_range(500..1_200)).await;
            }
            Self::SlowReplica => {
                let replicas = victim.replicas().await?;
                let replica = replicas[random.random_range(0..replicas.len())].pid;
                for _ in 0..random.random_range(10..20) {
                    freeze(&[replica], random.random_range(100..400)).await;
                    tokio::time::sleep(SLOW_REPLICA_WORKS).await;
                }
            }
            Self::IsolateMaster => victim.isolate_master(Way::Stalled, random).await?,
            Self::IsolateWithClients => {
                victim.isolate_master(Way::StalledFor(&["replica", "sentinel"]), random).await?;
            }
            Self::IsolateSentinels => {
                victim.isolate_master(Way::StalledFor(&["sentinel"]), random).await?;
            }
            Self::EndSentinel => {
                let sentinel = random.random_range(0..victim.running.sentinels.len());
                victim.tell_sentinel(sentinel, "SHUTDOWN").await?;
            }
            Self::FreezeSentinels => {
                freeze(&victim.sentinel_pids().await?, random.random_range(3_000..6_000)).await;
            }
            Self::KillFunctions => {
                let serves = |part: &&Part| ["reserve", "confirm", "sweep"].contains(&part.name.as_str());
                for part in victim.running.functions.iter().filter(serves) {
                    signal(part.pid, Signal::KILL);
                }
            }
            Self::StallLedger => victim.lead_ledger_astray(Way::Stalled, random).await,
            Self::CutLedger => victim.lead_ledger_astray(Way::Cut, random).await,
            Self::SlowLedger => victim.fail_ledger(LedgerFault::Late, 100, random).await,
            Self::ThrottleLedger => victim.fail_ledger(LedgerFault::Throttled, 50, random).await,
            Self::ConflictLedger => victim.fail_ledger(LedgerFault::Conflicting, 50, random).await,
            Self::LoseCommits => victim.fail_ledger(LedgerFault::LostBeforeCommit, 33, random).await,
            Self::LoseAnswers => victim.fail_ledger(LedgerFault::LostAfterCommit, 33, random).await,
            Self::Failover => drop(victim.redis.failover().await?),
            Self::BareFailover => {
                let sentinel = random.random_range(0..victim.running.sentinels.len());
                let answer =
                    victim.tell_sentinel(sentinel, &format!("SENTINEL FAILOVER {MASTER_NAME}")).await?;
                // One that refuses knows no replica that it could promote, and nothing has happened.
                if !answer.ends_with("+OK\r\n") {
                    bail!("a sentinel refuses a failover: {}", answer.trim());
                }
            }
            Self::KillAll => {
                for part in &victim.running.redis {
                    signal(part.pid, Signal::KILL);
                }
            }
            Self::Forget => {
                let call = Call {
                    deadline: Deadline::after(TIMEOUT),
                    idempotency: Idempotency::Idempotent,
                    durability: Durability::Master,
                };
                victim.redis.command("FLUSHALL", &[], call).await?;
            }
        }
        Ok(())
    }
}

async fn freeze(pids: &[u32], milliseconds: u64) {
    let send = |what: Signal| {
        for pid in pids {
            signal(*pid, what);
        }
    };
    send(Signal::STOP);
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    send(Signal::CONT);
}

/// Removes whatever is in a folder, which may be where a disk is mounted.
fn empty(folder: &Path) -> Result<()> {
    let unreadable = || format!("cannot empty {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        let is_folder = entry.file_type().with_context(unreadable)?.is_dir();
        let remove = if is_folder { std::fs::remove_dir_all } else { std::fs::remove_file };
        remove(entry.path()).with_context(unreadable)?;
    }
    Ok(())
}

async fn lead_astray(detour: &Detour, way: Way, milliseconds: u64) {
    detour.set(way);
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    detour.set(Way::Open);
}

impl Victim<'_> {
    async fn master(&self) -> Result<Part> {
        let (masters, _) = self.nodes().await?;
        masters.into_iter().next().context("the master is none of the nodes")
    }

    async fn replicas(&self) -> Result<Vec<Part>> {
        Ok(self.nodes().await?.1)
    }

    /// The master alone, and the others.
    async fn nodes(&self) -> Result<(Vec<Part>, Vec<Part>)> {
        let topology = self.redis.topology(Deadline::after(TIMEOUT)).await;
        let master = topology.master.map_err(|error| anyhow::anyhow!(error))?.endpoint.to_string();
        Ok(self.running.redis.iter().cloned().partition(|part| part.address == master))
    }

    async fn sentinel_pids(&self) -> Result<Vec<u32>> {
        let mut pids = Vec::new();
        for number in 0..self.running.sentinels.len() {
            let info = self.tell_sentinel(number, "INFO server").await?;
            let pid = info.lines().find_map(|line| line.strip_prefix("process_id:")?.trim().parse().ok());
            pids.push(pid.with_context(|| format!("sentinel {} does not tell its process", number + 1))?);
        }
        Ok(pids)
    }

    async fn tell_sentinel(&self, number: usize, command: &str) -> Result<String> {
        let address: SocketAddr = self.running.sentinels[number].parse()?;
        let (password, command) = (self.running.sentinel_password(OPERATOR)?.to_owned(), command.to_owned());
        Ok(tokio::task::spawn_blocking(move || ask_as_operator(address, &password, &command)).await?)
    }

    async fn lead_ledger_astray(&self, way: Way, random: &mut Xoshiro256PlusPlus) {
        lead_astray(self.ledger, way, random.random_range(2_000..5_000)).await;
    }

    async fn fail_ledger(&self, fault: LedgerFault, percent: u8, random: &mut Xoshiro256PlusPlus) {
        self.relay.fail(fault, percent);
        tokio::time::sleep(Duration::from_millis(random.random_range(3_000..6_000))).await;
        self.relay.recover();
    }

    async fn isolate_master(&self, way: Way, random: &mut Xoshiro256PlusPlus) -> Result<()> {
        let master = self.master().await?.address;
        let detour = self.nodes.iter().find(|detour| detour.address.to_string() == master);
        lead_astray(detour.context("no detour leads to the master")?, way, random.random_range(3_000..6_000))
            .await;
        Ok(())
    }
}
