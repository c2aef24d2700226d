//! The waiting room: what a merchant says about it, and by which numbers it is seen.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::answer::{Fields, Malformed};
use crate::{Commitment, Seed, ShopperId};

/// Places served in a minute, at most.
pub const RATE_PER_MINUTE_MAX: u32 = 1_000_000;

/// Shoppers of a sale whom the merchant may let pass the line, at most: each one is told to Redis with every change.
pub const BYPASS_MAX: usize = 1_000;

/// Steps of a wait per power of two seconds, as `queue.lua` counts them.
const WAIT_STEPS: f64 = 4.0;

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
    /// Whom the merchant lets pass the line.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub bypass: BTreeSet<ShopperId>,
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
    /// Holds of shoppers whom the merchant let pass the line.
    pub bypassed: u64,
    /// How many of those who held by a turn had waited for how long.
    pub waits: Waits,
}

/// Waits from the ticket, or from the opening where that came later, to the hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Waits(Vec<u64>);

impl Waits {
    /// The seconds that so many percent had waited at most. Counted in steps: by 19 % too much, and never too little.
    /// `None` while nobody has held.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn percentile_seconds(&self, percent: u8) -> Option<f64> {
        let rank = (self.0.iter().sum::<u64>() * u64::from(percent)).div_ceil(100).max(1);
        let mut seen = 0;
        let step = self.0.iter().position(|waited| {
            seen += waited;
            seen >= rank
        })?;
        Some((step as f64 / WAIT_STEPS).exp2())
    }
}

/// Fields of a waiting room in a script's answer, before those of its waits.
const FIELDS: u8 = 16;

impl RoomView {
    /// `None` where the sale has no waiting room.
    pub(crate) fn read(fields: &mut Fields) -> Result<Option<Self>, Malformed> {
        let fields_count: u8 = fields.number()?;
        if fields_count == 0 {
            return Ok(None);
        }
        let waits_count = fields_count.checked_sub(FIELDS).ok_or(Malformed("a waiting room"))?;
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
            bypassed: fields.number()?,
            waits: Waits((0..waits_count).map(|_| fields.number()).collect::<Result<_, _>>()?),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_of_waits_is_the_end_of_the_step_in_which_it_lies() {
        assert_eq!(Waits::default().percentile_seconds(50), None);
        let mut counts = vec![0; 41];
        (counts[0], counts[4], counts[40]) = (49, 50, 1);
        let waits = Waits(counts);
        let told = [49, 50, 99, 100].map(|percent| waits.percentile_seconds(percent));
        assert_eq!(told, [Some(1.0), Some(2.0), Some(2.0), Some(1_024.0)]);
    }
}
