//! The waiting room: tickets, whose turn it is, and what the merchant sees and does.

use jiff::{SignedDuration, Timestamp};
use sale::{Commitment, RoomState, RoomView, SaleId, Seed, ShopperId, Turn, Waits};
use serde::{Deserialize, Serialize};

/// What a shopper may send who has a ticket already, here or in the cookie.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TicketProof {
    /// The ticket: it is renewed, and its place stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Whether another place is wanted instead, such as when the turn of the cookie's ticket is over.
    #[serde(default)]
    pub another: bool,
}

/// A ticket as an answer shows it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Ticket"))]
pub struct TicketAnswer {
    /// The sale.
    pub sale: SaleId,
    /// The signed ticket, to be sent with the reservation; the cookie beside it says the same.
    pub ticket: String,
    /// Until when it can be used or renewed.
    #[cfg_attr(feature = "schema", schemars(with = "sale::Time"))]
    pub expires_at: Timestamp,
    /// What the shopper's lot is drawn of: with the seed anyone can work out its place.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub lot: ShopperId,
    /// The number behind the lobby: the place is the size of the lobby and this number. Without it the place is
    /// the lot's.
    pub number: Option<u64>,
    /// Whose turn it is, where that was asked of Redis: not of a new ticket.
    pub turn: Option<TurnAnswer>,
    /// The clock of this answer.
    #[cfg_attr(feature = "schema", schemars(with = "sale::Time"))]
    pub server_time: Timestamp,
}

/// Whose turn it is.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Turn"))]
pub struct TurnAnswer {
    /// In which of the five states.
    pub state: TurnState,
    /// The place, once the draw is over.
    pub place: Option<u64>,
    /// Places that come before, while waiting.
    pub ahead: Option<u64>,
    /// What is left of the turn in ms of serving time, while it lasts.
    pub left_ms: Option<u64>,
}

/// In which state a ticket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TurnState {
    /// The draw is still to come.
    Lobby,
    /// Others come first.
    Waiting,
    /// It is the shopper's turn.
    Served,
    /// The turn is over.
    Passed,
    /// What was held by the ticket was given back, or its time was over.
    Used,
}

impl From<Turn> for TurnAnswer {
    fn from(turn: Turn) -> Self {
        let of = |state, place| Self { state, place, ahead: None, left_ms: None };
        match turn {
            Turn::Lot => of(TurnState::Lobby, None),
            Turn::Waiting { place, ahead } => {
                Self { ahead: Some(ahead), ..of(TurnState::Waiting, Some(place)) }
            }
            Turn::Served { place, left } => {
                let left_ms = u64::try_from(left.as_millis()).ok();
                Self { left_ms, ..of(TurnState::Served, Some(place)) }
            }
            Turn::Passed { place } => of(TurnState::Passed, Some(place)),
            Turn::Used { place } => of(TurnState::Used, Some(place)),
        }
    }
}

/// A waiting room as everybody sees it. Where the serving number stands at an instant t is
/// `min(serving + rate_per_minute × (t − server_time) / 1 min, serving_limit)`; a place is served that is not above it.
/// `tests/browser/serving.json` has examples, to which the page is held as well.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WaitingRoomStatus {
    /// Where it stands.
    pub state: RoomState,
    /// From when tickets are given; without it they are.
    #[cfg_attr(feature = "schema", schemars(with = "Option<sale::Time>"))]
    pub lobby_opens_at: Option<Timestamp>,
    /// Whether the merchant gives no more tickets.
    pub door_closed: bool,
    /// Shoppers in the lobby: an estimate (within 1 % or so), which becomes the size of the draw.
    pub lobby: u64,
    /// SHA-256 of the seed.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub seed_hash: Commitment,
    /// The seed, once the draw is over.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub seed: Option<Seed>,
    /// The last place that was given.
    pub last_place: u64,
    /// The serving number.
    pub serving: f64,
    /// How far it may go before units return or turns end.
    pub serving_limit: f64,
    /// Places served in a minute at present; 0 while it stands still.
    pub rate_per_minute: f64,
    /// How long a turn lasts, in seconds of serving time.
    pub turn_seconds: f64,
}

impl WaitingRoomStatus {
    /// Where the serving number stands so long after the status was made, and never before that.
    #[must_use]
    pub fn serving_after(&self, elapsed: SignedDuration) -> f64 {
        let minutes = elapsed.as_secs_f64().max(0.0) / 60.0;
        (self.serving + self.rate_per_minute * minutes).min(self.serving_limit)
    }
}

impl From<RoomView> for WaitingRoomStatus {
    fn from(room: RoomView) -> Self {
        let is_moving = matches!(room.state, RoomState::Serving);
        Self {
            state: room.state,
            lobby_opens_at: room.lobby_opens_at,
            door_closed: room.is_closed,
            lobby: room.lobby,
            seed_hash: room.commitment,
            seed: room.seed,
            last_place: room.last_place,
            serving: of_thousandths(room.served_thousandths),
            serving_limit: of_thousandths(room.limit_thousandths),
            rate_per_minute: if is_moving { of_thousandths(room.rate_thousandths) } else { 0.0 },
            turn_seconds: of_thousandths(room.turn_ms),
        }
    }
}

/// What the merchant sees of a waiting room.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QueueReport {
    /// The sale.
    pub sale: SaleId,
    /// What everybody sees.
    #[serde(flatten)]
    pub room: WaitingRoomStatus,
    /// Whether the merchant has paused the serving.
    pub paused: bool,
    /// Places a minute as the merchant has set it.
    pub rate_per_minute_set: u32,
    /// The share of it at which places are served: below 1 while what shoppers need is slow.
    pub pace: f64,
    /// Turns that became a hold.
    pub turns_used: u64,
    /// Turns that passed without one.
    pub turns_passed: u64,
    /// How long those who hold by a turn had waited for it.
    pub waits: WaitPercentiles,
    /// Shoppers whom the merchant lets pass the line.
    pub bypass: u64,
    /// Holds of such shoppers.
    pub bypassed: u64,
}

/// Seconds from the ticket, or from the opening where that came later, to the hold: at most 19 % too long, never too
/// short, and `null` while nobody holds by a turn.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WaitPercentiles {
    /// What half of them waited at most.
    pub p50_seconds: Option<f64>,
    /// What nine of ten waited at most.
    pub p90_seconds: Option<f64>,
    /// What 99 of 100 waited at most.
    pub p99_seconds: Option<f64>,
}

impl From<&Waits> for WaitPercentiles {
    fn from(waits: &Waits) -> Self {
        let [p50_seconds, p90_seconds, p99_seconds] =
            [50, 90, 99].map(|percent| waits.percentile_seconds(percent));
        Self { p50_seconds, p90_seconds, p99_seconds }
    }
}

/// Accounts that one change may name in each list.
pub const ACCOUNTS_MAX: usize = 50;

/// What the merchant changes of a waiting room; what is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct QueueChange {
    /// Places served in a minute.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = sale::RATE_PER_MINUTE_MAX)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_minute: Option<u32>,
    /// How long a turn lasts that begins from now on, in seconds.
    #[cfg_attr(feature = "schema", schemars(range(min = 10, max = 3600)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_seconds: Option<u32>,
    /// Whether nobody more is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// Whether no more tickets are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub door_closed: Option<bool>,
    /// Serves everybody up to this place at once, whatever the rate and the units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serve_to: Option<u64>,
    /// Accounts that may pass the line from now on, by the `sub` of their tokens: 1,000 at once for one sale at most.
    #[cfg_attr(feature = "schema", schemars(length(max = ACCOUNTS_MAX)))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bypass_add: Vec<String>,
    /// Accounts that may not any more. What they hold stays theirs.
    #[cfg_attr(feature = "schema", schemars(length(max = ACCOUNTS_MAX)))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bypass_remove: Vec<String>,
}

/// Exact for any number of places that there can be.
#[allow(clippy::cast_precision_loss)]
fn of_thousandths(thousandths: u64) -> f64 {
    thousandths as f64 / 1_000.0
}
