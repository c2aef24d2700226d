//! JSON lines on standard output, each with an RFC 3339 time.

use tracing_subscriber::EnvFilter;

/// Begins to log. `filter` is in the words of `RUST_LOG`.
pub(crate) fn init(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_env_filter(filter)
        .finish();
    // A second call in one process (only tests do that) keeps the first subscriber.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
