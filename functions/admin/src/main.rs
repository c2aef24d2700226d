//! `/admin/…`: what the merchant may do: define sales, open and close them, change stock, see figures
//! and orders, cancel an order, look at the cluster. Closed without the merchant's token.

mod cluster;
mod journal;
mod orders;
mod queue;
mod sales;
mod stock;
mod units;

use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post, put};
use edge::{Merchant, Problem};
use ledger::{Ledger, PurchaseError};
use sale::{IdSecret, Stock};

pub(crate) struct App {
    pub(crate) stock: Stock,
    pub(crate) ledger: Ledger,
    pub(crate) ids: IdSecret,
    merchant: Merchant,
}

#[tokio::main]
async fn main() -> ExitCode {
    let ledger = Ledger::from_environment();
    edge::serve("admin", move |settings| {
        let (stock, merchant, table) = (settings.stock(), settings.merchant(), settings.ledger_table());
        let ids = settings.ids();
        let ledger = ledger.with_table(table?);
        let app = App { stock: stock?, ledger, ids: ids?, merchant: merchant? };
        Some(routes(Arc::new(app)))
    })
    .await
}

fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route("/admin/sales", get(sales::list))
        .route("/admin/sales/{sale}", put(sales::define).get(sales::show))
        .route("/admin/sales/{sale}/open", post(sales::open))
        .route("/admin/sales/{sale}/pause", post(sales::pause))
        .route("/admin/sales/{sale}/resume", post(sales::resume))
        .route("/admin/sales/{sale}/close", post(sales::close))
        .route("/admin/sales/{sale}/restore", post(sales::restore))
        .route("/admin/sales/{sale}/queue", get(queue::show).patch(queue::change))
        .route("/admin/sales/{sale}/report", get(stock::report))
        .route("/admin/sales/{sale}/skus/{sku}/units", get(units::list))
        .route("/admin/sales/{sale}/skus/{sku}/restock", post(stock::restock))
        .route("/admin/sales/{sale}/skus/{sku}/withdraw", post(stock::withdraw))
        .route("/admin/sales/{sale}/orders", get(orders::list))
        .route("/admin/sales/{sale}/journal", get(journal::list))
        .route("/admin/orders/{id}/cancel", post(orders::cancel))
        .route("/admin/cluster", get(cluster::show))
        .route_layer(from_fn_with_state(app.clone(), merchant_only))
        .with_state(app)
}

async fn merchant_only(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    app.merchant.identify(request.headers())?;
    Ok(next.run(request).await)
}

pub(crate) fn problem(error: impl Into<PurchaseError>) -> Problem {
    match error.into() {
        PurchaseError::Stock(error) => error.into(),
        PurchaseError::Ledger(error) => Problem::ledger_failed(error.next(), &error),
    }
}
