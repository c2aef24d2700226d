//! Release: a shopper gives a hold back.

use jiff::Timestamp;
use sentinel::{Deadline, Script};

use crate::script::script;
use crate::{Reservation, ReservationId, SaleId, ShopperId, Stock, StockError};

static RELEASE: Script = script!("release.lua");

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReleaseOutcome {
    /// The units are available again; the reservation, and Redis's clock.
    Released(Reservation, Timestamp),
    /// The hold's time was over.
    Expired,
    /// A confirm is under way.
    Confirming,
    /// An order stands.
    Ordered,
    /// The order was cancelled.
    Cancelled,
    /// None of this shopper, also where it is another's.
    ReservationNotFound,
    /// No such sale.
    SaleNotFound,
}

impl Stock {
    /// Gives the units of a hold back. A release that a failover forgets leaves the hold to its expiry.
    pub async fn release(
        &self,
        sale: &SaleId,
        id: &ReservationId,
        shopper: &ShopperId,
        deadline: Deadline,
    ) -> Result<ReleaseOutcome, StockError> {
        let script = self.invocation(&RELEASE, sale).arg(id.as_bytes()).arg(shopper.as_bytes());
        let mut answer = self.write(script, deadline).await?;
        match answer.word.as_str() {
            "RELEASED" => {
                Ok(ReleaseOutcome::Released(Reservation::read(sale, &mut answer.fields)?, answer.now))
            }
            "EXPIRED" => Ok(ReleaseOutcome::Expired),
            "CONFIRMING" => Ok(ReleaseOutcome::Confirming),
            "ORDERED" => Ok(ReleaseOutcome::Ordered),
            "CANCELLED" => Ok(ReleaseOutcome::Cancelled),
            "RESERVATION_NOT_FOUND" => Ok(ReleaseOutcome::ReservationNotFound),
            "SALE_NOT_FOUND" => Ok(ReleaseOutcome::SaleNotFound),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
