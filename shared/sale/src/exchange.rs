//! Exchange: another unit for one that the ledger has given to somebody else.

use sentinel::{Deadline, Script};

use crate::rebuild::with_orders;
use crate::script::script;
use crate::{LedgerOrder, Reservation, ReservationId, SaleId, Stock, StockError};

static EXCHANGE: Script = script!("exchange.lua");

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExchangeOutcome {
    /// The reservation with the units that it has now; a replica knows them.
    Exchanged(Reservation),
    /// No unit is available.
    NoUnit {
        /// Whether some may return.
        may_return: bool,
    },
    /// The reservation is not confirming any more.
    Ended,
    /// Redis does not know the reservation.
    ReservationNotFound,
    /// No such sale.
    SaleNotFound,
}

impl Stock {
    /// Gives a confirming reservation other units for those that these orders have, and counts those as sold. Redis had lost
    /// the orders, and has them on record again.
    pub async fn exchange(
        &self,
        sale: &SaleId,
        id: &ReservationId,
        orders: &[LedgerOrder],
        deadline: Deadline,
    ) -> Result<ExchangeOutcome, StockError> {
        let script = with_orders(self.invocation(&EXCHANGE, sale).arg(id.as_bytes()), orders);
        let mut answer = self.write_durably(script, deadline).await?;
        match answer.word.as_str() {
            "EXCHANGED" => Ok(ExchangeOutcome::Exchanged(Reservation::read(sale, &mut answer.fields)?)),
            "NO_UNIT" => Ok(ExchangeOutcome::NoUnit { may_return: answer.fields.flag()? }),
            "ENDED" => Ok(ExchangeOutcome::Ended),
            "RESERVATION_NOT_FOUND" => Ok(ExchangeOutcome::ReservationNotFound),
            "SALE_NOT_FOUND" => Ok(ExchangeOutcome::SaleNotFound),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
