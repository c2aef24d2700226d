//! The handle on a sale's stock in Redis, and how a script's call can fail.

use std::time::Duration;

use sentinel::{Call, Client, Deadline, Durability, Idempotency, Invocation, Next, Script};

use crate::SaleId;
use crate::answer::{Answer, Malformed};
use crate::draw::Draws;

/// Replicas that must have a write before a shopper is told of it.
const REPLICAS_REQUIRED: u8 = 1;

/// How long the master waits for a replica; far below the response timeout, as others wait behind it.
const REPLICATION_TIMEOUT: Duration = Duration::from_millis(100);

/// Pause before a write is repeated that no replica has acknowledged.
const UNREPLICATED_PAUSE: Duration = Duration::from_millis(20);

/// The stock of all sales. Cheap to clone.
#[derive(Clone)]
pub struct Stock {
    redis: Client,
    clock_skew: Duration,
    pub(crate) draws: Draws,
}

/// Why an operation on the stock has no outcome.
#[derive(Debug, thiserror::Error)]
pub enum StockError {
    /// Nothing was done; it is safe to try again.
    #[error("the stock cannot be reached")]
    Unavailable(#[source] sentinel::Error),
    /// It may have been done. The same request again tells.
    #[error("the stock did not answer")]
    OutcomeUnknown(#[source] sentinel::Error),
    /// It was done on the master alone, which is not enough. The same request again finds it.
    #[error("only {replicas} of {REPLICAS_REQUIRED} replicas acknowledged in time")]
    Unreplicated {
        /// Replicas that did acknowledge.
        replicas: u64,
    },
    /// The sale is lost, or is being built again, or keeps back the units that would be next.
    #[error("the stock is being built again")]
    Unseeded,
    /// The dataset does not continue the history in which the sale was last written, so that anything of it may be
    /// missing: it has to be built again.
    #[error("the stock is of another history")]
    Fenced,
    /// An invariant does not hold. Repeating does not help; an operator has to look.
    #[error("the stock is not in order")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StockError {
    /// What the caller may do next.
    #[must_use]
    pub const fn next(&self) -> Next {
        match self {
            Self::Unavailable(_) | Self::Unseeded | Self::Fenced => Next::NotDone,
            Self::OutcomeUnknown(_) | Self::Unreplicated { .. } => Next::OutcomeUnknown,
            Self::Broken(_) => Next::Broken,
        }
    }
}

impl StockError {
    /// What a failure means after an attempt that did run: what was not done this time was done before.
    pub(crate) fn after_an_attempt(self) -> Self {
        match self {
            Self::Unavailable(_) => Self::Unreplicated { replicas: 0 },
            error => error,
        }
    }
}

impl From<sentinel::Error> for StockError {
    fn from(error: sentinel::Error) -> Self {
        match error.next() {
            // Nothing was done, and a password that was changed is fetched anew.
            _ if error.is_refused_password() => Self::Unavailable(error),
            Next::NotDone => Self::Unavailable(error),
            Next::OutcomeUnknown => Self::OutcomeUnknown(error),
            Next::Broken => Self::Broken(Box::new(error)),
        }
    }
}

impl From<Malformed> for StockError {
    fn from(malformed: Malformed) -> Self {
        Self::Broken(Box::new(malformed))
    }
}

/// A script's word that its outcome enum does not know.
#[derive(Debug, thiserror::Error)]
#[error("the script answered {0}")]
struct UnknownWord(String);

impl StockError {
    pub(crate) fn unknown_word(word: String) -> Self {
        Self::Broken(Box::new(UnknownWord(word)))
    }
}

impl Stock {
    /// The stock behind this connection. `clock_skew` is the allowance between the clocks of two
    /// Redis nodes: a unit is sold again at `expires_at` plus this.
    #[must_use]
    pub fn new(redis: Client, clock_skew: Duration) -> Self {
        Self { redis, clock_skew, draws: Draws::default() }
    }

    /// The allowance between the clocks of two Redis nodes.
    #[must_use]
    pub const fn clock_skew(&self) -> Duration {
        self.clock_skew
    }

    /// Whether the master answers, by its own connection.
    pub async fn ping(&self, deadline: Deadline) -> Result<(), StockError> {
        let call = Call { deadline, idempotency: Idempotency::ReadOnly, durability: Durability::Master };
        self.redis.command("PING", &[], call).await?;
        Ok(())
    }

    /// The connection, for what is not a sale's business (status, monitoring).
    #[must_use]
    pub const fn redis(&self) -> &Client {
        &self.redis
    }

    pub(crate) fn invocation<'a>(&self, script: &'a Script, sale: &SaleId) -> Invocation<'a> {
        let tag = format!("{{{sale}}}");
        Invocation::new(script).key(tag).arg(self.clock_skew.as_millis().to_string()).with_history()
    }

    /// Runs a script that changes nothing.
    pub(crate) async fn look(
        &self,
        script: Invocation<'_>,
        deadline: Deadline,
    ) -> Result<Answer, StockError> {
        self.run(&script, deadline, Idempotency::ReadOnly, Durability::Master).await.map(|(answer, _)| answer)
    }

    /// Runs a script whose loss in a failover breaks no promise.
    pub(crate) async fn write(
        &self,
        script: Invocation<'_>,
        deadline: Deadline,
    ) -> Result<Answer, StockError> {
        self.run(&script, deadline, Idempotency::Idempotent, Durability::Master)
            .await
            .map(|(answer, _)| answer)
    }

    /// Runs a script and repeats it until a replica has acknowledged what it wrote, or the deadline is
    /// over. Sound because every script writes its sale's clock, also on a repeat.
    pub(crate) async fn write_durably(
        &self,
        script: Invocation<'_>,
        deadline: Deadline,
    ) -> Result<Answer, StockError> {
        let (mut answer, mut replicas) = self.run_durably(&script, deadline).await?;
        while !is_replicated(replicas) {
            pause_for_replicas(replicas, deadline).await?;
            let again = self.run_durably(&script, deadline).await;
            (answer, replicas) = again.map_err(StockError::after_an_attempt)?;
        }
        Ok(answer)
    }

    /// Runs a script once and tells how many replicas have acknowledged what it wrote.
    pub(crate) async fn run_durably(
        &self,
        script: &Invocation<'_>,
        deadline: Deadline,
    ) -> Result<(Answer, u64), StockError> {
        let durability = Durability::Replicas { count: REPLICAS_REQUIRED, timeout: REPLICATION_TIMEOUT };
        self.run(script, deadline, Idempotency::Idempotent, durability).await
    }

    async fn run(
        &self,
        script: &Invocation<'_>,
        deadline: Deadline,
        idempotency: Idempotency,
        durability: Durability,
    ) -> Result<(Answer, u64), StockError> {
        let reply = self.redis.invoke(script, Call { deadline, idempotency, durability }).await?;
        let answer = Answer::read(reply.value)?;
        match answer.word.as_str() {
            "UNSEEDED" => Err(StockError::Unseeded),
            "FENCED" => {
                // The master may have begun another history, of which this connection has not heard.
                self.redis.doubt_lineage();
                Err(StockError::Fenced)
            }
            _ => Ok((answer, reply.replicas)),
        }
    }
}

/// Whether an answer that was acknowledged by this many replicas may be told.
pub(crate) const fn is_replicated(replicas: u64) -> bool {
    replicas >= REPLICAS_REQUIRED as u64
}

/// Waits before a write is repeated, or says that there is no time left for it.
pub(crate) async fn pause_for_replicas(replicas: u64, deadline: Deadline) -> Result<(), StockError> {
    if deadline.remaining() <= UNREPLICATED_PAUSE + REPLICATION_TIMEOUT {
        return Err(StockError::Unreplicated { replicas });
    }
    tokio::time::sleep(UNREPLICATED_PAUSE).await;
    Ok(())
}
