//! One cold start: from the start of a process to its first answer.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::runtime::LambdaRuntime;

const PATIENCE: Duration = Duration::from_secs(20);

/// What a cold start took.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) elapsed: Duration,
    /// The most memory that the process had.
    pub(crate) peak_kib: u64,
    pub(crate) response: Value,
}

/// Starts a function for whom this event waits, and ends it after its answer.
pub(crate) async fn launch(
    program: &Path,
    settings: &[(String, String)],
    event: Value,
    status: u64,
) -> Result<Launch> {
    let runtime = LambdaRuntime::start().await;
    let answered = runtime.invoke(event).await;
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .env("AWS_LAMBDA_RUNTIME_API", &runtime.address)
        .env("AWS_LAMBDA_FUNCTION_NAME", "cold-start")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let began = Instant::now();
    let mut process = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
    let answered = tokio::time::timeout(PATIENCE, answered).await;
    let elapsed = began.elapsed();
    let peak_kib = peak_kib(process.id());
    process.kill()?;
    process.wait()?;
    let response = answered.with_context(|| format!("no answer of {}", program.display()))??;
    ensure!(response["statusCode"] == status, "{}: {response}", program.display());
    Ok(Launch { elapsed, peak_kib: peak_kib?, response })
}

fn peak_kib(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
