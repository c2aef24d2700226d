//! One connection to a verified master, from the handshake until the first doubt.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use redis::Cmd;

use crate::classify::{Failure, Remedy, classify, unanswered};
use crate::config::Config;
use crate::discovery::Found;
use crate::endpoint::Endpoint;
use crate::group::Group;
use crate::handshake::{Refusal, shake};
use crate::replication::{Continuity, History, Lineage, Position, Replication};
use crate::wire::{Wire, info_command};
use crate::{Deadline, Error};

/// One connection to a verified master.
pub(crate) struct Session {
    pub(crate) master: Endpoint,
    /// The master as the sentinels name it, before the NAT map.
    pub(crate) named: Endpoint,
    pub(crate) config_epoch: u64,
    history: RwLock<Arc<History>>,
    /// How it continues the history of the connection before.
    pub(crate) continuity: Continuity,
    pub(crate) generation: u64,
    wire: Wire,
    /// The durable calls, sent in batches.
    pub(crate) group: Arc<Group>,
    is_dead: AtomicBool,
    is_doubted: AtomicBool,
    opened_at: Instant,
    /// When it was last found to be the master, in ms since it was opened.
    confirmed_at: AtomicU64,
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
        let Found { master, named, config_epoch, .. } = found;
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
            history: RwLock::new(Arc::new(replication.history())),
            continuity: replication.continues(before),
            generation,
            wire,
            group: Arc::default(),
            is_dead: AtomicBool::new(false),
            is_doubted: AtomicBool::new(false),
            opened_at: Instant::now(),
            confirmed_at: AtomicU64::new(0),
            answered_at: AtomicU64::new(wall_clock_ms()),
            offset: AtomicU64::new(replication.position.offset),
            response: timings.response,
        })
    }

    /// Whether it leads to the master that the sentinels name.
    pub(crate) fn is_of(&self, found: &Found) -> bool {
        (&found.named, found.config_epoch) == (&self.named, self.config_epoch)
    }

    /// Whether a call may use it as it is.
    pub(crate) fn is_trusted(&self) -> bool {
        !self.is_dead() && !self.is_doubted.load(Ordering::Relaxed)
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Relaxed)
    }

    /// Ends it: it is closed, or no master's.
    pub(crate) fn bury(&self) {
        self.is_dead.store(true, Ordering::Relaxed);
    }

    /// Has the sentinels asked whether it is still the master's, before the next call.
    pub(crate) fn doubt(&self) {
        self.is_doubted.store(true, Ordering::Relaxed);
    }

    /// Ends a doubt.
    pub(crate) fn confirm(&self) {
        self.confirmed_at.store(millis(self.opened_at.elapsed()), Ordering::Relaxed);
        self.is_doubted.store(false, Ordering::Relaxed);
    }

    /// Whether it was opened, and last confirmed, longer ago than this.
    pub(crate) fn is_unconfirmed_for(&self, pause: Duration) -> bool {
        let confirmed_at = Duration::from_millis(self.confirmed_at.load(Ordering::Relaxed));
        self.opened_at.elapsed().saturating_sub(confirmed_at) > pause
    }

    pub(crate) fn has_idled(&self, pause: Duration) -> bool {
        let idle_ms = wall_clock_ms().saturating_sub(self.answered_at.load(Ordering::Relaxed));
        u128::from(idle_ms) >= pause.as_millis()
    }

    /// How far the master's history was seen to go.
    pub(crate) fn position(&self) -> Position {
        Position { lineage: self.lineage(), offset: self.offset.load(Ordering::Relaxed) }
    }

    /// The history that its dataset belongs to.
    pub(crate) fn history(&self) -> Arc<History> {
        self.history.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn lineage(&self) -> Lineage {
        self.history().lineage.clone()
    }

    /// Reads it again.
    pub(crate) async fn read_history(&self, deadline: Deadline) -> Result<Arc<History>, Failure> {
        let answers = self.send(&[info_command("replication")], deadline).await?;
        let text =
            answers.into_iter().next().and_then(|answer| redis::from_redis_value::<String>(answer).ok());
        let replication = text.as_deref().map(Replication::read);
        let Some(Ok(replication)) = replication else {
            let error = Error::Unavailable(format!("{}: its history cannot be read", self.master));
            return Err(Failure { error, remedy: Remedy::Reconnect });
        };
        let history = Arc::new(replication.history());
        *self.history.write().unwrap_or_else(PoisonError::into_inner) = history.clone();
        Ok(history)
    }

    /// Has its history read again before a call names it.
    pub(crate) fn doubt_history(&self) {
        let mut history = self.history.write().unwrap_or_else(PoisonError::into_inner);
        *history = Arc::new(History { is_settled: false, ..(**history).clone() });
    }

    /// Notes how far the master's history goes.
    pub(crate) fn saw(&self, offset: u64) {
        self.offset.fetch_max(offset, Ordering::Relaxed);
    }

    /// Whether it answers in time, and as a master. Silence may be the server's or the network's, and is
    /// only a doubt.
    pub(crate) async fn probe(&self, deadline: Deadline) -> bool {
        let role = redis::cmd("ROLE");
        let Ok(answers) = self.send(std::slice::from_ref(&role), deadline).await else {
            self.doubt();
            return false;
        };
        let answer = answers.into_iter().next().and_then(|answer| redis::from_redis_value(answer).ok());
        match answer as Option<(String, u64, redis::Value)> {
            Some((role, offset, _)) if role == "master" => {
                self.saw(offset);
                true
            }
            _ => {
                self.bury();
                false
            }
        }
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
            Some(Err(error)) if !error.is_timeout() => {
                self.bury();
                Err(classify(&error))
            }
            // The driver's own limit is the same, and may come first.
            Some(Err(_)) | None => {
                // Of a caller that had little time it says nothing of the connection.
                if began.elapsed() >= self.response / 2 {
                    self.doubt();
                }
                Err(unanswered("no answer in time"))
            }
        }
    }
}

fn wall_clock_ms() -> u64 {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
