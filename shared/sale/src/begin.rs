//! Begin: the first step of a confirm. From here on the hold does not expire by itself.

use std::time::Duration;

use sentinel::{Deadline, Script};

use crate::script::script;
use crate::{Receipt, Reservation, ReservationId, SaleId, ShopperId, Stock, StockError};

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
    /// The receipt proves a hold whose units are gone.
    NoUnit {
        /// Whether some may come back: the same request again.
        may_return: bool,
    },
    /// None of this shopper, also where it is another's.
    ReservationNotFound,
    /// No such sale.
    SaleNotFound,
}

impl Stock {
    /// Marks a hold as confirming. `confirm_deadline` is how long a confirm can take at most: the
    /// sweep settles it no earlier. A receipt of this very reservation, which the caller has verified, stands
    /// in for a record that a takeover has lost.
    ///
    /// # Errors
    /// [`StockError::Unreplicated`] where no replica knows of the mark: a confirm must not go on, as a
    /// failover would let the hold expire under it.
    pub async fn begin(
        &self,
        sale: &SaleId,
        id: &ReservationId,
        shopper: &ShopperId,
        receipt: Option<&Receipt>,
        confirm_deadline: Duration,
        deadline: Deadline,
    ) -> Result<BeginOutcome, StockError> {
        let mut script = self
            .invocation(&BEGIN, sale)
            .arg(id.as_bytes())
            .arg(shopper.as_bytes())
            .arg(confirm_deadline.as_millis().to_string());
        if let Some(receipt) = receipt {
            script = script
                .arg(receipt.sku.as_str())
                .arg(receipt.expires_at.as_millisecond().to_string())
                .arg(receipt.price_minor.to_string())
                .arg(receipt.currency.as_str())
                .arg(receipt.limit_per_shopper.to_string())
                .arg(receipt.epoch.to_string());
            script = receipt.units.iter().fold(script, |script, unit| script.arg(unit.to_string()));
        }
        let mut answer = self.write_durably(script, deadline).await?;
        match answer.word.as_str() {
            "BEGUN" => Ok(BeginOutcome::Begun(Reservation::read(sale, &mut answer.fields)?)),
            "RESUMED" => Ok(BeginOutcome::Resumed(Reservation::read(sale, &mut answer.fields)?)),
            "ORDERED" => Ok(BeginOutcome::Ordered(Reservation::read(sale, &mut answer.fields)?)),
            "EXPIRED" => Ok(BeginOutcome::Expired),
            "RELEASED" => Ok(BeginOutcome::Released),
            "CANCELLED" => Ok(BeginOutcome::Cancelled),
            "NO_UNIT" => Ok(BeginOutcome::NoUnit { may_return: answer.fields.flag()? }),
            "RESERVATION_NOT_FOUND" => Ok(BeginOutcome::ReservationNotFound),
            "SALE_NOT_FOUND" => Ok(BeginOutcome::SaleNotFound),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
