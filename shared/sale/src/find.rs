//! Find: a shopper's own reservation.

use jiff::Timestamp;
use sentinel::{Deadline, Script};

use crate::script::script;
use crate::{Reservation, ReservationId, SaleId, ShopperId, Stock, StockError};

static FIND: Script = script!("find.lua");

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FindOutcome {
    /// The reservation, and Redis's clock.
    Found(Reservation, Timestamp),
    /// None of this shopper, also where it is another's.
    ReservationNotFound,
    /// No such sale.
    SaleNotFound,
}

impl Stock {
    /// A shopper's own reservation as it stands now.
    pub async fn find(
        &self,
        sale: &SaleId,
        id: &ReservationId,
        shopper: &ShopperId,
        deadline: Deadline,
    ) -> Result<FindOutcome, StockError> {
        let script = self.invocation(&FIND, sale).arg(id.as_bytes()).arg(shopper.as_bytes());
        let mut answer = self.look(script, deadline).await?;
        match answer.word.as_str() {
            "FOUND" => Ok(FindOutcome::Found(Reservation::read(sale, &mut answer.fields)?, answer.now)),
            "RESERVATION_NOT_FOUND" => Ok(FindOutcome::ReservationNotFound),
            "SALE_NOT_FOUND" => Ok(FindOutcome::SaleNotFound),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
