//! The waiting room: figures, and what the merchant changes of it while it runs.

use std::sync::Arc;

use api::{ACCOUNTS_MAX, QueueChange, QueueReport, WaitPercentiles, WaitingRoomStatus};
use axum::extract::State;
use edge::{FieldFault, Json, Problem, SalePath, Within, is_subject};
use ledger::SaleRecord;
use sale::{BYPASS_MAX, Deadline, Sale, ShopperKind};

use crate::sales::store;
use crate::{App, problem};

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    SalePath(sale): SalePath,
    Within(deadline): Within,
) -> Result<axum::Json<QueueReport>, Problem> {
    let record = app.ledger.sale(&sale, deadline).await.map_err(problem)?;
    report(&app, record, deadline).await
}

/// The ledger first, then Redis, as with every change of a sale. What is set is what shall be and not by how much it
/// shall change, so that a repeat changes nothing.
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    SalePath(id): SalePath,
    Within(deadline): Within,
    Json(change): Json<QueueChange>,
) -> Result<axum::Json<QueueReport>, Problem> {
    let faults = account_faults(&change);
    if !faults.is_empty() {
        return Err(Problem::invalid_request(&faults));
    }
    let record = app.ledger.sale(&id, deadline).await.map_err(problem)?;
    let record = record.ok_or_else(Problem::sale_not_found)?;
    let mut changed = record.clone();
    let Some(room) = &mut changed.sale.definition.waiting_room else {
        return Err(Problem::no_waiting_room());
    };
    room.rate_per_minute = change.rate_per_minute.unwrap_or(room.rate_per_minute);
    room.turn_seconds = change.turn_seconds.unwrap_or(room.turn_seconds);
    let controls = &mut changed.sale.room;
    controls.is_paused = change.paused.unwrap_or(controls.is_paused);
    controls.is_closed = change.door_closed.unwrap_or(controls.is_closed);
    controls.serve_to = change.serve_to.unwrap_or(controls.serve_to);
    let shopper = |account: &String| app.ids.shopper(ShopperKind::Account, account);
    controls.bypass.extend(change.bypass_add.iter().map(shopper));
    for account in &change.bypass_remove {
        controls.bypass.remove(&shopper(account));
    }
    if controls.bypass.len() > BYPASS_MAX {
        let fault = FieldFault::new("/bypass_add", format!("may bring the list to {BYPASS_MAX} at most"));
        return Err(Problem::invalid_request(&[fault]));
    }
    let faults = changed.sale.definition.faults();
    if !faults.is_empty() {
        let of_room = |pointer: String| pointer.trim_start_matches("/waiting_room").to_owned();
        let faults: Vec<_> =
            faults.into_iter().map(|fault| FieldFault::new(of_room(fault.pointer), fault.reason)).collect();
        return Err(Problem::invalid_request(&faults));
    }
    if changed != record {
        store(&app, changed, deadline).await?;
    }
    let record = app.ledger.load(&app.stock, &id, deadline).await.map_err(problem)?;
    report(&app, record, deadline).await
}

fn account_faults(change: &QueueChange) -> Vec<FieldFault> {
    let lists = [("bypass_add", &change.bypass_add), ("bypass_remove", &change.bypass_remove)];
    let mut faults = Vec::new();
    for (field, accounts) in lists {
        if accounts.len() > ACCOUNTS_MAX {
            faults.push(FieldFault::new(
                format!("/{field}"),
                format!("must have {ACCOUNTS_MAX} accounts at most"),
            ));
        }
        let wrong = accounts.iter().enumerate().filter(|(_, account)| !is_subject(account));
        let fault = |(index, _)| FieldFault::new(format!("/{field}/{index}"), "must have 1 to 256 bytes");
        faults.extend(wrong.map(fault));
    }
    faults
}

async fn report(
    app: &App,
    record: Option<SaleRecord>,
    deadline: Deadline,
) -> Result<axum::Json<QueueReport>, Problem> {
    let Sale { id, definition, room: controls, .. } = record.ok_or_else(Problem::sale_not_found)?.sale;
    let view = app.stock.view(&id, deadline).await?.ok_or_else(Problem::sale_not_found)?;
    let (Some(room), Some(defined)) = (view.waiting_room, definition.waiting_room) else {
        return Err(Problem::no_waiting_room());
    };
    Ok(axum::Json(QueueReport {
        sale: id,
        paused: controls.is_paused,
        rate_per_minute_set: defined.rate_per_minute,
        pace: f64::from(room.pace_thousandths) / 1_000.0,
        turns_used: room.turns_used,
        turns_passed: room.turns_passed,
        waits: WaitPercentiles::from(&room.waits),
        bypass: u64::try_from(controls.bypass.len()).unwrap_or(u64::MAX),
        bypassed: room.bypassed,
        room: WaitingRoomStatus::from(room),
    }))
}
