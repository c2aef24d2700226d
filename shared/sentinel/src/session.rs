//! One connection to a verified master, from the handshake until the first doubt.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use redis::Cmd;

use crate::classify::{Failure, Remedy, ambiguous, classify};
use crate::config::Config;
use crate::discovery::Found;
use crate::endpoint::Endpoint;
use crate::group::Group;
use crate::handshake::{Refusal, shake};
use crate::replication::{Continuity, Lineage, Position};
use crate::wire::Wire;
use crate::{Deadline, Error};

/// One connection to a verified master.
pub(crate) struct Session {
    pub(crate) master: Endpoint,
    /// The master as the sentinels name it, before the NAT map.
    pub(crate) named: Endpoint,
    pub(crate) config_epoch: u64,
    pub(crate) lineage: Lineage,
    /// How it continues the history of the connection before.
    pub(crate) continuity: Continuity,
    pub(crate) generation: u64,
    wire: Wire,
    /// The durable calls, sent in batches.
    pub(crate) group: Arc<Group>,
    is_dead: AtomicBool,
    opened_at: Instant,
    /// Wall clock in ms: it goes on while the process is frozen, which the monotonic clock may not.
    answered_at: AtomicU64,
    /// The last replication offset that was seen.
    offset: AtomicU64,
    /// An answer that takes longer than this is not waited for.
    response: Duration,
}

impl Session {
    /// Connects to a master, verifies it, and compares its history with where the last one was seen.
    pub(crate) async fn open(
        config: &Config,
        found: Found,
        generation: u64,
        before: Option<&Position>,
        deadline: Deadline,
    ) -> Result<Self, Refusal> {
        let Found { master, named, config_epoch } = found;
        let timings = &config.timings;
        let opened = async {
            let wire = Wire::to_node(config, &master).await?;
            let replication = shake(&wire, &master, config.credentials.as_ref()).await?;
            Ok::<_, Refusal>((wire, replication))
        };
        let opened = deadline.sooner(timings.connect + timings.handshake).bound(opened).await;
        let timed_out = || Error::Unavailable(format!("{master}: no answer in time"));
        let (wire, replication) = opened.ok_or_else(timed_out)??;
        Ok(Self {
            master,
            named,
            config_epoch,
            lineage: replication.position.lineage.clone(),
            continuity: replication.continues(before),
            generation,
            wire,
            group: Arc::default(),
            is_dead: AtomicBool::new(false),
            opened_at: Instant::now(),
            answered_at: AtomicU64::new(wall_clock_ms()),
            offset: AtomicU64::new(replication.position.offset),
            response: timings.response,
        })
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Relaxed)
    }

    pub(crate) fn bury(&self) {
        self.is_dead.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_older_than(&self, age: Duration) -> bool {
        self.opened_at.elapsed() > age
    }

    pub(crate) fn has_idled(&self, pause: Duration) -> bool {
        let idle_ms = wall_clock_ms().saturating_sub(self.answered_at.load(Ordering::Relaxed));
        u128::from(idle_ms) >= pause.as_millis()
    }

    /// How far the master's history was seen to go.
    pub(crate) fn position(&self) -> Position {
        Position { lineage: self.lineage.clone(), offset: self.offset.load(Ordering::Relaxed) }
    }

    /// Notes how far the master's history goes.
    pub(crate) fn saw(&self, offset: u64) {
        self.offset.fetch_max(offset, Ordering::Relaxed);
    }

    /// Whether the connection still answers, and from a master.
    pub(crate) async fn probe(&self, deadline: Deadline) -> bool {
        let role = redis::cmd("ROLE");
        let Ok(answers) = self.send(std::slice::from_ref(&role), deadline).await else {
            return false;
        };
        let answer = answers.into_iter().next().and_then(|answer| redis::from_redis_value(answer).ok());
        let Some((role, offset, _)) = answer as Option<(String, u64, redis::Value)> else { return false };
        self.saw(offset);
        role == "master"
    }

    /// Sends commands in one pipeline; each one's answer or error stands by itself.
    pub(crate) async fn send(
        &self,
        commands: &[Cmd],
        deadline: Deadline,
    ) -> Result<Vec<redis::Value>, Failure> {
        let began = Instant::now();
        match deadline.bound(self.wire.send(commands)).await {
            Some(Ok(values)) => {
                self.answered_at.store(wall_clock_ms(), Ordering::Relaxed);
                Ok(values)
            }
            Some(Err(error)) => Err(classify(&error)),
            // Of a caller that had little time it says nothing of the connection.
            None if began.elapsed() < self.response / 2 => {
                Err(Failure { remedy: Remedy::Connect, ..ambiguous("no answer in time") })
            }
            None => Err(ambiguous("no answer in time")),
        }
    }
}

fn wall_clock_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
