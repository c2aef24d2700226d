//! Due: which reservations the sweep looks at now.

use std::time::Duration;

use sentinel::{Deadline, Script};

use crate::answer::Malformed;
use crate::script::script;
use crate::{ReservationId, SaleId, Stock, StockError};

static DUE: Script = script!("due.lua");

/// A reservation whose confirm or cancel can no longer be under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Which one.
    pub id: ReservationId,
    /// What may be done about it.
    pub action: DueAction,
}

/// What may be done about a reservation that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueAction {
    /// It is settled: abandoned where the ledger has no order.
    Settle,
    /// Only an order that stands is finished: its hold has not expired, and the shopper may repeat the confirm.
    Finish,
    /// Nothing: its record in Redis cannot be read.
    Nothing,
}

impl Stock {
    /// Up to `most` of them, longest due first; none where there is no such sale. Those that could not be settled a
    /// moment ago are not among them: they are again after `again_after`, and so are those that are only finished.
    pub async fn due(
        &self,
        sale: &SaleId,
        most: u32,
        again_after: Duration,
        not_settled: &[ReservationId],
        deadline: Deadline,
    ) -> Result<Vec<Due>, StockError> {
        let invocation =
            self.invocation(&DUE, sale).arg(most.to_string()).arg(again_after.as_millis().to_string());
        let invocation = not_settled.iter().fold(invocation, |invocation, id| invocation.arg(id.as_bytes()));
        let mut answer = self.write(invocation, deadline).await?;
        match answer.word.as_str() {
            "DUE" => {
                let mut due = Vec::new();
                while !answer.fields.is_empty() {
                    let id = ReservationId::from_bytes(answer.fields.digest()?);
                    let action = match answer.fields.text()?.as_str() {
                        "settle" => DueAction::Settle,
                        "finish" => DueAction::Finish,
                        "nothing" => DueAction::Nothing,
                        _ => return Err(Malformed("what may be done").into()),
                    };
                    due.push(Due { id, action });
                }
                Ok(due)
            }
            "SALE_NOT_FOUND" => Ok(Vec::new()),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
