//! Work that a schedule asks for: under Lambda for each event, self-hosted again and again, with the probes of
//! a function beside it.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use lambda_http::lambda_runtime::{self, LambdaEvent};
use sale::Deadline;

use crate::app::Apps;
use crate::gate::route_not_found;
use crate::serve::{Prepared, WRONG_SETTINGS, behind_gate, end, listen};
use crate::settings::{Door, Settings};

/// For the secrets, where they are to be loaded before the work.
const LOAD_DEADLINE: Duration = Duration::from_secs(5);

/// A step that takes longer hangs: the longest, one of the sweep, ends after a minute.
const STEP_TIMEOUT: Duration = Duration::from_mins(3);

/// How long a scheduled event works, and how long it rests between two steps.
#[derive(Debug, Clone, Copy)]
pub struct Shift {
    /// A step begins within this.
    pub length: Duration,
    /// Between two steps.
    pub pause: Duration,
}

/// Secrets that cannot be loaded; the log has the reason.
#[derive(Debug, thiserror::Error)]
#[error("the secrets cannot be loaded")]
struct SecretsUnavailable;

/// Does this work step by step whenever the schedule says: for the length of a shift with each Lambda event,
/// or with `LISTEN` all the time.
pub async fn serve_schedule<W, F>(
    function: &'static str,
    shift: Shift,
    work: impl Fn(&mut Settings) -> Option<W> + Send + Sync + 'static,
) -> ExitCode
where
    W: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let Prepared { door, gate, apps } = match Prepared::new(function, work) {
        Ok(prepared) => prepared,
        Err(faults) => return end(function, &faults.told, WRONG_SETTINGS.into()),
    };
    let apps = Arc::new(apps);
    let ended = match door {
        Door::Lambda => {
            let event = lambda_http::service_fn(async |_: LambdaEvent<serde_json::Value>| {
                work_shift(&apps, shift).await.map_err(lambda_http::Error::from)
            });
            lambda_runtime::run(event).await.map_err(|error| error.to_string())
        }
        Door::Http(address) => {
            let router = behind_gate(Router::new().fallback(route_not_found), apps.clone(), gate);
            let again = tokio::spawn(async move {
                // Without secrets the next step tries again; why it has none is in the log.
                while tokio::time::timeout(STEP_TIMEOUT, step(&apps)).await.is_ok() {
                    tokio::time::sleep(shift.pause).await;
                }
            });
            // Work that has ended, by a panic, or hangs, ends the process: whoever keeps it running starts it
            // again, and nobody takes it for alive meanwhile.
            tokio::select! {
                ended = listen(function, address, router) => ended.map_err(|error| error.to_string()),
                _ = again => Err("its work has ended, or hangs".to_owned()),
            }
        }
    };
    ended.map_or_else(|error| end(function, &error, ExitCode::FAILURE), |()| ExitCode::SUCCESS)
}

/// The work of one event. Without secrets the event fails, which an alarm sees.
async fn work_shift<W, F>(apps: &Apps<W>, shift: Shift) -> Result<(), SecretsUnavailable>
where
    W: Fn() -> F,
    F: Future<Output = ()>,
{
    let end = Deadline::after(shift.length);
    while !end.is_over() {
        step(apps).await?;
        tokio::time::sleep(shift.pause).await;
    }
    Ok(())
}

async fn step<W, F>(apps: &Apps<W>) -> Result<(), SecretsUnavailable>
where
    W: Fn() -> F,
    F: Future<Output = ()>,
{
    let app = apps.current(Deadline::after(LOAD_DEADLINE)).await.map_err(|_| SecretsUnavailable)?;
    (app.parts)().await;
    Ok(())
}
