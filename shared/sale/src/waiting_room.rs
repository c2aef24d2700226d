//! The waiting room: what a merchant says about it, and by which numbers it is seen.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::answer::{Fields, Malformed};
use crate::{Commitment, Seed};

/// Places served in a minute, at most.
pub const RATE_PER_MINUTE_MAX: u32 = 1_000_000;

/// How a merchant lets the crowd in, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WaitingRoom {
    /// From when a shopper can have a lot of the draw; without it, as soon as the sale is known.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::Time>"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lobby_opens_at: Option<Timestamp>,
    /// Places served in a minute while units are available.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = RATE_PER_MINUTE_MAX)))]
    pub rate_per_minute: u32,
    /// How long a turn lasts, in seconds in which units are available.
    #[cfg_attr(feature = "schema", schemars(range(min = 10, max = 3600)))]
    pub turn_seconds: u32,
}

/// What a merchant does to a waiting room while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomControls {
    /// Whether nobody more is served for now.
    pub is_paused: bool,
    /// Whether no more tickets are given.
    pub is_closed: bool,
    /// The place up to which whoever waits is served at once.
    pub serve_to: u64,
    /// The secret of the draw; made when the sale first has a waiting room.
    pub seed: Option<Seed>,
}

/// Where a waiting room stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RoomState {
    /// No ticket is given yet.
    NotOpen,
    /// Every ticket is a lot of the draw, which is at the opening of the sale.
    Lobby,
    /// One place after the other is served.
    Serving,
    /// The merchant has paused the sale, or the serving.
    Paused,
    /// Every unit is held, sold, or somebody's whose turn it is.
    NoUnits,
    /// The sale is over.
    Ended,
}

/// A waiting room at one instant. Places are in thousandths, so that they grow evenly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomView {
    /// Where it stands.
    pub state: RoomState,
    /// From when tickets are given.
    pub lobby_opens_at: Option<Timestamp>,
    /// Shoppers in the lobby: an estimate, which becomes the size of the draw.
    pub lobby: u64,
    /// The hash of the seed.
    pub commitment: Commitment,
    /// The seed, once the draw is over.
    pub seed: Option<Seed>,
    /// The last place that was given.
    pub last_place: u64,
    /// The highest place whose turn has begun.
    pub served_thousandths: u64,
    /// How far it may go before units return or turns end.
    pub limit_thousandths: u64,
    /// Turns that became a hold.
    pub turns_used: u64,
    /// Turns that passed without one.
    pub turns_passed: u64,
    /// Places a minute at present.
    pub rate_thousandths: u64,
    /// How long a turn lasts, in ms of serving time.
    pub turn_ms: u64,
    /// Whether no more tickets are given.
    pub is_closed: bool,
    /// Share of the merchant's rate at which places are served, 100 to 1,000.
    pub pace_thousandths: u16,
}

impl RoomView {
    /// `None` where the sale has no waiting room.
    pub(crate) fn read(fields: &mut Fields) -> Result<Option<Self>, Malformed> {
        let fields_count: u8 = fields.number()?;
        if fields_count == 0 {
            return Ok(None);
        }
        let state = match fields.text()?.as_str() {
            "not_open" => RoomState::NotOpen,
            "lobby" => RoomState::Lobby,
            "serving" => RoomState::Serving,
            "paused" => RoomState::Paused,
            "no_units" => RoomState::NoUnits,
            "ended" => RoomState::Ended,
            _ => return Err(Malformed("a waiting room's state")),
        };
        let lobby_opens_at = fields.optional_timestamp()?;
        let (lobby, is_drawn) = (fields.number()?, fields.flag()?);
        let commitment = Commitment::parse(&fields.text()?).map_err(|_| Malformed("a hash"))?;
        let seed = fields.text()?;
        let seed = is_drawn.then(|| Seed::parse(&seed)).transpose().map_err(|_| Malformed("a seed"))?;
        Ok(Some(Self {
            state,
            lobby_opens_at,
            lobby,
            commitment,
            seed,
            last_place: fields.number()?,
            served_thousandths: fields.number()?,
            limit_thousandths: fields.number()?,
            turns_used: fields.number()?,
            turns_passed: fields.number()?,
            rate_thousandths: fields.number()?,
            turn_ms: fields.number()?,
            is_closed: fields.flag()?,
            pace_thousandths: fields.number()?,
        }))
    }
}
