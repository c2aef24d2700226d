//! Tick: a waiting room is moved on where nobody else does it, and told how fast it may go.

use sentinel::{Deadline, Script};

use crate::script::queue_script;
use crate::{SaleId, Stock, StockError};

static TICK: Script = queue_script!("tick.lua");

/// Whether what shoppers need keeps up with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// It does: the pace may rise again.
    Normal,
    /// It does not: the pace is halved.
    TooMuch,
}

/// The record of a waiting room, to be kept where Redis's loss does not reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueRecord {
    /// Which dataset it is of.
    pub epoch: u64,
    /// What only the scripts read.
    pub bytes: Vec<u8>,
}

impl Stock {
    /// Moves the waiting room on, acknowledged by a replica like what shoppers write; `None` where there is none.
    pub async fn tick(
        &self,
        sale: &SaleId,
        load: Load,
        deadline: Deadline,
    ) -> Result<Option<QueueRecord>, StockError> {
        let is_slow = u8::from(load == Load::TooMuch).to_string();
        let mut answer = self.write_durably(self.invocation(&TICK, sale).arg(is_slow), deadline).await?;
        match answer.word.as_str() {
            "TICKED" => {
                Ok(Some(QueueRecord { epoch: answer.fields.number()?, bytes: answer.fields.bytes()? }))
            }
            "NO_ROOM" | "SALE_NOT_FOUND" => Ok(None),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
