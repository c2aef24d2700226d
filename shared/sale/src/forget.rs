//! Forget: what Redis has of a sale whose history broke makes room for what the ledger says.

use sentinel::{Deadline, Script};

use crate::script::script;
use crate::{SaleId, Stock, StockError};

static FORGET: Script = script!("forget.lua");

impl Stock {
    /// Forgets what Redis has of a sale that is fenced off, but for its journal; of any other nothing. [`Stock::seed`]
    /// demands it.
    pub async fn forget(&self, sale: &SaleId, deadline: Deadline) -> Result<(), StockError> {
        loop {
            let mut answer = self.write(self.invocation(&FORGET, sale), deadline).await?;
            match answer.word.as_str() {
                "FORGOTTEN" if answer.fields.number::<u8>()? == 1 => {}
                "FORGOTTEN" | "PRESENT" | "SALE_NOT_FOUND" => return Ok(()),
                _ => return Err(StockError::unknown_word(answer.word)),
            }
        }
    }
}
