//! `cargo spillway down`: stops what `up` has started.

use std::time::Duration;

use anyhow::{Result, bail};
use rustix::process::Signal;

use crate::process::{is_alive, signal};
use crate::progress::say;
use crate::running::Supervised;

const STOP_TIMEOUT: Duration = Duration::from_mins(1);

/// Stops the system of this checkout and returns when it has stopped.
pub async fn down() -> Result<()> {
    let Some(running) = Supervised::find() else {
        say("nothing runs here");
        return Ok(());
    };
    let pid = running.supervisor_pid;
    signal(pid, Signal::TERM);
    let give_up = tokio::time::Instant::now() + STOP_TIMEOUT;
    while is_alive(pid) {
        if tokio::time::Instant::now() > give_up {
            bail!(
                "process {pid} has not stopped after {} s; its log is target/spillway/up.log",
                STOP_TIMEOUT.as_secs()
            );
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    say("stopped");
    Ok(())
}
