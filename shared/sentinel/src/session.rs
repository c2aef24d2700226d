//! One connection to a verified master, from the handshake until the first doubt.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline};

use crate::classify::{Failure, ambiguous, classify};
use crate::config::{Config, Endpoint};
use crate::connect::{Dial, dial};
use crate::discovery::find_master;
use crate::group::Group;
use crate::handshake::{Lineage, shake};
use crate::{Deadline, Error};

/// One connection to a verified master.
pub(crate) struct Session {
    pub(crate) master: Endpoint,
    pub(crate) lineage: Lineage,
    pub(crate) generation: u64,
    connection: MultiplexedConnection,
    /// The durable calls, sent in batches.
    pub(crate) group: Arc<Group>,
    is_dead: AtomicBool,
    opened_at: Instant,
    /// Wall clock in ms: it goes on while the process is frozen, which the monotonic clock may not.
    answered_at: AtomicU64,
}

impl Session {
    /// Asks the sentinels, connects, verifies.
    pub(crate) async fn open(config: &Config, generation: u64, deadline: Deadline) -> Result<Self, Error> {
        let master = find_master(config, deadline).await?;
        let timings = &config.timings;
        let unavailable = |cause: &dyn std::fmt::Display| Error::Unavailable(format!("{master}: {cause}"));
        let dialled = dial(Dial {
            endpoint: &master,
            credentials: config.credentials.as_ref(),
            connect: timings.connect,
            response: timings.response,
            tcp_user_timeout: timings.tcp_user_timeout,
        });
        let connected = deadline.sooner(timings.connect + timings.handshake).bound(dialled).await;
        let mut connection = match connected {
            None => return Err(unavailable(&"timed out")),
            Some(Err(error)) if error.kind() == redis::ErrorKind::AuthenticationFailed => {
                return Err(Error::Config(format!("{master}: {error}")));
            }
            Some(Err(error)) => return Err(unavailable(&error)),
            Some(Ok(connection)) => connection,
        };
        let shaken = deadline.sooner(timings.handshake).bound(shake(&mut connection)).await;
        let lineage = shaken.ok_or_else(|| unavailable(&"handshake timed out"))??;
        Ok(Self {
            master,
            lineage,
            generation,
            connection,
            group: Arc::default(),
            is_dead: AtomicBool::new(false),
            opened_at: Instant::now(),
            answered_at: AtomicU64::new(wall_clock_ms()),
        })
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Relaxed)
    }

    pub(crate) fn bury(&self) {
        self.is_dead.store(true, Ordering::Relaxed);
    }

    /// Has the sentinels asked again before the next call, unless that was done just before.
    pub(crate) fn doubt(&self, pause: Duration) {
        if self.opened_at.elapsed() > pause {
            self.bury();
        }
    }

    pub(crate) fn has_idled(&self, pause: Duration) -> bool {
        let idle_ms = wall_clock_ms().saturating_sub(self.answered_at.load(Ordering::Relaxed));
        u128::from(idle_ms) >= pause.as_millis()
    }

    /// Whether the connection still answers.
    pub(crate) async fn probe(&self, timeout: Duration) -> bool {
        let ping = redis::cmd("PING");
        self.send(std::slice::from_ref(&ping), Deadline::after(timeout)).await.is_ok()
    }

    /// Sends commands in one pipeline; each one's answer or error stands by itself.
    pub(crate) async fn send(
        &self,
        commands: &[Cmd],
        deadline: Deadline,
    ) -> Result<Vec<redis::Value>, Failure> {
        let mut pipeline = Pipeline::with_capacity(commands.len());
        for command in commands {
            pipeline.add_command(command.clone());
        }
        let mut connection = self.connection.clone();
        let sent = deadline.bound(connection.send_packed_commands(&pipeline, 0, commands.len())).await;
        match sent {
            Some(Ok(values)) => {
                self.answered_at.store(wall_clock_ms(), Ordering::Relaxed);
                Ok(values)
            }
            Some(Err(error)) => Err(classify(&error)),
            None => Err(ambiguous("no answer in time")),
        }
    }
}

fn wall_clock_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
