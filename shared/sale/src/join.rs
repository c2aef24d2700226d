//! Join: a place in the waiting room.

use std::time::Duration;

use jiff::Timestamp;
use sentinel::{Deadline, Script};

use crate::answer::Fields;
use crate::script::queue_script;
use crate::stock::{is_replicated, pause_for_replicas};
use crate::{Quota, RateLimit, SaleId, Shopper, Stock, StockError, Ticket};

static JOIN: Script = queue_script!("join.lua");

/// The outcome, with what is left of the rate limit where it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinAnswer {
    /// What became of it.
    pub outcome: JoinOutcome,
    /// `None` where there is no such sale.
    pub quota: Option<Quota>,
    /// Redis's clock.
    pub now: Timestamp,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JoinOutcome {
    /// The ticket, and a replica knows of it.
    Joined(Ticket),
    /// Too many requests of this shopper.
    Throttled {
        /// When the next one will be answered.
        retry_after: Duration,
    },
    /// The sale has no waiting room.
    NoRoom,
    /// The sale does not take this kind of shopper.
    KindRefused,
    /// The lobby is not open yet.
    NotOpen(Timestamp),
    /// The merchant has paused the sale.
    Paused,
    /// The sale is over.
    Ended,
    /// The merchant gives no more tickets.
    DoorClosed,
    /// Every unit is sold.
    SoldOut,
    /// No such sale.
    SaleNotFound,
}

impl Stock {
    /// Gives a shopper a place. One round trip to Redis, which includes the replica's acknowledgement. Repeating it
    /// in the lobby gives the same lot, and afterwards a later place.
    ///
    /// # Errors
    /// After [`StockError::OutcomeUnknown`] and [`StockError::Unreplicated`] a place may have been given that nobody
    /// has; its turn passes.
    pub async fn join(
        &self,
        sale: &SaleId,
        shopper: &Shopper,
        rate_limit: RateLimit,
        deadline: Deadline,
    ) -> Result<JoinAnswer, StockError> {
        let mut counted_quota = rate_limit.quota;
        let mut told_quota = None;
        let mut has_run = false;
        loop {
            let script = self
                .invocation(&JOIN, sale)
                .arg(shopper.id.as_bytes())
                .arg(shopper.kind.as_str())
                .arg(counted_quota.to_string())
                .arg(rate_limit.window.as_millis().to_string());
            let (mut answer, replicas) = self
                .run_durably(&script, deadline)
                .await
                .map_err(|error| if has_run { error.after_an_attempt() } else { error })?;
            let mut joined = read(sale, shopper, &answer.word, answer.now, &mut answer.fields)?;
            joined.quota = *told_quota.get_or_insert(joined.quota);
            if is_replicated(replicas) || !matches!(joined.outcome, JoinOutcome::Joined(_)) {
                return Ok(joined);
            }
            // The place is left empty, and its turn passes: a promoted replica could give it to somebody else.
            has_run = true;
            pause_for_replicas(replicas, deadline).await?;
            counted_quota = 0;
        }
    }
}

fn read(
    sale: &SaleId,
    shopper: &Shopper,
    word: &str,
    now: Timestamp,
    fields: &mut Fields,
) -> Result<JoinAnswer, StockError> {
    let quota = Quota::read(fields)?;
    let ticket = |epoch, number| {
        let given_at_ms = Some(now.as_millisecond());
        JoinOutcome::Joined(Ticket { sale: sale.clone(), shopper: shopper.id, epoch, number, given_at_ms })
    };
    let outcome = match word {
        "NUMBER" => ticket(fields.number()?, Some(fields.number()?)),
        "LOT" => ticket(fields.number()?, None),
        "THROTTLED" => JoinOutcome::Throttled { retry_after: Duration::from_millis(fields.number()?) },
        "NO_ROOM" => JoinOutcome::NoRoom,
        "KIND_REFUSED" => JoinOutcome::KindRefused,
        "NOT_OPEN" => JoinOutcome::NotOpen(fields.timestamp()?),
        "PAUSED" => JoinOutcome::Paused,
        "ENDED" => JoinOutcome::Ended,
        "DOOR_CLOSED" => JoinOutcome::DoorClosed,
        "SOLD_OUT" => JoinOutcome::SoldOut,
        "SALE_NOT_FOUND" => JoinOutcome::SaleNotFound,
        _ => return Err(StockError::unknown_word(word.to_owned())),
    };
    Ok(JoinAnswer { outcome, quota, now })
}
