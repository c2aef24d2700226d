//! How `cargo lambda watch` is called over what `up --only redis,ledger` has started.

use std::process::Command;

use anyhow::{Context, Result};

use crate::cargo_lambda::cargo_lambda;
use crate::functions::in_checkout;
use crate::layout::checkout;
use crate::running::Running;

/// Where `cargo lambda watch` listens unless it is told otherwise.
pub(crate) const PORT: u16 = 9_000;

/// The command that `up` prints, with a `cargo lambda` that is installed where it is missing.
pub fn watch_command(running: &Running) -> Result<Command> {
    let mut command = in_checkout(cargo_lambda()?);
    command.args(watch_arguments(running)?);
    Ok(command)
}

/// The arguments of `cargo`, called in the checkout. Without an address it would listen on every interface.
pub(crate) fn watch_arguments(running: &Running) -> Result<Vec<String>> {
    let address = running.url.strip_prefix("http://").and_then(|address| address.split_once(':'));
    let (host, port) = address.with_context(|| format!("{} is not plain HTTP", running.url))?;
    let settings = running.functions_env.canonicalize()?;
    let settings = settings.strip_prefix(checkout()).unwrap_or(&settings).display().to_string();
    let arguments = [
        "lambda",
        "watch",
        // What `up` has built starts at once.
        "--release",
        "--invoke-address",
        host,
        "--invoke-port",
        port,
        "--env-file",
        &settings,
    ];
    Ok(arguments.map(str::to_owned).to_vec())
}
