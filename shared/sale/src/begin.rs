//! Begin: the first step of a confirm. From here on the hold does not expire by itself.

use std::time::Duration;

use sentinel::{Deadline, Script};

use crate::script::script;
use crate::{Reservation, ReservationId, SaleId, ShopperId, Stock, StockError};

static BEGIN: Script = script!("begin.lua");

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BeginOutcome {
    /// The confirm may go to the ledger; a replica knows that it has begun.
    Begun(Reservation),
    /// It had begun before, and may go on.
    Resumed(Reservation),
    /// The order stands already.
    Ordered(Reservation),
    /// The hold's time was over.
    Expired,
    /// The shopper gave it back.
    Released,
    /// The order was cancelled.
    Cancelled,
    /// None of this shopper, also where it is another's.
    ReservationNotFound,
    /// No such sale.
    SaleNotFound,
}

impl Stock {
    /// Marks a hold as confirming. `confirm_deadline` is how long a confirm can take at most: the
    /// sweep settles it no earlier.
    ///
    /// # Errors
    /// [`StockError::Unreplicated`] where no replica knows of the mark: a confirm must not go on, as a
    /// failover would let the hold expire under it.
    pub async fn begin(
        &self,
        sale: &SaleId,
        id: &ReservationId,
        shopper: &ShopperId,
        confirm_deadline: Duration,
        deadline: Deadline,
    ) -> Result<BeginOutcome, StockError> {
        let script = self
            .invocation(&BEGIN, sale)
            .arg(id.as_bytes())
            .arg(shopper.as_bytes())
            .arg(confirm_deadline.as_millis().to_string());
        let mut answer = self.write_durably(script, deadline).await?;
        match answer.word.as_str() {
            "BEGUN" => Ok(BeginOutcome::Begun(Reservation::read(sale, &mut answer.fields)?)),
            "RESUMED" => Ok(BeginOutcome::Resumed(Reservation::read(sale, &mut answer.fields)?)),
            "ORDERED" => Ok(BeginOutcome::Ordered(Reservation::read(sale, &mut answer.fields)?)),
            "EXPIRED" => Ok(BeginOutcome::Expired),
            "RELEASED" => Ok(BeginOutcome::Released),
            "CANCELLED" => Ok(BeginOutcome::Cancelled),
            "RESERVATION_NOT_FOUND" => Ok(BeginOutcome::ReservationNotFound),
            "SALE_NOT_FOUND" => Ok(BeginOutcome::SaleNotFound),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
