//! Events that another AWS service sends to a function, one at a time.

use std::error::Error;
use std::process::ExitCode;

use lambda_http::lambda_runtime::{self, LambdaEvent};
use sale::Causes;
use serde::de::DeserializeOwned;

use crate::log;
use crate::serve::{WRONG_SETTINGS, end};
use crate::settings::Settings;

/// Does this work for each event that the Lambda runtime brings; a fault in the settings ends it at once. What
/// fails is told to the sender, who sends the event again.
pub async fn serve_events<E, W, F, X>(
    function: &'static str,
    work: impl FnOnce(&mut Settings) -> Option<W>,
) -> ExitCode
where
    E: DeserializeOwned,
    W: Fn(E) -> F,
    F: Future<Output = Result<(), X>>,
    X: Error + Send + Sync + 'static,
{
    let mut settings = Settings::from_process();
    log::init(settings.log_filter());
    let work = work(&mut settings);
    settings.require_lambda();
    let work = match (work, settings.faults()) {
        (Some(work), None) => work,
        (_, faults) => return end(function, &faults.unwrap_or_default(), WRONG_SETTINGS.into()),
    };
    let event = lambda_http::service_fn(async |event: LambdaEvent<E>| {
        // The runtime logs it, and tells the sender.
        work(event.payload).await.map_err(|error| lambda_http::Error::from(Causes(&error).to_string()))
    });
    let ended = lambda_runtime::run(event).await;
    ended.map_or_else(|error| end(function, &error.to_string(), ExitCode::FAILURE), |()| ExitCode::SUCCESS)
}
