//! Reserve: units for one shopper, or the reason why not.

use std::time::Duration;

use jiff::Timestamp;
use sentinel::{Deadline, Script};

use crate::answer::{Fields, Malformed};
use crate::script::queue_script;
use crate::stock::{is_replicated, pause_for_replicas};
use crate::{Draw, Reservation, ReservationId, SaleId, Shopper, Sku, Stock, StockError, Ticket};

static RESERVE: Script = queue_script!("reserve.lua");

/// What a shopper wishes. The id carries the idempotency key.
#[derive(Debug, Clone)]
pub struct ReserveRequest {
    /// From [`IdSecret::reservation`](crate::IdSecret::reservation).
    pub id: ReservationId,
    /// The sale.
    pub sale: SaleId,
    /// The variant.
    pub sku: Sku,
    /// Number of units, 1 to 10.
    pub quantity: u32,
    /// Who asks.
    pub shopper: Shopper,
    /// The shopper's place, where the sale has a waiting room.
    pub ticket: Option<Ticket>,
    /// How often the shopper may ask.
    pub rate_limit: RateLimit,
}

/// A token bucket per shopper and sale: `quota` requests, full again after `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests in one window, at least 1.
    pub quota: u32,
    /// The window.
    pub window: Duration,
}

/// What is left of a shopper's rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Requests left at this instant.
    pub remaining: u32,
    /// Until the quota is whole again.
    pub reset: Duration,
}

/// The outcome, with what is left of the rate limit where it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReserveAnswer {
    /// What became of the wish.
    pub outcome: ReserveOutcome,
    /// `None` where there is no such sale.
    pub quota: Option<Quota>,
    /// Redis's clock.
    pub now: Timestamp,
}

/// What became of the wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReserveOutcome {
    /// The units are kept, and a replica knows it.
    Held(Reservation),
    /// The same wish as before: this is what became of it.
    Repeated(Reservation),
    /// The key was used for another SKU or quantity.
    KeyReused,
    /// Too many requests of this shopper.
    Throttled {
        /// When the next one will be answered.
        retry_after: Duration,
    },
    /// The sale does not take this kind of shopper.
    KindRefused,
    /// The sale has not begun; `None` while no time is set.
    NotOpen(Option<Timestamp>),
    /// The merchant has paused the sale.
    Paused,
    /// The sale is over.
    Ended,
    /// The sale has a waiting room, and there is no ticket.
    TicketMissing,
    /// It is not the shopper's turn yet.
    NotYourTurn {
        /// The place.
        place: u64,
        /// Places that come before.
        ahead: u64,
    },
    /// The turn's time is over.
    TurnPassed,
    /// What was held by the ticket was given back, or its time was over.
    TicketUsed,
    /// The shopper has as many units as they may.
    LimitReached {
        /// Units per shopper.
        limit: u32,
        /// The latest reservation that counts, if any does.
        reservation: Option<ReservationId>,
    },
    /// Too few units are left.
    SoldOut {
        /// Whether some may return.
        may_return: bool,
    },
    /// No such sale.
    SaleNotFound,
    /// No such SKU in this sale.
    SkuNotFound,
}

impl Stock {
    /// Keeps units for a shopper until the hold expires. One round trip to Redis, which includes the
    /// replica's acknowledgement.
    ///
    /// # Errors
    /// After [`StockError::OutcomeUnknown`] and [`StockError::Unreplicated`] the same request finds
    /// the hold, if it was made.
    pub async fn reserve(
        &self,
        request: &ReserveRequest,
        deadline: Deadline,
    ) -> Result<ReserveAnswer, StockError> {
        let mut counted_quota = request.rate_limit.quota;
        let mut told_quota = None;
        let mut made = None;
        let mut has_run = false;
        loop {
            let mut script = self
                .invocation(&RESERVE, &request.sale)
                .arg(request.id.as_bytes())
                .arg(request.shopper.id.as_bytes())
                .arg(request.shopper.kind.as_str())
                .arg(request.sku.as_str())
                .arg(request.quantity.to_string())
                .arg(counted_quota.to_string())
                .arg(request.rate_limit.window.as_millis().to_string());
            script = match &request.ticket {
                Some(ticket) => ticket.add_to(script, self.draws.get(&request.sale)),
                None => script.arg(""),
            };
            let (mut answer, replicas) = self
                .run_durably(&script, deadline)
                .await
                .map_err(|error| if has_run { error.after_an_attempt() } else { error })?;
            let quota = Quota::read(&mut answer.fields)?;
            let quota = *told_quota.get_or_insert(quota);
            let outcome = match answer.word.as_str() {
                "DRAW" => {
                    self.draws.learn(&request.sale, Draw::read(&mut answer.fields)?);
                    counted_quota = 0;
                    continue;
                }
                word => read(&request.sale, word, &mut answer.fields)?,
            };
            let mut reserved = ReserveAnswer { outcome, quota, now: answer.now };
            reserved.outcome = match reserved.outcome {
                // The attempt that we repeated was the shopper's first. Another one is in its place where a failover has
                // lost it and somebody else's repeat was sooner.
                ReserveOutcome::Repeated(held) if made.as_ref() == Some(&held) => ReserveOutcome::Held(held),
                outcome => outcome,
            };
            if is_replicated(replicas) || !reserved.outcome.needs_replica() {
                return Ok(reserved);
            }
            if let ReserveOutcome::Held(held) = reserved.outcome {
                made = Some(held);
            }
            has_run = true;
            pause_for_replicas(replicas, deadline).await?;
            // The shopper asked once: an attempt of ours does not count against them.
            counted_quota = 0;
        }
    }
}

impl ReserveOutcome {
    /// A refusal promises nothing, so nothing is lost with it.
    const fn needs_replica(&self) -> bool {
        matches!(self, Self::Held(_) | Self::Repeated(_))
    }
}

impl Quota {
    /// What every answer begins with that comes of a sale that exists.
    pub(crate) fn read(fields: &mut Fields) -> Result<Option<Self>, Malformed> {
        if fields.is_empty() {
            return Ok(None);
        }
        let remaining = fields.number()?;
        Ok(Some(Self { remaining, reset: Duration::from_millis(fields.number()?) }))
    }
}

fn read(sale: &SaleId, word: &str, fields: &mut Fields) -> Result<ReserveOutcome, StockError> {
    Ok(match word {
        "HELD" => ReserveOutcome::Held(Reservation::read(sale, fields)?),
        "REPEATED" => ReserveOutcome::Repeated(Reservation::read(sale, fields)?),
        "KEY_REUSED" => ReserveOutcome::KeyReused,
        "THROTTLED" => ReserveOutcome::Throttled { retry_after: Duration::from_millis(fields.number()?) },
        "KIND_REFUSED" => ReserveOutcome::KindRefused,
        "NOT_OPEN" => ReserveOutcome::NotOpen(fields.optional_timestamp()?),
        "PAUSED" => ReserveOutcome::Paused,
        "ENDED" => ReserveOutcome::Ended,
        "TICKET_MISSING" => ReserveOutcome::TicketMissing,
        "NOT_YOUR_TURN" => ReserveOutcome::NotYourTurn { place: fields.number()?, ahead: fields.number()? },
        "TURN_PASSED" => ReserveOutcome::TurnPassed,
        "TICKET_USED" => ReserveOutcome::TicketUsed,
        "LIMIT_REACHED" => {
            ReserveOutcome::LimitReached { limit: fields.number()?, reservation: read_optional_id(fields)? }
        }
        "SOLD_OUT" => ReserveOutcome::SoldOut { may_return: fields.flag()? },
        "SALE_NOT_FOUND" => ReserveOutcome::SaleNotFound,
        "SKU_NOT_FOUND" => ReserveOutcome::SkuNotFound,
        _ => return Err(StockError::unknown_word(word.to_owned())),
    })
}

fn read_optional_id(fields: &mut Fields) -> Result<Option<ReservationId>, StockError> {
    let bytes = fields.bytes()?;
    Ok(<[u8; 16]>::try_from(bytes).ok().map(ReservationId::from_bytes))
}
