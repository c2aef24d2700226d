//! What a waiting room refuses.

use jiff::Timestamp;
use sale::SaleId;
use serde_json::json;

use crate::Problem;
use crate::problem::seconds_up;
use crate::problems as table;

impl Problem {
    /// 403.
    #[must_use]
    pub fn ticket_missing(sale: &SaleId) -> Self {
        let tickets = format!("/sales/{sale}/tickets");
        Self::new(table::TICKET_MISSING, format!("Take a ticket first: POST {tickets}."))
            .extend("tickets", tickets)
    }

    /// 403; `ahead` places come first.
    #[must_use]
    pub fn not_your_turn(place: u64, ahead: u64) -> Self {
        Self::new(
            table::NOT_YOUR_TURN,
            "The sale's status says which place is served. Nothing is lost by waiting.",
        )
        .extend("place", place)
        .extend("ahead", ahead)
        .retry_soon()
    }

    /// 403.
    #[must_use]
    pub fn turn_passed() -> Self {
        Self::new(table::TICKET_EXPIRED, "Its turn is over. Another ticket is a later place.")
    }

    /// 403.
    #[must_use]
    pub fn ticket_used() -> Self {
        Self::new(table::TICKET_EXPIRED, "What was held by it went back. Another ticket is a later place.")
    }

    /// 403.
    #[must_use]
    pub(crate) fn ticket_too_old() -> Self {
        Self::new(table::TICKET_EXPIRED, "It was not renewed for a day. Another ticket is a later place.")
    }

    /// 410.
    #[must_use]
    pub fn position_expired() -> Self {
        Self::new(table::POSITION_EXPIRED, "Its turn is over. Another number is a later one.")
    }

    /// 409.
    #[must_use]
    pub fn no_waiting_room() -> Self {
        Self::new(table::NO_WAITING_ROOM, "Reserve at once: no ticket is needed.")
    }

    /// 409.
    #[must_use]
    pub fn lobby_not_open(opens_at: Timestamp, now: Timestamp) -> Self {
        Self::new(table::LOBBY_NOT_OPEN, format!("It gives tickets from {opens_at} on."))
            .extend("opens_at", json!(opens_at))
            .extend("server_time", json!(now))
            .retry_after(seconds_up(opens_at.duration_since(now).unsigned_abs()))
    }

    /// 409.
    #[must_use]
    pub fn waiting_room_closed() -> Self {
        Self::new(table::WAITING_ROOM_CLOSED, "Whoever has a ticket is still served.")
    }
}
