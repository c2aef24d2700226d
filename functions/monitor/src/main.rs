//! The monitor: looks at the Redis cluster, publishes figures as `CloudWatch` metrics, and logs what is wrong.
//!
//! Under Lambda it is a scheduled event that looks for most of a minute; self-hosted it goes on and on. It
//! changes nothing, and no sale depends on it.

mod metrics;

use std::process::ExitCode;
use std::time::Duration;

use edge::{Cluster, Shift};
use sale::{Deadline, Stock};

use crate::metrics::Source;

/// A scheduled event looks until shortly before the next one, which comes after a minute.
const SHIFT: Shift = Shift { length: Duration::from_secs(45), pause: Duration::from_secs(10) };

/// For one look: it also finds the master anew when that has just been replaced.
const LOOK: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() -> ExitCode {
    Box::pin(edge::serve_schedule("monitor", SHIFT, |settings| {
        // Its name under Lambda is one of its stack's own.
        let function_name = settings.lambda_function().unwrap_or("monitor").to_owned();
        let stock = settings.stock()?;
        Some(move || look(stock.clone(), function_name.clone()))
    }))
    .await
}

async fn look(stock: Stock, function_name: String) {
    let redis = stock.redis();
    let cluster = Cluster::new(&redis.topology(Deadline::after(LOOK)).await);
    for fault in &cluster.faults {
        tracing::warn!(function = "monitor", fault, "the Redis cluster needs a look");
    }
    let source = Source { master_name: &redis.config().master_name, function_name: &function_name };
    metrics::publish(&source, &cluster, &redis.status());
}
