//! The system that is to suffer from a fault of `cargo spillway chaos`: who is who in it, and how it is harmed.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use rustix::process::Signal;
use sentinel::{Call, Deadline, Durability, Idempotency};

use crate::ask::ask_as_operator;
use crate::chaos_system::System;
use crate::clocks::OF_FUNCTIONS;
use crate::detour::Way;
use crate::ledger_relay::LedgerFault;
use crate::process::signal;
use crate::running::{OPERATOR, Part, Running};

/// For whatever a fault has to ask.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Until a crowd's next confirm is at its commit.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(10);

/// In which an answer of the ledger reaches `confirm`, and its next command Redis.
const STEP: Duration = Duration::from_millis(50);

/// In which a function that was killed is there again.
const RESTART: Duration = Duration::from_secs(2);

/// Less than `CLOCK_SKEW_MS`, which is 500 unless something else is said.
const STEP_MS: std::ops::Range<i32> = 200..400;

/// A system, and what runs in it now.
pub(crate) struct Victim<'a> {
    pub(crate) system: &'a System,
    pub(crate) running: Running,
}

impl<'a> Victim<'a> {
    /// This system as it is now.
    pub(crate) fn of(system: &'a System) -> Result<Self> {
        Ok(Self { system, running: system.stack.running()? })
    }

    /// The master.
    pub(crate) async fn master(&self) -> Result<Part> {
        let (masters, _) = self.nodes().await?;
        masters.into_iter().next().context("the master is none of the nodes")
    }

    /// All data nodes but the master.
    pub(crate) async fn replicas(&self) -> Result<Vec<Part>> {
        Ok(self.nodes().await?.1)
    }

    /// The master alone, and the others.
    async fn nodes(&self) -> Result<(Vec<Part>, Vec<Part>)> {
        let topology = self.system.redis.topology(Deadline::after(TIMEOUT)).await;
        let master = topology.master.map_err(|error| anyhow::anyhow!(error))?.endpoint.to_string();
        Ok(self.running.redis.iter().cloned().partition(|part| part.address == master))
    }

    /// The processes of all sentinels.
    pub(crate) async fn sentinel_pids(&self) -> Result<Vec<u32>> {
        let mut pids = Vec::new();
        for number in 0..self.running.sentinels.len() {
            let info = self.tell_sentinel(number, "INFO server").await?;
            let pid = info.lines().find_map(|line| line.strip_prefix("process_id:")?.trim().parse().ok());
            pids.push(pid.with_context(|| format!("sentinel {} does not tell its process", number + 1))?);
        }
        Ok(pids)
    }

    /// One sentinel's answer.
    pub(crate) async fn tell_sentinel(&self, number: usize, command: &str) -> Result<String> {
        let address: SocketAddr = self.running.sentinels[number].parse()?;
        let (password, command) = (self.running.sentinel_password(OPERATOR)?.to_owned(), command.to_owned());
        Ok(tokio::task::spawn_blocking(move || ask_as_operator(address, &password, &command)).await?)
    }

    /// Has the master do something.
    pub(crate) async fn tell_master(&self, command: &str, args: &[&[u8]]) -> Result<()> {
        let deadline = Deadline::after(TIMEOUT);
        let call = Call { deadline, idempotency: Idempotency::Idempotent, durability: Durability::Master };
        self.system.redis.command(command, args, call).await?;
        Ok(())
    }

    /// Kills `confirm` before the ledger has an order, after it has, and when Redis is about to hear of it.
    pub(crate) async fn kill_confirm_at_each_step(&self) -> Result<()> {
        let ledger = &self.system.ledger;
        let steps = [
            (LedgerFault::CaughtBeforeCommit, false),
            (LedgerFault::CaughtAfterCommit, false),
            (LedgerFault::CaughtAfterCommit, true),
        ];
        for (fault, is_answered) in steps {
            ledger.fail(fault, 100);
            ledger.caught(CONFIRM_TIMEOUT).await?;
            if is_answered {
                self.tell_master("CLIENT", &[b"PAUSE", b"1000", b"WRITE"]).await?;
                ledger.recover();
                tokio::time::sleep(STEP).await;
            }
            let functions = self.system.stack.running()?.functions;
            let confirm = functions.iter().find(|part| part.name == "confirm");
            signal(confirm.context("there is no `confirm`")?.pid, Signal::KILL);
            ledger.recover();
            if is_answered {
                // Redis has heard that its connections are closed, and with them what waits.
                tokio::time::sleep(STEP).await;
                self.tell_master("CLIENT", &[b"UNPAUSE"]).await?;
            }
            tokio::time::sleep(RESTART).await;
        }
        Ok(())
    }

    /// Has the way to the master be like this for longer than the sentinels wait.
    pub(crate) async fn isolate_master(&self, way: Way, random: &mut Xoshiro256PlusPlus) -> Result<()> {
        let master = self.master().await?.address;
        let mut detours = self.system.nodes.iter();
        let detour = detours.find(|detour| detour.address.to_string() == master);
        let detour = detour.context("no detour leads to the master")?;
        detour.set(way);
        tokio::time::sleep(Duration::from_millis(random.random_range(3_000..6_000))).await;
        detour.set(Way::Open);
        Ok(())
    }

    /// Has the master's clock be off for a while, and the functions' clock in the midst of it.
    pub(crate) async fn step_clocks(&self, random: &mut Xoshiro256PlusPlus) -> Result<()> {
        let clocks = self.system.clocks.as_ref().context("the clocks of this system cannot be stepped")?;
        let master = self.master().await?.name;
        for clock in [master.as_str(), OF_FUNCTIONS] {
            let step_ms = random.random_range(STEP_MS);
            clocks.step(clock, if random.random() { step_ms } else { -step_ms })?;
            tokio::time::sleep(Duration::from_millis(random.random_range(2_000..3_000))).await;
        }
        clocks.step(&master, 0)?;
        clocks.step(OF_FUNCTIONS, 0)
    }

    /// Has so many of a hundred requests to the ledger fail like this for a while.
    pub(crate) async fn fail_ledger(&self, fault: LedgerFault, percent: u8, random: &mut Xoshiro256PlusPlus) {
        self.system.ledger.fail(fault, percent);
        tokio::time::sleep(Duration::from_millis(random.random_range(2_000..5_000))).await;
        self.system.ledger.recover();
    }
}

/// Freezes processes for a while.
pub(crate) async fn freeze(pids: &[u32], milliseconds: u64) {
    let send = |what: Signal| {
        for pid in pids {
            signal(*pid, what);
        }
    };
    send(Signal::STOP);
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    send(Signal::CONT);
}

/// Removes whatever is in a folder, on which a disk may be mounted.
pub(crate) fn empty(folder: &Path) -> Result<()> {
    let cannot = || format!("cannot empty {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let is_folder = entry.file_type().with_context(cannot)?.is_dir();
        let remove = if is_folder { std::fs::remove_dir_all } else { std::fs::remove_file };
        remove(entry.path()).with_context(cannot)?;
    }
    Ok(())
}
