//! Due: which reservations the sweep looks at now.

use sentinel::{Deadline, Script};

use crate::script::script;
use crate::{ReservationId, SaleId, Stock, StockError};

static DUE: Script = script!("due.lua");

/// A reservation whose confirm or cancel can no longer be under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Which one.
    pub id: ReservationId,
    /// Whether it may be abandoned where the ledger has no order. While its hold has not expired, the
    /// shopper may still repeat the confirm: then only an order that stands is finished.
    pub may_abandon: bool,
}

impl Stock {
    /// Up to `most` of them, longest due first; none where there is no such sale.
    pub async fn due(&self, sale: &SaleId, most: u32, deadline: Deadline) -> Result<Vec<Due>, StockError> {
        let mut answer = self.write(self.invocation(&DUE, sale).arg(most.to_string()), deadline).await?;
        match answer.word.as_str() {
            "DUE" => {
                let mut due = Vec::new();
                while !answer.fields.is_empty() {
                    let id = ReservationId::from_bytes(answer.fields.digest()?);
                    due.push(Due { id, may_abandon: answer.fields.flag()? });
                }
                Ok(due)
            }
            "SALE_NOT_FOUND" => Ok(Vec::new()),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
