//! Stock: the report, restock and withdraw.

use std::sync::Arc;

use api::{Quantity, Report, Restocked, Withdrawn};
use axum::extract::State;
use edge::{Json, Problem, RequestKey, SalePath, SkuPath, Within, invalid_fields};
use ledger::ChangeRecordOutcome;
use sale::{RestockOutcome, WithdrawOutcome};

use crate::{App, problem};

pub(crate) async fn report(
    State(app): State<Arc<App>>,
    SalePath(sale): SalePath,
    Within(deadline): Within,
) -> Result<axum::Json<Report>, Problem> {
    let view = app.stock.view(&sale, deadline).await?.ok_or_else(Problem::sale_not_found)?;
    Ok(axum::Json(Report {
        conserved: view.is_conserved(),
        sale,
        state: view.state,
        server_time: view.now,
        epoch: view.epoch,
        unsettled: view.unsettled,
        skus: view.skus,
    }))
}

/// The ledger first, then Redis: Redis never sells what the ledger does not know of.
pub(crate) async fn restock(
    State(app): State<Arc<App>>,
    SkuPath(sale, sku): SkuPath,
    RequestKey(key): RequestKey,
    Within(deadline): Within,
    Json(Quantity { quantity }): Json<Quantity>,
) -> Result<axum::Json<Restocked>, Problem> {
    check(quantity)?;
    let change = key.change(&sale);
    let recorded = app.ledger.record_restock(&sale, &sku, quantity, &change, deadline).await;
    read(recorded.map_err(problem)?)?;
    // Whatever else Redis lacks of this sale comes first, and this restock with it.
    app.ledger.load(&app.stock, &sale, deadline).await.map_err(problem)?;
    match app.stock.restock(&sale, &sku, quantity, &change, None, deadline).await? {
        RestockOutcome::Restocked { stock } => Ok(axum::Json(Restocked { sku, stock, restocked: quantity })),
        RestockOutcome::KeyReused => Err(Problem::idempotency_key_reused()),
        RestockOutcome::SkuNotFound | RestockOutcome::SaleNotFound => Err(Problem::recovering()),
    }
}

pub(crate) async fn withdraw(
    State(app): State<Arc<App>>,
    SkuPath(sale, sku): SkuPath,
    RequestKey(key): RequestKey,
    Within(deadline): Within,
    Json(Quantity { quantity }): Json<Quantity>,
) -> Result<axum::Json<Withdrawn>, Problem> {
    check(quantity)?;
    let change = key.change(&sale);
    let withdrawn = app.ledger.withdraw(&app.stock, &sale, &sku, quantity, &change, deadline).await;
    match withdrawn.map_err(problem)? {
        WithdrawOutcome::Withdrawn { units, stock } => {
            Ok(axum::Json(Withdrawn { sku, stock, withdrawn: units }))
        }
        WithdrawOutcome::KeyReused => Err(Problem::idempotency_key_reused()),
        WithdrawOutcome::SkuNotFound => Err(Problem::sku_not_found()),
        WithdrawOutcome::SaleNotFound => Err(Problem::sale_not_found()),
    }
}

fn check(quantity: u32) -> Result<(), Problem> {
    let is_sane = (1..=sale::STOCK_MAX).contains(&quantity);
    if is_sane { Ok(()) } else { Err(invalid_fields("/quantity", "must be 1 to 10000000")) }
}

fn read(recorded: ChangeRecordOutcome) -> Result<(), Problem> {
    match recorded {
        ChangeRecordOutcome::Recorded => Ok(()),
        ChangeRecordOutcome::KeyReused => Err(Problem::idempotency_key_reused()),
        ChangeRecordOutcome::Refused => {
            Err(invalid_fields("/quantity", "would raise the stock above 10000000"))
        }
        ChangeRecordOutcome::SkuNotFound => Err(Problem::sku_not_found()),
        ChangeRecordOutcome::SaleNotFound => Err(Problem::sale_not_found()),
    }
}
