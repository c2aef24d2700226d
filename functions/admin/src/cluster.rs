//! The Redis cluster behind the sales, for whoever operates it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use edge::{Cluster, Within};

use crate::App;

/// A cluster in trouble is an answer, not a failure: `faults` says what is wrong.
pub(crate) async fn show(State(app): State<Arc<App>>, Within(deadline): Within) -> Json<Cluster> {
    Json(Cluster::new(&app.stock.redis().topology(deadline).await))
}
