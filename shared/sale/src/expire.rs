//! Expire: holds whose time is over are freed, although nobody reserves.

use sentinel::{Deadline, Script};

use crate::script::script;
use crate::{SaleId, Stock, StockError};

static EXPIRE: Script = script!("expire.lua");

/// What was freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expired {
    /// Number of holds freed.
    pub holds: u64,
    /// Whether more are waiting.
    pub more: bool,
}

impl Stock {
    /// Frees up to `most_per_sku` holds of each SKU; none where there is no such sale.
    pub async fn expire(
        &self,
        sale: &SaleId,
        most_per_sku: u32,
        deadline: Deadline,
    ) -> Result<Expired, StockError> {
        let script = self.invocation(&EXPIRE, sale).arg(most_per_sku.to_string());
        let mut answer = self.write(script, deadline).await?;
        match answer.word.as_str() {
            "EXPIRED" => Ok(Expired { holds: answer.fields.number()?, more: answer.fields.flag()? }),
            "SALE_NOT_FOUND" => Ok(Expired { holds: 0, more: false }),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
