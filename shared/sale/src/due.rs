//! Due: which reservations the sweep may settle now.

use sentinel::{Deadline, Script};

use crate::script::script;
use crate::{ReservationId, SaleId, Stock, StockError};

static DUE: Script = script!(reads "due.lua");

impl Stock {
    /// Up to `most` reservations whose confirm or cancel can no longer be under way, longest due first;
    /// none where there is no such sale.
    pub async fn due(
        &self,
        sale: &SaleId,
        most: u32,
        deadline: Deadline,
    ) -> Result<Vec<ReservationId>, StockError> {
        let mut answer = self.look(self.invocation(&DUE, sale).arg(most.to_string()), deadline).await?;
        match answer.word.as_str() {
            "DUE" => {
                let mut due = Vec::new();
                while !answer.fields.is_empty() {
                    due.push(ReservationId::from_bytes(answer.fields.digest()?));
                }
                Ok(due)
            }
            "SALE_NOT_FOUND" => Ok(Vec::new()),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
