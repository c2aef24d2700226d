//! The record of what callers were told, and its comparison with what the final master has.
//!
//! A record is made under an id of its own by a script that counts its runs, so that both a lost write and
//! one that ran twice can be seen afterwards.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::testkit_cluster::{Cluster, ClusterError, Member};
use crate::testkit_orders::fields;
use crate::{Call, Client, Deadline, Durability, Error, Idempotency, Invocation, Next, Reply, Script, Value};

/// Counts the runs of one id: its key is a hash from id to runs, its argument the id. Answers the runs so far.
static RECORD: Script = Script::new("#!lua\nreturn redis.call('HINCRBY', KEYS[1], ARGV[1], 1)");

const KEY: &str = "sentinel:history";

/// What a caller was told: the one class of each call's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It is written, and as many replicas as asked for have it.
    Acknowledged,
    /// It is written on the master; fewer replicas than asked for have it.
    Unreplicated,
    /// Nothing was done.
    NotDone,
    /// It may have been done.
    OutcomeUnknown,
    /// Repeating does not help.
    Broken,
}

/// How the calls of a [`History`] are made.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// From the start of a call to its deadline.
    pub timeout: Duration,
    /// Whether a call may be sent twice.
    pub idempotency: Idempotency,
    /// What it waits for.
    pub durability: Durability,
}

impl Default for Plan {
    /// 2 s, not to be sent twice, one replica within 100 ms.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(2),
            idempotency: Idempotency::NonIdempotent,
            durability: Durability::Replicas { count: 1, timeout: Duration::from_millis(100) },
        }
    }
}

/// One call and what its caller was told.
#[derive(Debug, Clone)]
struct Told {
    plan: Plan,
    outcome: Outcome,
    /// The script's answer, where there was one.
    runs: Option<i64>,
    ended_at: Instant,
    overrun: Duration,
}

/// What callers were told, by the id of their call.
#[derive(Debug, Default)]
pub struct History {
    told: Mutex<BTreeMap<u64, Told>>,
    next_id: AtomicU64,
}

/// What a history amounts to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Calls by what their callers were told.
    pub outcomes: BTreeMap<Outcome, usize>,
    /// The longest time without an acknowledged write between two that were.
    pub gap_max: Duration,
    /// The longest time by which a call ended after its deadline.
    pub overrun_max: Duration,
}

/// A promise that was not kept: which, and to which calls.
#[derive(Debug, thiserror::Error)]
pub enum Violation {
    /// Told as written, and the final master has no trace of it.
    #[error("acknowledged and lost: {0:?}")]
    Lost(Vec<u64>),
    /// Not to be sent twice, and run twice.
    #[error("ran more than once: {0:?}")]
    RanAgain(Vec<u64>),
    /// Told as not done, and it was done.
    #[error("said to be not done, and done: {0:?}")]
    DoneAfterAll(Vec<u64>),
    /// Answered with what cannot be its answer: that of another call, or of another run.
    #[error("answered with what is not its answer: {0:?}")]
    AnsweredWrongly(Vec<u64>),
    /// The final master could not be asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

impl History {
    /// An empty history, to be shared by writers.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Makes one write and records what came of it.
    pub async fn write(&self, client: &Client, plan: Plan) -> Result<Reply, Error> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let deadline = Deadline::after(plan.timeout);
        let call = Call { deadline, idempotency: plan.idempotency, durability: plan.durability };
        let write = Invocation::new(&RECORD).key(KEY).arg(id.to_string());
        let reply = client.invoke(&write, call).await;
        let ended_at = Instant::now();
        let outcome = match &reply {
            Ok(reply) if reply.replicas >= plan.durability.replicas() => Outcome::Acknowledged,
            Ok(_) => Outcome::Unreplicated,
            Err(error) => match error.next() {
                Next::NotDone => Outcome::NotDone,
                Next::OutcomeUnknown => Outcome::OutcomeUnknown,
                Next::Broken => Outcome::Broken,
            },
        };
        let runs = reply.as_ref().ok().map(|reply| match reply.value {
            Value::Int(runs) => runs,
            _ => 0,
        });
        let overrun = ended_at.saturating_duration_since(deadline.instant());
        self.lock().insert(id, Told { plan, outcome, runs, ended_at, overrun });
        reply
    }

    /// Sets `count` writers to work, each making one call after the other on a clone of this client.
    #[must_use]
    pub fn writers(self: &Arc<Self>, client: &Client, count: usize, plan: Plan) -> Writers {
        let (stop, is_over) = tokio::sync::watch::channel(false);
        let mut tasks = JoinSet::new();
        for _ in 0..count {
            let (history, client, is_over) = (self.clone(), client.clone(), is_over.clone());
            tasks.spawn(async move {
                while !*is_over.borrow() {
                    // What is not even sent must not be tried in a tight loop.
                    if history.write(&client, plan).await.is_err() {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
            });
        }
        Writers { stop, tasks }
    }

    /// What the calls so far amount to.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let told = self.lock();
        let mut tally = Tally::default();
        let mut acknowledged = Vec::new();
        for call in told.values() {
            *tally.outcomes.entry(call.outcome).or_default() += 1;
            tally.overrun_max = tally.overrun_max.max(call.overrun);
            if call.outcome == Outcome::Acknowledged {
                acknowledged.push(call.ended_at);
            }
        }
        acknowledged.sort();
        let gaps = acknowledged.windows(2).map(|pair| pair[1] - pair[0]);
        tally.gap_max = gaps.max().unwrap_or_default();
        tally
    }

    /// Compares what callers were told with what the final master has. The writers must have stopped.
    pub async fn check(&self, cluster: &Cluster) -> Result<Tally, Violation> {
        let master = cluster.until_settled().await?;
        let found = fields(&cluster.command(Member::Node(master), &["HGETALL", KEY]).await?);
        let runs =
            |id: u64| found.get(&id.to_string()).and_then(|runs| runs.parse::<i64>().ok()).unwrap_or(0);
        let told = self.lock().clone();
        let those = |is_broken: &dyn Fn(u64, &Told) -> bool| -> Vec<u64> {
            told.iter().filter(|(id, call)| is_broken(**id, call)).map(|(id, _)| *id).collect()
        };
        let is_once = |call: &Told| call.plan.idempotency == Idempotency::NonIdempotent;
        let lost = those(&|id, call| {
            let is_promised = call.outcome == Outcome::Acknowledged && call.plan.durability.replicas() > 0;
            is_promised && runs(id) == 0
        });
        let again = those(&|id, call| is_once(call) && runs(id) > 1);
        let after_all = those(&|id, call| call.outcome == Outcome::NotDone && runs(id) > 0);
        let wrongly = those(&|_, call| call.runs.is_some_and(|runs| runs < 1 || is_once(call) && runs != 1));
        match (lost.is_empty(), again.is_empty(), after_all.is_empty(), wrongly.is_empty()) {
            (true, true, true, true) => Ok(self.tally()),
            (false, ..) => Err(Violation::Lost(lost)),
            (_, false, ..) => Err(Violation::RanAgain(again)),
            (_, _, false, _) => Err(Violation::DoneAfterAll(after_all)),
            (_, _, _, false) => Err(Violation::AnsweredWrongly(wrongly)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tally {
    /// Calls whose callers were told this.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.outcomes.get(&outcome).copied().unwrap_or(0)
    }
}

/// Writers at work; those of dropped ones end where they are.
#[derive(Debug)]
pub struct Writers {
    stop: tokio::sync::watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Writers {
    /// Lets each finish its call, and waits for that.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}
