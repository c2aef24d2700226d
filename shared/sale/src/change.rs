//! Change: a newer version of the merchant's definition comes into force.

use sentinel::{Deadline, Invocation, Script};

use crate::script::queue_script;
use crate::{Sale, Stock, StockError};

static CHANGE: Script = queue_script!("change.lua");

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// This version is in force now.
    Changed,
    /// This version or a newer one was in force already.
    Current,
    /// The sale is not in Redis.
    SaleNotFound,
}

fn add_room<'a>(script: Invocation<'a>, sale: &Sale) -> Invocation<'a> {
    let (Some(room), Some(seed)) = (&sale.definition.waiting_room, &sale.room.seed) else {
        return (0..9).fold(script, |script, _| script.arg(""));
    };
    let lobby_opens_at = room.lobby_opens_at.map_or_else(String::new, |at| at.as_millisecond().to_string());
    script
        .arg(room.rate_per_minute.to_string())
        .arg((u64::from(room.turn_seconds) * 1000).to_string())
        .arg(lobby_opens_at)
        .arg(u8::from(sale.room.is_paused).to_string())
        .arg(u8::from(sale.room.is_closed).to_string())
        .arg(sale.room.serve_to.to_string())
        .arg(seed.to_string())
        .arg(seed.commitment().to_string())
        .arg(sale.room.bypass.iter().flat_map(|shopper| *shopper.as_bytes()).collect::<Vec<_>>())
}

impl Stock {
    /// Brings this version of a sale into force. Stock of SKUs that exist is left alone: it changes by
    /// [`Stock::restock`] and [`Stock::withdraw`] only, whose effects do not depend on their order.
    pub async fn change(&self, sale: &Sale, deadline: Deadline) -> Result<ChangeOutcome, StockError> {
        let definition = &sale.definition;
        let kinds: Vec<_> = definition.shoppers.iter().map(|kind| kind.as_str()).collect();
        let opens_at = definition.opens_at.map_or_else(String::new, |at| at.as_millisecond().to_string());
        let json = serde_json::to_string(definition).map_err(|error| StockError::Broken(Box::new(error)))?;
        let mut script = self
            .invocation(&CHANGE, &sale.id)
            .arg(sale.version.to_string())
            .arg(opens_at)
            .arg(definition.closes_at.as_millisecond().to_string())
            .arg(u8::from(sale.paused).to_string())
            .arg(u8::from(sale.closed).to_string())
            .arg((u64::from(definition.hold_seconds) * 1000).to_string())
            .arg(definition.limit_per_shopper.to_string())
            .arg(kinds.join(","))
            .arg(definition.currency.as_str())
            .arg(json);
        script = add_room(script, sale);
        for sku in &definition.skus {
            script = script.arg(sku.sku.as_str()).arg(sku.price_minor.to_string()).arg(sku.stock.to_string());
        }
        let answer = self.write_durably(script, deadline).await?;
        match answer.word.as_str() {
            "CHANGED" => Ok(ChangeOutcome::Changed),
            "CURRENT" => Ok(ChangeOutcome::Current),
            "SALE_NOT_FOUND" => Ok(ChangeOutcome::SaleNotFound),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
