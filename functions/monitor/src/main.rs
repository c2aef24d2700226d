//! The monitor: looks at the Redis cluster, publishes figures as `CloudWatch` metrics, and logs what is wrong.
//!
//! Under Lambda it is a scheduled event that looks for most of a minute; self-hosted it goes on and on. It
//! changes nothing, and no sale depends on it.

mod metrics;

use std::process::ExitCode;
use std::time::Duration;

use edge::Cluster;
use sale::{Deadline, Stock};

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(10);

/// How long a scheduled event works: the next one comes after a minute.
const SHIFT: Duration = Duration::from_secs(45);

/// For one look: it also finds the master anew when that has just been replaced.
const LOOK: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() -> ExitCode {
    Box::pin(edge::serve_schedule("monitor", |settings| {
        let stock = settings.stock()?;
        Some(move || shift(stock.clone()))
    }))
    .await
}

async fn shift(stock: Stock) {
    let end = Deadline::after(SHIFT);
    while !end.is_over() {
        look(&stock).await;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn look(stock: &Stock) {
    let redis = stock.redis();
    let cluster = Cluster::new(&redis.topology(Deadline::after(LOOK)).await);
    for fault in &cluster.faults {
        tracing::warn!(function = "monitor", fault, "the Redis cluster needs a look");
    }
    metrics::publish(&redis.config().master_name, &cluster, &redis.status());
}
