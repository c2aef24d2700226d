//! Forget: what Redis has of a sale whose history broke makes room for what the ledger says.

use sentinel::{Deadline, Script};

use crate::script::script;
use crate::{SaleId, Stock, StockError};

static FORGET: Script = script!("forget.lua");

impl Stock {
    /// Forgets what Redis has of a sale that is fenced off, but for its journal; of any other nothing. [`Stock::seed`]
    /// demands it.
    pub async fn forget(&self, sale: &SaleId, deadline: Deadline) -> Result<(), StockError> {
        let (mut page, mut lineage) = ("0".to_owned(), String::new());
        loop {
            let script = self.invocation(&FORGET, sale).arg(page.as_str()).arg(lineage.as_str());
            let mut answer = self.write(script, deadline).await?;
            match answer.word.as_str() {
                "FORGOTTEN" => (page, lineage) = (answer.fields.text()?, answer.fields.text()?),
                "PRESENT" | "SALE_NOT_FOUND" => return Ok(()),
                _ => return Err(StockError::unknown_word(answer.word)),
            }
            if page == "0" {
                return Ok(());
            }
        }
    }
}
