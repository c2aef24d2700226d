//! Orders: a sale's in pages, and the cancel.

use std::sync::Arc;

use api::{ORDERS_DEFAULT, ORDERS_MAX, OrderAnswer, Orders, OrdersQuery};
use axum::extract::State;
use edge::{OrderPath, Problem, Query, RequestKey, SalePath, Within, invalid_fields};
use jiff::Timestamp;
use ledger::{CONFIRM_DEADLINE, CancelOutcome, Cursor, Order};
use sale::LedgerOrder;

use crate::{App, problem};

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    SalePath(sale): SalePath,
    Within(deadline): Within,
    Query(page): Query<OrdersQuery>,
) -> Result<axum::Json<Orders>, Problem> {
    let cursor = page.cursor.as_deref().map_or(Ok(Cursor::default()), Cursor::parse);
    let cursor = cursor.map_err(|error| invalid_fields("query:cursor", &error.to_string()))?;
    let limit = page.limit.unwrap_or(ORDERS_DEFAULT);
    if !(1..=ORDERS_MAX).contains(&limit) {
        return Err(invalid_fields("query:limit", "must be 1 to 1000"));
    }
    app.ledger.sale(&sale, deadline).await.map_err(problem)?.ok_or_else(Problem::sale_not_found)?;
    let page = app.ledger.orders(&sale, cursor, limit, deadline).await.map_err(problem)?;
    let orders = page.orders.into_iter().map(OrderAnswer::from).collect();
    Ok(axum::Json(Orders { orders, next_cursor: page.next.map(|cursor| cursor.encode()) }))
}

/// Redis is told first that a cancel is under way, then the ledger decides, then the units return; the
/// sweep finishes what a crash interrupts.
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    OrderPath(id): OrderPath,
    RequestKey(_): RequestKey,
    Within(deadline): Within,
) -> Result<axum::Json<Order>, Problem> {
    let order =
        app.ledger.order(&id, deadline).await.map_err(problem)?.ok_or_else(Problem::order_not_found)?;
    let on_record = LedgerOrder::from(&order);
    let standing = order.stands().then_some((&order.sku, &on_record));
    app.stock.note_cancel(&order.sale, &order.reservation, standing, CONFIRM_DEADLINE, deadline).await?;
    let cancelled = match app.ledger.cancel(&id, Timestamp::now(), deadline).await.map_err(problem)? {
        CancelOutcome::Cancelled(order) => order,
        CancelOutcome::OrderNotFound => return Err(Problem::order_not_found()),
    };
    let finished = app.ledger.finish_in_stock(&app.stock, &order.sale, &order.reservation, deadline);
    finished.await.map_err(problem)?;
    Ok(axum::Json(cancelled))
}
