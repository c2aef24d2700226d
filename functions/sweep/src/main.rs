//! The sweep: settles what nobody repeated, keeps Redis at what the ledger says, frees overdue holds.
//!
//! No sale depends on it to sell on. Under Lambda it is a scheduled event that works in steps for most
//! of a minute; self-hosted it runs on a timer of its own.

mod step;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use ledger::Ledger;
use sale::Deadline;

use crate::step::Sweep;

/// Between two steps.
const PAUSE: Duration = Duration::from_secs(2);

/// How long a scheduled event works: the next one comes after a minute.
const SHIFT: Duration = Duration::from_secs(50);

#[tokio::main]
async fn main() -> ExitCode {
    let ledger = Ledger::from_environment();
    Box::pin(edge::serve_schedule("sweep", |settings| {
        let (stock, table) = (settings.stock(), settings.ledger_table());
        let sweep =
            Arc::new(Sweep { stock: stock?, ledger: ledger.with_table(table?), steps: AtomicUsize::new(0) });
        Some(move || shift(sweep.clone()))
    }))
    .await
}

async fn shift(sweep: Arc<Sweep>) {
    let end = Deadline::after(SHIFT);
    while !end.is_over() {
        sweep.step().await;
        tokio::time::sleep(PAUSE).await;
    }
}
