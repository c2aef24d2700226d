//! What `cargo spillway chaos` does to a system, and which promises hold then.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use rustix::process::Signal;
use serde::Serialize;

use crate::chaos_system::NODES_REACHED_AT;
use crate::chaos_victim::{Victim, empty, freeze};
use crate::clocks::Clocks;
use crate::detour::Way;
use crate::layout::MASTER_NAME;
use crate::ledger_relay::LedgerFault;
use crate::process::signal;
use crate::running::Part;
use crate::small_disk::SmallDisk;

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
    /// The clock of the master, and then that of the functions, is off by less than the allowance.
    StepClock,
    /// A sentinel ends.
    EndSentinel,
    /// All sentinels are frozen for longer than they wait for a master: nobody could replace it.
    FreezeSentinels,
    /// Every function that serves a purchase, and the sweep, is killed.
    KillFunctions,
    /// `confirm` is killed at each of its steps: before the ledger has an order, after, and before Redis hears of it.
    KillConfirm,
    /// Nothing that is sent to the ledger, or comes from it, arrives for a while.
    StallLedger,
    /// Every connection to the ledger breaks for a while.
    CutLedger,
    /// Each answer of the ledger is late.
    SlowLedger,
    /// The ledger says to half of all requests that it has too much to do.
    ThrottleLedger,
    /// The ledger says to half of all transactions that they meet others.
    ConflictLedger,
    /// Connections break before a third of all transactions reach the ledger.
    LoseCommits,
    /// Connections break after a third of all transactions are committed, before they are answered.
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

impl Fault {
    /// Its name, as on the command line.
    pub(crate) fn name(self) -> String {
        clap::ValueEnum::to_possible_value(&self)
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Fails where this machine does not let it happen; a probe may need this folder.
    pub(crate) fn require(self, data: &Path) -> Result<()> {
        match self {
            Self::FullDisk => SmallDisk::mount(&data.join("probe")).map(drop),
            Self::StepClock => Clocks::start(data.join("clocks")).map(drop),
            fault if fault.isolates() => TcpListener::bind((NODES_REACHED_AT, 0))
                .map(drop)
                .with_context(|| format!("there is no loopback address {NODES_REACHED_AT}")),
            _ => Ok(()),
        }
    }

    /// Whether every acknowledged hold is kept. (An order stands and a unit is sold once whatever happens.)
    pub(crate) const fn keeps_holds(self) -> bool {
        !matches!(self, Self::IsolateSentinels | Self::BareFailover | Self::KillAll | Self::Forget)
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
                empty(&victim.system.data.join(&master.name))?;
            }
            Self::FullDisk => {
                let folder = victim.system.data.join(victim.master().await?.name);
                let disk = victim.system.disks.iter().find(|disk| disk.is_on(&folder));
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
            Self::StepClock => victim.step_clocks(random).await?,
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
            Self::KillConfirm => victim.kill_confirm_at_each_step().await?,
            Self::StallLedger => victim.fail_ledger(LedgerFault::Stalled, 100, random).await,
            Self::CutLedger => victim.fail_ledger(LedgerFault::Cut, 100, random).await,
            Self::SlowLedger => victim.fail_ledger(LedgerFault::Late, 100, random).await,
            Self::ThrottleLedger => victim.fail_ledger(LedgerFault::Throttled, 50, random).await,
            Self::ConflictLedger => victim.fail_ledger(LedgerFault::Conflicting, 50, random).await,
            Self::LoseCommits => victim.fail_ledger(LedgerFault::LostBeforeCommit, 33, random).await,
            Self::LoseAnswers => victim.fail_ledger(LedgerFault::LostAfterCommit, 33, random).await,
            Self::Failover => drop(victim.system.redis.failover().await?),
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
            Self::Forget => victim.tell_master("FLUSHALL", &[]).await?,
        }
        Ok(())
    }
}
