//! The sweep: settles what nobody repeated, keeps Redis at what the ledger says, frees overdue holds.
//!
//! No sale depends on it to sell on. Under Lambda it is a scheduled event that works in steps for most
//! of a minute; self-hosted it runs on a timer of its own.

mod step;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use edge::Shift;
use ledger::Ledger;

use crate::step::Sweep;

/// A scheduled event works until shortly before the next one, which comes after a minute.
const SHIFT: Shift = Shift { length: Duration::from_secs(50), pause: Duration::from_secs(2) };

#[tokio::main]
async fn main() -> ExitCode {
    let ledger = Ledger::from_environment();
    Box::pin(edge::serve_schedule("sweep", SHIFT, move |settings| {
        let (stock, table) = (settings.stock(), settings.ledger_table());
        let sweep = Arc::new(Sweep::new(stock?, ledger.with_table(table?)));
        Some(move || step(sweep.clone()))
    }))
    .await
}

async fn step(sweep: Arc<Sweep>) {
    Box::pin(sweep.step()).await;
}
