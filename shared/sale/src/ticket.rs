//! What a signed ticket says: a place in a waiting room.

use sentinel::Invocation;
use serde::{Deserialize, Serialize};

use crate::{Draw, SaleId, ShopperId};

/// The content of a ticket. Signing and verifying is the business of the caller's key ring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    /// The sale.
    pub sale: SaleId,
    /// Whose ticket it is.
    pub shopper: ShopperId,
    /// How often the sale had been loaded into Redis when the ticket was given.
    pub epoch: u64,
    /// The place behind the lobby; without it the ticket is the shopper's lot in the lobby.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// When it was given, by Redis's clock, in ms since 1970. A ticket of an earlier version does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_at_ms: Option<i64>,
}

impl Ticket {
    /// What the scripts are told of it; the place of a lot is told once the draw is known.
    pub(crate) fn add_to<'a>(&self, script: Invocation<'a>, draw: Option<Draw>) -> Invocation<'a> {
        let script = match (self.number, draw) {
            (Some(number), _) => {
                script.arg("number").arg(self.epoch.to_string()).arg(number.to_string()).arg("")
            }
            (None, Some(draw)) => {
                let place = draw.place(&self.sale, &self.shopper);
                let script = script.arg("lot").arg(self.epoch.to_string());
                script.arg(place.to_string()).arg(draw.lobby.to_string())
            }
            (None, None) => script.arg("lot").arg(self.epoch.to_string()).arg("").arg(""),
        };
        script.arg(self.given_at_ms.unwrap_or_default().to_string())
    }
}
