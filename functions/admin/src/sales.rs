//! Sales: defined, opened, paused, closed. The ledger first, then Redis; a crash between the two is
//! mended by the sweep.

use std::sync::Arc;

use api::{SaleAnswer, Sales};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use edge::{FieldFault, Json, Problem, SalePath, Within};
use jiff::Timestamp;
use ledger::{CreateOutcome, SaleRecord, StoreOutcome};
use sale::{Deadline, Definition, DistrustOutcome, Sale, SaleId, Seed};

use crate::{App, problem};

fn answer(record: SaleRecord) -> SaleAnswer {
    let Sale { id, version, epoch, paused, closed, room: _, definition } = record.sale;
    SaleAnswer { sale: id, version, epoch, paused, closed, definition }
}

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Within(deadline): Within,
) -> Result<axum::Json<Sales>, Problem> {
    let records = app.ledger.sales(deadline).await.map_err(problem)?;
    Ok(axum::Json(Sales { sales: records.into_iter().map(answer).collect() }))
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    SalePath(id): SalePath,
    Within(deadline): Within,
) -> Result<Response, Problem> {
    let record =
        app.ledger.sale(&id, deadline).await.map_err(problem)?.ok_or_else(Problem::sale_not_found)?;
    Ok(axum::Json(answer(record)).into_response())
}

/// Creates a sale, or changes what can be changed of one. Repeating it changes nothing.
pub(crate) async fn define(
    State(app): State<Arc<App>>,
    SalePath(id): SalePath,
    Within(deadline): Within,
    Json(definition): Json<Definition>,
) -> Result<Response, Problem> {
    let faults = definition.faults();
    if !faults.is_empty() {
        let faults: Vec<_> = faults.into_iter().map(|f| FieldFault::new(f.pointer, f.reason)).collect();
        return Err(Problem::invalid_request(&faults));
    }
    let status = if let Some(record) = app.ledger.sale(&id, deadline).await.map_err(problem)? {
        redefine(&app, record, definition, deadline).await?;
        StatusCode::OK
    } else {
        let mut sale = Sale::new(id.clone(), definition);
        add_seed(&mut sale)?;
        let record = SaleRecord::new(sale);
        match app.ledger.create_sale(&record, deadline).await.map_err(problem)? {
            CreateOutcome::Created => StatusCode::CREATED,
            // The same definition is our own earlier attempt, whose answer was lost.
            CreateOutcome::AlreadyExists => match app.ledger.sale(&id, deadline).await.map_err(problem)? {
                Some(found) if found.sale.definition == record.sale.definition => StatusCode::OK,
                _ => return Err(Problem::sale_conflict()),
            },
        }
    };
    Ok((status, load(&app, &id, deadline).await?).into_response())
}

async fn redefine(
    app: &App,
    mut record: SaleRecord,
    definition: Definition,
    deadline: Deadline,
) -> Result<(), Problem> {
    let known = &record.sale.definition;
    // Where the definition leaves the beginning to `open`, an `open` that was said stays said.
    let definition = Definition { opens_at: definition.opens_at.or(known.opens_at), ..definition };
    if known == &definition {
        return Ok(());
    }
    if known.currency != definition.currency {
        return Err(edge::invalid_fields("/currency", "cannot change once the sale is defined"));
    }
    for sku in &known.skus {
        match definition.sku(&sku.sku) {
            None => return Err(edge::invalid_fields("/skus", "must keep every SKU that the sale has")),
            Some(changed) if changed.stock != sku.stock => return Err(Problem::stock_mismatch()),
            Some(_) => {}
        }
    }
    for sku in definition.skus.iter().filter(|sku| known.sku(&sku.sku).is_none()) {
        record.serials.insert(sku.sku.clone(), sku.stock);
    }
    record.sale.definition = definition;
    add_seed(&mut record.sale)?;
    store(app, record, deadline).await
}

/// The secret of the draw is made once, and nobody chooses it.
fn add_seed(sale: &mut Sale) -> Result<(), Problem> {
    if sale.definition.waiting_room.is_some() && sale.room.seed.is_none() {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| Problem::internal().caused_by(&error))?;
        sale.room.seed = Some(Seed::from_bytes(seed));
    }
    Ok(())
}

pub(crate) async fn open(app: State<Arc<App>>, sale: SalePath, within: Within) -> Result<Response, Problem> {
    let now = Timestamp::now();
    let open = |sale: &mut Sale| {
        sale.definition.opens_at = sale.definition.opens_at.filter(|at| *at <= now).or(Some(now));
    };
    change(app, sale, within, open).await
}

pub(crate) async fn pause(app: State<Arc<App>>, sale: SalePath, within: Within) -> Result<Response, Problem> {
    change(app, sale, within, |sale| sale.paused = true).await
}

pub(crate) async fn resume(
    app: State<Arc<App>>,
    sale: SalePath,
    within: Within,
) -> Result<Response, Problem> {
    change(app, sale, within, |sale| sale.paused = false).await
}

pub(crate) async fn close(app: State<Arc<App>>, sale: SalePath, within: Within) -> Result<Response, Problem> {
    change(app, sale, within, |sale| sale.closed = true).await
}

/// Begins it; whoever sweeps goes on.
pub(crate) async fn restore(
    State(app): State<Arc<App>>,
    SalePath(id): SalePath,
    Within(deadline): Within,
) -> Result<Response, Problem> {
    match app.stock.distrust(&id, deadline).await? {
        DistrustOutcome::Distrusted => {
            Ok((StatusCode::ACCEPTED, load(&app, &id, deadline).await?).into_response())
        }
        DistrustOutcome::UnderWay => Err(Problem::takeover_under_way()),
        DistrustOutcome::SaleNotFound => Err(Problem::sale_not_found()),
    }
}

async fn change(
    State(app): State<Arc<App>>,
    SalePath(id): SalePath,
    Within(deadline): Within,
    apply: impl FnOnce(&mut Sale),
) -> Result<Response, Problem> {
    let record =
        app.ledger.sale(&id, deadline).await.map_err(problem)?.ok_or_else(Problem::sale_not_found)?;
    let mut changed = record.clone();
    apply(&mut changed.sale);
    if changed != record {
        store(&app, changed, deadline).await?;
    }
    load(&app, &id, deadline).await
}

pub(crate) async fn store(app: &App, mut record: SaleRecord, deadline: Deadline) -> Result<(), Problem> {
    record.sale.version += 1;
    match app.ledger.store_sale(&record, deadline).await.map_err(problem)? {
        StoreOutcome::Stored => Ok(()),
        StoreOutcome::Conflict => Err(Problem::sale_conflict()),
    }
}

async fn load(app: &App, id: &SaleId, deadline: Deadline) -> Result<Response, Problem> {
    let record = app.ledger.load(&app.stock, id, deadline).await.map_err(problem)?;
    Ok(axum::Json(answer(record.ok_or_else(Problem::sale_not_found)?)).into_response())
}
